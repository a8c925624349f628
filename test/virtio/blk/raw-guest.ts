/** A guest in front of a blk device that does everything by hand, and back-ends that answer when they are told to. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type BlkBackend,
  type BlkContract,
  BlkDevice,
  type BlkDeviceOptions,
  type BlkFeature,
  blkContract,
  type Driver,
  MemoryDisk,
  startDriver,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'

export const SECTOR = 512
const ALL = Object.keys(blkContract().features) as BlkFeature[]

/** `sectors` sectors of bytes that say where they are. */
export function pattern(sectors: number, first = 0): Uint8Array {
  return Uint8Array.from({ length: sectors * SECTOR }, (_, i) => (i * 7 + ((i >> 9) + first) * 31) & 0xff)
}

/** A disk that answers each call when `answer` is called, in any order; without the content in memory. */
export class SlowDisk implements BlkBackend {
  readonly disk: MemoryDisk
  readonly calls: { readonly what: string; readonly answer: (error?: Error) => void }[] = []

  constructor(content: number | Uint8Array) {
    this.disk = new MemoryDisk(content)
  }

  get sectors(): number {
    return this.disk.sectors
  }

  read(sector: number, target: Uint8Array): Promise<void> {
    return this.#later(`read ${sector} ${target.length}`, () => this.disk.read(sector, target))
  }

  write(sector: number, source: Uint8Array): Promise<void> {
    return this.#later(`write ${sector} ${source.length}`, () => this.disk.write(sector, source))
  }

  flush(): Promise<void> {
    return this.#later('flush', () => {})
  }

  discard(sector: number, sectors: number): Promise<void> {
    return this.#later(`discard ${sector} ${sectors}`, () => this.disk.discard(sector, sectors))
  }

  secureErase(sector: number, sectors: number): Promise<void> {
    return this.#later(`erase ${sector} ${sectors}`, () => this.disk.secureErase(sector, sectors))
  }

  /** Answers what was asked first, or the call with this number. */
  answer(index = 0, error?: Error): void {
    this.calls.splice(index, 1)[0]!.answer(error)
  }

  get asked(): string[] {
    return this.calls.map(({ what }) => what)
  }

  #later(what: string, run: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const answer = (error?: Error) => {
        if (error !== undefined) return reject(error)
        run()
        resolve()
      }
      this.calls.push({ what, answer })
    })
  }
}

export interface RawGuestOptions extends Partial<BlkDeviceOptions> {
  readonly features?: readonly BlkFeature[]
  readonly queuesUsed?: number
}

/** What came back: the status (the last byte), what is before it, and the used length. */
export interface Answer {
  status: number
  bytes: Uint8Array
  used: number
}

export class RawGuest {
  readonly device: BlkDevice
  readonly violations: string[] = []
  readonly faults: unknown[] = []
  readonly driver: Driver<BlkContract>
  readonly transport: SharedMemoryTransport<BlkContract>

  constructor(options: RawGuestOptions = {}) {
    const { features = ALL, queuesUsed = 1, ...rest } = options
    this.device = new BlkDevice({ backend: new MemoryDisk(pattern(16)), ...rest })
    this.device.device.events.on('violation', ({ clause }) => this.violations.push(clause))
    this.device.device.events.on('fault', (error) => this.faults.push(error))
    this.transport = new SharedMemoryTransport(this.device)
    const { queues } = blkContract(queuesUsed, 64)
    this.driver = startDriver(this.transport, { contract: blkContract(), want: features, queues: () => queues })
  }

  /** Sends a request: descriptors of these bytes, and room of these sizes. What came back is in the object when it did. */
  send(readable: readonly Uint8Array[], room: readonly number[], queue = 0): Answer {
    const { memory } = this.transport
    const answer: Answer = { status: -1, bytes: new Uint8Array(0), used: -1 }
    const buffers = new BufferList()
    for (const bytes of readable) {
      const address = this.transport.allocate(Math.max(1, bytes.length), 16)
      memory.write(address, bytes)
      buffers.addReadable(address, bytes.length)
    }
    const total = room.reduce((sum, size) => sum + size, 0)
    const base = this.transport.allocate(Math.max(1, total), 16)
    memory.fill(base, total, 0xee)
    let at = base
    for (const size of room) {
      buffers.addWritable(at, size)
      at += size
    }
    const isSent = this.driver.queues[queue]!.post(buffers, (used) => {
      const bytes = new Uint8Array(total)
      memory.read(base, bytes)
      Object.assign(answer, { status: bytes.at(-1), bytes: bytes.subarray(0, -1), used })
    })
    if (!isSent) throw new Error('the ring of the test is full')
    this.driver.poll()
    return answer
  }

  /** A request of one header and these data, with room for `room` bytes and the status. */
  ask(type: number, sector: number, data: Uint8Array = new Uint8Array(0), room = 0, queue = 0): Answer {
    const readable = data.length > 0 ? [header(type, sector), data] : [header(type, sector)]
    return this.send(readable, room > 0 ? [room, 1] : [1], queue)
  }
}

export function header(type: number, sector: number): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  view.setBigUint64(8, BigInt(sector), true)
  return bytes
}

/** The data of DISCARD and the like. */
export function segments(...list: readonly (readonly [sector: number, sectors: number, flags?: number])[]): Uint8Array {
  const bytes = new Uint8Array(16 * list.length)
  const view = new DataView(bytes.buffer)
  for (const [i, [sector, sectors, flags = 0]] of list.entries()) {
    view.setBigUint64(16 * i, BigInt(sector), true)
    view.setUint32(16 * i + 8, sectors, true)
    view.setUint32(16 * i + 12, flags, true)
  }
  return bytes
}
