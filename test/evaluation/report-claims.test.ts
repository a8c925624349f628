/** Every key figure, verdict and title of the report, computed once more from the raw rows: where they differ, this fails. */
import { describe, expect, it } from 'vitest'
import { judge, ORACLES } from './claims/oracles.ts'
import { type Synthetic, sentences, synthetic, WORLDS } from './claims/synthetic.ts'

const SIZES = [1, 12, 60, 1000] as const
/** The large ones take their time. */
const seedsOf = (sets: number) => (sets >= 1000 ? [1] : [1, 2, 3])
const worldsOf = (sets: number) => (sets >= 1000 ? (['plain', 'ties', 'turned'] as const) : WORLDS)

const known = new Map<string, Synthetic>()
function dataOf(sets: number, world: (typeof WORLDS)[number], seed: number): Synthetic {
  const key = `${sets}|${world}|${seed}`
  if (!known.has(key)) known.set(key, synthetic(sets, world, seed))
  return known.get(key)!
}

describe.each(SIZES)('%i sets', (sets) => {
  it.each(worldsOf(sets))('%s: every sentence says what the rows say', (world) => {
    for (const seed of seedsOf(sets)) {
      const { raw, data } = dataOf(sets, world, seed)
      for (const said of sentences(data)) {
        expect(`${said.head} ${said.text}`, said.id).not.toMatch(/NaN|undefined|Infinity|null/)
        try {
          judge(said, raw, data.manifest)
        } catch (error) {
          throw new Error(`${said.id} of ${sets} sets, ${world}, seed ${seed}: ${said.text}`, { cause: error })
        }
      }
    }
  })
})

it('every sentence has somebody who computes it once more, and everybody has a sentence', () => {
  const said = WORLDS.flatMap((world) => sentences(dataOf(12, world, 1).data).map(({ id }) => id))
  expect([...new Set(said)].sort()).toEqual(Object.keys(ORACLES).sort())
})

it('a sentence of other rows is found out', () => {
  const others = [dataOf(60, 'plain', 3), dataOf(1000, 'plain', 1), dataOf(12, 'broken', 2), dataOf(60, 'none', 1)]
  const deaf = Object.keys(ORACLES).filter((id) =>
    WORLDS.every((world) => {
      const said = sentences(dataOf(12, world, 1).data).find((one) => one.id === id)
      return said === undefined || others.every(({ raw, data }) => agrees(said, raw, data.manifest))
    }),
  )
  expect(deaf).toEqual([])
})

function agrees(...judged: Parameters<typeof judge>): boolean {
  try {
    judge(...judged)
    return true
  } catch {
    return false
  }
}
