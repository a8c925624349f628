/**
 * A device under fire: hostile rings against any device target, each answer held against the specification. The target may
 * refuse or complete, as the bytes demand; it may not throw, answer for bytes that were not offered, change its mind when the
 * driver rewrites a chain that was taken, or stop returning what it took before the ring broke.
 */

import { Random } from '../../../internal/random.ts'
import { agrees, describe, sameChain } from '../../agreement.ts'
import { failureOf, takenOf } from '../../answers.ts'
import { expectCampaign } from '../../expect-count.ts'
import { QueueMismatch } from '../../mismatch.ts'
import { negotiate } from '../../negotiate.ts'
import type { DeviceQueueTarget, DeviceQueueUnderTest, TakenChain } from '../../queue-targets.ts'
import { HostileDriver, type HostileDriverOptions } from './hostile-ring.ts'
import {
  type AvailableAnswer,
  availableAnswers,
  mustInterrupt,
  type ReferenceChain,
  type RingRule,
} from './reference-split-ring.ts'
import {
  availIdxAt,
  deviceAreaBytes,
  type RingMemory,
  type SplitRing,
  usedElementAt,
  usedIdxAt,
} from './split-ring-format.ts'

/** Options of `runHostileRings`. */
export interface HostileRunOptions extends HostileDriverOptions {
  readonly rings: number
  /** Number of the first case; a failure names its own. Default 0. */
  readonly first?: number
  /** Moves a case. Default 12. */
  readonly steps?: number
}

/** What the hostile driver did, and how often each rule was broken. */
export interface HostileReport {
  rings: number
  chains: number
  /** How often each rule was broken, by the specification's first name for it. */
  readonly faults: { [rule in RingRule]?: number }
}

/** Runs `asked.rings` cases, without features that the target lacks; throws `QueueMismatch` at the first wrong answer. */
export function runHostileRings(target: DeviceQueueTarget, asked: HostileRunOptions): HostileReport {
  expectCampaign('rings', asked.rings, asked)
  const options = negotiate(asked, target)
  const driver = new HostileDriver(options)
  const report: HostileReport = { rings: 0, chains: 0, faults: {} }
  const first = options.first ?? 0
  for (let number = first; number < first + options.rings; number++) {
    driver.start(number)
    new HostileCase(target, driver, new Random(~options.seed, number), report).run(options.steps ?? 12)
    report.rings++
  }
  if (!driver.guardsIntact()) throw new QueueMismatch(`${target.name} wrote outside the guest's memory`, '')
  return report
}

class HostileCase {
  readonly #target: DeviceQueueTarget
  readonly #driver: HostileDriver
  readonly #random: Random
  readonly #report: HostileReport
  readonly #memory: WatchedMemory
  readonly #ring: SplitRing
  readonly #queue: DeviceQueueUnderTest
  readonly #inFlight = new Map<number, number>()
  /** Used elements since the last publication. */
  #staged: { id: number; writtenBytes: number }[] = []
  #nextAvail = 0
  /** Heads that the target may know of, from an earlier look at idx. */
  #known = 0
  #usedIdx = 0
  #notifiedIdx = 0
  #broken = false

  constructor(target: DeviceQueueTarget, driver: HostileDriver, random: Random, report: HostileReport) {
    this.#target = target
    this.#driver = driver
    this.#random = random
    this.#report = report
    this.#ring = driver.ring
    this.#memory = new WatchedMemory(driver.memory, driver.ring)
    this.#queue = this.#attempt('create', () => target.create(driver.memory, driver.ring))
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      const taken = this.#take()
      if (taken === 'unpredictable') return
      this.#publish()
      this.#driver.step()
      // Double fetch: whatever was rewritten, the chain in hand is the one that was checked.
      if (taken && !sameChain(taken.chain, taken.answer)) this.#fail('the chain changed when the driver rewrote memory')
      if (this.#random.chance(0.6)) this.#completeOne()
    }
    // Broken or not, what was taken can be returned.
    while (this.#inFlight.size > 0) this.#completeOne()
  }

  /** Up to one chain, and before it those that the target refuses and returns. */
  #take(): { chain: TakenChain; answer: ReferenceChain } | null | 'unpredictable' {
    if (this.#random.chance(0.2))
      this.#attempt('setNotifications', () => this.#queue.setNotifications?.(this.#random.chance(0.6)))
    for (let returned = 0; ; returned++) {
      const answers = this.#expected()
      const result = this.#attempt('take', () => takenOf(this.#queue.take()))
      if (this.#broken) {
        if (result === null || (result.kind === 'fault' && !result.returned)) return null
        return this.#fail(`took ${describe(result)} from a broken ring`)
      }
      // A descriptor read from the used ring changes while heads are returned: no telling when the target read it.
      if (returned > 0 && this.#memory.sawDeviceArea) return 'unpredictable'

      const answer = answers.find((candidate) => agrees(result, candidate))
      if (!answer) return this.#fail(`took ${describe(result)} where ${answers.map(describe).join(' or ')} was due`)
      if (result === null) return null
      if (result.kind === 'chain') {
        this.#advance()
        this.#report.chains++
        this.#inFlight.set(result.id, (answer as ReferenceChain).writableBytes)
        return { chain: result, answer: answer as ReferenceChain }
      }
      const rule = answer.kind === 'fault' ? answer.rules[0]! : 'chain-too-large'
      this.#report.faults[rule] = (this.#report.faults[rule] ?? 0) + 1
      if (!result.returned) {
        this.#broken = true
        return null
      }
      this.#advance()
      this.#driver.returned(result.id)
      this.#staged.push({ id: result.id, writtenBytes: 0 })
    }
  }

  #expected(): readonly AvailableAnswer[] {
    this.#memory.sawDeviceArea = false
    const answers = availableAnswers(this.#memory, this.#ring, this.#nextAvail, this.#inFlight, this.#known)
    const waiting = (this.#memory.readU16(availIdxAt(this.#ring)) - this.#nextAvail) & 0xffff
    if (waiting <= this.#ring.size) this.#known = Math.max(this.#known, waiting)
    return answers
  }

  #advance(): void {
    this.#nextAvail = (this.#nextAvail + 1) & 0xffff
    if (this.#known > 0) this.#known--
  }

  #completeOne(): void {
    if (this.#inFlight.size === 0) return
    const [id, capacity] = this.#random.pick([...this.#inFlight])
    const writtenBytes = this.#random.chance(0.3)
      ? Math.min(capacity, 2 ** 32 - 1)
      : this.#random.between(0, Math.min(capacity, 64))
    this.#attempt('complete', () => this.#queue.complete(id, writtenBytes))
    this.#inFlight.delete(id)
    this.#driver.returned(id)
    this.#staged.push({ id, writtenBytes })
    this.#publish()
  }

  /** What was returned stands in the used ring, whatever the driver wrote there before (museum 19). */
  #publish(): void {
    this.#attempt('publish', () => this.#queue.publish?.())
    if (this.#staged.length === 0) return
    for (const { id, writtenBytes } of this.#staged) {
      const at = usedElementAt(this.#ring, this.#usedIdx)
      if (this.#memory.readU32(at) !== id || this.#memory.readU32(at + 4) !== writtenBytes) {
        this.#fail(`used element ${this.#usedIdx} is not { id: ${id}, len: ${writtenBytes} }`)
      }
      this.#usedIdx = (this.#usedIdx + 1) & 0xffff
    }
    this.#staged = []
    if (this.#memory.readU16(usedIdxAt(this.#ring)) !== this.#usedIdx) this.#fail(`used idx is not ${this.#usedIdx}`)
    if (this.#random.chance(0.3)) return // ask for several publications at once
    const wants = this.#attempt('wantsNotification', () => this.#queue.wantsNotification())
    if (wants !== mustInterrupt(this.#memory, this.#ring, this.#notifiedIdx, this.#usedIdx)) {
      this.#fail(`${wants ? 'wants' : 'wants no'} notification for used idx ${this.#notifiedIdx} -> ${this.#usedIdx}`)
    }
    this.#notifiedIdx = this.#usedIdx
  }

  #attempt<T>(what: string, action: () => T): T {
    try {
      return action()
    } catch (error) {
      throw new QueueMismatch(
        `${this.#target.name}: ${failureOf(what, error)}`,
        this.#driver.toString(this.#nextAvail),
        {
          cause: error,
        },
      )
    }
  }

  #fail(sentence: string): never {
    throw new QueueMismatch(`${this.#target.name}: ${sentence}`, this.#driver.toString(this.#nextAvail))
  }
}

/** Notes when a descriptor was read from the one area that the target itself writes. */
class WatchedMemory implements RingMemory {
  sawDeviceArea = false
  readonly #memory: RingMemory
  readonly #from: number
  readonly #to: number

  constructor(memory: RingMemory, ring: SplitRing) {
    this.#memory = memory
    this.#from = ring.deviceArea - 3
    this.#to = ring.deviceArea + deviceAreaBytes(ring.size)
  }

  contains(address: number, length: number): boolean {
    return this.#memory.contains(address, length)
  }

  readU16(address: number): number {
    this.#note(address)
    return this.#memory.readU16(address)
  }

  readU32(address: number): number {
    this.#note(address)
    return this.#memory.readU32(address)
  }

  #note(address: number): void {
    if (address >= this.#from && address < this.#to) this.sawDeviceArea = true
  }
}
