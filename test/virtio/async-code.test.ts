/** Code of the user's that is `async`: what its promise rejects with is a fault like any other, and no queue or caller waits for ever. */
import { u32le } from 'virtio-sdk'
import { attackDevice, behindSharedMemory } from 'virtio-sdk/testing'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type DeviceHooks,
  type DeviceModel,
  type DeviceQueue,
  DeviceRegisters,
  defineDevice,
  restoreDriver,
  startDriver,
  u8,
  VsockDevice,
  VsockDriver,
  VsockEndpoint,
} from 'virtio-sdk/virtio'
import { BufferList, type ViolationPolicy } from 'virtio-sdk/virtqueue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const printed = vi.spyOn(console, 'error')
const unhandled: unknown[] = []
const onUnhandled = (error: unknown) => void unhandled.push(error)
beforeEach(() => {
  printed.mockReset().mockImplementation(() => {})
  unhandled.length = 0
  process.on('unhandledRejection', onUnhandled)
})
afterEach(async () => {
  await turn()
  process.off('unhandledRejection', onUnhandled)
  expect([printed.mock.calls, unhandled]).toEqual([[], []])
})

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const bug = new RangeError('my bug')
const rejects = async (): Promise<never> => {
  throw bug
}

// biome-ignore lint/suspicious/noExplicitAny: hooks of a device without features
type Hooks = DeviceHooks<any>

function deviceOf(
  requests: (queue: DeviceQueue) => void | Promise<void>,
  hooks: Hooks = {},
  policy: ViolationPolicy = 'needs-reset',
) {
  const config = { field: u8('field', { driverWritable: true }) }
  const definition = defineDevice({ id: 0x1234, queues: [{ name: 'requests', size: 8 }], requests, config, ...hooks })
  const device = definition.create({ policy })
  const faults: [unknown, number][] = []
  device.events.on('fault', (error, queue) => void faults.push([error, queue]))
  return { device, faults, definition }
}

const echo = (queue: DeviceQueue) => {
  for (const { reader, writer } of queue.drain(8)) writer.u32(reader.u32())
}

describe('an async handler of a queue', () => {
  it('answers; the queue has its next turn when it is over, and no other meanwhile', async () => {
    let running = 0
    let most = 0
    const { device, faults } = deviceOf(async (queue) => {
      most = Math.max(most, ++running)
      for (const { reader, writer } of queue.drain(2)) {
        const value = reader.u32()
        await turn()
        writer.u32(value)
      }
      running--
    })
    const driver = startDriver(new SharedMemoryTransport(device))
    const calls = Array.from({ length: 20 }, (_, i) => driver.requests.call([u32le(i)], { reply: 4 }))
    expect(() => device.registers.saveState()).toThrow(
      expect.objectContaining({ code: 'NOT_RESTORABLE', message: expect.stringContaining('queue requests') }),
    )
    const answers = (await Promise.all(calls)).map(({ bytes }) => bytes[0])
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect([most, running, faults]).toEqual([1, 0, []])
    driver.close()
  })

  it('that throws before it takes a request, or in the middle of one, is a fault and rejects the call', async () => {
    const inTheMiddle = async (queue: DeviceQueue) => {
      for (const _ of queue.drain(8)) await rejects()
    }
    for (const handler of [rejects, inTheMiddle]) {
      const { device, faults } = deviceOf(handler)
      const driver = startDriver(new SharedMemoryTransport(device))
      const call = driver.requests.call([u32le(1)], { reply: 4 })
      await expect(call).rejects.toMatchObject({ code: 'DEVICE_NEEDS_RESET', cause: bug })
      expect(faults).toEqual([[bug, 0]])
    }
  })

  it('with policy reject costs its requests their answers, and the queue goes on', async () => {
    let calls = 0
    const { device, faults } = deviceOf(
      async (queue) => {
        if (++calls < 3) await rejects()
        echo(queue)
      },
      {},
      'reject',
    )
    const driver = startDriver(new SharedMemoryTransport(device))
    const call = () => driver.requests.call([u32le(7)], { reply: 4 }).then(({ bytes }) => bytes.length)
    expect([await call(), await call(), await call()]).toEqual([0, 0, 4])
    expect(faults).toEqual([
      [bug, 0],
      [bug, 0],
    ])
    driver.close()
  })

  it('that is no async one, and throws before it takes a request, leaves no caller waiting either', async () => {
    const { device, faults } = deviceOf(
      (queue) => {
        queue.drain(8)
        throw bug
      },
      {},
      'reject',
    )
    const driver = startDriver(new SharedMemoryTransport(device))
    const { bytes } = await driver.requests.call([u32le(7)], { reply: 4 })
    expect([bytes.length, faults]).toEqual([0, [[bug, 0]]])
    driver.close()
  })

  it('that always wants another turn lets the event loop have its own', async () => {
    let turns = 0
    const { device } = deviceOf(async (queue) => {
      turns++
      queue.wake()
    })
    const driver = startDriver(new SharedMemoryTransport(device))
    driver.requests.call([u32le(1)], { reply: 4 }).catch(() => {})
    await turn()
    const first = turns
    await turn()
    await turn()
    expect(turns).toBeGreaterThan(first)
    driver.close()
    await turn()
    const atEnd = turns
    await turn()
    expect(turns).toBe(atEnd)
  })

  it.each(['needs-reset', 'reject', 'latch'] as const)('holds against hostile drivers: policy %s', async (policy) => {
    const make = () => {
      let turns = 0
      return deviceOf(
        async (queue) => {
          const fails = ++turns % 5 === 0
          for (const { reader, writer } of queue.drain(4)) {
            writer.u32(reader.u32())
            if (fails) await rejects()
            await null
          }
        },
        {},
        policy,
      ).device
    }
    // What it answers comes later: `answering` is no queue.
    const target = { ...behindSharedMemory('async', make, 1), answering: [] }
    expect(attackDevice(target, { seed: 5, cases: 30 }).cases).toBe(30)
    await turn()
  })

  it('whose queue was reset meanwhile is a fault, and nothing to the next driver', async () => {
    let fail = () => {}
    const { device, faults } = deviceOf((queue) => {
      if (fail.name === 'reject') return echo(queue)
      return new Promise<void>((_, reject) => {
        fail = function reject_() {
          reject(bug)
        }
        Object.defineProperty(fail, 'name', { value: 'reject' })
      })
    })
    const transport = new SharedMemoryTransport(device)
    const lost = startDriver(transport).requests.call([u32le(1)], { reply: 4 })
    const driver = startDriver(transport)
    await expect(lost).rejects.toMatchObject({ code: 'DRIVER_REPLACED' })
    fail()
    await turn()
    expect(faults).toEqual([[bug, 0]])
    expect((await driver.requests.call([u32le(5)], { reply: 4 })).bytes[0]).toBe(5)
    driver.close()
  })
})

describe('async hooks of a device', () => {
  it.each(['onActivate', 'onConfigWrite'] as const)('%s: a fault, and the device needs a reset', async (name) => {
    const { device, faults } = deviceOf(echo, { [name]: rejects })
    const driver = startDriver(new SharedMemoryTransport(device))
    if (name === 'onConfigWrite') driver.writeConfig('field', 1)
    await turn()
    expect(faults).toEqual([[bug, -1]])
    expect(driver.error).toMatchObject({ code: 'DEVICE_NEEDS_RESET', cause: bug })
  })

  it('onReset: a fault, and the reset is complete', async () => {
    const { device, faults } = deviceOf(echo, { onReset: rejects })
    const transport = new SharedMemoryTransport(device)
    startDriver(transport).close()
    const driver = startDriver(transport)
    await turn()
    expect(faults).toEqual([[bug, -1]])
    expect((await driver.requests.call([u32le(5)], { reply: 4 })).bytes[0]).toBe(5)
    driver.close()
  })

  it('onSave: refused, since nothing of a promise can be saved', () => {
    for (const onSave of [rejects, async () => 1]) {
      const { device } = deviceOf(echo, { onSave })
      expect(() => device.registers.saveState()).toThrow(expect.objectContaining({ code: 'NOT_RESTORABLE' }))
    }
  })

  it('onRestore: a fault, and the device needs a reset', async () => {
    const { device, definition } = deviceOf(echo, { onRestore: rejects })
    const transport = new SharedMemoryTransport(device)
    const driver = startDriver(transport)
    const states = [device.registers.saveState(), driver.saveState()] as const
    const again = definition.create()
    const faults: unknown[] = []
    again.events.on('fault', (error) => void faults.push(error))
    const behind = new SharedMemoryTransport<typeof definition.contract>(again, { memory: transport.memory })
    again.registers.restoreState(states[0])
    const restored = restoreDriver(behind, states[1])
    await turn()
    expect(faults).toEqual([bug])
    expect(restored.error).toMatchObject({ code: 'DEVICE_NEEDS_RESET', cause: bug })
  })
})

describe('a DeviceModel of your own', () => {
  const quiet: DeviceModel = { onActivate: () => {}, onReset: () => {}, onNotify: () => false }
  const fail = () => {
    throw bug
  }

  function live(hooks: Partial<Record<keyof DeviceModel, () => unknown>>) {
    const registers = new DeviceRegisters({ deviceId: 0x1234, queueSizes: [8] }, { ...quiet, ...hooks } as DeviceModel)
    const faults: unknown[] = []
    registers.events.on('fault', (error) => void faults.push(error))
    const contract = { id: 0x1234, queues: [{ name: 'requests', size: 8 }], features: {}, config: {} } as const
    const transport = new SharedMemoryTransport({ registers, contract })
    return { registers, faults, transport }
  }

  it.each(['onActivate', 'onNotify', 'onPoll', 'onQueueReset', 'onQueueEnable'] as const)(
    '%s that throws or rejects is a fault, and no exception of the driver',
    async (name) => {
      for (const hook of [fail, rejects]) {
        const { registers, faults, transport } = live({ onNotify: () => true, [name]: hook })
        if (name === 'onActivate' && hook === fail) {
          expect(() => startDriver(transport)).toThrow(expect.objectContaining({ cause: bug }))
          expect(faults).toEqual([bug])
          continue
        }
        const driver = startDriver(transport)
        driver.requests.call([u32le(1)]).catch(() => {})
        transport.resetQueue(0)
        transport.setupQueue(0, {
          size: 8,
          descriptorArea: 0x4000_0000,
          driverArea: 0x4000_1000,
          deviceArea: 0x4000_2000,
        })
        transport.enableQueue(0)
        await turn()
        expect(faults).toEqual([bug])
        expect([registers.resetCause, driver.error?.cause]).toEqual([bug, bug])
      }
    },
  )

  it('onReset and isResetComplete: the reset is complete all the same', async () => {
    for (const name of ['onReset', 'isResetComplete'] as const) {
      const { registers, faults, transport } = live({ [name]: fail })
      startDriver(transport).close()
      expect([registers.status, faults]).toEqual([0, [bug]])
    }
  })
})

describe('async code of a driver', () => {
  it('completions, onSettled, onUsed and listeners are faults', async () => {
    const { device } = deviceOf(echo)
    const transport = new SharedMemoryTransport(device)
    const driver = startDriver(transport)
    const faults: [unknown, number][] = []
    driver.events.on('fault', (error, queue) => void faults.push([error, queue]))
    driver.requests.call([u32le(1)], { reply: 4, onSettled: rejects })
    const address = transport.allocate(64, 16)
    driver.requests.post(new BufferList().addReadable(address, 4).addWritable(address + 16, 4), rejects)
    driver.events.on('config', rejects).once('config', rejects)
    device.config.update({ field: 2 })
    await turn()
    driver.requests.onUsed = rejects
    driver.poll()
    await turn()
    expect(faults.map(([, queue]) => queue).sort()).toEqual([-1, -1, 0, 0, 0])
    expect(faults.every(([error]) => error === bug)).toBe(true)
    driver.close()
  })

  it('an allocator that throws when it gets a buffer back costs no answer', async () => {
    const { device } = deviceOf(echo)
    const transport = new SharedMemoryTransport(device)
    const driver = startDriver(transport)
    const faults: unknown[] = []
    driver.events.on('fault', (error) => void faults.push(error))
    transport.free = () => {
      throw bug
    }
    const answers = [1, 2].map((value) => driver.requests.call([u32le(value)], { reply: 4 }))
    expect((await Promise.all(answers)).map(({ bytes }) => bytes[0])).toEqual([1, 2])
    expect(faults).toEqual([bug, bug])
  })

  it('is printed when nobody listens, also of a listener of faults itself', async () => {
    const { device, definition } = deviceOf(echo)
    device.events.on('fault', rejects)
    device.events.on('status', rejects)
    startDriver(new SharedMemoryTransport(definition.create())).close()
    const driver = startDriver(new SharedMemoryTransport(device))
    await turn()
    expect(printed.mock.calls.map(([text]) => text)).toContain(
      "virtio-sdk: a listener of 'fault' of the device threw, and nobody listens to 'fault':",
    )
    printed.mockClear()
    driver.close()
    await turn()
    printed.mockClear()
  })
})

describe('hooks of SharedMemoryTransport', () => {
  it.each(['doorbell', 'interrupt', 'onDeviceWrite'] as const)(
    '%s that throws or rejects is a fault, and the device needs a reset',
    async (name) => {
      for (const hook of [
        rejects,
        () => {
          throw bug
        },
      ]) {
        const { device, faults } = deviceOf(echo, {}, 'reject')
        const driver = startDriver(new SharedMemoryTransport(device, { [name]: hook }))
        const call = driver.requests.call([u32le(1)], { reply: 4 })
        call.catch(() => {})
        await turn()
        expect(faults[0]).toEqual([bug, -1])
        expect(device.registers.resetCause).toBe(bug)
        // The interrupt is what would tell the driver.
        if (name === 'doorbell') await expect(call).rejects.toMatchObject({ cause: bug })
      }
    },
  )
})

describe('async listeners of vsock sockets', () => {
  function pair() {
    const host = new VsockDevice({ guestCid: 3 })
    const guest = new VsockDriver(new SharedMemoryTransport(host))
    const faults: unknown[] = []
    host.device.events.on('fault', (error) => void faults.push(error))
    guest.driver.events.on('fault', (error) => void faults.push(error))
    return { host, guest, faults }
  }

  it.each(['open', 'readable', 'writable', 'close'] as const)('%s: the socket ends with the error', async (event) => {
    const { host, guest, faults } = pair()
    host.listen(1, (socket) => void socket.write(u32le(1)))
    const socket = guest.connect(2, 1, (one) => void one.events.on(event, rejects))
    socket.write(u32le(1))
    if (event === 'close') socket.reset()
    await turn()
    expect(faults).toEqual([bug])
    expect(socket.connection.closeReason).toBe(event === 'close' ? 'reset' : 'fault')
    await expect(socket.receive().then(() => socket.receive())).rejects.toMatchObject({
      code: 'VSOCK_CLOSED',
      cause: bug,
    })
    guest.close()
  })

  it('that end because the connection did are no fault', async () => {
    const { host, guest, faults } = pair()
    host.listenSeqpacket(1, (socket) => void socket.events.on('open', () => {}))
    const socket = guest.connectSeqpacket(2, 1, (one) => {
      one.events.on('open', async () => {
        for await (const _ of one);
      })
    })
    await turn()
    socket.reset()
    await turn()
    expect(faults).toEqual([])
    guest.close()
  })

  it('of an endpoint that nobody watches are printed', async () => {
    const endpoint = new VsockEndpoint(2)
    endpoint.connect(3, 1, rejects)
    endpoint.connect(3, 1, () => {
      throw bug
    })
    await turn()
    expect(printed.mock.calls.length).toBe(2)
    printed.mockClear()
  })
})
