/** A device with registers of its own, right as it stands, and wrong in one place for each fault. */
import type { GuestMemory } from '../../../src/memory/index.ts'
import {
  type DeviceBehindTransport,
  type DevicePort,
  ReferenceDevice,
  type SplitRing,
} from '../../../src/testing/index.ts'

const [DRIVER_OK, FEATURES_OK] = [4, 8]
const STEPS: Readonly<Record<number, number>> = { 0: 1, 1: 3, 3: 11, 11: 15 }
const SIZE_MAX = 8

export const TINY_FAULTS = [
  'reads the registers of queues that do not exist',
  'enables any size',
  'enables what is not in memory',
  'takes the ring that was written over an enabled one',
  'serves before DRIVER_OK',
  'skips steps of the status',
  'accepts every feature',
  'accepts a driver without VERSION_1',
  'keeps its queues over a reset',
  'never finishes a reset',
  'sets bits of its own',
  'serves once more after a reset',
  'throws at a malformed chain',
  'follows descriptors for ever',
  'reads a buffer that it checked before again',
  'serves nothing after its third reset',
  'drains until the ring is empty',
] as const
export type TinyFault = (typeof TINY_FAULTS)[number]

interface Queue {
  size: number
  readonly areas: number[]
  ring: ReferenceDevice | null
  place: SplitRing | null
}

export function tinyDevice(fault: TinyFault | null = null): DeviceBehindTransport {
  return { name: fault ?? 'sound', queues: 1, connect: (memory) => new TinyDevice(memory, fault) }
}

class TinyDevice implements DevicePort {
  readonly configLengthBytes = 0
  readonly #memory: GuestMemory
  readonly #fault: TinyFault | null
  #status = 0
  #features = [0, 0, 0, 0]
  #resets = 0
  readonly #queue: Queue = { size: SIZE_MAX, areas: [0, 0, 0], ring: null, place: null }

  constructor(memory: GuestMemory, fault: TinyFault | null) {
    this.#memory = memory
    this.#fault = fault
  }

  readStatus(): number {
    return this.#status | (this.#is('sets bits of its own') && this.#status > 0 ? 32 : 0)
  }

  writeStatus(value: number): void {
    if (value === 0) this.#reset()
    else if (STEPS[this.#status] !== value && !this.#is('skips steps of the status')) return
    else {
      const offered = [0, 1]
      const known = this.#features.every((word, window) => (word & ~(offered[window] ?? 0)) === 0)
      const modern = this.#features[1] === 1 || ((this.#features[1]! & 1) === 1 && this.#is('accepts every feature'))
      if ((value & FEATURES_OK) !== 0 && !(known || this.#is('accepts every feature'))) return
      if ((value & FEATURES_OK) !== 0 && !(modern || this.#is('accepts a driver without VERSION_1'))) return
      this.#status = value & 0xff
    }
  }

  readDeviceFeatures(window: number): number {
    return window === 1 ? 1 : 0
  }

  writeDriverFeatures(window: number, word: number): void {
    if ((this.#status & FEATURES_OK) === 0 && window < 4) this.#features[window] = word
  }

  queueSizeMax(queue: number): number {
    if (this.#is('reads the registers of queues that do not exist')) return [this.#queue][queue]!.size && SIZE_MAX
    return queue === 0 ? SIZE_MAX : 0
  }

  writeQueueSize(queue: number, size: number): void {
    if (this.#writable(queue)) this.#queue.size = size
  }

  writeQueueAddress(queue: number, area: 0 | 1 | 2, low: number, high: number): void {
    if (this.#writable(queue)) this.#queue.areas[area] = high * 2 ** 32 + low
  }

  enableQueue(queue: number): void {
    if (!this.#writable(queue) || (this.#status & FEATURES_OK) === 0) return
    const { size, areas } = this.#queue
    const [descriptorArea, driverArea, deviceArea] = areas as [number, number, number]
    const place = { size, descriptorArea, driverArea, deviceArea, eventIdx: false, indirect: false }
    if (!(size >= 1 && size <= SIZE_MAX && Number.isInteger(Math.log2(size))) && !this.#is('enables any size')) return
    if (areas.some((address, area) => address % [16, 2, 4][area]! !== 0)) return
    try {
      this.#queue.ring = new ReferenceDevice(this.#memory, place)
      this.#queue.place = place
    } catch (error) {
      if (this.#is('enables any size')) this.#queue.ring = new ReferenceDevice(this.#memory, { ...place, size: 1 })
      else if (this.#is('enables what is not in memory')) this.#queue.ring = Object.create(ReferenceDevice.prototype)
      else if ((error as { code?: string }).code !== 'INVALID_RING') throw error
    }
  }

  isQueueEnabled(queue: number): boolean {
    return queue === 0 && this.#queue.ring !== null
  }

  notify(queue: number): void {
    const { ring } = this.#queue
    if (queue !== 0 || ring === null) return
    if (this.#is('serves nothing after its third reset') && this.#resets > 3) return
    if ((this.#status & DRIVER_OK) === 0 && !this.#is('serves before DRIVER_OK')) return
    for (let turn = 0; turn < 2 * SIZE_MAX || this.#is('drains until the ring is empty'); turn++) {
      const taken = ring.take()
      if (taken === null) return
      if (taken.kind === 'fault') {
        if (this.#is('throws at a malformed chain')) throw new RangeError(taken.rule)
        if (this.#is('follows descriptors for ever') && taken.id >= 0) this.#followForEver(taken.id)
        return
      }
      if (this.#is('reads a buffer that it checked before again')) this.#readAgain(taken.id)
      ring.complete(taken.id, 0)
      ring.publish()
    }
  }

  takeInterrupts(): number {
    return 0
  }

  readConfigGeneration(): number {
    return 0
  }

  readConfig(): void {}

  writeConfig(): void {}

  #is(fault: TinyFault): boolean {
    return this.#fault === fault
  }

  #writable(queue: number): boolean {
    if (queue !== 0) return false
    return this.#queue.ring === null || this.#is('takes the ring that was written over an enabled one')
  }

  #reset(): void {
    this.#resets++
    if (this.#is('never finishes a reset') && (this.#status & DRIVER_OK) !== 0) return
    if (this.#is('serves once more after a reset') && this.#queue.ring !== null) {
      this.#status = 0
      const taken = this.#queue.ring.take()
      if (taken?.kind === 'chain') {
        this.#queue.ring.complete(taken.id, 0)
        this.#queue.ring.publish()
      }
    }
    this.#status = 0
    this.#features = [0, 0, 0, 0]
    if (this.#is('keeps its queues over a reset')) return
    this.#queue.size = SIZE_MAX
    this.#queue.areas.fill(0)
    this.#queue.ring = null
  }

  #followForEver(head: number): void {
    const { descriptorArea, size } = this.#queue.place!
    for (let index = head; index < size; ) {
      const at = descriptorArea + 16 * index
      if ((this.#memory.readU16(at + 12) & 1) === 0) return
      index = this.#memory.readU16(at + 14)
    }
  }

  /** Between its check and this, the driver may have been there. */
  #readAgain(head: number): void {
    const at = this.#queue.place!.descriptorArea + 16 * head
    const address = this.#memory.readU32(at + 4) * 2 ** 32 + this.#memory.readU32(at)
    if (this.#memory.readU32(at + 8) > 0) this.#memory.readU8(address)
  }
}
