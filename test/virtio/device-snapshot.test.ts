import { describe, expect, it } from 'vitest'
import { defineDevice, SharedMemoryTransport, startDriver, u32le, VirtioError } from '../../src/index.ts'
import type { DeviceQueue, DeviceState } from '../../src/virtio/index.ts'
import type { Request } from '../../src/virtqueue/index.ts'
import { BareDevice } from './bare-device.ts'

/** Reads a number, writes half of its answer, and keeps the request until somebody calls `finish`. */
function slowDoubler(hooks: 'hooks' | 'no hooks' = 'hooks') {
  const held: Request[] = []
  const log: unknown[] = []
  const declared = {
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue: DeviceQueue) {
      for (const request of queue.drain(8)) {
        request.writer.u16(request.reader.u16())
        held.push(request.defer())
      }
    },
  } as const
  const restorable = defineDevice({
    ...declared,
    onActivate: () => log.push('activate'),
    onSave: () => ({ count: held.length }),
    onRestore(saved, { queues }) {
      log.push(['restore', saved])
      held.push(...queues.requests.deferred)
    },
  })
  const definition = hooks === 'hooks' ? restorable : defineDevice(declared)
  const finish = () => {
    for (const request of held.splice(0)) {
      request.writer.u16(request.reader.u16())
      request.complete()
    }
  }
  return { device: definition.create(), held, log, finish }
}

const json = <T>(value: T) => JSON.parse(JSON.stringify(value)) as T
const INVALID = expect.objectContaining({ code: 'INVALID_STATE' })

function started(doubler: ReturnType<typeof slowDoubler>) {
  const transport = new SharedMemoryTransport(doubler.device)
  return { transport, driver: startDriver(transport) }
}

/** A fresh device over the memory of the old one, with the driver's transport moved over to it. */
function restoredInto(doubler: ReturnType<typeof slowDoubler>, state: DeviceState, from: SharedMemoryTransport) {
  const transport = new SharedMemoryTransport(doubler.device, { memory: from.memory })
  doubler.device.registers.restoreState(json(state))
  return transport
}

describe('a device with deferred requests', () => {
  it('gets them back as requests, half read and half written as they were', async () => {
    const before = slowDoubler()
    const { transport, driver } = started(before)
    const answers = [1, 2].map((n) => driver.requests.call([u32le(n + (n << 24))], { reply: 4 }))
    const state = before.device.registers.saveState()

    const after = slowDoubler()
    restoredInto(after, state, transport)
    expect(after.log).toEqual([['restore', { count: 2 }]])
    expect(after.held.map((request) => request.chain.id)).toEqual(before.held.map((request) => request.chain.id))
    // What the driver does to its descriptors meanwhile changes nothing.
    transport.memory.fill(driver.requests.ring.memory.regions[0]!.base, 64, 0xff)
    after.finish()
    // The old driver still looks at the same ring.
    driver.poll()
    const replies = await Promise.all(answers)
    expect(replies.map(({ bytes }) => [...bytes])).toEqual([1, 2].map((n) => [n, 0, 0, n]))
  })

  it('is refused at once when nothing could take them back', () => {
    const before = slowDoubler('no hooks')
    const { driver } = started(before)
    expect(before.device.registers.saveState().model).toEqual({ pending: [], deferred: [[]], own: null })
    driver.requests.call([u32le(1)], { reply: 4 }).catch(() => {})
    expect(() => before.device.registers.saveState()).toThrow(
      expect.objectContaining({ code: 'NOT_RESTORABLE', message: expect.stringContaining('queue requests') }),
    )
  })

  it('gets none of a device that was reset', () => {
    const before = slowDoubler()
    const { transport, driver } = started(before)
    driver.requests.call([u32le(1)], { reply: 4 }).catch(() => {})
    driver.close()
    const after = slowDoubler()
    restoredInto(after, before.device.registers.saveState(), transport)
    expect([after.held, after.device.registers.status, after.log]).toEqual([[], 0, [['restore', { count: 1 }]]])
  })

  it('a state that is none of its own is refused, and leaves it as after a reset', () => {
    const before = slowDoubler()
    const { transport, driver } = started(before)
    driver.requests.call([u32le(1)], { reply: 4 }).catch(() => {})
    const state = json(before.device.registers.saveState())
    type Model = { pending: number[]; deferred: unknown[][]; own: unknown }
    const model = state.model as Model
    const request = model.deferred[0]![0] as Record<string, unknown>
    const withRequest = (changes: object) => ({ ...model, deferred: [[{ ...request, ...changes }]] })
    const wrong: unknown[] = [
      null,
      { ...model, pending: [7] },
      { ...model, deferred: [] },
      { ...model, deferred: [[]] },
      { ...model, deferred: [[request, request]] },
      withRequest({ id: 5 }),
      withRequest({ id: -1 }),
      withRequest({ segments: [] }),
      withRequest({
        segments: [
          [1, 4],
          [2, 4],
        ],
      }),
      withRequest({ readableCount: 2 }),
      withRequest({ readBytes: 5 }),
      withRequest({ writtenBytes: Number.NaN }),
      withRequest({ readerOverrun: 0 }),
      withRequest({ descriptorCount: 10 }),
    ]
    for (const each of wrong) {
      const after = slowDoubler()
      const restored = () => restoredInto(after, { ...state, model: each }, transport)
      expect(restored, JSON.stringify(each)).toThrow(INVALID)
      expect([after.device.registers.status, after.held]).toEqual([0, []])
      expect(after.device.queues.requests.ring).toBeNull()
    }
    const after = slowDoubler()
    restoredInto(after, state, transport)
    expect(after.held).toHaveLength(1)
  })

  it('says which version of the format it cannot read', () => {
    const { device } = slowDoubler()
    const { transport } = started(slowDoubler())
    const state = json(transport.registers.saveState())
    for (const version of [undefined, 0, 1, 3, '2']) {
      const restore = () => device.registers.restoreState({ ...state, version } as unknown as DeviceState)
      expect(restore).toThrow(`its version is ${version}, this package reads and writes version 2`)
      expect(restore).toThrow(VirtioError)
    }
  })
})

it('a model without onRestore is refused a state with chains in flight, instead of losing them', () => {
  const device = new BareDevice()
  const driver = device.start()
  const state = device.registers.saveState()
  const withChain = {
    ...state,
    queues: state.queues.map((queue, i) =>
      i > 0 ? queue : { ...queue, ring: { ...queue.ring!, nextAvailable: 1, inFlight: [{ id: 0, writableBytes: 4 }] } },
    ),
  } as DeviceState
  expect(driver.size).toBe(8)
  const again = new BareDevice()
  expect(() => again.registers.restoreState(withChain)).toThrow(
    'queue 0 has 1 chains in flight, and the model has no onRestore',
  )
  again.registers.restoreState(state)
  expect(again.calls).toEqual(['activate'])
})

it('the selectors of the registers are part of the state', () => {
  const device = new BareDevice()
  device.start()
  device.registers.queueSelect = 1
  device.registers.driverFeaturesSelect = 3
  device.registers.deviceFeaturesSelect = 2
  const again = new BareDevice()
  again.registers.restoreState(json(device.registers.saveState()))
  const { queueSelect, driverFeaturesSelect, deviceFeaturesSelect } = again.registers
  expect([queueSelect, driverFeaturesSelect, deviceFeaturesSelect]).toEqual([1, 3, 2])
})
