/** A device of a test behind a PCI function, and what a driver reaches it by. */
import { GuestMemory } from 'virtio-sdk/memory'
import {
  type AccessWidth,
  InterruptLine,
  type PciBus,
  PciFunction,
  type PciFunctionOptions,
  PciTransport,
  type TransportableDevice,
} from 'virtio-sdk/transport'
import type { DeviceContract } from 'virtio-sdk/virtio'

/** One access of a driver. */
export interface Access {
  readonly space: 'config' | 0 | 1
  readonly offset: number
  readonly width: AccessWidth
  /** Undefined: a read. */
  readonly value?: number
}

/** Where messages go: `data` is the vector. */
export const MESSAGES = 0xfee0_0000

export interface BehindPci<C extends DeviceContract> {
  readonly memory: GuestMemory
  readonly pci: PciFunction<C>
  readonly transport: PciTransport<C>
  readonly accesses: Access[]
  /** Vectors in the order in which they came. */
  readonly messages: number[]
}

interface Setting {
  readonly msix?: boolean
  readonly function?: Partial<PciFunctionOptions>
  /** May answer in place of the device; less than 0 drops a write. */
  readonly spoil?: (access: Access, answer: number) => number
}

export function behindPci<C extends DeviceContract>(
  device: TransportableDevice<C>,
  { msix = false, function: options = {}, spoil = (_, answer) => answer }: Setting = {},
  memory = GuestMemory.ofSize(1 << 20, 0x8000_0000),
): BehindPci<C> {
  const accesses: Access[] = []
  const messages: number[] = []
  const line = new InterruptLine(() => transport.takeInterrupt())
  const pci = new PciFunction(device, {
    memory,
    interruptLine: (level) => line.set(level),
    sendMessage(address, vector) {
      if (address !== MESSAGES) throw new Error(`a message to 0x${address.toString(16)}`)
      messages.push(vector)
      queueMicrotask(() => transport.takeMessage(vector))
    },
    ...options,
  })
  const told = (access: Access, answer: number) => {
    accesses.push(access)
    return spoil(access, answer)
  }
  const bus: PciBus = {
    readConfig: (offset, width) => told({ space: 'config', offset, width }, pci.readConfig(offset, width)),
    writeConfig(offset, width, value) {
      if (told({ space: 'config', offset, width, value }, 0) >= 0) pci.writeConfig(offset, width, value)
    },
    readBar: (bar, offset, width) => told({ space: bar as 0 | 1, offset, width }, pci.readBar(bar, offset, width)),
    writeBar(bar, offset, width, value) {
      if (told({ space: bar as 0 | 1, offset, width, value }, 0) >= 0) pci.writeBar(bar, offset, width, value)
    },
  }
  const { contract } = device
  const transport: PciTransport<C> = PciTransport.probe<C>(bus, {
    memory,
    ...(contract !== undefined && { contract }),
    ...(msix && { message: (vector: number) => ({ address: MESSAGES, data: vector }) }),
  })!
  return { memory, pci, transport, accesses, messages }
}
