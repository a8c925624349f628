/**
 * A device model as its registers call it. Its hooks are code of the user's, and run inside a register access of the driver: what they
 * throw, or their promises reject with, is a fault of the device, not an exception of whoever wrote the register (§2.1.2). What the
 * owner of the device asks for, a snapshot, throws at the owner.
 */
import { checkMethods } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { isPromise, watchPromise } from '../internal/watch-promise.ts'
import type { DeviceRing } from '../virtqueue/index.ts'
import type { DeviceModel } from './device-transport.ts'
import type { FeatureSet } from './features.ts'

type Rings = readonly (DeviceRing | null)[]

export class GuardedModel {
  readonly #model: DeviceModel
  readonly #report: (error: unknown, breaks?: boolean) => void

  /** `report` is told of errors, and whether they break the device (left out: as its policy says). It does not throw. */
  constructor(model: DeviceModel, report: (error: unknown, breaks?: boolean) => void) {
    checkMethods('model', model, 'a DeviceModel', ['onActivate', 'onReset', 'onNotify'])
    this.#model = model
    this.#report = report
  }

  onActivate(rings: Rings, features: FeatureSet): void {
    this.#call(() => this.#model.onActivate(rings, features))
  }

  /** A reset ends whatever is wrong with a device, also with this hook. */
  onReset(): void {
    this.#call(() => this.#model.onReset(), false)
  }

  isResetComplete(): boolean {
    return this.#call(() => this.#model.isResetComplete?.(), false) !== false
  }

  onNotify(queue: number): boolean {
    try {
      const left: unknown = this.#model.onNotify(queue)
      return left === true || (left !== false && this.#watched(left))
    } catch (error) {
      this.#report(error)
      return false
    }
  }

  onPoll(): boolean {
    return this.#call(() => this.#model.onPoll?.()) === true
  }

  onQueueEnable(queue: number, ring: DeviceRing): void {
    this.#call(() => this.#model.onQueueEnable?.(queue, ring))
  }

  mayDisableQueue(queue: number): boolean {
    return this.#call(() => this.#model.mayDisableQueue?.(queue)) !== false
  }

  onQueueReset(queue: number): void {
    this.#call(() => this.#model.onQueueReset?.(queue))
  }

  onConfigWrite(): void {
    this.#call(() => this.#model.onConfigWrite?.())
  }

  /** Throws what the hook throws, and `VirtioError` NOT_RESTORABLE for a promise: nothing in it can be saved. */
  save(): unknown {
    return requirePlain(this.#model.onSave?.() ?? null)
  }

  /** Null: there is no hook. */
  get restore(): ((saved: unknown, rings: Rings, features: FeatureSet) => void) | null {
    if (this.#model.onRestore === undefined) return null
    return (saved, rings, features) => {
      watchPromise(this.#model.onRestore?.(saved, rings, features), (error) => this.#report(error))
    }
  }

  #call<T>(hook: () => T, breaks?: boolean): T | undefined {
    try {
      const result = hook()
      watchPromise(result, (error) => this.#report(error, breaks))
      return result
    } catch (error) {
      this.#report(error, breaks)
      return undefined
    }
  }

  /** What is no boolean says of no work. */
  #watched(result: unknown): boolean {
    watchPromise(result, (error) => this.#report(error))
    return false
  }
}

/** What an `onSave` returned. */
export function requirePlain(saved: unknown): unknown {
  if (!isPromise(saved)) return saved
  watchPromise(saved, () => {})
  throw new VirtioError('NOT_RESTORABLE', 'onSave returned a promise: it must return what is saved, as plain data')
}
