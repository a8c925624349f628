/** Runs the device's part of a program over a packed ring; see `device-witness.ts`. */

import type { Random } from '../../../internal/random.ts'
import { agrees, describe, sameChain } from '../../agreement.ts'
import { takenOf } from '../../answers.ts'
import type { DeviceQueueUnderTest, PackedDeviceTarget, TakenChain } from '../../queue-targets.ts'
import { advance, RING_START, type RingPosition } from './packed-ring-format.ts'
import type { PackedScene } from './packed-scene.ts'
import {
  mustInterruptPacked,
  nextPackedAvailable,
  nextPackedUsed,
  type PackedChain,
  type PackedFault,
  slotsOf,
  type UsedBuffer,
} from './reference-packed-ring.ts'

export class PackedDeviceWitness {
  readonly #scene: PackedScene
  readonly #target: PackedDeviceTarget
  readonly #device: DeviceQueueUnderTest
  /** Everything that the device took and the driver cannot see as used: its slots are the device's. */
  readonly #held = new Map<number, { readonly slots: number; readonly writableBytes: number }>()
  /** Those of them that were not completed, as the target and as the specification understood them. */
  readonly #inFlight = new Map<number, { readonly chain: TakenChain; readonly due: PackedChain }>()
  #staged: UsedBuffer[] = []
  #available = RING_START
  #used = RING_START
  #notified = RING_START
  #unnotified = 0
  #fault: PackedFault | PackedChain | null = null
  #broken = false

  constructor(scene: PackedScene, target: PackedDeviceTarget) {
    this.#scene = scene
    this.#target = target
    this.#device = target.create(scene.memory, scene.ring)
  }

  /** How many buffers the device holds. */
  get inFlight(): number {
    return this.#inFlight.size
  }

  /** Slots that the device holds, and the first behind them. */
  get heldSlots(): number {
    return slotsOf(this.#held.values())
  }

  holds(id: number): boolean {
    return this.#held.has(id)
  }

  /** One of the ids that it holds. */
  anyHeld(random: Random): number | undefined {
    return this.#held.size === 0 ? undefined : random.pick([...this.#held.keys()])
  }

  get nextPosition(): RingPosition {
    return this.#available
  }

  get usedPosition(): RingPosition {
    return this.#used
  }

  /** It saw its driver break a rule, and stopped. */
  get broken(): boolean {
    return this.#broken
  }

  /** What was refused last. */
  get fault(): PackedFault | PackedChain | null {
    return this.#fault
  }

  /** False: nothing was there, or what was there is refused for good. */
  take(): boolean {
    const { memory, ring } = this.#scene
    const expected = nextPackedAvailable(memory, ring, this.#available, this.#held)
    const result = this.#watch(() => takenOf(this.#device.take()))
    if (this.#broken) {
      if (result !== null && (result.kind === 'chain' || result.returned)) {
        this.#scene.fail(`took ${describe(result)} from a broken ring`)
      }
      return false
    }
    if (!agrees(result, expected)) {
      const where = this.#scene.slotAt(this.#available)
      this.#scene.fail(`took ${describe(result)} where ${describe(expected)} was due (${where})`)
    }
    if (result === null || expected.kind === 'nothing') return false
    if (result.kind === 'chain' && expected.kind === 'chain') {
      this.#held.set(expected.id, expected)
      this.#inFlight.set(expected.id, { chain: result, due: expected })
      this.#available = advance(ring, this.#available, expected.slots)
      return true
    }
    this.#fault = expected
    this.#broken = result.kind === 'fault' && !result.returned
    if (this.#broken) return false
    // Given back unused, and the queue goes on.
    this.#beforeShowing()
    this.#held.set(expected.id, { slots: expected.slots, writableBytes: 0 })
    this.#staged.push({ id: expected.id, writtenBytes: 0 })
    this.#available = advance(ring, this.#available, expected.slots)
    this.#expectStaged()
    return true
  }

  use(which: number, writtenBytes: number): void {
    const buffers = [...this.#inFlight.values()]
    if (buffers.length === 0) return
    // RFB-DEV-05
    const { chain, due } = buffers[this.#scene.ring.inOrder ? 0 : which % buffers.length]!
    if (!sameChain(chain, due)) this.#scene.fail(`buffer ${due.id} is another one since the driver rewrote memory`)
    this.#beforeShowing()
    const element = { id: due.id, writtenBytes: Math.min(writtenBytes, due.writableBytes) }
    this.#watch(() => this.#device.complete(due.id, element.writtenBytes))
    this.#inFlight.delete(due.id)
    this.#staged.push(element)
    this.#expectStaged()
  }

  publish(): void {
    if (!this.#device.publish) return
    this.#watch(() => this.#device.publish?.())
    this.#expectUsed()
  }

  /** VQP-KICK-DEV-01's other side: the driver's event structure says which interrupts it must get. */
  needsInterrupt(): void {
    const { memory, ring } = this.#scene
    const wants = this.#watch(() => this.#device.wantsNotification())
    const must = mustInterruptPacked(memory, ring, this.#notified, this.#unnotified)
    const step = `${this.#unnotified} slots from ${this.#notified.slot}, wrap ${this.#notified.wrap}`
    if (must && !wants) this.#scene.fail(`no interrupt for ${step}: the driver may sleep on`)
    if (wants && !must && !this.#target.mayNotifyNeedlessly) {
      this.#scene.fail(`an interrupt for ${step}, which the driver asked not to get`)
    }
    this.#notified = this.#used
    this.#unnotified = 0
  }

  wantKicks(on: boolean): void {
    if (!this.#device.setNotifications) return
    const { memory, ring } = this.#scene
    const more = this.#watch(() => this.#device.setNotifications?.(on))
    const waiting = nextPackedAvailable(memory, ring, this.#available, this.#held).kind !== 'nothing'
    if (more !== (on && waiting)) this.#scene.fail(`said ${more} to more available buffers`)
    this.#scene.expectSuppression(on, ring.deviceArea, this.#available)
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
    this.#available = this.#used = this.#notified = RING_START
    this.#unnotified = 0
    this.#fault = null
    this.#broken = false
  }

  /** Positions must not come round twice between two questions. */
  #beforeShowing(): void {
    if (this.#unnotified + this.heldSlots > this.#scene.ring.size) this.needsInterrupt()
  }

  #expectStaged(): void {
    if (!this.#device.publish) this.#expectUsed()
    else if (this.#nextUsed().kind !== 'nothing') this.#scene.fail('showed a used buffer before publish')
  }

  #nextUsed() {
    return nextPackedUsed(this.#scene.memory, this.#scene.ring, this.#used, this.#held)
  }

  /** VQP-DEV-02, IMP-VQP-06: as a driver reads them, the completions stand there, in their order, and nothing behind them. */
  #expectUsed(): void {
    while (this.#staged.length > 0) {
      const answer = this.#nextUsed()
      const due = this.#staged[0]!
      if (answer.kind !== 'used') {
        this.#scene.fail(`shows ${describe(answer)} at ${this.#scene.slotAt(this.#used)}, not buffer ${due.id}`)
      }
      for (const { id, writtenBytes } of [...answer.skipped, answer]) {
        const one = this.#staged.shift()
        if (one?.id !== id || one.writtenBytes !== writtenBytes) {
          const [actual, expected] = [
            { kind: 'used', id, writtenBytes } as const,
            one ? ({ kind: 'used', ...one } as const) : null,
          ]
          this.#scene.fail(`shows ${describe(actual)} at ${this.#scene.slotAt(this.#used)}, not ${describe(expected)}`)
        }
        this.#held.delete(id)
      }
      this.#used = advance(this.#scene.ring, this.#used, answer.slots)
      this.#unnotified += answer.slots
    }
    const behind = this.#nextUsed()
    if (behind.kind !== 'nothing') this.#scene.fail(`shows ${describe(behind)} behind what was completed`)
  }

  #watch<T>(action: () => T): T {
    return this.#scene.watch('device', this.#used, this.heldSlots, action)
  }
}
