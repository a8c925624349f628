/** What net devices are made of, and what they count. */
import {
  checkArray,
  checkInteger,
  checkObject,
  checkPowerOfTwo,
  MAX_U16,
  refuseOption,
} from '../../../internal/check-option.ts'
import type { ViolationPolicy } from '../../../virtqueue/index.ts'
import type { FeatureSet } from '../../features.ts'
import { MAX_PAIRS, NET_FEATURES, NET_QUEUE_SIZE, type NetFeature } from './contract.ts'

/** Room for one frame of any length, and for a second one while the first is read. */
const LEAST_BACKLOG = 131_072
export const DEFAULT_BACKLOG = 2 * LEAST_BACKLOG

/** What a `NetDevice` is made of. */
export interface NetDeviceOptions {
  /** The guest's address, like `02:00:00:00:00:01`. */
  readonly mac: string
  /** Largest packet, 68 to 65535 bytes; default: MTU is not offered. */
  readonly mtu?: number
  /** Pairs of receive and transmit queues, 1 to 0x8000. More than 1 offers MQ. Default 1. */
  readonly pairs?: number
  /** Entries of each receive and transmit queue: a power of two, 1 to 32768. Default 256. */
  readonly queueSize?: number
  /** Features to offer. Default: all, MTU and MQ where the options above ask for them. */
  readonly offer?: readonly NetFeature[]
  /** Bytes of frames that wait for receive buffers, for each pair: 131072 or more, of which none is used before. Default 262144. */
  readonly backlogBytes?: number
  readonly policy?: ViolationPolicy
  /** Common features to offer; default: all that are supported. */
  readonly commonFeatures?: FeatureSet
}

/** What became of the frames of a device, since it was made. */
export class NetCounters {
  /** From the guest, handed to the outlet. */
  transmitted = 0
  /** From the guest, refused: `violation` says why. */
  refused = 0
  /** Into buffers of the guest. */
  received = 0
  /** For the guest, and dropped: no driver runs, or the link is down. */
  offline = 0
  /** By address or VLAN, as the driver has asked. */
  filtered = 0
  /** Longer than MTU, or than any receive buffers of the guest. */
  tooLong = 0
  /** They ask for segmentation that the driver does not take. */
  unsegmented = 0
  /** They are no frames, or ask for what nobody can do. */
  malformed = 0
  /** The backlog was full. */
  overflowed = 0
}

/** What cannot be offered without an option is left out. */
export function offerOf({ offer, mtu, pairs = 1 }: NetDeviceOptions): readonly NetFeature[] {
  if (offer !== undefined) return offer
  const names = Object.keys(NET_FEATURES) as NetFeature[]
  return names.filter((name) => (name !== 'mtu' || mtu !== undefined) && (name !== 'mq' || pairs > 1))
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkDeviceOptions(options: NetDeviceOptions): void {
  checkObject('options', options)
  const { mtu, pairs = 1, queueSize = NET_QUEUE_SIZE, backlogBytes = LEAST_BACKLOG, offer } = options
  // NET-CFG-DEV-02, -01
  if (mtu !== undefined) checkInteger('mtu', mtu, 68, MAX_U16, 'bytes')
  checkInteger('pairs', pairs, 1, MAX_PAIRS, 'pairs of queues')
  checkPowerOfTwo('queueSize', queueSize, 1, 32768, 'entries')
  checkInteger('backlogBytes', backlogBytes, LEAST_BACKLOG, 2 ** 30, 'bytes')
  if (offer === undefined) return
  checkArray('offer', offer, 'an array of feature names')
  if (offer.includes('mtu') && mtu === undefined)
    refuseOption('offer', offer, 'without mtu where there is no option mtu')
  // NET-CFG-DEV-14
  const needs = offer.find((name) => name === 'ctrlRxExtra' || name === 'ctrlGuestOffloads')
  if (needs !== undefined && !offer.includes('ctrlVq'))
    refuseOption('offer', offer, `with ctrlVq where it has ${needs}`)
}
