import fc from 'fast-check'
import { ConfigSpace, type DeviceState, FeatureSet, u32, VIRTIO_F_RING_RESET } from 'virtio-sdk/virtio'
import { BufferList, DescriptorChain, layoutSplitQueue, type SplitDriverQueue, UsedBuffer } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { BareDevice } from './bare-device.ts'

function offer(driver: SplitDriverQueue): void {
  driver.add(new BufferList().addWritable(32768, 16))
  driver.publish()
}

describe('queue registers', () => {
  it('museum 23: size and addresses written after enable are ignored, the ring stays where it was', () => {
    const device = new BareDevice()
    const { registers } = device
    const driver = device.start()
    registers.queueSelect = 0
    registers.queueSize = 4
    registers.writeQueueAddress(0, 0, 16384)
    registers.writeQueueAddress(2, 1, 7)
    expect(registers.queueSize).toBe(8)
    expect(registers.readQueueAddress(0, 0)).toBe(4096)
    registers.enableQueue()
    expect(device.violations).toEqual(new Array(4).fill('queue-rewritten-while-enabled'))
    offer(driver)
    expect(device.rings[0]?.popAvailable(new DescriptorChain())).toBe(true)
  })

  it('museum 24: selectors and kicks out of range are harmless', () => {
    const device = new BareDevice()
    const { registers } = device
    device.start()
    for (const index of [2, 63, 65535, 0xffff_ffff, -1, Number.NaN]) {
      registers.queueSelect = index
      expect(registers.queueSizeMax).toBe(0)
      expect(registers.queueSize).toBe(0)
      expect(registers.queueEnabled).toBe(false)
      registers.queueSize = 8
      registers.writeQueueAddress(0, 0, 4096)
      registers.enableQueue()
      registers.disableQueue()
      registers.resetQueue()
      registers.notify(index)
      registers.deviceFeaturesSelect = index
      expect(registers.readDeviceFeatures()).toBe(0)
    }
    expect(registers.status).toBe(15)
    expect(device.calls).toEqual(['activate'])
  })

  it('museum 24: what describes no ring is refused when it is enabled, and the device needs a reset', () => {
    const cases: [string, string, (device: BareDevice) => unknown][] = [
      ['size over the maximum', 'MMIO-REG-DRV-14', ({ registers }) => Object.assign(registers, { queueSize: 16 })],
      ['size 0', 'IMP-VQS-02', ({ registers }) => Object.assign(registers, { queueSize: 0 })],
      ['size that is no power of two', 'IMP-VQS-02', ({ registers }) => Object.assign(registers, { queueSize: 6 })],
      ['areas that overlap', 'IMP-VQS-02', ({ registers }) => registers.writeQueueAddress(1, 0, 4096)],
      ['an unaligned area', 'VQS-DRV-01', ({ registers }) => registers.writeQueueAddress(0, 0, 4097)],
      ['an area outside RAM', 'IMP-VQS-09', ({ registers }) => registers.writeQueueAddress(2, 0, 65536)],
      ['an area above 2^53', 'IMP-VQS-09', ({ registers }) => registers.writeQueueAddress(2, 1, 0x20_0000)],
    ]
    for (const [name, clause, spoil] of cases) {
      const device = new BareDevice()
      device.negotiate()
      const { registers } = device
      const areas = layoutSplitQueue(8, 4096)
      registers.queueSelect = 0
      registers.writeQueueAddress(0, 0, areas.descriptorArea)
      registers.writeQueueAddress(1, 0, areas.driverArea)
      registers.writeQueueAddress(2, 0, areas.deviceArea)
      spoil(device)
      registers.enableQueue()
      expect([name, registers.queueEnabled, registers.status & 64]).toEqual([name, false, 64])
      expect([name, device.clauses]).toEqual([name, [`queue-setup-refused ${clause}`]])
      registers.writeStatus(0)
      device.start()
      expect([name, registers.isLive]).toEqual([name, true])
    }
  })

  it('a queue is not enabled before FEATURES_OK', () => {
    const device = new BareDevice()
    device.registers.writeStatus(3)
    device.setupQueue(0, 8, 4096)
    expect(device.registers.queueEnabled).toBe(false)
    expect(device.violations).toEqual(['queue-before-features-ok'])
  })

  it('STATUS-DEV-01, INIT-DRV-07: kicks before DRIVER_OK do nothing, buffers and interrupts wait', () => {
    const device = new BareDevice()
    device.negotiate()
    device.setupQueue(0, 8, 4096)
    device.registers.notify(0)
    device.registers.notifyUsed(0)
    device.registers.notifyConfigChange()
    expect(device.calls).toEqual([])
    expect(device.raised).toEqual([])
    device.registers.writeStatus(15)
    device.registers.notify(0)
    device.registers.notify(1)
    expect(device.calls).toEqual(['activate', 'notify 0'])
    expect(device.violations).toEqual(['notify-before-driver-ok', 'queue-absent'])
  })

  it('IMP-VQ-01: a queue that does not exist, or was not enabled, is neither set up, reset nor kicked', () => {
    const device = new BareDevice()
    const { registers } = device
    device.start(VIRTIO_F_RING_RESET)
    registers.queueSelect = 2
    registers.queueSize = 8
    registers.enableQueue()
    registers.resetQueue()
    expect([registers.notify(1), registers.notify(2)]).toEqual([false, false])
    expect(device.clauses).toEqual(new Array(5).fill('queue-absent IMP-VQ-01'))
    expect([device.calls, registers.isLive]).toEqual([['activate'], true])
  })

  it('VQS-NTF-DEV-11: a kick with nothing new in the ring is survived', () => {
    const device = new BareDevice()
    const driver = device.start()
    for (let i = 0; i < 3; i++) device.registers.notify(0)
    expect([device.registers.status, device.rings[0]?.violation, device.violations]).toEqual([15, null, []])
    offer(driver)
    device.registers.notify(0)
    expect(device.rings[0]?.popAvailable(new DescriptorChain())).toBe(true)
  })

  it('VQRST-DEV-01, VQRST-DEV-02, VQRST-DEV-03: a queue is reset alone and enabled again with another size', () => {
    const device = new BareDevice()
    const { registers } = device
    const driver = device.start(VIRTIO_F_RING_RESET)
    offer(driver)
    const ring = device.rings[0]!
    expect(ring.popAvailable(new DescriptorChain())).toBe(true)
    registers.resetQueue()
    expect(device.calls.at(-1)).toBe('queue reset 0')
    expect(registers.queueEnabled).toBe(false)
    expect([registers.queueSize, registers.readQueueAddress(0, 0)]).toEqual([8, 0])
    registers.notify(0)
    expect(device.calls.at(-1)).toBe('queue reset 0')
    offer(device.setupQueue(0, 4, 8192))
    expect(device.calls.at(-1)).toBe('enable 0')
    expect(device.rings[0]?.size).toBe(4)
    expect(device.rings[0]?.popAvailable(new DescriptorChain())).toBe(true)
    registers.resetQueue()
    expect([registers.queueSize, registers.readQueueAddress(0, 0)]).toEqual([8, 0])
  })

  it('IMP-VQRST-01: without RING_RESET there is no queue reset', () => {
    const device = new BareDevice()
    device.start()
    device.registers.resetQueue()
    expect(device.registers.queueEnabled).toBe(true)
    expect(device.clauses).toEqual(['queue-reset-not-negotiated IMP-VQRST-01'])
  })
})

describe('reset', () => {
  it('RESET-DEV-02, museum 28: mid-flight, nothing is written or raised once status reads 0, and the state is fresh', () => {
    const device = new BareDevice({ config: new ConfigSpace({ limit: u32('limit') }) })
    const { registers } = device
    const driver = device.start(VIRTIO_F_RING_RESET)
    offer(driver)
    const ring = device.rings[0]!
    const chain = new DescriptorChain()
    ring.popAvailable(chain)
    registers.writeStatus(0)
    const before = device.memory.regions[0]!.u8.slice()
    // A model that completes late by mistake is stopped by the ring, before it writes.
    expect(() => ring.addUsed(chain.id, 0)).toThrow('IMP-VQS-03')
    ring.publish()
    registers.notifyUsed(0)
    registers.notifyConfigChange()
    registers.setNeedsReset()
    expect(device.memory.regions[0]!.u8).toEqual(before)
    expect(device.raised).toEqual([])
    expect({ ...registers.saveState(), configGeneration: 0 }).toEqual(
      new BareDevice({ config: new ConfigSpace({ limit: u32('limit') }) }).registers.saveState(),
    )
    expect(device.calls).toEqual(['activate', 'reset'])
  })

  it('museum 26: acknowledging clears what was seen, not what came later', () => {
    const device = new BareDevice()
    const { registers } = device
    device.start()
    registers.notifyUsed(0)
    const seen = registers.interruptStatus
    registers.notifyConfigChange()
    registers.acknowledgeInterrupts(seen)
    expect(registers.interruptStatus).toBe(2)
  })
})

describe('violations of a ring', () => {
  function breakRing(policy: 'reject' | 'latch' | 'needs-reset'): BareDevice {
    const device = new BareDevice({ policy })
    device.start()
    // avail.idx far ahead of the ring (museum 1).
    const areas = layoutSplitQueue(8, 4096)
    device.memory.writeU16(areas.driverArea + 2, 1000)
    expect(device.rings[0]?.popAvailable(new DescriptorChain())).toBe(false)
    return device
  }

  it('STATUS-DEV-02: policy needs-reset sets DEVICE_NEEDS_RESET and ends the kicks', () => {
    const device = breakRing('needs-reset')
    expect(device.violations).toEqual(['available-index-jump'])
    expect(device.registers.status & 64).toBe(64)
    expect(device.raised).toEqual(['2:-1'])
    device.registers.notify(0)
    expect(device.calls).toEqual(['activate'])
  })

  it('the other policies break the queue alone', () => {
    for (const policy of ['reject', 'latch'] as const) {
      const device = breakRing(policy)
      expect(device.violations).toEqual(['available-index-jump'])
      expect(device.registers.status).toBe(15)
    }
  })
})

describe('snapshots', () => {
  function restored(state: DeviceState, from: BareDevice): BareDevice {
    const device = new BareDevice({ config: new ConfigSpace({ limit: u32('limit') }) })
    device.memory.write(0, from.memory.regions[0]!.u8)
    device.registers.restoreState(JSON.parse(JSON.stringify(state)) as DeviceState)
    return device
  }

  it('museum 29: a restored device is active and finds what was made available before', () => {
    const config = new ConfigSpace({ limit: u32('limit') }, { limit: 9 })
    const device = new BareDevice({ config })
    const driver = device.start(VIRTIO_F_RING_RESET)
    config.update({ limit: 10 })
    offer(driver)
    const state = device.registers.saveState()
    const again = restored(state, device)
    expect(again.calls).toEqual(['activate'])
    expect(again.rings[0]?.availableCount()).toBe(1)
    expect(again.raised).toEqual(['2:-1'])
    expect(again.registers.saveState()).toEqual(state)
    const chain = new DescriptorChain()
    again.rings[0]?.popAvailable(chain)
    again.rings[0]?.addUsed(chain.id, 3)
    again.rings[0]?.publish()
    device.memory.write(0, again.memory.regions[0]!.u8)
    const used = new UsedBuffer()
    expect(driver.popUsed(used)).toBe(true)
    expect(used.writtenBytes).toBe(3)
  })

  it('museum 30: an inactive device comes back inactive', () => {
    const device = new BareDevice({ config: new ConfigSpace({ limit: u32('limit') }) })
    const again = restored(device.registers.saveState(), device)
    expect(again.calls).toEqual([])
    expect(again.registers.status).toBe(0)
  })

  it('museum 30: nonsense is a clean error and leaves the device as after a reset', () => {
    const device = new BareDevice({ config: new ConfigSpace({ limit: u32('limit') }) })
    device.start()
    const state = device.registers.saveState()
    const queue = state.queues[0]!
    const nonsense: unknown[] = [
      null,
      { ...state, deviceId: 1 },
      { ...state, status: 12 },
      { ...state, featureWindows: [0, 0, 0, 0] },
      { ...state, featureWindows: [0, 3, 0, 0] },
      { ...state, config: [1] },
      { ...state, queues: [queue] },
      { ...state, queues: [queue, { ...queue, size: 1024 }] },
      { ...state, queues: [{ ...queue, ring: { ...queue.ring, nextAvailable: 100 } }, state.queues[1]] },
      { ...state, status: 3 },
    ]
    for (const each of nonsense) {
      const fresh = new BareDevice({ config: new ConfigSpace({ limit: u32('limit') }) })
      const before = fresh.registers.saveState()
      expect(() => fresh.registers.restoreState(each as DeviceState)).toThrow(
        expect.objectContaining({ code: 'INVALID_STATE' }),
      )
      expect(fresh.registers.saveState()).toEqual(before)
      fresh.start()
      expect(fresh.registers.isLive).toBe(true)
    }
  })
})

describe('a driver that writes anything', () => {
  const word = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, 1, 3, 11, 15, 4096, 8, 64, 128))
  const access = fc.tuple(fc.integer({ min: 0, max: 11 }), word, word)

  it('never makes the registers throw, never leaves the legal states, never gets a dead device to act', () => {
    fc.assert(
      fc.property(fc.array(access, { maxLength: 60 }), fc.boolean(), (accesses, started) => {
        const device = new BareDevice({ features: FeatureSet.of(0), config: new ConfigSpace({ limit: u32('limit') }) })
        const { registers } = device
        if (started) device.start()
        for (const [register, a, b] of accesses) {
          if (register === 0) registers.writeStatus(a & 0xff)
          else if (register === 1) registers.deviceFeaturesSelect = a
          else if (register === 2) registers.driverFeaturesSelect = a
          else if (register === 3) registers.writeDriverFeatures(a)
          else if (register === 4) registers.queueSelect = a % 4
          else if (register === 5) registers.queueSize = a
          else if (register === 6) registers.writeQueueAddress((a % 3) as 0 | 1 | 2, (b % 2) as 0 | 1, b)
          else if (register === 7) registers.enableQueue()
          else if (register === 8) registers.resetQueue()
          else if (register === 9) registers.notify(a)
          else if (register === 10) registers.writeConfig(a, new Uint8Array(b % 9))
          else registers.acknowledgeInterrupts(a)
          // The last three without ACKNOWLEDGE, as U-Boot writes them.
          expect([0, 1, 3, 11, 15, 2, 10, 14]).toContain(registers.status & ~(64 | 128))
          if ((registers.status & 4) === 0) expect(device.calls.at(-1) ?? '').not.toMatch(/^notify/)
        }
      }),
      { numRuns: 500 },
    )
  })
})
