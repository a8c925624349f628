/**
 * What survives of a vsock endpoint in a snapshot: plain data, as JSON keeps it. A saved state is foreign input and is checked as
 * such (museum 30): whatever passes here can be gone on with, and neither hangs nor asserts.
 */
import { refuseState, requireVersion, type STATE_VERSION } from '../../../internal/saved-state.ts'
import type { DriverState } from '../../driver-state.ts'
import type { SlotsState } from '../buffer-slots.ts'
import type { VsockCloseReason, VsockState } from './connection.ts'
import {
  MAX_CID,
  VIRTIO_VSOCK_OP_RST,
  VIRTIO_VSOCK_TYPE_SEQPACKET,
  VIRTIO_VSOCK_TYPE_STREAM,
  type VsockHeader,
} from './header.ts'

/** A connection as plain data, as JSON keeps it: its members, and what waits to be sent. */
export interface VsockConnectionState {
  readonly type: number
  readonly localPort: number
  readonly peerCid: number
  readonly peerPort: number
  readonly bufAlloc: number
  readonly state: VsockState
  readonly closeReason: VsockCloseReason | null
  readonly peerShutdown: number
  readonly localShutdown: number
  readonly txCnt: number
  readonly peerFwdCnt: number
  readonly peerBufAlloc: number
  readonly rxCnt: number
  readonly fwdCnt: number
  readonly unreadMessages: number
  readonly messageBytes: number
  readonly announcedFwdCnt: number
  /** Operation of the REQUEST, RESPONSE or RST that waits to be sent; 0 for none. */
  readonly handshake: number
  readonly creditUpdateDue: boolean
  readonly creditRequestDue: boolean
  readonly creditAsked: boolean
  readonly shutdownDue: boolean
}

/** A socket: its connection, and the bytes on either side of it. */
export interface VsockSocketState {
  readonly connection: VsockConnectionState
  /** Bytes that the application has not read, and those that wait to be sent. */
  readonly received: readonly number[]
  readonly queued: readonly number[]
  /** Seqpacket: the messages among them, oldest first; of the first queued one what is left. Empty for a stream. */
  readonly receivedMessages: readonly VsockMessageEnd[]
  readonly queuedMessages: readonly VsockMessageEnd[]
}

/** Where a message ends: its length, and whether it ends a record. */
export interface VsockMessageEnd {
  readonly bytes: number
  readonly endOfRecord: boolean
}

/** Connections and answers of an endpoint. Listeners are code, and stay with the code. */
export interface VsockEndpointState {
  readonly version: typeof STATE_VERSION
  readonly cid: number
  readonly nextPort: number
  /** Connections that have something to send come first, in their turn. */
  readonly sockets: readonly VsockSocketState[]
  /** Resets for connections that do not exist, which wait to be sent. */
  readonly replies: readonly VsockHeader[]
}

/** The equal buffers of one queue of a `VsockDriver`. */
export type VsockSlotsState = SlotsState

/** A `VsockDriver`, with its connections; the memory and the device are saved by their owners. */
export interface VsockDriverState {
  readonly version: typeof STATE_VERSION
  readonly driver: DriverState
  readonly rx: VsockSlotsState
  readonly tx: VsockSlotsState
  readonly event: VsockSlotsState
  readonly endpoint: VsockEndpointState
}

const STATES: readonly VsockState[] = ['connecting', 'established', 'closed']
const REASONS: readonly (VsockCloseReason | null)[] = [null, 'shutdown', 'refused', 'reset', 'violation', 'fault']
const COUNTERS = ['txCnt', 'peerFwdCnt', 'peerBufAlloc', 'rxCnt', 'fwdCnt', 'announcedFwdCnt'] as const
const FLAGS = ['creditUpdateDue', 'creditRequestDue', 'creditAsked', 'shutdownDue'] as const
const HEADER_FIELDS = [
  ...(['srcCid', 'dstCid', 'srcPort', 'dstPort', 'len', 'type', 'op', 'flags', 'bufAlloc', 'fwdCnt'] as const),
]

/** Throws `VirtioError` INVALID_STATE with the rule that a saved state breaks. */
export function requireVsockState(condition: boolean, rule: string): void {
  if (!condition) refuseState('vsock', rule)
}

export function checkConnectionState(state: VsockConnectionState): void {
  requireVsockState(isObject(state), 'a connection must be an object')
  const { type, bufAlloc, closeReason } = state
  requireVsockState(isType(type), `there are no sockets of type ${type}`)
  for (const key of ['localPort', 'peerCid', 'peerPort', ...COUNTERS] as const) {
    requireVsockState(isU32(state[key]), `${key} must be 0 to 2^32 - 1, not ${state[key]}`)
  }
  requireVsockState(isU32(bufAlloc) && bufAlloc > 0, `bufAlloc must be 1 to 2^32 - 1, not ${bufAlloc}`)
  for (const key of FLAGS) requireVsockState(typeof state[key] === 'boolean', `${key} must be true or false`)
  requireVsockState(STATES.includes(state.state), `a connection is never ${state.state}`)
  const closed = state.state === 'closed'
  requireVsockState(REASONS.includes(closeReason) && (closeReason !== null) === closed, 'closeReason fits no state')
  for (const key of ['localShutdown', 'peerShutdown'] as const) {
    requireVsockState(isU32(state[key]) && state[key] <= 3, `${key} must be 0 to 3`)
  }
  requireVsockState(isU32(state.handshake) && state.handshake <= VIRTIO_VSOCK_OP_RST, 'handshake must be 0 to 3')
  const unread = (state.rxCnt - state.fwdCnt) >>> 0
  requireVsockState(unread <= bufAlloc, `${unread} bytes were received into a buffer of ${bufAlloc}`)
  const { messageBytes, unreadMessages } = state
  requireVsockState(isU32(messageBytes) && messageBytes <= unread, 'messageBytes must be among the received ones')
  requireVsockState(isU32(unreadMessages) && unreadMessages <= bufAlloc, 'unreadMessages must be at most bufAlloc')
}

/** The shape of a socket around a connection that was checked; `sendBufferBytes` is what its queue may hold. */
export function checkSocketState(state: VsockSocketState, sendBufferBytes: number): void {
  const { connection, received, queued, receivedMessages, queuedMessages } = state
  requireVsockState(isBytes(received) && isBytes(queued), 'received and queued must be arrays of bytes')
  requireVsockState(
    queued.length <= sendBufferBytes,
    `${queued.length} queued bytes, in a buffer of ${sendBufferBytes}`,
  )
  const unread = (connection.rxCnt - connection.fwdCnt) >>> 0
  // What arrives after we stopped listening is dropped, and never unread.
  requireVsockState(
    received.length === unread,
    `${received.length} received bytes are there, the counters say ${unread}`,
  )
  for (const ends of [receivedMessages, queuedMessages]) {
    requireVsockState(Array.isArray(ends) && ends.every(isMessageEnd), 'messages must have a length and endOfRecord')
  }
  if (connection.type === VIRTIO_VSOCK_TYPE_STREAM) {
    requireVsockState(receivedMessages.length + queuedMessages.length === 0, 'a stream has no messages')
    return
  }
  const whole = receivedMessages.reduce((sum, { bytes }) => sum + bytes, 0)
  requireVsockState(
    whole + connection.messageBytes === received.length && receivedMessages.length === connection.unreadMessages,
    'the received messages are not the received bytes',
  )
  const toSend = queuedMessages.reduce((sum, { bytes }) => sum + bytes, 0)
  const none = queuedMessages.some(({ bytes }) => bytes === 0)
  requireVsockState(toSend === queued.length && !none, 'the queued messages are not the queued bytes')
}

export function checkEndpointState(state: VsockEndpointState): void {
  requireVersion('vsock endpoint', state)
  requireVsockState(isU32(state.cid) && isU32(state.nextPort), 'cid and nextPort must be 0 to 2^32 - 1')
  requireVsockState(
    Array.isArray(state.sockets) && state.sockets.every(isObject),
    'sockets must be an array of objects',
  )
  requireVsockState(Array.isArray(state.replies) && state.replies.every(isReply), 'replies must be RST headers')
}

export function checkDriverState(state: VsockDriverState): void {
  requireVersion('vsock driver', state)
  for (const key of ['rx', 'tx', 'event'] as const) {
    const slots = state[key]
    requireVsockState(isObject(slots), `${key} must be an object`)
    const { base, count, bytes, held } = slots
    const isBlock = [base, count, bytes].every(Number.isSafeInteger) && base >= 0 && count > 0 && bytes > 0
    requireVsockState(isBlock && count <= 32768 && bytes <= 2 ** 20, `${key} must be buffers: base, count and bytes`)
    const isPair = (one: unknown) => Array.isArray(one) && one.length === 2 && one.every(Number.isSafeInteger)
    requireVsockState(Array.isArray(held) && held.every(isPair), `${key}.held must be heads and addresses`)
    const slotOf = new Set(held.map(([, address]) => (address - base) / bytes))
    const areSlots = [...slotOf].every((slot) => Number.isInteger(slot) && slot >= 0 && slot < count)
    requireVsockState(areSlots && slotOf.size === held.length, `${key}.held must be buffers, each once`)
  }
  checkEndpointState(state.endpoint)
}

function isReply(value: unknown): boolean {
  if (!isObject(value)) return false
  const header = value as VsockHeader
  return HEADER_FIELDS.every((key) => isU32(header[key])) && header.op === VIRTIO_VSOCK_OP_RST && header.len === 0
}

function isMessageEnd(value: unknown): boolean {
  return (
    isObject(value) &&
    isU32((value as VsockMessageEnd).bytes) &&
    typeof (value as VsockMessageEnd).endOfRecord === 'boolean'
  )
}

function isType(value: unknown): boolean {
  return value === VIRTIO_VSOCK_TYPE_STREAM || value === VIRTIO_VSOCK_TYPE_SEQPACKET
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isBytes(value: unknown): boolean {
  return Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)
}

function isU32(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_CID
}
