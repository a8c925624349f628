/** What we say when something is wrong: who reads it knows what was wrong, where, and what would be right. */

import { describe, expect, it } from 'vitest'
import { GuestMemory, PAGE_SIZE, SegmentList } from '../../src/memory/index.ts'
import {
  BufferList,
  DescriptorChain,
  type Request,
  RequestQueue,
  type SplitDeviceState,
  SplitDriverQueue,
  type SplitDriverState,
  UsedBuffer,
} from '../../src/virtqueue/index.ts'
import { BUFFERS, NEXT, popAll, RawRing, WRITE } from './split/raw-ring.ts'

const SIZE = 8
const TABLES = 0x1_0000

/** Code and message of what `mistake` throws. */
function thrown(mistake: () => unknown): [string, string] {
  try {
    mistake()
  } catch (error) {
    const { code, message } = error as Error & { code: string }
    return [code, message]
  }
  throw new Error(`nothing was thrown by ${mistake}`)
}

function list(count: number): BufferList {
  const buffers = new BufferList()
  for (let i = 0; i < count; i++) buffers.addReadable(BUFFERS + 32 * i, 16)
  return buffers
}

describe('our own mistakes', () => {
  const { memory, location } = new RawRing(SIZE)
  const plain = new SplitDriverQueue(memory, location)
  const tables = { indirect: true, indirectArea: TABLES, indirectLength: 4 }
  const indirect = new SplitDriverQueue(memory, { ...location, ...tables })
  const sum = new BufferList().addReadable(0, 0xffff_ffff).addWritable(0, 1)

  const mistakes: [string, () => unknown][] = [
    ['a chain has 1..8 buffers, not 0 (VQS-IND-DRV-03)', () => indirect.add(list(0))],
    ['a chain has 1..8 buffers, not 9 (VQS-IND-DRV-03)', () => indirect.add(list(9))],
    ['direct is 0..8, not 9', () => indirect.add(list(8), 9)],
    ['direct is 0..2, not -1', () => indirect.add(list(2), -1)],
    ['direct is 0..2, not 0.5', () => indirect.add(list(2), 0.5)],
    ['INDIRECT_DESC was not negotiated (VQS-IND-DRV-01)', () => plain.add(list(2), 0)],
    ['an indirect table of this queue has 4 entries, 5 are needed', () => indirect.add(list(6), 1)],
    ['a chain has at most 2^32 - 1 bytes, not 4294967296 (VQS-DESC-DRV-01)', () => plain.add(sum)],
    ['delay by 1..8 completions, not 0', () => plain.delayNotifications(0)],
    ['delay by 1..8 completions, not 9', () => plain.delayNotifications(9)],
  ]
  for (const [message, mistake] of mistakes) {
    it(message, () => expect(thrown(mistake)).toEqual(['ASSERTION', message]))
  }

  it('buffers that are none, refused where they are added', () => {
    const refused = (mistake: () => unknown) => {
      const [code, message] = thrown(mistake)
      expect(code).toBe('INVALID_OPTION')
      return message
    }
    expect(refused(() => list(0).addWritable(0, 1).addReadable(0, 1))).toBe(
      'readable buffers come before writable ones (VQS-FRM-DRV-01)',
    )
    for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53, null, undefined, '4', 4n] as number[]) {
      const buffers = new BufferList()
      expect(refused(() => buffers.addReadable(wrong, 4))).toContain('address must be an integer from 0 to 2^53 - 1')
      expect(refused(() => buffers.addWritable(0, wrong))).toContain('length must be an integer from 0 to 4294967295')
      expect([buffers.count, buffers.writableBytes, buffers.readableBytes]).toEqual([0, 0, 0])
    }
    // A list of no room could not double it: what is added would be lost.
    for (const wrong of [0, -1, 0.5, Number.NaN, 2 ** 53, null, '4'] as number[]) {
      expect(refused(() => new BufferList(wrong))).toContain('capacity must be an integer from 1')
      expect(refused(() => new SegmentList(wrong))).toContain('capacity must be an integer from 1')
    }
  })

  it('a table needs both an area and a length', () => {
    for (const half of [{ indirectArea: 1 }, { indirectArea: 1, indirectLength: 0 }, { indirectLength: 4 }]) {
      const driver = new SplitDriverQueue(memory, { ...location, indirect: true, ...half })
      expect(thrown(() => driver.add(list(1), 0))[1]).toBe(
        'an indirect table of this queue has 0 entries, 1 are needed',
      )
    }
  })

  it('used elements that are none, and states taken too early', () => {
    const ring = new RawRing(SIZE).descriptor(0, { flags: WRITE }).offer(0)
    const queue = ring.device({ index: 2 })
    popAll(queue)
    expect(thrown(() => queue.addUsed(SIZE, 0))[1]).toBe('head 8 of queue 2 is not in flight (IMP-VQS-03)')
    expect(thrown(() => queue.addUsed(1, 0))[1]).toBe('head 1 of queue 2 is not in flight (IMP-VQS-03)')
    expect(thrown(() => queue.addUsed(0, 17))[1]).toBe('head 0 of queue 2 has 16 writable bytes, not 17 (IMP-VQS-04)')
    queue.addUsed(0, 16)
    const before = 'publish them (kick(), or publish() of the ring) before saving the state'
    const used = `the used elements of queue 2 were added and not published: ${before}`
    expect(thrown(() => queue.saveState())).toEqual(['NOT_RESTORABLE', used])
    const driver = new SplitDriverQueue(ring.memory, ring.location)
    driver.add(list(1))
    expect(thrown(() => driver.saveState())).toEqual([
      'NOT_RESTORABLE',
      `the buffers of queue 0 were added and not published: ${before}`,
    ])
  })

  it('requests completed twice, deferred twice, drained within a loop', () => {
    const requests = new RequestQueue(new RawRing(SIZE).descriptor(0, {}).offer(0).device({ index: 5 }))
    let held: Request | undefined
    for (const request of requests.drain(1)) {
      expect(thrown(() => requests.drain(1))[1]).toBe('queue 5 is being drained already')
      held = request.defer()
    }
    expect(thrown(() => held!.defer())[1]).toBe('only the request of the running loop can be deferred, once')
    held!.complete()
    expect(thrown(() => held!.complete())[1]).toBe('a request is completed once')
  })
})

describe('a queue that cannot be', () => {
  const memory = new GuestMemory([
    { base: 0, size: 0x4000 },
    { base: 0x4000, size: 0x4000 },
    { base: 0x10_0000, size: 0x1_0000 },
  ])
  const { location } = new RawRing(SIZE)
  const cases: [string, object][] = [
    ['queue size 12 must be a power of two from 1 to 32768 (IMP-VQS-02)', { size: 12 }],
    ['queue size 65536 must be a power of two from 1 to 32768 (IMP-VQS-02)', { size: 65536 }],
    [
      'descriptorArea 0x1008 must be an address from 0 to 2^53 and a multiple of 16 (VQS-DRV-01)',
      { descriptorArea: 0x1008 },
    ],
    ['deviceArea -4 must be an address from 0 to 2^53 and a multiple of 4 (VQS-DRV-01)', { deviceArea: -4 }],
    [
      'deviceArea 0x20000000000000 must be an address from 0 to 2^53 and a multiple of 4 (VQS-DRV-01)',
      { deviceArea: 2 ** 53 },
    ],
    [`driverArea 0x9000 + 22 is not backed by memory; regions: ${memory.describe()}`, { driverArea: 0x9000 }],
    ['descriptorArea and deviceArea overlap: each area has one writer only (IMP-VQS-02)', { deviceArea: 0x1040 }],
  ]
  for (const [message, change] of cases) {
    it(message, () => {
      expect(thrown(() => new RawRing(SIZE, memory).device({ ...location, ...change }))).toEqual([
        'INVALID_QUEUE',
        message,
      ])
    })
  }

  it('names the area of the indirect tables', () => {
    const tables = { indirectArea: 0x2002, indirectLength: 2 }
    expect(thrown(() => new SplitDriverQueue(memory, { ...location, ...tables }))).toEqual([
      'INVALID_QUEUE',
      'indirectArea 0x2002 must be an address from 0 to 2^53 and a multiple of 4 (VQS-DRV-01)',
    ])
  })

  it('compares the places of its areas within one buffer only', () => {
    const apart = new GuestMemory([
      { base: 0, size: PAGE_SIZE },
      { base: PAGE_SIZE, size: PAGE_SIZE },
      { base: 2 * PAGE_SIZE, size: PAGE_SIZE },
    ])
    const areas = { size: SIZE, descriptorArea: 0, driverArea: PAGE_SIZE, deviceArea: 2 * PAGE_SIZE }
    expect(() => new SplitDriverQueue(apart, areas)).not.toThrow()
  })
})

describe('violations', () => {
  it('of the driver', () => {
    const jump = new RawRing(SIZE).setAvailableIndex(9).device({ index: 1 })
    popAll(jump)
    expect(jump.violation).toMatchObject({ head: -1 })
    expect(jump.violation!.message).toBe(
      'queue 1: available-index-jump (VQS-AVL-DRV-01): idx went to 9, 9 ahead, in a queue of 8',
    )
    const head = new RawRing(SIZE).descriptor(0, {}).offer(0, 30).device()
    popAll(head)
    expect(head.violation!.message).toBe(
      'queue 0: head-out-of-range (IMP-VQS-02): slot 1 of the available ring names head 30',
    )
    const link = new RawRing(SIZE)
      .descriptor(3, { flags: NEXT, next: 6 })
      .descriptor(6, { flags: NEXT, next: 8 })
      .offer(3)
      .device()
    popAll(link)
    expect(link.violation!.message).toBe('queue 0: next-out-of-range (IMP-VQS-02): descriptor 8 of the chain at head 3')
  })

  it('of the device', () => {
    for (const [id, length, index, message] of [
      [0, 0, 3, 'used-index-jump (IMP-VQS-01): idx went to 3, 3 ahead of the driver, with 1 chains outstanding'],
      [9, 0, 1, 'used-id-out-of-range (IMP-VQS-03): id 9 in a queue of 8'],
      [4, 0, 1, 'used-id-not-outstanding (IMP-VQS-03): id 4 is not the head of a chain that the device has'],
      [0, 7, 1, 'used-length-too-large (IMP-VQS-04): 7 bytes written, 6 were writable'],
    ] as const) {
      const ring = new RawRing(SIZE)
      const driver = new SplitDriverQueue(ring.memory, { ...ring.location, index: 4 })
      driver.add(new BufferList().addWritable(BUFFERS, 6))
      driver.publish()
      ring.writeUsedElement(0, id, length).usedIndex = index
      expect(driver.popUsed(new UsedBuffer())).toBe(false)
      expect(driver.violation!.message).toBe(`queue 4: ${message}`)
      expect(driver.violation!.head).toBe(index === 3 ? -1 : id)
    }
  })
})

describe('saved states', () => {
  const say = (message: string): [string, string] => ['INVALID_STATE', `saved queue state: ${message}`]
  const violation = { rule: ['head-out-of-range'] }

  it('of a device', () => {
    const ring = new RawRing(SIZE).descriptor(0, { flags: WRITE }).descriptor(1, { flags: WRITE }).offer(0, 1)
    const queue = ring.device()
    const empty = queue.saveState()
    popAll(queue)
    const good = queue.saveState()
    const [first, second] = good.inFlight
    const bad: [string, unknown][] = [
      ['it is not an object', null],
      ['it is not an object', 3],
      ['its version is 1, this package reads and writes version 2', { ...good, version: 1 }],
      ['it is of a ring of format packed, this one is split', { ...good, format: 'packed' }],
      ['it is of a queue of 4 entries, this one has 8', { ...good, size: 4 }],
      ['nextAvailable and nextUsed must be 0..65535', { ...good, nextAvailable: 0x1_0002 }],
      ['nextAvailable and nextUsed must be 0..65535', { ...good, nextUsed: -1 }],
      ['unsignalled must be a count', { ...good, unsignalled: 0.5 }],
      ['notificationsEnabled must be true or false', { ...good, notificationsEnabled: 'yes' }],
      ['inFlight must be an array', { ...good, inFlight: {} }],
      ['violation must be null or a violation', { ...good, violation }],
      ['inFlight must hold objects', { ...good, inFlight: [null] }],
      ['inFlight must hold objects', { ...good, inFlight: [3] }],
      ['head 8 is out of range or there twice', { ...good, inFlight: [first, { ...second, id: 8 }] }],
      ['head -1 is out of range or there twice', { ...good, inFlight: [first, { ...second, id: -1 }] }],
      ['head 0.5 is out of range or there twice', { ...good, inFlight: [first, { ...second, id: 0.5 }] }],
      ['head 0 is out of range or there twice', { ...good, inFlight: [first, first] }],
      ['head 0 cannot have -4 writable bytes', { ...good, inFlight: [{ id: 0, writableBytes: -4 }] }],
      ['the indices are 2 apart, but 1 chains are in flight', { ...good, inFlight: [first] }],
    ]
    for (const [message, state] of bad) {
      expect(thrown(() => queue.restoreState(state as SplitDeviceState))).toEqual(say(message))
    }
    queue.restoreState(empty)
    expect(queue.saveState()).toEqual(empty)
  })

  it('of a driver', () => {
    const { memory, location } = new RawRing(SIZE)
    const driver = new SplitDriverQueue(memory, location)
    driver.add(list(2))
    driver.add(list(1))
    driver.publish()
    const good = driver.saveState()
    const [first, second] = good.outstanding
    const slots = (...slots: number[]) => ({ ...good, outstanding: [first, { ...second, slots }] })
    const bad: [string, unknown][] = [
      ['it is not an object', null],
      ['it is not an object', 'state'],
      ['it is of a queue of 16 entries, this one has 8', { ...good, size: 16 }],
      ['nextAvailable and nextUsed must be 0..65535', { ...good, nextAvailable: 0x1_0002 }],
      ['nextAvailable and nextUsed must be 0..65535', { ...good, nextUsed: 0.5 }],
      ['event must be 0..65535', { ...good, event: -1 }],
      ['unsignalled must be a count', { ...good, unsignalled: -1 }],
      ['notificationsEnabled must be true or false', { ...good, notificationsEnabled: 1 }],
      ['outstanding must be an array', { ...good, outstanding: 2 }],
      ['violation must be null or a violation', { ...good, violation }],
      ['outstanding must hold objects', { ...good, outstanding: [null] }],
      ['outstanding must hold objects', { ...good, outstanding: [first, 7] }],
      ['a chain has at least one slot', slots()],
      [
        'a chain cannot have 4294967296 writable bytes',
        { ...good, outstanding: [{ ...first, writableBytes: 2 ** 32 }] },
      ],
      ['slot 8 is out of range or taken twice', slots(2, 8)],
      ['slot -1 is out of range or taken twice', slots(-1)],
      ['slot 2.5 is out of range or taken twice', slots(2.5)],
      ['slot 1 is out of range or taken twice', slots(2, 1)],
      ['the indices are 2 apart, but 1 chains are outstanding', { ...good, outstanding: [first] }],
    ]
    for (const [message, state] of bad) {
      expect(thrown(() => driver.restoreState(state as SplitDriverState))).toEqual(say(message))
    }
  })
})

it('a chain that was refused shows nothing of the one before', () => {
  const ring = new RawRing(SIZE)
    .descriptor(0, { length: 4, flags: NEXT, next: 1 })
    .descriptor(1, { length: 6, flags: WRITE })
    .descriptor(2, { flags: NEXT, next: 99 })
    .offer(0, 2)
  const queue = ring.device()
  const chain = new DescriptorChain()
  const look = () => [chain.id, chain.segmentCount, chain.readableCount, chain.readableBytes, chain.writableBytes]
  expect([look(), queue.popAvailable(chain)]).toEqual([[-1, 0, 0, 0, 0], true])
  expect(look()).toEqual([0, 2, 1, 4, 6])
  expect(queue.popAvailable(chain)).toBe(false)
  expect([look(), chain.descriptorCount]).toEqual([[-1, 0, 0, 0, 0], 0])
})
