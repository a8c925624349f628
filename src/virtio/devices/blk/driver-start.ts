/** How a blk driver comes up, anew or out of a snapshot. */
import { refuseState, requireVersion, type STATE_VERSION } from '../../../internal/saved-state.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { startDriver } from '../../connect.ts'
import type { Driver } from '../../driver.ts'
import type { DriverState } from '../../driver-state.ts'
import type { DriverTransport } from '../../driver-transport.ts'
import { restoreDriver } from '../../restore-driver.ts'
import { BLK_QUEUE_SIZE, type BlkContract, type BlkFeature, blkContract, blkQueues } from './contract.ts'
import type { BlkRequestState, BlkSentState } from './driver-lane.ts'
import { BLK_DRIVER_FEATURES, type BlkDriverOptions } from './driver-options.ts'

const DEFAULT_QUEUES = 4

/** A saved driver: plain data, as JSON keeps it. Memory is not in it. */
export interface BlkDriverState {
  readonly version: typeof STATE_VERSION
  readonly driver: DriverState
  readonly queues: readonly { readonly base: number; readonly sent: readonly BlkSentState[] }[]
  readonly waiting: readonly BlkRequestState[]
}

/** Throws as `startDriver` does. */
export function start(transport: DriverTransport<BlkContract>, options: BlkDriverOptions): Driver<BlkContract> {
  const { want = BLK_DRIVER_FEATURES, queues = DEFAULT_QUEUES, queueSize = BLK_QUEUE_SIZE } = options
  const { indirectLength, commonFeatures } = options
  return startDriver<BlkContract, BlkFeature>(transport, {
    contract: blkContract(),
    // BLK-OP-DRV-03: a disk that cannot be written is not taken for one that can.
    want: want.includes('ro') ? want : [...want, 'ro'],
    queues: ({ has, config }) =>
      blkQueues(Math.min(queues, has('mq') ? Math.max(1, config.numQueues) : 1), powerOfTwo(queueSize)),
    ...(indirectLength !== undefined && { indirectLength }),
    ...(commonFeatures !== undefined && { commonFeatures }),
  })
}

function powerOfTwo(size: number): number {
  return 2 ** Math.floor(Math.log2(size))
}

/** Throws as `restoreDriver` does. */
export function attach(transport: DriverTransport<BlkContract>, options: BlkDriverOptions, state: BlkDriverState) {
  const { want = BLK_DRIVER_FEATURES } = options
  const contract = { ...blkContract(), queues: blkQueues(state.queues.length, BLK_QUEUE_SIZE) }
  return restoreDriver<BlkContract, BlkFeature>(transport, state.driver, { contract, want })
}

/** Throws `VirtioError` INVALID_STATE for what is none. */
export function checkState(state: BlkDriverState): void {
  requireVersion('blk driver', state)
  const { queues, waiting } = state
  const isRequest = (value: unknown) => typeof value === 'object' && value !== null
  const isQueue = (queue: BlkDriverState['queues'][number] | null) =>
    Number.isSafeInteger(queue?.base) && Array.isArray(queue?.sent) && queue.sent.every(isRequest)
  if (!Array.isArray(queues) || queues.length === 0 || !queues.every(isQueue)) {
    refuseState('blk driver', 'queues have a base and what was sent')
  }
  if (!Array.isArray(waiting) || !waiting.every(isRequest)) refuseState('blk driver', 'waiting are requests')
}

/** Throws `VirtioError` INVALID_STATE unless the data of a saved request are in memory. */
export function requireData({ address, lengthBytes }: BlkRequestState, memory: GuestMemory, most: number): void {
  const isLength = Number.isSafeInteger(lengthBytes) && lengthBytes >= 0 && lengthBytes <= most
  if (isLength && (lengthBytes === 0 || memory.contains(address, lengthBytes))) return
  refuseState('blk driver', 'the data of a request are not in memory')
}
