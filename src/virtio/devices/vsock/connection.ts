/**
 * One connection as a pure state machine (virtio 1.4 §5.10.6.3-6), the same for guest and host, for streams and for seqpackets:
 * packets and application events go in, and `transmit` says what to send next. It holds counters, no bytes, and sends nothing
 * itself.
 *
 *   connect ──▶ connecting ──RESPONSE──▶ established ──SHUTDOWN both / RST / violation──▶ closed
 *   accept ─────────────────────────────▶
 *
 * Credit: all counters are u32 and wrap. A side may have at most `bufAlloc` bytes under way that the other has not passed on to
 * its application yet: free = peerBufAlloc - (txCnt - peerFwdCnt) (IMP-VSK-01).
 *
 * A seqpacket connection counts the same bytes and marks the last packet of a message. An application takes whole messages, so
 * one that is longer than the receiver's buffer could never be taken, and empty ones cost no credit: both are bounded here.
 */
import { checkInteger, checkObject, MAX_U32 } from '../../../internal/check-option.ts'
import {
  MAX_CID,
  VIRTIO_VSOCK_OP_CREDIT_REQUEST,
  VIRTIO_VSOCK_OP_CREDIT_UPDATE,
  VIRTIO_VSOCK_OP_REQUEST,
  VIRTIO_VSOCK_OP_RESPONSE,
  VIRTIO_VSOCK_OP_RST,
  VIRTIO_VSOCK_OP_RW,
  VIRTIO_VSOCK_OP_SHUTDOWN,
  VIRTIO_VSOCK_SEQ_EOM,
  VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE,
  VIRTIO_VSOCK_SHUTDOWN_F_SEND,
  VIRTIO_VSOCK_TYPE_SEQPACKET,
  VIRTIO_VSOCK_TYPE_STREAM,
  type VsockHeader,
} from './header.ts'
import { checkConnectionState, type VsockConnectionState } from './state.ts'

/** `flags` of a SHUTDOWN as bit masks. */
export const SHUTDOWN_RECEIVE = 1 << VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE
/** Mask in `flags` of a SHUTDOWN: the sender of it will send no more. */
export const SHUTDOWN_SEND = 1 << VIRTIO_VSOCK_SHUTDOWN_F_SEND
/** Mask in `flags` of a SHUTDOWN: no more in either direction. */
export const SHUTDOWN_BOTH = SHUTDOWN_RECEIVE | SHUTDOWN_SEND

/** Messages without bytes that may wait for our application. POSIX has no use for them, and Linux sends none. */
const MAX_EMPTY_MESSAGES = 1024

/** Where a connection is in its life. */
export type VsockState = 'connecting' | 'established' | 'closed'

/**
 * Why a connection ended: in order, refused by a missing listener, aborted by either side, by a peer that broke the rules, or
 * by a handler of ours that threw.
 */
export type VsockCloseReason = 'shutdown' | 'refused' | 'reset' | 'violation' | 'fault'
export const VSOCK_CLOSE_REASONS: readonly VsockCloseReason[] = ['shutdown', 'refused', 'reset', 'violation', 'fault']

/**
 * What a packet meant: `data` has `len` bytes to store, for which there is room, and may end a message; the rest only changed
 * the state.
 */
export type VsockIndication = 'nothing' | 'connected' | 'data' | 'shutdown' | 'closed'

/** The state machine of one connection; whoever has it moves the bytes and the packets. */
export class VsockConnection {
  /** VIRTIO_VSOCK_TYPE_STREAM or VIRTIO_VSOCK_TYPE_SEQPACKET. */
  readonly type: number
  readonly localPort: number
  readonly peerCid: number
  readonly peerPort: number
  /** Our receive buffer in bytes: what the peer may have under way, 1 to 2^32 - 1. */
  readonly bufAlloc: number
  /** Where it is; changed by the methods only. */
  state: VsockState
  /** Why it is closed; null while it is not. */
  closeReason: VsockCloseReason | null = null
  /** SHUTDOWN flags of the peer, and ours. Permanent once set (IMP-VSK-03). */
  peerShutdown = 0
  localShutdown = 0
  /** Bytes sent, and how many of them the peer's application has taken. */
  txCnt = 0
  peerFwdCnt = 0
  peerBufAlloc = 0
  /** Bytes received, and how many of them our application has taken. */
  rxCnt = 0
  fwdCnt = 0
  /** Seqpacket: whole messages that our application has not taken, and received bytes of the message that is not whole yet. */
  unreadMessages = 0
  messageBytes = 0
  /** Those of `unreadMessages` that have no bytes. */
  emptyMessages = 0
  /** fwdCnt as the peer knows it. */
  #announcedFwdCnt = 0
  /** REQUEST, RESPONSE or RST that waits to be sent; 0 for none. */
  #handshake: number
  #creditUpdateDue = false
  #creditRequestDue = false
  #creditAsked = false
  #shutdownDue = false

  /**
   * A side that calls passes null and sends REQUEST first. A side that was called passes the peer's REQUEST and sends RESPONSE
   * first. Throws `VirtioError` INVALID_OPTION for a port, CID or buffer that no connection can have.
   */
  constructor(
    localPort: number,
    peerCid: number,
    peerPort: number,
    bufAlloc: number,
    request: VsockHeader | null,
    type: number = VIRTIO_VSOCK_TYPE_STREAM,
  ) {
    checkInteger('localPort', localPort, 0, MAX_U32)
    checkInteger('peerCid', peerCid, 0, MAX_CID)
    checkInteger('peerPort', peerPort, 0, MAX_U32)
    checkInteger('bufAlloc', bufAlloc, 1, MAX_U32, 'bytes')
    checkInteger('type', type, VIRTIO_VSOCK_TYPE_STREAM, VIRTIO_VSOCK_TYPE_SEQPACKET)
    this.type = type
    this.localPort = localPort
    this.peerCid = peerCid
    this.peerPort = peerPort
    this.bufAlloc = bufAlloc
    this.state = request === null ? 'connecting' : 'established'
    this.#handshake = request === null ? VIRTIO_VSOCK_OP_REQUEST : VIRTIO_VSOCK_OP_RESPONSE
    if (request !== null && !this.#takeCredit(request)) this.#abort('violation')
  }

  /** Payload bytes that may be sent now (VSK-DRV-05, VSK-DEV-05). A peer may have shrunk its buffer below what is under way. */
  get credit(): number {
    return Math.max(0, this.peerBufAlloc - ((this.txCnt - this.peerFwdCnt) >>> 0))
  }

  /** Received bytes that our application has not taken. */
  get unread(): number {
    return (this.rxCnt - this.fwdCnt) >>> 0
  }

  /** The peer will still take our bytes. */
  get canSend(): boolean {
    const over = (this.localShutdown & SHUTDOWN_SEND) | (this.peerShutdown & SHUTDOWN_RECEIVE)
    return this.state !== 'closed' && over === 0
  }

  /** More bytes may come. */
  get canReceive(): boolean {
    return this.state !== 'closed' && (this.peerShutdown & SHUTDOWN_SEND) === 0
  }

  /**
   * A packet of the peer. A closed connection ignores it, but for a RST: then the peer wants none of ours. What breaks the
   * protocol closes with a RST.
   */
  receive(header: VsockHeader): VsockIndication {
    checkObject('header', header, 'a VsockHeader')
    if (this.state === 'closed') {
      if (header.op === VIRTIO_VSOCK_OP_RST) this.#handshake = 0
      return 'nothing'
    }
    if (header.op === VIRTIO_VSOCK_OP_RST) return this.#close(this.#resetReason())
    if (!this.#takeCredit(header)) return this.#abort('violation')
    switch (header.op) {
      case VIRTIO_VSOCK_OP_RESPONSE:
        if (this.state !== 'connecting') return this.#abort('violation')
        this.state = 'established'
        return 'connected'
      case VIRTIO_VSOCK_OP_RW:
        return this.#receiveData(header.len, header.flags)
      case VIRTIO_VSOCK_OP_SHUTDOWN:
        return this.#receiveShutdown(header.flags)
      case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        this.#creditUpdateDue = true
        return 'nothing'
      case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        return 'nothing'
      default:
        // REQUEST for a connection that exists, INVALID, and operations that nobody has defined.
        return this.#abort('violation')
    }
  }

  /**
   * The credit there is does not suffice, whatever it is: asks for more, unless a question waits for its answer. Without it a
   * sender of whole messages could wait for ever: the last bytes of a message may be too few to be announced unasked.
   */
  askForCredit(): void {
    this.#creditRequestDue = !this.#creditAsked
  }

  /** The application took `bytes` received bytes, or a message of that length; they may come again. */
  forward(bytes: number): void {
    checkInteger('bytes', bytes, 0, MAX_U32)
    this.fwdCnt = (this.fwdCnt + bytes) >>> 0
    if (this.type === VIRTIO_VSOCK_TYPE_SEQPACKET) this.unreadMessages--
    if (this.type === VIRTIO_VSOCK_TYPE_SEQPACKET && bytes === 0) this.emptyMessages--
    this.#endIfDone()
  }

  /** We will not send (SHUTDOWN_SEND), or not receive (SHUTDOWN_RECEIVE), any more. Told to the peer after what is queued. */
  shutdown(flags: number): void {
    checkInteger('flags', flags, 0, SHUTDOWN_BOTH)
    if (this.state === 'closed' || (flags & ~this.localShutdown) === 0) return
    this.localShutdown |= flags
    this.#shutdownDue = true
    this.#endIfDone()
  }

  /** Ends the connection at once, with a RST to the peer, unless the peer has not even heard of it. */
  reset(reason: VsockCloseReason = 'reset'): void {
    if (this.state === 'closed') return
    if (this.#handshake === VIRTIO_VSOCK_OP_REQUEST) this.#close(reason)
    else this.#abort(reason)
  }

  /** The peer is gone without a word (TRANSPORT_RESET): nothing more is sent. */
  vanish(): void {
    if (this.state !== 'closed') this.#close('reset')
  }

  /**
   * Fills `out` with the next packet to send, but for the CIDs, and counts it as sent. `queued` bytes wait for the peer (of a
   * seqpacket: those of its next message), of which one packet takes at most `room`; the packet that takes the last of them
   * has `endFlags`, VIRTIO_VSOCK_SEQ_*. False: nothing to send now.
   */
  transmit(queued: number, room: number, out: VsockHeader, endFlags = 0): boolean {
    const op = this.#nextOp(queued, room)
    if (op === 0) return false
    out.srcPort = this.localPort
    out.dstPort = this.peerPort
    out.type = this.type
    out.op = op
    out.len = 0
    out.flags = 0
    // Every packet carries the truth of this moment (VSK-DRV-06, VSK-DEV-06).
    out.bufAlloc = this.bufAlloc
    out.fwdCnt = this.fwdCnt
    this.#announcedFwdCnt = this.fwdCnt
    if (op === VIRTIO_VSOCK_OP_RW) {
      out.len = Math.min(queued, room, this.credit)
      this.txCnt = (this.txCnt + out.len) >>> 0
      if (out.len === queued) out.flags = endFlags
    } else if (op === VIRTIO_VSOCK_OP_SHUTDOWN) {
      out.flags = this.localShutdown
      this.#shutdownDue = false
    } else if (op === VIRTIO_VSOCK_OP_CREDIT_UPDATE) this.#creditUpdateDue = false
    else if (op === VIRTIO_VSOCK_OP_CREDIT_REQUEST) {
      this.#creditAsked = true
      this.#creditRequestDue = false
    } else this.#handshake = 0
    return true
  }

  /** Whether `transmit` would have something, given a packet with room. */
  wantsToTransmit(queued: number): boolean {
    return this.#nextOp(queued, 1) !== 0
  }

  #nextOp(queued: number, room: number): number {
    if (this.#handshake !== 0) return this.#handshake
    if (this.state !== 'established') return 0
    // A question is answered even when data would carry the same figures.
    if (this.#creditUpdateDue) return VIRTIO_VSOCK_OP_CREDIT_UPDATE
    const sendable = (this.peerShutdown & SHUTDOWN_RECEIVE) === 0 ? queued : 0
    // What was queued before we stop sending goes first; that we stop receiving can be said at once.
    if (this.#shutdownDue && (sendable === 0 || this.localShutdown === SHUTDOWN_RECEIVE))
      return VIRTIO_VSOCK_OP_SHUTDOWN
    if (sendable > 0 && room > 0 && this.credit > 0) return VIRTIO_VSOCK_OP_RW
    if (this.#newsIsDue) return VIRTIO_VSOCK_OP_CREDIT_UPDATE
    if (this.#creditRequestDue || (sendable > 0 && this.credit === 0 && !this.#creditAsked)) {
      return VIRTIO_VSOCK_OP_CREDIT_REQUEST
    }
    return 0
  }

  /**
   * Half a buffer of news: the peer is told before it runs dry, but not for every read. Of messages any news, once it has: the
   * rest of a message may be all that our application waits for, and what it read before too little to be half a buffer.
   */
  get #newsIsDue(): boolean {
    const news = (this.fwdCnt - this.#announcedFwdCnt) >>> 0
    if (news >= Math.max(1, this.bufAlloc / 2)) return true
    const isDry = (this.rxCnt - this.#announcedFwdCnt) >>> 0 >= this.bufAlloc
    return news > 0 && isDry && this.type === VIRTIO_VSOCK_TYPE_SEQPACKET
  }

  #receiveShutdown(flags: number): VsockIndication {
    if (this.state !== 'established') return this.#abort('violation')
    this.peerShutdown |= flags & SHUTDOWN_BOTH
    // The rest of a message will never come: what is there of it is none.
    const torn = !this.canReceive && this.messageBytes > 0
    // The answer to a complete shutdown is RST; what was received stays readable (§5.10.6.5).
    if (torn || this.peerShutdown === SHUTDOWN_BOTH) return this.#abort(torn ? 'violation' : 'shutdown')
    this.#endIfDone()
    return 'shutdown'
  }

  #receiveData(length: number, flags: number): VsockIndication {
    const fits = length <= this.bufAlloc - this.unread
    // The peer spent credit that it does not have, or talks after its last word.
    if (this.state !== 'established' || !this.canReceive || !fits) return this.#abort('violation')
    if ((this.localShutdown & SHUTDOWN_RECEIVE) !== 0) {
      // It was under way when we stopped listening: taken and dropped.
      this.rxCnt = (this.rxCnt + length) >>> 0
      this.fwdCnt = (this.fwdCnt + length) >>> 0
      return 'nothing'
    }
    // EOM and EOR mean nothing on a stream (IMP-VSK-02).
    const ends = this.type === VIRTIO_VSOCK_TYPE_SEQPACKET && (flags & VIRTIO_VSOCK_SEQ_EOM) !== 0
    if (this.type === VIRTIO_VSOCK_TYPE_SEQPACKET && !this.#countMessage(length, ends)) return this.#abort('violation')
    this.rxCnt = (this.rxCnt + length) >>> 0
    return length > 0 || ends ? 'data' : 'nothing'
  }

  /**
   * A piece of a message, for which there is room. False: nobody could ever take the message, which is longer than the buffer, or
   * there are more messages than bytes, or too many empty ones, which credit does not bound.
   */
  #countMessage(length: number, ends: boolean): boolean {
    const bytes = this.messageBytes + length
    if (ends ? this.unreadMessages === this.bufAlloc : bytes === this.bufAlloc) return false
    if (ends && bytes === 0 && ++this.emptyMessages > MAX_EMPTY_MESSAGES) return false
    this.messageBytes = ends ? 0 : bytes
    if (ends) this.unreadMessages++
    return true
  }

  /** Neither side sends any more and all that came was taken: nothing is left to do but to say so (§5.10.6.5). */
  #endIfDone(): void {
    if (this.state !== 'established' || (this.localShutdown & this.peerShutdown & SHUTDOWN_SEND) === 0) return
    if (this.unread === 0 && this.unreadMessages === 0) this.shutdown(SHUTDOWN_BOTH)
  }

  /** False for an acknowledgement of bytes that were never sent. */
  #takeCredit(header: VsockHeader): boolean {
    const underWay = (this.txCnt - this.peerFwdCnt) >>> 0
    const acknowledged = (header.fwdCnt - this.peerFwdCnt) >>> 0
    if (acknowledged > underWay) return false
    this.peerFwdCnt = header.fwdCnt
    this.peerBufAlloc = header.bufAlloc
    if (this.credit > 0) this.#creditAsked = false
    return true
  }

  #resetReason(): VsockCloseReason {
    if (this.state === 'connecting') return 'refused'
    return this.localShutdown === SHUTDOWN_BOTH ? 'shutdown' : 'reset'
  }

  /** Closes with a RST to the peer. */
  #abort(reason: VsockCloseReason): VsockIndication {
    this.#close(reason)
    this.#handshake = VIRTIO_VSOCK_OP_RST
    return 'closed'
  }

  #close(reason: VsockCloseReason): VsockIndication {
    this.state = 'closed'
    this.closeReason = reason
    this.#handshake = 0
    return 'closed'
  }

  /** Plain data, as JSON keeps it, for `restore`. */
  saveState(): VsockConnectionState {
    const { type, localPort, peerCid, peerPort, bufAlloc, state, closeReason, peerShutdown, localShutdown } = this
    const { txCnt, peerFwdCnt, peerBufAlloc, rxCnt, fwdCnt, unreadMessages, messageBytes } = this
    return {
      ...{ type, localPort, peerCid, peerPort, bufAlloc, state, closeReason, peerShutdown, localShutdown },
      ...{ txCnt, peerFwdCnt, peerBufAlloc, rxCnt, fwdCnt, unreadMessages, messageBytes },
      announcedFwdCnt: this.#announcedFwdCnt,
      handshake: this.#handshake,
      creditUpdateDue: this.#creditUpdateDue,
      creditRequestDue: this.#creditRequestDue,
      creditAsked: this.#creditAsked,
      shutdownDue: this.#shutdownDue,
    }
  }

  /** A connection that goes on where the saved one was. Throws `VirtioError` INVALID_STATE for what is no connection's. */
  static restore(state: VsockConnectionState): VsockConnection {
    checkConnectionState(state)
    const { type, localPort, peerCid, peerPort, bufAlloc, announcedFwdCnt, handshake, ...rest } = state
    const { creditUpdateDue, creditRequestDue, creditAsked, shutdownDue, ...members } = rest
    const connection = new VsockConnection(localPort, peerCid, peerPort, bufAlloc, null, type)
    Object.assign(connection, members)
    connection.#announcedFwdCnt = announcedFwdCnt
    connection.#handshake = handshake
    connection.#creditUpdateDue = creditUpdateDue
    connection.#creditRequestDue = creditRequestDue
    connection.#creditAsked = creditAsked
    connection.#shutdownDue = shutdownDue
    return connection
  }
}
