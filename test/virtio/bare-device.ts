/** A `DeviceRegisters` with memory and a driver's hand on it, without any of our driver code in between. */
import { GuestMemory } from 'virtio-sdk/memory'
import { type DeviceModel, DeviceRegisters, type DeviceRegistersOptions, FeatureSet } from 'virtio-sdk/virtio'
import { layoutSplitQueue, type SplitDeviceQueue, SplitDriverQueue } from 'virtio-sdk/virtqueue'

export const idleModel: DeviceModel = { onActivate: () => {}, onReset: () => {}, onNotify: () => false }

const VERSION_1 = 32

export class BareDevice implements DeviceModel {
  readonly memory = GuestMemory.ofSize(65536)
  readonly registers: DeviceRegisters
  /** Rules of what the driver did wrong, in order. */
  readonly violations: string[] = []
  /** The same, each with the clause that was broken. */
  readonly clauses: string[] = []
  readonly raised: string[] = []
  readonly calls: string[] = []
  rings: readonly (SplitDeviceQueue | null)[] = []

  constructor(options: Partial<DeviceRegistersOptions> = {}) {
    this.registers = new DeviceRegisters({ deviceId: 0x1234, queueSizes: [8, 4], ...options }, this)
    this.registers.events.on('violation', ({ rule, clause }) => {
      this.violations.push(rule)
      this.clauses.push(`${rule} ${clause}`)
    })
    this.registers.attach({
      memory: this.memory,
      raiseInterrupt: (reason, queue) => this.raised.push(`${reason}:${queue}`),
    })
  }

  onActivate(rings: readonly (SplitDeviceQueue | null)[]): void {
    this.rings = rings
    this.calls.push('activate')
  }

  onReset(): void {
    this.calls.push('reset')
  }

  onNotify(queue: number): boolean {
    this.calls.push(`notify ${queue}`)
    return false
  }

  onQueueEnable(queue: number, ring: SplitDeviceQueue): void {
    this.rings = this.rings.map((each, index) => (index === queue ? ring : each))
    this.calls.push(`enable ${queue}`)
  }

  onQueueReset(queue: number): void {
    this.calls.push(`queue reset ${queue}`)
  }

  onConfigWrite(): void {
    this.calls.push('config')
  }

  accept(...bits: readonly number[]): void {
    const features = FeatureSet.of(...bits)
    for (let window = 0; window < 4; window++) {
      this.registers.driverFeaturesSelect = window
      this.registers.writeDriverFeatures(features.window(window))
    }
  }

  /** Up to FEATURES_OK. */
  negotiate(...bits: readonly number[]): void {
    this.registers.writeStatus(1)
    this.registers.writeStatus(3)
    this.accept(VERSION_1, ...bits)
    this.registers.writeStatus(11)
  }

  /** Writes a queue's registers and enables it; the driver's half of the ring. */
  setupQueue(index: number, size: number, base: number): SplitDriverQueue {
    const areas = layoutSplitQueue(size, base)
    const driver = new SplitDriverQueue(this.memory, { size, ...areas, index })
    const { registers } = this
    registers.queueSelect = index
    registers.queueSize = size
    registers.writeQueueAddress(0, 0, areas.descriptorArea)
    registers.writeQueueAddress(1, 0, areas.driverArea)
    registers.writeQueueAddress(2, 0, areas.deviceArea)
    registers.enableQueue()
    return driver
  }

  /** Live with queue 0 of eight entries at 4096. */
  start(...bits: readonly number[]): SplitDriverQueue {
    this.negotiate(...bits)
    const driver = this.setupQueue(0, 8, 4096)
    this.registers.writeStatus(15)
    return driver
  }
}
