import { describe, expect, it } from 'vitest'
import { type DeviceRingConfig, type Request, RequestQueue } from '../../src/virtqueue/index.ts'
import { ASSERTION, BUFFERS, NEXT, RawRing, WRITE } from './split/raw-ring.ts'

const SIZE = 16

/** A ring that offers `count` requests: four readable bytes with the request's number, eight writable ones. */
function setUp(
  count: number,
  config: Partial<DeviceRingConfig> = {},
): { ring: RawRing; requests: RequestQueue; notified(): number } {
  const ring = new RawRing(SIZE)
  for (let i = 0; i < SIZE; i += 2) {
    ring.memory.writeU32(BUFFERS + 32 * i, i / 2)
    ring.descriptor(i, { address: BUFFERS + 32 * i, length: 4, flags: NEXT, next: i + 1 })
    ring.descriptor(i + 1, { address: BUFFERS + 32 * i + 16, length: 8, flags: WRITE })
  }
  for (let i = 0; i < count; i++) ring.offer((2 * i) % SIZE)
  let notifications = 0
  const requests = new RequestQueue(ring.device(config), () => void notifications++)
  return { ring, requests, notified: () => notifications }
}

function usedOf(ring: RawRing): [number, number][] {
  return Array.from({ length: ring.usedIndex }, (_, i) => ring.usedElement(i)).map(({ id, length }) => [id, length])
}

describe('drain', () => {
  it('VQS-USED-DEV-02: returns each request with what was written, and publishes and notifies once', () => {
    const { ring, requests, notified } = setUp(3)
    const numbers: number[] = []
    for (const request of requests.drain(16)) {
      expect(ring.usedIndex).toBe(0)
      numbers.push(request.reader.u32())
      for (let i = 0; i < numbers.length; i++) request.writer.u8(i)
    }
    expect(numbers).toEqual([0, 1, 2])
    expect([usedOf(ring), notified()]).toEqual([
      [
        [0, 1],
        [2, 2],
        [4, 3],
      ],
      1,
    ])
  })

  it('museum 21: takes at most `limit`, and says how many wait', () => {
    const { ring, requests, notified } = setUp(5)
    let served = 0
    for (const _ of requests.drain(2)) served++
    expect([served, requests.waiting, ring.usedIndex]).toEqual([2, 3, 2])
    for (const _ of requests.drain(16)) served++
    expect([served, requests.waiting, ring.usedIndex, notified()]).toEqual([5, 0, 5, 2])
    for (const _ of requests.drain(0)) served++
    expect([served, notified()]).toEqual([5, 2])
  })

  it('museum 14, 18: a break or a throw gives the request back once, with the bytes counted', () => {
    const { ring, requests } = setUp(3)
    for (const request of requests.drain(16)) {
      request.writer.u16(1)
      break
    }
    expect(usedOf(ring)).toEqual([[0, 2]])
    expect(() => {
      for (const request of requests.drain(16)) {
        request.writer.u8(1)
        throw new Error('device code')
      }
    }).toThrow('device code')
    expect(usedOf(ring)).toEqual([
      [0, 2],
      [2, 1],
    ])
    for (const request of requests.drain(16)) request.writer.u64(1n)
    expect([usedOf(ring), requests.queue.inFlight]).toEqual([
      [
        [0, 2],
        [2, 1],
        [4, 8],
      ],
      0,
    ])
  })

  it('completes early, and not twice; the driver sees it at the end of the turn', () => {
    const { ring, requests } = setUp(2)
    for (const request of requests.drain(16)) {
      expect(request.pending).toBe(true)
      request.writer.u8(1)
      request.complete()
      expect([request.pending, ring.usedIndex]).toEqual([false, 0])
      expect(() => request.complete()).toThrow(ASSERTION)
    }
    expect(usedOf(ring)).toEqual([
      [0, 1],
      [2, 1],
    ])
  })

  it('does not notify a driver that does not want it', () => {
    const { ring, requests, notified } = setUp(2)
    ring.availableFlags = 1
    for (const _ of requests.drain(16));
    expect([ring.usedIndex, notified()]).toEqual([2, 0])
  })

  it('does not nest, and recovers from a loop abandoned by hand', () => {
    const { ring, requests } = setUp(3)
    expect(() => {
      for (const _ of requests.drain(16)) requests.drain(16)
    }).toThrow(ASSERTION)
    requests.drain(2).next()
    requests.return()
    for (const _ of requests.drain(16));
    expect(ring.usedIndex).toBe(3)
  })

  it('under reject: malformed chains come back, sound ones are served', () => {
    const { ring, requests } = setUp(3, { policy: 'reject' })
    ring.descriptor(3, { flags: NEXT, next: 99 })
    const served: number[] = []
    for (const request of requests.drain(16)) served.push(request.reader.u32())
    expect([served, usedOf(ring), requests.queue.rejections]).toEqual([
      [0, 2],
      [
        [0, 0],
        [2, 0],
        [4, 0],
      ],
      1,
    ])
  })
})

describe('defer', () => {
  it('keeps requests beyond the loop, and gives them back in any order, each with its own bytes', () => {
    const { ring, requests, notified } = setUp(4)
    const held: Request[] = []
    for (const request of requests.drain(16)) {
      request.writer.u8(1)
      if (request.reader.u32() % 2 === 1) held.push(request.defer())
    }
    expect([usedOf(ring), requests.queue.inFlight]).toEqual([
      [
        [0, 1],
        [4, 1],
      ],
      2,
    ])
    const [first, second] = held as [Request, Request]
    expect(() => first.defer()).toThrow(ASSERTION)
    second.writer.u16(2)
    second.complete()
    first.complete()
    expect([usedOf(ring), notified()]).toEqual([
      [
        [0, 1],
        [4, 1],
        [6, 3],
        [2, 1],
      ],
      3,
    ])
    expect([ring.memory.readU8(BUFFERS + 32 * 6 + 16), ring.memory.readU16(BUFFERS + 32 * 6 + 17)]).toEqual([1, 2])
  })

  it('museum 16: reuses its objects, so that memory is bounded by what is in flight', () => {
    const { ring, requests } = setUp(0)
    const objects = new Set<Request>()
    let offered = 0
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 3; i++) ring.offer((2 * offered++) % SIZE)
      const held: Request[] = []
      for (const request of requests.drain(16)) held.push(request.defer())
      for (const request of held) objects.add(request)
      for (const request of held) request.complete()
    }
    expect(ring.usedIndex).toBe(150)
    expect(objects.size).toBeLessThanOrEqual(4)
  })

  it('never serves an object that is out: neither one that completed early, nor one that was deferred', () => {
    const { requests } = setUp(4)
    const held: Request[] = []
    for (const request of requests.drain(16)) {
      expect(held).not.toContain(request)
      if (request.reader.u32() === 0) request.complete()
      else held.push(request.defer())
    }
    expect(held.map(({ chain }) => chain.id)).toEqual([2, 4, 6])
    for (const request of held) request.complete()
  })

  it('RESET-DEV-02, museum 28: revoked, it reads zeros, drops what is written, and leaves the memory alone', () => {
    const { ring, requests } = setUp(2)
    requests.revoke()
    const out: Request[] = []
    for (const request of requests.drain(16)) {
      out.push(request)
      if (out.length === 1) {
        request.defer()
        continue
      }
      requests.queue.reset()
      requests.revoke()
      for (const { chain, reader, writer } of out) {
        writer.u32(0x0101_0101)
        expect([chain.id, reader.u32(), reader.overrun, writer.written, writer.overrun]).toEqual([-1, 0, true, 0, true])
      }
    }
    expect(out.length).toBe(2)
    expect([16, 80].map((at) => ring.memory.readU32(BUFFERS + at))).toEqual([0, 0])
    expect(() => new RequestQueue(ring.device()).revoke()).not.toThrow()
  })

  it('museum 28: completing after a reset writes nothing', () => {
    const { ring, requests, notified } = setUp(1)
    let held: Request | undefined
    for (const request of requests.drain(16)) held = request.defer()
    requests.queue.reset()
    held!.complete()
    expect([ring.usedIndex, ring.usedElement(0), notified()]).toEqual([0, { id: 0, length: 0 }, 0])
  })

  it('museum 28: a reset from inside the loop ends it quietly', () => {
    const { ring, requests } = setUp(1)
    for (const request of requests.drain(16)) {
      request.writer.u8(1)
      requests.queue.reset()
      // What the driver's next life offers is for the next turn.
      ring.setAvailableIndex(0).offer(2)
    }
    expect([ring.usedIndex, requests.queue.inFlight, requests.waiting]).toEqual([0, 0, 1])
  })
})
