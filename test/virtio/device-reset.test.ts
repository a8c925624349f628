import { describe, expect, it } from 'vitest'
import { defineDevice, SharedMemoryTransport, startDriver } from '../../src/index.ts'
import type { Request } from '../../src/virtqueue/index.ts'
import { BareDevice } from './bare-device.ts'

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

describe('a device that has something under way', () => {
  class SlowDevice extends BareDevice {
    busy = true

    isResetComplete(): boolean {
      return !this.busy
    }
  }

  it('RESET-DRV-01: the status reads what it was until the reset is complete, then 0', () => {
    const device = new SlowDevice()
    device.start()
    const { registers } = device
    registers.writeStatus(0)
    expect([registers.readStatus(), registers.readStatus()]).toEqual([15, 15])
    device.busy = false
    expect([registers.readStatus(), registers.status]).toEqual([0, 0])
    expect(device.calls.filter((call) => call === 'reset')).toHaveLength(1)
    expect(device.violations).toEqual([])
    device.start()
    expect(registers.readStatus()).toBe(15)
  })

  it('is not live meanwhile: no kick reaches it, it raises no interrupt, and 0 may be written again', () => {
    const device = new SlowDevice()
    device.start()
    const { registers } = device
    registers.writeStatus(0)
    device.calls.length = 0
    expect([registers.isLive, registers.notify(0), registers.poll()]).toEqual([false, false, false])
    registers.notifyUsed(0)
    registers.setNeedsReset()
    registers.writeStatus(0)
    expect([device.raised, device.calls, registers.readStatus()]).toEqual([[], [], 15])
  })

  it('RESET-DRV-01: a driver that does not wait for the end of the reset is told so', () => {
    const device = new SlowDevice()
    device.start()
    device.registers.writeStatus(0)
    device.registers.writeStatus(1)
    expect(device.violations).toEqual(['status-while-resetting'])
    device.busy = false
    expect(device.registers.readStatus()).toBe(0)
  })
})
