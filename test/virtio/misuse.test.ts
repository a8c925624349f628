/** What is handed to an endpoint that stands alone, to `post`, and to sets of features: what is none of it is refused by name. */
import type { VirtioError } from 'virtio-sdk'
import { GuestMemory } from 'virtio-sdk/memory'
import { drawRing, hostileMemory, replayInterleaving } from 'virtio-sdk/testing/core'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  brokenDependency,
  connect,
  defineDevice,
  FeatureSet,
  featureNames,
  readVsockHeader,
  startDriver,
  VsockConnection,
  VsockEndpoint,
  VsockHeader,
  writeVsockHeader,
} from 'virtio-sdk/virtio'
import { BufferList, layoutSplitQueue } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { adder } from './adder.ts'
import { type Anything, live, refusal, refused } from './refusals.ts'

describe('packets of an endpoint that stands alone', () => {
  it('are headers and payloads', async () => {
    const endpoint = new VsockEndpoint(2)
    const payload = { remaining: 0, into: () => 0 }
    for (const wrong of [null, undefined, 5, 'abc', []] as Anything[]) {
      expect(await refusal(() => endpoint.receive(wrong, payload))).toContain('header must be a VsockHeader, not')
      expect(await refusal(() => endpoint.receive(new VsockHeader(), wrong))).toContain(
        'payload must be a PayloadSource',
      )
      expect(await refusal(() => endpoint.nextPacket(wrong, new Uint8Array(64)))).toContain('out must be a VsockHeader')
      expect(await refusal(() => endpoint.nextPacket(new VsockHeader(), wrong))).toContain(
        'target must be a Uint8Array',
      )
    }
    expect(endpoint.hasOutgoing).toBe(false)
  })
})

describe('chains of the caller', () => {
  it('have buffers, and as many of them in a table as it has entries', async () => {
    const { driver } = live()
    const buffers = new BufferList().addReadable(0x4000_0000, 4).addReadable(0x4000_0000, 4)
    expect(await refusal(() => driver.requests.post(new BufferList(), () => {}))).toBe(
      refused('buffers must be a BufferList with at least one buffer, not an object'),
    )
    for (const wrong of [null, -1, 0.5, Number.NaN, 3, '1'] as Anything[]) {
      expect(await refusal(() => driver.requests.post(buffers, () => {}, wrong))).toContain('direct must be an integer')
    }
    expect(await refusal(() => driver.requests.post(buffers, () => {}, 1))).toContain(
      'direct leaves 1 buffers to a table',
    )
    expect(driver.requests.ring.outstanding).toBe(0)
  })
})

describe('bytes', () => {
  it('of a header have room for it', async () => {
    for (const [bytes, offset] of [
      [new Uint8Array(43), 0],
      [new Uint8Array(44), 1],
      [new Uint8Array(50), -1],
      [new Uint8Array(50), 0.5],
      [new Uint8Array(50), Number.NaN],
    ] as [Uint8Array, number][]) {
      for (const access of [readVsockHeader, writeVsockHeader]) {
        expect(await refusal(() => access(bytes, offset, new VsockHeader()))).toContain('VirtioError INVALID_OPTION')
      }
    }
    expect(readVsockHeader(new Uint8Array(45), 1, new VsockHeader())).toBe(true)
  })

  it('of guest memory are bytes', async () => {
    const memory = GuestMemory.ofSize(4096)
    memory.fill(0, 16, 7)
    for (const wrong of [null, undefined, 5, 'abc', [1, 2], new Uint16Array(2), new ArrayBuffer(4)] as Anything[]) {
      expect(await refusal(() => memory.write(0, wrong))).toContain('source must be a Uint8Array, not')
      expect(await refusal(() => memory.read(0, wrong))).toContain('target must be a Uint8Array, not')
      expect(await refusal(() => memory.writeU64(0, wrong))).toContain('value must be a bigint, not')
    }
    expect(memory.readU64(0)).toBe(0x0707070707070707n)
  })
})

describe('sets of features', () => {
  it('meet sets of features', async () => {
    for (const wrong of [null, undefined, 5, 'abc', {}, [1]] as Anything[]) {
      for (const method of ['union', 'intersection', 'difference', 'isSubsetOf', 'equals'] as const) {
        expect(await refusal(() => FeatureSet.of(1)[method](wrong))).toContain('other must be a FeatureSet, not')
      }
    }
  })
})

describe('states', () => {
  it('are not taken from within a handler', async () => {
    const told: string[] = []
    const device = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        for (const request of queue.drain(8)) {
          try {
            device.registers.saveState()
          } catch (error) {
            told.push(`${(error as VirtioError).code}: ${(error as VirtioError).message}`)
          }
          request.writer.u32(1)
        }
      },
    }).create()
    const driver = startDriver(new SharedMemoryTransport(device))
    await driver.requests.call([new Uint8Array(4)], { reply: 4 })
    expect(told).toEqual(['NOT_RESTORABLE: queue 0 is being drained: save when the loop has ended'])
    expect(device.registers.saveState().status).toBe(15)
  })
})

describe('numbers', () => {
  const numbers = ['abc', null, undefined, 0.5, Number.NaN, 1n] as Anything[]

  it('that a writer takes are integers, modulo their width', async () => {
    const device = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      async requests(queue) {
        for (const { writer } of queue.drain(8)) {
          for (const wrong of numbers) {
            for (const method of ['u8', 'u16', 'u32'] as const) {
              expect(await refusal(() => writer[method](wrong))).toContain('value must be an integer from')
            }
          }
          for (const wrong of [5, '5', null] as Anything[]) {
            expect(await refusal(() => writer.u64(wrong))).toContain('value must be a bigint, not')
          }
          expect(writer.written).toBe(0)
          writer.u8(0x1_ff)
          writer.u16(-2)
          writer.u32(2 ** 32 + 3)
        }
      },
    }).create()
    const driver = startDriver(new SharedMemoryTransport(device))
    const reply = await driver.requests.call([new Uint8Array(4)], { reply: 7 })
    expect([...reply.bytes]).toEqual([0xff, 0xfe, 0xff, 3, 0, 0, 0])
  })

  it('of guest memory are integers', async () => {
    const memory = GuestMemory.ofSize(4096)
    for (const wrong of ['8', null, undefined, 0.5, Number.NaN] as Anything[]) {
      for (const access of [
        () => memory.contains(wrong, 1),
        () => memory.read(wrong, new Uint8Array(0)),
        () => memory.write(wrong, new Uint8Array(0)),
        () => memory.fill(wrong, 0, 0),
        () => memory.copy(wrong, 0, 0),
        () => memory.copy(0, wrong, 0),
        () => memory.readU8(wrong),
        () => memory.readU16(wrong),
        () => memory.readU32(wrong),
        () => memory.readU64(wrong),
        () => memory.writeU8(wrong, 1),
        () => memory.writeU16(wrong, 1),
        () => memory.writeU32(wrong, 1),
        () => memory.writeU64(wrong, 1n),
      ]) {
        expect(await refusal(access), String(access)).toMatch(/INVALID_OPTION: (address|toAddress|fromAddress) must be/)
      }
      expect(await refusal(() => memory.fill(0, 4, wrong))).toContain('byte must be an integer')
      for (const method of ['writeU8', 'writeU16', 'writeU32'] as const) {
        expect(await refusal(() => memory[method](0, wrong))).toContain('value must be an integer')
      }
    }
    for (const wrong of [-1, Number.NaN, 0.5, Number.POSITIVE_INFINITY, null, '4'] as Anything[]) {
      for (const access of [
        () => memory.contains(0, wrong),
        () => memory.fill(0, wrong, 1),
        () => memory.copy(0, 8, wrong),
      ]) {
        expect(await refusal(access), String(access)).toContain('length must be an integer from 0 to 2^53 - 1 (bytes)')
      }
    }
    expect(memory.readU64(0)).toBe(0n)
    expect(await refusal(() => memory.readU8(-1))).toContain('MemoryError OUT_OF_BOUNDS')
  })

  it('of registers, configuration, layouts and connections are refused by name', async () => {
    const { device } = live()
    const { registers } = device
    for (const wrong of [undefined, null, 'x', Number.NaN, -1, 0.5] as Anything[]) {
      expect(await refusal(() => registers.writeStatus(wrong))).toContain('status must be an integer')
      expect(await refusal(() => layoutSplitQueue(8, wrong))).toContain('baseAddress must be an integer')
      const connection = new VsockConnection(1, 2, 3, 64, null)
      expect(await refusal(() => connection.forward(wrong))).toContain('bytes must be an integer')
      expect(await refusal(() => connection.shutdown(wrong))).toContain('flags must be an integer from 0 to 3')
      expect([connection.fwdCnt, connection.localShutdown]).toEqual([0, 0])
    }
    for (const wrong of [undefined, null, 'x', Number.NaN, 0.5] as Anything[]) {
      for (const access of ['readConfig', 'writeConfig'] as const) {
        expect(await refusal(() => registers[access](wrong, new Uint8Array(1)))).toContain('offset must be an integer')
      }
    }
    for (const wrong of [undefined, null, 5, 'x'] as Anything[]) {
      expect(await refusal(() => registers.readConfig(0, wrong))).toContain('target must be a Uint8Array')
      expect(await refusal(() => device.config.read(0, wrong))).toContain('target must be a Uint8Array')
      expect(await refusal(() => device.config.write(0, wrong))).toContain('source must be a Uint8Array')
      expect(await refusal(() => featureNames(wrong, 1))).toContain('features must be a FeatureSet')
      expect(await refusal(() => brokenDependency(wrong, []))).toContain('features must be a FeatureSet')
      expect(await refusal(() => brokenDependency(FeatureSet.of(1), wrong))).toContain('dependencies must be an array')
      expect(await refusal(() => new VsockConnection(1, 2, 3, 64, null).receive(wrong))).toContain('header must be')
      expect(await refusal(() => drawRing(wrong, {} as Anything, 0))).toContain('memory must be a RingMemory')
      expect(await refusal(() => drawRing(GuestMemory.ofSize(64), wrong, 0))).toContain('ring must be a SplitRing')
      expect(await refusal(() => hostileMemory(wrong, false))).toContain('layout must be one of flat')
    }
    expect(registers.status).toBe(15)
    expect(await refusal(() => replayInterleaving({} as Anything, null as Anything))).toContain(
      'schedule must be a string',
    )
  })
})

describe('a device that nobody would hear of', () => {
  it('was reset by its own onActivate: the driver does not start', async () => {
    const device = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      onActivate: () => transport.writeStatus(0),
      requests() {},
    }).create()
    const transport = new SharedMemoryTransport(device)
    const told =
      'DriverError DEVICE_NEEDS_RESET: the device was reset while it was activated: its status reads 0, without DRIVER_OK'
    expect(await refusal(() => startDriver(transport))).toBe(told)
    expect(await refusal(() => connect(transport))).toBe(told)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no line')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no line'))],
  ] as [string, () => void][])('has an interrupt hook that %s each time: its calls end', async (_, interrupt) => {
    const device = adder.create()
    const faults: string[] = []
    device.events.on('fault', (error) => faults.push((error as Error).message))
    const driver = startDriver(new SharedMemoryTransport(device, { interrupt }))
    const stopped = 'DriverError DEVICE_NEEDS_RESET: the device asks for a reset: no line'
    expect(await refusal(() => driver.requests.call([new Uint8Array(8)], { reply: 4 }))).toBe(stopped)
    expect(driver.error?.code).toBe('DEVICE_NEEDS_RESET')
    expect(new Set(faults)).toEqual(new Set(['no line']))
  })
})
