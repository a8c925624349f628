/**
 * The guest's vsock driver: keeps receive buffers posted, sends what its endpoint has to say, and hands out stream and seqpacket
 * sockets. It runs on whatever transport `startDriver` runs on, and moves only when it is called or interrupted.
 */
import { checkInteger } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import { STATE_VERSION } from '../../../internal/saved-state.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { BufferList, UsedBuffer } from '../../../virtqueue/index.ts'
import { startDriver } from '../../connect.ts'
import type { Driver } from '../../driver.ts'
import type { DriverQueue } from '../../driver-queue.ts'
import type { DriverState } from '../../driver-state.ts'
import type { DriverTransport } from '../../driver-transport.ts'
import type { FeatureSet } from '../../features.ts'
import { restoreDriver } from '../../restore-driver.ts'
import { Slots } from '../buffer-slots.ts'
import { hasStreams, type VsockContract, vsockContract } from './contract.ts'
import {
  checkEndpointOptions,
  SOCKET_TYPES,
  VsockEndpoint,
  type VsockEndpointOptions,
  type VsockListener,
  type VsockSocketType,
} from './endpoint.ts'
import {
  MAX_CID,
  readVsockHeader,
  VIRTIO_VSOCK_EVENT_TRANSPORT_RESET,
  VSOCK_HEADER_BYTES,
  VSOCK_HOST_CID,
  VsockHeader,
  writeVsockHeader,
} from './header.ts'
import type { VsockSeqpacketSocket } from './seqpacket-socket.ts'
import type { VsockSocket } from './socket.ts'
import type { PayloadSource } from './socket-base.ts'
import { checkDriverState, requireVsockState, type VsockDriverState } from './state.ts'

/** What a `VsockDriver` is made of. */
export interface VsockDriverOptions extends VsockEndpointOptions {
  /** Entries of the rx and tx queue, 1 to 32768: at most what the device has. Default: as in the contract. */
  readonly queueSize?: number
  /** Bytes of each receive buffer, the header of 44 bytes included: 45 to 65580. Default 4096. */
  readonly rxBufferBytes?: number
  /** Largest payload of one packet, 1 to 65536, for larger ones are refused by Linux hosts. Default 4096. */
  readonly maxPayloadBytes?: number
  /** Common features to use when offered; default: as `startDriver`. */
  readonly commonFeatures?: FeatureSet
}

const EVENT_BYTES = 4
const MAX_PAYLOAD_BYTES = 65536
/**
 * A tx packet is a header descriptor and a payload descriptor, which is what devices are used to. A ring of one entry gets both
 * in one: they lie side by side, and a device assumes no framing (virtio 1.4 §2.7.4.1).
 */
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

/** Which of the features that were wanted were negotiated. */
export interface VsockFeatures {
  readonly stream?: boolean
  readonly seqpacket?: boolean
  readonly noImpliedStream: boolean
}

/** The guest's half: a driver on a transport, and its sockets. */
export class VsockDriver {
  /** The driver itself: its features, configuration and events. */
  readonly driver: Driver<VsockContract, VsockFeatures>
  /** The guest's end, under the CID that the device gave it. */
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
  readonly #txDescriptors: number
  #sending = false
  #receiving = false

  /**
   * Throws as `startDriver` does, and `VirtioError` INVALID_OPTION, VSOCK_NO_STREAM when the device has neither stream nor seqpacket
   * sockets, or VSOCK_CID when it gives this guest a CID that no guest can have. `saved` is for `VsockDriver.restore`.
   */
  constructor(transport: DriverTransport<VsockContract>, options: VsockDriverOptions = {}, saved?: VsockDriverState) {
    checkDriverOptions(options)
    if (saved !== undefined) {
      checkDriverState(saved)
      requireVsockState(saved.rx.bytes > VSOCK_HEADER_BYTES, 'receive buffers have no room for a packet')
      requireVsockState(saved.tx.bytes > VSOCK_HEADER_BYTES, 'send buffers have no room for a packet')
      requireVsockState(saved.event.bytes === EVENT_BYTES, `event buffers have ${EVENT_BYTES} bytes`)
    }
    this.driver = saved === undefined ? start(transport, options) : attach(transport, options, saved.driver)
    this.#memory = transport.memory
    this.#payload = new ReceivedPayload(transport.memory)
    const { rx, tx, event } = this.driver
    this.#txDescriptors = Math.min(TX_DESCRIPTORS, tx.ring.size)
    try {
      this.endpoint = new VsockEndpoint(this.#fetchCid(), { ...options, socketTypes: this.#negotiatedTypes() })
      if (saved === undefined) {
        const { rxBufferBytes = 4096, maxPayloadBytes = 4096 } = options
        const slots = (queue: DriverQueue, count: number, bytes: number) =>
          new Slots(this.driver.allocate(count * bytes, 64), count, bytes, queue.ring.size)
        this.#rx = slots(rx, rx.ring.size, rxBufferBytes)
        this.#tx = slots(tx, tx.ring.size / this.#txDescriptors, VSOCK_HEADER_BYTES + maxPayloadBytes)
        this.#event = slots(event, event.ring.size, EVENT_BYTES)
      } else {
        this.#rx = Slots.restore(saved.rx, rx, true)
        this.#tx = Slots.restore(saved.tx, tx, false)
        this.#event = Slots.restore(saved.event, event, true)
        this.endpoint.restoreState(saved.endpoint)
      }
    } catch (error) {
      this.driver.close()
      throw error
    }
    this.#packet = new Uint8Array(this.#tx.bytes)
    rx.onUsed = () => this.#receive()
    tx.onUsed = () => this.#send()
    event.onUsed = () => this.#takeEvents()
    this.endpoint.onOutgoing = () => this.#send()
    this.endpoint.onFault = (error) => this.driver.onFault(error, -1)
    // A device that was given up, or closed, takes its connections along.
    this.driver.events.on('stopped', (error) => this.endpoint.goOffline(error))
    if (saved !== undefined) return
    this.#fill(event, this.#event)
    this.#fill(rx, this.#rx)
  }

  /**
   * Goes on where `saveState` was taken: over memory that is as it was, before a device that is live, without a word to it. The
   * connections are in `endpoint.sockets`. Listen again, then call `poll`, which looks at what came meanwhile. Buffers are as they
   * were; `options` are for new connections. Throws as `restoreDriver`, and INVALID_STATE: then the device was reset.
   */
  static restore(
    transport: DriverTransport<VsockContract>,
    state: VsockDriverState,
    options: VsockDriverOptions = {},
  ): VsockDriver {
    // Undefined would be a new driver, and with it a reset of the device.
    checkDriverState(state)
    return new VsockDriver(transport, options, state)
  }

  /**
   * Plain data for `VsockDriver.restore`, as JSON keeps it, taken between turns: connections with the bytes on both sides of them.
   * Listeners are not in it. Throws `VirtioError` NOT_RESTORABLE for a driver that has stopped.
   */
  saveState(): VsockDriverState {
    return {
      version: STATE_VERSION,
      driver: this.driver.saveState(),
      rx: this.#rx.saveState(),
      tx: this.#tx.saveState(),
      event: this.#event.saveState(),
      endpoint: this.endpoint.saveState(),
    }
  }

  /** Looks at every queue, interrupt or not, and sends what waits. */
  poll(): void {
    if (this.driver.error !== null) return
    this.driver.poll()
    this.#send()
  }

  /** Accepts stream connections to a port of this guest; returns how to stop. Throws as `VsockEndpoint.listen`. */
  listen(port: number, onConnection: VsockListener): () => void {
    return this.endpoint.listen(port, onConnection)
  }

  /** Accepts seqpacket connections; throws as `VsockEndpoint.listenSeqpacket`. */
  listenSeqpacket(port: number, onConnection: VsockListener<VsockSeqpacketSocket>): () => void {
    return this.endpoint.listenSeqpacket(port, onConnection)
  }

  /**
   * Connects to a port of the host, CID 2; `prepare` and errors as of `VsockEndpoint.connect`. Of a driver that was stopped, `opened()`
   * rejects.
   */
  connect(peerCid: number, peerPort: number, prepare?: VsockListener): VsockSocket {
    return this.endpoint.connect(peerCid, peerPort, prepare)
  }

  /** `connect` for messages; throws as `VsockEndpoint.connectSeqpacket`. */
  connectSeqpacket(
    peerCid: number,
    peerPort: number,
    prepare?: VsockListener<VsockSeqpacketSocket>,
  ): VsockSeqpacketSocket {
    return this.endpoint.connectSeqpacket(peerCid, peerPort, prepare)
  }

  /** Resets the device; every connection ends. Closing twice is no error. */
  close(): void {
    this.driver.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #negotiatedTypes(): VsockSocketType[] {
    const { stream = false, seqpacket = false, noImpliedStream } = this.driver.features
    const types: VsockSocketType[] = hasStreams({ stream, noImpliedStream }) ? ['stream'] : []
    if (seqpacket) types.push('seqpacket')
    if (types.length > 0) return types
    throw new VirtioError('VSOCK_NO_STREAM', 'the device has neither stream nor seqpacket sockets')
  }

  /** Throws `VirtioError` for what cannot be the CID of a guest (VSK-DEV-07, IMP-VSK-02). */
  #fetchCid(): number {
    const cid = this.driver.config.guestCid
    if (cid > VSOCK_HOST_CID && cid < MAX_CID) return cid
    throw new VirtioError('VSOCK_CID', `the device says that this guest has CID ${cid}; a guest's is 3 to 0xfffffffe`)
  }

  /** rx goes on while tx is full, as long as the endpoint can hold answers (VSK-DRV-04); #send looks again. */
  #receive(): void {
    if (this.#receiving || this.driver.isStopped()) return
    // What came after a transport reset is of the new life: the old one ends before it is looked at.
    this.#takeEvents()
    this.#receiving = true
    const { rx } = this.driver
    let taken = 0
    // A listener may stop the driver, or start another one: then the rings are no longer ours.
    while (this.driver.error === null && this.endpoint.canReceive && rx.ring.popUsed(this.#used)) {
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
    const valid = writtenBytes >= VSOCK_HEADER_BYTES && readVsockHeader(header, 0, this.#received)
    // IMP-VSK-02: nobody has an address whose upper half is not zero.
    if (!valid || this.#received.srcCid > MAX_CID || this.#received.dstCid > MAX_CID) {
      this.malformedPackets++
      return
    }
    this.#payload.attach(address + VSOCK_HEADER_BYTES, writtenBytes - VSOCK_HEADER_BYTES)
    this.endpoint.receive(this.#received, this.#payload)
  }

  /** Reclaims sent packets and sends as many new ones as fit, until neither moves. */
  #send(): void {
    if (this.#sending || this.driver.isStopped()) return
    this.#sending = true
    const { tx } = this.driver
    for (let progress = true; progress && this.driver.error === null; ) {
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
    if (ring.freeDescriptors < this.#txDescriptors) return false
    const address = this.#tx.take()
    if (address < 0) return false
    const payload = this.#packet.subarray(VSOCK_HEADER_BYTES)
    // A `writable` listener may stop the driver too.
    const hasPacket = this.driver.error === null && this.endpoint.nextPacket(this.#sent, payload)
    if (!hasPacket || this.driver.error !== null) {
      this.#tx.release(address)
      return false
    }
    writeVsockHeader(this.#packet, 0, this.#sent)
    this.#memory.write(address, this.#packet.subarray(0, VSOCK_HEADER_BYTES + this.#sent.len))
    const { len } = this.#sent
    if (this.#txDescriptors === 1) this.#buffers.clear().addReadable(address, VSOCK_HEADER_BYTES + len)
    else {
      this.#buffers.clear().addReadable(address, VSOCK_HEADER_BYTES)
      if (len > 0) this.#buffers.addReadable(address + VSOCK_HEADER_BYTES, len)
    }
    this.#tx.give(ring.add(this.#buffers), address)
    return true
  }

  /** VSK-DRV-09: event buffers go back at once, which also tells the device that the event was seen. */
  #takeEvents(): void {
    const { event } = this.driver
    let taken = 0
    while (this.driver.error === null && event.ring.popUsed(this.#used)) {
      const { id, writtenBytes } = this.#used
      const address = this.#event.reclaim(id)
      const known = writtenBytes === EVENT_BYTES && this.#memory.readU32(address) === VIRTIO_VSOCK_EVENT_TRANSPORT_RESET
      this.#event.release(address)
      taken++
      if (known) this.#resetTransport()
    }
    if (taken > 0) this.#fill(event, this.#event)
  }

  /** VSK-DRV-10, -11, -12: connections end, listeners go on under the CID that the guest has now. */
  #resetTransport(): void {
    try {
      this.endpoint.transportReset(this.#fetchCid())
    } catch (error) {
      this.endpoint.goOffline(error as Error)
    }
  }

  /** Posts every free buffer of a queue that the device writes to. */
  #fill(queue: DriverQueue, slots: Slots): void {
    while (this.driver.error === null) {
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

function start(transport: DriverTransport<VsockContract>, options: VsockDriverOptions) {
  const { queueSize, commonFeatures, socketTypes = SOCKET_TYPES } = options
  return startDriver(transport, {
    // What is no transport, `startDriver` refuses.
    contract: transport?.contract ?? vsockContract(),
    // VSK-DRV-01
    want: [...socketTypes, 'noImpliedStream'],
    ...(queueSize !== undefined && { queueSizes: { rx: queueSize, tx: queueSize } }),
    ...(commonFeatures !== undefined && { commonFeatures }),
  })
}

function attach(transport: DriverTransport<VsockContract>, options: VsockDriverOptions, state: DriverState) {
  const { socketTypes = SOCKET_TYPES } = options
  const contract = transport?.contract ?? vsockContract()
  return restoreDriver(transport, state, { contract, want: [...socketTypes, 'noImpliedStream'] })
}

function checkDriverOptions(options: VsockDriverOptions): void {
  checkEndpointOptions(options)
  const { queueSize = 1, rxBufferBytes = VSOCK_HEADER_BYTES + 1, maxPayloadBytes = 1 } = options
  checkInteger('queueSize', queueSize, 1, 32768, 'entries')
  // One byte of payload at least: without it data would never move.
  checkInteger('rxBufferBytes', rxBufferBytes, VSOCK_HEADER_BYTES + 1, VSOCK_HEADER_BYTES + MAX_PAYLOAD_BYTES, 'bytes')
  checkInteger('maxPayloadBytes', maxPayloadBytes, 1, MAX_PAYLOAD_BYTES, 'bytes')
}
