/** Devices behind the adapter, driven through ports as a guest of v86 does it. */
import { connect, u32le } from 'virtio-sdk'
import { InterruptLine, PciTransport } from 'virtio-sdk/transport'
import { attachToV86, type V86Access, type V86AttachOptions } from 'virtio-sdk/v86'
import { defineDevice, entropyDevice } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { StandIn } from './stand-in.ts'

const ISR = 0x40
const DEVICE_STATUS = 20
const DATA_STRUCTURES_AT = 0x10_0000

function doubler() {
  return defineDevice({
    id: 42,
    queues: [{ name: 'requests', size: 16 }],
    requests(queue) {
      for (const request of queue.drain(16)) request.writer.u32(2 * request.reader.u32())
    },
  }).create()
}

/** A device in a slot, with a driver of ours as the guest; `interrupts` false: nobody takes them. */
async function withDriver(machine: StandIn, options: V86AttachOptions = {}, interrupts = true) {
  const device = doubler()
  const attachment = attachToV86(machine, device, options)
  const { slot, memory } = attachment
  const transport = PciTransport.probe(machine.bus(slot), { memory, contract: device.contract })!
  const irq = machine.isa_bridge_space8[0x60 + ((slot - 1) & 3)]!
  const line = new InterruptLine(() => transport.takeInterrupt())
  if (interrupts) machine.onLevel.push(() => line.set(machine.raised.has(irq)))
  const driver = await connect(transport)
  const call = async (value: number): Promise<number> => {
    const { bytes } = await driver.requests.call([u32le(value)], { reply: 4 })
    return new DataView(bytes.buffer).getUint32(0, true)
  }
  return { device, driver, attachment, irq, call }
}

describe('a device in a slot of v86', () => {
  it('is found by its configuration space, and serves requests through ports', async () => {
    const machine = new StandIn()
    const { call, attachment } = await withDriver(machine)
    expect(attachment.slot).toBe(8)
    expect(machine.bus(8).readConfig(0, 4)).toBe(((0x1040 + 42) << 16) | 0x1af4)
    expect(await call(21)).toBe(42)
  })

  it('takes the first free slot, or the one it is told', async () => {
    const machine = new StandIn()
    expect(attachToV86(machine, doubler()).slot).toBe(8)
    expect(attachToV86(machine, doubler()).slot).toBe(9)
    expect(attachToV86(machine, doubler(), { slot: 20 }).slot).toBe(20)
    expect(() => attachToV86(machine, doubler(), { slot: 20 })).toThrow(/slot.*free/)
    expect(() => attachToV86(machine, doubler(), { slot: 32 })).toThrow(/slot/)
  })

  it('refuses what is no V86, or none that is ready', () => {
    expect(() => attachToV86({}, doubler())).toThrow(/emulator-ready/)
    expect(() => attachToV86({ v86: { cpu: { devices: {} } } }, doubler())).toThrow(/emulator-ready/)
  })

  it('answers wherever the guest moves its BAR to, and nowhere else', async () => {
    const machine = new StandIn()
    const { call } = await withDriver(machine)
    const bus = machine.bus(8)
    const before = bus.readConfig(0x10, 4) & 0xfffe
    bus.writeConfig(0x10, 4, 0xffff_ffff)
    expect(bus.readConfig(0x10, 4)).toBe(0xffff_ff01)
    bus.writeConfig(0x10, 4, 0x1400)
    expect(machine.portIn(before + DEVICE_STATUS, 1)).toBe(0xff)
    expect(machine.portIn(0x1400 + DEVICE_STATUS, 1)).toBe(15)
    expect(await call(4)).toBe(8)
  })

  it('hands 32 bits back as v86 wants them, signed, and takes them so', () => {
    const machine = new StandIn()
    const seen: V86Access[] = []
    attachToV86(machine, doubler(), { onAccess: (access) => seen.push(access) })
    const bus = machine.bus(8)
    bus.writeBar(0, 8, 4, 0xffff_fffe)
    expect(machine.portIn(0xd000 + 8, 4)).toBe(-2)
    expect(bus.readBar(0, 8, 4)).toBe(0xffff_fffe)
    expect(seen).toEqual([
      { kind: 'write', offset: 8, width: 4, value: 0xffff_fffe },
      { kind: 'read', offset: 8, width: 4, value: 0xffff_fffe },
      { kind: 'read', offset: 8, width: 4, value: 0xffff_fffe },
    ])
  })

  it('leaves an access that reaches past its BAR to v86', () => {
    const machine = new StandIn()
    attachToV86(machine, doubler())
    expect(machine.portIn(0xd0ff, 1)).toBe(0)
    expect(machine.portIn(0xd0ff, 2)).toBe(0xffff)
    expect(machine.portIn(0xd0fd, 4)).toBe(-1)
  })

  it('breaks when its observer throws, and the emulator goes on', () => {
    const machine = new StandIn()
    const device = doubler()
    const faults: unknown[] = []
    device.registers.events.on('fault', (error) => faults.push(error))
    attachToV86(machine, device, {
      onAccess() {
        throw new Error('observer')
      },
    })
    machine.bus(8).writeBar(0, DEVICE_STATUS, 1, 1)
    expect(faults).toEqual([new Error('observer')])
    expect(device.registers.status & 0x40).toBe(0x40)
  })
})

describe('interrupts', () => {
  it('stay up while any function on the same interrupt holds its line', async () => {
    const machine = new StandIn()
    const first = await withDriver(machine, { slot: 8 }, false)
    const second = await withDriver(machine, { slot: 12 }, false)
    expect(second.irq).toBe(first.irq)
    for (const { device } of [first, second]) device.registers.notifyConfigChange()
    expect(machine.raised.has(first.irq)).toBe(true)
    machine.bus(8).readBar(0, ISR, 1)
    expect(machine.raised.has(first.irq)).toBe(true)
    machine.bus(12).readBar(0, ISR, 1)
    expect(machine.raised.has(first.irq)).toBe(false)
  })

  it('go down when the device is reset', async () => {
    const machine = new StandIn()
    const { device, irq } = await withDriver(machine, {}, false)
    device.registers.notifyConfigChange()
    expect(machine.raised.has(irq)).toBe(true)
    machine.bus(8).writeBar(0, DEVICE_STATUS, 1, 0)
    expect(machine.raised.has(irq)).toBe(false)
  })

  it('go down where they went up when the guest routes the line elsewhere in between', async () => {
    const machine = new StandIn()
    const { device, irq } = await withDriver(machine, {}, false)
    device.registers.notifyConfigChange()
    machine.isa_bridge_space8[0x60 + 3] = 5
    machine.bus(8).readBar(0, ISR, 1)
    expect([...machine.raised]).toEqual([])
    device.registers.notifyConfigChange()
    expect([...machine.raised]).toEqual([5])
    expect(irq).not.toBe(5)
  })

  it('go nowhere while the guest has the line routed nowhere', async () => {
    const machine = new StandIn()
    const { device } = await withDriver(machine, {}, false)
    machine.isa_bridge_space8[0x60 + 3] = 0x80
    device.registers.notifyConfigChange()
    expect([...machine.raised]).toEqual([])
  })
})

describe("the guest's RAM", () => {
  it('is grown before the first device, and one memory for all of them', () => {
    const machine = new StandIn()
    const first = attachToV86(machine, doubler())
    const second = attachToV86(machine, doubler())
    expect(machine.grownBy).toEqual([64 << 20])
    expect(second.memory).toBe(first.memory)
    expect(first.memory.contains(0xa_0000, 1)).toBe(false)
    expect(first.memory.contains(0xc_0000, DATA_STRUCTURES_AT)).toBe(true)
  })

  it('is followed when v86 grows between two accesses: rings and requests go on', async () => {
    const machine = new StandIn()
    const { device, call, attachment } = await withDriver(machine)
    expect(await call(1)).toBe(2)
    machine.grow()
    expect(attachment.memory.isDetached).toBe(true)
    attachment.followMemory()
    expect(await call(3)).toBe(6)
    machine.grow()
    // The access of the guest that comes next does it as well.
    machine.bus(8).readBar(0, ISR, 1)
    expect(attachment.memory.isDetached).toBe(false)
    expect(await call(5)).toBe(10)
    expect(device.registers.status).toBe(15)
  })

  it('has the code thrown away that was translated from bytes which the device wrote', async () => {
    const machine = new StandIn()
    const device = entropyDevice({ source: (target) => target.fill(0x5a).length }).create()
    const { memory } = attachToV86(machine, device)
    const transport = PciTransport.probe(machine.bus(8), { memory, contract: device.contract })!
    const line = new InterruptLine(() => transport.takeInterrupt())
    machine.onLevel.push(() => line.set(machine.raised.size > 0))
    const driver = await connect(transport)
    const before = memory.regions.map(({ u8 }) => u8.slice())
    machine.dirtied.length = 0
    const { bytes } = await driver.requests.call([], { reply: 32 })
    expect(bytes).toEqual(new Uint8Array(32).fill(0x5a))
    const written = [...bytesOf(memory.regions[1]!.u8, before[1]!)].filter((offset) => {
      const at = memory.regions[1]!.base + offset
      return memory.regions[1]!.u8[offset] === 0x5a && !machine.dirtied.some(([start, end]) => at >= start && at < end)
    })
    expect(written).toEqual([])
    // The bytes, and the used ring.
    expect(machine.dirtied.some(([start, end]) => end - start === 32)).toBe(true)
    expect(machine.dirtied.length).toBeGreaterThan(1)
  })
})

/** Offsets at which two differ. */
function* bytesOf(now: Uint8Array, before: Uint8Array): Generator<number> {
  for (let i = 0; i < now.length; i++) if (now[i] !== before[i]) yield i
}
