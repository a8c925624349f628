/**
 * One queue's registers on the device's side, and the ring they become. While `ring` is null the registers are the driver's to
 * write; from `enable` on the ring uses what it was given then, whatever is written later (museum 23).
 */
import { VirtioError } from '../internal/error.ts'
import { LE64_HIGH_LIMIT, le64ToNumber } from '../internal/little-endian.ts'
import {
  type ChainLimits,
  type DeviceRing,
  openDeviceRing,
  type Violation,
  type ViolationPolicy,
} from '../virtqueue/index.ts'
import { VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC } from './constants.ts'
import type { DeviceRegistersOptions } from './device-registers-options.ts'
import { type QueueState, requireState } from './device-state.ts'
import type { DeviceTransport } from './device-transport.ts'
import type { FeatureSet } from './features.ts'
import { type ProtocolViolation, protocolViolation } from './protocol-violation.ts'
import { formatOf } from './ring-format.ts'

export class QueueRegisters {
  readonly index: number
  readonly sizeMax: number
  size: number
  /** Low and high words of the descriptor, driver and device area. */
  readonly addressWords = new Uint32Array(6)
  ring: DeviceRing | null = null
  readonly #policy: ViolationPolicy
  readonly #limits: ChainLimits
  readonly #onViolation: (violation: Violation) => void

  constructor(
    index: number,
    { queueSizes, chainLimits }: DeviceRegistersOptions,
    policy: ViolationPolicy,
    onViolation: (violation: Violation) => void,
  ) {
    this.index = index
    this.sizeMax = queueSizes[index]!
    this.size = this.sizeMax
    this.#policy = policy
    this.#limits = chainLimits?.[index] ?? {}
    this.#onViolation = onViolation
  }

  /** Makes a ring of the registers; returns why not when they describe none. Sizes over the maximum are refused (museum 24). */
  enable({ memory, onDeviceWrite }: DeviceTransport, features: FeatureSet): ProtocolViolation | null {
    try {
      if (this.size > this.sizeMax) {
        throw new VirtioError('QUEUE_SETUP', `size ${this.size} is over ${this.sizeMax} (MMIO-REG-DRV-14)`)
      }
      this.ring = openDeviceRing(formatOf(features), memory, {
        ...this.#limits,
        size: this.size,
        descriptorArea: this.#address(0),
        driverArea: this.#address(1),
        deviceArea: this.#address(2),
        eventIdx: features.has(VIRTIO_F_EVENT_IDX),
        indirect: features.has(VIRTIO_F_INDIRECT_DESC),
        policy: this.#policy,
        index: this.index,
        onViolation: this.#onViolation,
        ...(onDeviceWrite !== undefined && { onWrite: onDeviceWrite }),
      })
      return null
    } catch (error) {
      if (!(error instanceof VirtioError)) throw error
      return protocolViolation('queue-setup-refused', clauseOf(error), error.message, this.index, error)
    }
  }

  disable(): void {
    this.ring?.reset()
    this.ring = null
  }

  clear(): void {
    this.size = this.sizeMax
    this.addressWords.fill(0)
  }

  saveState(): QueueState {
    return { size: this.size, addressWords: [...this.addressWords], ring: this.ring?.saveState() ?? null }
  }

  /** Throws `VirtioError` INVALID_STATE. */
  restoreState(state: QueueState, transport: DeviceTransport, features: FeatureSet): void {
    this.size = state.size
    this.addressWords.set(state.addressWords)
    if (state.ring === null) return
    const refusal = this.enable(transport, features)
    requireState(refusal === null, refusal?.message ?? '')
    this.ring?.restoreState(state.ring)
  }

  #address(area: number): number {
    const [low, high] = [this.addressWords[2 * area] ?? 0, this.addressWords[2 * area + 1] ?? 0]
    if (high >= LE64_HIGH_LIMIT) throw new VirtioError('QUEUE_SETUP', `area ${area} lies at or above 2^53 (IMP-VQS-09)`)
    return le64ToNumber(low, high)
  }
}

/** The clause that the message ends with; an area that is not in memory breaks the rule for everything that a queue refers to. */
function clauseOf({ message }: VirtioError): string {
  return /\(([A-Z-]+-\d+)\)$/.exec(message)?.[1] ?? 'IMP-VQS-09'
}
