/** Blk drivers before devices of ours on every transport, and before devices that do as they like. */
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  BLK_DRIVER_FEATURES,
  BlkDevice,
  type BlkDeviceOptions,
  BlkDriver,
  type BlkDriverOptions,
  blkContract,
  defineDevice,
  MemoryDisk,
} from 'virtio-sdk/virtio'
import type { Request } from 'virtio-sdk/virtqueue'
import { afterEach, describe, expect, it } from 'vitest'
import { EVERY_TRANSPORT, settled } from '../../transport/every-transport.ts'
import { pattern, SECTOR, SlowDisk } from './raw-guest.ts'

const code = (name: string) => expect.objectContaining({ code: name })
const open: BlkDriver[] = []
afterEach(() => {
  for (const disk of open.splice(0)) disk.close()
})

function disk(options: Partial<BlkDeviceOptions> = {}, driverOptions: BlkDriverOptions = {}) {
  const device = new BlkDevice({ backend: new MemoryDisk(pattern(64)), ...options })
  const transport = new SharedMemoryTransport(device)
  const driver = new BlkDriver(transport, driverOptions)
  open.push(driver)
  return { device, transport, driver }
}

describe.each(EVERY_TRANSPORT)('over %s', (_, behind) => {
  it('reads, writes, flushes, zeroes, discards and erases; knows its id', async () => {
    const device = new BlkDevice({ backend: new MemoryDisk(pattern(64)), id: 'virtio-sdk', queues: 2 })
    const driver = new BlkDriver(behind(device))
    open.push(driver)
    expect([driver.capacity, driver.blockSize, driver.isReadOnly, driver.isWriteback]).toEqual([64, 512, false, true])
    expect(await driver.read(3, 1024)).toEqual(pattern(64).subarray(3 * SECTOR, 5 * SECTOR))
    const data = pattern(4, 99)
    await Promise.all([driver.write(8, data), driver.write(20, data)])
    await driver.flush()
    expect(await driver.read(8, 4 * SECTOR)).toEqual(data)
    await driver.writeZeroes(8, 1, { unmap: true })
    await driver.discard(9, 1)
    await driver.secureErase(10, 1)
    expect((await driver.read(8, 3 * SECTOR)).every((byte) => byte === 0)).toBe(true)
    expect(await driver.id()).toBe('virtio-sdk')
    expect(device.counters).toEqual({ done: 10, failed: 0, unsupported: 0, malformed: 0 })
  })

  it('another size interrupts', async () => {
    const backend = new MemoryDisk(4096)
    const device = new BlkDevice({ backend })
    const driver = new BlkDriver(behind(device))
    open.push(driver)
    const told: number[] = []
    driver.events.on('capacity', (sectors) => told.push(sectors))
    backend.resize(100)
    device.capacityChanged()
    await settled()
    expect([told, driver.capacity, (await driver.read(99, SECTOR)).length]).toEqual([[100], 100, SECTOR])
  })

  it('a back-end that answers late, and in another order', async () => {
    const backend = new SlowDisk(pattern(64))
    const driver = new BlkDriver(behind(new BlkDevice({ backend })))
    open.push(driver)
    const done: number[] = []
    const reads = [0, 1, 2].map(async (sector) => {
      const bytes = await driver.read(sector, SECTOR)
      done.push(sector)
      return bytes
    })
    await settled()
    for (const index of [1, 1, 0]) {
      backend.answer(index)
      await settled()
    }
    expect(done).toEqual([1, 2, 0])
    expect((await reads[2])![0]).toBe(pattern(64)[2 * SECTOR])
  })
})

describe('what it sends', () => {
  it('what is longer than a request is cut, by size_max, seg_max and its own bound', async () => {
    for (const [options, driverOptions, most] of [
      [{ sizeMax: 1000, segMax: 3 }, {}, 2560],
      [{ sizeMax: 512, segMax: 8 }, {}, 4096],
      [{}, { maxRequestBytes: 1536 }, 1536],
      [{ sizeMax: 512 }, { queueSize: 8 }, 6 * 512],
      [{ sizeMax: 512 }, { queueSize: 16, indirectLength: 5 }, 3 * 512],
    ] as const) {
      const { driver, device } = disk(options, driverOptions)
      expect(driver.maxRequestBytes).toBe(most)
      expect(await driver.read(0, 32_768)).toEqual(pattern(64))
      await driver.write(0, pattern(64, 5))
      expect(await driver.read(0, 32_768)).toEqual(pattern(64, 5))
      expect(device.counters.done).toBe(3 * Math.ceil(32_768 / most))
      expect(device.counters.failed).toBe(0)
    }
  })

  it('BLK-OP-DRV-09, BLK-OP-DRV-10, BLK-OP-DRV-11: ranges are cut as the device has them', async () => {
    const limits = { maxSectors: 5, maxSegments: 2 }
    const { driver, device } = disk({ discard: limits, writeZeroes: limits, secureErase: { ...limits, alignment: 2 } })
    await driver.discard(0, 23)
    expect(device.counters.done).toBe(3)
    await driver.writeZeroes(1, 23)
    expect(device.counters.done).toBe(6)
    await driver.secureErase(2, 18)
    expect([device.counters.done, device.counters.failed]).toEqual([9, 0])
    await expect(driver.secureErase(1, 2)).rejects.toThrow('must be multiples of 2')
  })

  it.each([
    ['BLK-OP-DRV-06: half a sector', (driver: BlkDriver) => driver.read(0, 100), 'INVALID_OPTION'],
    ['BLK-OP-DRV-02: behind the end', (driver: BlkDriver) => driver.read(63, 1024), 'INVALID_OPTION'],
    [
      'BLK-OP-DRV-02: written behind the end',
      (driver: BlkDriver) => driver.write(64, new Uint8Array(512)),
      'INVALID_OPTION',
    ],
    ['BLK-OP-DRV-02: zeroes behind the end', (driver: BlkDriver) => driver.writeZeroes(60, 5), 'INVALID_OPTION'],
    ['what are no bytes', (driver: BlkDriver) => driver.write(0, 'text' as never), 'INVALID_OPTION'],
    ['a sector that is none', (driver: BlkDriver) => driver.read(-1, 512), 'INVALID_OPTION'],
  ])('refused here: %s', async (_, call, name) => {
    const { driver, device } = disk()
    await expect(call(driver)).rejects.toThrow(code(name))
    expect(device.counters.failed).toBe(0)
  })

  it('BLK-OP-DRV-03: RO is taken, asked for or not; and what was not negotiated is refused', async () => {
    const { driver } = disk({ readOnly: true }, { want: [] })
    expect([driver.isReadOnly, driver.isWriteback]).toEqual([true, false])
    await expect(driver.write(0, new Uint8Array(512))).rejects.toThrow(code('BLK_READ_ONLY'))
    await expect(driver.discard(0, 1)).rejects.toThrow(code('FEATURES_MISSING'))
    await expect(driver.setWriteback(true)).rejects.toThrow(code('FEATURES_MISSING'))
    await driver.flush()
  })

  it('BLK-OP-DRV-12, BLK-OP-DRV-13: the cache is switched off, and then flushed', async () => {
    const backend = new SlowDisk(pattern(64))
    const { driver, device } = disk({ backend })
    const switched = driver.setWriteback(false)
    await settled()
    expect([driver.isWriteback, device.isWriteback, backend.asked]).toEqual([false, false, ['flush']])
    backend.answer()
    await switched
    await driver.setWriteback(true)
    expect([driver.isWriteback, backend.asked]).toEqual([true, []])
  })

  it('more than the ring holds waits, in its order', async () => {
    const { driver } = disk({}, { queueSize: 8, queues: 1 })
    const reads = Array.from({ length: 50 }, (_, i) => driver.read(i, SECTOR))
    expect((await Promise.all(reads)).map((bytes) => bytes[0])).toEqual(
      Array.from({ length: 50 }, (_, i) => pattern(64)[i * SECTOR]),
    )
  })

  it('memory of the caller: no copy, a callback each, false when there is no room', async () => {
    const { driver, transport } = disk({}, { queueSize: 16, queues: 1 })
    const address = transport.allocate(8 * SECTOR, 16)
    const statuses: number[][] = []
    const done = (status: number, writtenBytes: number) => void statuses.push([status, writtenBytes])
    let added = 0
    while (driver.addRead(added, address + added * SECTOR, SECTOR, done)) added++
    expect([added, statuses]).toEqual([5, []])
    driver.kick()
    await settled()
    expect(statuses).toEqual(new Array(5).fill([0, 513]))
    const bytes = new Uint8Array(5 * SECTOR)
    transport.memory.read(address, bytes)
    expect(bytes).toEqual(pattern(64).subarray(0, 5 * SECTOR))
    expect(driver.addWrite(40, address, SECTOR, done)).toBe(true)
    driver.kick()
    await settled()
    expect(await driver.read(40, SECTOR)).toEqual(pattern(1))
    expect(() => driver.addRead(0, address, 100, done)).toThrow('multiple of 512')
    transport.free(address, 8 * SECTOR)
  })
})

/** A device that answers as the test says, or not at all. */
function odd(answer: (request: Request) => void, config = {}) {
  const held: Request[] = []
  const definition = defineDevice({
    ...blkContract(),
    requestq1(queue) {
      for (const request of queue.drain(16)) held.push(request.defer())
    },
  })
  const device = definition.create({ config: { capacity: 64, ...config }, offer: ['flush'] })
  const transport = new SharedMemoryTransport(device)
  const driver = new BlkDriver(transport, { queueSize: 16 })
  open.push(driver)
  const serve = async () => {
    await settled()
    for (const request of held.splice(0)) {
      answer(request)
      request.complete()
    }
    await settled()
  }
  return { device, driver, transport, held, serve }
}

describe('a device that', () => {
  it.each([
    [
      'says IOERR',
      (request: Request) => {
        request.writer.fill(0, 512)
        request.writer.u8(1)
      },
      'BLK_IOERR',
    ],
    [
      'says UNSUPP',
      (request: Request) => {
        request.writer.fill(0, 512)
        request.writer.u8(2)
      },
      'BLK_UNSUPP',
    ],
    [
      'says what no status is',
      (request: Request) => {
        request.writer.fill(0, 512)
        request.writer.u8(77)
      },
      'BLK_STATUS',
    ],
    ['says nothing', () => {}, 'BLK_STATUS'],
    ['stops short of its status', (request: Request) => request.writer.fill(9, 512), 'BLK_STATUS'],
  ] as const)('%s of a read: an error that says so, and the driver goes on', async (_, answer, name) => {
    const { driver, serve } = odd(answer)
    const read = driver.read(0, SECTOR)
    const outcome = expect(read).rejects.toThrow(code(name))
    await serve()
    await outcome
    expect(driver.driver.error).toBeNull()
  })

  it('writes its status, and counts less than it wrote: what was read is not believed, what was written is', async () => {
    const { driver, serve, transport } = odd(({ chain }) => {
      // Behind the back of its writer: the used length is 0.
      transport.memory.writeU8(chain.address[chain.segmentCount - 1]!, 0)
    })
    const read = expect(driver.read(0, SECTOR)).rejects.toThrow(code('BLK_SHORT'))
    const write = driver.write(0, new Uint8Array(SECTOR))
    await serve()
    await read
    await write
  })

  it('stops: what is under way ends with its reset, and so does what waits', async () => {
    const { driver, device } = odd(() => {})
    const calls = Array.from({ length: 10 }, (_, i) => driver.read(i, SECTOR))
    const ends = Promise.all(calls.map((call) => expect(call).rejects.toThrow(code('DEVICE_NEEDS_RESET'))))
    await settled()
    device.registers.setNeedsReset(new Error('the disk burned down'))
    await ends
    await expect(driver.read(0, SECTOR)).rejects.toThrow('the disk burned down')
  })

  it('never answers: close ends what is under way, and the memory is free again', async () => {
    const { driver, transport } = odd(() => {})
    const read = expect(driver.read(0, SECTOR)).rejects.toThrow(code('DRIVER_CLOSED'))
    const statuses: number[] = []
    const address = transport.allocate(512, 16)
    driver.addRead(0, address, 512, (status) => void statuses.push(status))
    driver.kick()
    driver.close()
    await read
    expect(statuses).toEqual([-1])
    transport.free(address, 512)
    const again = new BlkDriver(transport)
    open.push(again)
    expect(again.capacity).toBe(64)
  })

  it('lets go of its queue: what was under way ends, what waits is sent, and the rest goes on', async () => {
    const { driver, held, serve } = odd((request) => {
      request.writer.fill(5, request.writer.remaining - 1)
      request.writer.u8(0)
    })
    const calls = Array.from({ length: 8 }, (_, i) => driver.read(i, SECTOR).catch((error) => error.code as string))
    await settled()
    expect(held.length).toBe(5)
    held.length = 0
    expect(driver.driver.resetQueue('requestq1')).toBe(true)
    await serve()
    const outcomes = await Promise.all(calls)
    expect(outcomes.filter((outcome) => outcome === 'QUEUE_RESET').length).toBe(5)
    expect(outcomes.slice(5).every((bytes) => bytes instanceof Uint8Array && bytes[0] === 5)).toBe(true)
  })

  it('has limits under which nothing can be done: refused when the driver starts', () => {
    const definition = defineDevice({ ...blkContract(), requestq1: () => {} })
    const device = definition.create({ config: { capacity: 64, sizeMax: 0 }, offer: ['sizeMax'] })
    expect(() => new BlkDriver(new SharedMemoryTransport(device))).toThrow(code('BLK_NO_ROOM'))
  })
})

describe('save and restore', () => {
  it('both sides go on with what was under way, at the back-end and in the ring', async () => {
    const backend = new SlowDisk(pattern(64))
    const first = disk({ backend }, { queueSize: 8, queues: 1 })
    const done = expect(Promise.all([1, 2].map((sector) => first.driver.read(sector, SECTOR)))).rejects.toThrow()
    const write = expect(first.driver.write(5, pattern(1, 50))).rejects.toThrow()
    await settled()
    expect([backend.asked.length, first.device.underWay]).toEqual([2, 2])
    const image = first.transport.memory.regions[0]!
    const file = JSON.stringify({
      device: first.device.registers.saveState(),
      driver: first.driver.saveState(),
    })
    const bytes = image.u8.slice()
    first.driver.close()
    await done
    await write

    const saved = JSON.parse(file)
    const slow = new SlowDisk(pattern(64))
    const device = new BlkDevice({ backend: slow })
    const memory = new GuestMemory([{ base: image.base, size: image.size, buffer: bytes.buffer as ArrayBuffer }])
    const transport = new SharedMemoryTransport(device, { memory })
    device.registers.restoreState(saved.device)
    const driver = BlkDriver.restore(transport, saved.driver)
    open.push(driver)
    driver.poll()
    await settled()
    expect(slow.asked).toEqual(['read 1 512', 'read 2 512'])
    expect(driver.resumed.map(({ type, sector }) => [type, sector])).toEqual([
      [0, 1],
      [0, 2],
      [1, 5],
    ])
    for (let i = 0; i < 3; i++) {
      slow.answer()
      await settled()
    }
    const answers = await Promise.all(driver.resumed.map(({ promise }) => promise))
    expect(answers.map((each) => each[0])).toEqual([pattern(64)[SECTOR], pattern(64)[2 * SECTOR], undefined])
    expect(slow.disk.bytes.subarray(5 * SECTOR, 6 * SECTOR)).toEqual(pattern(1, 50))
  })

  it('the cache stays as it was switched, and another size of the disk is told', async () => {
    const first = disk()
    await first.driver.setWriteback(false)
    const saved = JSON.parse(JSON.stringify([first.device.registers.saveState(), first.driver.saveState()]))
    const image = first.transport.memory.regions[0]!
    const device = new BlkDevice({ backend: new MemoryDisk(pattern(8)) })
    const memory = new GuestMemory([
      { base: image.base, size: image.size, buffer: image.u8.slice().buffer as ArrayBuffer },
    ])
    const transport = new SharedMemoryTransport(device, { memory })
    device.registers.restoreState(saved[0])
    const driver = BlkDriver.restore(transport, saved[1])
    open.push(driver)
    await settled()
    expect([device.isWriteback, driver.isWriteback, driver.capacity]).toEqual([false, false, 8])
  })

  it('a state that is none is refused', () => {
    const { driver, transport } = disk()
    const state = JSON.parse(JSON.stringify(driver.saveState()))
    for (const wrong of [
      null,
      { ...state, version: 1 },
      { ...state, queues: [] },
      { ...state, waiting: [null] },
      { ...state, waiting: [{ type: 0, sector: 0, address: 0, lengthBytes: 512, isOurs: true }] },
      { ...state, queues: [{ ...state.queues[0], sent: [{ head: 0, slot: 0 }] }] },
    ]) {
      expect(() => BlkDriver.restore(transport, wrong)).toThrow(code('INVALID_STATE'))
    }
  })
})

it('BLK-INIT-DRV-01, BLK-INIT-DRV-02, BLK-INIT-DRV-03: the cache is what was negotiated', () => {
  expect(BLK_DRIVER_FEATURES).toContain('flush')
  expect(disk({}, { want: ['flush'] }).driver.isWriteback).toBe(true)
  expect(disk({}, { want: [] }).driver.isWriteback).toBe(false)
})
