/**
 * One end of a vsock seqpacket connection (virtio 1.4 §5.10.6.6): messages arrive whole, in order, and may end a record. A message
 * travels in as many packets as credit and buffers ask for, and can be read when its last byte is there.
 *
 * A message has at least one byte: no credit bounds empty ones, and a POSIX reader takes one for the end. It has at most as many
 * as fit the peer's receive buffer, for a longer one could never be read, and as fit our send buffer.
 */
import { checkBoolean, checkBytes, checkObject, checkSignal } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import type { VsockConnection } from './connection.ts'
import { VIRTIO_VSOCK_SEQ_EOM, VIRTIO_VSOCK_SEQ_EOR, type VsockHeader } from './header.ts'
import { MessageQueue } from './message-queue.ts'
import { type PayloadSource, type SocketOwner, VsockSocketBase } from './socket-base.ts'
import { checkSocketState, type VsockSocketState } from './state.ts'

/** A message that arrived. */
export interface VsockMessage {
  /** A copy: yours. */
  readonly bytes: Uint8Array
  /** The message is the last one of its record (POSIX MSG_EOR). */
  readonly endOfRecord: boolean
}

/** How a message is sent. */
export interface VsockMessageOptions {
  /** Marks the end of a record. Default false. */
  readonly endOfRecord?: boolean
}

/** How a message is sent, and waited for. */
export interface VsockSendOptions extends VsockMessageOptions {
  /** Stops the wait: then nothing of the message was sent. */
  readonly signal?: AbortSignal
}

/** A seqpacket socket: messages, whole and in order. */
export class VsockSeqpacketSocket extends VsockSocketBase implements AsyncIterable<VsockMessage> {
  readonly #received: MessageQueue
  readonly #queued: MessageQueue

  /** Made by `VsockEndpoint` only. */
  constructor(connection: VsockConnection, sendBufferBytes: number, owner: SocketOwner) {
    super(connection, owner)
    this.#received = new MessageQueue(connection.bufAlloc)
    this.#queued = new MessageQueue(sendBufferBytes)
  }

  /** Messages that `read` can take now. */
  get readableMessages(): number {
    return this.#received.count
  }

  /** Bytes of the longest message that can be sent: 0 before the peer has accepted, or while it has no buffer at all. */
  get maxMessageBytes(): number {
    return Math.min(this.connection.peerBufAlloc, this.#queued.bytes.capacity)
  }

  /** Nothing is left to read, and nothing more will come. */
  override get ended(): boolean {
    return this.#received.count === 0 && !this.connection.canReceive
  }

  /**
   * Queues a message for the peer, all of it or nothing. False: not now, try again after `open` or `writable`; or never, when the
   * connection takes no more. Throws `VirtioError` VSOCK_MESSAGE_SIZE for a message that is empty or longer than `maxMessageBytes`.
   */
  write(bytes: Uint8Array, options: VsockMessageOptions = {}): boolean {
    checkBytes('bytes', bytes)
    checkObject('options', options)
    const { endOfRecord = false } = options
    checkBoolean('endOfRecord', endOfRecord)
    if (!this.connection.canSend || this.maxMessageBytes === 0) return false
    this.#checkSize(bytes.length)
    if (this.#queued.bytes.free < bytes.length) return false
    this.#queued.bytes.push(bytes)
    this.#queued.end({ bytes: bytes.length, endOfRecord })
    this.touch()
    return true
  }

  /** The oldest message that is whole, which gives the peer new credit; null when there is none. */
  read(): VsockMessage | null {
    if (this.#received.count === 0) return null
    const endOfRecord = this.#received.frontEndsRecord
    const bytes = new Uint8Array(this.#received.frontBytes)
    this.#received.shift(bytes)
    this.connection.forward(bytes.length)
    this.touch()
    return { bytes, endOfRecord }
  }

  /**
   * Writes a message, waiting for the peer to accept, for earlier calls and for room. Rejects with VSOCK_MESSAGE_SIZE for one that can never be
   * sent, with VSOCK_CLOSED when the connection ends before, or with the signal's reason.
   */
  async send(bytes: Uint8Array, options: VsockSendOptions = {}): Promise<void> {
    checkBytes('bytes', bytes)
    checkObject('options', options)
    const { endOfRecord = false, signal } = options
    checkBoolean('endOfRecord', endOfRecord)
    if (signal !== undefined) checkSignal('signal', signal)
    await this.writeInTurn(() => this.write(bytes, { endOfRecord }), signal)
  }

  /** The oldest message, or the next to come; null at the end. Rejects when the connection was cut off. */
  async receive(signal?: AbortSignal): Promise<VsockMessage | null> {
    if (signal !== undefined) checkSignal('signal', signal)
    signal?.throwIfAborted()
    while (this.#received.count === 0) {
      this.throwIfCutOff()
      if (!this.connection.canReceive) return null
      await this.changed(signal)
    }
    return this.read()
  }

  /** Messages as they come, to the end; throws as `receive`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<VsockMessage> {
    for (let message = await this.receive(); message !== null; message = await this.receive()) yield message
  }

  /** @internal */
  override saveState(): VsockSocketState {
    return {
      connection: this.connection.saveState(),
      received: [...this.#received.bytes.toBytes()],
      queued: [...this.#queued.bytes.toBytes()],
      receivedMessages: this.#received.ends(),
      queuedMessages: this.#queued.ends(),
    }
  }

  /** @internal Fills a socket that was just made around the saved connection. */
  restoreState(state: VsockSocketState): this {
    checkSocketState(state, this.#queued.bytes.capacity)
    this.#received.bytes.push(Uint8Array.from(state.received))
    for (const { bytes, endOfRecord } of state.receivedMessages) this.#received.end({ bytes, endOfRecord })
    this.connection.emptyMessages = state.receivedMessages.filter(({ bytes }) => bytes === 0).length
    this.#queued.bytes.push(Uint8Array.from(state.queued))
    for (const { bytes, endOfRecord } of state.queuedMessages) this.#queued.end({ bytes, endOfRecord })
    return this
  }

  protected override get sendableBytes(): number {
    return this.#queued.frontBytes
  }

  protected override get endFlags(): number {
    return this.#queued.frontEndsRecord ? VIRTIO_VSOCK_SEQ_EOM | VIRTIO_VSOCK_SEQ_EOR : VIRTIO_VSOCK_SEQ_EOM
  }

  protected override takeQueued(target: Uint8Array): void {
    this.#queued.shift(target)
  }

  protected override dropQueued(): void {
    this.#queued.clear()
  }

  protected override store({ len, flags }: VsockHeader, payload: PayloadSource): boolean {
    this.#received.bytes.pushFrom(payload, len)
    if ((flags & VIRTIO_VSOCK_SEQ_EOM) === 0) return false
    const messageBytes = this.#received.bytes.length - this.#received.wholeBytes
    this.#received.end({ bytes: messageBytes, endOfRecord: (flags & VIRTIO_VSOCK_SEQ_EOR) !== 0 })
    return true
  }

  #checkSize(bytes: number): void {
    const most = this.maxMessageBytes
    if (bytes >= 1 && bytes <= most) return
    throw new VirtioError('VSOCK_MESSAGE_SIZE', `a message to this peer has 1 to ${most} bytes, not ${bytes}`)
  }
}
