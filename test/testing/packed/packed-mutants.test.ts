/** The proof that the kit can see packed queues: every mutant of the reference peers is found, and the peers themselves pass. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ExhibitResult,
  type PackedDeviceTarget,
  type PackedDriverTarget,
  QueueMismatch,
  queueCommands,
  referenceModel,
  referencePackedDevice,
  referencePackedDriver,
  runHostilePackedDevice,
  runHostilePackedRings,
  runMuseum,
} from '../../../src/testing/index.ts'
import { PACKED_MUTANTS } from './packed-mutants.ts'
import { packedPeersOf, packedSource } from './packed-peers.ts'

describe('mutants of packed queues', () => {
  it('there are enough of them, each where its source says', () => {
    expect(PACKED_MUTANTS.length).toBe(67)
    for (const { file, what, from } of PACKED_MUTANTS) expect(packedSource(file).split(from).length, what).toBe(2)
  })

  it.each([referencePackedDevice, referencePackedDriver])('the kit finds nothing in the $name', (target) => {
    expect(found(target)).toBeNull()
  })

  it.each(PACKED_MUTANTS)(
    'the $side: $what',
    async (mutant) => {
      const peers = await packedPeersOf(mutant)
      expect(found(mutant.side === 'device' ? peers.referencePackedDevice : peers.referencePackedDriver)).not.toBeNull()
    },
    60_000,
  )

  it('and every exhibit of the packed ring up to 40 is failed by one of them', () => {
    // The others by those of test/testing/limit-mutants.ts.
    const titles = [referencePackedDevice, referencePackedDriver].flatMap((target) =>
      runMuseum(target, { exhibits: [38, 39, 40] }).results.map(key),
    )
    expect(titles.filter((title) => !failed.has(title))).toEqual([])
  })
})

/** Exhibits that somebody failed. */
const failed = new Set<string>()
const key = ({ side, title }: ExhibitResult) => `${side}: ${title}`

const EITHER = [false, true]
const FEATURES = EITHER.flatMap((eventIdx) =>
  EITHER.flatMap((indirect) => EITHER.map((inOrder) => ({ eventIdx, indirect, inOrder }))),
)
const PROGRAMS = fc.sample(queueCommands({ ring: 'packed', minCommands: 40 }), { seed: 1, numRuns: 250 })

/** What the kit says is wrong, or null: the museum, then programs, then hostile rings. */
function found(target: PackedDeviceTarget | PackedDriverTarget): string | null {
  const [wrong, ...more] = runMuseum(target).results.filter(({ verdict }) => verdict === 'FAIL' || verdict === 'WEDGED')
  for (const one of [wrong, ...more]) if (one) failed.add(key(one))
  if (wrong) return `${wrong.number} ${wrong.detail}`
  try {
    for (const program of PROGRAMS) referenceModel.compare(target, program)
    for (const features of FEATURES) {
      const options = { seed: 1, rings: 200, ...features }
      if (target.side === 'device') runHostilePackedRings(target, options)
      else runHostilePackedDevice(target, options)
    }
    return null
  } catch (error) {
    if (error instanceof QueueMismatch) return error.message
    throw error
  }
}
