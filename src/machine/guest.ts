/**
 * A guest as a driver model: real virtqueues, headers and connections in its own RAM, reached through its stage-2 table. The
 * machine decides when its code runs (a send, an interrupt handler) and for how long; what that code does is here.
 *
 * Its memory holds, per receive buffer, a header slot and one page; per outgoing flow, a few message buffers.
 */
import { assert } from '../internal/assert.ts'
import { StreamHash } from '../internal/hash.ts'
import { type GuestMemory, PAGE_SIZE, SegmentList } from '../memory/index.ts'
import { BUFFERS_PER_FLOW, CONTROL_SLOTS, RECEIVE_PAYLOAD_BYTES } from '../plan/index.ts'
import {
  readVsockHeader,
  VIRTIO_VSOCK_OP_REQUEST,
  VIRTIO_VSOCK_OP_RW,
  VSOCK_HEADER_BYTES,
  VsockConnection,
  VsockHeader,
  writeVsockHeader,
} from '../virtio/index.ts'
import { BufferList, type DriverRing, UsedBuffer } from '../virtqueue/index.ts'
import {
  allocateBuffer,
  type BufferKind,
  type GuestAllocators,
  type GuestBuffer,
  HEADER_SLOT_BYTES,
} from './guest-buffers.ts'
import type { FlowLedger } from './message-ledger.ts'
import type { PayloadSource } from './payload.ts'
import { CALLING_PORT, LISTENING_PORT } from './vsock-router.ts'

const NO_BUFFER: GuestBuffer = { header: 0, payload: 0 }

export interface GuestFlow {
  readonly index: number
  readonly peerCid: number
  /** Of the longest message. */
  readonly lengthBytes: number
  /** Of each message in order; null: all are as long as the longest. */
  readonly lengthsBytes?: readonly number[] | null
  readonly creditBytes: number
  readonly ledger: FlowLedger
  /** null: only lengths travel. */
  readonly payload: PayloadSource | null
}

export interface GuestQueues extends GuestAllocators {
  readonly memory: GuestMemory
  readonly receive: DriverRing
  readonly transmit: DriverRing
}

/** What the guest asks of its machine. */
export interface GuestHost {
  now(): number
  /** The whole of a message has been read; `bytes` are its content when anybody wants them. */
  onDelivered(flow: GuestFlow, sequence: number, bytes: Uint8Array): void
}

/** Which queues to kick after a piece of guest code, and whether to reset the device, or to ask whether it is: bits. */
export const Kick = { none: 0, receive: 1, transmit: 2, reset: 4 } as const

/** What a guest keeps of a flow. With many flows each message looks at another's, so all that it needs lies here, side by side. */
class Outgoing {
  readonly index: number
  readonly peerCid: number
  readonly lengthBytes: number
  readonly lengthsBytes: readonly number[] | null
  readonly ledger: FlowLedger
  readonly payload: PayloadSource | null
  readonly connection: VsockConnection
  /** Free header slots for packets without payload. */
  readonly slots: GuestBuffer[]
  /** Free message buffers. */
  readonly free: GuestBuffer[] = []
  /** Messages that were released and wait to be sent, and those that were sent. */
  waiting = 0
  sent = 0

  constructor({ index, peerCid, lengthBytes, lengthsBytes, ledger, payload }: GuestFlow, slots: GuestBuffer[]) {
    this.index = index
    this.peerCid = peerCid
    this.lengthBytes = lengthBytes
    this.lengthsBytes = lengthsBytes ?? null
    this.ledger = ledger
    this.payload = payload
    this.slots = slots
    // Flows are one-way: the page of credit for the other direction is announced and never used.
    this.connection = new VsockConnection(CALLING_PORT + index, peerCid, LISTENING_PORT + index, PAGE_SIZE, null)
  }

  /** Of the message that is sent next. */
  get nextBytes(): number {
    return this.lengthsBytes === null ? this.lengthBytes : this.lengthsBytes[this.sent]!
  }
}

class Incoming {
  readonly flow: GuestFlow
  readonly index: number
  readonly peerCid: number
  /** Of the message that arrives. */
  lengthBytes: number
  readonly lengthsBytes: readonly number[] | null
  readonly ledger: FlowLedger
  /** Of the bytes of a message; null: only lengths travel. */
  readonly hash: StreamHash | null
  connection: VsockConnection | null = null
  receivedBytes = 0
  readonly bytes: Uint8Array
  /** Free header slots for packets without payload. */
  readonly slots: GuestBuffer[]

  constructor(flow: GuestFlow, slots: GuestBuffer[], keepsBytes: boolean) {
    this.flow = flow
    this.index = flow.index
    this.peerCid = flow.peerCid
    this.lengthsBytes = flow.lengthsBytes ?? null
    this.lengthBytes = this.lengthsBytes?.[0] ?? flow.lengthBytes
    this.ledger = flow.ledger
    this.hash = flow.payload === null ? null : new StreamHash()
    this.slots = slots
    this.bytes = new Uint8Array(keepsBytes ? flow.lengthBytes : 0)
  }
}

/** A guest as its machine runs it. */
export interface GuestProgram {
  /** All outgoing connections are established. */
  readonly ready: boolean
  /** It sends, or receives, this flow. Before `start`. */
  addOutgoing(flow: GuestFlow): void
  addIncoming(flow: GuestFlow): void
  /** Posts `buffers` receive buffers, and calls the receivers of all outgoing flows. Returns the kicks, as do all below. */
  start(buffers: number): number
  /** The application released a message of this flow. */
  release(flow: number): void
  /** The sending thread ran. */
  send(): number
  /** The interrupt handler ran, or it is time to look what has come. */
  handleInterrupt(): number
}

export interface GuestOptions {
  readonly lazyReclaim: boolean
  readonly polls: boolean
  readonly keepsBytes: boolean
  readonly buffers: BufferKind
}

export class Guest implements GuestProgram {
  readonly cid: number
  readonly #queues: GuestQueues
  readonly #host: GuestHost
  readonly #lazyReclaim: boolean
  readonly #polls: boolean
  readonly #keepsBytes: boolean
  readonly #outgoing = new Map<number, Outgoing>()
  readonly #incoming = new Map<number, Incoming>()
  /** Flows, by number, of which something may have to be sent: of outgoing ones messages and control packets, of the others answers. */
  readonly #sending = new Set<number>()
  readonly #answering = new Set<number>()
  /** By head of a transmitted one: the buffer, and where it goes when it is free again. */
  readonly #transmitBuffers: GuestBuffer[]
  readonly #transmitHomes: (GuestBuffer[] | null)[]
  readonly #receiveBuffers: GuestBuffer[]
  readonly #bufferKind: BufferKind
  readonly #buffers = new BufferList()
  readonly #used = new UsedBuffer()
  readonly #header = new VsockHeader()
  readonly #headerBytes = new Uint8Array(VSOCK_HEADER_BYTES)
  readonly #segments = new SegmentList()

  constructor(cid: number, queues: GuestQueues, host: GuestHost, options: GuestOptions) {
    this.cid = cid
    this.#queues = queues
    this.#host = host
    this.#lazyReclaim = options.lazyReclaim
    this.#polls = options.polls
    this.#keepsBytes = options.keepsBytes
    this.#bufferKind = options.buffers
    this.#transmitBuffers = new Array(queues.transmit.size).fill(NO_BUFFER)
    this.#transmitHomes = new Array(queues.transmit.size).fill(null)
    this.#receiveBuffers = new Array(queues.receive.size).fill(NO_BUFFER)
  }

  /** The guest sends this flow. */
  addOutgoing(flow: GuestFlow): void {
    const outgoing = new Outgoing(flow, this.#controlSlots())
    for (let i = 0; i < BUFFERS_PER_FLOW; i++) {
      outgoing.free.push(allocateBuffer(this.#bufferKind, flow.lengthBytes, this.#queues))
    }
    this.#outgoing.set(flow.index, outgoing)
    this.#sending.add(flow.index)
  }

  /** The guest receives this flow. */
  addIncoming(flow: GuestFlow): void {
    this.#incoming.set(flow.index, new Incoming(flow, this.#controlSlots(), this.#keepsBytes))
  }

  #controlSlots(): GuestBuffer[] {
    const slot = () => this.#queues.allocate(HEADER_SLOT_BYTES, HEADER_SLOT_BYTES)
    return Array.from({ length: CONTROL_SLOTS }, () => ({ header: slot(), payload: 0 }))
  }

  /** Posts `buffers` receive buffers, and calls the receivers of all outgoing flows. Returns the kicks. */
  start(buffers: number): number {
    for (let i = 0; i < buffers; i++) {
      this.#postReceive(allocateBuffer(this.#bufferKind, RECEIVE_PAYLOAD_BYTES, this.#queues))
    }
    return this.#finish(this.#publishReceive())
  }

  /** All outgoing connections are established. */
  get ready(): boolean {
    return [...this.#outgoing.values()].every(({ connection }) => connection.state === 'established')
  }

  /** The application released a message of this flow. */
  release(flow: number): void {
    this.#outgoing.get(flow)!.waiting++
    this.#sending.add(flow)
  }

  /** The sending thread ran. Returns the kicks. */
  send(): number {
    return this.#finish(Kick.none)
  }

  /** The interrupt handler ran, or it is time to look what has come. Returns the kicks. */
  handleInterrupt(): number {
    const { receive } = this.#queues
    do {
      while (receive.popUsed(this.#used)) this.#receive(this.#used.id)
    } while (!this.#polls && receive.enableNotifications())
    // Said anew each time: with EVENT_IDX silence lasts for one turn of the index.
    if (this.#polls) receive.disableNotifications()
    return this.#finish(this.#publishReceive())
  }

  // ---- receiving

  #postReceive(buffer: GuestBuffer): void {
    const { header, payload } = buffer
    const list = this.#buffers.clear()
    if (payload === header + VSOCK_HEADER_BYTES) list.addWritable(header, VSOCK_HEADER_BYTES + RECEIVE_PAYLOAD_BYTES)
    else {
      list.addWritable(header, VSOCK_HEADER_BYTES)
      list.addWritable(payload, RECEIVE_PAYLOAD_BYTES)
    }
    const head = this.#queues.receive.add(list)
    assert(head >= 0, 'the receive queue has room for every receive buffer')
    this.#receiveBuffers[head] = buffer
  }

  #publishReceive(): number {
    const { receive } = this.#queues
    receive.publish()
    return receive.needsNotification() ? Kick.receive : Kick.none
  }

  #receive(head: number): void {
    const buffer = this.#receiveBuffers[head]!
    this.#queues.memory.read(buffer.header, this.#headerBytes)
    if (readVsockHeader(this.#headerBytes, 0, this.#header)) this.#handlePacket(buffer.payload)
    this.#postReceive(buffer)
  }

  #handlePacket(payload: number): void {
    const header = this.#header
    const called = header.srcPort - LISTENING_PORT
    const outgoing = header.dstPort === CALLING_PORT + called ? this.#outgoing.get(called) : undefined
    if (outgoing !== undefined) {
      outgoing.connection.receive(header)
      this.#sending.add(called)
      return
    }
    const index = header.dstPort - LISTENING_PORT
    const incoming = this.#incoming.get(index)
    if (incoming === undefined || header.srcCid !== incoming.peerCid) return
    this.#answering.add(index)
    if (incoming.connection === null) {
      if (header.op !== VIRTIO_VSOCK_OP_REQUEST) return
      const { creditBytes } = incoming.flow
      incoming.connection = new VsockConnection(header.dstPort, header.srcCid, header.srcPort, creditBytes, header)
    } else if (incoming.connection.receive(header) === 'data') {
      this.#take(incoming, payload, header.len)
      incoming.connection.forward(header.len)
    }
  }

  /**
   * Bytes of messages, read where they lie. A stream has no borders: a sender that does not keep to the declared length ends a message
   * wherever so many bytes have come, and the rest begins the next.
   */
  #take(incoming: Incoming, payload: number, bytes: number): void {
    const { hash, ledger, lengthsBytes } = incoming
    for (let done = 0; done < bytes; ) {
      const { lengthBytes } = incoming
      const part = Math.min(bytes - done, lengthBytes - incoming.receivedBytes)
      if (hash !== null) this.#read(incoming, hash, payload + done, part)
      incoming.receivedBytes += part
      done += part
      if (incoming.receivedBytes < lengthBytes) return
      const sequence = ledger.deliver(this.#host.now(), hash === null ? '' : hash.digest())
      const content = lengthsBytes === null ? incoming.bytes : incoming.bytes.subarray(0, lengthBytes)
      if (sequence >= 0) this.#host.onDelivered(incoming.flow, sequence, content)
      incoming.receivedBytes = 0
      if (lengthsBytes !== null) incoming.lengthBytes = lengthsBytes[ledger.delivered] ?? incoming.flow.lengthBytes
      hash?.reset()
    }
  }

  #read({ bytes: target, receivedBytes }: Incoming, hash: StreamHash, payload: number, bytes: number): void {
    const { memory } = this.#queues
    this.#segments.clear()
    const backed = memory.translate(payload, bytes, this.#segments)
    assert(backed, 'a receive buffer lies in the guest’s RAM')
    let at = receivedBytes
    for (let i = 0; i < this.#segments.count; i++) {
      const [offset, length] = [this.#segments.offset[i]!, this.#segments.length[i]!]
      const region = memory.regions[this.#segments.region[i]!]!.u8
      hash.update(region, offset, length)
      if (this.#keepsBytes) target.set(region.subarray(offset, offset + length), at)
      at += length
    }
  }

  // ---- sending

  /** Sends whatever is due and possible; then arms the notifications that are needed to go on. */
  #finish(kicks: number): number {
    const { transmit } = this.#queues
    let waiting: boolean
    do {
      this.#reclaim()
      waiting = this.#transmitAll()
    } while (this.#armReclaim(waiting))
    transmit.publish()
    return kicks | (transmit.needsNotification() ? Kick.transmit : Kick.none)
  }

  #reclaim(): void {
    while (this.#queues.transmit.popUsed(this.#used)) {
      const { id } = this.#used
      this.#transmitHomes[id]!.push(this.#transmitBuffers[id]!)
    }
  }

  /**
   * Which completions interrupt: every one; or, reclaiming lazily, the next one while a message waits for its buffer, else only
   * the one that three quarters of a full ring are done with. A full ring holds half as many messages as descriptors. Without
   * EVENT_IDX the ring cannot say "later": none at all, until so much is under way. True: some have come already, look again.
   */
  #armReclaim(waiting: boolean): boolean {
    const { transmit } = this.#queues
    if (!this.#lazyReclaim || waiting) return transmit.enableNotifications()
    const lowWater = Math.max(1, Math.floor((3 * Math.max(transmit.outstanding, transmit.size / 2)) / 4))
    if (transmit.eventIdx) return transmit.delayNotifications(lowWater)
    if (transmit.outstanding >= lowWater) return transmit.enableNotifications()
    transmit.disableNotifications()
    return false
  }

  /** True: something waits for a completion. In the order of the flows, of those that may have something to send. */
  #transmitAll(): boolean {
    let waiting = false
    for (const index of inOrder(this.#sending)) {
      if (this.#transmitFlowOf(this.#outgoing.get(index)!)) waiting = true
      else this.#sending.delete(index)
    }
    for (const index of inOrder(this.#answering)) {
      const { connection, peerCid, slots } = this.#incoming.get(index)!
      let blocked = false
      while (!blocked && connection?.wantsToTransmit(0)) blocked = !this.#sendControl(connection, peerCid, slots)
      if (blocked) waiting = true
      else this.#answering.delete(index)
    }
    return waiting
  }

  #transmitFlowOf(outgoing: Outgoing): boolean {
    const { connection, free, peerCid, slots } = outgoing
    for (;;) {
      const due = connection.state === 'established' && connection.canSend && outgoing.waiting > 0
      const sendable = due && connection.credit >= outgoing.nextBytes
      // A message goes as a whole.
      if (due && !sendable) connection.askForCredit()
      if (connection.wantsToTransmit(0)) {
        if (!this.#sendControl(connection, peerCid, slots)) return true
        continue
      }
      if (!sendable) return false
      if (free.length === 0 || this.#queues.transmit.freeDescriptors < 2) return true
      outgoing.waiting--
      this.#sendMessage(outgoing, free.pop()!)
    }
  }

  #sendMessage(outgoing: Outgoing, buffer: GuestBuffer): void {
    const { connection, nextBytes: lengthBytes, payload } = outgoing
    const { memory } = this.#queues
    let digest = ''
    if (payload !== null) {
      const hash = new StreamHash()
      payload.next(lengthBytes, (offset, part) => {
        hash.update(part)
        memory.write(buffer.payload + offset, part)
      })
      digest = hash.digest()
    }
    const sent = connection.transmit(lengthBytes, lengthBytes, this.#header)
    assert(sent && this.#header.op === VIRTIO_VSOCK_OP_RW && this.#header.len === lengthBytes, 'the message has credit')
    outgoing.sent++
    outgoing.ledger.send(digest)
    this.#post(buffer, outgoing.peerCid, outgoing.free, lengthBytes)
  }

  #sendControl(connection: VsockConnection, peerCid: number, slots: GuestBuffer[]): boolean {
    if (slots.length === 0 || this.#queues.transmit.freeDescriptors < 1) return false
    connection.transmit(0, 0, this.#header)
    this.#post(slots.pop()!, peerCid, slots, 0)
    return true
  }

  #post(buffer: GuestBuffer, peerCid: number, home: GuestBuffer[], payloadBytes: number): void {
    const { memory, transmit } = this.#queues
    const { header, payload } = buffer
    this.#header.srcCid = this.cid
    this.#header.dstCid = peerCid
    writeVsockHeader(this.#headerBytes, 0, this.#header)
    memory.write(header, this.#headerBytes)
    const list = this.#buffers.clear()
    if (payload === header + VSOCK_HEADER_BYTES) list.addReadable(header, VSOCK_HEADER_BYTES + payloadBytes)
    else {
      list.addReadable(header, VSOCK_HEADER_BYTES)
      if (payloadBytes > 0) list.addReadable(payload, payloadBytes)
    }
    const head = transmit.add(list)
    assert(head >= 0, 'the transmit queue has room')
    this.#transmitBuffers[head] = buffer
    this.#transmitHomes[head] = home
  }
}

/** A copy: what is sent is taken out meanwhile. */
function inOrder(flows: ReadonlySet<number>): number[] {
  return flows.size < 2 ? [...flows] : [...flows].sort((a, b) => a - b)
}
