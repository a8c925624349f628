/**
 * The scene of a comparison over a packed ring, as `ring-scene.ts` is for the split one: the ring in a small memory, buffers,
 * and `watch`, under which each side runs. Both sides write the descriptors here, each those that are its own at the time.
 */

import { GuestMemory } from '../../../memory/index.ts'
import { failureOf } from '../../answers.ts'
import { QueueMismatch } from '../../mismatch.ts'
import type { PackedDriverRing } from '../../queue-targets.ts'
import { layOutPackedRing } from '../../ring-layout.ts'
import type { ByteRange } from '../split/reference-split-ring.ts'
import { DESCRIPTOR_BYTES } from '../split/split-ring-format.ts'
import { drawPackedRing } from './draw-packed-ring.ts'
import {
  descriptorAt,
  EVENT_BYTES,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  type RingPosition,
  readEvent,
} from './packed-ring-format.ts'

export const DATA_BYTES = 0x4000

export interface PackedSceneOptions {
  readonly ring: Parameters<typeof layOutPackedRing>[0]
  /** What runs when `position` is reached, and how to see it again. */
  readonly where: (position: number) => string
  readonly evidence: () => string
  /** Memory that is there already: the ring goes to `base`, buffers to `DATA_BYTES` from `data` on. */
  readonly place?: { readonly memory: GuestMemory; readonly base: number; readonly data: number }
}

export class PackedScene {
  readonly memory: GuestMemory
  readonly ring: PackedDriverRing
  /** Index of the command that runs now. */
  position = 0
  readonly #options: PackedSceneOptions
  readonly #data: number
  #dataCursor = 0
  /** Of the ring and both event structures; one for all calls, because there are very many. */
  readonly #before: Copy
  readonly #after: Copy

  constructor(options: PackedSceneOptions) {
    const { ring, end } = layOutPackedRing(options.ring, options.place?.base)
    this.#options = options
    const bytes = end + DATA_BYTES - ring.descriptorArea
    this.memory = options.place?.memory ?? GuestMemory.ofSize(bytes, ring.descriptorArea)
    this.ring = ring
    this.#data = options.place?.data ?? end
    this.#before = copyOf(ring.size)
    this.#after = copyOf(ring.size)
  }

  /** The next bytes of the data area: consecutive buffers touch, so that a range says nothing about how it was cut. */
  buffer(length: number): ByteRange {
    if (this.#dataCursor + length > DATA_BYTES) this.#dataCursor = 0
    const address = this.#data + this.#dataCursor
    this.#dataCursor += length
    return { address, length }
  }

  clearRings(): void {
    this.memory.fill(this.ring.descriptorArea, this.#before.bytes.length, 0)
  }

  /**
   * VQP-DEV-07, VQP-DRV-03: `action` may write the side's event structure and the `count` slots from `from` on, which are its
   * own, and no other.
   */
  watch<T>(side: 'device' | 'driver', from: RingPosition, count: number, action: () => T): T {
    const { descriptorArea, driverArea, deviceArea, size } = this.ring
    const [before, after] = [this.#before, this.#after]
    this.memory.read(descriptorArea, before.bytes)
    let result: T
    try {
      result = action()
    } catch (error) {
      return this.fail(failureOf(`the ${side}`, error), error)
    }
    this.memory.read(descriptorArea, after.bytes)
    const own = ((side === 'device' ? deviceArea : driverArea) - descriptorArea) / 4
    for (let word = 0; word < before.words.length; word++) {
      if (before.words[word] === after.words[word] || word === own) continue
      const slot = word >> 2
      if (slot < size && (slot - from.slot + size) % size < count) continue
      const what = slot < size ? `slot ${slot}` : side === 'device' ? "the driver's events" : "the device's events"
      this.fail(`the ${side} wrote ${what}, which is not its own (${side === 'device' ? 'VQP-DEV-07' : 'VQP-DRV-03'})`)
    }
    return result
  }

  /** IMP-VQP-13: whoever wants to be notified is so for the very next slot; silence is a flag of its own. */
  expectSuppression(on: boolean, area: number, next: RingPosition): void {
    const { flags, slot, wrap } = readEvent(this.memory, area)
    if (flags > (this.ring.eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_DISABLE)) {
      this.fail(`event flags are ${flags}, which is reserved or was not negotiated (IMP-VQP-13)`)
    }
    const elsewhere = flags === RING_EVENT_FLAGS_DESC && (slot !== next.slot || wrap !== next.wrap)
    if (on && (flags === RING_EVENT_FLAGS_DISABLE || elsewhere)) {
      this.fail(`asked for notifications, and slot ${next.slot}, wrap ${next.wrap} would wake nobody`)
    }
    if (!on && !this.ring.eventIdx && flags !== RING_EVENT_FLAGS_DISABLE) this.fail('asked for silence with ENABLE')
  }

  slotAt(position: RingPosition): string {
    return `slot ${position.slot}, wrap ${position.wrap}, at 0x${descriptorAt(this.ring.descriptorArea, position.slot).toString(16)}`
  }

  fail(sentence: string, cause?: unknown): never {
    const evidence = `${drawPackedRing(this.memory, this.ring)}\n${this.#options.evidence()}`
    throw new QueueMismatch(`${this.#options.where(this.position)}: ${sentence}`, evidence, { cause })
  }
}

interface Copy {
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

function copyOf(size: number): Copy {
  const words = new Int32Array((size * DESCRIPTOR_BYTES + 2 * EVENT_BYTES) / 4)
  return { words, bytes: new Uint8Array(words.buffer) }
}
