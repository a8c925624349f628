/** The driver side of virtio over PCI: how it finds its device, what it reads and writes, and what it makes of others' devices. */
import { u32le } from 'virtio-sdk'
import { GuestMemory } from 'virtio-sdk/memory'
import { type PciBus, PciTransport } from 'virtio-sdk/transport'
import {
  connect,
  defineDevice,
  entropyDevice,
  u8,
  u16,
  u64,
  VSOCK_HOST_CID,
  VsockDevice,
  VsockDriver,
} from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { adder } from '../../virtio/adder.ts'
import { type Access, behindPci } from './behind-pci.ts'

const memory = GuestMemory.ofSize(1 << 20, 0x8000_0000)
/** The adder with an id that PCI has room for. */
const small = defineDevice({
  id: 60,
  queues: [{ name: 'requests', size: 8 }],
  requests(queue) {
    for (const request of queue.drain(4)) request.writer.u32(request.reader.u32() + 1)
  },
})

/** A function of which a test writes the configuration space. */
function spaceOf(bytes: Readonly<Record<number, number>>): PciBus {
  const value = (offset: number, width: number) => {
    let sum = 0
    for (let i = 0; i < width; i++) sum += (bytes[offset + i] ?? 0) * 2 ** (8 * i)
    return sum
  }
  return { readConfig: value, writeConfig() {}, readBar: () => 0, writeBar() {} }
}
const VIRTIO = { 0: 0xf4, 1: 0x1a, 2: 0x7c, 3: 0x10, 6: 0x10, 52: 0x40 }
/** A capability of 16 bytes. */
const capability = (at: number, next: number, type: number, bar: number, offset: number, bytes: number, length = 16) =>
  Object.fromEntries(
    [9, next, length, type, bar, 0, 0, 0, offset & 255, offset >> 8, 0, 0, bytes & 255, bytes >> 8, 0, 0].map(
      (byte, i) => [at + i, byte],
    ),
  )
const refusal = (message: string) =>
  expect.objectContaining({ code: 'NO_DEVICE', message: expect.stringContaining(message) })

describe('probe', () => {
  it.each([
    ['another vendor', { 0: 0x86, 1: 0x80 }],
    ['nobody', Object.fromEntries(Array.from({ length: 256 }, (_, i) => [i, 255]))],
    ['another device of the vendor', { ...VIRTIO, 2: 0x80, 3: 0x10 }],
    ['a device without a type', { ...VIRTIO, 2: 0x40, 3: 0x10 }],
  ])('PCI-ID-DRV-01: %s is not taken', (_, bytes) => {
    expect(PciTransport.probe(spaceOf(bytes), { memory })).toBeNull()
  })

  it('PCI-ID-DRV-02, PCI-ID-DRV-03: a transitional id is that of its type, whatever the revision', () => {
    const spoil = ({ space, offset, width }: Access, answer: number) => {
      if (space !== 'config') return answer
      if (offset === 2 && width === 2) return 0x1005
      return offset === 8 ? 0 : answer
    }
    const { transport } = behindPci(entropyDevice({ source: () => 0 }).create(), { spoil })
    expect(transport.deviceId).toBe(4)
  })

  it('a function without capabilities is no modern device', () => {
    expect(() => PciTransport.probe(spaceOf({ ...VIRTIO, 6: 0 }), { memory })).toThrow(refusal('capability of type 1'))
  })

  it('a list in a circle ends', () => {
    const bytes = { ...VIRTIO, ...capability(0x40, 0x40, 1, 0, 0, 64) }
    expect(() => PciTransport.probe(spaceOf(bytes), { memory })).toThrow(refusal('goes in circles'))
  })

  it('PCI-CAP-DRV-02, PCI-CAP-DRV-03, PCI-CAP-DRV-04, PCI-CAP-DRV-05, PCI-CAP-DRV-07: takes the first usable structure of each type', () => {
    const bytes = {
      ...VIRTIO,
      // A reserved type, a reserved BAR, too short, then a longer one than is known, then another.
      ...capability(0x40, 0x50, 200, 0, 0x100, 64),
      ...capability(0x50, 0x60, 1, 6, 0x200, 64),
      ...capability(0x60, 0x70, 1, 0, 0x300, 8),
      ...capability(0x70, 0x80, 1, 0, 0x400, 4096, 32),
      ...capability(0x80, 0x90, 1, 0, 0x500, 64),
      ...capability(0x90, 0xa0, 2, 0, 0x600, 64),
      ...capability(0xa4, 0xb4, 3, 0, 0x700, 1),
      145: 0xa4,
    }
    const read: number[] = []
    const transport = PciTransport.probe({ ...spaceOf(bytes), readBar: (_, offset) => read.push(offset) }, { memory })!
    transport.readStatus()
    expect(read).toEqual([0x400 + 20])
    expect(transport.configLengthBytes).toBe(0)
  })

  it.each([
    [{}, 'memory'],
    [{ memory, allocator: {} }, 'allocator'],
    [{ memory, message: 5 }, 'message'],
  ])('refuses %j', (options, name) => {
    const wrong = expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) })
    expect(() => PciTransport.probe(spaceOf({}), options as never)).toThrow(wrong)
    expect(() => PciTransport.probe({} as never, { memory })).toThrow('bus')
  })
})

/** Offset and width of every field of the common configuration. */
const FIELDS: Readonly<Record<number, number>> = Object.fromEntries([
  ...[0, 4, 8, 12, 32, 36, 40, 44, 48, 52].map((offset) => [offset, 4]),
  ...[16, 18, 22, 24, 26, 28, 30, 56, 58].map((offset) => [offset, 2]),
  [20, 1],
  [21, 1],
])

describe.each(['INTx', 'MSI-X'] as const)('a driver with %s', (kind) => {
  async function run() {
    const device = small.create()
    const violations: unknown[] = []
    device.registers.events.on('violation', (violation) => violations.push(violation))
    const behind = behindPci(device, { msix: kind === 'MSI-X' })
    const driver = await connect(behind.transport)
    const { bytes } = await driver.requests.call([u32le(41)], { reply: 4 })
    driver.close()
    return { ...behind, bytes, violations }
  }

  it('calls its device, and is answered by an interrupt', async () => {
    const { bytes, violations, transport, messages, pci } = await run()
    expect(new DataView(bytes.buffer).getUint32(0, true)).toBe(42)
    expect([violations, transport.usesMsix, pci.interruptLine]).toEqual([[], kind === 'MSI-X', false])
    expect(messages).toEqual(kind === 'MSI-X' ? [1] : [])
  })

  it('PCI-LAY-DRV-01, PCI-COM-DRV-01, PCI-CAP-DRV-06: accesses fields of structures in their width', async () => {
    const { accesses } = await run()
    for (const { space, offset, width, value } of accesses) {
      if (space !== 0) continue
      if (offset < 60) expect([offset, width]).toEqual([offset, FIELDS[offset]])
      else expect([0x1000, 0x2000, 0x3000]).toContain(offset & ~0xfff)
      if (value !== undefined) expect([4, 18, 21, 30, 56]).not.toContain(offset)
    }
  })

  it('PCI-COM-DRV-03, PCI-COM-DRV-04: queue_enable is written last, and sizes are powers of two', async () => {
    const { accesses } = await run()
    const writes = accesses.filter(({ space, value }) => space === 0 && value !== undefined)
    const enabled = writes.findIndex(({ offset }) => offset === 28)
    const set = writes.map(({ offset }, i) => ([24, 26, 32, 36, 40, 44, 48, 52].includes(offset) ? i : -1))
    expect(Math.max(...set)).toBeLessThan(enabled)
    expect(writes.find(({ offset }) => offset === 24)!.value).toBe(8)
  })

  it('PCI-COM-DRV-05: reads the status until it is 0 after a reset', async () => {
    const { accesses } = await run()
    const reset = accesses.findIndex(({ space, offset, value }) => space === 0 && offset === 20 && value === 0)
    const next = accesses.slice(reset + 1).filter(({ space, offset }) => space === 0 && offset === 20)
    expect(next[0]!.value).toBeUndefined()
  })

  it('PCI-KICK-DRV-01, PCI-KICK-DRV-03: a kick is the queue in 16 bits, at its doorbell', async () => {
    const { accesses } = await run()
    const kicks = accesses.filter(({ space, offset }) => space === 0 && offset >= 0x3000)
    expect(kicks).toEqual([{ space: 0, offset: 0x3000, width: 2, value: 0 }])
  })

  it('PCI-ISR-DRV-01: with MSI-X, ISR is left alone', async () => {
    const { accesses } = await run()
    const reads = accesses.filter(({ space, offset }) => space === 0 && offset === 0x1000)
    expect(reads.length > 0).toBe(kind === 'INTx')
  })
})

describe('vectors', () => {
  it('PCI-MSIX-DRV-01, PCI-INT-DRV-01: one vector stands for the configuration and all queues', async () => {
    const behind = behindPci(small.create(), { msix: true, function: { vectors: 1 } })
    const driver = await connect(behind.transport)
    const { bytes } = await driver.requests.call([u32le(1)], { reply: 4 })
    expect([bytes[0], behind.messages]).toEqual([2, [0]])
    driver.close()
  })

  it('PCI-MSIX-DRV-05: a mapping that is not taken is told', async () => {
    const spoil = ({ space, offset, value }: Access, answer: number) =>
      space === 0 && offset === 26 && value === undefined ? 0xffff : answer
    const { transport } = behindPci(small.create(), { msix: true, spoil })
    await expect(connect(transport)).rejects.toThrow('has not mapped an event to vector 1')
  })

  it('PCI-MSIX-DRV-02: a device without MSI-X is driven by INTx', async () => {
    const behind = behindPci(small.create(), { msix: true, function: { sendMessage: undefined as never } })
    const driver = await connect(behind.transport)
    const { bytes } = await driver.requests.call([u32le(1)], { reply: 4 })
    expect([bytes[0], behind.transport.usesMsix]).toEqual([2, false])
    driver.close()
  })
})

describe("others' devices", () => {
  it('that show another queue size than they use after a queue reset are given it again', async () => {
    const { transport, accesses } = behindPci(small.create())
    const driver = await connect(transport)
    const { descriptorArea, driverArea, deviceArea } = {
      descriptorArea: 0x8000_0000,
      driverArea: 0x8000_1000,
      deviceArea: 0x8000_2000,
    }
    expect(transport.resetQueue(0)).toBe(true)
    const before = accesses.length
    transport.setupQueue(0, { size: 4, descriptorArea, driverArea, deviceArea })
    expect(accesses.slice(before).find(({ offset }) => offset === 24)!.value).toBe(4)
    driver.close()
  })

  it('PCI-COM-DRV-07: that drop a queue reset have reset no queue', async () => {
    const spoil = ({ space, offset, value }: Access, answer: number) =>
      space === 0 && offset === 58 ? (value === undefined ? 0 : -1) : answer
    const { transport } = behindPci(small.create(), { spoil })
    const driver = await connect(transport)
    expect(transport.resetQueue(0)).toBe(false)
    driver.close()
  })
})

describe('devices of this package over PCI', () => {
  it('configuration: each field in its width', async () => {
    const device = defineDevice({
      id: 60,
      queues: [{ name: 'requests', size: 8 }],
      config: {
        wide: u64('wide', { initial: 2 ** 40 }),
        half: u16('half', { initial: 8, driverWritable: true }),
        byte: u8('byte', { initial: 9 }),
      },
      requests() {},
    }).create()
    const { transport, accesses } = behindPci(device)
    const driver = await connect(transport)
    const { wide, half, byte } = driver.config
    expect([wide, half, byte]).toEqual([2 ** 40, 8, 9])
    driver.writeConfig('half', 21)
    expect(device.config.values.half).toBe(21)
    const config = accesses
      .filter(({ space, offset }) => space === 0 && offset >= 0x2000 && offset < 0x3000)
      .map(({ offset, width }) => [offset - 0x2000, width])
    expect(config).toEqual([
      [0, 4],
      [4, 4],
      [8, 2],
      [10, 1],
      [8, 2],
    ])
    driver.close()
  })

  it.each([
    ['INTx', 'memory'],
    ['INTx', 'io'],
    ['MSI-X', 'memory'],
  ] as const)('vsock: 256 KiB to an echo and back (%s, %s BAR)', async (kind, bar) => {
    const host = new VsockDevice({ guestCid: 3, queueSize: 8 })
    host.listen(7, async (socket) => {
      for await (const bytes of socket) await socket.send(bytes)
      socket.close()
    })
    const far = GuestMemory.ofSize(4 << 20, 0x1_0000_0000)
    const { transport, pci } = behindPci(host as never, { msix: kind === 'MSI-X', function: { bar } }, far)
    const guest = new VsockDriver(transport as never)
    const socket = await guest.connect(VSOCK_HOST_CID, 7).opened()
    const sent = Uint8Array.from({ length: 1 << 18 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
    void socket.send(sent).then(() => socket.end())
    const got: number[] = []
    for await (const bytes of socket) for (const byte of bytes) got.push(byte)
    expect(Buffer.compare(Uint8Array.from(got), sent)).toBe(0)
    expect(pci.interruptLine).toBe(false)
    guest.close()
  })

  it('a type that PCI has no id for is refused', () => {
    expect(() => behindPci(adder.create())).toThrow('0x1234')
  })
})
