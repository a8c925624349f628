/** RESET-DEV-02, and museum 28 as a whole: whatever a driver did, a device after its reset is as it was made, field by field. */
import { u32le } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type DeviceRegisters,
  defineDevice,
  entropyDevice,
  startDriver,
  u32,
  VsockDevice,
  VsockDriver,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { allFields } from './all-fields.ts'

/** What is no state of the device: the driver's memory, who listens, and scratch that is written before it is read. */
function isElsewhere(path: string): boolean {
  return /#transport|#listeners|\.memory|#observers|#(packet|payload|header|sent|received|scratch)\b/.test(path)
}

/** What may be told apart on purpose: a driver has to see that the configuration changed. */
const COUNTERS = /\.(generation) = \d+$/

const fieldsOf = (device: object) => allFields(device, isElsewhere).filter((line) => !COUNTERS.test(line))

interface Kind {
  readonly make: () => { readonly registers: DeviceRegisters }
  /** An ordinary life before the reset. */
  readonly use: (transport: SharedMemoryTransport) => void
}

const deferring = () =>
  defineDevice({
    id: 0x1234,
    queues: [
      { name: 'requests', size: 8 },
      { name: 'others', size: 4 },
    ],
    features: { fast: 0 },
    config: { limit: u32('limit', { initial: 9 }), mode: u32('mode', { driverWritable: true }) },
    requests(queue) {
      for (const request of queue.drain(1)) {
        request.writer.u16(7)
        request.defer()
      }
    },
    others(queue) {
      for (const _ of queue.drain(4)) throw new Error('broken')
    },
  }).create()

const KINDS: Readonly<Record<string, Kind>> = {
  'a declared device': {
    make: deferring,
    use(transport) {
      const { registers } = transport
      registers.events.on('fault', () => {})
      const driver = startDriver(transport, { indirectLength: 4 })
      for (let i = 0; i < 3; i++) driver.queues[0]!.call([u32le(i), u32le(i)], { reply: 8 }).catch(() => {})
      driver.writeConfig('mode', 5)
      registers.queueSelect = 1
      registers.deviceFeaturesSelect = 1
      driver.queues[1]!.call([u32le(1)], { reply: 4 }).catch(() => {})
      expect(registers.resetCause).not.toBeNull()
    },
  },
  'the entropy device': {
    make: () => entropyDevice({ source: (target) => target.fill(7).length }).create(),
    use(transport) {
      startDriver(transport)
        .queues[0]!.call([], { reply: 100 })
        .catch(() => {})
    },
  },
  'the vsock device': {
    make: () => new VsockDevice({ guestCid: 3 }),
    use(transport) {
      const driver = new VsockDriver(transport as never)
      driver.connect(2, 7).write(new Uint8Array(100))
      driver.connect(2, 8)
      transport.settle()
    },
  },
}

describe.each(Object.entries(KINDS))('%s after a reset', (_, { make, use }) => {
  it('equals a fresh one after an ordinary life', () => {
    const device = make()
    const transport = new SharedMemoryTransport(device)
    use(transport)
    expect(fieldsOf(device)).not.toEqual(fieldsOf(attached(make())))
    transport.writeStatus(0)
    expect(transport.readStatus()).toBe(0)
    expect(fieldsOf(device)).toEqual(fieldsOf(attached(make())))
  })

  it('equals a fresh one after any writes to its registers', () => {
    const fresh = fieldsOf(attached(make()))
    const random = new Random(11)
    for (let round = 0; round < 8; round++) {
      const device = make()
      const transport = new SharedMemoryTransport(device, { doorbell: (queue) => transport.registers.notify(queue) })
      const { registers } = transport
      registers.events.on('fault', () => {})
      if (random.chance(0.5)) startDriver(transport)
      for (let i = 0; i < 60; i++) scribble(registers, random)
      transport.writeStatus(0)
      expect(fieldsOf(device), `round ${round}`).toEqual(fresh)
    }
  })
})

function attached<T extends { readonly registers: DeviceRegisters }>(device: T): T {
  new SharedMemoryTransport(device)
  return device
}

function scribble(registers: DeviceRegisters, random: Random): void {
  const word = random.pick([0, 1, 3, 4, 8, 11, 15, 0x4000_0000, 0x4000_1000, random.u32()])
  const action = random.between(0, 9)
  if (action === 0) registers.writeStatus(random.pick([1, 3, 11, 15, 64, 128, word]))
  else if (action === 1) registers.queueSelect = random.between(0, 4)
  else if (action === 2) registers.queueSize = random.pick([1, 8, 3, word])
  else if (action === 3)
    registers.writeQueueAddress(random.pick([0, 1, 2] as const), random.pick([0, 1] as const), word)
  else if (action === 4) registers.enableQueue()
  else if (action === 5) registers.resetQueue()
  else if (action === 6) registers.writeDriverFeatures(word)
  else if (action === 7) registers.driverFeaturesSelect = random.between(0, 5)
  else if (action === 8) registers.writeConfig(random.between(0, 12), Uint8Array.of(word))
  else registers.notify(random.between(0, 4))
}

it('the walk over fields sees private ones, and what differs in them', () => {
  class Deep {
    #hidden = [1, new Map([['a', { b: 2 }]])]
    change(): void {
      this.#hidden[0] = 5
    }
  }
  const [one, other] = [new Deep(), new Deep()]
  expect(allFields(one, () => false)).toEqual(allFields(other, () => false))
  expect(allFields(one, () => false)).toContain('.#hidden.1(0).1.b = 2')
  other.change()
  expect(allFields(one, () => false)).not.toEqual(allFields(other, () => false))
  const buffers = new BufferList()
  expect(allFields(buffers.addReadable(1, 2), () => false)).toContain('.count = 1')
})
