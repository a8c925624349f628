/**
 * What survives of a driver in a snapshot: plain data, as JSON keeps it. The memory, and the device behind the transport, are saved by
 * their owners. A saved state is foreign input and is checked as such (museum 30).
 */
import { refuseState, requireVersion, type STATE_VERSION } from '../internal/saved-state.ts'
import type { DriverRing, DriverRingState, UsedLengthPolicy } from '../virtqueue/index.ts'
import type { DriverBlock } from './driver.ts'
import type { QueueAddresses } from './driver-transport.ts'
import { FeatureSet } from './features.ts'

/** What a `DriverQueue` knows beyond its ring. */
export interface QueueCalls {
  /** `onUsed` was set: somebody uses the ring itself, and saves what he needs for it. */
  readonly ownsRing: boolean
  /** Heads that were added with a callback. */
  readonly posted: readonly number[]
  /** Calls that the device has, oldest first, and where their buffers are. */
  readonly calls: readonly {
    readonly id: number
    readonly address: number
    readonly sentBytes: number
    readonly replyBytes: number
  }[]
  /** Calls that wait for room, with what they send. */
  readonly waiting: readonly { readonly parts: readonly (readonly number[])[]; readonly replyBytes: number }[]
}

/** A queue of a saved driver: plain data, as JSON keeps it. */
export interface DriverQueueState extends QueueCalls {
  readonly name: string
  readonly addresses: QueueAddresses
  /** Of the indirect tables; length 0 for none. */
  readonly indirectArea: number
  readonly indirectLength: number
  readonly usedLength: UsedLengthPolicy
  readonly ring: DriverRingState
}

/** A saved driver: plain data, as JSON keeps it, with the version of its format. Memory is not in it. */
export interface DriverState {
  readonly version: typeof STATE_VERSION
  readonly deviceId: number
  /** Accepted features, window by window. */
  readonly featureWindows: readonly number[]
  readonly queues: readonly DriverQueueState[]
  /** Blocks that live as long as the driver. */
  readonly blocks: readonly DriverBlock[]
  /** What the transport's `saveState` returned; null when it has none. */
  readonly transport: unknown
}

/** Throws `VirtioError` INVALID_STATE unless `state` has the shape of a driver of such a device. */
export function checkDriverShape(state: DriverState, deviceId: number, queues: readonly string[]): void {
  requireVersion('driver', state)
  requireDriverState(state.deviceId === deviceId, `it is of device type ${state.deviceId}, this one is ${deviceId}`)
  const { featureWindows } = state
  requireDriverState(
    Array.isArray(featureWindows) && featureWindows.length === 4 && featureWindows.every((word) => word >>> 0 === word),
    'featureWindows must be four words',
  )
  requireDriverState(Array.isArray(state.queues), 'queues must be an array')
  const names = state.queues.map((queue) => queue?.name)
  requireDriverState(
    names.join() === queues.join(),
    `its queues are ${names.join(', ')}, the contract has ${queues.join(', ')}`,
  )
  for (const { name, addresses, indirectArea, indirectLength, usedLength } of state.queues) {
    const isPolicy = usedLength === 'reject' || usedLength === 'clamp'
    requireDriverState(isPolicy, `queue ${name}: usedLength is reject or clamp`)
    requireDriverState(addresses !== null && typeof addresses === 'object', `queue ${name} must have addresses`)
    requireDriverState(isCount(indirectArea) && isCount(indirectLength), `queue ${name}: no such indirect tables`)
  }
  requireDriverState(Array.isArray(state.blocks) && state.blocks.every(isBlock), 'blocks must be addresses and lengths')
}

export function acceptedFeatures(state: DriverState): FeatureSet {
  return state.featureWindows.reduce((set, word, window) => set.withWindow(window, word), FeatureSet.empty)
}

/** Throws `VirtioError` INVALID_STATE unless every chain that `ring` has outstanding is a call, was posted, or is its owner's. */
export function checkCalls(state: QueueCalls, name: string, ring: DriverRing): void {
  const { ownsRing, posted, calls, waiting } = state
  const areLists = [posted, calls, waiting].every(Array.isArray)
  requireDriverState(typeof ownsRing === 'boolean' && areLists, `queue ${name} must say who has its chains`)
  const heads = new Set<number>()
  const take = (id: number, writableBytes: number | null) => {
    const writable = ring.writableBytesOf(id)
    const isOurs = writable >= 0 && !heads.has(id) && (writableBytes === null || writable === writableBytes)
    requireDriverState(isOurs, `queue ${name}: chain ${id} is not outstanding like that, or there twice`)
    heads.add(id)
  }
  for (const id of posted) take(id, null)
  for (const call of calls) {
    requireDriverState(call !== null && typeof call === 'object', `queue ${name}: a call must be an object`)
    const { id, address, sentBytes, replyBytes } = call
    requireDriverState(isCount(address) && isCount(sentBytes) && isCount(replyBytes), `queue ${name}: call ${id}`)
    const inMemory = sentBytes + replyBytes > 0 && ring.memory.contains(address, sentBytes + replyBytes)
    requireDriverState(inMemory, `queue ${name}: the buffers of call ${id} are not in memory`)
    take(id, replyBytes)
  }
  for (const call of waiting) {
    const isCall = call !== null && typeof call === 'object' && isCount(call.replyBytes) && Array.isArray(call.parts)
    requireDriverState(isCall && call.parts.every(isBytes), `queue ${name}: a waiting call is parts and replyBytes`)
    const buffers = call.parts.length + (call.replyBytes > 0 ? 1 : 0)
    requireDriverState(buffers > 0 && buffers <= ring.size, `queue ${name}: ${buffers} buffers do not fit the ring`)
  }
  const known = ownsRing || heads.size === ring.outstanding
  requireDriverState(known, `queue ${name} has ${ring.outstanding} chains outstanding, ${heads.size} are told of`)
}

export function requireDriverState(condition: boolean, why: string): asserts condition {
  if (!condition) refuseState('driver', why)
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isBlock(value: unknown): boolean {
  const block = value as DriverBlock | null
  return block !== null && typeof block === 'object' && isCount(block.address) && isCount(block.lengthBytes)
}

function isBytes(value: unknown): boolean {
  const isByte = (byte: unknown) => isCount(byte) && (byte as number) <= 255
  return Array.isArray(value) && value.length > 0 && value.every(isByte)
}
