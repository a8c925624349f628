/** The proof that the kit can see: every mutant of our own queues is found by it, without a test of ours. */
import { describe, expect, it } from 'vitest'
import { type FuzzTarget, fuzz } from '../../src/testing/fuzz.ts'
import { runMuseum } from '../../src/testing/index.ts'
import { type Targets, targetsOf } from './mutant-targets.ts'
import { MUTANTS } from './mutants.ts'
import { queueSource } from './queue-sources.ts'

const TURNS = 4
/** Those of the museum that take many calls have their own test. */
const LONG_EXHIBITS = [13, 32, 33, 34, 37, 48]
const QUICK_EXHIBITS = Array.from({ length: 48 }, (_, i) => i + 1).filter((number) => !LONG_EXHIBITS.includes(number))

describe('mutants of our queues', () => {
  it('there are enough of them, each where its source says', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(40)
    for (const { file, what, from } of MUTANTS) expect(queueSource(file).split(from).length, what).toBe(2)
  })

  it('the kit finds nothing in the original', async () => {
    expect(found(await targetsOf(null))).toBeNull()
  }, 60_000)

  it.each(MUTANTS)(
    '$file: $what',
    async (mutant) => {
      expect(found(await targetsOf(mutant), mutant.file)).not.toBeNull()
    },
    60_000,
  )
})

/**
 * What the kit says is wrong, or null. Only the sides that the file is of, and first what is likeliest to see it: the museum
 * knows malformed chains, a turn of the fuzzer nearly all the rest.
 */
function found({ ownDevice, ownDriver }: Targets, file = ''): string | null {
  const devices = file.includes('driver') ? [] : [ownDevice(), ownDevice({ policy: 'reject' })]
  const drivers = /driver|signals|^$/.test(file) ? [ownDriver] : []
  const fuzzers = new Map([...devices, ...drivers].map((target) => [target, fuzz(target, 1)]))
  const turnsOfAll = (turns: number) => first([...fuzzers.values()], (fuzzer) => findingOf(fuzzer, turns))
  const museum = () => first([...fuzzers.keys()], museumFinding)
  return /walker|table/.test(file)
    ? (museum() ?? turnsOfAll(TURNS))
    : (turnsOfAll(1) ?? museum() ?? turnsOfAll(TURNS - 1))
}

function findingOf(fuzzer: ReturnType<typeof fuzz>, turns: number): string | null {
  for (let turn = 0; turn < turns; turn++) {
    const { value } = fuzzer.next()
    if (value?.finding) return value.finding.message
  }
  return null
}

function museumFinding(target: FuzzTarget): string | null {
  const { results } = runMuseum(target, { exhibits: QUICK_EXHIBITS })
  const wrong = results.find(({ verdict }) => verdict === 'FAIL' || verdict === 'WEDGED')
  return wrong ? `${wrong.number} ${wrong.detail}` : null
}

function first<T>(list: readonly T[], look: (one: T) => string | null): string | null {
  for (const one of list) {
    const message = look(one)
    if (message !== null) return message
  }
  return null
}
