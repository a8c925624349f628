/** The common configuration of a device over PCI (virtio 1.4 §4.1.4.3): fields of a width each, over the device's registers. */
import { type DeviceRegisters, FEATURES_OK } from '../../virtio/index.ts'
import type { AccessWidth } from '../access.ts'
import type { RegisterDevice } from '../register-device.ts'
import { COMMON, NO_VECTOR } from './registers.ts'

/** Fields by offset: how wide they are. The addresses of a queue are six words. */
const WIDTHS = new Map<number, AccessWidth>([
  [COMMON.DEVICE_FEATURE_SELECT, 4],
  [COMMON.DEVICE_FEATURE, 4],
  [COMMON.DRIVER_FEATURE_SELECT, 4],
  [COMMON.DRIVER_FEATURE, 4],
  [COMMON.CONFIG_VECTOR, 2],
  [COMMON.NUM_QUEUES, 2],
  [COMMON.DEVICE_STATUS, 1],
  [COMMON.CONFIG_GENERATION, 1],
  [COMMON.QUEUE_SELECT, 2],
  [COMMON.QUEUE_SIZE, 2],
  [COMMON.QUEUE_VECTOR, 2],
  [COMMON.QUEUE_ENABLE, 2],
  [COMMON.QUEUE_NOTIFY_OFF, 2],
  ...[0, 4, 8, 12, 16, 20].map((offset): [number, AccessWidth] => [COMMON.QUEUE_DESC + offset, 4]),
  [COMMON.QUEUE_NOTIF_CONFIG_DATA, 2],
  [COMMON.QUEUE_RESET, 2],
])

/** Offsets of fields that the driver only reads (PCI-COM-DRV-01). */
const READ_ONLY: ReadonlySet<number> = new Set([
  COMMON.DEVICE_FEATURE,
  COMMON.NUM_QUEUES,
  COMMON.CONFIG_GENERATION,
  COMMON.QUEUE_NOTIFY_OFF,
  COMMON.QUEUE_NOTIF_CONFIG_DATA,
])

export class CommonConfig {
  readonly #device: RegisterDevice
  readonly #registers: DeviceRegisters
  /** Vectors that the function has; 0: it has no MSI-X. */
  readonly #vectors: number
  configVector = NO_VECTOR
  readonly queueVectors: number[]
  /** What the driver wrote, by window: it reads it back (PCI-COM-DEV-04). */
  readonly #driverFeatures = new Map<number, number>()
  /** Eight bits change once for any number of changes between two reads, so they cannot wrap to the same. */
  #generation = 0
  #seenGeneration = 0

  constructor(device: RegisterDevice, vectors: number) {
    const { registers } = device
    this.#device = device
    this.#registers = registers
    this.#vectors = vectors
    this.queueVectors = Array(registers.queueCount).fill(NO_VECTOR) as number[]
    this.#seenGeneration = registers.configGeneration
  }

  /** A device reset is complete: no event is mapped to a vector (PCI-MSIX-DEV-07). */
  reset(): void {
    this.configVector = NO_VECTOR
    this.queueVectors.fill(NO_VECTOR)
    this.#driverFeatures.clear()
    this.#device.queueResets.clear()
  }

  read(offset: number, width: AccessWidth): number {
    if (!this.#isField(offset, width)) return 0
    const registers = this.#registers
    switch (offset) {
      case COMMON.DEVICE_FEATURE_SELECT:
        return registers.deviceFeaturesSelect
      case COMMON.DEVICE_FEATURE:
        return registers.readDeviceFeatures() >>> 0
      case COMMON.DRIVER_FEATURE_SELECT:
        return registers.driverFeaturesSelect
      case COMMON.DRIVER_FEATURE:
        return this.#driverFeatures.get(registers.driverFeaturesSelect) ?? 0
      case COMMON.CONFIG_VECTOR:
        return this.configVector
      case COMMON.NUM_QUEUES:
        return registers.queueCount
      case COMMON.DEVICE_STATUS:
        return registers.readStatus()
      case COMMON.CONFIG_GENERATION:
        return this.#readGeneration()
      case COMMON.QUEUE_SELECT:
        return registers.queueSelect
      case COMMON.QUEUE_SIZE:
        return registers.queueSize
      case COMMON.QUEUE_VECTOR:
        return this.queueVectors[registers.queueSelect] ?? NO_VECTOR
      case COMMON.QUEUE_ENABLE:
        return registers.queueEnabled ? 1 : 0
      case COMMON.QUEUE_NOTIFY_OFF:
        return registers.queueSelect < registers.queueCount ? registers.queueSelect : 0
      case COMMON.QUEUE_NOTIF_CONFIG_DATA:
        return 0
      case COMMON.QUEUE_RESET:
        return this.#device.queueResets.isUnderWay() ? 1 : 0
      default: {
        const word = (offset - COMMON.QUEUE_DESC) / 4
        return registers.readQueueAddress((word >> 1) as 0 | 1 | 2, (word & 1) as 0 | 1)
      }
    }
  }

  write(offset: number, width: AccessWidth, value: number): void {
    if (!this.#isField(offset, width)) return
    const registers = this.#registers
    if (READ_ONLY.has(offset)) {
      this.#device.refuse('PCI-COM-DRV-01', `a write of the read-only field at ${offset} of the common configuration`)
      return
    }
    switch (offset) {
      case COMMON.DEVICE_FEATURE_SELECT:
        registers.deviceFeaturesSelect = value
        return
      case COMMON.DRIVER_FEATURE_SELECT:
        registers.driverFeaturesSelect = value
        return
      case COMMON.DRIVER_FEATURE:
        this.#writeFeatures(value)
        return
      case COMMON.CONFIG_VECTOR:
        this.configVector = this.#mapped(value)
        return
      case COMMON.DEVICE_STATUS:
        registers.writeStatus(value)
        return
      case COMMON.QUEUE_SELECT:
        registers.queueSelect = value
        return
      case COMMON.QUEUE_SIZE:
        registers.queueSize = value
        return
      case COMMON.QUEUE_VECTOR:
        if (registers.queueSelect < registers.queueCount) this.queueVectors[registers.queueSelect] = this.#mapped(value)
        return
      case COMMON.QUEUE_ENABLE:
        if (value === 1) registers.enableQueue()
        else this.#device.refuse('PCI-COM-DRV-06', `${value} written to queue_enable, which takes 1`)
        return
      case COMMON.QUEUE_RESET:
        if (value !== 1) {
          this.#device.refuse('PCI-COM-DRV-07', `${value} written to queue_reset, which takes 1`)
          return
        }
        this.#device.queueResets.ask()
        return
      default: {
        const word = (offset - COMMON.QUEUE_DESC) / 4
        registers.writeQueueAddress((word >> 1) as 0 | 1 | 2, (word & 1) as 0 | 1, value)
      }
    }
  }

  /** Of a window that the driver may still write, the bits that were offered are kept. */
  #writeFeatures(value: number): void {
    const registers = this.#registers
    const window = registers.driverFeaturesSelect
    if ((registers.status & FEATURES_OK) === 0) {
      this.#driverFeatures.set(window, (value & registers.offeredFeatures.window(window)) >>> 0)
    }
    registers.writeDriverFeatures(value)
  }

  /** The vector, or NO_VECTOR where the table has no such entry (PCI-MSIX-DEV-09). */
  #mapped(vector: number): number {
    return vector < this.#vectors ? vector : NO_VECTOR
  }

  #readGeneration(): number {
    const { configGeneration } = this.#registers
    if (configGeneration !== this.#seenGeneration) {
      this.#seenGeneration = configGeneration
      this.#generation = (this.#generation + 1) & 0xff
    }
    return this.#generation
  }

  #isField(offset: number, width: AccessWidth): boolean {
    const own = WIDTHS.get(offset)
    if (own === width) return true
    const what = own === undefined ? 'no field begins there' : `the field has ${own}`
    this.#device.refuse('PCI-LAY-DRV-01', `${width} bytes at ${offset} of the common configuration: ${what}`)
    return false
  }
}
