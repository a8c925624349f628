/**
 * The packed ring's peers against its specification; as many steps as asked for: `MODEL_STEPS=1000000 MODEL_SEED=7 npx vitest run
 * --project unit test/testing/packed/packed-model.test.ts`.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fuzz, replay } from '../../../src/testing/fuzz.ts'
import {
  type PackedDeviceTarget,
  type PackedDriverTarget,
  type PackedQueueProgram,
  type QueueCommand,
  queueCommands,
  ReferencePackedDevice,
  ReferencePackedDriver,
  referenceModel,
  referencePackedDevice,
  referencePackedDriver,
} from '../../../src/testing/index.ts'

const SEED = Number(process.env.MODEL_SEED ?? 20_261_123)
const STEPS = Number(process.env.MODEL_STEPS ?? 20_000)
const PEERS = { device: referencePackedDevice, driver: referencePackedDriver }

describe('the reference peers of a packed ring', () => {
  it.each([
    { eventIdx: false, indirect: false, inOrder: false },
    { eventIdx: true, indirect: false, inOrder: false },
    { eventIdx: false, indirect: true, inOrder: false },
    { eventIdx: true, indirect: true, inOrder: false },
    { eventIdx: false, indirect: false, inOrder: true },
    { eventIdx: true, indirect: true, inOrder: true },
  ])('equal the specification with %j', (features) => {
    const property = fc.property(queueCommands({ ring: 'packed', ...features }), (program) =>
      referenceModel.compare(PEERS, program),
    )
    fc.assert(property, { seed: SEED, numRuns: 150 })
  })

  it('equal it over thousands of commands', () => {
    const long = queueCommands({ ring: 'packed', minCommands: 2000, maxCommands: 3000 })
    const property = fc.property(long, (program) => referenceModel.compare(PEERS, program))
    expect(fc.check(property, { seed: SEED, numRuns: 4 }).failed).toBe(false)
  })

  it('equal it over a long run', () => {
    let steps = 0
    let spentMs = 0
    for (let turn = 0; steps < STEPS; turn++) {
      const arbitrary = queueCommands({ ring: 'packed', minCommands: 80 })
      const programs = fc.sample(arbitrary, { seed: (SEED + turn) | 0, numRuns: 200 })
      const began = performance.now()
      for (const program of programs) {
        expect(referenceModel.compare(PEERS, program)).toBe(true)
        steps += program.commands.length
      }
      spentMs += performance.now() - began
    }
    if (process.env.MODEL_STEPS) {
      console.log(`${steps} steps from seed ${SEED}, ${Math.round((1000 * steps) / spentMs)} a second`)
    }
  }, 3_600_000)
})

describe('fuzz', () => {
  it.each([referencePackedDevice, referencePackedDriver])('finds nothing in the $name', (target) => {
    for (const { finding, programs, rings } of fuzz(target, SEED)) {
      expect(finding).toBeNull()
      expect(Math.min(programs, rings)).toBeGreaterThan(0)
      break
    }
  })

  it('finds what is wrong, and replays it', () => {
    const forgetful: PackedDeviceTarget = {
      ...referencePackedDevice,
      create(memory, ring) {
        const device = new ReferencePackedDevice(memory, ring)
        return Object.assign(device, { wantsNotification: () => false })
      },
    }
    const finding = [...fuzz(forgetful, SEED)].at(-1)?.finding
    expect(finding?.message).toContain('the driver may sleep on')
    expect(replay(forgetful, finding!.case)).toEqual(finding)
    expect(replay(referencePackedDevice, finding!.case)).toBeNull()
    expect(finding?.message).toContain("...{ format: 'packed', size: ")
  })

  it('a case of the other format concerns nobody', () => {
    const never = { ...referencePackedDevice, create: (): never => expect.fail('was run') }
    const split = { size: 1, eventIdx: false, indirect: false, startIndex: 0, commands: [] }
    expect(replay(never, { kind: 'program', program: split })).toBeNull()
    expect(replay(never, { kind: 'hostile', seed: 1, number: 0, eventIdx: false, indirect: false })).toBeNull()
  })
})

describe('a side that writes what is not its own', () => {
  const request: readonly QueueCommand[] = [
    { op: 'add', readable: [], writable: [4], direct: 1 },
    { op: 'publish' },
    { op: 'take', count: 1 },
    { op: 'use', which: 0, writtenBytes: 2 },
    { op: 'publishUsed' },
  ]
  const program: PackedQueueProgram = {
    ...{ format: 'packed', size: 4, eventIdx: false, indirect: false, inOrder: false },
    commands: [...request, ...request],
  }

  it('VQP-DEV-07: a device that touches a slot again which it marked used', () => {
    const target: PackedDeviceTarget = {
      ...referencePackedDevice,
      create(memory, ring) {
        const device = new ReferencePackedDevice(memory, ring)
        const { publish } = device
        let published = 0
        return Object.assign(device, {
          publish() {
            publish.call(device)
            if (++published > 1) memory.writeU32(ring.descriptorArea + 8, 99)
          },
        })
      },
    }
    expect(() => referenceModel.compare(target, program)).toThrow('wrote slot 0, which is not its own (VQP-DEV-07)')
  })

  it('VQP-DRV-03: a driver that touches a slot again which it made available', () => {
    const target: PackedDriverTarget = {
      ...referencePackedDriver,
      create(memory, ring) {
        const driver = new ReferencePackedDriver(memory, ring)
        const { add } = driver
        return Object.assign(driver, {
          add(...args: Parameters<typeof add>) {
            memory.writeU32(ring.descriptorArea + 8, memory.readU32(ring.descriptorArea + 8) + 1)
            return add.apply(driver, args)
          },
        })
      },
    }
    expect(() => referenceModel.compare(target, program)).toThrow('wrote slot 0, which is not its own (VQP-DRV-03)')
  })

  it('VQP-DEV-02: a device that shows completions in another order', () => {
    const target: PackedDeviceTarget = {
      ...referencePackedDevice,
      create(memory, ring) {
        const device = new ReferencePackedDevice(memory, ring)
        const { complete, publish } = device
        let completed: [id: number, writtenBytes: number][] = []
        return Object.assign(device, {
          complete: (id: number, writtenBytes: number) => void completed.unshift([id, writtenBytes]),
          publish() {
            for (const [id, writtenBytes] of completed) complete.call(device, id, writtenBytes)
            completed = []
            publish.call(device)
          },
        })
      },
    }
    const property = fc.property(queueCommands({ ring: 'packed', inOrder: false }), (program) =>
      referenceModel.compare(target, program),
    )
    expect(fc.check(property, { seed: SEED, numRuns: 200 }).failed).toBe(true)
  })
})

it('a program of the other format is refused', () => {
  const split = {
    size: 1,
    eventIdx: false,
    indirect: false,
    startIndex: 0,
    commands: [],
  } as unknown as PackedQueueProgram
  expect(() => referenceModel.compare(PEERS, split)).toThrow(
    'the program is of a split ring, and reference packed device',
  )
})

it('a mismatch prints the ring, and a program that fails again when it is pasted', () => {
  const late: PackedDeviceTarget = {
    ...referencePackedDevice,
    create(memory, ring) {
      const device = new ReferencePackedDevice(memory, ring)
      const { complete } = device
      return Object.assign(device, { complete: (id: number, bytes: number) => complete.call(device, id, bytes + 1) })
    },
  }
  const program: PackedQueueProgram = {
    ...{ format: 'packed', size: 3, eventIdx: true, indirect: false, inOrder: false },
    commands: [
      { op: 'add', readable: [1], writable: [4], direct: 2 },
      { op: 'publish' },
      { op: 'take', count: 1 },
      { op: 'use', which: 0, writtenBytes: 2 },
      { op: 'publishUsed' },
    ],
  }
  expect(() => referenceModel.compare(late, program)).toThrowErrorMatchingInlineSnapshot(`
    [QueueMismatch: command 4 (publishUsed): shows used element { id: 2, len: 3 } at slot 0, wrap 1, at 0x1000, not used element { id: 2, len: 2 }
    packed ring of 3, EVENT_IDX · descriptors 0x1000 · driver 0x1030 · device 0x1034
    interrupts: always · kicks: always
      0 used 1   id 2 W 3
      1 avail 1  id 2 W 0x10d1+4
      2 used 0   id 0 R 0
    referenceModel.compare(target, {
      ...{ format: 'packed', size: 3, eventIdx: true, indirect: false, inOrder: false },
      commands: [
        { op: 'add', readable: [1], writable: [4], direct: 2 },
        { op: 'publish' },
        { op: 'take', count: 1 },
        { op: 'use', which: 0, writtenBytes: 2 },
        { op: 'publishUsed' },
      ],
    })]
  `)
})
