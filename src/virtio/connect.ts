/**
 * How a driver comes up (virtio 1.4 §3.1.1): reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK and its answer, queues, DRIVER_OK,
 * in that order (INIT-DRV-01). A step that fails leaves FAILED behind and throws (INIT-DRV-05, -06). Optional features degrade:
 * what is wanted and not offered is simply not there (FEAT-DRV-06).
 */
import {
  checkArray,
  checkFunction,
  checkInteger,
  checkMemory,
  checkMethods,
  checkObject,
  checkSignal,
  checkWord,
} from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import {
  type DriverRing,
  type DriverRingState,
  indirectTablesBytes,
  layoutRing,
  MAX_QUEUE_SIZE,
  openDriverRing,
  ringBytes,
  ringSizeAtMost,
  type UsedLengthPolicy,
  type Violation,
} from '../virtqueue/index.ts'
import type { ConfigValues } from './config-layout.ts'
import {
  ACKNOWLEDGE,
  DEVICE_NEEDS_RESET,
  DRIVER,
  DRIVER_OK,
  FAILED,
  FEATURE_WINDOWS,
  FEATURES_OK,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_ORDER_PLATFORM,
  VIRTIO_F_VERSION_1,
} from './constants.ts'
import {
  checkContract,
  contractDependencies,
  type DeviceContract,
  type FeatureName,
  type QueueName,
  type QueueSpec,
} from './device-contract.ts'
import { featureNames } from './device-features.ts'
import { type Driver, type DriverBlock, DriverCore, needsReset, type QueuePlace, replaceDriver } from './driver.ts'
import { DriverConfig } from './driver-config.ts'
import { DriverError } from './driver-error.ts'
import { DRIVER_COMMON_FEATURES, USUAL_DRIVER_FEATURES } from './driver-features.ts'
import { DriverQueue } from './driver-queue.ts'
import type { DriverTransport } from './driver-transport.ts'
import { checkFeatureSet, closedSubset, FeatureSet } from './features.ts'
import { formatOf } from './ring-format.ts'

/** Status reads, or event-loop turns, that a reset may take. */
const RESET_POLLS = 1000

/** What a driver knows of its device when it decides on the queues. */
export interface NegotiatedDevice<C extends DeviceContract> {
  /** Whether a feature of the contract was negotiated. */
  has(feature: FeatureName<C>): boolean
  readonly config: ConfigValues<C['config']>
}

/** What a driver wants of a device, for `startDriver` and `connect`. */
export interface DriverOptions<C extends DeviceContract, W extends FeatureName<C>, R extends FeatureName<C>> {
  /** Names for queues, features and configuration; default: the transport's. */
  readonly contract?: C
  /**
   * The queues of this very device, in the order of their indices, where their number depends on what was negotiated and on the
   * configuration (the pairs of a net device, the ports of a console). Called once, after FEATURES_OK. Default: those of the contract.
   */
  readonly queues?: (device: NegotiatedDevice<C>) => readonly C['queues'][number][]
  /** Features to use when they are offered. */
  readonly want?: readonly W[]
  /** Features without which there is no driver. */
  readonly require?: readonly R[]
  /**
   * Common features to use when offered, among DRIVER_COMMON_FEATURES. Default: EVENT_IDX, RING_RESET, and INDIRECT_DESC with an
   * `indirectLength`; with RING_PACKED the rings are packed where the device offers that. VERSION_1, ACCESS_PLATFORM and ORDER_PLATFORM are used whenever they are offered: with ACCESS_PLATFORM addresses
   * are the platform's (what `DriverTransport.allocate` gives, behind an IOMMU bus addresses); ORDER_PLATFORM needs no more than the
   * ordered accesses that rings in shared memory have anyway.
   */
  readonly commonFeatures?: FeatureSet
  /** Entries per queue: at most what the device has, rounded down to a power of two where rings are split. Default: as in the contract. */
  readonly queueSizes?: Partial<Readonly<Record<QueueName<C>, number>>>
  /** Entries of each indirect table, 0 to 32768; 0, the default: no tables. */
  readonly indirectLength?: number
  /**
   * A device that says it wrote more than the chain has room for, as QEMU's scsi does (it counts both directions): `reject`, the
   * default, gives the device up; `clamp` reports a violation, and takes what room there was.
   */
  readonly usedLength?: UsedLengthPolicy
}

/** `DriverOptions`, and how long `connect` waits for a device that resets slowly. */
export interface ConnectOptions<C extends DeviceContract, W extends FeatureName<C>, R extends FeatureName<C>>
  extends DriverOptions<C, W, R> {
  /** Stops the wait for a device that resets slowly. */
  readonly signal?: AbortSignal
}

/** Wanted features are booleans, required ones true, others do not exist. */
export type FeatureFlags<W extends string, R extends string> = { readonly [K in Exclude<W, R>]: boolean } & {
  readonly [K in R]: true
}

/**
 * Brings a device up and returns its driver, without waiting but for the bounded polling of a reset. Throws `VirtioError`:
 * NO_DEVICE, WRONG_DEVICE, RESET_TIMEOUT, FEATURES_MISSING, FEATURES_REFUSED, QUEUE_ABSENT, QUEUE_REFUSED, DEVICE_NEEDS_RESET,
 * CONFIG_TOO_SHORT, CONTRACT, INVALID_OPTION, OUT_OF_MEMORY.
 */
export function startDriver<
  C extends DeviceContract,
  const W extends FeatureName<C> = never,
  const R extends FeatureName<C> = never,
>(transport: DriverTransport<C>, options: DriverOptions<C, W, R> = {}): Driver<C, FeatureFlags<W, R>> {
  const contract = checkedContract(transport, options)
  replaceDriver(transport, 'reset the device')
  transport.writeStatus(0)
  for (let polls = 0; transport.readStatus() !== 0; polls++) if (polls === RESET_POLLS) throw resetTimeout()
  return new DriverStart(transport, contract, options).run() as Driver<C, FeatureFlags<W, R>>
}

/** `startDriver` for a device whose reset takes its time: waits between polls, until `signal` is aborted. */
export async function connect<
  C extends DeviceContract,
  const W extends FeatureName<C> = never,
  const R extends FeatureName<C> = never,
>(transport: DriverTransport<C>, options: ConnectOptions<C, W, R> = {}): Promise<Driver<C, FeatureFlags<W, R>>> {
  const contract = checkedContract(transport, options)
  if (options.signal !== undefined) checkSignal('signal', options.signal)
  options.signal?.throwIfAborted()
  replaceDriver(transport, 'reset the device')
  transport.writeStatus(0)
  for (let polls = 0; transport.readStatus() !== 0; polls++) {
    if (polls === RESET_POLLS) throw resetTimeout()
    await new Promise((resolve) => setTimeout(resolve, 1))
    options.signal?.throwIfAborted()
  }
  return new DriverStart(transport, contract, options).run() as Driver<C, FeatureFlags<W, R>>
}

/**
 * The device's offer. Some transports have two windows and show them again where the third and fourth would be (QEMU's mmio): what is
 * repeated there is not offered.
 */
export function readOffer(transport: DriverTransport): FeatureSet {
  const words = Array.from({ length: FEATURE_WINDOWS }, (_, window) => transport.readDeviceFeatures(window))
  const repeats = (third: number, fourth: number) => words[2] === words[third] && words[3] === words[fourth]
  const windows = repeats(1, 1) || repeats(0, 1) ? 2 : FEATURE_WINDOWS
  return words.slice(0, windows).reduce((set, word, window) => set.withWindow(window, word), FeatureSet.empty)
}

/** One attempt, from the finished reset (RESET-DRV-01) to DRIVER_OK. */
class DriverStart<C extends DeviceContract, W extends FeatureName<C>, R extends FeatureName<C>> {
  readonly #transport: DriverTransport<C>
  #contract: C
  readonly #options: DriverOptions<C, W, R>
  readonly #blocks: DriverBlock[] = []
  readonly #places: QueuePlace[] = []
  #status = 0
  #offered = FeatureSet.empty
  #driver: DriverCore<C, FeatureFlags<W, R>> | null = null

  constructor(transport: DriverTransport<C>, contract: C, options: DriverOptions<C, W, R>) {
    this.#transport = transport
    this.#contract = contract
    this.#options = options
  }

  run(): DriverCore<C, FeatureFlags<W, R>> {
    try {
      return this.#start()
    } catch (error) {
      this.#addStatus(FAILED)
      this.#transport.onInterrupt(null)
      // A device that never was live has never touched them.
      if ((this.#status & DRIVER_OK) === 0) {
        for (const { address, lengthBytes } of this.#blocks) this.#transport.free(address, lengthBytes)
      }
      throw error
    }
  }

  #start(): DriverCore<C, FeatureFlags<W, R>> {
    this.#addStatus(ACKNOWLEDGE)
    this.#addStatus(DRIVER)
    const offered = readOffer(this.#transport)
    this.#offered = offered
    const accepted = this.#choose(offered)
    this.#writeFeatures(accepted)
    const config = new DriverConfig<C['config']>(this.#transport, this.#contract.config, (name) =>
      offered.has(this.#bitOf(name)),
    )
    const present = this.#options.queues?.({ has: (name) => accepted.has(this.#bitOf(name)), config: config.fields })
    if (present !== undefined) this.#useQueues(present)
    const queues = this.#contract.queues.map((_, index) => this.#setupQueue(index, accepted))
    const asked = [...(this.#options.want ?? []), ...(this.#options.require ?? [])]
    const flags = Object.fromEntries(asked.map((name) => [name, accepted.has(this.#bitOf(name))]))
    const driver = new DriverCore(
      this.#contract,
      this.#transport,
      accepted,
      flags as FeatureFlags<W, R>,
      queues,
      config,
      this.#blocks,
      this.#places,
    )
    this.#driver = driver
    this.#addStatus(DRIVER_OK)
    const status = this.#transport.readStatus()
    if ((status & DEVICE_NEEDS_RESET) !== 0) throw needsReset(this.#transport)
    // Somebody else wrote the status while the device came up: nothing would ever answer.
    if ((status & DRIVER_OK) === 0) {
      const message = `the device was reset while it was activated: its status reads ${status}, without DRIVER_OK`
      throw new DriverError('DEVICE_NEEDS_RESET', message)
    }
    return driver
  }

  /** Only what this driver asked for is ever accepted, so unknown bits are harmless (FEAT-DRV-04, -05, -08). */
  #choose(offered: FeatureSet): FeatureSet {
    const { indirectLength = 0 } = this.#options
    const bits = (names: readonly string[] = []) => FeatureSet.of(...names.map((name) => this.#bitOf(name)))
    const usual = USUAL_DRIVER_FEATURES
    const common = this.#options.commonFeatures ?? (indirectLength > 0 ? usual.with(VIRTIO_F_INDIRECT_DESC) : usual)
    // RFB-DRV-01, -02: VERSION_1 is taken, and a device without it is refused: there is no legacy interface here.
    const required = bits(this.#options.require).with(VIRTIO_F_VERSION_1)
    const untrue = common.difference(DRIVER_COMMON_FEATURES)
    if (!untrue.equals(FeatureSet.empty)) {
      const [names, there] = [untrue, DRIVER_COMMON_FEATURES].map((set) =>
        featureNames(set, this.#contract.id).join(', '),
      )
      throw new VirtioError(
        'FEATURES',
        `commonFeatures has ${names}, which no driver here implements; there are ${there}`,
      )
    }
    // RFB-DRV-03: a driver takes these when they are offered.
    const platform = FeatureSet.of(VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_ORDER_PLATFORM)
    const wanted = required.union(bits(this.#options.want)).union(common).union(platform)
    const accepted = closedSubset(wanted.intersection(offered), contractDependencies(this.#contract))
    const missing = required.difference(accepted)
    if (missing.equals(FeatureSet.empty)) return accepted
    // FEAT-DRV-07
    throw new VirtioError(
      'FEATURES_MISSING',
      `the device does not offer ${featureNames(missing, this.#contract.id).join(', ')}, or not what they depend on`,
    )
  }

  /** Throws `VirtioError` CONTRACT for what no queues can be. */
  #useQueues(queues: readonly QueueSpec[]): void {
    this.#contract = { ...this.#contract, queues }
    checkContract(this.#contract)
  }

  #bitOf(name: string): number {
    const bit = this.#contract.features[name]
    if (bit === undefined) throw new VirtioError('CONTRACT', `device ${this.#contract.id} has no feature ${name}`)
    return bit
  }

  #writeFeatures(accepted: FeatureSet): void {
    // A device that has fewer windows may take a 0 in the third for one in the second: what is empty after a reset stays untouched.
    for (let window = 0; window < FEATURE_WINDOWS; window++) {
      const word = accepted.window(window)
      if (word !== 0) this.#transport.writeDriverFeatures(window, word)
    }
    this.#addStatus(FEATURES_OK)
    // IMP-STAT-02: only the bit that reads back counts.
    if ((this.#transport.readStatus() & FEATURES_OK) === 0) {
      const names = (set: FeatureSet) => featureNames(set, this.#contract.id).join(', ') || 'nothing'
      const missing = names(this.#offered.difference(accepted))
      const message = `the device refuses ${names(accepted)}; what it offered and was not accepted: ${missing}`
      throw new VirtioError('FEATURES_REFUSED', message)
    }
  }

  #setupQueue(index: number, accepted: FeatureSet): DriverQueue {
    const { name, size: contractSize } = this.#contract.queues[index]!
    const max = this.#transport.queueSizeMax(index)
    if (max === 0) throw new VirtioError('QUEUE_ABSENT', `the device has no queue ${index} (${name})`)
    const wanted = this.#options.queueSizes?.[name as QueueName<C>] ?? contractSize
    const format = formatOf(accepted)
    const size = ringSizeAtMost(format, Math.min(wanted, max))
    const indirect = accepted.has(VIRTIO_F_INDIRECT_DESC)
    const indirectLength = indirect ? Math.min(this.#options.indirectLength ?? 0, size) : 0
    const ringAddress = this.#allocate(ringBytes(format, size))
    const { descriptorArea, driverArea, deviceArea } = layoutRing(format, size, ringAddress)
    const addresses = { size, descriptorArea, driverArea, deviceArea }
    const indirectArea = indirectLength > 0 ? this.#allocate(indirectTablesBytes(size, indirectLength)) : 0
    const { usedLength = 'reject' } = this.#options
    const place = { addresses, indirectArea, indirectLength, usedLength }
    this.#places.push(place)
    const ring = driverRing(this.#transport, place, index, accepted, (violation) =>
      this.#driver?.onViolation(violation),
    )
    this.#transport.setupQueue(index, addresses)
    if (!this.#transport.enableQueue(index)) {
      throw new VirtioError('QUEUE_REFUSED', `the device refuses queue ${index} (${name}) of size ${size}`)
    }
    return new DriverQueue(name, ring, this.#transport, indirectLength, (error) => this.#driver?.onFault(error, index))
  }

  #allocate(lengthBytes: number): number {
    const address = this.#transport.allocate(lengthBytes, 16)
    this.#blocks.push({ address, lengthBytes })
    return address
  }

  /** Bits are only ever added (STATUS-DRV-02). */
  #addStatus(bit: number): void {
    this.#status |= bit
    this.#transport.writeStatus(this.#status)
  }
}

/** A ring at its place, new or with its saved state. */
export function driverRing(
  transport: DriverTransport,
  { addresses, indirectArea, indirectLength, usedLength }: QueuePlace,
  index: number,
  accepted: FeatureSet,
  onViolation: (violation: Violation) => void,
  state?: DriverRingState,
): DriverRing {
  const config = {
    ...addresses,
    index,
    eventIdx: accepted.has(VIRTIO_F_EVENT_IDX),
    indirect: accepted.has(VIRTIO_F_INDIRECT_DESC),
    usedLength,
    ...(indirectLength > 0 && { indirectArea, indirectLength }),
    onViolation,
  }
  return openDriverRing(formatOf(accepted), transport.memory, config, state)
}

/** Before anything is touched: the options that every driver has, and what it and its device have in common. */
function checkedContract<C extends DeviceContract>(
  transport: DriverTransport<C>,
  options: DriverOptions<C, FeatureName<C>, FeatureName<C>>,
): C {
  checkObject('options', options)
  const contract = contractOf(transport, options)
  const { indirectLength, queueSizes = {}, usedLength, commonFeatures, queues } = options
  if (queues !== undefined) checkFunction('queues', queues)
  if (indirectLength !== undefined) checkInteger('indirectLength', indirectLength, 0, MAX_QUEUE_SIZE, 'entries')
  checkObject('queueSizes', queueSizes, 'sizes by queue')
  if (usedLength !== undefined) checkWord('usedLength', usedLength, ['reject', 'clamp'])
  for (const [name, size] of Object.entries(queueSizes)) {
    checkWord(
      'queueSizes',
      name,
      contract.queues.map((queue) => queue.name),
    )
    if (size !== undefined) checkInteger(`queueSizes.${name}`, size, 1, MAX_QUEUE_SIZE, 'entries')
  }
  if (commonFeatures !== undefined) checkFeatureSet('commonFeatures', commonFeatures)
  return contract
}

const TRANSPORT_METHODS = [
  ...([
    'readDeviceFeatures',
    'writeDriverFeatures',
    'readStatus',
    'writeStatus',
    'queueSizeMax',
    'setupQueue',
  ] as const),
  ...(['enableQueue', 'notify', 'takeInterrupts', 'onInterrupt', 'allocate', 'free'] as const),
]

/** The contract of a driver on `transport`. Throws `VirtioError` INVALID_OPTION, CONTRACT, NO_DEVICE or WRONG_DEVICE. */
export function contractOf<C extends DeviceContract>(
  transport: DriverTransport<C>,
  options: Pick<DriverOptions<C, FeatureName<C>, FeatureName<C>>, 'contract' | 'want' | 'require'>,
): C {
  checkMethods('transport', transport, 'a DriverTransport', TRANSPORT_METHODS)
  checkMemory('transport.memory', transport.memory)
  const { want = [], require = [] } = options
  checkArray('want', want, 'an array of feature names')
  checkArray('require', require, 'an array of feature names')
  if (options.contract !== undefined) checkContract(options.contract)
  const contract = options.contract ?? transport.contract
  if (contract === undefined) {
    throw new VirtioError('CONTRACT', 'the transport does not know its device: pass options.contract')
  }
  if (transport.deviceId === 0) throw new VirtioError('NO_DEVICE', 'there is no device behind the transport')
  if (transport.deviceId !== contract.id) {
    throw new VirtioError('WRONG_DEVICE', `device ${transport.deviceId} is there, the driver is for ${contract.id}`)
  }
  return contract
}

function resetTimeout(): VirtioError {
  return new VirtioError('RESET_TIMEOUT', `status did not read 0 after ${RESET_POLLS} polls`)
}
