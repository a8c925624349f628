/**
 * Functions of the user's that are called and not waited for may be `async` all the same. What their promise rejects with would end a
 * Node process, unseen by whoever has to know; here it is handed on.
 */

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/** `result` is what a function of the user's returned. `onRejected` does not throw. */
export function watchPromise(result: unknown, onRejected: (error: unknown) => void): void {
  if (isPromise(result)) Promise.resolve(result).then(undefined, onRejected)
}
