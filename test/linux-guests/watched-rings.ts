/** The kit's ring checkers on every ring of a guest, from DRIVER_OK until the device is reset. */
import { RingChecker } from 'virtio-sdk/testing/core'
import type { V86Access } from 'virtio-sdk/v86'
import {
  type DeviceRegisters,
  DRIVER_OK,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_INTERRUPT_USED,
} from 'virtio-sdk/virtio'
import { DEVICE_NAMES, type DeviceName, type LinuxGuest } from '../../src/linux/index.ts'

/** Doorbells in an I/O BAR, four bytes a queue. */
const NOTIFY = 0x80
const CONFIG = 0xc0
/** Queues of buffers that the device keeps until it has something for them. */
const KEPT: Readonly<Partial<Record<DeviceName, readonly number[]>>> = { vsock: [0, 2], net: [0], console: [0, 2] }

export class WatchedRings {
  /** What anybody did wrong: a driver, a device, or a hook. */
  readonly faults: string[] = []
  /** How often rings were looked at. */
  looks = 0
  kicks = 0
  interrupts = 0
  readonly accesses: [DeviceName, V86Access][] = []
  readonly #rings = new Map<DeviceName, Map<number, RingChecker>>()
  #guest: LinuxGuest | null = null

  /** To be given to the guest as `onAccess`. */
  readonly onAccess = (name: DeviceName, access: V86Access): void => {
    this.accesses.push([name, access])
    if (access.kind === 'write' && access.offset >= NOTIFY && access.offset < CONFIG) {
      this.kicks++
      this.#try(name, () => this.#rings.get(name)?.get(access.value)?.kicked())
    }
    this.look(name)
  }

  /** Right after the guest was made. */
  watch(guest: LinuxGuest): void {
    this.#guest = guest
    for (const name of DEVICE_NAMES) {
      const { registers } = guest.devices[name]
      registers.events.on('violation', (violation) => this.faults.push(`${name}: ${JSON.stringify(violation)}`))
      registers.events.on('fault', (error) => this.faults.push(`${name}: ${error}`))
      registers.events.on('status', (status, before) => {
        if (status === 0) this.#rings.delete(name)
        else if ((status & ~before & DRIVER_OK) !== 0) this.#rings.set(name, this.#checkers(registers))
      })
      registers.events.on('interrupt', (reason, queue) => {
        this.interrupts++
        if (reason === VIRTIO_INTERRUPT_USED) {
          this.#try(name, () => this.#rings.get(name)?.get(queue)?.interrupted())
        }
      })
    }
  }

  /** The rings of a device; default: of all. */
  look(only?: DeviceName): void {
    for (const [name, rings] of this.#rings) {
      if (only !== undefined && name !== only) continue
      for (const checker of rings.values()) {
        this.looks++
        this.#try(name, () => checker.observe())
      }
    }
  }

  /**
   * The guest is halted, and the host has nothing for it: nobody waits for a notification that will not come. Buffers for what the host may
   * have one day are seen by the device when it has something, so a driver owes no kick for them.
   */
  expectNotified(): void {
    this.look()
    for (const [name, rings] of this.#rings) {
      for (const [queue, checker] of rings) {
        if (KEPT[name]?.includes(queue)) checker.kicked()
        this.#try(name, () => checker.expectNotified())
      }
    }
  }

  /** Chains of a queue that are with the device. */
  outstanding(name: DeviceName, queue: number): number | undefined {
    return this.#rings.get(name)?.get(queue)?.outstanding
  }

  #checkers(registers: DeviceRegisters): Map<number, RingChecker> {
    const { memory } = this.#guest!
    const selected = registers.queueSelect
    const found = new Map<number, RingChecker>()
    for (let queue = 0; queue < registers.queueCount; queue++) {
      registers.queueSelect = queue
      if (!registers.queueEnabled) continue
      const [descriptorArea, driverArea, deviceArea] = ([0, 1, 2] as const).map((area) =>
        registers.readQueueAddress(area, 0),
      ) as [number, number, number]
      const ring = {
        size: registers.queueSize,
        descriptorArea,
        driverArea,
        deviceArea,
        eventIdx: registers.features.has(VIRTIO_F_EVENT_IDX),
        indirect: registers.features.has(VIRTIO_F_INDIRECT_DESC),
      }
      found.set(queue, new RingChecker(memory, ring))
    }
    registers.queueSelect = selected
    return found
  }

  #try(name: DeviceName, look: () => void): void {
    if (this.faults.length > 20) return
    try {
      look()
    } catch (error) {
      this.faults.push(`${name}: ${(error as Error).message}`)
    }
  }
}
