/** One queue is reset alone (virtio 1.4 §2.6.1), by a driver, while the others go on. */
import { u32le } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { defineDevice, FeatureSet, startDriver, VIRTIO_F_VERSION_1, VsockDevice, VsockDriver } from 'virtio-sdk/virtio'
import { BufferList, type Request } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'

const code = (name: string) => expect.objectContaining({ code: name })

/** A device that keeps the requests of `held`, and answers those of `other` with their first word. */
function keeper() {
  const kept: Request[] = []
  const definition = defineDevice({
    id: 0x1234,
    queues: [
      { name: 'held', size: 4 },
      { name: 'other', size: 4 },
    ],
    held(queue) {
      for (const request of queue.drain(8)) kept.push(request.defer())
    },
    other(queue) {
      for (const { reader, writer } of queue.drain(8)) writer.u32(reader.u32())
    },
  })
  return { definition, kept }
}

type Contract = ReturnType<typeof keeper>['definition']['contract']

/** Counts what is allocated and not freed, and lets go of a queue only when it may. */
class Watched extends SharedMemoryTransport<Contract> {
  isReady = true
  refuses = false
  readonly freed: number[] = []
  readonly asked: number[] = []
  readonly setUp: number[] = []

  override resetQueue(queue: number): boolean {
    this.asked.push(queue)
    return this.isReady && super.resetQueue(queue)
  }

  override setupQueue(...args: Parameters<SharedMemoryTransport<Contract>['setupQueue']>): void {
    this.setUp.push(args[0])
    super.setupQueue(...args)
  }

  override enableQueue(queue: number): boolean {
    return !this.refuses && super.enableQueue(queue)
  }

  override free(address: number, lengthBytes: number): void {
    this.freed.push(address)
    super.free(address, lengthBytes)
  }
}

function start() {
  const { definition, kept } = keeper()
  const device = definition.create()
  const transport = new Watched(device)
  const violations: string[] = []
  device.events.on('violation', ({ rule, clause }) => violations.push(`${rule} ${clause}`))
  const driver = startDriver(transport)
  return { device, driver, kept, transport, violations }
}

describe('Driver.resetQueue', () => {
  it('VQRST-DRV-01: is false until the device has let go of the queue, and nothing is sent or freed before', async () => {
    const { driver, kept, transport } = start()
    const call = driver.held.call([u32le(1)], { reply: 4 })
    transport.isReady = false
    expect([driver.resetQueue('held'), driver.resetQueue('held')]).toEqual([false, false])
    expect([transport.asked, transport.freed, driver.held.ring.outstanding]).toEqual([[0, 0], [], 1])
    const later = driver.held.call([u32le(2)], { reply: 4 })
    expect(driver.held.add(new BufferList().addReadable(0x4000_0000, 4), () => {})).toBe(false)
    driver.held.kick()
    expect(kept.length).toBe(1)
    transport.isReady = true
    expect(driver.resetQueue('held')).toBe(true)
    await expect(call).rejects.toThrow(code('QUEUE_RESET'))
    // What had waited is sent now.
    expect(kept.length).toBe(2)
    kept[1]!.writer.u32(7)
    kept[1]!.complete()
    transport.settle()
    expect((await later).bytes[0]).toBe(7)
    expect(driver.error).toBeNull()
  })

  it('VQRST-DRV-01: the transport says true only once the queue is gone', () => {
    const { device, transport } = start()
    Object.assign(device, { mayDisableQueue: () => false })
    expect(SharedMemoryTransport.prototype.resetQueue.call(transport, 0)).toBe(false)
    Object.assign(device, { mayDisableQueue: () => true })
    expect(SharedMemoryTransport.prototype.resetQueue.call(transport, 0)).toBe(true)
  })

  it('VQRST-DRV-02: the buffers of calls that were lost are free, once the device has let go', async () => {
    const { driver, transport } = start()
    const calls = [1, 2].map((i) => driver.held.call([u32le(i)], { reply: 4 }))
    expect(driver.resetQueue('held')).toBe(true)
    for (const call of calls) await expect(call).rejects.toThrow(code('QUEUE_RESET'))
    expect(transport.freed.length).toBe(2)
    expect([driver.held.ring.outstanding, driver.held.ring.freeDescriptors]).toEqual([0, 4])
  })

  it('VQRST-DRV-03: the queue is configured anew, and goes on', async () => {
    const { driver, kept, transport, violations } = start()
    transport.setUp.length = 0
    for (let round = 0; round < 3; round++) {
      const lost = driver.held.call([u32le(round)], { reply: 4 })
      expect(driver.resetQueue('held')).toBe(true)
      await expect(lost).rejects.toThrow(code('QUEUE_RESET'))
      const call = driver.held.call([u32le(5)], { reply: 4 })
      const request = kept.at(-1)!
      expect(request.reader.u32()).toBe(5)
      request.writer.u32(6)
      request.complete()
      transport.settle()
      expect((await call).bytes[0]).toBe(6)
    }
    expect([transport.setUp, violations]).toEqual([[0, 0, 0], []])
  })

  it('VQRST-DEV-01: a request that was deferred over the reset reaches no memory', async () => {
    const { driver, kept, transport } = start()
    const lost = driver.held.call([u32le(1)], { reply: 4 })
    lost.catch(() => {})
    // Before the queue is enabled again, and after.
    for (const reset of [() => transport.resetQueue(0), () => driver.resetQueue('held')]) {
      expect(reset()).toBe(true)
      const before = transport.memory.regions[0]!.u8.slice()
      kept[0]!.writer.u32(0xdead_beef)
      if (kept[0]!.pending) kept[0]!.complete()
      transport.settle()
      expect(Buffer.compare(transport.memory.regions[0]!.u8, before)).toBe(0)
    }
    await expect(lost).rejects.toThrow(code('QUEUE_RESET'))
    expect(driver.held.ring.violation).toBeNull()
  })

  it('the other queues go on, also while the reset is not confirmed', async () => {
    const { driver, transport } = start()
    transport.isReady = false
    driver.resetQueue('held')
    expect((await driver.other.call([u32le(9)], { reply: 4 })).bytes[0]).toBe(9)
  })

  it('what the device had completed is no loss', async () => {
    const { driver, kept, transport } = start()
    const done = driver.held.call([u32le(1)], { reply: 4 })
    const lost = driver.held.call([u32le(2)], { reply: 4 })
    transport.onInterrupt(null)
    kept[0]!.writer.u32(3)
    kept[0]!.complete()
    expect(driver.resetQueue('held')).toBe(true)
    expect((await done).bytes[0]).toBe(3)
    await expect(lost).rejects.toThrow(code('QUEUE_RESET'))
  })

  it('callbacks of what was lost are not called; one may reset the queue itself', () => {
    const { driver, kept, transport } = start()
    const done: string[] = []
    const buffers = new BufferList().addWritable(driver.allocate(64, 16), 4)
    driver.held.post(buffers, () => {
      done.push('first')
      driver.resetQueue('held')
    })
    driver.held.post(buffers, () => done.push('second'))
    transport.onInterrupt(null)
    kept[0]!.complete()
    expect(driver.resetQueue('held')).toBe(true)
    driver.poll()
    expect([done, driver.held.ring.outstanding]).toEqual([['first'], 0])
  })

  it('who uses the ring itself is told, and is not passed over', () => {
    const { driver } = start()
    driver.held.onUsed = () => {}
    expect(() => driver.resetQueue('held')).toThrow(code('QUEUE_IN_USE'))
    let told = 0
    driver.held.onReset = () => told++
    expect([driver.resetQueue('held'), told]).toEqual([true, 1])
    const vsock = new VsockDriver(new SharedMemoryTransport(new VsockDevice({ guestCid: 3 })))
    expect(() => vsock.driver.resetQueue('rx')).toThrow(code('QUEUE_IN_USE'))
  })

  it('what cannot be reset', async () => {
    const { driver, transport } = start()
    expect(() => driver.resetQueue('turbo' as 'held')).toThrow('name must be one of held, other')
    transport.isReady = false
    driver.resetQueue('held')
    expect(() => driver.saveState()).toThrow(code('NOT_RESTORABLE'))
    transport.isReady = true
    transport.refuses = true
    const waits = driver.held.call([u32le(1)], { reply: 4 })
    expect(() => driver.resetQueue('held')).toThrow(code('QUEUE_REFUSED'))
    expect(driver.error).toBeNull()
    transport.refuses = false
    expect(driver.resetQueue('held')).toBe(true)
    driver.close()
    await expect(waits).rejects.toThrow(code('DRIVER_CLOSED'))
    expect(() => driver.resetQueue('held')).toThrow(code('DRIVER_CLOSED'))
    const { definition } = keeper()
    const plain = startDriver(new SharedMemoryTransport(definition.create()), {
      commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1),
    })
    expect(() => plain.resetQueue('held')).toThrow(code('FEATURES_MISSING'))
  })
})
