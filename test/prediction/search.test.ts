/** The search for what fits asks little, and finds the same whatever it is told about slack. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { classesOf, fittingIn } from '../../src/prediction/search.ts'
import { plainVerdict, type Verdict } from '../../src/prediction/verdict.ts'

/** By bisection, from what is judged at the two ends. */
function borderByBisection(low: number, high: number, fits: (value: number) => boolean): number {
  let [like, unlike] = [low, high]
  while (unlike - like > 1) {
    const middle = like + Math.floor((unlike - like) / 2)
    if (fits(middle) === fits(low)) like = middle
    else unlike = middle
  }
  return unlike
}

/** A verdict by how much of a deadline is left, or missing. */
const bySlack = (slackNs: number): Verdict =>
  slackNs >= 0
    ? { ...plainVerdict(true), slackNs: [slackNs] }
    : { ...plainVerdict(false), lateFlow: 0, latenessNs: -slackNs }

describe('the search', () => {
  it('finds every class of a key that changes in one direction', () => {
    const key = (value: number) => `${value >= 10} ${Math.max(0, 5 - Math.floor(value / 4))}`
    const classes = classesOf(1, 1000, key)
    expect(classes.map(({ from }) => from)).toEqual([1, 4, 8, 10, 12, 16, 20])
    for (const { from, to } of classes) for (let value = from; value <= to; value++) expect(key(value)).toBe(key(from))
    expect(classes.at(-1)!.to).toBe(1000)
    expect(classesOf(5, 5, key)).toEqual([{ from: 5, to: 5 }])
  })

  it.each([
    ['all', () => true, [{ from: 1, to: 1000 }]],
    ['none', () => false, []],
    ['up to a border', (value: number) => value <= 337, [{ from: 1, to: 337 }]],
    ['from a border on', (value: number) => value >= 338, [{ from: 338, to: 1000 }]],
    [
      'all but a gap',
      (value: number) => value < 60 || value > 260,
      [
        { from: 1, to: 59 },
        { from: 261, to: 1000 },
      ],
    ],
    ['only the least', (value: number) => value === 1, [{ from: 1, to: 1 }]],
    ['only the greatest', (value: number) => value === 1000, [{ from: 1000, to: 1000 }]],
  ])('finds what fits: %s', (_, fits, ranges) => {
    const judge = (value: number) => plainVerdict(fits(value))
    for (const load of ['upwards', 'downwards'] as const) {
      for (const grain of [1, 8, 100]) {
        expect(fittingIn({ from: 1, to: 1000 }, 100, judge, { load, grain })).toEqual(ranges)
      }
    }
  })

  it('finds the border that bisection finds, even if it is told nonsense about slack', () => {
    const random = new Random(5, 3)
    for (let draw = 0; draw < 300; draw++) {
      const most = random.between(2, 2 ** random.between(2, 24))
      const border = random.between(1, most + 1)
      const downwards = random.chance(0.5)
      const fits = (value: number) => (downwards ? value >= border : value < border)
      const nonsense = () => random.pick([0, 1, Number.POSITIVE_INFINITY, random.between(0, 10 ** 9)])
      const judge = (value: number): Verdict => ({
        ...plainVerdict(fits(value)),
        slackNs: random.chance(0.8) ? [nonsense(), nonsense()] : [],
        lateFlow: random.between(-1, 1),
        latenessNs: nonsense(),
      })
      const grain = random.pick([1, 7, 4096])
      const load = downwards ? 'downwards' : 'upwards'
      const found = fittingIn({ from: 1, to: most }, random.between(1, most), judge, { load, grain })
      const expected: object[] = []
      if (fits(1) && fits(most)) expected.push({ from: 1, to: most })
      else if (fits(1)) expected.push({ from: 1, to: borderByBisection(1, most, fits) - 1 })
      else if (fits(most)) expected.push({ from: borderByBisection(1, most, fits), to: most })
      expect(found, `draw ${draw}: border ${border} of ${most}, ${load}, grain ${grain}`).toEqual(expected)
    }
  })

  it('needs few verdicts where slack goes down in a straight line, with a step at every piece', () => {
    const random = new Random(6, 3)
    for (let draw = 0; draw < 50; draw++) {
      const border = random.between(3 * 2 ** 20, 20 * 2 ** 20)
      const pieceNs = random.between(0, 8000)
      const costNs = (bytes: number) => Math.ceil(1.4 * bytes) + pieceNs * Math.ceil(bytes / 4096)
      const asked: number[] = []
      const judge = (bytes: number) => {
        asked.push(bytes)
        return bySlack(costNs(border) - costNs(bytes))
      }
      const [range] = fittingIn({ from: 1, to: 2 ** 30 }, 3000, judge, { grain: 4096 })
      expect(costNs(range!.to + 1)).toBeGreaterThan(costNs(border))
      expect(costNs(range!.to)).toBeLessThanOrEqual(costNs(border))
      const plain = Math.ceil(Math.log2(7 * 2 ** 20))
      // Probes apart, of which there are one an eight-fold.
      expect(asked.length - Math.ceil(Math.log2(2 ** 30) / 3), `draw ${draw}: ${asked}`).toBeLessThan(plain / 2)
    }
  })
})
