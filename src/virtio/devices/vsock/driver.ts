/**
 * The guest's vsock driver: keeps receive buffers posted, sends what its endpoint has to say, and hands out stream sockets. It
 * runs on whatever transport `startDriver` runs on, and moves only when it is called or interrupted.
 */
import { VirtioError } from '../../../internal/error.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { BufferList, UsedBuffer } from '../../../virtqueue/index.ts'
import { startDriver } from '../../connect.ts'
import type { Driver } from '../../driver.ts'
import type { DriverQueue } from '../../driver-queue.ts'
import type { DriverTransport } from '../../driver-transport.ts'
import type { FeatureSet } from '../../features.ts'
import { type VsockContract, vsockContract } from './contract.ts'
import { VsockEndpoint, type VsockEndpointOptions } from './endpoint.ts'
import {
  readVsockHeader,
  VIRTIO_VSOCK_EVENT_TRANSPORT_RESET,
  VSOCK_HEADER_BYTES,
  VsockHeader,
  writeVsockHeader,
} from './header.ts'
import type { PayloadSource, VsockSocket } from './socket.ts'

export interface VsockDriverOptions extends VsockEndpointOptions {
  /** Entries of the rx and tx queue. Default: as in the contract. */
  readonly queueSize?: number
  /** Bytes of each receive buffer, header included. Default 4096. */
  readonly rxBufferBytes?: number
  /** Largest payload of one packet. Default 4096. */
  readonly maxPayloadBytes?: number
  readonly commonFeatures?: FeatureSet
}

const EVENT_BYTES = 4
/** A tx packet is a header descriptor and a payload descriptor. */
const TX_DESCRIPTORS = 2

/** The payload of the receive buffer that is being looked at. */
class ReceivedPayload implements PayloadSource {
  remaining = 0
  #address = 0
  readonly #memory: GuestMemory

  constructor(memory: GuestMemory) {
    this.#memory = memory
  }

  attach(address: number, lengthBytes: number): void {
    this.#address = address
    this.remaining = lengthBytes
  }

  into(target: Uint8Array): number {
    const count = Math.min(target.length, this.remaining)
    this.#memory.read(this.#address, target.subarray(0, count))
    this.#address += count
    this.remaining -= count
    return count
  }
}

/** Equal buffers of one queue, in one block; which head holds which is remembered here, not in the ring. */
class Slots {
  readonly count: number
  readonly bytes: number
  readonly base: number
  readonly #free: number[] = []
  readonly #byHead: number[]

  constructor(base: number, count: number, bytes: number, heads: number) {
    this.base = base
    this.count = count
    this.bytes = bytes
    this.#byHead = new Array(heads).fill(-1)
    for (let slot = count - 1; slot >= 0; slot--) this.#free.push(base + slot * bytes)
  }

  /** Address of a free buffer, or -1. */
  take(): number {
    return this.#free.pop() ?? -1
  }

  give(head: number, address: number): void {
    this.#byHead[head] = address
  }

  reclaim(head: number): number {
    return this.#byHead[head]!
  }

  release(address: number): void {
    this.#free.push(address)
  }
}

export class VsockDriver {
  readonly driver: Driver<VsockContract, { readonly stream: boolean; readonly noImpliedStream: boolean }>
  readonly endpoint: VsockEndpoint
  /** Packets of the device that had no valid header, and were dropped. */
  malformedPackets = 0
  readonly #memory: GuestMemory
  readonly #rx: Slots
  readonly #tx: Slots
  readonly #event: Slots
  readonly #packet: Uint8Array
  readonly #sent = new VsockHeader()
  readonly #received = new VsockHeader()
  readonly #payload: ReceivedPayload
  readonly #buffers = new BufferList(TX_DESCRIPTORS)
  readonly #used = new UsedBuffer()
  #sending = false
  #receiving = false

  /** Throws as `startDriver` does, and `VirtioError` VSOCK_NO_STREAM when the device has no stream sockets. */
  constructor(transport: DriverTransport<VsockContract>, options: VsockDriverOptions = {}) {
    const { rxBufferBytes = 4096, maxPayloadBytes = 4096 } = options
    this.driver = startDriver(transport, {
      contract: transport.contract ?? vsockContract(options.queueSize),
      // VSK-DRV-01
      want: ['stream', 'noImpliedStream'],
      ...(options.queueSize !== undefined && { queueSizes: { rx: options.queueSize, tx: options.queueSize } }),
      ...(options.commonFeatures !== undefined && { commonFeatures: options.commonFeatures }),
    })
    const { stream, noImpliedStream } = this.driver.features
    // VSK-DRV-02, -03: without NO_IMPLIED_STREAM there are streams, named or not.
    if (!stream && noImpliedStream) {
      this.driver.close()
      throw new VirtioError('VSOCK_NO_STREAM', 'the device has no stream sockets')
    }
    this.#memory = transport.memory
    this.#payload = new ReceivedPayload(transport.memory)
    this.#packet = new Uint8Array(VSOCK_HEADER_BYTES + maxPayloadBytes)
    this.endpoint = new VsockEndpoint(this.driver.config.guestCid, options)
    const { rx, tx, event } = this.driver
    const slots = (queue: DriverQueue, count: number, bytes: number) =>
      new Slots(transport.allocate(count * bytes, 64), count, bytes, queue.ring.size)
    this.#rx = slots(rx, rx.ring.size, rxBufferBytes)
    this.#tx = slots(tx, Math.max(1, tx.ring.size / TX_DESCRIPTORS), this.#packet.length)
    this.#event = slots(event, event.ring.size, EVENT_BYTES)
    rx.onUsed = () => this.#receive()
    tx.onUsed = () => this.#send()
    event.onUsed = () => this.#takeEvents()
    this.endpoint.onOutgoing = () => this.#send()
    // A device that was given up, or closed, takes its connections along.
    this.driver.events.on('stopped', () => this.endpoint.transportReset(this.endpoint.cid))
    this.#fill(event, this.#event)
    this.#fill(rx, this.#rx)
  }

  /** Accepts connections to a port of this guest; returns how to stop. */
  listen(port: number, onConnection: (socket: VsockSocket) => void): () => void {
    return this.endpoint.listen(port, onConnection)
  }

  connect(peerCid: number, peerPort: number): VsockSocket {
    return this.endpoint.connect(peerCid, peerPort)
  }

  /** Resets the device; every connection ends. */
  close(): void {
    this.driver.close()
    if (this.driver.transport.readStatus() !== 0) return
    for (const { base, count, bytes } of [this.#rx, this.#tx, this.#event])
      this.driver.transport.free(base, count * bytes)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** rx goes on while tx is full, as long as the endpoint can hold answers (VSK-DRV-04); #send looks again. */
  #receive(): void {
    if (this.#receiving) return
    this.#receiving = true
    const { rx } = this.driver
    let taken = 0
    while (this.endpoint.canReceive && rx.ring.popUsed(this.#used)) {
      const { id, writtenBytes } = this.#used
      const address = this.#rx.reclaim(id)
      this.#takePacket(address, writtenBytes)
      this.#rx.release(address)
      taken++
    }
    this.#receiving = false
    if (taken > 0) this.#fill(rx, this.#rx)
  }

  #takePacket(address: number, writtenBytes: number): void {
    const header = this.#packet.subarray(0, VSOCK_HEADER_BYTES)
    this.#memory.read(address, header)
    if (writtenBytes < VSOCK_HEADER_BYTES || !readVsockHeader(header, 0, this.#received)) {
      this.malformedPackets++
      return
    }
    this.#payload.attach(address + VSOCK_HEADER_BYTES, writtenBytes - VSOCK_HEADER_BYTES)
    this.endpoint.receive(this.#received, this.#payload)
  }

  /** Reclaims sent packets and sends as many new ones as fit, until neither moves. */
  #send(): void {
    if (this.#sending) return
    this.#sending = true
    const { tx } = this.driver
    for (let progress = true; progress; ) {
      progress = false
      while (tx.ring.popUsed(this.#used)) this.#tx.release(this.#tx.reclaim(this.#used.id))
      while (this.endpoint.hasOutgoing && this.#sendPacket()) progress = true
      // The device may run in here, and return packets or bring new ones.
      if (progress) tx.kick()
    }
    this.#sending = false
    this.#receive()
  }

  #sendPacket(): boolean {
    const { ring } = this.driver.tx
    if (ring.freeDescriptors < TX_DESCRIPTORS) return false
    const address = this.#tx.take()
    if (address < 0) return false
    const payload = this.#packet.subarray(VSOCK_HEADER_BYTES)
    if (this.driver.error !== null || !this.endpoint.nextPacket(this.#sent, payload)) {
      this.#tx.release(address)
      return false
    }
    writeVsockHeader(this.#packet, 0, this.#sent)
    this.#memory.write(address, this.#packet.subarray(0, VSOCK_HEADER_BYTES + this.#sent.len))
    this.#buffers.clear().addReadable(address, VSOCK_HEADER_BYTES)
    if (this.#sent.len > 0) this.#buffers.addReadable(address + VSOCK_HEADER_BYTES, this.#sent.len)
    this.#tx.give(ring.add(this.#buffers), address)
    return true
  }

  /** VSK-DRV-09: event buffers go back at once. */
  #takeEvents(): void {
    const { event } = this.driver
    while (event.ring.popUsed(this.#used)) {
      const { id, writtenBytes } = this.#used
      const address = this.#event.reclaim(id)
      const known = writtenBytes === EVENT_BYTES && this.#memory.readU32(address) === VIRTIO_VSOCK_EVENT_TRANSPORT_RESET
      this.#event.release(address)
      // VSK-DRV-10, -11, -12
      if (known) this.endpoint.transportReset(this.driver.config.guestCid)
    }
    this.#fill(event, this.#event)
  }

  /** Posts every free buffer of a queue that the device writes to. */
  #fill(queue: DriverQueue, slots: Slots): void {
    for (;;) {
      const address = slots.take()
      if (address < 0) break
      const head = queue.ring.add(this.#buffers.clear().addWritable(address, slots.bytes))
      if (head < 0) {
        slots.release(address)
        break
      }
      slots.give(head, address)
    }
    queue.kick()
  }
}
