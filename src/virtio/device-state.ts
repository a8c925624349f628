/**
 * What survives of a device's registers in a snapshot: plain data, as JSON keeps it. The driver's memory and whatever the device
 * model knows are saved by their owners. A saved state is foreign input and is checked as such (museum 30).
 */
import { VirtioError } from '../internal/error.ts'
import { requireVersion, type STATE_VERSION } from '../internal/saved-state.ts'
import type { DeviceRing, DeviceRingState } from '../virtqueue/index.ts'
import { FEATURES_OK } from './constants.ts'
import { FeatureSet } from './features.ts'
import { isReachableStatus } from './status.ts'

/** A queue of a saved device: plain data, as JSON keeps it. */
export interface QueueState {
  readonly size: number
  /** Low and high words of the descriptor, driver and device area. */
  readonly addressWords: readonly number[]
  /** Null: the queue is not enabled. */
  readonly ring: DeviceRingState | null
}

/** A saved device: plain data, as JSON keeps it, with the version of its format. Memory is not in it. */
export interface DeviceState {
  readonly version: typeof STATE_VERSION
  readonly deviceId: number
  readonly status: number
  /** Accepted features, window by window. */
  readonly featureWindows: readonly number[]
  /** The window selectors of device and driver features, and the queue selector. */
  readonly selectors: readonly [number, number, number]
  readonly interruptStatus: number
  readonly configGeneration: number
  readonly config: readonly number[]
  readonly queues: readonly QueueState[]
  /** What the model's `onSave` returned; null when it has none. */
  readonly model: unknown
}

/** Throws `VirtioError` INVALID_STATE unless `state` has the shape of a device with these numbers. */
export function checkDeviceShape(state: DeviceState, deviceId: number, queueCount: number, configBytes: number): void {
  requireVersion('device', state)
  requireState(state.deviceId === deviceId, `it is of device type ${state.deviceId}, this one is ${deviceId}`)
  requireState(isByte(state.status) && isByte(state.interruptStatus), 'status and interruptStatus must be bytes')
  requireState(isWords(state.featureWindows, 4), 'featureWindows must be four words')
  requireState(isWords(state.selectors, 3), 'selectors must be three words')
  requireState(Number.isSafeInteger(state.configGeneration), 'configGeneration must be an integer')
  requireState(
    Array.isArray(state.config) && state.config.length === configBytes,
    `config must be ${configBytes} bytes`,
  )
  requireState(state.config.every(isByte), 'config must be bytes')
  requireState(Array.isArray(state.queues) && state.queues.length === queueCount, `there must be ${queueCount} queues`)
  for (const queue of state.queues) {
    requireState(queue !== null && typeof queue === 'object', 'a queue must be an object')
    requireState(Number.isSafeInteger(queue.size) && queue.size >= 0, `a queue cannot have size ${queue.size}`)
    requireState(isWords(queue.addressWords, 6), 'addressWords must be six words')
    const isEarly = queue.ring !== null && (state.status & FEATURES_OK) === 0
    requireState(!isEarly, 'a queue is enabled before FEATURES_OK')
  }
  requireState(isReachableStatus(state.status), `no driver reaches status ${state.status}`)
}

export function savedFeatures(state: DeviceState): FeatureSet {
  return state.featureWindows.reduce((set, word, window) => set.withWindow(window, word), FeatureSet.empty)
}

/** For a model that takes nothing back. */
export function requireIdle(rings: readonly (DeviceRing | null)[]): void {
  for (const ring of rings) {
    const count = ring?.inFlight ?? 0
    requireState(count === 0, `queue ${ring?.index} has ${count} chains in flight, and the model has no onRestore`)
  }
}

export function requireState(condition: boolean, rule: string): void {
  if (!condition) throw new VirtioError('INVALID_STATE', `saved device state: ${rule}`)
}

function isByte(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255
}

function isWords(value: unknown, length: number): boolean {
  return Array.isArray(value) && value.length === length && value.every((word) => word >>> 0 === word)
}
