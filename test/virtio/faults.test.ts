/** Errors of the user's own code: they reach whoever waits, as `cause`, and a `fault` that nobody listens for is printed. */
import { u32le } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { type DeviceHooks, type DeviceQueue, DriverError, defineDevice, startDriver } from 'virtio-sdk/virtio'
import { BufferList, type ViolationPolicy } from 'virtio-sdk/virtqueue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const printed = vi.spyOn(console, 'error')
beforeEach(() => {
  printed.mockReset().mockImplementation(() => {})
})
afterEach(() => {
  expect(printed.mock.calls).toEqual([])
})

/** What was printed, which the test takes note of. */
function print(): string[] {
  const lines = printed.mock.calls.map((call) => call.map(String).join(' '))
  printed.mockClear()
  return lines
}

// biome-ignore lint/suspicious/noExplicitAny: hooks of a device without features
function deviceOf(handler: (queue: DeviceQueue) => void, hooks: DeviceHooks<any> = {}, policy?: ViolationPolicy) {
  const definition = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests: handler,
    ...hooks,
  })
  return definition.create(policy === undefined ? {} : { policy })
}

const answer = (queue: DeviceQueue) => {
  for (const request of queue.drain(8)) request.writer.u32(request.reader.u32())
}
const broken = (queue: DeviceQueue) => {
  for (const _ of queue.drain(8)) throw new RangeError('my bug')
}

describe('a handler of a device that throws', () => {
  it('is the cause of the error that the caller gets', async () => {
    const device = deviceOf(broken)
    const faults: [unknown, number][] = []
    device.events.on('fault', (error, queue) => faults.push([error, queue]))
    const driver = startDriver(new SharedMemoryTransport(device))
    const error = await driver.requests.call([u32le(1)], { reply: 4 }).catch((thrown: unknown) => thrown)
    // The request itself came back first; the driver is told of the reset in the same interrupt.
    expect(error).toBeInstanceOf(DriverError)
    const { code, message, cause } = error as DriverError
    expect([code, message]).toEqual(['DEVICE_NEEDS_RESET', 'the device asks for a reset: my bug'])
    expect(cause).toBeInstanceOf(RangeError)
    expect(faults).toEqual([[cause, 0]])
    expect(device.registers.resetCause).toBe(cause)
    driver.close()
    expect(device.registers.resetCause).toBeNull()
  })

  it('is printed when nobody listens', async () => {
    const device = deviceOf(broken)
    const driver = startDriver(new SharedMemoryTransport(device))
    await driver.requests.call([u32le(1)], { reply: 4 }).catch(() => {})
    expect(print()).toEqual([
      "virtio-sdk: code for queue 0 of the device threw, and nobody listens to 'fault': RangeError: my bug",
    ])
  })

  it('with policy reject only costs the request its answer', async () => {
    const device = deviceOf(broken, {}, 'reject')
    const driver = startDriver(new SharedMemoryTransport(device))
    expect((await driver.requests.call([u32le(1)], { reply: 4 })).bytes.length).toBe(0)
    expect([driver.error, print().length]).toEqual([null, 1])
  })

  it('a violation of the driver is a cause too', async () => {
    const device = deviceOf(answer)
    const transport = new SharedMemoryTransport(device)
    const driver = startDriver(transport)
    const outside = new BufferList().addReadable(2 ** 40, 4)
    driver.requests.post(outside, () => {})
    expect(driver.error).toMatchObject({
      code: 'DEVICE_NEEDS_RESET',
      cause: { rule: 'buffer-outside-memory' },
      message: expect.stringContaining('buffer-outside-memory'),
    })
  })
})

describe('hooks and listeners that throw', () => {
  it('onActivate: the device does not come up, and says why', () => {
    const device = deviceOf(answer, {
      onActivate() {
        throw new Error('no disk')
      },
    })
    device.events.on('fault', () => {})
    expect(() => startDriver(new SharedMemoryTransport(device))).toThrow(
      expect.objectContaining({ code: 'DEVICE_NEEDS_RESET', message: 'the device asks for a reset: no disk' }),
    )
  })

  it('onReset: the reset is complete all the same', () => {
    const device = deviceOf(answer, {
      onReset() {
        throw new Error('cannot forget')
      },
    })
    const transport = new SharedMemoryTransport(device)
    startDriver(transport).close()
    expect(transport.readStatus()).toBe(0)
    expect(print()).toEqual([expect.stringContaining('a hook or listener of the device')])
  })

  it('an observer breaks neither what it observes nor other observers', async () => {
    const device = deviceOf(answer)
    const transport = new SharedMemoryTransport(device)
    const statuses: number[] = []
    device.events.on('status', () => {
      throw new Error('listener')
    })
    device.events.on('status', (status) => statuses.push(status))
    device.events.on('interrupt', () => {
      throw new Error('listener')
    })
    const driver = startDriver(transport)
    expect((await driver.requests.call([u32le(7)], { reply: 4 })).bytes[0]).toBe(7)
    expect(statuses).toEqual([1, 3, 11, 15])
    expect(print()).toHaveLength(5)
    device.events.on('fault', () => {
      throw new Error('worse')
    })
    driver.close()
    expect(print()[0]).toContain("a listener of 'fault' of the device threw")
  })
})

describe('callbacks of a driver that throw', () => {
  it('are faults, and the next ones are called', async () => {
    const device = deviceOf(answer)
    const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
    const driver = startDriver(transport)
    const faults: string[] = []
    driver.events.on('fault', (error, queue) => faults.push(`${(error as Error).message} ${queue}`))
    const address = transport.allocate(64, 16)
    const buffers = new BufferList().addReadable(address, 4)
    const done: string[] = []
    driver.requests.add(buffers, () => {
      throw new Error('first')
    })
    driver.requests.add(buffers, () => done.push('second'))
    const call = driver.requests.call([u32le(5)], {
      reply: 4,
      onSettled: () => {
        throw new Error('third')
      },
    })
    device.registers.notify(0)
    transport.settle()
    expect([done, faults]).toEqual([['second'], ['first 0', 'third 0']])
    expect((await call).bytes[0]).toBe(5)
    driver.requests.onUsed = () => {
      throw new Error('onUsed')
    }
    driver.poll()
    driver.events.on('stopped', () => {
      throw new Error('stopped')
    })
    driver.close()
    expect(faults.slice(2)).toEqual(['onUsed 0', 'stopped -1'])
  })
})

describe('onSettled', () => {
  it('is called when the call settles, not a microtask later, with the reply or the error', () => {
    const device = deviceOf(answer)
    const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
    const driver = startDriver(transport)
    const settled: unknown[] = []
    const onSettled = (...args: unknown[]) => settled.push(args)
    driver.requests.call([u32le(5)], { reply: 4, onSettled })
    device.registers.notify(0)
    transport.settle()
    expect(settled).toEqual([[{ bytes: u32le(5) }, null]])
    // Nobody looks at these promises: no unhandled rejection.
    driver.requests.call([u32le(6)], { reply: 4, onSettled })
    const abort = new AbortController()
    driver.requests.call([u32le(6)], { reply: 4, signal: abort.signal, onSettled })
    abort.abort('enough')
    driver.close()
    expect(settled.slice(1)).toEqual([
      [null, 'enough'],
      [null, expect.objectContaining({ code: 'DRIVER_CLOSED' })],
    ])
  })
})

describe('a second driver on one transport', () => {
  it('closes the first with an error, and works', async () => {
    const device = deviceOf(answer)
    const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
    const first = startDriver(transport)
    const stopped: string[] = []
    first.events.on('stopped', ({ code }) => stopped.push(code))
    const call = first.requests.call([u32le(1)], { reply: 4 })
    const second = startDriver(transport)
    await expect(call).rejects.toThrow(expect.objectContaining({ code: 'DRIVER_REPLACED' }))
    expect([stopped, first.error?.code]).toEqual([['DRIVER_REPLACED'], 'DRIVER_REPLACED'])
    // Closing what was replaced does not touch the device of the second.
    first.close()
    const reply = second.requests.call([u32le(2)], { reply: 4 })
    device.registers.notify(0)
    expect((await reply).bytes[0]).toBe(2)
  })

  it('gives all memory of the first back', () => {
    const transport = new SharedMemoryTransport(deviceOf(answer), { doorbell: () => {} })
    startDriver(transport)
    const mark = transport.saveState() as { next: number }
    for (let i = 0; i < 10; i++) startDriver(transport).requests.call([u32le(1)], { onSettled: () => {} })
    const { next } = transport.saveState() as { next: number }
    // One buffer of 64 bytes, used again and again.
    expect(next - mark.next).toBe(64)
  })
})
