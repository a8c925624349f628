import { expect, it } from 'vitest'
import { defineDevice, SharedMemoryTransport, startDriver } from '../../src/index.ts'
import type { Request } from '../../src/virtqueue/index.ts'

it('RESET-DEV-02: a deferred request reaches no memory once the device was reset (museum 28)', () => {
  const deferred: Request[] = []
  const slow = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue) {
      for (const request of queue.drain(8)) deferred.push(request.defer())
    },
  })
  const transport = new SharedMemoryTransport(slow.create())
  const driver = startDriver(transport)
  const answer = driver.requests.call([Uint8Array.of(1)], { reply: 4 })
  answer.catch(() => {})
  expect(deferred).toHaveLength(1)
  transport.writeStatus(0)
  expect(transport.readStatus()).toBe(0)
  const region = transport.memory.regions[0]!
  const before = region.u8.slice()
  deferred[0]!.writer.u32(0xdeadbeef)
  deferred[0]!.complete()
  expect(Buffer.compare(region.u8, before)).toBe(0)
  expect(deferred[0]!.reader.u32()).toBe(0)
})
