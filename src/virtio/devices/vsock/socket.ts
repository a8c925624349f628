/**
 * One end of a vsock stream: a connection and its two buffers. The synchronous half (`write`, `read`, events) suits a
 * simulation, the asynchronous half (`send`, `receive`, `for await`) everything else. Bytes beyond the peer's credit wait here.
 */
import { checkBytes, checkSignal } from '../../../internal/check-option.ts'
import { ByteRing } from '../byte-ring.ts'
import type { VsockConnection } from './connection.ts'
import type { VsockHeader } from './header.ts'
import { type PayloadSource, type SocketOwner, VsockSocketBase } from './socket-base.ts'
import { checkSocketState, type VsockSocketState } from './state.ts'

/** A stream socket: bytes, in order, without boundaries. */
export class VsockSocket extends VsockSocketBase implements AsyncIterable<Uint8Array> {
  readonly #received: ByteRing
  readonly #queued: ByteRing

  /** Made by `VsockEndpoint` only. */
  constructor(connection: VsockConnection, sendBufferBytes: number, owner: SocketOwner) {
    super(connection, owner)
    this.#received = new ByteRing(connection.bufAlloc)
    this.#queued = new ByteRing(sendBufferBytes)
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
  override get ended(): boolean {
    return this.#received.length === 0 && !this.connection.canReceive
  }

  /** Queues bytes for the peer; says how many were taken. What is not taken has to be written again after `writable`. */
  write(bytes: Uint8Array): number {
    checkBytes('bytes', bytes)
    const taken = this.connection.canSend ? this.#queued.push(bytes) : 0
    if (taken > 0) this.touch()
    return taken
  }

  /** Moves received bytes to `target`, which gives the peer new credit; says how many. */
  read(target: Uint8Array): number {
    checkBytes('target', target)
    const count = this.#received.shift(target)
    if (count > 0) {
      this.connection.forward(count)
      this.touch()
    }
    return count
  }

  /**
   * Writes all of `bytes`, waiting for credit, and for earlier calls: nothing comes between. Rejects with VSOCK_CLOSED when the
   * connection ends before, or with the signal's reason: then some of the bytes may have gone already.
   */
  async send(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkBytes('bytes', bytes)
    if (signal !== undefined) checkSignal('signal', signal)
    if (bytes.length === 0) return
    let sent = 0
    await this.writeInTurn(() => {
      for (let taken = 1; taken > 0 && sent < bytes.length; sent += taken) taken = this.write(bytes.subarray(sent))
      return sent === bytes.length
    }, signal)
  }

  /** The bytes that are there, or the next ones to come; null at the end of the stream. Rejects when it was cut off. */
  async receive(signal?: AbortSignal): Promise<Uint8Array | null> {
    if (signal !== undefined) checkSignal('signal', signal)
    signal?.throwIfAborted()
    while (this.#received.length === 0) {
      this.throwIfCutOff()
      if (!this.connection.canReceive) return null
      await this.changed(signal)
    }
    const bytes = new Uint8Array(this.#received.length)
    this.read(bytes)
    return bytes
  }

  /** Bytes as they come, to the end of the stream; throws as `receive`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let bytes = await this.receive(); bytes !== null; bytes = await this.receive()) yield bytes
  }

  /** @internal */
  override saveState(): VsockSocketState {
    return {
      connection: this.connection.saveState(),
      received: [...this.#received.toBytes()],
      queued: [...this.#queued.toBytes()],
      receivedMessages: [],
      queuedMessages: [],
    }
  }

  /** @internal Fills a socket that was just made around the saved connection. */
  restoreState(state: VsockSocketState): this {
    checkSocketState(state, this.#queued.capacity)
    this.#received.push(Uint8Array.from(state.received))
    this.#queued.push(Uint8Array.from(state.queued))
    return this
  }

  protected override get sendableBytes(): number {
    return this.#queued.length
  }

  /** A stream has no boundaries (IMP-VSK-02). */
  protected override get endFlags(): number {
    return 0
  }

  protected override takeQueued(target: Uint8Array): void {
    this.#queued.shift(target)
  }

  protected override dropQueued(): void {
    this.#queued.clear()
  }

  protected override store({ len }: VsockHeader, payload: PayloadSource): boolean {
    this.#received.pushFrom(payload, len)
    return true
  }
}
