/** How far bounds are above what was found to happen. */
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { fixed } from '../format.ts'
import { seriesOf } from '../palette.ts'
import { type Data, dataOf, distinct, type Figure, number, type Section, where } from '../section.ts'

const ANALYSES = ['A0', 'A3', 'A4', 'A5']
const SWITCHES: Readonly<Record<string, string>> = {
  'without exactSupply': 'without exact supply',
  'without trueChunkSizes': 'without true chunk sizes',
  'without nonPreemptiveLastChunk': 'without own last chunk non-preemptive',
  'without overheadUncharged': 'without overhead outside the budget',
  'without overheadDelaysExhaustion': 'without overhead delaying exhaustion',
}
/** Sets that may never exhaust a budget: far from what the bounds have to assume, and on a scale of their own. */
const LIGHT = 'light'
/** Targets of the project for A4. */
const MEAN_TARGET = 1.15
const MEDIAN_TARGET = 1.03

export function pessimismSection(data: ReportData): Section | null {
  const summary = dataOf(data, 'pessimism')
  if (summary === null) return null
  const rows = summary.rows.map((row) => (row.scheduler === 'edf' ? { ...row, setting: `EDF ${row.setting}` } : row))
  const found = { ...summary, rows }
  const settings = distinct<string>(rows, 'setting').filter((setting) => samples(rows, setting) > 0)
  const of = (setting: string, analysis: string) => where(rows, { setting, analysis })[0]
  const least = Math.min(...rows.map((row) => number(row, 'min')).filter(Number.isFinite))
  const total = settings.reduce((sum, setting) => sum + samples(rows, setting), 0)
  const main = of('fixed', 'A4')
  return {
    id: 'pessimism',
    title: 'Pessimism of the bounds',
    paragraphs: [
      'Bound over worst response found, flow by flow. The search is adversarial but may miss the worst case, so that these ratios overstate pessimism; ' +
        'a ratio below 1 would prove a bound wrong.',
    ],
    keys: [
      {
        value: fixed(number(main, 'median'), 3),
        text: `median of A4 bound over worst response found, mean ${fixed(number(main, 'mean'), 3)} (setting fixed)`,
        provenance: 'bounded over simulated',
      },
    ],
    verdicts: [
      {
        claim: 'No bound is below a response that was found.',
        holds: found.entry.refuted === 0 && least >= 1,
        evidence: `Smallest ratio ${fixed(least, 4)} over ${total} flows and ${distinct(rows, 'analysis').length} analyses.`,
      },
      ...settings.map((setting) => {
        const [mean, median] = ['mean', 'median'].map((name) => number(of(setting, 'A4'), name))
        return {
          claim: `A4, setting ${setting}: mean at most ${MEAN_TARGET}, median at most ${MEDIAN_TARGET}.`,
          holds: mean! <= MEAN_TARGET && median! <= MEDIAN_TARGET,
          evidence: `Mean ${fixed(mean!, 3)}, median ${fixed(median!, 3)} of ${samples(rows, setting)} flows.`,
        }
      }),
    ],
    figures: [
      boxes(data, found, settings),
      switches(
        data,
        found,
        settings.filter((setting) => !setting.endsWith(LIGHT)),
      ),
    ],
  }
}

function samples(rows: readonly Row[], setting: string): number {
  return number(where(rows, { setting, analysis: 'A4' })[0], 'samples')
}

const STATISTICS = ['samples', 'mean', 'median', 'min', 'p90', 'p99', 'max'] as const

function statistics(rows: readonly Row[]) {
  return {
    head: ['setting', 'analysis', ...STATISTICS],
    rows: rows.map((row) => [
      String(row.setting),
      String(row.analysis),
      ...STATISTICS.map((name) => number(row, name)),
    ]),
  }
}

const RATIO = { label: 'bound / worst response found' }
const MEANING =
  'Settings: fixed, software always takes its longest time; varying, anything from best to longest; mixed, parameters at random; look-ahead, one chunk committed ahead; light, sets that may never exhaust a budget. Fixed priority, and EDF where it says so.'

function boxes(data: ReportData, { rows, file }: Data, settings: readonly string[]): Figure {
  const own = rows.filter(
    ({ analysis, setting }) => ANALYSES.includes(String(analysis)) && settings.includes(String(setting)),
  )
  const median = (analysis: string) => fixed(number(where(own, { setting: 'fixed', analysis })[0], 'median'), 2)
  return {
    id: 'pessimism-distributions',
    finding: `A4 is within a few percent of what was found where software times are fixed: median ${median('A4')}, against ${median('A3')} for A3 and ${median('A0')} for A0`,
    provenance: 'bounded over simulated',
    caption: `Distribution over flows: box from first to third quartile, thick line the median, diamond the mean, whiskers from minimum to 99th percentile; the dotted line is 1, below which a bound is wrong. ${MEANING} n = ${settings.map((setting) => `${samples(rows, setting)} (${setting})`).join(', ')} flows, seed ${data.manifest.campaign.seed}.`,
    file,
    chart: {
      kind: 'boxes',
      x: { ...RATIO, scale: 'log10' },
      y: { label: 'analysis' },
      series: seriesOf(ANALYSES),
      points: own.map((row) => ({
        series: String(row.analysis),
        x: number(row, 'median'),
        y: String(row.analysis),
        from: number(row, 'p25'),
        to: number(row, 'p75'),
        low: number(row, 'min'),
        high: number(row, 'p99'),
        mean: number(row, 'mean'),
        row: String(row.setting),
      })),
      rows: settings,
      rules: [{ axis: 'x', at: 1, label: 'bound = worst found' }],
    },
    table: statistics(own),
  }
}

function switches(data: ReportData, { rows, file }: Data, settings: readonly string[]): Figure {
  const shown = ['A4', ...Object.keys(SWITCHES)]
  const own = rows.filter(
    ({ analysis, setting }) => shown.includes(String(analysis)) && settings.includes(String(setting)),
  )
  const mean = (analysis: string) => number(where(own, { setting: 'fixed', analysis })[0], 'mean')
  const worst = Object.keys(SWITCHES).reduce((a, b) => (mean(b) > mean(a) ? b : a))
  return {
    id: 'pessimism-switches',
    finding: `The source of tightness that matters most: ${SWITCHES[worst]!.replace('without ', '')} (mean ${fixed(mean(worst), 2)} without it, ${fixed(mean('A4'), 2)} with all)`,
    provenance: 'bounded over simulated',
    caption: `Mean ratio of A4 as it is, and with one source of tightness taken away at a time; whiskers from median to 90th percentile. Same flows as above without the light sets; seed ${data.manifest.campaign.seed}.`,
    file,
    chart: {
      kind: 'dots',
      x: RATIO,
      y: { label: 'analysis' },
      series: seriesOf(['A4']),
      points: own.map((row) => ({
        series: 'A4',
        x: number(row, 'mean'),
        y: SWITCHES[String(row.analysis)] ?? 'A4',
        low: number(row, 'median'),
        high: number(row, 'p90'),
        column: String(row.setting),
      })),
      columns: settings,
      rules: [{ axis: 'x', at: 1, label: 'bound = worst found' }],
    },
    table: statistics(own),
  }
}
