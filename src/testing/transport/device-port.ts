/**
 * A transport as an attacker sees it: the registers of a device, one member an access, and the memory that both sides share.
 * Whatever the transport (MMIO, PCI, shared memory), a device behind it is attacked through a `DevicePort`, and a driver is given
 * one behind which the kit plays a device that lies. An adapter is some twenty lines; `docs/testing.md` has one.
 */
import type { GuestMemory } from '../../memory/index.ts'

/** Selectors are arguments here: a transport that has them writes the selector first, whatever its value. */
export interface DevicePort {
  readStatus(): number
  writeStatus(value: number): void
  /** 32 feature bits, from bit 32 times `window` on. */
  readDeviceFeatures(window: number): number
  writeDriverFeatures(window: number, word: number): void
  /** 0: the device has no such queue. */
  queueSizeMax(queue: number): number
  writeQueueSize(queue: number, size: number): void
  /** `area` 0, 1, 2: descriptors, driver area, device area; low and high word. */
  writeQueueAddress(queue: number, area: 0 | 1 | 2, low: number, high: number): void
  enableQueue(queue: number): void
  isQueueEnabled(queue: number): boolean
  /** Queue reset (RING_RESET), or MMIO's QueueReady = 0. Left out where the transport has neither. */
  resetQueue?(queue: number): void
  /** A kick, and whatever the device does about it: a bounded run, since a hostile driver always has more. */
  notify(queue: number): void
  /** Reads and acknowledges what was signalled. */
  takeInterrupts(): number
  readonly configLengthBytes: number
  readConfigGeneration(): number
  readConfig(offset: number, target: Uint8Array): void
  writeConfig(offset: number, source: Uint8Array): void
}

/** A device, and the transport that leads to it. */
export interface DeviceBehindTransport {
  readonly name: string
  /** Queues that the device has. */
  readonly queues: number
  /** Those on which every well-formed chain comes back without anything else happening. Default: all. */
  readonly answering?: readonly number[]
  /** A new device, as after a reset, behind a new transport over `memory`. */
  connect(memory: GuestMemory): DevicePort
}

/** A driver that was brought up over a `DevicePort`. */
export interface DriverUnderAttack {
  /** Sends a request of the driver's own kind; `done` when it came back, or was given up. False: it cannot be sent now. */
  request(done: () => void): boolean
  /** An interrupt reaches the driver. */
  interrupt(): void
}

/** A driver to be attacked: for which device it is, and a function that starts it over the port. */
export interface DriverBehindTransport {
  readonly name: string
  /** Type of the device that it is for, and largest size of each queue that it needs. */
  readonly deviceId: number
  readonly queueSizes: readonly number[]
  /** Brings a driver up, with rings and buffers in `memory`; throws when it refuses the device. */
  connect(port: DevicePort, memory: GuestMemory): DriverUnderAttack
}

// Status bits and features that the attack is about (virtio 1.4 §2.1, §6); features are bit numbers.
export const ACKNOWLEDGE = 1
export const DRIVER = 2
export const DRIVER_OK = 4
export const FEATURES_OK = 8
export const DEVICE_NEEDS_RESET = 64
export const FAILED = 128
export const VIRTIO_F_INDIRECT_DESC = 28
export const VIRTIO_F_EVENT_IDX = 29
export const VIRTIO_F_VERSION_1 = 32
export const VIRTIO_F_RING_RESET = 40

/** Four windows of a set of feature bits. */
export function featureWindows(...bits: readonly number[]): number[] {
  const windows = [0, 0, 0, 0]
  for (const bit of bits) windows[bit >>> 5] = (windows[bit >>> 5]! | (1 << (bit & 31))) >>> 0
  return windows
}
