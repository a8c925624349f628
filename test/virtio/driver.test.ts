import { u32le } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { defineDevice, FeatureSet, startDriver, VIRTIO_F_VERSION_1 } from 'virtio-sdk/virtio'
import { BufferList, DescriptorChain } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { ON_SPLIT_RINGS } from '../on-split-rings.ts'
import { type AdderContract, adder, SpyTransport } from './adder.ts'

/** A transport whose device runs only when the test says so. */
function held(options: { size?: number } = {}) {
  const device = adder.create()
  const rung: number[] = []
  const transport = new SharedMemoryTransport(device, { doorbell: (queue) => rung.push(queue) })
  const driver = startDriver(transport, options.size ? { queueSizes: { requests: options.size } } : {})
  const run = () => {
    for (const queue of rung.splice(0)) device.registers.notify(queue)
    transport.settle()
  }
  return { device, driver, transport, run }
}

const request = [u32le(1), u32le(2)]

describe('call', () => {
  it('museum 45: waits for room when the ring is full, and nothing is overwritten', async () => {
    const { driver, run } = held({ size: 4 })
    const calls = Array.from({ length: 10 }, (_, i) => driver.requests.call([u32le(i), u32le(100)], { reply: 4 }))
    const settled = Promise.all(calls)
    for (let i = 0; i < 12; i++) {
      run()
      await Promise.resolve()
      await Promise.resolve()
    }
    const replies = await settled
    expect(replies.map(({ bytes }) => new DataView(bytes.buffer).getUint32(0, true))).toEqual(
      Array.from({ length: 10 }, (_, i) => 100 + i),
    )
  })

  it('refuses what the ring can never hold, unless a table holds it', async () => {
    const { driver } = held({ size: 2 })
    await expect(driver.requests.call(request, { reply: 4 })).rejects.toThrow(
      expect.objectContaining({ code: 'REQUEST_TOO_LONG' }),
    )
    // Its size is the device's choice, so this is no mistake of the caller's.
    const buffers = new BufferList().addReadable(0, 1).addReadable(0, 1).addReadable(0, 1)
    expect(() => driver.requests.post(buffers, () => {})).toThrow('3 buffers do not fit queue requests, a ring of 2')
    const narrow = startDriver(new SpyTransport(adder.create()), { indirectLength: 4, queueSizes: { requests: 2 } })
    await expect(narrow.requests.call(request, { reply: 4 })).rejects.toThrow('a ring of 2')
    const tables = startDriver(new SpyTransport(adder.create()), { indirectLength: 4 })
    expect((await tables.requests.call(request, { reply: 4 })).bytes[0]).toBe(3)
  })

  it("an abort ends the wait; the buffers stay the device's until it returns them", async () => {
    const { driver, run } = held()
    const abort = new AbortController()
    const call = driver.requests.call(request, { reply: 4, signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    expect(driver.requests.ring.outstanding).toBe(1)
    run()
    expect(driver.requests.ring.outstanding).toBe(0)
    await expect(driver.requests.call(request, { signal: AbortSignal.abort(new Error('given up')) })).rejects.toThrow(
      'given up',
    )
    expect(driver.requests.ring.outstanding).toBe(0)
  })

  it('an abort while waiting for room', async () => {
    const { driver, run } = held({ size: 4 })
    const first = driver.requests.call(request, { reply: 4 })
    const abort = new AbortController()
    const second = driver.requests.call(request, { reply: 4, signal: abort.signal })
    abort.abort(new Error('no room'))
    await expect(second).rejects.toThrow('no room')
    run()
    await first
    expect(driver.requests.ring.freeDescriptors).toBe(4)
  })

  it('memory is reused: a thousand calls fit where ten do', async () => {
    const driver = startDriver(new SpyTransport(adder.create()))
    const mark = driver.transport.allocate(64, 64)
    for (let i = 0; i < 1000; i++) await driver.requests.call(request, { reply: 4 })
    expect(driver.transport.allocate(64, 64) - mark).toBeLessThan(1024)
  })
})

describe('what comes back', () => {
  it('VQS-USED-DRV-01, VQS-USED-DRV-02, VQS-USED-DEV-03: is as long as the device said, whatever it wrote behind', async () => {
    const device = adder.create()
    const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
    const driver = startDriver(transport)
    const call = driver.requests.call(request, { reply: 16 })
    const chain = new DescriptorChain()
    const ring = device.queues.requests.ring!
    expect(ring.popAvailable(chain)).toBe(true)
    transport.memory.write(chain.address[chain.readableCount]!, new Uint8Array(16).fill(9))
    ring.addUsed(chain.id, 4)
    ring.publish()
    driver.poll()
    expect((await call).bytes).toEqual(new Uint8Array(4).fill(9))
    // The next user of that memory finds nothing broken.
    expect([driver.error, driver.requests.ring.outstanding]).toEqual([null, 0])
  })

  it('VQS-FRM-DRV-02: a call takes one descriptor for each part that has bytes, and one for the answer', () => {
    const { driver } = held()
    const { ring } = driver.requests
    driver.requests.call([u32le(1), new Uint8Array(0), u32le(2)], { reply: 4 }).catch(() => {})
    expect(ring.freeDescriptors).toBe(ring.size - 3)
    driver.requests.call([new Uint8Array(0), u32le(1)]).catch(() => {})
    expect(ring.freeDescriptors).toBe(ring.size - 4)
  })
})

describe('post', () => {
  it('stages with add, shows with kick, completes in the interrupt', () => {
    const { driver, transport, run } = held()
    const address = transport.allocate(64, 16)
    transport.memory.write(address, Uint8Array.of(4, 0, 0, 0, 5, 0, 0, 0))
    const done: number[] = []
    const buffers = new BufferList().addReadable(address, 8).addWritable(address + 8, 4)
    expect(driver.requests.add(buffers, (writtenBytes) => done.push(writtenBytes))).toBe(true)
    run()
    expect(done).toEqual([])
    driver.requests.kick()
    run()
    expect(done).toEqual([4])
    expect(transport.memory.readU32(address + 8)).toBe(9)
    for (let i = 0; i < 4; i++) expect(driver.requests.add(buffers, () => {})).toBe(true)
    expect(driver.requests.add(buffers, () => {})).toBe(false)
  })
})

describe('a device that misbehaves', () => {
  it(
    'museum 42: a violation rejects what is pending, sets FAILED, and is told with its clause',
    ON_SPLIT_RINGS,
    async () => {
      const { driver, transport } = held()
      const call = driver.requests.call(request, { reply: 4 })
      const rules: string[] = []
      driver.events.on('violation', ({ rule, clause }) => rules.push(`${rule} ${clause}`))
      // The device claims a completion of a chain that nobody gave it.
      const { registers } = transport
      registers.queueSelect = 0
      const used = registers.readQueueAddress(2, 0)
      transport.memory.writeU32(used + 4, 3000)
      transport.memory.writeU16(used + 2, 1)
      registers.notifyUsed(0)
      await expect(call).rejects.toThrow(
        expect.objectContaining({ code: 'DEVICE_VIOLATION', violation: expect.objectContaining({ head: 3000 }) }),
      )
      expect(rules).toEqual(['used-id-out-of-range IMP-VQS-03'])
      expect(transport.readStatus() & 128).toBe(128)
      await expect(driver.requests.call(request, { reply: 4 })).rejects.toThrow(
        expect.objectContaining({ code: 'DEVICE_VIOLATION' }),
      )
      expect(() => driver.requests.post(new BufferList().addReadable(used, 4), () => {})).toThrow(driver.error!)
    },
  )

  it('STATUS-DRV-04: NEEDS_RESET rejects what is in flight, with an outcome that is unknown', async () => {
    const { driver, device, transport } = held()
    const stopped: unknown[] = []
    driver.events.on('stopped', (error) => stopped.push(error.code))
    const call = driver.requests.call(request, { reply: 4 })
    device.registers.setNeedsReset()
    await expect(call).rejects.toThrow(expect.objectContaining({ code: 'DEVICE_NEEDS_RESET' }))
    expect(stopped).toEqual(['DEVICE_NEEDS_RESET'])
    driver.close()
    expect(stopped.length).toBe(1)
    expect(startDriver(transport).error).toBeNull()
  })

  it('a device that breaks at DRIVER_OK does not come up', () => {
    const definition = defineDevice({
      id: 5,
      queues: [{ name: 'q', size: 8 }],
      q() {},
      onActivate: () => device.registers.setNeedsReset(),
    })
    const device = definition.create()
    expect(() => startDriver(new SharedMemoryTransport(device))).toThrow(
      expect.objectContaining({ code: 'DEVICE_NEEDS_RESET' }),
    )
  })
})

describe('close', () => {
  it('resets the device, rejects what waits, and gives memory back; twice is no error', async () => {
    const device = adder.create()
    const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
    const marks: number[] = []
    for (let i = 0; i < 3; i++) {
      using driver = startDriver(transport)
      const call = driver.requests.call(request, { reply: 4 })
      driver.close()
      await expect(call).rejects.toThrow(expect.objectContaining({ code: 'DRIVER_CLOSED' }))
      expect(device.registers.status).toBe(0)
      marks.push(transport.allocate(64, 64))
    }
    // Rings were reused; only the buffers that the device still had are gone for good.
    expect(marks[2]! - marks[1]!).toBeLessThan(512)
  })

  it('CLEAN-DRV-02: memory that a device which never resets may write to is kept', () => {
    const freed: number[] = []
    class Stubborn extends SpyTransport {
      stuck = false
      override readStatus(): number {
        return this.stuck ? 15 : super.readStatus()
      }
      override free(address: number, lengthBytes: number): void {
        freed.push(address)
        super.free(address, lengthBytes)
      }
    }
    const transport = new Stubborn(adder.create())
    const driver = startDriver(transport)
    transport.stuck = true
    driver.close()
    expect(freed).toEqual([])
  })

  it('CLEAN-DRV-02: the buffers of calls are kept when the device is given up, and freed once it was reset', async () => {
    const freed: number[] = []
    class Freeing extends SharedMemoryTransport<AdderContract> {
      override free(address: number, lengthBytes: number): void {
        freed.push(lengthBytes)
        super.free(address, lengthBytes)
      }
    }
    const device = adder.create()
    const transport = new Freeing(device, { doorbell: () => {} })
    const driver = startDriver(transport)
    const calls = [4, 20].map((reply) => driver.requests.call(request, { reply }))
    device.registers.setNeedsReset()
    transport.settle()
    for (const call of calls)
      await expect(call).rejects.toThrow(expect.objectContaining({ code: 'DEVICE_NEEDS_RESET' }))
    expect(freed).toEqual([])
    driver.close()
    expect(freed).toEqual(expect.arrayContaining([12, 28]))
  })

  it('VQS-NTF-DRV-05: an interrupt without a reason, or without a completion, changes nothing', async () => {
    const { device, driver, transport, run } = held()
    const call = driver.requests.call(request, { reply: 4 })
    transport.takeInterrupt()
    device.registers.notifyUsed(0)
    transport.settle()
    expect([driver.error, driver.requests.ring.violation, driver.requests.ring.outstanding]).toEqual([null, null, 1])
    run()
    expect((await call).bytes[0]).toBe(3)
  })

  it('VQS-NTF-DEV-11, VQS-KICK-DEV-01: a device that asked for no kicks is not kicked, and serves one that comes all the same', async () => {
    const plain = { commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1) }
    const device = adder.create(plain)
    const transport = new SpyTransport(device)
    const driver = startDriver(transport, plain)
    device.queues.requests.ring!.disableNotifications()
    const call = driver.requests.call(request, { reply: 4 })
    expect([transport.kicks, driver.requests.ring.outstanding]).toEqual([[], 1])
    transport.notify(0)
    transport.settle()
    expect((await call).bytes[0]).toBe(3)
  })
})
