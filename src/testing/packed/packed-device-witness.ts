/** Runs the device's part of a program over a packed ring; see `device-witness.ts`. */
import { agrees, describe } from '../agreement.ts'
import type { DeviceQueueUnderTest, PackedDeviceTarget } from '../queue-targets.ts'
import { advance, RING_START } from './packed-ring-format.ts'
import type { PackedScene } from './packed-scene.ts'
import {
  mustInterruptPacked,
  nextPackedAvailable,
  nextPackedUsed,
  type PackedChain,
  slotsOf,
  type UsedBuffer,
} from './reference-packed-ring.ts'

export class PackedDeviceWitness {
  readonly #scene: PackedScene
  readonly #target: PackedDeviceTarget
  readonly #device: DeviceQueueUnderTest
  /** Everything that the device took and the driver cannot see as used: its slots are the device's. */
  readonly #held = new Map<number, PackedChain>()
  /** Those of them that were not completed. */
  readonly #inFlight = new Map<number, PackedChain>()
  #staged: UsedBuffer[] = []
  #available = RING_START
  #used = RING_START
  #notified = RING_START
  #unnotified = 0

  constructor(scene: PackedScene, target: PackedDeviceTarget) {
    this.#scene = scene
    this.#target = target
    this.#device = target.create(scene.memory, scene.ring)
  }

  /** How many buffers the device holds. */
  get inFlight(): number {
    return this.#inFlight.size
  }

  /** False: nothing was there. */
  take(): boolean {
    const { memory, ring } = this.#scene
    const expected = nextPackedAvailable(memory, ring, this.#available, this.#held)
    const result = this.#watch(() => this.#device.take())
    if (!agrees(result, expected)) {
      const where = this.#scene.slotAt(this.#available)
      this.#scene.fail(`took ${describe(result)} where ${describe(expected)} was due (${where})`)
    }
    if (expected.kind !== 'chain') return false
    this.#held.set(expected.id, expected)
    this.#inFlight.set(expected.id, expected)
    this.#available = advance(ring, this.#available, expected.slots)
    return true
  }

  use(which: number, writtenBytes: number): void {
    const buffers = [...this.#inFlight.values()]
    if (buffers.length === 0) return
    // RFB-DEV-05
    const { id, slots, writableBytes } = buffers[this.#scene.ring.inOrder ? 0 : which % buffers.length]!
    if (this.#unnotified + slotsOf(this.#held.values()) > this.#scene.ring.size) this.needsInterrupt()
    const element = { id, writtenBytes: Math.min(writtenBytes, writableBytes) }
    this.#watch(() => this.#device.complete(id, element.writtenBytes))
    this.#inFlight.delete(id)
    this.#staged.push(element)
    if (!this.#device.publish) this.#expectUsed()
    else if (this.#nextUsed().kind !== 'nothing') this.#scene.fail(`complete showed ${slots} slots before publish`)
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
    return this.#scene.watch('device', this.#used, slotsOf(this.#held.values()), action)
  }
}
