/**
 * The exchanges that every museum explores: a queue in which one look or one store comes too early, or is not ordered where that shows on x86, is found by
 * them, and the code of the failure shows its schedule again.
 */
import { describe, expect, it } from 'vitest'
import { replayExhibit, runMuseum, STANDARD_EXCHANGES } from '../../src/testing/index.ts'
import { KILLED } from './interleavings/killed.ts'
import { loadMutant, type Mutant, orderedAccesses, REORDERED } from './interleavings/mutants.ts'
import { ownDevice, ownDriver, ownPackedDevice } from './own-queue-targets.ts'

const EXPLORED = [32, 58, 59, 60, 61, 62, 63]

/** What only weaker memory than that of x86 shows is found by `exploreInterleavings` with `weak`, which takes longer than a museum may. */
const showsOnX86 = ({ name }: Mutant) => KILLED[name]![0] !== 'weak' && !name.endsWith('only')
const mutants = [...orderedAccesses(), ...REORDERED].filter(showsOnX86)

it('are many', () => {
  expect(mutants.length).toBeGreaterThan(20)
})

describe.each(mutants)('$name', (mutant) => {
  const sides = (['driver', 'device'] as const).filter(
    (side) => !/split-(driver|device)/.test(mutant.file) || mutant.file.includes(side),
  )
  it.each(sides)('in the %s is found', async (side) => {
    const mutated = await loadMutant(mutant)
    const target = side === 'device' ? mutated.ownDevice() : mutated.ownDriver
    const failed = runMuseum(target, { exhibits: EXPLORED }).results.filter(({ verdict }) => verdict === 'FAIL')
    expect(failed.length, mutant.name).toBeGreaterThan(0)
    const { detail, replay } = failed[0]!
    expect(detail).toContain(`replay: ${replay}`)
    const { failed: again, text } = replayExhibit(target, replay)
    expect(again).toBe(true)
    expect(text).toMatch(/ {2}(driver|device) {3}(load|store)/)
  })
})

describe('replayExhibit', () => {
  it('says when nothing is wrong any more, and shows exhibits that have no schedule', () => {
    expect(replayExhibit(ownDriver, '32/asleep/EVENT_IDX/sc:d1v1')).toMatchObject({
      failed: false,
      text: expect.stringContaining('nothing is wrong in this schedule any more'),
    })
    expect(replayExhibit(ownDevice(), '17')).toMatchObject({
      failed: false,
      text: expect.stringMatching(/^PASS |^REJECT /),
    })
  })

  it.each([
    '',
    'x',
    '0',
    '99',
    '1.5',
    '32/nothing/flags/sc:d1',
    '32/asleep/both/sc:d1',
    '32/asleep/flags',
    '63/delay/EVENT_IDX/sc:d1',
  ])('refuses %j for a device', (code) => {
    expect(() => replayExhibit(ownDevice(), code)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/BAD_REPLAY|INVALID_OPTION/) }),
    )
  })

  it('refuses the exchanges of the other ring format', () => {
    expect(() => replayExhibit(ownPackedDevice(), '60/wrap/flags/sc:d1')).toThrow(
      'is no code of an exhibit for a device with a packed ring',
    )
  })
})

it('has an id for each exchange', () => {
  const ids = STANDARD_EXCHANGES.map(({ exhibit, id }) => `${exhibit}/${id}`)
  expect(new Set(ids).size).toBe(ids.length)
})
