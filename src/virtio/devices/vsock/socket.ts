/**
 * One end of a vsock stream: a connection and its two buffers. The synchronous half (`write`, `read`, events) suits a
 * simulation, the asynchronous half (`send`, `receive`, `for await`) everything else. Bytes beyond the peer's credit wait here.
 */
import { Emitter, type Events } from '../../../internal/emitter.ts'
import { VirtioError } from '../../../internal/error.ts'
import { WaitList } from '../../../internal/wait-list.ts'
import { ByteRing } from './byte-ring.ts'
import { SHUTDOWN_BOTH, SHUTDOWN_SEND, type VsockCloseReason, type VsockConnection } from './connection.ts'
import type { VsockHeader } from './header.ts'

/** Where the payload of a received packet is: a chain reader, or guest memory. */
export interface PayloadSource {
  readonly remaining: number
  /** Fills the front of `target` with the next bytes; says how many. */
  into(target: Uint8Array): number
}

export type VsockSocketEvents = {
  /** The peer accepted. */
  open: () => void
  /** Bytes arrived, or the peer will send no more. */
  readable: () => void
  /** There is room to write again. */
  writable: () => void
  close: (reason: VsockCloseReason) => void
}

export class VsockSocket implements AsyncIterable<Uint8Array> {
  readonly connection: VsockConnection
  readonly #received: ByteRing
  readonly #queued: ByteRing
  readonly #events = new Emitter<VsockSocketEvents>()
  readonly #changed = new WaitList()
  readonly #touch: (socket: VsockSocket) => void
  #scratch = new Uint8Array(0)

  /** Made by `VsockEndpoint` only. */
  constructor(connection: VsockConnection, sendBufferBytes: number, touch: (socket: VsockSocket) => void) {
    this.connection = connection
    this.#received = new ByteRing(connection.bufAlloc)
    this.#queued = new ByteRing(sendBufferBytes)
    this.#touch = touch
  }

  get events(): Events<VsockSocketEvents> {
    return this.#events
  }

  /** Bytes that `read` can take now. */
  get readableBytes(): number {
    return this.#received.length
  }

  /** Bytes that `write` takes now; 0 also when the peer takes no more. */
  get writableBytes(): number {
    return this.connection.canSend ? this.#queued.free : 0
  }

  /** Nothing is left to read, and nothing more will come. */
  get ended(): boolean {
    return this.#received.length === 0 && !this.connection.canReceive
  }

  /** Queues bytes for the peer; says how many were taken. What is not taken has to be written again after `writable`. */
  write(bytes: Uint8Array): number {
    const taken = this.connection.canSend ? this.#queued.push(bytes) : 0
    if (taken > 0) this.#touch(this)
    return taken
  }

  /** Moves received bytes to `target`, which gives the peer new credit; says how many. */
  read(target: Uint8Array): number {
    const count = this.#received.shift(target)
    if (count > 0) {
      this.connection.forward(count)
      this.#touch(this)
    }
    return count
  }

  /** Resolves when the peer accepted; rejects with VSOCK_CLOSED when it did not. */
  async opened(signal?: AbortSignal): Promise<this> {
    while (this.connection.state === 'connecting') await this.#changed.wait(signal)
    if (this.connection.state === 'closed') throw this.#closedError()
    return this
  }

  /** Writes all of `bytes`, waiting for credit; rejects with VSOCK_CLOSED when the connection ends before. */
  async send(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    for (let sent = 0; sent < bytes.length; ) {
      signal?.throwIfAborted()
      const taken = this.write(bytes.subarray(sent))
      sent += taken
      if (taken > 0) continue
      if (!this.connection.canSend) throw this.#closedError()
      await this.#changed.wait(signal)
    }
  }

  /** The bytes that are there, or the next ones to come; null at the end of the stream. Rejects when it was cut off. */
  async receive(signal?: AbortSignal): Promise<Uint8Array | null> {
    while (this.#received.length === 0) {
      const { closeReason } = this.connection
      if (closeReason !== null && closeReason !== 'shutdown') throw this.#closedError()
      if (!this.connection.canReceive) return null
      await this.#changed.wait(signal)
    }
    const bytes = new Uint8Array(this.#received.length)
    this.read(bytes)
    return bytes
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let bytes = await this.receive(); bytes !== null; bytes = await this.receive()) yield bytes
  }

  /** No more bytes from us: the peer reads to the end of what was written. */
  end(): void {
    this.connection.shutdown(SHUTDOWN_SEND)
    this.#touch(this)
  }

  /** Clean disconnect: what was written is sent, what still arrives is dropped (§5.10.6.5). Over when the peer confirms. */
  close(): void {
    this.connection.shutdown(SHUTDOWN_BOTH)
    this.#touch(this)
  }

  /** Ends the connection now, for both sides, whatever is under way: also when a clean disconnect is never confirmed. */
  reset(reason: VsockCloseReason = 'reset'): void {
    if (this.connection.state === 'closed') return
    this.connection.reset(reason)
    this.#touch(this)
    this.#notifyClosed()
  }

  /** @internal A packet for this connection, whose payload is `payload`. */
  deliver(header: VsockHeader, payload: PayloadSource): void {
    switch (this.connection.receive(header)) {
      case 'connected':
        this.#events.emit('open')
        break
      case 'data':
        this.#store(header.len, payload)
        this.#events.emit('readable')
        break
      case 'shutdown':
        this.#events.emit('readable')
        break
      case 'closed':
        this.#notifyClosed()
        return
    }
    this.#changed.wake()
  }

  /** @internal The next packet to send, its payload in `target`; false when there is none. */
  nextPacket(out: VsockHeader, target: Uint8Array): boolean {
    if (!this.connection.transmit(this.#queued.length, target.length, out)) return false
    if (out.len > 0) {
      this.#queued.shift(target.subarray(0, out.len))
      this.#events.emit('writable')
      this.#changed.wake()
    }
    return true
  }

  /** @internal */
  wantsToTransmit(): boolean {
    return this.connection.wantsToTransmit(this.#queued.length)
  }

  /** @internal The peer is gone without a word. */
  vanish(): void {
    this.connection.vanish()
    this.#notifyClosed()
  }

  #store(length: number, payload: PayloadSource): void {
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length)
    const bytes = this.#scratch.subarray(0, length)
    payload.into(bytes)
    this.#received.push(bytes)
  }

  #notifyClosed(): void {
    this.#queued.clear()
    if (this.connection.closeReason !== null) this.#events.emit('close', this.connection.closeReason)
    this.#changed.wake()
  }

  #closedError(): VirtioError {
    const { closeReason, peerCid, peerPort } = this.connection
    return new VirtioError(
      'VSOCK_CLOSED',
      `the stream to ${peerCid}:${peerPort} is closed (${closeReason ?? 'shutdown'})`,
    )
  }
}
