/** Acceptance curves, and one number for each. */

import { count, fixed, percent, seriesOf, signed } from '../../../page/index.ts'
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import type { Estimate } from '../../statistics.ts'
import {
  countsOf,
  type Data,
  dataOf,
  distinct,
  type Figure,
  number,
  type Section,
  type Table,
  where,
} from '../section.ts'
import {
  allMore,
  effect,
  effectWithInterval,
  gain,
  halfAcceptedText,
  namesOf,
  RELEVANT,
  shareTells,
  TOO_FEW,
  tally,
  told,
} from '../telling.ts'

const SCHEDULERS: Readonly<Record<string, string>> = {
  'fp-dm': 'FP, deadline-monotonic',
  'fp-optimal': 'FP, optimal priorities',
  edf: 'EDF',
}
const ANALYSES = ['A0', 'A3', 'A4', 'A5']
const PLACEMENTS = ['dedicated', 'floating']
/** By which predictions of the board judge, and the test that it is compared with. */
const JUDGED_BY = 'A4'
const BASELINE = 'A0'

export function acceptanceSection(data: ReportData): Section | null {
  const found = dataOf(data, 'acceptance')
  if (found === null) return null
  const points = where(found.rows, { kind: 'point' })
  const weighted = where(found.rows, { kind: 'weighted' })
  const of = (design: string, analysis: string) => where(weighted, { design, analysis, scheduler: 'fp-dm' })[0]
  const byAnalysis = PLACEMENTS.map((design) => ({ design, by: gain(of(design, JUDGED_BY), of(design, BASELINE)) }))
  const byPlacement = [BASELINE, JUDGED_BY].map((analysis) => ({
    analysis,
    by: gain(of('floating', analysis), of('dedicated', analysis)),
  }))
  const remains = byPlacement[1]!.by
  const sets = `n = ${count(number(of('floating', JUDGED_BY), 'sets'), 'set')}, the same for all`
  return {
    id: 'acceptance',
    title: 'Schedulability of random flow sets',
    paragraphs: [
      'How many random flow sets can be guaranteed, by the design of the broker, by the analysis, and by the scheduler. All curves judge the same sets; ' +
        'a share is shown with its 95 % Wilson score interval. Utilisation is copying demanded over copying granted and contains no software, which is what the designs differ in.',
    ],
    keys: [
      {
        id: 'placement-by-analysis',
        grid: {
          head: ['', BASELINE, JUDGED_BY],
          rows: PLACEMENTS.map((design) => [
            design,
            ...[BASELINE, JUDGED_BY].map((analysis) => fixed(number(of(design, analysis), 'share'), 2)),
          ]),
        },
        text:
          `weighted schedulability under deadline-monotonic priorities, placement by analysis. ` +
          `Floating adds ${byPlacement.map(({ analysis, by }) => `${effect(by)} under ${analysis}`).join(' and ')}; ` +
          `${JUDGED_BY} adds ${byAnalysis.map(({ design, by }) => `${effect(by)} on a ${design} broker`).join(' and ')}; ${sets}`,
        provenance: 'bounded',
      },
    ],
    verdicts: [
      {
        id: 'analysis-adds',
        claim: `${JUDGED_BY}, by which the board is judged, guarantees more than ${BASELINE}, the reconstructed baseline, on a dedicated and on a floating broker.`,
        holds: allMore(byAnalysis.map(({ by }) => told(by))),
        evidence: `Weighted schedulability (FP-DM): ${byAnalysis.map(({ design, by }) => `${design} ${effectWithInterval(by)}`).join(', ')}; ${sets}.`,
      },
      {
        id: 'placement-adds',
        claim: `More is guaranteed on a floating broker than on a dedicated one, under ${BASELINE} and under ${JUDGED_BY}.`,
        holds: allMore(byPlacement.map(({ by }) => told(by))),
        evidence: `Weighted schedulability (FP-DM): ${byPlacement.map(({ analysis, by }) => `${analysis} ${effectWithInterval(by)}`).join(', ')}; ${sets}.`,
      },
      {
        id: 'placement-adds-relevantly',
        claim: `Under ${JUDGED_BY} floating placement adds ${RELEVANT} or more.`,
        holds: remains.low >= RELEVANT ? true : remains.high < RELEVANT ? false : null,
        evidence: `${remains.low < RELEVANT && remains.high >= RELEVANT ? `T${TOO_FEW.slice(1)}: ` : ''}${signed(remains.value, 3)} [${signed(remains.low, 3)}, ${signed(remains.high, 3)}] of weighted schedulability (FP-DM); ${sets}. What floating gains besides is a core.`,
      },
    ],
    figures: [
      curves(data, found, points),
      combinations(data, found, points, weighted),
      weightedFigure(data, found, weighted),
    ],
  }
}

function settingOf(row: Row | undefined): string {
  if (row === undefined) return ''
  const budget =
    row.budgetShare === 1
      ? 'no regulator'
      : `P = ${number(row, 'regulatorPeriodNs') / 1e6} ms, Q/P = ${row.budgetShare}`
  return `${row.flows} flows, ${row.generator === 'drs' ? 'DRS' : 'UUniFast'}, ${row.deadlines} deadlines, S = ${number(row, 'chunkBytes') / 1024} KiB, ${budget}, ${row.costs} costs`
}

const seedOf = ({ manifest }: ReportData) => `seed ${manifest.campaign.seed}`
const setsOf = (points: readonly Row[]) => `n = ${countsOf(points, 'sets', 'set')} a point`

function pointsOf(
  points: readonly Row[],
  series: string,
  column: string,
  labels: Readonly<Record<string, string>>,
  row?: string,
) {
  return points.map((point) => ({
    series: String(point[series]),
    x: number(point, 'utilization'),
    y: number(point, 'share'),
    low: number(point, 'low'),
    high: number(point, 'high'),
    column: labels[String(point[column])] ?? String(point[column]),
    ...(row !== undefined && { row: String(point[row]) }),
  }))
}

const UTILIZATION = { label: 'utilisation of the granted DMA time', domain: [0, 1] as [number, number] }
const RATIO = { label: 'acceptance ratio', domain: [0, 1] as [number, number] }

function curves(data: ReportData, { file }: Data, points: Row[]): Figure {
  const designs = distinct<string>(points, 'design')
  const schedulers = distinct<string>(points, 'scheduler')
  const half = (design: string, analysis: string) =>
    `${design} ${halfAcceptedText(where(points, { design, analysis, scheduler: 'fp-dm' }))}`
  const halves = [JUDGED_BY, BASELINE].map(
    (analysis) => `under ${analysis} ${['floating', 'dedicated'].map((design) => half(design, analysis)).join(', ')}`,
  )
  return {
    id: 'acceptance-curves',
    finding: `Half of the sets are accepted up to a utilisation of: ${halves.join('; ')} (FP-DM, by the 95 % intervals)`,
    provenance: 'bounded',
    caption: `Share of sets that the test accepts, with 95 % Wilson intervals. Columns: scheduler; rows: analysis. ${settingOf(points[0])}; ${setsOf(points)}, ${seedOf(data)}.`,
    file,
    chart: {
      kind: 'lines',
      x: UTILIZATION,
      y: RATIO,
      series: seriesOf(designs),
      points: pointsOf(points, 'design', 'scheduler', SCHEDULERS, 'analysis'),
      columns: schedulers.map((name) => SCHEDULERS[name] ?? name),
      rows: ANALYSES,
      heightPx: 190,
    },
    table: shares(points, ['scheduler', 'analysis', 'design']),
  }
}

function shares(points: readonly Row[], columns: readonly string[]): Table {
  const utilizations = distinct<number>(points, 'utilization')
  const curves = [...new Set(points.map((point) => columns.map((column) => point[column]).join('|')))]
  return {
    head: [...columns, ...utilizations.map((u) => fixed(u, 2))],
    rows: curves.map((curve) => {
      const names = curve.split('|')
      const match = Object.fromEntries(columns.map((column, i) => [column, names[i]!]))
      const own = where(points, match)
      return [
        ...names,
        ...utilizations.map((u) =>
          number(
            own.find((point) => point.utilization === u),
            'share',
          ),
        ),
      ]
    }),
  }
}

function combinations(data: ReportData, { file }: Data, points: Row[], weighted: readonly Row[]): Figure {
  const own = where(points, { scheduler: 'fp-dm' })
  const designs = distinct<string>(own, 'design')
  const labels = Object.fromEntries(seriesOf(designs).map(({ key, label }) => [key, label]))
  const of = (design: string, analysis: string) => where(weighted, { design, analysis, scheduler: 'fp-dm' })[0]
  const gains = designs.map(
    (design) => `${labels[design]} ${effect(gain(of(design, JUDGED_BY), of(design, BASELINE)))}`,
  )
  return {
    id: 'acceptance-analyses',
    finding: `What ${JUDGED_BY} gains over ${BASELINE} in weighted schedulability, design by design: ${gains.join(', ')} (FP-DM)`,
    provenance: 'bounded',
    caption: `The curves of the first column above, one panel a design. Deadline-monotonic fixed priority; ${settingOf(own[0])}; ${setsOf(own)}, ${seedOf(data)}.`,
    file,
    chart: {
      kind: 'lines',
      x: UTILIZATION,
      y: RATIO,
      series: seriesOf(ANALYSES),
      points: pointsOf(own, 'analysis', 'design', labels),
      columns: designs.map((design) => labels[design]!),
      heightPx: 210,
    },
    table: shares(own, ['design', 'analysis']),
  }
}

function weightedFigure(data: ReportData, { file }: Data, weighted: Row[]): Figure {
  const designs = distinct<string>(weighted, 'design')
  const labels = Object.fromEntries(seriesOf(designs).map(({ key, label }) => [key, label]))
  const most = Math.max(...weighted.map((row) => number(row, 'share')))
  const best = weighted.filter((row) => number(row, 'share') === most)
  const near = weighted.filter((row) => number(row, 'share') < most && told(gain(best[0], row)) !== 'more')
  const named = (row: Row) =>
    `${labels[String(row.design)]} under ${SCHEDULERS[String(row.scheduler)]} with ${row.analysis}`
  return {
    id: 'acceptance-weighted',
    finding: `The highest weighted schedulability of ${weighted.length} combinations is ${fixed(most, 3)} (${namesOf(best.map(named), 'of them')}); ${
      near.length === 0 ? 'all others are lower' : `${near.length} more cannot be told apart from it (${TOO_FEW})`
    }`,
    provenance: 'bounded',
    caption: `Weighted schedulability sum(U·share)/sum(U) of each curve (Bastoni, Brandenburg and Anderson 2010). ${settingOf(weighted[0])}; ${seedOf(data)}.`,
    file,
    chart: {
      kind: 'dots',
      x: { label: 'weighted schedulability', domain: [0, 1] },
      y: { label: 'design' },
      series: seriesOf(ANALYSES),
      points: weighted.map((row) => ({
        series: String(row.analysis),
        x: number(row, 'share'),
        y: labels[String(row.design)]!,
        column: SCHEDULERS[String(row.scheduler)]!,
      })),
      columns: distinct<string>(weighted, 'scheduler').map((name) => SCHEDULERS[name] ?? name),
    },
    table: {
      head: ['design', 'scheduler', 'analysis', 'weighted schedulability'],
      rows: weighted.map((row) => [
        String(row.design),
        String(row.scheduler),
        String(row.analysis),
        number(row, 'share'),
      ]),
    },
  }
}

const VARIED: readonly (readonly [column: string, label: (value: Row[string]) => string])[] = [
  ['generator', (value) => (value === 'drs' ? 'utilisations by DRS' : 'utilisations by UUniFast')],
  ['deadlines', (value) => `${value} deadlines`],
  ['flows', (value) => `${value} flows`],
  ['chunkBytes', (value) => `S = ${Number(value) / 1024} KiB`],
  ['regulatorPeriodNs', (value) => `P = ${Number(value) / 1e6} ms`],
  ['budgetShare', (value) => (value === 1 ? 'no regulator' : `Q/P = ${value}`)],
  ['costs', (value) => `${value} costs`],
]

/** One parameter changed at a time, against the curves of the acceptance experiment where that was run. */
export function variantsSection(data: ReportData): Section | null {
  const found = dataOf(data, 'acceptance-variants')
  if (found === null) return null
  const base = dataOf(data, 'acceptance')
  const at = { kind: 'weighted', scheduler: 'fp-dm' }
  const variants = where(found.rows, at)
  const standard = base === null ? [] : where(base.rows, at)
  const usual = standard[0] ?? mostFrequent(variants)
  const named = (row: Row) => {
    const changed = VARIED.filter(([column]) => row[column] !== usual[column])
    return changed.length === 0 ? 'default' : changed.map(([column, label]) => label(row[column]!)).join(', ')
  }
  const rows = [...standard, ...variants]
  const designs = distinct<string>(rows, 'design')
  const labels = Object.fromEntries(seriesOf(designs).map(({ key, label }) => [key, label]))
  const settings = [...new Set(rows.map(named))]
  const of = (setting: string, design: string, analysis: string) =>
    rows.find((row) => named(row) === setting && row.design === design && row.analysis === analysis)
  const effects = [
    {
      id: 'placement',
      what: `floating over dedicated under ${JUDGED_BY}`,
      claim: `Under ${JUDGED_BY} more is guaranteed on a floating broker than on a dedicated one, in every setting.`,
      by: settings.map((setting) => gain(of(setting, 'floating', JUDGED_BY), of(setting, 'dedicated', JUDGED_BY))),
    },
    {
      id: 'analysis',
      what: `${JUDGED_BY} over ${BASELINE} on a floating broker`,
      claim: `On a floating broker ${JUDGED_BY} guarantees more than ${BASELINE}, in every setting.`,
      by: settings.map((setting) => gain(of(setting, 'floating', JUDGED_BY), of(setting, 'floating', BASELINE))),
    },
  ].map((one) => ({ ...one, range: rangeOf(settings, one.by), told: one.by.map(told) }))
  const sets = where(found.rows, { kind: 'point' })
  return {
    id: 'variants',
    title: 'One parameter changed at a time',
    paragraphs: [
      'Whether the picture depends on how sets are drawn, how large they are, how the DMA is cut and regulated, and which costs are taken for the worst.',
    ],
    keys: [],
    verdicts: effects.map((one) => ({
      id: `variants-${one.id}`,
      claim: one.claim,
      holds: allMore(one.told),
      evidence: `Weighted schedulability ${one.range}: ${tally(one.told)} settings.`,
    })),
    figures: [
      {
        id: 'acceptance-variants',
        finding: `Gain in weighted schedulability: ${effects.map((one) => `${one.what} ${one.range}`).join('; ')}; told apart from 0 in ${effects.map((one) => one.told.filter((tell) => tell === 'more' || tell === 'less').length).join(' and ')} of ${settings.length} settings`,
        provenance: 'bounded',
        caption: `Weighted schedulability under deadline-monotonic fixed priority. Default: ${settingOf(usual)}; a row changes what it names. ${setsOf(sets)} of a variant${base === null ? '' : `, ${setsOf(where(base.rows, { kind: 'point' }))} of the default`}, seed ${data.manifest.campaign.seed}.`,
        file: found.file,
        chart: {
          kind: 'dots',
          x: { label: 'weighted schedulability', domain: [0, 1] },
          y: { label: 'setting' },
          series: seriesOf(ANALYSES),
          points: rows.map((row) => ({
            series: String(row.analysis),
            x: number(row, 'share'),
            y: named(row),
            column: labels[String(row.design)]!,
          })),
          columns: designs.map((design) => labels[design]!),
        },
        table: {
          head: ['setting', 'analysis', ...designs.map((design) => labels[design]!)],
          rows: settings.flatMap((setting) =>
            ANALYSES.map((analysis) => [
              setting,
              analysis,
              ...designs.map((design) =>
                number(
                  rows.find((row) => named(row) === setting && row.analysis === analysis && row.design === design),
                  'share',
                ),
              ),
            ]),
          ),
        },
      },
    ],
  }
}

/** From the least to the most, and where. */
function rangeOf(settings: readonly string[], by: readonly Estimate[]): string {
  const end = (value: number) =>
    `${signed(value, 2)} (${namesOf(
      settings.filter((_, i) => by[i]!.value === value),
      'settings',
    )})`
  const values = by.map(({ value }) => value).filter(Number.isFinite)
  if (values.length === 0) return 'unknown'
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (least === most) return `${signed(least, 2)} in all of ${count(values.length, 'setting')}`
  return `from ${end(least)} to ${end(most)}`
}

/** Each parameter's most frequent value: what the variants vary around. */
function mostFrequent(rows: readonly Row[]): Row {
  return Object.fromEntries(
    VARIED.map(([column]) => {
      const times = (value: Row[string]) => rows.filter((row) => row[column] === value).length
      return [column, distinct(rows, column).reduce((a, b) => (times(b) > times(a) ? b : a))]
    }),
  )
}

/** How many priority levels are enough. */
export function levelsSection(data: ReportData): Section | null {
  const found = dataOf(data, 'priority-levels')
  if (found === null) return null
  const flowCounts = distinct<number>(found.rows, 'flows')
  const most = Math.max(...flowCounts)
  const tried = distinct<number>(found.rows, 'utilization')
  const shown = tried.reduce((a, b) => (Math.abs(b - 0.8) < Math.abs(a - 0.8) ? b : a))
  const rows = where(found.rows, { utilization: shown })
  const all = where(rows, { analysis: 'A4', flows: most })
  const full = number(
    all.find(({ levels }) => levels === most),
    'accepted',
  )
  const enough = all.find((row) => number(row, 'accepted') >= 0.95 * full)
  const accepted = number(enough, 'accepted')
  const sets = number(all[0], 'sets')
  const setting = `${most} flows, A4, utilisation ${fixed(shown, 2)}`
  return {
    id: 'levels',
    title: 'Limited priority levels',
    paragraphs: [
      'n flows on g priority levels, assigned optimally: what hardware queues, or a rival that has few levels, could guarantee.',
    ],
    keys: [],
    verdicts: [],
    figures: [
      {
        id: 'priority-levels',
        finding:
          full > 0
            ? `${count(number(enough, 'levels'), 'priority level')} ${number(enough, 'levels') === 1 ? 'is' : 'are'} enough for ${accepted} of ${count(full, 'set')} that ${most} levels are enough for (${setting}, ${count(sets, 'set')})${shareTells(accepted, full) ? '' : `: ${TOO_FEW} to tell how many levels accept 95 %`}`
            : `None of ${count(sets, 'set')} is accepted with any number of priority levels (${setting})`,
        provenance: 'bounded',
        caption: `Share of sets for which so many levels are enough, at utilisation ${fixed(shown, 2)}, with 95 % Wilson intervals. Floating broker, fixed priority, fewest levels by Audsley's method; n = ${countsOf(rows, 'sets', 'set')} a point, seed ${data.manifest.campaign.seed}.`,
        file: found.file,
        chart: {
          kind: 'lines',
          x: { label: 'priority levels g', scale: 'log2', format: 'number' },
          y: RATIO,
          series: seriesOf(ANALYSES),
          points: rows.map((row) => ({
            series: String(row.analysis),
            x: number(row, 'levels'),
            y: number(row, 'share'),
            low: number(row, 'low'),
            high: number(row, 'high'),
            column: `${row.flows} flows`,
          })),
          columns: flowCounts.map((flows) => `${flows} flows`),
          heightPx: 210,
        },
        table: {
          head: ['flows', 'analysis', 'levels', 'accepted', 'sets', 'share'],
          rows: rows.map((row) => [
            number(row, 'flows'),
            String(row.analysis),
            number(row, 'levels'),
            number(row, 'accepted'),
            number(row, 'sets'),
            percent(number(row, 'share'), 1),
          ]),
        },
      },
    ],
  }
}
