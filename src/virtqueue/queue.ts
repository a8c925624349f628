/**
 * The door of the virtqueues: opens either side of a ring of a format, and knows how much memory its areas need. Whatever is above
 * names a format, and no class of one.
 */
import { checkWord } from '../internal/check-option.ts'
import type { GuestMemory } from '../memory/guest-memory.ts'
import type { DeviceRing } from './device-ring.ts'
import type { DriverRing } from './driver-ring.ts'
import { PackedDeviceQueue } from './packed/packed-device-queue.ts'
import { PackedDriverQueue } from './packed/packed-driver-queue.ts'
import { packedShape, packedSizeAtMost } from './packed/packed-layout.ts'
import { layoutAreas, type RingLayout, type RingShape } from './ring-area.ts'
import type { DeviceRingConfig, DriverRingConfig } from './ring-config.ts'
import type { DriverRingState, QueueFormat } from './ring-state.ts'
import { SplitDeviceQueue } from './split/split-device-queue.ts'
import { SplitDriverQueue } from './split/split-driver-queue.ts'
import { splitShape, splitSizeAtMost } from './split/split-layout.ts'

// A table for each side: whoever bundles a device alone is not to get the drivers' rings.
const DEVICES: Readonly<Record<QueueFormat, new (memory: GuestMemory, config: DeviceRingConfig) => DeviceRing>> = {
  split: SplitDeviceQueue,
  packed: PackedDeviceQueue,
}

const DRIVERS: Readonly<
  Record<QueueFormat, new (memory: GuestMemory, config: DriverRingConfig, state?: DriverRingState) => DriverRing>
> = { split: SplitDriverQueue, packed: PackedDriverQueue }

interface Format {
  /** Throws `VirtioError` INVALID_QUEUE when a ring cannot have that size. */
  readonly shape: (size: number) => RingShape
  readonly sizeAtMost: (most: number) => number
}

const FORMATS: Readonly<Record<QueueFormat, Format>> = {
  split: { shape: splitShape, sizeAtMost: splitSizeAtMost },
  packed: { shape: packedShape, sizeAtMost: packedSizeAtMost },
}

/** The device side of a ring that a driver has set up. Writes nothing. Throws `VirtioError` INVALID_QUEUE or INVALID_OPTION. */
export function openDeviceRing(format: QueueFormat, memory: GuestMemory, config: DeviceRingConfig): DeviceRing {
  return new (of(DEVICES, format))(memory, config)
}

/**
 * The driver side of a ring: a new one, whose driver and device areas it zeroes, or with `state` a saved one over memory that is as it
 * was. Throws `VirtioError` INVALID_QUEUE, INVALID_OPTION or INVALID_STATE.
 */
export function openDriverRing(
  format: QueueFormat,
  memory: GuestMemory,
  config: DriverRingConfig,
  state?: DriverRingState,
): DriverRing {
  return new (of(DRIVERS, format))(memory, config, state)
}

/** Places the areas of a ring one after another from `baseAddress`, a multiple of 16. Throws `VirtioError` INVALID_QUEUE or INVALID_OPTION. */
export function layoutRing(format: QueueFormat, size: number, baseAddress: number): RingLayout {
  return layoutAreas(of(FORMATS, format).shape(size), baseAddress)
}

/** Bytes of the descriptor, the driver and the device area of a ring. Throws `VirtioError` INVALID_QUEUE. */
export function ringAreaBytes(format: QueueFormat, size: number): readonly number[] {
  const { descriptorArea, driverArea, deviceArea } = of(FORMATS, format).shape(size)
  return [descriptorArea.bytes, driverArea.bytes, deviceArea.bytes]
}

/** Bytes that `layoutRing` needs. */
export function ringBytes(format: QueueFormat, size: number): number {
  return layoutRing(format, size, 0).bytes
}

/** The largest size that a ring of the format can have and that is not over `most`, which is at least 1. */
export function ringSizeAtMost(format: QueueFormat, most: number): number {
  return of(FORMATS, format).sizeAtMost(most)
}

function of<T>(table: Readonly<Record<QueueFormat, T>>, format: QueueFormat): T {
  checkWord('format', format, Object.keys(table))
  return table[format]
}
