/** Our driver against our device, in every configuration, with payloads: what goes in comes out, in whatever batches. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { BumpAllocator, GuestMemory } from '../../src/memory/index.ts'
import {
  BufferList,
  ChainReader,
  ChainWriter,
  DescriptorChain,
  layoutSplitQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from '../../src/virtqueue/index.ts'

interface Shape {
  readonly size: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  readonly shared: boolean
  readonly seed: number
  readonly operations: number
}

const SLOT_BYTES = 64

/** Sends `operations` random requests; each carries its number, and the reply is that number, inverted, per writable byte. */
function converse({ size, eventIdx, indirect, shared, seed, operations }: Shape): void {
  const random = new Random(seed)
  const tableLength = Math.min(size, 8)
  const ringBytes = layoutSplitQueue(size, 0).bytes
  const bytes = Math.ceil((0x1000 + ringBytes + 16 * size * tableLength + size * SLOT_BYTES * 2) / 4096) * 4096
  const buffer = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)
  const memory = new GuestMemory([{ base: 0, size: bytes, buffer }])
  const space = new BumpAllocator(0, bytes)
  const layout = layoutSplitQueue(size, space.allocate(ringBytes))
  const indirectArea = space.allocate(16 * size * tableLength)
  const payloads = space.allocate(size * SLOT_BYTES * 2)
  const config = { size, ...layout, eventIdx, indirect }
  const driver = new SplitDriverQueue(memory, { ...config, indirectArea, indirectLength: tableLength })
  const device = new SplitDeviceQueue(memory, config)

  const list = new BufferList()
  const chain = new DescriptorChain()
  const reader = new ChainReader()
  const writer = new ChainWriter()
  const used = new UsedBuffer()
  const number = new Uint8Array(4)
  const view = new DataView(number.buffer)
  /** Per head: what was asked, and how many reply bytes there is room for. */
  const asked = new Map<number, { number: number; room: number }>()
  /** Popped by the device, to be used in any order. */
  const held: { id: number; number: number; written: number }[] = []
  let sent = 0
  let received = 0

  const send = (): boolean => {
    // The slot for the payload: a free descriptor is a free payload slot, so take the head's after the fact.
    const room = random.between(0, 8)
    const pieces = Math.min(random.between(1, 3), size)
    const writable = room > 0 && pieces < size ? 1 : 0
    const table = indirect && random.chance(0.5) && pieces + writable <= tableLength
    const at = payloads + (sent % size) * SLOT_BYTES * 2
    list.clear()
    // Four bytes in one to three pieces.
    const cuts = [0, ...Array.from({ length: pieces - 1 }, () => random.between(0, 4)).sort((a, b) => a - b), 4]
    for (let i = 0; i < pieces; i++) list.addReadable(at + cuts[i]!, cuts[i + 1]! - cuts[i]!)
    if (writable) list.addWritable(at + SLOT_BYTES, room)
    if (asked.size === size) return false
    const direct = table ? random.between(0, Math.min(1, pieces)) : list.count
    const head = driver.add(list, direct)
    if (head < 0) return false
    view.setUint32(0, sent, true)
    memory.write(at, number)
    expect(asked.has(head)).toBe(false)
    asked.set(head, { number: sent, room: writable ? room : 0 })
    sent++
    return true
  }

  while (received < operations) {
    for (let n = random.between(0, 5); n > 0 && sent < operations; n--) {
      // Payload slots are cyclic: do not lap the oldest request.
      const oldest = Math.min(sent, ...[...asked.values()].map((request) => request.number))
      if (sent - oldest >= size || !send()) break
    }
    driver.publish()
    for (let n = random.between(0, 6); n > 0 && device.popAvailable(chain); n--) {
      reader.attach(chain)
      writer.attach(chain)
      const value = reader.u32()
      while (writer.remaining > 0) writer.u8(~value)
      held.push({ id: chain.id, number: value, written: writer.written })
    }
    for (let n = random.between(0, 6); n > 0 && held.length > 0; n--) {
      const { id, written } = held.splice(random.between(0, held.length - 1), 1)[0]!
      device.addUsed(id, written)
    }
    device.publish()
    while (driver.popUsed(used)) {
      const request = asked.get(used.id)!
      expect(used.writtenBytes).toBe(request.room)
      const at = payloads + (request.number % size) * SLOT_BYTES * 2 + SLOT_BYTES
      for (let i = 0; i < request.room; i++) expect(memory.readU8(at + i)).toBe(~request.number & 0xff)
      asked.delete(used.id)
      received++
    }
    expect([driver.violation, device.violation]).toEqual([null, null])
  }
  expect([driver.freeDescriptors, driver.outstanding, device.inFlight]).toEqual([size, 0, 0])
}

describe('driver against device', () => {
  it('exchanges payloads in every configuration, with random batches and orders', () => {
    const shape = fc.record({
      size: fc.constantFrom(1, 2, 4, 8, 64, 256),
      eventIdx: fc.boolean(),
      indirect: fc.boolean(),
      shared: fc.boolean(),
      seed: fc.nat(),
      operations: fc.constant(100),
    })
    fc.assert(fc.property(shape, converse), { numRuns: 150 })
  })

  it('size 32768', () => {
    converse({ size: 32768, eventIdx: true, indirect: false, shared: false, seed: 1, operations: 300 })
  })

  it('museum 36, 37: 65536 + k operations of size 1, over shared memory with EVENT_IDX', () => {
    const memory = new GuestMemory([{ base: 0, size: 4096, buffer: new SharedArrayBuffer(4096) }])
    const config = { size: 1, ...layoutSplitQueue(1, 0), eventIdx: true }
    const driver = new SplitDriverQueue(memory, config)
    const device = new SplitDeviceQueue(memory, config)
    const list = new BufferList().addWritable(1024, 8)
    const chain = new DescriptorChain()
    const used = new UsedBuffer()
    let kicks = 0
    let interrupts = 0
    let wrong = 0
    const operations = 0x1_0000 + 50
    for (let i = 0; i < operations; i++) {
      if (driver.add(list) !== 0 || driver.add(list) !== -1) wrong++
      driver.publish()
      if (driver.needsNotification()) kicks++
      if (!device.popAvailable(chain) || device.popAvailable(chain)) wrong++
      device.addUsed(chain.id, i & 7)
      device.publish()
      if (device.needsNotification()) interrupts++
      if (!driver.popUsed(used) || driver.popUsed(used) || used.writtenBytes !== (i & 7)) wrong++
    }
    // Both sides went to sleep each time, so each time both were woken, exactly once.
    expect([wrong, kicks, interrupts]).toEqual([0, operations, operations])
  })

  it('museum 35: a receive queue that ran dry goes on when it is refilled', () => {
    for (const eventIdx of [false, true]) {
      const memory = GuestMemory.ofSize(8192)
      const config = { size: 4, ...layoutSplitQueue(4, 0), eventIdx }
      const driver = new SplitDriverQueue(memory, config)
      const device = new SplitDeviceQueue(memory, config)
      const list = new BufferList().addWritable(4096, 64)
      const chain = new DescriptorChain()
      expect([device.popAvailable(chain), device.enableNotifications()]).toEqual([false, false])
      driver.add(list)
      driver.publish()
      expect(driver.needsNotification()).toBe(true)
      expect(device.popAvailable(chain)).toBe(true)
    }
  })
})
