/**
 * An emitter whose owner must not stumble over its observers: what a listener throws, or rejects with, becomes a `fault` event, as
 * does what other code of the user throws; a fault that nobody listens for is printed.
 */
import type { EventMap } from 'typed-emitter'
import { Emitter } from './emitter.ts'
import { reportUnheard } from './report-error.ts'

export type FaultEvents = { fault: (error: unknown, queue: number) => void }

export class FaultEmitter<E extends EventMap & FaultEvents> extends Emitter<E> {
  readonly #owner: string

  /** `owner` is for what is printed: `the device`; `names` are all events there are. */
  constructor(owner: string, names: readonly (keyof E & string)[]) {
    super(names, (error, event) => {
      if (event === 'fault') reportUnheard(`a listener of 'fault' of ${owner}`, error)
      else this.fault(error, -1)
    })
    this.#owner = owner
  }

  /** `emit` that never throws. */
  tell<K extends keyof E>(event: K, ...args: Parameters<E[K]>): void {
    try {
      this.emit(event, ...args)
    } catch (error) {
      this.fault(error, -1)
    }
  }

  /** Code of the user's threw: a handler or callback of a queue, else (-1) a hook or a listener. */
  fault(error: unknown, queue: number): void {
    const { where, isHeard } = this.#hear(error, queue)
    if (!isHeard) reportUnheard(where, error)
  }

  #hear(error: unknown, queue: number): { where: string; isHeard: boolean } {
    const where = queue < 0 ? `a hook or listener of ${this.#owner}` : `code for queue ${queue} of ${this.#owner}`
    try {
      return { where, isHeard: this.emit('fault', ...([error, queue] as unknown as Parameters<E['fault']>)) }
    } catch (thrown) {
      reportUnheard(`a listener of 'fault' of ${this.#owner}`, thrown)
      return { where, isHeard: false }
    }
  }
}
