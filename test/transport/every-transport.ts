/** Every transport that there is, for tests of devices that are to run behind each: `describe.each(EVERY_TRANSPORT)('%s', (_, behind) => ...)`. */
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport, type TransportableDevice } from 'virtio-sdk/transport'
import type { DeviceContract, DriverTransport } from 'virtio-sdk/virtio'
import { behindMmio } from './mmio/behind-mmio.ts'
import { behindPci } from './pci/behind-pci.ts'

/** Puts a device behind a transport, over a memory of its own. */
export type Behind = <C extends DeviceContract>(device: TransportableDevice<C>) => DriverTransport<C>

const memory = () => GuestMemory.ofSize(1 << 22, 0x8000_0000)

export const EVERY_TRANSPORT: readonly (readonly [name: string, behind: Behind])[] = [
  ['shared memory', (device) => new SharedMemoryTransport(device, { memory: memory() })],
  ['MMIO', (device) => behindMmio(device, undefined, memory()).transport],
  ['PCI with INTx', (device) => behindPci(device, {}, memory()).transport],
  ['PCI with MSI-X', (device) => behindPci(device, { msix: true }, memory()).transport],
]

/** All interrupts and turns that are due have been taken. */
export async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}
