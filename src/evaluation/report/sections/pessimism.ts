/** How far bounds are above what was found to happen. */

import { count, figure, fixed, seriesOf } from '../../../page/index.ts'
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { difference } from '../../statistics.ts'
import {
  type Data,
  dataOf,
  distinct,
  extremes,
  type Figure,
  number,
  type Section,
  type Verdict,
  where,
} from '../section.ts'
import { estimate, namesOf, TOO_FEW, told } from '../telling.ts'

const SCHEDULERS: Readonly<Record<string, string>> = { fp: 'FP, deadline-monotonic', edf: 'EDF' }
const WITHOUT = 'without '
/** Sets that may never exhaust a budget: far from what the bounds have to assume, and on a scale of their own. */
const LIGHT = 'light'
/** What the project asks of its bounds. */
const MEAN_TARGET = 1.15
const MEDIAN_TARGET = 1.03

export function pessimismSection(data: ReportData): Section | null {
  const found = dataOf(data, 'pessimism')
  if (found === null) return null
  const rows = found.rows.filter((row) => number(row, 'samples') > 0)
  const whole = rows.filter(({ analysis }) => !String(analysis).startsWith(WITHOUT))
  const heavy = whole.filter(({ setting }) => setting !== LIGHT)
  const analyses = distinct<string>(whole, 'analysis')
  const least = extremes(rows.map((row) => number(row, 'min')))?.least ?? null
  const main = where(heavy, { setting: 'fixed', scheduler: 'fp', analysis: 'A4' })[0]
  return {
    id: 'pessimism',
    title: 'Pessimism of the bounds',
    paragraphs: [
      'Bound over worst response found, flow by flow. The search is adversarial but may miss the worst case, so that these ratios overstate pessimism; ' +
        'a ratio below 1 would prove a bound wrong.',
      'Settings: fixed, software always takes its longest time; varying, anything from best to longest; mixed, parameters at random; look-ahead, one chunk committed ahead; light, sets of any of these that may never exhaust a budget, and are counted there only.',
    ],
    keys:
      main === undefined
        ? []
        : [
            {
              id: 'pessimism',
              value: fixed(number(main, 'median'), 3),
              text: `median of A4 bound over worst response found, mean ${fixed(number(main, 'mean'), 3)} (fixed priority, setting fixed; ${flowsOf(main)}${tells(main) ? '' : `: ${TOO_FEW} to tell more`})`,
              provenance: 'bounded over simulated',
            },
          ],
    verdicts: [
      {
        id: 'bounds-hold',
        claim: 'No bound is below a response that was found.',
        holds: least === null ? null : found.entry.refuted === 0 && least >= 1,
        evidence:
          least === null
            ? 'No flow has a bound.'
            : `Smallest ratio ${fixed(least, 4, 'down')} over ${figure(found.entry.rows)} flows and ${distinct(rows, 'analysis').length} analyses and variants.`,
      },
      ...distinct<string>(heavy, 'scheduler').flatMap((scheduler) =>
        analyses
          .filter((analysis) => analysis >= 'A4')
          .map((analysis) => target(where(whole, { scheduler, analysis }), scheduler, analysis)),
      ),
    ],
    figures: heavy.length === 0 ? [] : [boxes(data, found, heavy, analyses), switches(data, found, rows)],
  }
}

const flowsOf = (row: Row) => `n = ${count(number(row, 'samples'), 'flow')} of ${count(number(row, 'sets'), 'set')}`
const tells = (row: Row) => Number.isFinite(number(row, 'meanLow')) && Number.isFinite(number(row, 'medianLow'))

/** Whether an analysis is as tight as asked for in every setting, by 95 % intervals; light sets are told, and not judged. */
function target(rows: readonly Row[], scheduler: string, analysis: string): Verdict {
  const said = (row: Row) =>
    `${row.setting} ${fixed(number(row, 'mean'), 3)} and ${fixed(number(row, 'median'), 3)} (${flowsOf(row)})`
  const judged = rows.filter(({ setting }) => setting !== LIGHT)
  const light = rows.filter(({ setting }) => setting === LIGHT)
  const reached = judged.every(
    (row) => number(row, 'meanHigh') <= MEAN_TARGET && number(row, 'medianHigh') <= MEDIAN_TARGET,
  )
  const missed = judged.some((row) => number(row, 'meanLow') > MEAN_TARGET || number(row, 'medianLow') > MEDIAN_TARGET)
  const holds = missed ? false : reached && judged.length > 0 ? true : null
  return {
    id: `tight-${scheduler}-${analysis}`,
    claim: `${analysis} under ${SCHEDULERS[scheduler] ?? scheduler}: mean at most ${MEAN_TARGET}, median at most ${MEDIAN_TARGET}.`,
    holds,
    evidence: `${holds === null ? `T${TOO_FEW.slice(1)} to tell: ` : ''}${judged.map(said).join('; ')}.${light.length === 0 ? '' : ` Not judged: ${light.map(said).join('; ')}.`}`,
  }
}

const STATISTICS = [
  'samples',
  'sets',
  'mean',
  'meanLow',
  'meanHigh',
  'median',
  'medianLow',
  'medianHigh',
  'min',
  'p10',
  'p25',
  'p75',
  'p90',
  'p99',
  'max',
] as const

function statistics(rows: readonly Row[]) {
  return {
    head: ['scheduler', 'setting', 'analysis', ...STATISTICS],
    rows: rows.map((row) => [
      ...['scheduler', 'setting', 'analysis'].map((column) => String(row[column])),
      ...STATISTICS.map((name) => number(row, name)),
    ]),
  }
}

const named = (row: Row) => SCHEDULERS[String(row.scheduler)] ?? String(row.scheduler)
const samplesOf = (rows: readonly Row[]) =>
  where(rows, { analysis: 'A4' })
    .map((row) => `${row.setting} ${figure(number(row, 'samples'))} (${String(row.scheduler).toUpperCase()})`)
    .join(', ')

function boxes(data: ReportData, { file, rows }: Data, heavy: readonly Row[], analyses: readonly string[]): Figure {
  const medians = ['A4', 'A3', 'A0'].flatMap((analysis) => {
    const row = where(heavy, { setting: 'fixed', scheduler: 'fp', analysis })[0]
    return row === undefined ? [] : [`${fixed(number(row, 'median'), 3)} with ${analysis} (${flowsOf(row)})`]
  })
  const light = rows.some(({ setting }) => setting === LIGHT)
  return {
    id: 'pessimism-distributions',
    finding:
      medians.length === 0
        ? 'No flow has a bound where software times are fixed (FP)'
        : `Where software times are fixed the median of bound over worst response found is ${medians.join(', ')} (FP)`,
    provenance: 'bounded over simulated',
    caption: `Distribution over flows: box from first to third quartile, thick line the median, diamond the mean, whiskers from minimum to 99th percentile; the dotted line is 1, below which a bound is wrong. n = ${samplesOf(heavy)} flows, seed ${data.manifest.campaign.seed}.${light ? ' Light sets are in the table only.' : ''}`,
    file,
    chart: {
      kind: 'boxes',
      x: { label: 'bound / worst response found', scale: 'log10' },
      y: { label: 'analysis' },
      series: seriesOf(analyses),
      points: heavy.map((row) => ({
        series: String(row.analysis),
        x: number(row, 'median'),
        y: String(row.analysis),
        from: number(row, 'p25'),
        to: number(row, 'p75'),
        low: number(row, 'min'),
        high: number(row, 'p99'),
        mean: number(row, 'mean'),
        row: String(row.setting),
        column: named(row),
      })),
      columns: distinct<string>(heavy, 'scheduler').map((name) => SCHEDULERS[name] ?? name),
      rows: distinct<string>(heavy, 'setting'),
      rules: [{ axis: 'x', at: 1, label: 'bound = worst found' }],
    },
    table: statistics(rows.filter(({ analysis }) => analyses.includes(String(analysis)))),
  }
}

/** `without trueChunkSizes` to `without true chunk sizes`. */
function readable(analysis: string): string {
  return analysis.replace(/[A-Z]/g, (letter) => (analysis.startsWith(WITHOUT) ? ` ${letter.toLowerCase()}` : letter))
}

function switches(data: ReportData, { file }: Data, rows: readonly Row[]): Figure {
  const own = rows.filter(
    ({ analysis, setting }) => setting !== LIGHT && (analysis === 'A4' || String(analysis).startsWith(WITHOUT)),
  )
  const of = (analysis: string) => where(own, { setting: 'fixed', scheduler: 'fp', analysis })[0]
  const mean = (analysis: string) => number(of(analysis), 'mean')
  const around = (analysis: string) => estimate(of(analysis), ['mean', 'meanLow', 'meanHigh'])
  const taken = distinct<string>(own, 'analysis').filter((analysis) => analysis !== 'A4')
  const most = extremes(taken.map(mean))?.most ?? Number.NaN
  const worst = taken.filter((analysis) => mean(analysis) === most)
  const near = taken.filter(
    (analysis) => mean(analysis) < most && told(difference(around(worst[0]!), around(analysis))) !== 'more',
  )
  const source = (analysis: string) => readable(analysis).replace(WITHOUT, '')
  return {
    id: 'pessimism-switches',
    finding: !(most > mean('A4'))
      ? `Without any one source of tightness the mean ratio is no greater than with all (FP, fixed)`
      : `The mean ratio grows most without ${namesOf(worst.map(source), 'sources of tightness')}: ${fixed(most, 3)}, against ${fixed(mean('A4'), 3)} with all (FP, fixed${near.length === 0 ? '' : `; ${TOO_FEW} to tell it from ${namesOf(near.map(source), 'others')}`})`,
    provenance: 'bounded over simulated',
    caption: `Mean ratio of A4 as it is, and with one source of tightness taken away at a time; whiskers from median to 90th percentile. Of the flows above those with such a bound, which the table counts; with all n = ${samplesOf(own)}, seed ${data.manifest.campaign.seed}.`,
    file,
    chart: {
      kind: 'dots',
      x: { label: 'bound / worst response found' },
      y: { label: 'analysis' },
      series: seriesOf(['A4']),
      points: ['A4', ...taken].flatMap((analysis) =>
        where(own, { analysis }).map((row) => ({
          series: 'A4',
          x: number(row, 'mean'),
          y: readable(analysis),
          low: number(row, 'median'),
          high: number(row, 'p90'),
          column: String(row.setting),
          row: String(row.scheduler).toUpperCase(),
        })),
      ),
      columns: distinct<string>(own, 'setting'),
      rows: distinct<string>(own, 'scheduler').map((name) => name.toUpperCase()),
      rules: [{ axis: 'x', at: 1, label: 'bound = worst found' }],
    },
    table: statistics(own),
  }
}
