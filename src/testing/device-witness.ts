/**
 * Runs the device's part of a program over a ring of any format, and holds each answer, and each byte written, against the
 * specification. The peer may be honest or hostile: what only holds of an honest one is asked by who plays it.
 */

import type { GuestMemory } from '../memory/index.ts'
import { agrees, describe, sameChain } from './agreement.ts'
import { takenOf } from './answers.ts'
import {
  type RingShape,
  type SpecifiedAvailable,
  type SpecifiedChain,
  type SpecifiedFault,
  slotsOf,
  type UsedBuffer,
} from './format/ring-format.ts'
import type { DeviceQueueUnderTest, TakenChain } from './queue-targets.ts'
import type { RingScene } from './ring-scene.ts'

/** What a witness needs of a target. */
export interface WitnessedDevice<Ring> {
  readonly mayNotifyNeedlessly?: boolean
  create(memory: GuestMemory, ring: Ring): DeviceQueueUnderTest
  createAt?(memory: GuestMemory, ring: Ring, index: number): DeviceQueueUnderTest
}

/** `returned`: refused, given back unused, and the queue goes on. `broken`: refused for good. */
export type TakeOutcome = 'took' | 'returned' | 'nothing' | 'broken' | 'unknown'

const ABOVE_IDS = 0x1_0000

interface Held {
  readonly slots: number
  readonly writableBytes: number
}

export class DeviceWitness<Ring extends RingShape, Place> {
  readonly #scene: RingScene<Ring, Place>
  readonly #target: WitnessedDevice<Ring>
  readonly #device: DeviceQueueUnderTest
  /** Everything that the device took and the driver cannot see as used: its slots are the device's. */
  readonly #held = new Map<number, Held>()
  /** Those of them that were not completed, as the target and as the specification understood them. */
  readonly #inFlight = new Map<number, Held & { readonly chain: TakenChain; readonly due: SpecifiedChain }>()
  #staged: UsedBuffer[] = []
  /** Chains that the target may know of from an earlier look. */
  #known = 0
  #available: Place
  #used: Place
  #notified: Place
  #unnotified = 0
  #fault: SpecifiedFault | SpecifiedChain | null = null
  #broken = false

  constructor(scene: RingScene<Ring, Place>, target: WitnessedDevice<Ring>) {
    const { memory, ring, startIndex } = scene
    this.#scene = scene
    this.#target = target
    this.#device = scene.attempt('create', () =>
      startIndex === 0 ? target.create(memory, ring) : target.createAt!(memory, ring, startIndex),
    )
    this.#available = this.#used = this.#notified = scene.format.start(startIndex)
  }

  /** How many chains the device holds and has not completed. */
  get inFlight(): number {
    return this.#inFlight.size
  }

  get inFlightIds(): readonly number[] {
    return [...this.#inFlight.keys()]
  }

  /** Ring descriptors that the device holds. */
  get heldSlots(): number {
    return slotsOf(this.#held.values())
  }

  get heldIds(): readonly number[] {
    return [...this.#held.keys()]
  }

  /** Where it takes the next chain, and where it shows the next used one. */
  get nextPlace(): Place {
    return this.#available
  }

  get usedPlace(): Place {
    return this.#used
  }

  get canSetNotifications(): boolean {
    return this.#device.setNotifications !== undefined
  }

  /** It saw its driver break a rule, and stopped. */
  get broken(): boolean {
    return this.#broken
  }

  /** What was refused last. */
  get fault(): SpecifiedFault | SpecifiedChain | null {
    return this.#fault
  }

  writableBytes(id: number): number {
    return this.#inFlight.get(id)?.writableBytes ?? 0
  }

  /** `unknowable`: asked when the target has answered; true: nobody can say what was due. */
  take(unknowable: () => boolean = () => false): TakeOutcome {
    const { format, ring, seen } = this.#scene
    const answers = format.available(seen, ring, this.#available, this.#owned, this.#known)
    this.#known = Math.max(this.#known, format.visible(seen, ring, 'device', this.#available, this.#owned))
    const result = this.#watch(() => takenOf(this.#device.take()))
    if (this.#broken) {
      if (result !== null && (result.kind === 'chain' || result.returned)) {
        this.#scene.fail(`took ${describe(result)} from a broken ring`)
      }
      return 'broken'
    }
    if (unknowable()) return 'unknown'
    const answer = answers.find((candidate) => agrees(result, candidate))
    if (answer === undefined) {
      const due = answers.map(describe).join(' or ')
      this.#scene.fail(`took ${describe(result)} where ${due} was due (${this.#scene.where(this.#available)})`)
    }
    if (result === null || answer.kind === 'nothing') return 'nothing'
    if (result.kind === 'chain' && answer.kind === 'chain') {
      this.#hold(answer.id, answer)
      this.#inFlight.set(answer.id, {
        chain: result,
        due: answer,
        slots: answer.slots,
        writableBytes: answer.writableBytes,
      })
      this.#advance(answer)
      return 'took'
    }
    this.#fault = answer
    this.#broken = result.kind === 'fault' && !result.returned
    if (this.#broken) return 'broken'
    // Given back unused, and the queue goes on.
    this.#beforeShowing()
    this.#hold(answer.id, { slots: format.steps(answer), writableBytes: 0 })
    this.#staged.push({ id: answer.id, writtenBytes: 0 })
    this.#advance(answer)
    if (!this.#device.publish) this.#expectUsed()
    return 'returned'
  }

  #advance(answer: SpecifiedAvailable & { readonly slots?: number }): void {
    const { format, ring } = this.#scene
    this.#available = format.advance(ring, this.#available, format.steps(answer))
    if (this.#known > 0) this.#known--
  }

  /** Any chain in flight, `which` modulo their number; in order where that was negotiated (RFB-DEV-05). */
  use(which: number, writtenBytes: number): void {
    const ids = this.inFlightIds
    if (ids.length > 0) this.complete(ids[this.#scene.ring.inOrder ? 0 : which % ids.length]!, writtenBytes)
  }

  complete(id: number, writtenBytes: number): void {
    this.#beforeShowing()
    const element = { id, writtenBytes: Math.min(writtenBytes, this.writableBytes(id)) }
    const before = this.#mark()
    this.#watch(() => this.#device.complete(id, element.writtenBytes))
    this.#inFlight.delete(id)
    this.#staged.push(element)
    if (!this.#device.publish) this.#expectUsed()
    else if (this.#mark() !== before) this.#scene.fail('complete showed a used chain before publish')
  }

  /** What was taken is what was checked, whatever the driver wrote there since (a double fetch). */
  expectUnchanged(id: number): void {
    const one = this.#inFlight.get(id)
    if (one && !sameChain(one.chain, one.due)) this.#scene.fail(`chain ${id} changed when the driver rewrote memory`)
  }

  publish(): void {
    if (!this.#device.publish) return
    const before = this.#mark()
    const staged = this.#staged.length
    this.#watch(() => this.#device.publish?.())
    // With nothing to show, what the driver scribbled there may stay, or be mended.
    if (staged > 0 || this.#mark() !== before) this.#expectUsed()
  }

  /** Must the driver be interrupted, as its own bytes say? */
  needsInterrupt(): void {
    const { format, ring, seen } = this.#scene
    const wants = this.#watch(() => this.#device.wantsNotification())
    const must = format.mustNotify(seen, ring, 'device', this.#notified, this.#unnotified)
    const step = `${this.#unnotified} steps from ${this.#scene.where(this.#notified)}`
    if (must && !wants) this.#scene.fail(`no interrupt for ${step}: the driver may sleep on`)
    if (wants && !must && !this.#target.mayNotifyNeedlessly) {
      this.#scene.fail(`an interrupt for ${step}, which the driver asked not to get`)
    }
    this.#notified = this.#used
    this.#unnotified = 0
  }

  /** Asks for kicks, or for silence; what it says to chains that wait is nobody's business here. */
  setNotifications(on: boolean): boolean | undefined {
    return this.#watch(() => this.#device.setNotifications?.(on))
  }

  /** The same of an honest driver: it says whether chains wait, and wakes up for the next one. */
  wantKicks(on: boolean): void {
    if (!this.canSetNotifications) return
    const { format, ring, seen } = this.#scene
    const more = this.setNotifications(on)
    const [answer] = format.available(seen, ring, this.#available, this.#owned, 0)
    if (more !== (on && answer!.kind !== 'nothing')) this.#scene.fail(`said ${more} to more available chains`)
    const wrong = format.wishFault(seen, ring, 'device', on, this.#available)
    if (wrong !== null) this.#scene.fail(wrong)
  }

  reload(): void {
    if (!this.#device.reload) return
    this.publish()
    this.#watch(() => this.#device.reload?.())
  }

  /** VQRST-DEV-02, IMP-VQP-01. */
  reset(): void {
    this.#watch(() => this.#device.reset())
    this.#held.clear()
    this.#inFlight.clear()
    this.#staged = []
    this.#known = this.#unnotified = 0
    this.#available = this.#used = this.#notified = this.#scene.format.start(0)
    this.#fault = null
    this.#broken = false
  }

  /** Places must not come round between two questions. */
  #beforeShowing(): void {
    const { format, ring } = this.#scene
    if (this.#unnotified + this.heldSlots > format.span(ring)) this.needsInterrupt()
  }

  /** A head that was completed, or refused, may be offered again before the driver sees that: it is held once more. */
  #hold(id: number, held: Held): void {
    let key = id
    while (this.#held.has(key)) key += ABOVE_IDS
    this.#held.set(key, held)
  }

  #release(id: number): void {
    for (let key = id; ; key += ABOVE_IDS) {
      const later = this.#held.get(key + ABOVE_IDS)
      if (later === undefined) return void this.#held.delete(key)
      this.#held.set(key, later)
    }
  }

  /** What may not be offered again yet. */
  get #owned(): ReadonlyMap<number, Held> {
    return this.#scene.format.freeWhen === 'completed' ? this.#inFlight : this.#held
  }

  #mark(): number {
    const { format, ring, seen } = this.#scene
    return format.mark(seen, ring, 'device', this.#used)
  }

  #nextUsed() {
    const { format, ring, seen } = this.#scene
    return format.used(seen, ring, this.#used, this.#held, 0)[0]!
  }

  /**
   * IMP-VQS-01, IMP-VQS-03, VQP-DEV-02, IMP-VQP-06: as a driver reads them, the completions stand there, in their order, and
   * nothing behind them.
   */
  #expectUsed(): void {
    const { format, ring } = this.#scene
    while (this.#staged.length > 0) {
      const answer = this.#nextUsed()
      const where = this.#scene.where(this.#used)
      const due = { kind: 'used', ...this.#staged[0]! } as const
      if (answer.kind !== 'used') this.#scene.fail(`shows ${describe(answer)} at ${where}, not ${describe(due)}`)
      for (const { id, writtenBytes } of [...(answer.skipped ?? []), answer]) {
        const one = this.#staged.shift()
        if (one?.id !== id || one.writtenBytes !== writtenBytes) {
          const actual = describe({ kind: 'used', id, writtenBytes })
          this.#scene.fail(`shows ${actual} at ${where}, not ${describe(one ? { kind: 'used', ...one } : null)}`)
        }
        this.#release(id)
      }
      const steps = format.steps(answer)
      this.#used = format.advance(ring, this.#used, steps)
      this.#unnotified += steps
    }
    const behind = this.#nextUsed()
    if (behind.kind !== 'nothing') this.#scene.fail(`shows ${describe(behind)} behind what was completed`)
  }

  #watch<T>(action: () => T): T {
    return this.#scene.watch('device', this.#used, this.heldSlots, action)
  }
}
