/**
 * Cores as preemptive servers with three levels: 0 a guest's thread, 1 a guest's interrupt handler, 2 the hypervisor (EL2).
 * The highest level with work runs; what it interrupts keeps its remaining time. Levels 0 and 1 run activities of known
 * length, FIFO within a level. Level 2 is entered and left by whoever simulates the hypervisor, and is never preempted.
 */
import { assert } from '../internal/assert.ts'
import type { EventKernel } from './event-kernel.ts'

const GUEST_LEVELS = 2
const LEVELS = 3

interface Activity {
  remainingNs: number
  readonly kind: number
  readonly a: number
}

class Core {
  readonly queues: readonly Activity[][] = [[], []]
  entered = false
  /** Level that runs, or -1; since when; and its completion event. */
  level = -1
  sinceNs = 0
  event = 0
  readonly busyNs = new Float64Array(LEVELS)
}

export class PreemptiveCores {
  /** The activity that `finish` took out. */
  finishedLevel = 0
  finishedKind = 0
  finishedA = 0
  readonly #kernel: EventKernel
  readonly #eventKind: number
  readonly #eventPriority: number
  readonly #cores: readonly Core[]

  /** Completions are kernel events of `eventKind` whose `a` is the core: whoever takes one calls `finish`. */
  constructor(kernel: EventKernel, coreCount: number, eventKind: number, eventPriority: number) {
    this.#kernel = kernel
    this.#eventKind = eventKind
    this.#eventPriority = eventPriority
    this.#cores = Array.from({ length: coreCount }, () => new Core())
  }

  /** Queues an activity of `durationNs` at level 0 or 1. */
  enqueue(core: number, level: number, durationNs: number, kind: number, a: number): void {
    assert(level < GUEST_LEVELS, 'level 2 is entered, not queued')
    this.#cores[core]!.queues[level]!.push({ remainingNs: durationNs, kind, a })
    this.#reschedule(core)
  }

  /** A completion event of `core` fired: loads the `finished…` fields and starts what comes next. */
  finish(core: number): void {
    const state = this.#cores[core]!
    const { level } = state
    assert(level >= 0 && level < GUEST_LEVELS, `core ${core} has no activity to finish`)
    this.#account(state)
    const activity = state.queues[level]!.shift()!
    state.level = -1
    state.event = 0
    this.finishedLevel = level
    this.finishedKind = activity.kind
    this.finishedA = activity.a
    this.#reschedule(core)
  }

  /** Takes level 2, suspending the guest. False: it is taken. */
  enter(core: number): boolean {
    const state = this.#cores[core]!
    if (state.entered) return false
    state.entered = true
    this.#reschedule(core)
    return true
  }

  leave(core: number): void {
    const state = this.#cores[core]!
    assert(state.entered, `core ${core} is not in EL2`)
    state.entered = false
    this.#reschedule(core)
  }

  isIdle(core: number, level: number): boolean {
    const state = this.#cores[core]!
    return level === GUEST_LEVELS ? !state.entered : state.queues[level]!.length === 0
  }

  /** Time that a level has run, up to now. */
  busyNs(core: number, level: number): number {
    const state = this.#cores[core]!
    return state.busyNs[level]! + (state.level === level ? this.#kernel.now - state.sinceNs : 0)
  }

  resetAccounting(): void {
    for (const state of this.#cores) {
      this.#account(state)
      state.busyNs.fill(0)
    }
  }

  #account(state: Core): void {
    if (state.level < 0) return
    const ranNs = this.#kernel.now - state.sinceNs
    state.busyNs[state.level]! += ranNs
    if (state.level < GUEST_LEVELS) state.queues[state.level]![0]!.remainingNs -= ranNs
    state.sinceNs = this.#kernel.now
  }

  /** Runs the highest level that has work, if it is not the one that runs. */
  #reschedule(core: number): void {
    const state = this.#cores[core]!
    const level = state.entered ? 2 : state.queues[1]!.length > 0 ? 1 : state.queues[0]!.length > 0 ? 0 : -1
    if (level === state.level) return
    this.#account(state)
    if (state.event !== 0) this.#kernel.cancel(state.event)
    state.event = 0
    state.level = level
    state.sinceNs = this.#kernel.now
    if (level < 0 || level >= GUEST_LEVELS) return
    const endNs = this.#kernel.now + state.queues[level]![0]!.remainingNs
    state.event = this.#kernel.schedule(endNs, this.#eventPriority, this.#eventKind, core, 0)
  }
}
