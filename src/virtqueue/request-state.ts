/**
 * A deferred request in a snapshot. Its chain is saved as it was checked when it was taken, not as the driver's descriptors
 * read later: the device trusts private copies only (museum 17), and a snapshot is one.
 */
import type { ChainReader, ChainWriter } from './chain/chain-stream.ts'
import type { DescriptorChain } from './chain/descriptor-chain.ts'
import type { DeviceRing } from './device-ring.ts'
import { requireState } from './ring-state.ts'

/** Plain data, as JSON keeps it. */
export interface RequestState {
  /** Head of the chain, which is in flight in the queue's state. */
  readonly id: number
  /** Guest-physical address and length of each segment, the device-readable ones first. */
  readonly segments: readonly (readonly [address: number, length: number])[]
  /** How many of the segments are device-readable. */
  readonly readableCount: number
  readonly descriptorCount: number
  /** How far the reader and the writer were. */
  readonly readBytes: number
  readonly writtenBytes: number
  readonly readerOverrun: boolean
  readonly writerOverrun: boolean
}

/** A request as far as it is saved. */
interface OpenRequest {
  readonly chain: DescriptorChain
  readonly reader: ChainReader
  readonly writer: ChainWriter
}

export function saveRequest({ chain, reader, writer }: OpenRequest): RequestState {
  return {
    id: chain.id,
    segments: Array.from({ length: chain.segmentCount }, (_, i) => [chain.address[i]!, chain.length[i]!] as const),
    readableCount: chain.readableCount,
    descriptorCount: chain.descriptorCount,
    readBytes: chain.readableBytes - reader.remaining,
    writtenBytes: writer.written,
    readerOverrun: reader.overrun,
    writerOverrun: writer.overrun,
  }
}

/** Throws `VirtioError` INVALID_STATE unless `states` can be the chains that `queue` has in flight, each once. */
export function checkRequestState(states: readonly RequestState[], queue: DeviceRing): void {
  requireState(Array.isArray(states), 'deferred requests must be an array')
  const heads = new Set<number>()
  for (const state of states) {
    requireState(state !== null && typeof state === 'object', 'a deferred request must be an object')
    const { id, segments, readableCount, descriptorCount, readBytes, writtenBytes } = state
    requireState(
      queue.writableBytesOf(id) >= 0 && !heads.has(id),
      `deferred request ${id} is not in flight, or there twice`,
    )
    heads.add(id)
    requireState(Array.isArray(segments) && segments.every(isSegment), `request ${id}: segments are [address, length]`)
    requireState(isCount(readableCount, segments.length), `request ${id}: readableCount must be 0..${segments.length}`)
    requireState(
      isCount(descriptorCount, queue.size + 1),
      `request ${id}: descriptorCount must be 0..${queue.size + 1}`,
    )
    const readable = bytesOf(segments.slice(0, readableCount))
    const writable = bytesOf(segments.slice(readableCount))
    requireState(
      writable === queue.writableBytesOf(id),
      `request ${id} has ${writable} writable bytes, not what is in flight`,
    )
    requireState(isCount(readBytes, readable), `request ${id}: readBytes must be 0..${readable}`)
    requireState(isCount(writtenBytes, writable), `request ${id}: writtenBytes must be 0..${writable}`)
    const { readerOverrun, writerOverrun } = state
    requireState(
      typeof readerOverrun === 'boolean' && typeof writerOverrun === 'boolean',
      `request ${id}: overruns are true or false`,
    )
  }
  requireState(
    heads.size === queue.inFlight,
    `${queue.inFlight} chains are in flight, but ${heads.size} are deferred requests`,
  )
}

/** Fills `chain` from a checked state. Throws `VirtioError` INVALID_STATE when its memory is not there. */
export function reopenChain(state: RequestState, queue: DeviceRing, chain: DescriptorChain): void {
  chain.clear()
  for (const [i, [address, length]] of state.segments.entries()) {
    if (i === state.readableCount) chain.readableCount = chain.segmentCount
    const there = queue.memory.translate(address, length, chain.segments)
    requireState(there, `request ${state.id}: ${length} bytes at ${address} are not backed by memory`)
    if (i < state.readableCount) chain.readableBytes += length
    else chain.writableBytes += length
  }
  if (state.readableCount === state.segments.length) chain.readableCount = chain.segmentCount
  chain.id = state.id
  chain.memory = queue.memory
  chain.descriptorCount = state.descriptorCount
}

function isSegment(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false
  const [address, length] = value as unknown[]
  return Number.isSafeInteger(address) && (address as number) >= 0 && isCount(length, 0xffff_ffff) && length !== 0
}

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most
}

function bytesOf(segments: RequestState['segments']): number {
  return segments.reduce((sum, [, length]) => sum + length, 0)
}
