/** A device behind a PCI function, as a guest sees it without a driver of ours. */
import { GuestMemory } from 'virtio-sdk/memory'
import { type AccessWidth, PciFunction, type PciFunctionOptions } from 'virtio-sdk/transport'
import { type DeviceModel, defineDevice, u32 } from 'virtio-sdk/virtio'

/** A device of a type that PCI has an id for. */
export const limited = defineDevice({
  id: 60,
  queues: [{ name: 'requests', size: 8 }],
  config: { limit: u32('limit') },
  requests(queue) {
    for (const request of queue.drain(4)) request.writer.u32(request.reader.u32())
  },
})

/** Offsets in the common configuration. */
export const STATUS = 20
export const GENERATION = 21
export const SELECT = 22
export const SIZE = 24
export const VECTOR = 26
export const ENABLE = 28
export const RESET = 58
export const ISR = 0x1000
export const DEVICE = 0x2000
export const NOTIFY = 0x3000

interface Capability {
  readonly at: number
  readonly id: number
  readonly length: number
  readonly type: number
  readonly bar: number
  readonly offset: number
  readonly bytes: number
}

export function capabilitiesOf(pci: PciFunction): Capability[] {
  const found: Capability[] = []
  for (let at = pci.readConfig(0x34, 1); at !== 0; at = pci.readConfig(at + 1, 1)) {
    found.push({
      at,
      id: pci.readConfig(at, 1),
      length: pci.readConfig(at + 2, 1),
      type: pci.readConfig(at + 3, 1),
      bar: pci.readConfig(at + 4, 1),
      offset: pci.readConfig(at + 8, 4),
      bytes: pci.readConfig(at + 12, 4),
    })
  }
  return found
}

export function started(options: Partial<PciFunctionOptions> = {}, device = limited.create({ config: { limit: 77 } })) {
  const levels: boolean[] = []
  const violations: string[] = []
  const messages: (readonly [number, number])[] = []
  device.registers.events.on('violation', ({ clause }) => violations.push(clause))
  const pci = new PciFunction(device, {
    memory: GuestMemory.ofSize(1 << 16, 0x1_0000),
    interruptLine: (level) => levels.push(level),
    sendMessage: (address, data) => messages.push([address, data]),
    ...options,
  })
  const read = (offset: number, width: AccessWidth = 4) => pci.readBar(0, offset, width)
  const write = (offset: number, width: AccessWidth, value: number) => pci.writeBar(0, offset, width, value)
  const setUp = () => {
    write(SELECT, 2, 0)
    write(SIZE, 2, 8)
    for (const [i, offset] of [32, 40, 48].entries()) {
      write(offset, 4, 0x1_0000 + i * 0x1000)
      write(offset + 4, 4, 0)
    }
    write(ENABLE, 2, 1)
  }
  const start = () => {
    for (const status of [0, 1, 3]) write(STATUS, 1, status)
    write(8, 4, 1)
    write(12, 4, 1 | (1 << 8))
    write(STATUS, 1, 11)
    setUp()
    write(STATUS, 1, 15)
  }
  /** MSI-X on, each vector with a message of its own. */
  const useMessages = (vectors = 2) => {
    const msix = capabilitiesOf(pci).find(({ id }) => id === 0x11)!
    for (let vector = 0; vector < vectors; vector++) {
      for (const [word, value] of [0xfee0_0000, 1, 0x40 + vector, 0].entries()) {
        pci.writeBar(1, 16 * vector + 4 * word, 4, value)
      }
    }
    pci.writeConfig(msix.at + 2, 2, 0x8000)
    return msix
  }
  return { device, pci, read, write, start, setUp, levels, violations, messages, useMessages }
}

/** A model that does nothing. */
export const quiet: DeviceModel = { onActivate() {}, onReset() {}, onNotify: () => false }
