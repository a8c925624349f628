/** What a device's registers are made of, and what they tell observers. */
import {
  checkArray,
  checkInteger,
  checkMethods,
  checkObject,
  checkPowerOfTwo,
  checkWord,
  MAX_U32,
} from '../internal/check-option.ts'
import type { ChainLimits, Violation, ViolationPolicy } from '../virtqueue/index.ts'
import { checkChainLimits, VIOLATION_POLICIES } from '../virtqueue/ring-config.ts'
import type { ConfigRegisters } from './config-space.ts'
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
} from './constants.ts'
import { checkDependencies, checkFeatureSet, type FeatureDependency, FeatureSet } from './features.ts'
import type { ProtocolViolation } from './protocol-violation.ts'

/** What a device offers unless its options say something else. */
export const USUAL_COMMON_FEATURES = FeatureSet.of(
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_VERSION_1,
  VIRTIO_F_RING_RESET,
)

/** What this implementation can honour whatever the device is (FEAT-DEV-04): nothing else may be offered as a common feature. */
export const SUPPORTED_COMMON_FEATURES = USUAL_COMMON_FEATURES.with(VIRTIO_F_RING_PACKED)

/** Options of `DeviceRegisters`. */
export interface DeviceRegistersOptions {
  readonly deviceId: number
  /** Device-type features to offer. */
  readonly features?: FeatureSet
  /**
   * Common features to offer, VERSION_1 among them. Default: USUAL_COMMON_FEATURES; most: SUPPORTED_COMMON_FEATURES, which has RING_PACKED
   * too, for packed rings with drivers that accept them. ACCESS_PLATFORM is not the device's to offer: a transport that limits the
   * device's access to memory does it.
   */
  readonly commonFeatures?: FeatureSet
  /** Rules beyond those of the specification for this device type. */
  readonly dependencies?: readonly FeatureDependency[]
  /** Largest size of each queue. */
  readonly queueSizes: readonly number[]
  /** What each queue accepts as one chain; default: what the specification does. */
  readonly chainLimits?: readonly ChainLimits[]
  readonly config?: ConfigRegisters
  /** What a malformed chain does to its queue; default `needs-reset`. */
  readonly policy?: ViolationPolicy
}

/** Throws `VirtioError` INVALID_OPTION for what has the wrong type, or is out of range. */
export function checkRegistersOptions(options: DeviceRegistersOptions): void {
  checkObject('options', options)
  const { deviceId, features, commonFeatures, dependencies, queueSizes, chainLimits, config, policy } = options
  checkInteger('deviceId', deviceId, 0, MAX_U32)
  checkArray('queueSizes', queueSizes, 'an array of numbers')
  for (const [i, size] of queueSizes.entries()) checkPowerOfTwo(`queueSizes[${i}]`, size, 1, 32768, 'entries')
  if (features !== undefined) checkFeatureSet('features', features)
  if (commonFeatures !== undefined) checkFeatureSet('commonFeatures', commonFeatures)
  if (dependencies !== undefined) checkDependencies(dependencies)
  if (policy !== undefined) checkWord('policy', policy, VIOLATION_POLICIES)
  if (config !== undefined) checkMethods('config', config, 'a ConfigSpace', ['read', 'write', 'restore'])
  if (chainLimits === undefined) return
  checkArray('chainLimits', chainLimits, 'an array of ChainLimits')
  for (const [i, limits] of chainLimits.entries()) checkChainLimits(`chainLimits[${i}]`, limits)
}

/** What `DeviceRegisters` tell, with the arguments of each listener. */
export type DeviceEvents = {
  /** The driver broke a rule: of a ring, or of the registers. */
  violation: (violation: Violation | ProtocolViolation) => void
  status: (status: number, previous: number) => void
  interrupt: (reason: number, queue: number) => void
  /**
   * Your own code threw: the handler of queue `queue`, or (-1) a hook or a listener. A handler's request came back to the driver; unless
   * the policy is `reject`, a handler or a hook that throws leaves a device that needs a reset, with the error as its `resetCause`. What
   * nobody listens for is printed.
   */
  fault: (error: unknown, queue: number) => void
}

export const DEVICE_EVENTS = ['violation', 'status', 'interrupt', 'fault'] as const
