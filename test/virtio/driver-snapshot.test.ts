import { describe, expect, it } from 'vitest'
import { GuestMemory, SharedMemoryTransport, startDriver, u32le } from '../../src/index.ts'
import { type DriverState, restoreDriver } from '../../src/virtio/index.ts'
import { BufferList } from '../../src/virtqueue/index.ts'
import { ON_SPLIT_RINGS } from '../on-split-rings.ts'
import { type AdderContract, adder } from './adder.ts'

const INVALID = expect.objectContaining({ code: 'INVALID_STATE' })
const json = <T>(value: T) => JSON.parse(JSON.stringify(value)) as T

function saved() {
  const device = adder.create()
  const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
  const driver = startDriver(transport, { want: ['checksum'], queueSizes: { requests: 4 } })
  const args = [u32le(1), u32le(2)]
  for (let i = 0; i < 3; i++) driver.requests.call(args, { reply: 8 }).catch(() => {})
  return { device, driver, transport, state: json(driver.saveState()), deviceState: json(device.registers.saveState()) }
}

/** A fresh device and transport over the same bytes, and the driver's state to restore in front of them. */
function target({ transport, deviceState }: ReturnType<typeof saved>) {
  const { base, size, u8 } = transport.memory.regions[0]!
  const memory = new GuestMemory([{ base, size, buffer: u8.buffer as ArrayBuffer }])
  const device = adder.create()
  const restored = new SharedMemoryTransport<AdderContract>(device, { memory })
  device.registers.restoreState(deviceState)
  return restored
}

describe('restoreDriver', () => {
  it('has the calls that were under way, and those that waited, in their order', async () => {
    const from = saved()
    expect(from.state.queues[0]).toMatchObject({ calls: [{ sentBytes: 8 }], waiting: [{}, {}], ownsRing: false })
    const transport = target(from)
    const driver = restoreDriver(transport, from.state, { want: ['checksum'] })
    expect(driver.requests.resumed).toHaveLength(3)
    const replies = await Promise.all(driver.requests.resumed.map(({ promise }) => promise))
    expect(replies.map(({ bytes }) => [bytes[0], bytes[4]])).toEqual(Array(3).fill([3, 3]))
    expect([driver.features.checksum, driver.config.limit]).toEqual([true, 1000])
    const next = await driver.requests.call([u32le(4), u32le(5)], { reply: 8 })
    expect(next.bytes[0]).toBe(9)
    driver.close()
    // All of it is back in the allocator: the same driver fits into the same place.
    const { next: mark } = transport.saveState() as { next: number }
    startDriver(transport, { queueSizes: { requests: 4 } })
    expect((transport.saveState() as { next: number }).next).toBe(mark)
  })

  it('a queue whose ring somebody owns waits for its owner', () => {
    const device = adder.create()
    const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
    const driver = startDriver(transport)
    driver.requests.onUsed = () => {}
    driver.requests.ring.add(new BufferList().addReadable(transport.allocate(64, 16), 8))
    driver.requests.kick()
    const state = json(driver.saveState())
    expect(state.queues[0]).toMatchObject({ ownsRing: true, posted: [], calls: [] })
    const { state: _, ...rest } = saved()
    const again = target({ ...rest, transport, deviceState: json(device.registers.saveState()), state })
    const restored = restoreDriver(again, state)
    expect(restored.requests.onUsed).not.toBeNull()
    expect(restored.requests.ring.outstanding).toBe(1)
  })

  it('a driver that has stopped, or has something staged, is not saved', () => {
    const { driver } = saved()
    driver.close()
    expect(() => driver.saveState()).toThrow(expect.objectContaining({ code: 'NOT_RESTORABLE', cause: driver.error }))
    const transport = new SharedMemoryTransport(adder.create(), { doorbell: () => {} })
    const staged = startDriver(transport)
    staged.requests.add(new BufferList().addReadable(transport.allocate(64, 16), 8), () => {})
    expect(() => staged.saveState()).toThrow(
      expect.objectContaining({
        name: 'VirtioError',
        code: 'NOT_RESTORABLE',
        message: expect.stringContaining('kick()'),
      }),
    )
    staged.requests.kick()
    const state = json(staged.saveState())
    expect(state.queues[0]?.posted).toHaveLength(1)
  })

  it('refuses what is not a state of such a driver, and says why', ON_SPLIT_RINGS, () => {
    const from = saved()
    const { state } = from
    const queue = state.queues[0]!
    const call = queue.calls[0]!
    const withQueue = (changes: object) => ({ ...state, queues: [{ ...queue, ...changes }] })
    const wrong: [unknown, string][] = [
      [null, 'not an object'],
      [{ ...state, version: 1 }, 'version is 1'],
      [{ ...state, deviceId: 4 }, 'device type 4'],
      [{ ...state, featureWindows: [1] }, 'four words'],
      [{ ...state, featureWindows: [0, 0, 0, 1] }, 'does not offer'],
      [{ ...state, queues: [] }, 'its queues are'],
      [{ ...state, blocks: [{ address: -1, lengthBytes: 1 }] }, 'blocks'],
      [{ ...state, transport: { next: 1, free: [] } }, 'next must be in the range'],
      [{ ...state, transport: { next: 0x4000_1000, free: [[65, []]] } }, 'lists of blocks'],
      [withQueue({ name: 'other' }), 'its queues are other'],
      [withQueue({ addresses: null }), 'must have addresses'],
      [withQueue({ ring: { ...queue.ring, nextUsed: 7 } }), 'apart, but 1 chains'],
      [withQueue({ calls: [] }), '1 chains outstanding, 0 are told of'],
      [withQueue({ calls: [call, call] }), 'or there twice'],
      [withQueue({ calls: [{ ...call, address: 2 ** 40 }] }), 'not in memory'],
      [withQueue({ calls: [{ ...call, replyBytes: 9 }] }), 'not outstanding like that'],
      [withQueue({ calls: [], posted: [call.id] }), 'pass options.completion'],
      [withQueue({ posted: [3] }), 'not outstanding like that'],
      [withQueue({ waiting: [{ parts: [[256]], replyBytes: 0 }] }), 'a waiting call is'],
      [withQueue({ waiting: [{ parts: [], replyBytes: 0 }] }), '0 buffers do not fit'],
    ]
    for (const [each, why] of wrong) {
      const restore = () => restoreDriver(target(from), each as DriverState)
      expect(restore, JSON.stringify(each)).toThrow(INVALID)
      expect(restore).toThrow(why)
    }
    expect(restoreDriver(target(from), state).error).toBeNull()
  })

  it('refuses a device that is not live', () => {
    const { state } = saved()
    expect(() => restoreDriver(new SharedMemoryTransport(adder.create()), state)).toThrow('restore it first')
  })
})
