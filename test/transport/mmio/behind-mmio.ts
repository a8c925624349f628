/** A device of a test behind an MMIO window, and what a driver reaches it by. */
import { GuestMemory } from 'virtio-sdk/memory'
import {
  type AccessWidth,
  InterruptLine,
  type MmioBus,
  MmioTransport,
  MmioWindow,
  type TransportableDevice,
} from 'virtio-sdk/transport'
import type { DeviceContract } from 'virtio-sdk/virtio'

/** One access of a driver. */
export interface Access {
  readonly offset: number
  readonly width: AccessWidth
  /** Undefined: a read. */
  readonly value?: number
}

export interface BehindMmio<C extends DeviceContract> {
  readonly memory: GuestMemory
  readonly window: MmioWindow<C>
  readonly transport: MmioTransport<C>
  readonly line: InterruptLine
  readonly accesses: Access[]
}

/** `spoil` may answer a read in place of the device: what others' devices do. */
export function behindMmio<C extends DeviceContract>(
  device: TransportableDevice<C>,
  spoil: (access: Access, answer: number) => number = (_, answer) => answer,
  memory = GuestMemory.ofSize(1 << 20, 0x8000_0000),
): BehindMmio<C> {
  const accesses: Access[] = []
  const line = new InterruptLine(() => transport.takeInterrupt())
  const window = new MmioWindow(device, { memory, interruptLine: (level) => line.set(level) })
  const bus: MmioBus = {
    read(offset, width) {
      const access = { offset, width }
      accesses.push(access)
      return spoil(access, window.read(offset, width))
    },
    write(offset, width, value) {
      const access = { offset, width, value }
      accesses.push(access)
      // A write that `spoil` answers with less than 0 is dropped.
      if (spoil(access, 0) >= 0) window.write(offset, width, value)
    },
  }
  const { contract } = device
  const transport: MmioTransport<C> = MmioTransport.probe<C>(bus, {
    memory,
    ...(contract !== undefined && { contract }),
  })!
  return { memory, window, transport, line, accesses }
}
