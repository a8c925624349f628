/** What is handed to a method, and is of another type or no such thing, is refused with its name, what it was, and what would be right. */
import { u32le, u64le, type VirtioError } from 'virtio-sdk'
import { BumpAllocator, GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type DeviceModel,
  DeviceRegisters,
  defineDevice,
  FeatureSet,
  restoreDriver,
  startDriver,
  u16,
  u64,
  VsockDevice,
  VsockDriver,
  VsockEndpoint,
} from 'virtio-sdk/virtio'
import { BufferList, SplitDeviceQueue, SplitDriverQueue } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { adder } from './adder.ts'
import { type Anything, live, refusal, refused } from './refusals.ts'

describe('call', () => {
  it.each([
    [u32le(1), 'readable must be an array of Uint8Array, not a Uint8Array'],
    ['abc', 'readable must be an array of Uint8Array, not "abc"'],
    [null, 'readable must be an array of Uint8Array, not null'],
    [[5], 'readable[0] must be a Uint8Array, not 5'],
    [[u32le(1), 'abc'], 'readable[1] must be a Uint8Array, not "abc"'],
    [[[1, 2]], 'readable[0] must be a Uint8Array, not an array'],
    [[new DataView(new ArrayBuffer(4))], 'readable[0] must be a Uint8Array, not a DataView'],
    [[new ArrayBuffer(4)], 'readable[0] must be a Uint8Array, not an ArrayBuffer'],
    [[new Uint16Array(4)], 'readable[0] must be a Uint8Array, not a Uint16Array'],
  ] as [Anything, string][])('of %s', async (readable, message) => {
    const { driver } = live()
    expect(await refusal(() => driver.requests.call(readable, { reply: 4 }))).toBe(refused(message))
    // Nothing of it is under way.
    expect(driver.requests.ring.outstanding).toBe(0)
  })

  it.each([
    [null, 'options must be an object, not null'],
    [4, 'options must be an object, not 4'],
    [{ reply: '4' }, 'reply must be an integer from 0 to 4294967295 (bytes), not "4"'],
    [{ signal: 'x' }, 'signal must be an AbortSignal, not "x"'],
    [{ signal: {} }, 'signal must be an AbortSignal, not an object'],
    [{ onSettled: 1 }, 'onSettled must be a function, not 1'],
  ] as [Anything, string][])('with %s', async (options, message) => {
    expect(await refusal(() => live().driver.requests.call([u32le(1)], options))).toBe(refused(message))
  })

  it('takes a Buffer, and a view of another realm', async () => {
    const { driver } = live()
    const { runInNewContext } = await import('node:vm')
    for (const bytes of [Buffer.alloc(8), runInNewContext('new Uint8Array(8)') as Uint8Array]) {
      expect((await driver.requests.call([bytes], { reply: 4 })).bytes.length).toBe(4)
    }
  })
})

describe('add and post', () => {
  it('want a BufferList and a function', async () => {
    const { driver } = live()
    const buffers = new BufferList().addReadable(0x4000_0000, 4)
    for (const method of ['add', 'post'] as const) {
      for (const wrong of [null, undefined, [u32le(1)], u32le(1), 'abc', {}] as Anything[]) {
        expect(await refusal(() => driver.requests[method](wrong, () => {}))).toContain(
          'buffers must be a BufferList, not',
        )
      }
      for (const wrong of [null, undefined, 'abc', {}] as Anything[]) {
        expect(await refusal(() => driver.requests[method](buffers, wrong))).toContain(
          'completion must be a function, not',
        )
      }
    }
    expect(driver.requests.ring.outstanding).toBe(0)
  })
})

describe('what has the wrong type', () => {
  const contract = adder.contract as Anything
  it.each<[string, (value: Anything) => unknown]>([
    ['transport', (value) => startDriver(value, { contract })],
    ['transport', (value) => restoreDriver(value, live().driver.saveState(), { contract })],
    ['transport', (value) => new VsockDriver(value)],
    ['transport', (value) => adder.create().registers.attach(value)],
    ['device', (value) => new SharedMemoryTransport(value)],
    ['options', (value) => startDriver(live().transport, value)],
    ['options', (value) => adder.create(value)],
    ['options', (value) => new SharedMemoryTransport(adder.create(), value)],
    ['options', (value) => new VsockEndpoint(3, value)],
    ['declaration', (value) => defineDevice(value)],
    ['model', (value) => new DeviceRegisters({ deviceId: 1, queueSizes: [8] }, value)],
    ['regions', (value) => new GuestMemory(value)],
    ['region', (value) => new GuestMemory([value])],
    ['memory', (value) => new SplitDeviceQueue(value, {} as Anything)],
    ['memory', (value) => new SplitDriverQueue(value, {} as Anything)],
    ['listener', (value) => live().driver.events.on('fault', value)],
    ['changes', (value) => live().device.config.update(value)],
  ])('%s is refused', async (name, call) => {
    for (const value of [null, 5, 'abc']) expect(await refusal(() => call(value))).toContain(`${name} must be`)
  })

  it('no saved state is none: a restore never starts afresh', async () => {
    const { device, transport, driver } = live()
    const vsock = new SharedMemoryTransport(new VsockDevice({ guestCid: 3 }))
    const guest = new VsockDriver(vsock)
    const status = vsock.readStatus()
    for (const nothing of [null, undefined, 0, '', 'state', [], {}] as Anything[]) {
      const restores = [
        () => VsockDriver.restore(vsock, nothing),
        () => guest.endpoint.restoreState(nothing),
        () => restoreDriver(transport, nothing),
        () => adder.create().registers.restoreState(nothing),
        () => driver.requests.ring.restoreState(nothing),
        () => device.queues.requests.ring!.restoreState(nothing),
        () => transport.restoreState(nothing),
      ]
      for (const [i, restore] of restores.entries()) {
        expect(await refusal(restore), `${i} ${nothing}`).toContain('VirtioError INVALID_STATE')
      }
    }
    expect([vsock.readStatus(), guest.driver.error, driver.error]).toEqual([status, null, null])
  })
})

describe('names', () => {
  it('that there are not, are refused with those that there are', async () => {
    const { device, transport, driver } = live()
    const any = driver as Anything
    expect(await refusal(() => any.writeConfig('limmit', 1))).toContain('field must be one of')
    expect(await refusal(() => any.writeConfig('limmit', 1))).toContain('did you mean limit?')
    expect(await refusal(() => device.config.update({ nosuch: 1 } as Anything))).toContain('field must be one of')
    expect(await refusal(() => adder.create({ config: { nosuch: 1 } } as Anything))).toContain('field must be one of')
    expect(await refusal(() => adder.create({ offer: ['turbo'] } as Anything))).toBe(
      refused('offer must be one of checksum, fast, not "turbo"'),
    )
    expect(await refusal(() => any.events.on('faults', () => {}))).toBe(
      refused('event must be one of violation, config, stopped, fault, not "faults"; did you mean fault?'),
    )
    expect(await refusal(() => startDriver(transport, { queueSizes: { events: 4 } } as Anything))).toContain('"events"')
    for (const name of ['', 5, undefined] as Anything[]) {
      const declare = () => defineDevice({ id: 5, queues: [{ name, size: 8 }], [name]: () => {} } as Anything)
      expect(await refusal(declare)).toContain('queues[0].name must be a string that is not empty')
    }
  })

  it('of a reason to reset, and of events of sockets', async () => {
    const guest = new VsockDriver(new SharedMemoryTransport(new VsockDevice({ guestCid: 3 })))
    for (const wrong of ['bogus', null, 1] as Anything[]) {
      const socket = guest.connect(2, 1)
      expect(await refusal(() => socket.reset(wrong))).toContain('reason must be one of shutdown, refused')
      expect(await refusal(() => socket.events.on(wrong, () => {}))).toContain('event must be one of open, readable')
    }
  })
})

describe('numbers', () => {
  it('that do not fit are not cut', async () => {
    for (const value of [-1, 2 ** 32, 0.5, Number.NaN, '1', null, 1n] as Anything[]) {
      expect(await refusal(() => u32le(value))).toContain('value must be an integer from 0 to 4294967295, not')
    }
    for (const value of [-1, 2 ** 53, 0.5, Number.NaN, '1', null, 1n] as Anything[]) {
      expect(await refusal(() => u64le(value))).toContain('value must be an integer from 0 to 2^53 - 1, not')
    }
    expect([...u32le(2 ** 32 - 1), ...u64le(2 ** 53 - 1)]).toEqual([
      255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 31, 0,
    ])
    for (const value of [-1, 0.5, Number.NaN, '1', null] as Anything[]) {
      expect(await refusal(() => new BumpAllocator(value, 4096))).toContain('base must be')
      expect(await refusal(() => new BumpAllocator(0, value))).toContain('bytes must be')
      expect(await refusal(() => FeatureSet.of(value))).toContain('feature must be an integer from 0 to 127')
      expect(await refusal(() => FeatureSet.empty.has(value))).toContain('feature must be an integer from 0 to 127')
    }
  })

  it('of the configuration are shown as what they are', async () => {
    const { driver } = live()
    const any = driver as Anything
    expect(await refusal(() => any.writeConfig('limit', '1'))).toMatch(
      /^VirtioError CONFIG_VALUE: limit wants .*, not "1"$/,
    )
  })

  it('of requests that a turn takes: no limit would be no request, for ever', async () => {
    const faults: unknown[] = []
    for (const limit of [undefined, null, '8', Number.NaN, -1] as Anything[]) {
      const definition = defineDevice({
        id: 0x1234,
        queues: [{ name: 'requests', size: 8 }],
        requests(queue) {
          for (const _ of queue.drain(limit));
        },
      })
      const device = definition.create()
      device.events.on('fault', (error) => faults.push((error as VirtioError).code))
      const driver = startDriver(new SharedMemoryTransport(device))
      expect(await refusal(() => driver.requests.call([u32le(1)]))).toContain('limit must be a number of requests')
    }
    expect(faults).toEqual(Array(5).fill('INVALID_OPTION'))
  })
})

describe('readers and writers', () => {
  it('want bytes, and lengths that a peer cannot make negative', async () => {
    const mistakes: [(request: Anything) => unknown, string][] = [
      [({ writer }) => writer.bytes('abc'), 'source must be a Uint8Array, not "abc"'],
      [({ writer }) => writer.bytes([1, 2]), 'source must be a Uint8Array, not an array'],
      [({ reader }) => reader.into('abc'), 'target must be a Uint8Array, not "abc"'],
      [({ reader }) => reader.bytes(-1), 'length must be an integer from 0 to 2^53 - 1 (bytes), not -1'],
      [({ reader }) => reader.skip(Number.NaN), 'length must be an integer from 0 to 2^53 - 1 (bytes), not NaN'],
      [({ writer }) => writer.skip(0.5), 'length must be an integer from 0 to 2^53 - 1 (bytes), not 0.5'],
      [({ writer }) => writer.fill(0, -44), 'length must be an integer from 0 to 2^53 - 1 (bytes), not -44'],
      [
        ({ writer, reader }) => writer.copyFrom(reader, '4'),
        'length must be an integer from 0 to 2^53 - 1 (bytes), not "4"',
      ],
    ]
    for (const [mistake, message] of mistakes) {
      const definition = defineDevice({
        id: 0x1234,
        queues: [{ name: 'requests', size: 8 }],
        requests(queue) {
          for (const request of queue.drain(8)) mistake(request)
        },
      })
      const device = definition.create()
      device.events.on('fault', () => {})
      const driver = startDriver(new SharedMemoryTransport(device))
      expect(await refusal(() => driver.requests.call([u32le(1)], { reply: 4 }))).toContain(message)
    }
  })
})

describe('signals of sockets', () => {
  it('that are none do not touch the connection', async () => {
    const host = new VsockDevice({ guestCid: 3 })
    const guest = new VsockDriver(new SharedMemoryTransport(host))
    host.listen(1, () => {})
    host.listenSeqpacket(2, () => {})
    const stream = guest.connect(2, 1)
    const messages = guest.connectSeqpacket(2, 2)
    for (const wrong of ['x', null, {}, 5] as Anything[]) {
      const calls = [
        () => stream.opened(wrong),
        () => stream.receive(wrong),
        () => stream.send(u32le(1), wrong),
        () => messages.receive(wrong),
        () => messages.send(u32le(1), { signal: wrong }),
      ]
      for (const call of calls) expect(await refusal(call)).toContain('signal must be an AbortSignal')
    }
    expect(await refusal(() => messages.write(u32le(1), { endOfRecord: 1 } as Anything))).toContain(
      'endOfRecord must be',
    )
    expect(await refusal(() => messages.write(u32le(1), null as Anything))).toContain('options must be an object')
    expect([stream.connection.state, messages.connection.state]).toEqual(['established', 'established'])
    expect([stream.connection.txCnt, messages.connection.txCnt]).toEqual([0, 0])
  })
})

describe('snapshots', () => {
  const definition = () =>
    defineDevice({ id: 0x1234, queues: [{ name: 'requests', size: 8 }], config: { size: u64('size') }, requests() {} })

  it('of a device whose configuration no fields can have are INVALID_STATE', async () => {
    const device = definition().create()
    new SharedMemoryTransport(device)
    const state = { ...device.registers.saveState(), config: Array(8).fill(255) }
    const told = await refusal(() => device.registers.restoreState(state))
    expect(told).toContain('VirtioError INVALID_STATE: saved device state: size holds 2^53 or more')
    expect(device.registers.status).toBe(0)
    expect(device.config.values.size).toBe(0)
  })

  it('of a driver whose tables are no tables are INVALID_STATE', async () => {
    const device = adder.create()
    const transport = new SharedMemoryTransport(device)
    const driver = startDriver(transport, { indirectLength: 4 })
    const state = driver.saveState()
    for (const wrong of [{ indirectLength: 2 ** 20 }, { indirectArea: 3 }, { indirectArea: 2 ** 50 }]) {
      const queues = state.queues.map((queue) => ({ ...queue, ...wrong }))
      expect(await refusal(() => restoreDriver(transport, { ...state, queues }))).toContain(
        'VirtioError INVALID_STATE: saved driver state: queue requests: ',
      )
    }
  })

  it('are not restored into a device in use, which goes on', async () => {
    const { device, transport, driver } = live()
    expect(await refusal(() => device.registers.restoreState(device.registers.saveState()))).toBe(
      'VirtioError DEVICE_IN_USE: a state is restored into a device that is reset',
    )
    expect(await refusal(() => new SharedMemoryTransport(device))).toContain('VirtioError DEVICE_IN_USE')
    expect((await driver.requests.call([new Uint8Array(8)], { reply: 4 })).bytes.length).toBe(4)
    expect(transport.readStatus()).not.toBe(0)
  })

  it('are not taken while a reset is under way', async () => {
    const model: DeviceModel = {
      onActivate: () => {},
      onReset: () => {},
      onNotify: () => false,
      isResetComplete: () => false,
    }
    const registers = new DeviceRegisters({ deviceId: 1, queueSizes: [] }, model)
    registers.attach({ memory: GuestMemory.ofSize(4096), raiseInterrupt: () => {} })
    registers.writeStatus(1)
    registers.writeStatus(0)
    expect(await refusal(() => registers.saveState())).toContain('VirtioError NOT_RESTORABLE')
  })
})

describe('memory that is detached', () => {
  it('is told by the driver, which goes on when the region has its buffer again', async () => {
    const device = adder.create()
    const buffer = new ArrayBuffer(1 << 20)
    const memory = new GuestMemory([{ base: 0x4000_0000, size: 1 << 20, buffer }])
    const transport = new SharedMemoryTransport<typeof adder.contract>(device, { memory })
    const driver = startDriver(transport)
    const faults: string[] = []
    driver.events.on('fault', (error) => faults.push((error as VirtioError).code))
    const buffers = new BufferList().addReadable(0x4000_0000, 4)
    const moved = structuredClone(buffer, { transfer: [buffer] })
    expect(await refusal(() => driver.requests.call([u32le(1)], { reply: 4 }))).toContain('VirtioError MEMORY_DETACHED')
    expect(await refusal(() => driver.requests.add(buffers, () => {}))).toContain('VirtioError MEMORY_DETACHED')
    expect(await refusal(() => driver.requests.kick())).toContain('VirtioError MEMORY_DETACHED')
    driver.poll()
    expect(faults).toEqual(['MEMORY_DETACHED'])
    memory.rebind(0x4000_0000, moved)
    expect((await driver.requests.call([new Uint8Array(8)], { reply: 4 })).bytes.length).toBe(4)
    driver.close()
  })
})

describe('memory that is detached, under sockets', () => {
  it('is a fault, and what was written goes out when the region has its buffer again', () => {
    const host = new VsockDevice({ guestCid: 3 })
    const buffer = new ArrayBuffer(1 << 21)
    const memory = new GuestMemory([{ base: 0x4000_0000, size: 1 << 21, buffer }])
    const guest = new VsockDriver(new SharedMemoryTransport(host, { memory }))
    const faults: string[] = []
    guest.driver.events.on('fault', (error) => faults.push((error as VirtioError).code))
    let got = 0
    host.listen(1, (socket) => {
      socket.events.on('readable', () => {
        got += socket.read(new Uint8Array(64))
      })
    })
    const socket = guest.connect(2, 1)
    const moved = structuredClone(buffer, { transfer: [buffer] })
    expect(socket.write(u32le(7))).toBe(4)
    expect([got, new Set(faults)]).toEqual([0, new Set(['MEMORY_DETACHED'])])
    memory.rebind(0x4000_0000, moved)
    guest.poll()
    expect(got).toBe(4)
    guest.close()
  })
})

describe('a socket that calls', () => {
  it('is heard from its first event on, where all of it happens before connect returns', async () => {
    const host = new VsockDevice({ guestCid: 3 })
    const guest = new VsockDriver(new SharedMemoryTransport(host))
    host.listen(1, (socket) => {
      socket.write(u32le(7))
      socket.end()
    })
    host.listenSeqpacket(2, (socket) => void socket.close())
    const heard: string[] = []
    const watch = (name: string) => (socket: Anything) => {
      for (const event of ['open', 'readable', 'close']) socket.events.on(event, () => heard.push(`${name} ${event}`))
    }
    guest.connect(2, 1, watch('stream'))
    guest.connectSeqpacket(2, 2, watch('messages'))
    guest.connect(2, 9, watch('nobody'))
    expect(heard).toEqual([
      'stream open',
      'stream readable',
      'stream readable',
      'messages open',
      'messages close',
      'nobody close',
    ])
    guest.listen(3, () => {})
    host.connect(3, watch('host'))
    await new Promise(setImmediate)
    expect(heard.at(-1)).toBe('host open')
  })

  it('may write, end or give up before anything is sent', () => {
    const host = new VsockDevice({ guestCid: 3 })
    const guest = new VsockDriver(new SharedMemoryTransport(host))
    const got: string[] = []
    host.listen(1, (socket) => {
      socket.events.on('readable', () => got.push(`${socket.readableBytes} bytes`))
    })
    guest.connect(2, 1, (socket) => void socket.write(u32le(7)))
    const none = guest.connect(2, 1, (socket) => socket.reset())
    expect([got, none.connection.closeReason]).toEqual([['4 bytes'], 'reset'])
    expect([guest.endpoint.connectionCount, host.endpoint.connectionCount]).toEqual([1, 1])
    guest.close()
    const heard: string[] = []
    guest.connect(2, 1, (socket) => void socket.events.on('close', (reason) => heard.push(reason)))
    expect(heard).toEqual(['reset'])
  })
})

it('a field of a field made by hand is looked at', async () => {
  const declare = (field: Anything) => () => defineDevice({ id: 5, queues: [], config: { field } } as Anything)
  for (const field of [5, null, {}, { ...u16('a'), kind: 'u12' }, { ...u16('a'), name: '' }]) {
    expect(await refusal(declare(field))).toMatch(/^VirtioError INVALID_OPTION: config\.field/)
  }
  expect(await refusal(declare({ ...u16('a'), initial: -1 }))).toContain('CONFIG_VALUE')
})
