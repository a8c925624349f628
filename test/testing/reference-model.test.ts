/** Our queues against the specification, and the specification against queues that are wrong. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type QueueProgram,
  type QueueTargets,
  queueCommands,
  referenceDevice,
  referenceDriver,
  referenceModel,
} from '../../src/testing/index.ts'
import {
  DEVICES_WRONG_WITH_HONEST_DRIVERS,
  DRIVERS_WRONG_WITH_HONEST_DEVICES,
  SOUND_DEVICE,
  SOUND_DRIVER,
} from './broken-targets.ts'
import { ownDevice, ownDriver } from './own-queue-targets.ts'

const SEED = 20260801

const TARGETS: readonly (readonly [string, QueueTargets])[] = [
  ['reference peers', { device: referenceDevice, driver: referenceDriver }],
  ['SplitDeviceQueue', ownDevice()],
  ['SplitDriverQueue', ownDriver],
  ['peers with nothing broken', { device: SOUND_DEVICE, driver: SOUND_DRIVER }],
  ['both of ours', { device: ownDevice(), driver: ownDriver }],
]

function compare(target: QueueTargets, options: Partial<Parameters<typeof queueCommands>[0]>, numRuns: number): void {
  const property = fc.property(queueCommands({ ring: 'split', ...options }), (program) =>
    referenceModel.compare(target, program),
  )
  fc.assert(property, { seed: SEED, numRuns })
}

describe.each(TARGETS)('%s', (_name, target) => {
  it.each([
    { eventIdx: false, indirect: false },
    { eventIdx: true, indirect: false },
    { eventIdx: false, indirect: true },
    { eventIdx: true, indirect: true },
  ])('IMP-VQS-01, IMP-VQS-03, VQS-NTF-DEV-05, VQS-NTF-DRV-11: equals the specification with %j', (features) => {
    compare(target, features, 150)
  })

  it('equals it over thousands of commands', () => {
    compare(target, { minCommands: 4000, maxCommands: 5000 }, 4)
  })

  it('equals it in rings larger than what is in them', () => {
    compare(target, { size: 256 }, 20)
  })
})

it('IMP-VQS-01: 65536 + 100 chains one by one, so that both indices wrap for themselves (museum 37)', () => {
  const round: QueueProgram['commands'] = [
    { op: 'add', readable: [1], writable: [2], direct: 1 },
    { op: 'publish' },
    { op: 'needsKick' },
    { op: 'take', count: 1 },
    { op: 'use', which: 0, writtenBytes: 1 },
    { op: 'publishUsed' },
    { op: 'needsInterrupt' },
    { op: 'reap', count: 1 },
  ]
  const commands = Array.from({ length: 65_636 }, () => round).flat()
  const program = { size: 2, eventIdx: true, indirect: true, startIndex: 0, commands }
  referenceModel.compare({ device: ownDevice(), driver: ownDriver }, program)
})

describe('a queue that is wrong is found', () => {
  it.each([...DEVICES_WRONG_WITH_HONEST_DRIVERS, ...DRIVERS_WRONG_WITH_HONEST_DEVICES])(
    'when its $side $name',
    (target) => {
      const property = fc.property(queueCommands({ ring: 'split' }), (program) =>
        referenceModel.compare(target, program),
      )
      const found = fc.check(property, { seed: SEED, numRuns: 500 })
      expect(found.failed).toBe(true)
      // A person can read it: what is left after shrinking is a handful of moves.
      expect(found.counterexample![0].commands.length).toBeLessThanOrEqual(12)
    },
  )

  it('and the mismatch prints a ring and a program that fails again when it is pasted', () => {
    const target = DEVICES_WRONG_WITH_HONEST_DRIVERS[0]!
    const program: QueueProgram = {
      ...{ size: 2, eventIdx: true, indirect: false, startIndex: 65535 },
      commands: [
        { op: 'add', readable: [1], writable: [2], direct: 2 },
        { op: 'publish' },
        { op: 'take', count: 1 },
        { op: 'use', which: 0, writtenBytes: 1 },
        { op: 'publishUsed' },
      ],
    }
    expect(() => referenceModel.compare(target, program)).toThrowErrorMatchingInlineSnapshot(`
      [QueueMismatch: command 4 (publishUsed): shows used element { id: 0, len: 2 } at index 65535, not used element { id: 0, len: 1 }
      split ring of 2, EVENT_IDX · descriptors 0x1000 · driver 0x1020 · device 0x102c
      available: flags 0, idx 0, used_event 65535 · used: flags 0, idx 0, avail_event 65535
      referenceModel.compare(target, {
        ...{ size: 2, eventIdx: true, indirect: false, startIndex: 65535 },
        commands: [
          { op: 'add', readable: [1], writable: [2], direct: 2 },
          { op: 'publish' },
          { op: 'take', count: 1 },
          { op: 'use', which: 0, writtenBytes: 1 },
          { op: 'publishUsed' },
        ],
      })]
    `)
  })
})
