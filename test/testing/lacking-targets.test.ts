/** What a target says that it lacks is never asked of it; what it does not say, is. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  queueCommands,
  referenceDevice,
  referenceDriver,
  referenceModel,
  referencePackedDevice,
  referencePackedDriver,
  runHostileDevice,
  runHostilePackedDevice,
  runHostilePackedRings,
  runHostileRings,
} from '../../src/testing/index.ts'

const ALL = { eventIdx: true, indirect: true, inOrder: true }
const HOSTILE = { ...ALL, seed: 1, rings: 20 }
const SPLIT = queueCommands({ ring: 'split', eventIdx: true, indirect: true })
const PACKED = queueCommands({ ring: 'packed', ...ALL })

type Features = Partial<typeof ALL>

/** The target, and the features of every ring that it is given. */
function seeing<Target extends { create(memory: never, ring: never): unknown }>(target: Target) {
  const seen: Features[] = []
  const create = (memory: never, ring: never) => {
    seen.push(ring)
    return target.create(memory, ring)
  }
  return { seen, target: { ...target, create, createAt: undefined } as Target }
}

function honest<Program>(programs: fc.Arbitrary<Program>, compare: (program: Program) => true): void {
  fc.assert(fc.property(programs, compare), { seed: 1, numRuns: 20 })
}

const RUNS = [
  {
    name: 'a split device',
    run(lacks: readonly ('eventIdx' | 'indirect')[]) {
      const { seen, target } = seeing({ ...referenceDevice, lacks })
      honest(SPLIT, (program) => referenceModel.compare(target, program))
      runHostileRings(target, HOSTILE)
      return seen
    },
  },
  {
    name: 'a split driver',
    run(lacks: readonly ('eventIdx' | 'indirect')[]) {
      const { seen, target } = seeing({ ...referenceDriver, lacks })
      honest(SPLIT, (program) => referenceModel.compare(target, program))
      runHostileDevice(target, HOSTILE)
      return seen
    },
  },
  {
    name: 'a packed device',
    run(lacks: readonly ('eventIdx' | 'indirect' | 'inOrder')[]) {
      const { seen, target } = seeing({ ...referencePackedDevice, lacks })
      honest(PACKED, (program) => referenceModel.compare(target, program))
      runHostilePackedRings(target, HOSTILE)
      return seen
    },
  },
  {
    name: 'a packed driver',
    run(lacks: readonly ('eventIdx' | 'indirect' | 'inOrder')[]) {
      const { seen, target } = seeing({ ...referencePackedDriver, lacks })
      honest(PACKED, (program) => referenceModel.compare(target, program))
      runHostilePackedDevice(target, HOSTILE)
      return seen
    },
  },
]

describe.each(RUNS)('$name', ({ run }) => {
  it.each(['eventIdx', 'indirect'] as const)(
    'that lacks %s gets rings without it, in programs and under fire',
    (feature) => {
      const seen = run([feature])
      expect(seen.length).toBe(40)
      const other = feature === 'eventIdx' ? 'indirect' : 'eventIdx'
      expect(seen.every((ring) => ring[feature] === false && ring[other] === true)).toBe(true)
    },
  )
})

it('IN_ORDER is left out of packed rings alike', () => {
  for (const { name, run } of RUNS.slice(2)) {
    const seen = run(['inOrder' as never])
    expect(
      seen.every(({ inOrder, eventIdx }) => inOrder === false && eventIdx === true),
      name,
    ).toBe(true)
  }
})

it('a pair has the features that both have, and a mismatch prints the program that ran', () => {
  const device = { ...referenceDevice, lacks: ['eventIdx'] as const }
  const driver = {
    ...referenceDriver,
    createAt: undefined,
    create(...given: Parameters<typeof referenceDriver.create>) {
      return { ...referenceDriver.create(...given), wantsNotification: () => false, add: () => 77 }
    },
  }
  const program = { size: 2, eventIdx: true, indirect: true, startIndex: 0, commands: [] }
  expect(() => referenceModel.compare({ device, driver }, program)).toThrow(
    '...{ size: 2, eventIdx: false, indirect: true, startIndex: 0 }',
  )
})

it.each([
  [3, 'a split ring of 3 entries; it must be a power of two, 1 to 32768'],
  [0, 'a split ring of 0 entries'],
  [65536, 'a split ring of 65536 entries'],
  [1.5, 'a split ring of 1.5 entries'],
])('a program over a ring of %d entries is refused, not blamed on the target', (size, message) => {
  const program = { size, eventIdx: false, indirect: false, startIndex: 0, commands: [] }
  expect(() => referenceModel.compare(referenceDevice, program)).toThrow(message)
})
