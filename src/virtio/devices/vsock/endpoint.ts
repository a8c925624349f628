/**
 * One address (CID) with its listeners and connections: what guest and host have in common. Packets come in through `receive`
 * and go out through `nextPacket`, when whoever owns the queues has room for one. Connections take turns.
 *
 * Bounded: connections, and answers to packets that belong to none. When answers pile up, `canReceive` turns false and the
 * owner stops taking packets until some went out: a peer that does not read cannot make us store without end (VSK-DRV-04,
 * VSK-DEV-04).
 */
import { VirtioError } from '../../../internal/error.ts'
import { VsockConnection } from './connection.ts'
import {
  VIRTIO_VSOCK_OP_REQUEST,
  VIRTIO_VSOCK_OP_RST,
  VIRTIO_VSOCK_OP_RW,
  VIRTIO_VSOCK_TYPE_STREAM,
  VsockHeader,
} from './header.ts'
import { type PayloadSource, VsockSocket } from './socket.ts'

export interface VsockEndpointOptions {
  /** Receive buffer of each connection, in bytes: the peer's credit. Default 64 KiB. */
  readonly bufAlloc?: number
  /** Bytes that a socket holds while the peer has no credit. Default 64 KiB. */
  readonly sendBufferBytes?: number
  /** Default 1024. */
  readonly maxConnections?: number
}

/** Resets for unknown connections that may wait to be sent. */
const MAX_REPLIES = 64
const FIRST_EPHEMERAL_PORT = 49152
const LAST_PORT = 0xffff_fffe

export class VsockEndpoint {
  /** Our address; it changes with a transport reset. */
  cid: number
  /** Called when there is something to send that was not there before. */
  onOutgoing: (() => void) | null = null
  readonly #bufAlloc: number
  readonly #sendBufferBytes: number
  readonly #maxConnections: number
  readonly #listeners = new Map<number, (socket: VsockSocket) => void>()
  readonly #sockets = new Map<string, VsockSocket>()
  /** Sockets that may have something to send, in turn. */
  readonly #ready = new Set<VsockSocket>()
  readonly #replies: VsockHeader[] = []
  #nextPort = FIRST_EPHEMERAL_PORT

  constructor(cid: number, options: VsockEndpointOptions = {}) {
    this.cid = cid
    this.#bufAlloc = options.bufAlloc ?? 65536
    this.#sendBufferBytes = options.sendBufferBytes ?? 65536
    this.#maxConnections = options.maxConnections ?? 1024
  }

  get connectionCount(): number {
    return this.#sockets.size
  }

  /** Accepts connections to `port`; returns how to stop. Throws `VirtioError` VSOCK_PORT_IN_USE. */
  listen(port: number, onConnection: (socket: VsockSocket) => void): () => void {
    if (this.#listeners.has(port))
      throw new VirtioError('VSOCK_PORT_IN_USE', `somebody listens on port ${port} already`)
    this.#listeners.set(port, onConnection)
    return () => void this.#listeners.delete(port)
  }

  /** Calls a peer; `socket.opened()` tells the outcome. Throws `VirtioError` VSOCK_FULL when there are too many connections. */
  connect(peerCid: number, peerPort: number): VsockSocket {
    if (this.#sockets.size >= this.#maxConnections) {
      throw new VirtioError('VSOCK_FULL', `there are ${this.#maxConnections} connections, which is the limit`)
    }
    return this.#open(this.#freePort(peerCid, peerPort), peerCid, peerPort, null)
  }

  // --- the side of the queues --------------------------------------------------------------------------------------------

  /** Another packet can be taken whatever it is. */
  get canReceive(): boolean {
    return this.#replies.length < MAX_REPLIES
  }

  get hasOutgoing(): boolean {
    return this.#replies.length > 0 || this.#ready.size > 0
  }

  /** Takes one packet, whose source the owner has verified; `payload` is what follows the header. */
  receive(header: VsockHeader, payload: PayloadSource): void {
    const { srcCid, srcPort, dstPort } = header
    // VSK-DRV-08, VSK-DEV-08; nobody with that address is nobody who listens.
    if (header.type !== VIRTIO_VSOCK_TYPE_STREAM || header.dstCid !== this.cid) {
      this.#refuse(header)
      return
    }
    const socket = this.#sockets.get(key(dstPort, srcCid, srcPort))
    if (socket === undefined) {
      this.#accept(header)
      return
    }
    // Bytes that were promised and are not there would tear the stream.
    if (header.op === VIRTIO_VSOCK_OP_RW && header.len > payload.remaining) socket.reset('violation')
    else socket.deliver(header, payload)
    this.#touch(socket)
  }

  /** Fills `out` and the front of `target` (`out.len` bytes) with the next packet; false when there is none. */
  nextPacket(out: VsockHeader, target: Uint8Array): boolean {
    const reply = this.#replies.shift()
    if (reply !== undefined) {
      Object.assign(out, reply)
      return true
    }
    // Each ready socket is asked once: one that finds no room for data in `target` stays ready for the next buffer.
    for (const socket of [...this.#ready]) {
      this.#ready.delete(socket)
      const sent = socket.nextPacket(out, target)
      out.srcCid = this.cid
      out.dstCid = socket.connection.peerCid
      this.#settle(socket)
      if (sent) return true
    }
    return false
  }

  /** Communication was interrupted (TRANSPORT_RESET): connections end, listeners stay, under the present CID. */
  transportReset(cid: number): void {
    this.cid = cid
    this.#replies.length = 0
    this.#ready.clear()
    const sockets = [...this.#sockets.values()]
    this.#sockets.clear()
    for (const socket of sockets) socket.vanish()
  }

  #accept(header: VsockHeader): void {
    const listener = this.#listeners.get(header.dstPort)
    const room = this.#sockets.size < this.#maxConnections
    // IMP-VSK-03: no listener, no resources, or no connection that the packet could belong to.
    if (header.op !== VIRTIO_VSOCK_OP_REQUEST || listener === undefined || !room) {
      this.#refuse(header)
      return
    }
    const socket = this.#open(header.dstPort, header.srcCid, header.srcPort, header)
    // A REQUEST that acknowledges bytes is answered with RST, and is nobody's connection.
    if (socket.connection.state !== 'closed') listener(socket)
  }

  #open(localPort: number, peerCid: number, peerPort: number, request: VsockHeader | null): VsockSocket {
    const connection = new VsockConnection(localPort, peerCid, peerPort, this.#bufAlloc, request)
    const socket = new VsockSocket(connection, this.#sendBufferBytes, (touched) => this.#touch(touched))
    this.#sockets.set(key(localPort, peerCid, peerPort), socket)
    this.#touch(socket)
    return socket
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

  #touch(socket: VsockSocket): void {
    this.#settle(socket)
    if (this.#ready.has(socket)) this.onOutgoing?.()
  }

  /** Puts a socket where it belongs: in line to send, and out of the table once it is closed and said so. */
  #settle(socket: VsockSocket): void {
    const { state, localPort, peerCid, peerPort } = socket.connection
    if (socket.wantsToTransmit()) this.#ready.add(socket)
    else if (state === 'closed') {
      const name = key(localPort, peerCid, peerPort)
      if (this.#sockets.get(name) === socket) this.#sockets.delete(name)
    }
  }

  #freePort(peerCid: number, peerPort: number): number {
    for (;;) {
      const port = this.#nextPort
      this.#nextPort = port === LAST_PORT ? FIRST_EPHEMERAL_PORT : port + 1
      if (!this.#listeners.has(port) && !this.#sockets.has(key(port, peerCid, peerPort))) return port
    }
  }
}

function key(localPort: number, peerCid: number, peerPort: number): string {
  return `${localPort} ${peerCid} ${peerPort}`
}
