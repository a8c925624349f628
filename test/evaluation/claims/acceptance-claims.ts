/** Schedulability: acceptance, one parameter at a time, priority levels. */
import type { Row } from 'virtio-sdk/evaluation'
import { expect } from 'vitest'
import {
  allMore,
  countsOf,
  isEffect,
  isEffectWithInterval,
  listed,
  minus,
  score,
  tallied,
  tell,
  weighted,
} from './chance.ts'
import { isCount, isFixed, reads } from './reading.ts'
import { all, DESIGNS, type Oracle, type Raw, SCHEDULERS, top, values } from './rows.ts'

const curve = (rows: readonly Row[] | undefined, design: string, test: string) => weighted(rows ?? [], design, test)

const fourGains = ({ acceptance }: Raw) => {
  const gain = (a: [string, string], b: [string, string]) => minus(curve(acceptance, ...a), curve(acceptance, ...b))
  return {
    placementA0: gain(['floating', 'fp-dm/A0'], ['dedicated', 'fp-dm/A0']),
    placementA4: gain(['floating', 'fp-dm/A4'], ['dedicated', 'fp-dm/A4']),
    analysisDedicated: gain(['dedicated', 'fp-dm/A4'], ['dedicated', 'fp-dm/A0']),
    analysisFloating: gain(['floating', 'fp-dm/A4'], ['floating', 'fp-dm/A0']),
  }
}

const setsSaid = (text: string, { acceptance }: Raw) =>
  isCount(
    text,
    countsOf(acceptance!, 'floating').reduce((sum, { sets }) => sum + sets, 0),
    'set',
  )

/** From the last point up to which all are surely at half or more, to the first that surely is not. */
function halfway(rows: readonly Row[], design: string, test: string): string {
  const points = countsOf(rows, design).map(({ utilization, sets, accepted }) => ({
    utilization,
    ...score(accepted.get(test) ?? 0, sets),
  }))
  let from: number | null = null
  for (const { utilization, low } of points) {
    if (low < 0.5) break
    from = utilization
  }
  const to = points.filter(({ high }) => high < 0.5)[0]?.utilization ?? null
  if (from === null && to === null) return 'unknown (too few sets)'
  if (from === null) return `below ${to!.toFixed(2)}`
  return to === null ? `${from.toFixed(2)} or more` : `between ${from.toFixed(2)} and ${to.toFixed(2)}`
}

const VARIED: Readonly<Record<string, (value: unknown) => string>> = {
  generator: (value) => (value === 'drs' ? 'utilisations by DRS' : 'utilisations by UUniFast'),
  deadlines: (value) => `${value} deadlines`,
  flows: (value) => `${value} flows`,
  chunkBytes: (value) => `S = ${Number(value) / 1024} KiB`,
  regulatorPeriodNs: (value) => `P = ${Number(value) / 1e6} ms`,
  budgetShare: (value) => (value === 1 ? 'no regulator' : `Q/P = ${value}`),
  costs: (value) => `${value} costs`,
}

const varied = new WeakMap<Raw, ReturnType<typeof groupVariants>>()

function variants(raw: Raw) {
  const known = varied.get(raw) ?? groupVariants(raw)
  varied.set(raw, known)
  return known
}

function groupVariants(raw: Raw) {
  const rows = raw['acceptance-variants']!
  const base = raw.acceptance ?? []
  const usual =
    base[0] ??
    Object.fromEntries(
      Object.keys(VARIED).map((column) => {
        const times = (value: unknown) => rows.filter((row) => row[column] === value).length
        return [column, values<Row[string]>(rows, column).sort((a, b) => times(b) - times(a))[0]!]
      }),
    )
  const nameOf = (row: Row) =>
    Object.keys(VARIED)
      .filter((column) => row[column] !== usual[column])
      .map((column) => VARIED[column]!(row[column]))
      .join(', ') || 'default'
  const groups = new Map<string, Row[]>()
  for (const row of [...base, ...rows]) {
    const name = nameOf(row)
    const own = groups.get(name)
    if (own) own.push(row)
    else groups.set(name, [row])
  }
  const settings = [...groups].map(([name, own]) => ({
    name,
    placement: minus(curve(own, 'floating', 'fp-dm/A4'), curve(own, 'dedicated', 'fp-dm/A4')),
    analysis: minus(curve(own, 'floating', 'fp-dm/A4'), curve(own, 'floating', 'fp-dm/A0')),
  }))
  return {
    settings,
    tells: (by: 'placement' | 'analysis') => settings.map((setting) => tell(setting[by])),
    /** `from +0.10 (4 flows) to +0.20 (default)`, or one figure for all. */
    isRange: (text: string, by: 'placement' | 'analysis') => {
      const gains = settings.map((setting) => setting[by].value)
      const [least, most] = [Math.min(...gains), Math.max(...gains)]
      if (least === most) {
        const [shown, count] = reads(text, /(\S+) in all of (.+)/)
        isFixed(shown!, least, 2)
        return isCount(count!, settings.length, 'setting')
      }
      const [low, lowAt, high, highAt] = reads(text, /from (\S+) \((.+)\) to (\S+) \((.+)\)/)
      isFixed(low!, least, 2)
      isFixed(high!, most, 2)
      for (const [at, gain] of [
        [lowAt, least],
        [highAt, most],
      ] as const) {
        const close = settings.filter((setting) => Math.abs(setting[by].value - gain) < 1e-9).map(({ name }) => name)
        // What differs by the noise of sums may be named apart.
        if (/^\d+ settings$/.test(at!)) expect(Number.parseInt(at!, 10)).toBeLessThanOrEqual(close.length)
        else for (const name of at!.split(/, |; /)) expect(close.join(', ')).toContain(name)
      }
    },
  }
}

export const ACCEPTANCE_CLAIMS: Readonly<Record<string, Oracle>> = {
  'key:placement-by-analysis': ({ text, grid }, raw) => {
    const { placementA0, placementA4, analysisDedicated, analysisFloating } = fourGains(raw)
    const [a0, a4, dedicated, floating, sets] = reads(
      text,
      /weighted schedulability under deadline-monotonic priorities, placement by analysis\. Floating adds (.+) under A0 and (.+) under A4; A4 adds (.+) on a dedicated broker and (.+) on a floating broker; n = (.+), the same for all/,
    )
    isEffect(a0!, placementA0)
    isEffect(a4!, placementA4)
    isEffect(dedicated!, analysisDedicated)
    isEffect(floating!, analysisFloating)
    setsSaid(sets!, raw)
    expect(grid!.map((row) => row[0])).toEqual(['', 'dedicated', 'floating'])
    expect(grid![0]).toEqual(['', 'A0', 'A4'])
    for (const [design, ...cells] of grid!.slice(1)) {
      cells.forEach((cell, i) => {
        isFixed(String(cell), curve(raw.acceptance, String(design), `fp-dm/${grid![0]![i + 1]}`).value, 2)
      })
    }
  },
  'verdict:analysis-adds': ({ text, holds }, raw) => {
    const { analysisDedicated, analysisFloating } = fourGains(raw)
    const [a, b, sets] = reads(
      text,
      /Weighted schedulability \(FP-DM\): dedicated (.+), floating (.+); n = (.+), the same for all\./,
    )
    isEffectWithInterval(a!, analysisDedicated)
    isEffectWithInterval(b!, analysisFloating)
    setsSaid(sets!, raw)
    expect(holds).toBe(allMore([analysisDedicated, analysisFloating].map(tell)))
  },
  'verdict:placement-adds': ({ text, holds }, raw) => {
    const { placementA0, placementA4 } = fourGains(raw)
    const [a, b, sets] = reads(
      text,
      /Weighted schedulability \(FP-DM\): A0 (.+), A4 (.+); n = (.+), the same for all\./,
    )
    isEffectWithInterval(a!, placementA0)
    isEffectWithInterval(b!, placementA4)
    setsSaid(sets!, raw)
    expect(holds).toBe(allMore([placementA0, placementA4].map(tell)))
  },
  'verdict:placement-adds-relevantly': ({ text, head, holds }, raw) => {
    const { placementA4 } = fourGains(raw)
    expect(head).toBe('Under A4 floating placement adds 0.02 or more.')
    const [few, value, low, high] = reads(text, /(Too few sets: )?(\S+) \[(\S+), (\S+)\] of weighted schedulability.+/)
    isFixed(value!, placementA4.value, 3)
    isFixed(low!, placementA4.low, 3)
    isFixed(high!, placementA4.high, 3)
    expect(holds).toBe(placementA4.low >= 0.02 ? true : placementA4.high < 0.02 ? false : null)
    expect(few !== undefined).toBe(holds === null)
  },
  'figure:acceptance-curves': ({ text }, raw) => {
    const half = (design: string, test: string) => `${design} ${halfway(raw.acceptance!, design, test)}`
    expect(text).toBe(
      `Half of the sets are accepted up to a utilisation of: ${['A4', 'A0']
        .map((name) => `under ${name} ${half('floating', `fp-dm/${name}`)}, ${half('dedicated', `fp-dm/${name}`)}`)
        .join('; ')} (FP-DM, by the 95 % intervals)`,
    )
  },
  'figure:acceptance-analyses': ({ text }, raw) => {
    const [gains] = reads(text, /What A4 gains over A0 in weighted schedulability, design by design: (.+) \(FP-DM\)/)
    const designs = values<string>(raw.acceptance!, 'design')
    const parts = gains!.split(', ')
    expect(parts).toHaveLength(designs.length)
    designs.forEach((design, i) => {
      expect(parts[i]!.startsWith(`${DESIGNS[design]} `)).toBe(true)
      const gain = minus(curve(raw.acceptance, design, 'fp-dm/A4'), curve(raw.acceptance, design, 'fp-dm/A0'))
      isEffect(parts[i]!.slice(DESIGNS[design]!.length + 1), gain)
    })
  },
  'figure:acceptance-weighted': ({ text }, raw) => {
    const combinations = values<string>(raw.acceptance!, 'design').flatMap((design) =>
      Object.keys(SCHEDULERS).flatMap((scheduler) =>
        ['A0', 'A3', 'A4', 'A5'].map((analysis) => ({
          name: `${DESIGNS[design]} under ${SCHEDULERS[scheduler]} with ${analysis}`,
          of: curve(raw.acceptance, design, `${scheduler}/${analysis}`),
        })),
      ),
    )
    const most = top(combinations.map(({ of }) => of.value))
    const best = combinations.filter(({ of }) => most - of.value < 1e-12)
    const near = combinations.filter((one) => !best.includes(one) && tell(minus(best[0]!.of, one.of)) !== 'more')
    const [count, share, names, rest] = reads(
      text,
      /The highest weighted schedulability of (\d+) combinations is (\S+) \((.+?)\); (.+)/,
    )
    expect(Number(count)).toBe(combinations.length)
    isFixed(share!, most, 3)
    expect(names).toBe(
      listed(
        best.map(({ name }) => name),
        'of them',
      ),
    )
    expect(rest).toBe(
      near.length === 0 ? 'all others are lower' : `${near.length} more cannot be told apart from it (too few sets)`,
    )
  },
  'verdict:variants-placement': ({ text, holds }, raw) => {
    const { isRange, tells } = variants(raw)
    const [range, tally] = reads(text, /Weighted schedulability (.+): (more in .+) settings\./)
    isRange(range!, 'placement')
    expect(tally).toBe(tallied(tells('placement')))
    expect(holds).toBe(allMore(tells('placement')))
  },
  'verdict:variants-analysis': ({ text, holds }, raw) => {
    const { isRange, tells } = variants(raw)
    const [range, tally] = reads(text, /Weighted schedulability (.+): (more in .+) settings\./)
    isRange(range!, 'analysis')
    expect(tally).toBe(tallied(tells('analysis')))
    expect(holds).toBe(allMore(tells('analysis')))
  },
  'figure:acceptance-variants': ({ text }, raw) => {
    const { isRange, tells, settings } = variants(raw)
    const [placement, analysis, a, b, of] = reads(
      text,
      /Gain in weighted schedulability: floating over dedicated under A4 (.+); A4 over A0 on a floating broker (.+); told apart from 0 in (\d+) and (\d+) of (\d+) settings/,
    )
    isRange(placement!, 'placement')
    isRange(analysis!, 'analysis')
    const apart = (by: 'placement' | 'analysis') => tells(by).filter((one) => one === 'more' || one === 'less').length
    expect([a, b, of].map(Number)).toEqual([apart('placement'), apart('analysis'), settings.length])
  },
  'figure:priority-levels': ({ text }, raw) => {
    const rows = raw['priority-levels']!
    const most = top(values<number>(rows, 'flows'))
    const shown = values<number>(rows, 'utilization').reduce((a, b) => (Math.abs(b - 0.8) < Math.abs(a - 0.8) ? b : a))
    const needed = all(rows, { flows: most, utilization: shown }).map((row) => row['levels/A4'])
    const enough = (levels: number) => needed.filter((one) => typeof one === 'number' && one <= levels).length
    const setting = `${most} flows, A4, utilisation ${shown.toFixed(2)}`
    const full = enough(most)
    if (full === 0) {
      const [sets] = reads(text, /None of (.+) is accepted with any number of priority levels \(.+\)/)
      isCount(sets!, needed.length, 'set')
      return expect(text).toContain(setting)
    }
    const fewest = [1, 2, 3, 4, 6, 8, 16, 32].find((levels) => enough(levels) >= 0.95 * full)!
    const { low, high } = score(enough(fewest), full)
    expect(text).toBe(
      `${fewest} priority level${fewest === 1 ? ' is' : 's are'} enough for ${enough(fewest)} of ${full} set${full === 1 ? '' : 's'} that ${most} levels are enough for ` +
        `(${setting}, ${needed.length} set${needed.length === 1 ? '' : 's'})${high - low <= 0.1 ? '' : ': too few sets to tell how many levels accept 95 %'}`,
    )
  },
}
