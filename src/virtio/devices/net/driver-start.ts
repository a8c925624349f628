/** How a net driver comes up, anew or out of a snapshot. */
import { VirtioError } from '../../../internal/error.ts'
import { refuseState, requireVersion, type STATE_VERSION } from '../../../internal/saved-state.ts'
import { startDriver } from '../../connect.ts'
import type { Driver } from '../../driver.ts'
import type { DriverState } from '../../driver-state.ts'
import type { DriverTransport } from '../../driver-transport.ts'
import { restoreDriver } from '../../restore-driver.ts'
import type { SlotsState } from '../buffer-slots.ts'
import {
  CONTROL_DEPENDENCIES,
  MAX_PAIRS,
  NET_FEATURES,
  type NetContract,
  type NetFeature,
  type NetFlags,
  netContract,
  netQueues,
} from './contract.ts'
import { NET_DRIVER_FEATURES, type NetDriverOptions, receiveRoom } from './driver-options.ts'
import { NET_HEADER_BYTES } from './header.ts'
import { type MacAddress, parseStation } from './mac-address.ts'

const DEFAULT_QUEUE_SIZE = 64
const LEAST_MTU = 68

/** The buffers of one pair of queues. */
export interface NetPairState {
  readonly rx: SlotsState
  readonly tx: SlotsState
}

/** A saved driver: plain data, as JSON keeps it. Memory is not in it. */
export interface NetDriverState {
  readonly version: typeof STATE_VERSION
  readonly driver: DriverState
  /** The address of the station. */
  readonly mac: string
  readonly usedPairs: number
  readonly pairs: readonly NetPairState[]
}

/** Throws as `restoreDriver` does. */
export function attach(
  transport: DriverTransport<NetContract>,
  { want = NET_DRIVER_FEATURES }: NetDriverOptions,
  { driver }: NetDriverState,
): Driver<NetContract> {
  const count = driver.queues.length
  const contract: NetContract = {
    ...netContract(),
    queues: netQueues(count >> 1, DEFAULT_QUEUE_SIZE, count % 2 === 1),
    dependencies: CONTROL_DEPENDENCIES,
  }
  return restoreDriver<NetContract, NetFeature>(transport, driver, { contract, want })
}

/** Throws `VirtioError` INVALID_STATE for what is none. */
export function checkState(state: NetDriverState): void {
  requireVersion('net driver', state)
  const { driver, mac, usedPairs, pairs } = state
  const count = Array.isArray(driver?.queues) ? driver.queues.length : 0
  const isSlots = (slots: SlotsState | null) => Array.isArray(slots?.held) && slots.bytes > NET_HEADER_BYTES
  const isPair = (pair: NetPairState | null) => pair !== null && isSlots(pair?.rx) && isSlots(pair?.tx)
  if (count < 2 || !Array.isArray(pairs) || pairs.length < 1 || pairs.length > count >> 1 || !pairs.every(isPair)) {
    refuseState('net driver', 'it has buffers for its pairs of queues')
  }
  if (!Number.isInteger(usedPairs) || usedPairs < 1 || usedPairs > pairs.length) {
    refuseState('net driver', `usedPairs are 1 to ${pairs.length}`)
  }
  if (typeof mac !== 'string' || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) {
    refuseState('net driver', 'mac is an address')
  }
}

/** Throws as `startDriver` does. */
export function start(transport: DriverTransport<NetContract>, options: NetDriverOptions): Driver<NetContract> {
  const { want = NET_DRIVER_FEATURES, queueSize = DEFAULT_QUEUE_SIZE, commonFeatures } = options
  const contract: NetContract = { ...netContract(), dependencies: CONTROL_DEPENDENCIES }
  return startDriver<NetContract, NetFeature>(transport, {
    contract,
    want,
    // IMP-NET-01
    queues: ({ has, config }) => {
      const pairs = has('mq') ? config.maxVirtqueuePairs : 1
      if (pairs >= 1 && pairs <= MAX_PAIRS) return netQueues(pairs, powerOfTwo(queueSize), has('ctrlVq'))
      throw new VirtioError('CONFIG_VALUE', `max_virtqueue_pairs is ${pairs}; a device with MQ has 1 to ${MAX_PAIRS}`)
    },
    ...(commonFeatures !== undefined && { commonFeatures }),
  })
}

/** NET-CFG-DEV-02 */
export function checkedMtu(mtu: number): number {
  if (mtu >= LEAST_MTU) return mtu
  throw new VirtioError('CONFIG_VALUE', `mtu is ${mtu}; a device with MTU has ${LEAST_MTU} or more`)
}

function powerOfTwo(size: number): number {
  return 2 ** Math.floor(Math.log2(size))
}

/** All features by name, asked for or not. */
export function negotiated({ featureSet }: Driver<NetContract>): NetFlags {
  const names = Object.keys(NET_FEATURES) as NetFeature[]
  return Object.fromEntries(names.map((name) => [name, featureSet.has(NET_FEATURES[name])])) as NetFlags
}

/** NET-CFG-DRV-03, -04: the device's address; another one where it takes that; a locally administered one where it has none. */
export function stationOf({ mac }: NetDriverOptions, features: NetFlags, given: string): MacAddress {
  if (features.mac) {
    if (mac === undefined || mac.toLowerCase() === given) return parseStation("the device's mac", given)
    if (features.ctrlMacAddr) return parseStation('mac', mac)
    throw new VirtioError('INVALID_OPTION', `mac is ${mac}, and the device, whose address is ${given}, takes no other`)
  }
  if (mac === undefined) {
    throw new VirtioError('NET_NO_MAC', 'the device gives no address: pass options.mac, like 02:00:00:00:00:01')
  }
  const address = parseStation('mac', mac)
  if ((address.high & 0x200) !== 0) return address
  throw new VirtioError(
    'INVALID_OPTION',
    `mac is ${mac}: of a device without one it is locally administered, like 02:...`,
  )
}

/** Throws `VirtioError` INVALID_OPTION for buffers that together do not hold a frame, or alone, where they are not merged. */
export function rxBufferBytes(options: NetDriverOptions, features: NetFlags, mtu: number, buffers: number): number {
  const room = receiveRoom(features, mtu)
  const { rxBufferBytes: bytes = Math.max(room.buffer, Math.ceil(room.total / buffers)) } = options
  const held = features.mrgRxbuf ? bytes * buffers : bytes
  if (held >= room.total) return bytes
  const what = features.mrgRxbuf ? `${buffers} receive buffers of ${bytes} bytes` : `a receive buffer of ${bytes} bytes`
  throw new VirtioError('INVALID_OPTION', `${what} cannot hold a frame: ${room.total} bytes are needed`)
}
