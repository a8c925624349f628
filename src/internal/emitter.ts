/**
 * Events for observers, off every hot path: synchronous, in the order of subscription, typed by `typed-emitter`'s map. What a
 * listener throws reaches whoever emitted, after all others were called: an observer is not to break what it observes. The promise
 * of an `async` listener is not waited for; when it rejects, the emitter's owner is told.
 */
import type { EventMap } from 'typed-emitter'
import { checkFunction, checkWord } from './check-option.ts'
import { watchPromise } from './watch-promise.ts'

/** What an observer sees of an emitter: the part of typed-emitter's interface that everybody uses. */
export interface Events<E extends EventMap> {
  /** Throws `VirtioError` INVALID_OPTION for an event that does not exist, or a listener that is no function. */
  on<K extends keyof E>(event: K, listener: E[K]): this
  once<K extends keyof E>(event: K, listener: E[K]): this
  /** Also one that was added with `once`. A listener that was never added is no error. */
  off<K extends keyof E>(event: K, listener: E[K]): this
  listenerCount<K extends keyof E>(event: K): number
}

export class Emitter<E extends EventMap> implements Events<E> {
  readonly #listeners = new Map<keyof E, readonly E[keyof E][]>()
  /** What `once` was given, by what it added. */
  readonly #originals = new WeakMap<E[keyof E], E[keyof E]>()
  readonly #names: readonly (keyof E & string)[]
  readonly #onRejected: (error: unknown, event: keyof E) => void

  /** `names` are all events there are. `onRejected` is told what an `async` listener of `event` ended with; it does not throw. */
  constructor(names: readonly (keyof E & string)[], onRejected: (error: unknown, event: keyof E) => void) {
    this.#names = names
    this.#onRejected = onRejected
  }

  on<K extends keyof E>(event: K, listener: E[K]): this {
    checkWord('event', event, this.#names)
    checkFunction('listener', listener)
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
    return this
  }

  once<K extends keyof E>(event: K, listener: E[K]): this {
    checkFunction('listener', listener)
    const wrapped = ((...args: Parameters<E[K]>) => {
      this.off(event, wrapped)
      return listener(...args)
    }) as E[K]
    this.#originals.set(wrapped, listener)
    return this.on(event, wrapped)
  }

  off<K extends keyof E>(event: K, listener: E[K]): this {
    const listeners = this.#listeners.get(event) ?? []
    this.#listeners.set(
      event,
      listeners.filter((each) => each !== listener && this.#originals.get(each) !== listener),
    )
    return this
  }

  /** True when somebody listened. A listener added or removed meanwhile counts from the next event on. */
  emit<K extends keyof E>(event: K, ...args: Parameters<E[K]>): boolean {
    const listeners = this.#listeners.get(event)
    if (listeners === undefined || listeners.length === 0) return false
    let failed = false
    let thrown: unknown
    for (const listener of listeners) {
      try {
        watchPromise(listener(...args), (error) => this.#onRejected(error, event))
      } catch (error) {
        if (!failed) thrown = error
        failed = true
      }
    }
    if (failed) throw thrown
    return true
  }

  listenerCount<K extends keyof E>(event: K): number {
    return this.#listeners.get(event)?.length ?? 0
  }
}
