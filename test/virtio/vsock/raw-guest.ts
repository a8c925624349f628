/** A guest that writes packets by hand, whatever the protocol says, and remembers what it gets. */
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type DriverOptions,
  FeatureSet,
  readVsockHeader,
  startDriver,
  VIRTIO_F_VERSION_1,
  type VsockContract,
  VsockDevice,
  type VsockDeviceOptions,
  VsockHeader,
  type VsockSeqpacketSocket,
  type VsockSocket,
  writeVsockHeader,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'

export const HEADER = 44
export const [REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST] = [1, 2, 3, 4, 5, 6, 7]
export const [STREAM, SEQPACKET] = [1, 2]

type Feature = 'stream' | 'seqpacket' | 'noImpliedStream'

export interface RawGuestOptions extends Partial<VsockDeviceOptions> {
  /** Receive buffers to begin with. Default 8. */
  readonly rxBuffers?: number
  readonly rxBytes?: number
  /** Event buffers. Default 4. */
  readonly eventBuffers?: number
  /** Gives each receive buffer back as soon as it is used. */
  readonly reposts?: boolean
  /** Default: none, as a driver that knows of no features. */
  readonly features?: readonly Feature[]
  /** Without EVENT_IDX. */
  readonly plain?: boolean
  readonly host?: VsockDevice
  /** Interrupts wait for `settle`; otherwise they are taken when a call of the guest ends. */
  readonly deferred?: boolean
}

export interface Received extends VsockHeader {
  readonly payload: Uint8Array
}

export class RawGuest {
  readonly host: VsockDevice
  readonly violations: string[] = []
  readonly faults: unknown[] = []
  readonly accepted: VsockSocket[] = []
  readonly acceptedMessages: VsockSeqpacketSocket[] = []
  /** What came in rx buffers, those without a packet left out. */
  received: Received[] = []
  /** Used receive buffers, with or without a packet. */
  usedBuffers = 0
  events: number[] = []
  readonly transport: SharedMemoryTransport<VsockContract>
  readonly #driver
  readonly #address: number
  readonly #reposts: boolean
  readonly #deferred: boolean
  #interrupted = false

  /** Listens on ports 7 (stream) and 8 (seqpacket) of the host. */
  constructor(options: RawGuestOptions = {}) {
    const { rxBuffers = 8, rxBytes = 256, eventBuffers = 4, reposts = false, features = [], deferred = false } = options
    this.host = options.host ?? new VsockDevice({ guestCid: 3, queueSize: 16, ...options })
    this.host.listen(7, (socket) => this.accepted.push(socket))
    this.host.listenSeqpacket(8, (socket) => this.acceptedMessages.push(socket))
    this.host.device.events.on('violation', ({ rule }) => this.violations.push(rule))
    this.host.device.events.on('fault', (error) => this.faults.push(error))
    this.transport = new SharedMemoryTransport(this.host, {
      memory: GuestMemory.ofSize(2 ** 21),
      interrupt: () => {
        this.#interrupted = true
      },
    })
    this.#deferred = deferred
    const driverOptions: DriverOptions<VsockContract, Feature, never> = {
      want: features,
      ...(options.plain && { commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1) }),
    }
    this.#driver = startDriver(this.transport, driverOptions)
    this.#address = this.transport.allocate(70_000, 64)
    this.#reposts = reposts
    for (let i = 0; i < eventBuffers; i++) this.postEvent()
    this.refill(rxBuffers, rxBytes)
  }

  get driver() {
    return this.#driver
  }

  /** Posts `count` receive buffers of `bytes` bytes. */
  refill(count: number, bytes = 256): void {
    for (let i = 0; i < count; i++) this.#addReceive(this.transport.allocate(bytes, 64), bytes)
    this.#driver.rx.kick()
    this.#took()
  }

  /** Takes interrupts until there are none; throws when there is no end of them. */
  settle(): void {
    for (let turn = 0; this.#interrupted; turn++) {
      if (turn > 10_000) throw new Error('the device interrupts without end')
      this.#interrupted = false
      this.transport.takeInterrupt()
      while (this.host.device.poll()) {}
    }
  }

  #took(): void {
    if (!this.#deferred) this.settle()
  }

  #addReceive(address: number, bytes: number): void {
    this.#driver.rx.add(new BufferList().addWritable(address, bytes), (writtenBytes) => {
      this.usedBuffers++
      const packet = new Uint8Array(writtenBytes)
      this.transport.memory.read(address, packet)
      const header = new VsockHeader()
      if (writtenBytes >= HEADER && readVsockHeader(packet, 0, header)) {
        this.received.push(Object.assign(header, { payload: packet.slice(HEADER) }))
      }
      if (!this.#reposts) return
      this.#addReceive(address, bytes)
      this.#driver.rx.kick()
    })
  }

  postEvent(bytes = 4): void {
    const address = this.transport.allocate(4, 4)
    this.#driver.event.post(new BufferList().addWritable(address, bytes), (writtenBytes) => {
      this.events.push(writtenBytes === 4 ? this.transport.memory.readU32(address) : -1)
    })
    this.#took()
  }

  /** A packet from port 99 to port 7; `len` bytes of payload follow, or `payload`. */
  send(fields: Partial<VsockHeader>, payload: number | Uint8Array = fields.len ?? 0, headerBytes = HEADER): boolean {
    const defaults = { srcCid: 3, dstCid: 2, srcPort: 99, dstPort: 7, bufAlloc: 65536 }
    const packet = new Uint8Array(HEADER)
    writeVsockHeader(packet, 0, Object.assign(new VsockHeader(), defaults, fields))
    return this.sendBytes(packet.subarray(0, headerBytes), payload)
  }

  sendBytes(packet: Uint8Array, payload: number | Uint8Array = 0): boolean {
    const { memory } = this.transport
    memory.write(this.#address, packet)
    if (typeof payload !== 'number') memory.write(this.#address + packet.length, payload)
    const bytes = packet.length + (typeof payload === 'number' ? payload : payload.length)
    const posted = this.#driver.tx.post(new BufferList().addReadable(this.#address, bytes), () => {})
    this.#took()
    return posted
  }

  get txFree(): number {
    return this.#driver.tx.ring.freeDescriptors
  }

  /** Operations of what came since the last call. */
  ops(): number[] {
    this.#took()
    return this.received.splice(0).map(({ op }) => op)
  }
}

/** A stream from port 99 of the guest to port 7 of the host. */
export function connected(options?: RawGuestOptions): RawGuest {
  const guest = new RawGuest(options)
  guest.send({ op: REQUEST })
  return guest
}
