/**
 * One address (CID) with its listeners and connections: what guest and host have in common. Packets come in through `receive`
 * and go out through `nextPacket`, when whoever owns the queues has room for one. Connections take turns.
 *
 * Bounded: connections, and answers to packets that belong to none. When answers pile up, `canReceive` turns false and the
 * owner stops taking packets until some went out: a peer that does not read cannot make us store without end (VSK-DRV-04,
 * VSK-DEV-04).
 */
import {
  checkBytes,
  checkFunction,
  checkInteger,
  checkObject,
  checkWord,
  MAX_U32,
  refuseOption,
} from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import { reportUnheard } from '../../../internal/report-error.ts'
import { STATE_VERSION } from '../../../internal/saved-state.ts'
import { VsockConnection } from './connection.ts'
import {
  MAX_CID,
  VIRTIO_VSOCK_OP_REQUEST,
  VIRTIO_VSOCK_OP_RST,
  VIRTIO_VSOCK_OP_RW,
  VIRTIO_VSOCK_TYPE_SEQPACKET,
  VIRTIO_VSOCK_TYPE_STREAM,
  VsockHeader,
} from './header.ts'
import { VsockSeqpacketSocket } from './seqpacket-socket.ts'
import { VsockSocket } from './socket.ts'
import type { PayloadSource, SocketOwner, VsockSocketBase } from './socket-base.ts'
import { checkEndpointState, requireVsockState, type VsockEndpointState, type VsockSocketState } from './state.ts'

/** Kinds of sockets, as options name them. */
export type VsockSocketType = 'stream' | 'seqpacket'

/** What devices, drivers and endpoints have in common. */
export interface VsockEndpointOptions {
  /** Receive buffer of each connection, in bytes: the peer's credit, 1 to 2^32 - 1. Default 64 KiB. */
  readonly bufAlloc?: number
  /** Bytes that a socket holds while the peer has no credit, 1 to 2^32 - 1. Default 64 KiB. */
  readonly sendBufferBytes?: number
  /** 1 to 2^20. Default 1024. */
  readonly maxConnections?: number
  /** What a device offers, and a driver wants; what was not negotiated is refused. Default: both. */
  readonly socketTypes?: readonly VsockSocketType[]
}

/** Called with each new connection. One that throws or rejects resets its connection, and is reported as a fault. */
export type VsockListener<S extends VsockSocketBase = VsockSocket> = (socket: S) => unknown

/** Resets for unknown connections that may wait to be sent. */
const MAX_REPLIES = 64
const MAX_CONNECTIONS = 2 ** 20
const FIRST_EPHEMERAL_PORT = 49152
/** 0xffffffff means any port, and any CID: no socket has it. */
const LAST_PORT = MAX_U32 - 1
export const SOCKET_TYPES: readonly VsockSocketType[] = ['stream', 'seqpacket']

type AnySocket = VsockSocket | VsockSeqpacketSocket

interface Listening {
  readonly type: number
  readonly onConnection: (socket: never) => unknown
}

/** Listeners and connections of one address, without queues. */
export class VsockEndpoint {
  /** Our address; it changes with a transport reset. */
  cid: number
  /** Called when there is something to send that was not there before. */
  onOutgoing: (() => void) | null = null
  /**
   * Called when a listener or a handler of a socket threw, or its promise rejected: that socket is reset, the rest goes on. Null: the
   * error is printed.
   */
  onFault: ((error: unknown) => void) | null = null
  readonly #bufAlloc: number
  readonly #sendBufferBytes: number
  readonly #maxConnections: number
  readonly #listeners = new Map<number, Listening>()
  readonly #sockets = new Map<string, AnySocket>()
  /** Sockets that have something to send, in turn. */
  readonly #ready = new Set<AnySocket>()
  /** Sockets whose caller is still putting listeners on them. */
  readonly #preparing = new Set<AnySocket>()
  #replies: VsockHeader[] = []
  readonly #owner: SocketOwner
  /** VIRTIO_VSOCK_TYPE_*: what may ever be used, and what the transport carries now. */
  readonly #allowed: readonly number[]
  #types: readonly number[]
  /** Why nothing can be sent; null while it can. */
  #offline: Error | null = null
  #nextPort = FIRST_EPHEMERAL_PORT

  /** Throws `VirtioError` INVALID_OPTION. */
  constructor(cid: number, options: VsockEndpointOptions = {}) {
    checkInteger('cid', cid, 0, MAX_CID)
    checkEndpointOptions(options)
    const { bufAlloc = 65536, sendBufferBytes = 65536, maxConnections = 1024, socketTypes = SOCKET_TYPES } = options
    this.cid = cid
    this.#bufAlloc = bufAlloc
    this.#sendBufferBytes = sendBufferBytes
    this.#maxConnections = maxConnections
    this.#allowed = socketTypes.map((type) =>
      type === 'stream' ? VIRTIO_VSOCK_TYPE_STREAM : VIRTIO_VSOCK_TYPE_SEQPACKET,
    )
    this.#types = this.#allowed
    this.#owner = {
      touch: (socket) => this.#touch(socket as AnySocket),
      fault: (error) => this.#tellFault(error),
    }
  }

  /** Connections that count against `maxConnections`: also closed ones whose RST waits to be sent. */
  get connectionCount(): number {
    return this.#sockets.size
  }

  /** The sockets that are not closed: after a restore, those of the saved endpoint. */
  get sockets(): readonly (VsockSocket | VsockSeqpacketSocket)[] {
    return [...this.#sockets.values()].filter(({ connection }) => connection.state !== 'closed')
  }

  /**
   * Accepts stream connections to `port`, 0 to 2^32 - 2; returns how to stop. A port has one listener, of either type. Listeners
   * outlive transport resets, and on a device its drivers. Throws `VirtioError` VSOCK_PORT_IN_USE, VSOCK_NO_STREAM or INVALID_OPTION.
   */
  listen(port: number, onConnection: VsockListener): () => void {
    return this.#listen(port, VIRTIO_VSOCK_TYPE_STREAM, onConnection)
  }

  /** `listen` for seqpacket connections. Throws as it does, and VSOCK_NO_SEQPACKET. */
  listenSeqpacket(port: number, onConnection: VsockListener<VsockSeqpacketSocket>): () => void {
    return this.#listen(port, VIRTIO_VSOCK_TYPE_SEQPACKET, onConnection)
  }

  /**
   * Calls a peer; `socket.opened()` tells the outcome. `prepare` gets the socket before anything is sent: what its listeners are to hear
   * may happen before this returns, where both sides run on one core. It ends as a `VsockListener` does. Throws `VirtioError`
   * VSOCK_FULL when there are too many connections, VSOCK_NO_STREAM when stream sockets were not negotiated, or INVALID_OPTION, also
   * for an address that nobody has.
   */
  connect(peerCid: number, peerPort: number, prepare?: VsockListener): VsockSocket {
    return this.#connect(peerCid, peerPort, VIRTIO_VSOCK_TYPE_STREAM, prepare) as VsockSocket
  }

  /** `connect` for a seqpacket connection. Throws as it does, and VSOCK_NO_SEQPACKET. */
  connectSeqpacket(
    peerCid: number,
    peerPort: number,
    prepare?: VsockListener<VsockSeqpacketSocket>,
  ): VsockSeqpacketSocket {
    return this.#connect(peerCid, peerPort, VIRTIO_VSOCK_TYPE_SEQPACKET, prepare) as VsockSeqpacketSocket
  }

  // --- the side of the queues --------------------------------------------------------------------------------------------

  /** Another packet can be taken whatever it is. */
  get canReceive(): boolean {
    return this.#replies.length < MAX_REPLIES
  }

  /** `nextPacket` has one, given room. */
  get hasOutgoing(): boolean {
    return this.#replies.length > 0 || this.#ready.size > 0
  }

  /** Takes one packet, whose source the owner has verified, and what follows its header. Throws `VirtioError` INVALID_OPTION. */
  receive(header: VsockHeader, payload: PayloadSource): void {
    checkObject('header', header, 'a VsockHeader')
    if (typeof payload?.into !== 'function') refuseOption('payload', payload, 'a PayloadSource, with into()')
    const { srcCid, srcPort, dstCid, dstPort, type, op } = header
    // IMP-VSK-02: nobody has such an address, and an answer would have to carry it.
    if (srcCid > MAX_CID || dstCid > MAX_CID) return
    // The peer has given up whatever we were about to refuse.
    if (op === VIRTIO_VSOCK_OP_RST) this.#cancelReplies(header)
    // VSK-DRV-08, VSK-DEV-08; nobody with that address is nobody who listens.
    if (!this.#types.includes(type) || dstCid !== this.cid) {
      this.#refuse(header)
      return
    }
    const socket = this.#sockets.get(key(dstPort, srcCid, srcPort))
    // A REQUEST for a connection that ended here says that it ended there too: our RST would end the new one.
    if (socket === undefined || (socket.connection.state === 'closed' && op === VIRTIO_VSOCK_OP_REQUEST)) {
      if (socket !== undefined) this.#forget(socket)
      this.#accept(header)
      return
    }
    if (socket.connection.type !== type) {
      this.#refuse(header)
      return
    }
    // Bytes that were promised and are not there would tear the stream.
    if (op === VIRTIO_VSOCK_OP_RW && header.len > payload.remaining) socket.reset('violation')
    else socket.deliver(header, payload)
    this.#touch(socket)
  }

  /** Fills `out` and the front of `target` (`out.len` bytes) with the next packet; false when there is none. Throws `VirtioError` INVALID_OPTION. */
  nextPacket(out: VsockHeader, target: Uint8Array): boolean {
    checkObject('out', out, 'a VsockHeader')
    checkBytes('target', target)
    const reply = this.#replies.shift()
    if (reply !== undefined) {
      Object.assign(out, reply)
      return true
    }
    // Each ready socket is asked once: one that finds no room for data in `target` stays ready for the next buffer.
    for (let left = this.#ready.size; left > 0; left--) {
      const [socket] = this.#ready
      if (socket === undefined) return false
      this.#ready.delete(socket)
      const sent = socket.nextPacket(out, target)
      out.srcCid = this.cid
      out.dstCid = socket.connection.peerCid
      this.#settle(socket)
      if (sent) return true
    }
    return false
  }

  /** TRANSPORT_RESET: connections end, listeners stay, under the present CID. Throws `VirtioError` INVALID_OPTION. */
  transportReset(cid: number): void {
    checkInteger('cid', cid, 0, MAX_CID)
    this.cid = cid
    this.#offline = null
    this.#endAll(undefined)
  }

  /** @internal The transport works, and carries these types of sockets. */
  goOnline(cid: number, stream: boolean, seqpacket: boolean): void {
    this.cid = cid
    this.#offline = null
    this.#types = [...(stream ? [VIRTIO_VSOCK_TYPE_STREAM] : []), ...(seqpacket ? [VIRTIO_VSOCK_TYPE_SEQPACKET] : [])]
  }

  /** @internal Nothing can be sent from now on, for this reason: connections end, and new ones end at once. */
  goOffline(reason: Error): void {
    this.#offline = reason
    this.#types = this.#allowed
    this.#endAll(reason)
  }

  /** Connections and answers as plain data; listeners are not in it. */
  saveState(): VsockEndpointState {
    const sockets = [...new Set([...this.#ready, ...this.#sockets.values()])]
    return {
      version: STATE_VERSION,
      cid: this.cid,
      nextPort: this.#nextPort,
      sockets: sockets.map((socket) => socket.saveState()),
      replies: this.#replies.map((reply) => ({ ...reply })),
    }
  }

  /**
   * Takes the connections of a saved endpoint over; `sockets` has them. Throws `VirtioError` INVALID_STATE, with nothing taken
   * over, for what cannot be the state of this endpoint.
   */
  restoreState(state: VsockEndpointState): void {
    checkEndpointState(state)
    requireVsockState(this.#sockets.size === 0, 'it is restored into an endpoint without connections')
    const sockets = new Map(state.sockets.map((saved) => this.#restored(saved)))
    requireVsockState(sockets.size === state.sockets.length, 'two connections have one address')
    requireVsockState(sockets.size <= this.#maxConnections, `${sockets.size} connections are more than maxConnections`)
    this.cid = state.cid
    this.#nextPort = Math.min(LAST_PORT, Math.max(FIRST_EPHEMERAL_PORT, state.nextPort))
    for (const [name, socket] of sockets) {
      this.#sockets.set(name, socket)
      this.#settle(socket)
    }
    this.#replies = state.replies.map((saved) => Object.assign(new VsockHeader(), saved))
  }

  #restored(saved: VsockSocketState): [string, AnySocket] {
    const connection = VsockConnection.restore(saved.connection)
    const socket = this.#socket(connection).restoreState(saved)
    return [key(connection.localPort, connection.peerCid, connection.peerPort), socket]
  }

  #listen(port: number, type: number, onConnection: (socket: never) => unknown): () => void {
    checkInteger('port', port, 0, LAST_PORT)
    checkFunction('onConnection', onConnection)
    requireType(type, this.#allowed)
    if (this.#listeners.has(port))
      throw new VirtioError('VSOCK_PORT_IN_USE', `somebody listens on port ${port} already`)
    const listening = { type, onConnection }
    this.#listeners.set(port, listening)
    return () => {
      if (this.#listeners.get(port) === listening) this.#listeners.delete(port)
    }
  }

  #connect(
    peerCid: number,
    peerPort: number,
    type: number,
    prepare: ((socket: never) => unknown) | undefined,
  ): AnySocket {
    checkInteger('peerCid', peerCid, 0, MAX_CID - 1)
    checkInteger('peerPort', peerPort, 0, LAST_PORT)
    if (prepare !== undefined) checkFunction('prepare', prepare)
    requireType(type, this.#types)
    if (this.#sockets.size >= this.#maxConnections) {
      throw new VirtioError('VSOCK_FULL', `there are ${this.#maxConnections} connections, which is the limit`)
    }
    return this.#open(this.#freePort(peerCid, peerPort), peerCid, peerPort, null, type, prepare)
  }

  #accept(header: VsockHeader): void {
    const listening = this.#listeners.get(header.dstPort)
    const room = this.#sockets.size < this.#maxConnections
    // IMP-VSK-03: no listener, no resources, or no connection that the packet could belong to.
    if (header.op !== VIRTIO_VSOCK_OP_REQUEST || listening?.type !== header.type || !room) {
      this.#refuse(header)
      return
    }
    this.#cancelReplies(header)
    const socket = this.#open(header.dstPort, header.srcCid, header.srcPort, header, header.type)
    // A REQUEST that acknowledges bytes is answered with RST, and is nobody's connection.
    if (socket.connection.state !== 'closed') socket.announceTo(listening.onConnection)
  }

  #open(
    localPort: number,
    peerCid: number,
    peerPort: number,
    request: VsockHeader | null,
    type: number,
    prepare?: (socket: never) => unknown,
  ): AnySocket {
    const socket = this.#socket(new VsockConnection(localPort, peerCid, peerPort, this.#bufAlloc, request, type))
    if (this.#offline !== null) {
      if (prepare !== undefined) socket.announceTo(prepare)
      socket.vanish(this.#offline)
      return socket
    }
    this.#sockets.set(key(localPort, peerCid, peerPort), socket)
    if (prepare !== undefined) {
      this.#preparing.add(socket)
      socket.announceTo(prepare)
      this.#preparing.delete(socket)
    }
    this.#touch(socket)
    return socket
  }

  #socket(connection: VsockConnection): AnySocket {
    const Socket = connection.type === VIRTIO_VSOCK_TYPE_STREAM ? VsockSocket : VsockSeqpacketSocket
    return new Socket(connection, this.#sendBufferBytes, this.#owner)
  }

  /** Answers with RST, but never a RST: two confused peers would go on for ever. */
  #refuse(header: VsockHeader): void {
    if (header.op === VIRTIO_VSOCK_OP_RST) return
    const reply = new VsockHeader()
    reply.srcCid = header.dstCid
    reply.srcPort = header.dstPort
    reply.dstCid = header.srcCid
    reply.dstPort = header.srcPort
    reply.type = header.type
    reply.op = VIRTIO_VSOCK_OP_RST
    this.#replies.push(reply)
    this.onOutgoing?.()
  }

  /** Resets that wait for the sender of `header`, of the same ports and type, are of a past that it has left behind. */
  #cancelReplies(header: VsockHeader): void {
    this.#replies = this.#replies.filter(
      (reply) =>
        reply.dstPort !== header.srcPort ||
        reply.srcPort !== header.dstPort ||
        reply.dstCid !== header.srcCid ||
        reply.srcCid !== header.dstCid ||
        reply.type !== header.type,
    )
  }

  #tellFault(error: unknown): void {
    if (this.onFault === null) reportUnheard('a listener of a vsock endpoint or of its sockets', error)
    else this.onFault(error)
  }

  #touch(socket: AnySocket): void {
    if (this.#preparing.has(socket)) return
    this.#settle(socket)
    if (this.#ready.has(socket)) this.onOutgoing?.()
  }

  /** Puts a socket where it belongs: in line to send, and out of the table once it is closed and said so. */
  #settle(socket: AnySocket): void {
    const { localPort, peerCid, peerPort } = socket.connection
    // A socket of an earlier life, or one that never was in the table.
    if (this.#sockets.get(key(localPort, peerCid, peerPort)) !== socket) return
    if (socket.wantsToTransmit()) this.#ready.add(socket)
    else if (socket.connection.state === 'closed') this.#forget(socket)
    else this.#ready.delete(socket)
  }

  #forget(socket: AnySocket): void {
    const { localPort, peerCid, peerPort } = socket.connection
    this.#ready.delete(socket)
    this.#sockets.delete(key(localPort, peerCid, peerPort))
  }

  #endAll(cause: Error | undefined): void {
    this.#replies = []
    this.#ready.clear()
    const sockets = [...this.#sockets.values()]
    this.#sockets.clear()
    for (const socket of sockets) socket.vanish(cause)
  }

  #freePort(peerCid: number, peerPort: number): number {
    for (;;) {
      const port = this.#nextPort
      this.#nextPort = port === LAST_PORT ? FIRST_EPHEMERAL_PORT : port + 1
      if (!this.#listeners.has(port) && !this.#sockets.has(key(port, peerCid, peerPort))) return port
    }
  }
}

/** For owners of an endpoint, before they start anything. Throws `VirtioError` INVALID_OPTION. */
export function checkEndpointOptions(options: VsockEndpointOptions): void {
  checkObject('options', options)
  const { bufAlloc = 1, sendBufferBytes = 1, maxConnections = 1, socketTypes = SOCKET_TYPES } = options
  checkInteger('bufAlloc', bufAlloc, 1, MAX_U32, 'bytes')
  checkInteger('sendBufferBytes', sendBufferBytes, 1, MAX_U32, 'bytes')
  checkInteger('maxConnections', maxConnections, 1, MAX_CONNECTIONS)
  if (!Array.isArray(socketTypes) || socketTypes.length === 0) {
    refuseOption('socketTypes', socketTypes, 'an array of stream, seqpacket or both')
  }
  for (const type of socketTypes) checkWord('socketTypes', type, SOCKET_TYPES)
}

function requireType(type: number, types: readonly number[]): void {
  if (types.includes(type)) return
  const name = type === VIRTIO_VSOCK_TYPE_STREAM ? 'STREAM' : 'SEQPACKET'
  const sockets = `${name.toLowerCase()} sockets`
  throw new VirtioError(`VSOCK_NO_${name}`, `there are no ${sockets} here: both sides have to want them (socketTypes)`)
}

function key(localPort: number, peerCid: number, peerPort: number): string {
  return `${localPort} ${peerCid} ${peerPort}`
}
