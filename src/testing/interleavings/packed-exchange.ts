/** A few requests over a small packed ring: `ringExchange` for the other format. */
import { VirtioError } from '../../internal/error.ts'
import { EVENT_BYTES, type PackedRing } from '../format/packed/packed-ring-format.ts'
import { ReferencePackedDevice, ReferencePackedDriver } from '../format/packed/reference-packed-peers.ts'
import { DESCRIPTOR_BYTES } from '../format/split/split-ring-format.ts'
import type {
  DeviceQueueUnderTest,
  DriverQueueUnderTest,
  PackedDeviceTarget,
  PackedDriverRing,
  PackedDriverTarget,
} from '../queue-targets.ts'
import { align } from '../ring-layout.ts'
import { type DeviceAction, DeviceScript } from './device-script.ts'
import { type DriverAction, DriverScript } from './driver-script.ts'
import { BASE, LINE, type ScriptLayout } from './exchange-layout.ts'
import type { InterleavingTarget } from './explore-interleavings.ts'
import type { ExploredSide } from './explored-side.ts'
import { OrderedMemory } from './ordered-memory.ts'
import { checkExchange, nameOf } from './ring-exchange.ts'

/** An exchange over a packed ring: its shape, and what each side does. */
export interface PackedExchange {
  /** Slots: 1..4 is what can be explored. */
  readonly size: number
  readonly eventIdx?: boolean
  readonly indirect?: boolean
  readonly inOrder?: boolean
  readonly driver: readonly DriverAction[]
  readonly device: readonly DeviceAction[]
}

/** Makes the driver under test for one exploration. */
export type AttachPackedDriver = (side: ExploredSide, ring: PackedDriverRing) => DriverQueueUnderTest
/** Makes the device under test for one exploration. */
export type AttachPackedDevice = (side: ExploredSide, ring: PackedRing) => DeviceQueueUnderTest

/** Who is under test; the other side is the reference. */
export interface PackedExchangeSides {
  readonly driver?: PackedDriverTarget | AttachPackedDriver
  readonly device?: PackedDeviceTarget | AttachPackedDevice
}

/** The side that is not attached is played by a plain one that orders every access. Throws `VirtioError` INVALID_PROGRAM. */
export function packedExchange(sides: PackedExchangeSides, exchange: PackedExchange): InterleavingTarget {
  const layout = new PackedExchangeLayout(exchange)
  const shapes = exchange.driver.filter((action) => action.op === 'add')
  const resets = exchange.driver.filter(({ op }) => op === 'reset').length
  const attachDriver = attached(sides.driver, (side, ring: PackedDriverRing): DriverQueueUnderTest => {
    return new ReferencePackedDriver(new OrderedMemory(side), ring)
  })
  const attachDevice = attached(sides.device, (side, ring: PackedRing): DeviceQueueUnderTest => {
    return new ReferencePackedDevice(new OrderedMemory(side), ring)
  })
  return {
    name: `${nameOf(sides.driver)} / ${nameOf(sides.device)}`,
    memoryBytes: layout.memoryBytes,
    base: BASE,
    driver(side) {
      const queue = attachDriver(side, layout.ring)
      return () => new DriverScript(side, queue, layout).run(exchange.driver)
    },
    device(side) {
      const queue = attachDevice(side, layout.ring)
      return () => new DeviceScript(side, queue, layout, shapes, resets).run(exchange.device)
    },
    check: checkExchange,
    describe: (address) => layout.describe(address),
    mayRace: (address) => layout.isSignal(address),
  }
}

type Attach<Ring, Queue> = (side: ExploredSide, ring: Ring) => Queue

function attached<Ring, Queue>(
  target: { create(memory: ExploredSide['memory'], ring: Ring): Queue } | Attach<Ring, Queue> | undefined,
  plain: Attach<Ring, Queue>,
): Attach<Ring, Queue> {
  if (target === undefined) return plain
  return typeof target === 'function' ? target : ({ memory }, ring) => target.create(memory, ring)
}

class PackedExchangeLayout implements ScriptLayout {
  readonly ring: PackedDriverRing
  readonly memoryBytes: number
  readonly driverControl = BASE
  readonly deviceControl = BASE + LINE
  readonly zeroed: ScriptLayout['zeroed']
  readonly bufferArea: number
  readonly buffers: number

  constructor({ size, eventIdx = false, indirect = false, inOrder = false }: PackedExchange) {
    if (!Number.isInteger(size) || size < 1 || size > 16) {
      throw new VirtioError('INVALID_PROGRAM', `an exchange has a packed ring of 1 to 16 slots, not ${size}`)
    }
    const descriptorArea = BASE + 2 * LINE
    const driverArea = align(descriptorArea + size * DESCRIPTOR_BYTES, LINE)
    const deviceArea = driverArea + LINE
    const tableArea = deviceArea + LINE
    const tableLength = indirect ? Math.min(size, 4) : 0
    this.bufferArea = align(tableArea + size * tableLength * DESCRIPTOR_BYTES, LINE)
    this.buffers = 2 * size
    this.memoryBytes = this.bufferArea + this.buffers * LINE - BASE
    this.zeroed = [
      [descriptorArea, size * DESCRIPTOR_BYTES],
      [driverArea, EVENT_BYTES],
      [deviceArea, EVENT_BYTES],
    ]
    const areas = { descriptorArea, driverArea, deviceArea, tableArea, tableLength }
    this.ring = { size, ...areas, eventIdx, indirect, inOrder }
  }

  bufferAt(index: number): number {
    return this.bufferArea + index * LINE
  }

  /** Flags of descriptors and both event structures: what a side looks at while the other may be writing. */
  isSignal(address: number): boolean {
    const { descriptorArea, driverArea, tableArea } = this.ring
    if (address < descriptorArea) return true
    if (address < driverArea) return (address - descriptorArea) % DESCRIPTOR_BYTES === DESCRIPTOR_BYTES - 2
    return address < tableArea
  }

  describe(address: number): string {
    const { descriptorArea, driverArea, deviceArea, tableArea } = this.ring
    if (address >= this.bufferArea) return `buffer ${Math.floor((address - this.bufferArea) / LINE)}`
    const field = (area: number): string => {
      const offset = address - area
      const name = ['addr', 'addr high', 'len', (offset & 2) === 0 ? 'id' : 'flags'][(offset % DESCRIPTOR_BYTES) >>> 2]
      return `[${Math.floor(offset / DESCRIPTOR_BYTES)}].${name}`
    }
    if (address >= tableArea) return `table${field(tableArea)}`
    if (address >= deviceArea) return address === deviceArea ? 'device event' : 'device event flags'
    if (address >= driverArea) return address === driverArea ? 'driver event' : 'driver event flags'
    if (address >= descriptorArea) return `slot${field(descriptorArea)}`
    return address < this.deviceControl ? 'reset request' : 'reset answer'
  }
}
