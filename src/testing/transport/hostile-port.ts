/**
 * A device that lies, as registers: honest underneath, so that a driver comes up now and then, and wrong at any access with a
 * chance that the case decides. Its hand on the rings returns chains that were not offered, twice, or too long, and scribbles
 * over what only the driver may write.
 */
import type { Random } from '../../internal/random.ts'
import type { GuestMemory } from '../../memory/index.ts'
import { nextAvailable } from '../format/split/reference-split-ring.ts'
import {
  availFlagsAt,
  availIdxAt,
  descriptorAreaBytes,
  deviceAreaBytes,
  driverAreaBytes,
  type SplitRing,
  usedElementAt,
  usedIdxAt,
} from '../format/split/split-ring-format.ts'
import {
  DEVICE_NEEDS_RESET,
  type DevicePort,
  DRIVER_OK,
  FEATURES_OK,
  featureWindows,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
} from './device-port.ts'

interface HostileQueue {
  readonly areas: number[]
  size: number
  ring: SplitRing | null
  nextAvail: number
  usedIdx: number
  /** Heads taken and not returned, and their writable bytes. */
  readonly held: Map<number, number>
}

/** More register accesses in one call of the driver than any driver needs. */
export class TooManyAccesses extends Error {
  override readonly name = 'TooManyAccesses'
}

const ACCESS_LIMIT = 20_000
const CONFIG_BYTES = 64
/** An odd value for every register, among them those that a driver might compute with. */
const ODD_WORDS = [0, 1, 3, 5, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]

export class HostilePort implements DevicePort {
  readonly configLengthBytes = CONFIG_BYTES
  /** Chance that an access lies, 0 to 1. */
  lies = 0
  /** Its status never reads 0. */
  neverResets = false
  /** What no driver may do to the registers of a queue. */
  misuse: string | null = null
  /** Something was signalled. */
  interruptPending = false
  readonly log: string[] = []
  readonly counts = { accesses: 0, lies: 0, returned: 0 }
  readonly #memory: GuestMemory
  readonly #random: Random
  readonly #sizes: readonly number[]
  /** Largest size that each queue was last said to have. */
  readonly #told: number[]
  #queues: HostileQueue[] = []
  #status = 0
  #accepted = [0, 0, 0, 0]
  #interrupts = 0
  #accesses = 0

  constructor(memory: GuestMemory, random: Random, queueSizes: readonly number[]) {
    this.#memory = memory
    this.#random = random
    this.#sizes = queueSizes
    this.#told = [...queueSizes]
    this.#reset()
  }

  /** The rings that the driver may not touch but in its own areas; empty while the device is not live. */
  get liveRings(): readonly SplitRing[] {
    if ((this.#status & DRIVER_OK) === 0) return []
    return this.#queues.flatMap(({ ring }) => (ring === null ? [] : [ring]))
  }

  /** A new call of the driver begins. */
  beginCall(): void {
    this.#accesses = 0
  }

  readStatus(): number {
    return this.#answer('status', this.#status, () => {
      if (this.#random.chance(0.3)) this.#status |= DEVICE_NEEDS_RESET
      return this.#random.pick([this.#status, this.#status ^ FEATURES_OK, this.#random.between(0, 255), 0xffff_ffff])
    })
  }

  writeStatus(value: number): void {
    this.#count(`status = ${value}`)
    // A device that forgets to reset, now and then.
    if (value === 0 && this.neverResets) this.#status = DEVICE_NEEDS_RESET
    else if (value === 0 && !this.#lie()) this.#reset()
    else if (value !== 0) this.#status = value & 0xff
  }

  readDeviceFeatures(window: number): number {
    const bits = [VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_RING_RESET]
    return this.#answer(`features[${window}]`, featureWindows(...bits)[window] ?? 0, () => this.#random.u32())
  }

  writeDriverFeatures(window: number, word: number): void {
    this.#count(`features[${window}] = ${word}`)
    if (window < 4) this.#accepted[window] = word
  }

  queueSizeMax(queue: number): number {
    const size = this.#answer(`queue ${queue}: largest size`, this.#sizes[queue] ?? 0, () =>
      this.#random.pick(ODD_WORDS),
    )
    this.#told[queue] = size
    return size
  }

  writeQueueSize(queue: number, size: number): void {
    this.#count(`queue ${queue}: size = ${size}`)
    const registers = this.#queues[queue]
    if (registers) registers.size = size
  }

  writeQueueAddress(queue: number, area: 0 | 1 | 2, low: number, high: number): void {
    this.#count(`queue ${queue}: area ${area} = ${high * 2 ** 32 + low}`)
    const registers = this.#queues[queue]
    if (registers) registers.areas[area] = high * 2 ** 32 + low
  }

  enableQueue(queue: number): void {
    this.#count(`queue ${queue}: enable`)
    const registers = this.#queues[queue]
    if (registers === undefined) return
    const [descriptorArea, driverArea, deviceArea] = registers.areas as [number, number, number]
    const has = (bit: number) => ((this.#accepted[bit >>> 5]! >>> (bit & 31)) & 1) === 1
    const features = { eventIdx: has(VIRTIO_F_EVENT_IDX), indirect: has(VIRTIO_F_INDIRECT_DESC) }
    const ring = { size: registers.size, descriptorArea, driverArea, deviceArea, ...features }
    const problem = this.#problem(queue, ring)
    if (problem !== null) {
      this.misuse = `enabled queue ${queue} with ${problem} (VQS-DRV-01)`
      return
    }
    Object.assign(registers, { ring, nextAvail: 0, usedIdx: 0 })
    registers.held.clear()
  }

  isQueueEnabled(queue: number): boolean {
    const enabled = this.#queues[queue]?.ring != null
    return this.#answer(`queue ${queue}: enabled?`, enabled ? 1 : 0, () => this.#random.between(0, 1)) === 1
  }

  resetQueue(queue: number): void {
    this.#count(`queue ${queue}: reset`)
    const registers = this.#queues[queue]
    if (registers && !this.#lie()) registers.ring = null
  }

  notify(queue: number): void {
    this.#count(`notify ${queue}`)
    this.serve()
  }

  takeInterrupts(): number {
    const reasons = this.#interrupts
    this.#interrupts = 0
    return this.#answer('interrupts', reasons, () => this.#random.pick([0, 1, 2, 3, 0xff, 0xffff_ffff]))
  }

  readConfigGeneration(): number {
    return this.#answer('generation', 0, () => this.#random.u32())
  }

  readConfig(offset: number, target: Uint8Array): void {
    this.#count(`config[${offset}]`)
    target.fill(0)
    if (this.#lie()) for (let i = 0; i < target.length; i++) target[i] = this.#random.between(0, 255)
  }

  writeConfig(offset: number): void {
    this.#count(`config[${offset}] = `)
  }

  // ---- the hand on the rings

  /** Takes what waits, and returns some of what it holds, as it likes. */
  serve(): void {
    for (const queue of this.#queues) {
      if (queue.ring === null || (this.#status & DRIVER_OK) === 0) continue
      for (let i = 0; i < queue.ring.size; i++) {
        const next = nextAvailable(this.#memory, queue.ring, queue.nextAvail, queue.held)
        if (next.kind !== 'chain') break
        queue.held.set(next.id, next.writableBytes)
        queue.nextAvail = (queue.nextAvail + 1) & 0xffff
      }
      while (queue.held.size > 0 && (this.lies === 0 || this.#random.chance(0.7))) this.#return(queue, queue.ring)
      if (this.#lie()) this.#scribble(queue, queue.ring)
    }
    this.signal(1)
  }

  /** One field that only the driver writes, or that the device showed already, becomes something else. */
  scribble(): void {
    const queue = this.#random.pick(this.#queues)
    if (queue.ring !== null) this.#scribble(queue, queue.ring)
  }

  signal(reason: number): void {
    this.#interrupts |= reason
    this.interruptPending = true
  }

  #problem(queue: number, { size, descriptorArea, driverArea, deviceArea }: SplitRing): string | null {
    const told = this.#told[queue]!
    if (!(size >= 1 && size <= told && Number.isInteger(Math.log2(size))))
      return `size ${size}, where ${told} is the most`
    const areas = [
      [descriptorArea, descriptorAreaBytes(size), 16],
      [driverArea, driverAreaBytes(size), 2],
      [deviceArea, deviceAreaBytes(size), 4],
    ] as const
    const wrong = areas.find(([at, bytes, align]) => at % align !== 0 || !this.#memory.contains(at, bytes))
    return wrong === undefined ? null : `an area at ${wrong[0]}`
  }

  #return(queue: HostileQueue, ring: SplitRing): void {
    const [head, capacity] = this.#random.pick([...queue.held])
    queue.held.delete(head)
    let [id, length] = [head, Math.min(capacity, 64)]
    if (this.#lie()) {
      const wrong = this.#random.pick(['id', 'length', 'twice'])
      if (wrong === 'id') id = this.#random.pick([ring.size, 0xffff, 0x1_0000 + head, (head + 1) % ring.size])
      else if (wrong === 'length') length = this.#random.pick([capacity + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])
      else this.#show(queue, ring, id, length)
    }
    this.#show(queue, ring, id, length)
  }

  #show(queue: HostileQueue, ring: SplitRing, id: number, length: number): void {
    const at = usedElementAt(ring, queue.usedIdx)
    this.#memory.writeU32(at, id)
    this.#memory.writeU32(at + 4, length)
    queue.usedIdx = (queue.usedIdx + 1) & 0xffff
    this.#memory.writeU16(usedIdxAt(ring), queue.usedIdx)
    this.counts.returned++
  }

  #scribble(queue: HostileQueue, ring: SplitRing): void {
    const random = this.#random
    switch (random.between(0, 4)) {
      case 0:
        this.#memory.writeU16(usedIdxAt(ring), queue.usedIdx + random.pick([1, ring.size + 1, 0x8000, 0xffff]))
        return
      case 1:
        this.#memory.writeU32(usedElementAt(ring, random.between(0, ring.size - 1)), random.u32())
        return
      case 2:
        this.#memory.fill(ring.descriptorArea, descriptorAreaBytes(ring.size), 0xff)
        return
      default:
        this.#memory.writeU16(random.pick([availFlagsAt(ring), availIdxAt(ring)]), random.between(0, 0xffff))
    }
  }

  #reset(): void {
    this.#status = 0
    this.#accepted = [0, 0, 0, 0]
    this.#interrupts = 0
    this.#queues = this.#sizes.map((size) => {
      return { areas: [0, 0, 0], size, ring: null, nextAvail: 0, usedIdx: 0, held: new Map() }
    })
  }

  #answer(what: string, truth: number, invent: () => number): number {
    const value = this.#lie() ? invent() : truth
    this.#count(`${what} -> ${value}`)
    return value
  }

  #lie(): boolean {
    if (this.lies === 0 || !this.#random.chance(this.lies)) return false
    this.counts.lies++
    return true
  }

  /** Again and again: whoever catches it meets it at the next access. */
  #count(what: string): void {
    this.counts.accesses++
    this.log.push(what)
    if (this.log.length > 30) this.log.shift()
    if (++this.#accesses > ACCESS_LIMIT)
      throw new TooManyAccesses(`more than ${ACCESS_LIMIT} register accesses in one call`)
  }
}
