/** Promises for "something changed, look again": the waiting side of an object that is otherwise synchronous. */
export class WaitList {
  readonly #waiters = new Set<() => void>()

  /** Resolves at the next `wake`; rejects with the signal's reason when that is aborted first. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const wake = () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const abort = () => {
        this.#waiters.delete(wake)
        reject(signal?.reason)
      }
      this.#waiters.add(wake)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** Wakes everybody who waits now, oldest first. */
  wake(): void {
    if (this.#waiters.size === 0) return
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const wake of waiters) wake()
  }
}
