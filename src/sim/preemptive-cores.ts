/**
 * Cores as preemptive servers with four fixed levels: a guest's computations, its threads that talk to devices, its interrupt
 * handlers, the hypervisor. On each core the highest level that has work runs; lower ones are suspended and keep what remains
 * of them. Within a level, first come first served; the hypervisor is never preempted.
 *
 *   hypervisor            ┌──EL2──┐             activities (of known length), or a section of open length
 *   interrupt             │       └─ISR─┐       (`enter` .. `leave`) while the machine spins, charges and steps
 *   thread        ┌─send──┘             └──┐
 *   computation ──┘                        └── ▶ time
 *
 * The end of an activity is an event of the kernel. The end of a preempted one is cancelled, so that the machine never sees a
 * stale event. An activity whose end is due but not yet taken still runs: it can be preempted with nothing left, and then
 * ends when it is resumed.
 */
import { assert } from '../internal/assert.ts'
import type { EventKernel } from './event-kernel.ts'

/** Who runs on a core, the less urgent first: a higher level preempts a lower one. */
export const CoreLevel = { computation: 0, thread: 1, interrupt: 2, hypervisor: 3 } as const

const LEVELS = 4
const NONE = -1

/**
 * Simulated cores on which work of a higher level preempts that of a lower one, and goes on where it was afterwards.
 * Times are simulated ns.
 */
export class PreemptiveCores {
  readonly coreCount: number
  readonly #kernel: EventKernel
  readonly #eventKind: number
  readonly #eventPriority: number

  // By core.
  readonly #running: Int8Array
  readonly #runningSinceNs: Float64Array
  readonly #entered: Uint8Array
  /** The event that ends the running activity; 0: none. */
  readonly #endEvent: Float64Array
  readonly #endNs: Float64Array

  // By core and level: a queue of activities, of which the first runs or is suspended, and the busy time so far.
  readonly #first: Int32Array
  readonly #last: Int32Array
  readonly #busyNs: Float64Array

  // By activity.
  #next = new Int32Array(0)
  #remainingNs = new Float64Array(0)
  #kinds = new Int32Array(0)
  #as = new Int32Array(0)
  #free = NONE

  #finishedLevel = NONE
  #finishedKind = 0
  #finishedA = 0

  /** The kernel gets events (`eventKind`, a = core, b = level) of `eventPriority`, which the machine answers with `finish(a)`. */
  constructor(kernel: EventKernel, coreCount: number, eventKind: number, eventPriority: number) {
    assert(Number.isInteger(coreCount) && coreCount > 0, `${coreCount} cores`)
    this.coreCount = coreCount
    this.#kernel = kernel
    this.#eventKind = eventKind
    this.#eventPriority = eventPriority
    this.#running = new Int8Array(coreCount).fill(NONE)
    this.#runningSinceNs = new Float64Array(coreCount)
    this.#entered = new Uint8Array(coreCount)
    this.#endEvent = new Float64Array(coreCount)
    this.#endNs = new Float64Array(coreCount)
    this.#first = new Int32Array(coreCount * LEVELS).fill(NONE)
    this.#last = new Int32Array(coreCount * LEVELS).fill(NONE)
    this.#busyNs = new Float64Array(coreCount * LEVELS)
  }

  /** What the last successful `finish` ended: its level, and the `kind` and `a` of `enqueue`. */
  get finishedLevel(): number {
    return this.#finishedLevel
  }

  get finishedKind(): number {
    return this.#finishedKind
  }

  get finishedA(): number {
    return this.#finishedA
  }

  /**
   * Queues an activity of `durationNs` (an integer; 0 is allowed) behind the others of its level, preempting a lower level.
   * `kind` and `a` are int32 that come back from `finish`. Allocates only when more activities are queued than ever before.
   */
  enqueue(core: number, level: number, durationNs: number, kind: number, a: number): void {
    const queue = this.#queueOf(core, level)
    if (!(Number.isSafeInteger(durationNs) && durationNs >= 0)) assert(false, `a duration of ${durationNs} ns`)
    if (this.#free === NONE) this.#grow()
    const activity = this.#free
    this.#free = this.#next[activity]
    this.#next[activity] = NONE
    this.#remainingNs[activity] = durationNs
    this.#kinds[activity] = kind
    this.#as[activity] = a
    if (this.#first[queue] === NONE) this.#first[queue] = activity
    else this.#next[this.#last[queue]] = activity
    this.#last[queue] = activity
    // Nothing is above the hypervisor, so it is never preempted.
    if (level > this.#running[core]) this.#switch(core)
  }

  /**
   * Answers a core's event: loads `finishedLevel`, `finishedKind` and `finishedA`, and the core goes on with its next work.
   * False, and nothing changes, when no activity of the core ends now; that happens only without such an event.
   */
  finish(core: number): boolean {
    if (this.#endEvent[core] === 0 || this.#endNs[core] !== this.#kernel.now) return false
    const level = this.#running[core]
    const queue = this.#queueOf(core, level)
    const activity = this.#first[queue]
    this.#suspend(core)
    this.#first[queue] = this.#next[activity]
    this.#finishedLevel = level
    this.#finishedKind = this.#kinds[activity]
    this.#finishedA = this.#as[activity]
    this.#next[activity] = this.#free
    this.#free = activity
    this.#resume(core)
    return true
  }

  /** Begins a hypervisor section of open length, suspending the guest. False, and nothing changes, if its level has work. */
  enter(core: number): boolean {
    if (!this.isIdle(core, CoreLevel.hypervisor)) return false
    this.#entered[core] = 1
    this.#switch(core)
    return true
  }

  /** Ends the section that `enter` began. Activities of its level that queued up meanwhile come next, then the guest. */
  leave(core: number): void {
    if (this.#entered[core] !== 1) assert(false, `core ${core} leaves what it has not entered`)
    this.#suspend(core)
    this.#entered[core] = 0
    this.#resume(core)
  }

  isEntered(core: number): boolean {
    return this.#entered[core] === 1
  }

  /** The level that the core runs, or -1. */
  runningLevel(core: number): number {
    return this.#running[core]
  }

  /** Nothing of this level runs, is suspended or waits. */
  isIdle(core: number, level: number): boolean {
    return this.#first[this.#queueOf(core, level)] === NONE && !(level === CoreLevel.hypervisor && this.isEntered(core))
  }

  /** How long the level has run on the core since `resetAccounting`, up to now; ns. */
  busyNs(core: number, level: number): number {
    const running = this.#running[core] === level ? this.#kernel.now - this.#runningSinceNs[core] : 0
    return this.#busyNs[this.#queueOf(core, level)] + running
  }

  /** Sets all busy times to 0; what runs counts from now on. */
  resetAccounting(): void {
    this.#busyNs.fill(0)
    for (let core = 0; core < this.coreCount; core++) {
      const level = this.#running[core]
      // The whole span will be added when it ends: its past is taken off in advance.
      if (level !== NONE) this.#busyNs[core * LEVELS + level] = this.#runningSinceNs[core] - this.#kernel.now
    }
  }

  #queueOf(core: number, level: number): number {
    if (!(core >= 0 && core < this.coreCount && level >= 0 && level < LEVELS))
      assert(false, `no core ${core} with a level ${level}`)
    return core * LEVELS + level
  }

  #switch(core: number): void {
    if (this.#running[core] !== NONE) this.#suspend(core)
    this.#resume(core)
  }

  /** Stops what runs, accounts for it, and keeps what remains of it. */
  #suspend(core: number): void {
    const queue = core * LEVELS + this.#running[core]
    const elapsedNs = this.#kernel.now - this.#runningSinceNs[core]
    this.#busyNs[queue] += elapsedNs
    this.#running[core] = NONE
    if (this.#endEvent[core] === 0) return
    this.#remainingNs[this.#first[queue]] -= elapsedNs
    this.#kernel.cancel(this.#endEvent[core])
    this.#endEvent[core] = 0
  }

  /** Starts the highest level that has work, if any; nothing runs. */
  #resume(core: number): void {
    let level: number = CoreLevel.hypervisor
    const now = this.#kernel.now
    if (!this.isEntered(core)) {
      while (level >= 0 && this.#first[core * LEVELS + level] === NONE) level--
      if (level < 0) return
      const endNs = now + this.#remainingNs[this.#first[core * LEVELS + level]]
      this.#endNs[core] = endNs
      this.#endEvent[core] = this.#kernel.schedule(endNs, this.#eventPriority, this.#eventKind, core, level)
    }
    this.#running[core] = level
    this.#runningSinceNs[core] = now
  }

  #grow(): void {
    const from = this.#next.length
    const capacity = Math.max(16, 2 * from)
    const next = new Int32Array(capacity)
    const remainingNs = new Float64Array(capacity)
    const kinds = new Int32Array(capacity)
    const as = new Int32Array(capacity)
    next.set(this.#next)
    remainingNs.set(this.#remainingNs)
    kinds.set(this.#kinds)
    as.set(this.#as)
    for (let activity = from; activity < capacity; activity++) next[activity] = activity + 1
    next[capacity - 1] = NONE
    this.#next = next
    this.#remainingNs = remainingNs
    this.#kinds = kinds
    this.#as = as
    this.#free = from
  }
}
