/** The driver side of virtio over MMIO: what it reads and writes, in which order, and what it makes of others' devices. */

import { u32le } from 'virtio-sdk'
import { GuestMemory } from 'virtio-sdk/memory'
import { MmioTransport } from 'virtio-sdk/transport'
import {
  connect,
  defineDevice,
  entropyDevice,
  u8,
  u16,
  u32,
  u64,
  VSOCK_HOST_CID,
  VsockDevice,
  VsockDriver,
} from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { adder } from '../../virtio/adder.ts'
import { type Access, behindMmio } from './behind-mmio.ts'

const memory = GuestMemory.ofSize(4096)
const busOf = (words: Readonly<Record<number, number>>, read: number[] = []) => ({
  read(offset: number) {
    read.push(offset)
    return words[offset] ?? 0
  },
  write() {},
})

describe('probe', () => {
  it('MMIO-INIT-DRV-01, MMIO-REG-DRV-06, MMIO-REG-DRV-07: another MagicValue is no device, and nothing else is read', () => {
    const read: number[] = []
    const probe = () => MmioTransport.probe(busOf({ 0: 0xffff_ffff }, read), { memory })
    expect(probe).toThrow(
      expect.objectContaining({ code: 'NO_DEVICE', message: 'MagicValue reads 0xffffffff, not 0x74726976' }),
    )
    expect(read).toEqual([0])
  })

  it('MMIO-REG-DRV-08, MMIO-REG-DRV-09: another Version is not driven', () => {
    const read: number[] = []
    const probe = () => MmioTransport.probe(busOf({ 0: 0x7472_6976, 4: 1 }, read), { memory })
    expect(probe).toThrow('Version reads 1, the legacy interface; this driver knows 2')
    expect(read).toEqual([0, 4])
  })

  it('MMIO-INIT-DRV-02, MMIO-INIT-DRV-03, MMIO-INIT-DRV-04, MMIO-REG-DRV-10, MMIO-REG-DRV-11: DeviceID 0 is nobody: no error, no further access', () => {
    const read: number[] = []
    expect(MmioTransport.probe(busOf({ 0: 0x7472_6976, 4: 2 }, read), { memory })).toBeNull()
    expect(read).toEqual([0, 4, 8])
  })

  it.each([
    [{}, 'memory'],
    [{ memory, allocator: {} }, 'allocator'],
    [{ memory, configLengthBytes: -1 }, 'configLengthBytes'],
  ])('refuses %j', (options, name) => {
    const refusal = expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) })
    expect(() => MmioTransport.probe(busOf({}), options as never)).toThrow(refusal)
    expect(() => MmioTransport.probe({} as never, { memory })).toThrow('bus')
  })
})

const words = (accesses: readonly Access[]) => accesses.filter(({ offset }) => offset < 0x100)

/** Registers that can be read, and written, by §4.2.2. */
const READABLE = [0, 4, 8, 0xc, 0x10, 0x34, 0x44, 0x60, 0x70, 0xb0, 0xb4, 0xb8, 0xbc, 0xc0, 0xfc]
const WRITABLE = [0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64, 0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, 0xac, 0xc0]

describe('a driver', () => {
  async function run() {
    const device = adder.create({ config: { limit: 1000 } })
    const violations: unknown[] = []
    device.registers.events.on('violation', (violation) => violations.push(violation))
    const behind = behindMmio(device)
    const driver = await connect(behind.transport, { want: ['checksum'] })
    const { bytes } = await driver.requests.call([u32le(40), u32le(2)], { reply: 8 })
    return { ...behind, device, driver, bytes, violations }
  }

  it('calls its device through the registers, and is answered by an interrupt', async () => {
    const { bytes, driver, line, window, violations } = await run()
    expect([...new Uint32Array(bytes.buffer)]).toEqual([42, 40 ^ 2])
    expect(driver.config.limit).toBe(1000)
    expect([line.level, window.interruptLine, violations]).toEqual([false, false, []])
    driver.close()
  })

  it('MMIO-REG-DRV-01, MMIO-REG-DRV-02, MMIO-REG-DRV-03, MMIO-REG-DRV-04: reads and writes what can be, in aligned words', async () => {
    const { accesses, driver } = await run()
    driver.close()
    const registers = words(accesses)
    expect(registers.every(({ width, offset }) => width === 4 && offset % 4 === 0)).toBe(true)
    const of = (isWrite: boolean) =>
      registers.filter(({ value }) => (value !== undefined) === isWrite).map(({ offset }) => offset)
    expect(of(false).filter((offset) => !READABLE.includes(offset))).toEqual([])
    expect(of(true).filter((offset) => !WRITABLE.includes(offset))).toEqual([])
  })

  it('MMIO-INIT-DRV-05, MMIO-INIT-DRV-06: comes up step by step, and leaves the registers of shared memory alone', async () => {
    const { accesses, driver } = await run()
    const status = accesses.filter(({ offset, value }) => offset === 0x70 && value !== undefined)
    expect(status.map(({ value }) => value)).toEqual([0, 1, 3, 11, 15])
    expect(accesses.filter(({ offset }) => offset >= 0xac && offset <= 0xbc)).toEqual([])
    driver.close()
  })

  it('MMIO-INT-DRV-02: an interrupt is of all queues', async () => {
    const device = defineDevice({
      id: 0x1234,
      queues: [
        { name: 'first', size: 4 },
        { name: 'second', size: 4 },
      ],
      first() {},
      second(queue) {
        for (const { writer } of queue.drain(4)) writer.u32(5)
      },
    }).create()
    const driver = await connect(behindMmio(device).transport)
    let answered = 0
    driver.second.call([], { reply: 4, onSettled: () => answered++ })
    await new Promise((resolve) => setImmediate(resolve))
    expect(answered).toBe(1)
    driver.close()
  })

  it('MMIO-REG-DRV-12, MMIO-REG-DRV-13: selects a window of features before it reads or writes it', async () => {
    const { accesses, driver } = await run()
    driver.close()
    for (const [register, select] of [
      [0x10, 0x14],
      [0x20, 0x24],
    ]) {
      const uses = accesses.map(({ offset }, i) => [offset, i] as const).filter(([offset]) => offset === register)
      expect(uses.length).toBeGreaterThan(1)
      for (const [, i] of uses) expect(accesses[i - 1]!.offset).toBe(select)
    }
  })

  it('MMIO-REG-DRV-14, MMIO-REG-DRV-15: sizes a queue below its maximum, and leaves its registers alone once it is ready', async () => {
    const { accesses, driver } = await run()
    driver.close()
    const ready = accesses.findIndex(({ offset, value }) => offset === 0x44 && value === 1)
    const set = accesses.map(({ offset }, i) => ([0x38, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4].includes(offset) ? i : -1))
    expect(Math.max(...set)).toBeLessThan(ready)
    const size = accesses.find(({ offset }) => offset === 0x38)!.value!
    expect(size).toBe(8)
  })

  it('MMIO-INT-DRV-01, MMIO-REG-DRV-19: an interrupt is InterruptStatus read, then what was there acknowledged', async () => {
    const { accesses, driver } = await run()
    driver.close()
    const status = accesses.findIndex(({ offset }) => offset === 0x60)
    expect(accesses[status + 1]).toEqual({ offset: 0x64, width: 4, value: 1 })
  })

  it('MMIO-REG-DRV-18, MMIO-REG-DRV-20: undefined bits of InterruptStatus are neither heard nor acknowledged', async () => {
    const { transport, accesses } = behindMmio(adder.create(), ({ offset }, answer) =>
      offset === 0x60 ? 0xff00_0001 : answer,
    )
    expect(transport.takeInterrupts()).toBe(1)
    expect(accesses.at(-1)).toEqual({ offset: 0x64, width: 4, value: 1 })
  })

  it('MMIO-REG-DRV-05: reads and writes each field of the configuration in its width, a u64 in two halves', async () => {
    const device = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      config: {
        wide: u64('wide', { initial: 2 ** 40 }),
        word: u32('word', { initial: 7 }),
        half: u16('half', { initial: 8, driverWritable: true }),
        byte: u8('byte', { initial: 9 }),
      },
      requests() {},
    }).create()
    const { transport, accesses } = behindMmio(device)
    const driver = await connect(transport)
    const { wide, word, half, byte } = driver.config
    expect([wide, word, half, byte]).toEqual([2 ** 40, 7, 8, 9])
    driver.writeConfig('half', 21)
    expect(device.config.values.half).toBe(21)
    const config = accesses.filter(({ offset }) => offset >= 0x100).map(({ offset, width }) => [offset - 0x100, width])
    expect(config).toEqual([
      [0, 4],
      [4, 4],
      [8, 4],
      [12, 2],
      [14, 1],
      [12, 2],
    ])
    driver.close()
  })

  it('an interrupt that comes before there is a driver is kept for it', async () => {
    const { transport, window } = behindMmio(adder.create())
    expect(transport.takeInterrupt()).toBe(false)
    let calls = 0
    transport.onInterrupt(() => calls++)
    await Promise.resolve()
    expect([calls, window.interruptLine]).toEqual([1, false])
  })
})

describe("others' devices", () => {
  it('that repeat their second window of features keep what was accepted in it', async () => {
    // QEMU's: a selection beyond 1 reads and writes window 1.
    let select = 0
    const device = adder.create()
    const { transport } = behindMmio(device, (access, answer) => {
      const { offset, value } = access
      if ((offset === 0x14 || offset === 0x24) && value !== undefined) {
        select = value
        return 0
      }
      if (offset !== 0x10 && offset !== 0x20) return answer
      const { registers } = device
      if (offset === 0x10) return registers.offeredFeatures.window(Math.min(select, 1)) >>> 0
      registers.driverFeaturesSelect = Math.min(select, 1)
      return 0
    })
    const driver = await connect(transport)
    const { bytes } = await driver.requests.call([u32le(1), u32le(2)], { reply: 4 })
    expect([...bytes]).toEqual([3, 0, 0, 0])
    driver.close()
  })

  it('MMIO-REG-DRV-21: that offer RING_RESET without QueueReset have reset no queue', async () => {
    // QEMU's: the write is dropped, the register reads 0.
    const drop = ({ offset, value }: Access, answer: number) =>
      offset === 0xc0 ? (value === undefined ? 0 : -1) : answer
    const { transport } = behindMmio(adder.create(), drop)
    const driver = await connect(transport)
    expect(transport.resetQueue(0)).toBe(false)
    driver.close()
    const own = behindMmio(adder.create())
    const other = await connect(own.transport)
    expect(own.transport.resetQueue(0)).toBe(true)
    other.close()
  })
})

describe('devices of this package over MMIO', () => {
  it('entropy', async () => {
    const { transport } = behindMmio(entropyDevice({ source: (target) => target.fill(7).length }).create())
    const driver = await connect(transport)
    const { bytes } = await driver.requests.call([], { reply: 16 })
    expect([...bytes]).toEqual(Array(16).fill(7))
    driver.close()
  })

  it('vsock: 1 MiB to an echo and back, across interrupts and both rings', async () => {
    const host = new VsockDevice({ guestCid: 3, queueSize: 8 })
    host.listen(7, async (socket) => {
      for await (const bytes of socket) await socket.send(bytes)
      socket.close()
    })
    const { transport, window } = behindMmio(host as never, undefined, GuestMemory.ofSize(4 << 20, 0x1_0000_0000))
    const guest = new VsockDriver(transport as never)
    const socket = await guest.connect(VSOCK_HOST_CID, 7).opened()
    const sent = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
    void socket.send(sent).then(() => socket.end())
    const got: number[] = []
    for await (const bytes of socket) for (const byte of bytes) got.push(byte)
    expect(got.length).toBe(sent.length)
    expect(Buffer.compare(Uint8Array.from(got), sent)).toBe(0)
    expect(window.interruptLine).toBe(false)
    guest.close()
  })
})
