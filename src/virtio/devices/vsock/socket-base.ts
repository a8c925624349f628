/**
 * What stream and seqpacket sockets have in common: a connection, its life, and who is told of it. A handler of the application
 * that throws, or whose promise rejects, ends its own socket, with the error as the `cause` of what the socket rejects with, and nobody else's.
 */
import { checkSignal, checkWord } from '../../../internal/check-option.ts'
import { Emitter, type Events } from '../../../internal/emitter.ts'
import { VirtioError } from '../../../internal/error.ts'
import { WaitList } from '../../../internal/wait-list.ts'
import { watchPromise } from '../../../internal/watch-promise.ts'
import {
  SHUTDOWN_BOTH,
  SHUTDOWN_SEND,
  VSOCK_CLOSE_REASONS,
  type VsockCloseReason,
  type VsockConnection,
} from './connection.ts'
import type { VsockHeader } from './header.ts'
import type { VsockSocketState } from './state.ts'

/** Where the payload of a received packet is: a chain reader, or guest memory. */
export interface PayloadSource {
  /** Bytes that `into` has left. */
  readonly remaining: number
  /** Fills the front of `target` with the next bytes; says how many. */
  into(target: Uint8Array): number
}

/** What a socket tells. A listener runs inside the call or the turn that caused it, and returns soon. */
export type VsockSocketEvents = {
  /** The peer accepted. */
  open: () => void
  /** Bytes, or a whole message, arrived, or the peer will send no more. */
  readable: () => void
  /** There is room to write again. */
  writable: () => void
  /** The connection is over; what was received can still be read. */
  close: (reason: VsockCloseReason) => void
}

const EVENTS = ['open', 'readable', 'writable', 'close'] as const

/** What an endpoint does for its sockets. */
export interface SocketOwner {
  /** The socket may have something to send, or is over. */
  touch(socket: VsockSocketBase): void
  /** A handler of the application threw. */
  fault(error: unknown, socket: VsockSocketBase): void
}

/** A socket of either kind. */
export abstract class VsockSocketBase {
  /** Counters and state, to look at: the socket moves it. */
  readonly connection: VsockConnection
  readonly #owner: SocketOwner
  readonly #events = new Emitter<VsockSocketEvents>(EVENTS, (error) => this.failUnlessEnded(error))
  readonly #changed = new WaitList()
  /** Calls of `send` that have not ended, oldest first: the others wait for it. */
  readonly #sends = new Set<object>()
  /** Why the connection ended, beyond its reason. */
  #cause: unknown

  constructor(connection: VsockConnection, owner: SocketOwner) {
    this.connection = connection
    this.#owner = owner
  }

  /** What happens to the socket. */
  get events(): Events<VsockSocketEvents> {
    return this.#events
  }

  /** Nothing is left to read, and nothing more will come. */
  abstract get ended(): boolean

  /**
   * Resolves when the peer accepted; rejects with VSOCK_CLOSED when it did not. Aborting gives the connection up: it is reset, and
   * the promise rejects with the signal's reason. What is no signal is refused with INVALID_OPTION, and does not touch the connection.
   */
  async opened(signal?: AbortSignal): Promise<this> {
    if (signal !== undefined) checkSignal('signal', signal)
    try {
      signal?.throwIfAborted()
      while (this.connection.state === 'connecting') await this.changed(signal)
    } catch (error) {
      this.reset()
      throw error
    }
    if (this.connection.state === 'closed') throw this.closedError()
    return this
  }

  /** No more from us: the peer reads to the end of what was written. When both sides ended and read all, the connection is closed. */
  end(): void {
    this.connection.shutdown(SHUTDOWN_SEND)
    this.touch()
  }

  /** Clean disconnect: what was written is sent, what still arrives is dropped (§5.10.6.5). Over when the peer confirms. */
  close(): void {
    this.connection.shutdown(SHUTDOWN_BOTH)
    this.touch()
  }

  /**
   * Ends the connection now, for both sides, whatever is under way: also when a clean disconnect is never confirmed. Throws
   * `VirtioError` INVALID_OPTION for a reason that is none.
   */
  reset(reason: VsockCloseReason = 'reset'): void {
    checkWord('reason', reason, VSOCK_CLOSE_REASONS)
    if (this.connection.state === 'closed') return
    this.connection.reset(reason)
    this.touch()
    this.#notifyClosed()
  }

  // --- the side of the endpoint --------------------------------------------------------------------------------------------

  /** @internal Shows the socket to whoever is to have it: a listener of the application. */
  announceTo(onConnection: (socket: never) => unknown): void {
    try {
      watchPromise((onConnection as (socket: this) => unknown)(this), (error) => this.failUnlessEnded(error))
    } catch (error) {
      this.failUnlessEnded(error)
    }
  }

  /** @internal A packet for this connection, whose payload is `payload`. */
  deliver(header: VsockHeader, payload: PayloadSource): void {
    switch (this.connection.receive(header)) {
      case 'connected':
        this.emit('open')
        break
      case 'data':
        if (this.store(header, payload)) this.emit('readable')
        break
      case 'shutdown':
        this.emit('readable')
        break
      case 'closed':
        this.#notifyClosed()
        return
    }
    this.#changed.wake()
  }

  /** @internal The next packet to send, its payload in `target`; false when there is none. */
  nextPacket(out: VsockHeader, target: Uint8Array): boolean {
    if (!this.connection.transmit(this.sendableBytes, target.length, out, this.endFlags)) return false
    if (out.len > 0) {
      this.takeQueued(target.subarray(0, out.len))
      this.emit('writable')
      this.#changed.wake()
    }
    return true
  }

  /** @internal */
  wantsToTransmit(): boolean {
    return this.connection.wantsToTransmit(this.sendableBytes)
  }

  /** @internal The peer is gone without a word; `cause` says why when there is more to say. */
  vanish(cause?: unknown): void {
    if (this.connection.state === 'closed') return
    this.#cause ??= cause
    this.connection.vanish()
    this.#notifyClosed()
  }

  /** @internal The application failed while it handled this socket: the peer is told with a RST. */
  fail(error: unknown): void {
    this.#cause ??= error
    this.reset('fault')
    this.#owner.fault(error, this)
  }

  /** @internal An error of code that ends because its connection did is no fault of the code. */
  failUnlessEnded(error: unknown): void {
    const ended = error instanceof VirtioError && error.code === 'VSOCK_CLOSED' && this.connection.state === 'closed'
    if (!ended) this.fail(error)
  }

  /** @internal */
  abstract saveState(): VsockSocketState

  // --- for the two kinds of sockets ----------------------------------------------------------------------------------------

  /** Bytes that may be sent at once: of a seqpacket those of one message. */
  protected abstract get sendableBytes(): number
  /** VIRTIO_VSOCK_SEQ_* for the packet that sends the last of them. */
  protected abstract get endFlags(): number
  /** Moves the next bytes to send to `target`, which they fill. */
  protected abstract takeQueued(target: Uint8Array): void
  protected abstract dropQueued(): void
  /** Keeps the payload of a packet; true when the application has something new to read. */
  protected abstract store(header: VsockHeader, payload: PayloadSource): boolean

  protected touch(): void {
    this.#owner.touch(this)
  }

  /** Resolves when anything happened; rejects when the signal is aborted. */
  protected changed(signal?: AbortSignal): Promise<void> {
    return this.#changed.wait(signal)
  }

  /**
   * Calls `write` until it says that all is written, and not before earlier calls have ended: what is sent first goes first, whole.
   * Throws when the connection takes no more, or the signal's reason.
   */
  protected async writeInTurn(write: () => boolean, signal?: AbortSignal): Promise<void> {
    const turn = {}
    this.#sends.add(turn)
    try {
      for (;;) {
        signal?.throwIfAborted()
        const [first] = this.#sends
        if (first === turn && write()) return
        if (!this.connection.canSend) throw this.closedError()
        await this.changed(signal)
      }
    } finally {
      this.#sends.delete(turn)
      if (this.#sends.size > 0) this.#changed.wake()
    }
  }

  protected emit(event: 'open' | 'readable' | 'writable'): void {
    try {
      this.#events.emit(event)
    } catch (error) {
      this.failUnlessEnded(error)
    }
  }

  /** Throws when the connection was cut off: what was sent may not be all there. */
  protected throwIfCutOff(): void {
    const { closeReason } = this.connection
    if (closeReason !== null && closeReason !== 'shutdown') throw this.closedError()
  }

  protected closedError(): VirtioError {
    const { closeReason, peerCid, peerPort } = this.connection
    const message = `the connection to ${peerCid}:${peerPort} is closed (${closeReason ?? 'shutdown'})`
    return new VirtioError('VSOCK_CLOSED', message, this.#cause === undefined ? undefined : { cause: this.#cause })
  }

  #notifyClosed(): void {
    this.dropQueued()
    try {
      if (this.connection.closeReason !== null) this.#events.emit('close', this.connection.closeReason)
    } catch (error) {
      this.failUnlessEnded(error)
    }
    this.#changed.wake()
  }
}
