/** Acceptance curves, and one number for each. */
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { fixed, percent } from '../format.ts'
import { seriesOf } from '../palette.ts'
import { type Data, dataOf, distinct, type Figure, number, type Section, type Table, where } from '../section.ts'

const SCHEDULERS: Readonly<Record<string, string>> = {
  'fp-dm': 'FP, deadline-monotonic',
  'fp-optimal': 'FP, optimal priorities',
  edf: 'EDF',
}
/** A gain of weighted schedulability below this is none. */
const RELEVANT = 0.02
const ANALYSES = ['A0', 'A3', 'A4', 'A5']

export function acceptanceSection(data: ReportData): Section | null {
  const found = dataOf(data, 'acceptance')
  if (found === null) return null
  const points = where(found.rows, { kind: 'point' })
  const weighted = where(found.rows, { kind: 'weighted' })
  const weight = (design: string, analysis: string, scheduler = 'fp-dm') =>
    number(where(weighted, { design, analysis, scheduler })[0], 'share')
  const analyses = ANALYSES.filter((name) => Number.isFinite(weight('floating', name)))
  const tightest = analyses[analyses.length - 1]!
  const neither = weight('dedicated', 'A0')
  const analysis = weight('dedicated', tightest) - neither
  const design = (name: string) => weight('floating', name) - weight('dedicated', name)
  const remains = design(tightest)
  return {
    id: 'acceptance',
    title: 'Schedulability of random flow sets',
    paragraphs: [
      'How many random flow sets can be guaranteed, by the design of the broker, by the analysis, and by the scheduler. All curves judge the same sets; ' +
        'a share is shown with its 95 % Wilson score interval. Utilisation is copying demanded over copying granted and contains no software, which is what the designs differ in.',
    ],
    keys: [
      {
        value: `${fixed(neither, 2)} → ${fixed(weight('floating', tightest), 2)}`,
        text: `weighted schedulability under deadline-monotonic priorities, from dedicated with A0 to floating with ${tightest}${tightest === 'A4' ? '' : `; ${fixed(weight('floating', 'A4'), 2)} with A4`}`,
        provenance: 'bounded',
      },
    ],
    verdicts: [
      {
        claim: 'Analysis and design each add to what can be guaranteed.',
        holds: analysis > 0 && design('A0') > 0,
        evidence: `Over dedicated/A0 (${fixed(neither, 2)}) the analysis alone gains ${fixed(analysis, 2)} with ${tightest}, and the design alone ${fixed(design('A0'), 2)} of weighted schedulability (FP-DM).`,
      },
      {
        claim: `The design still adds ${RELEVANT} or more under the tightest analysis.`,
        holds: remains >= RELEVANT,
        evidence: `Floating over dedicated gains ${analyses.map((name) => `${fixed(design(name), 3)} with ${name}`).join(', ')}. A tight analysis finds room for the software of either design; what floating gains then is the core.`,
      },
    ],
    figures: [curves(data, found, points), combinations(data, found, points), weightedFigure(data, found, weighted)],
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
const setsOf = (points: readonly Row[]) => `n = ${number(points[0], 'sets')} sets a point`

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
  const half = (design: string, analysis: string) => lastAbove(where(points, { design, analysis, scheduler: 'fp-dm' }))
  return {
    id: 'acceptance-curves',
    finding: `Under A4 the floating broker still accepts half of the sets at utilisation ${half('floating', 'A4')}, the dedicated at ${half('dedicated', 'A4')}; under A0 they do at ${half('floating', 'A0')} and ${half('dedicated', 'A0')} (FP-DM)`,
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

/** Largest utilisation at which half of the sets are accepted. */
function lastAbove(curve: readonly Row[]): string {
  const above = curve.filter((row) => number(row, 'share') >= 0.5).map((row) => number(row, 'utilization'))
  return above.length === 0 ? 'none' : fixed(Math.max(...above), 2)
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

function combinations(data: ReportData, { file }: Data, points: Row[]): Figure {
  const own = where(points, { scheduler: 'fp-dm' })
  const designs = distinct<string>(own, 'design')
  const labels = Object.fromEntries(seriesOf(designs).map(({ key, label }) => [key, label]))
  return {
    id: 'acceptance-analyses',
    finding:
      'What the analysis gains, design by design: A3, A4 and A5 accept sets that the reconstructed baseline test rejects',
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
  const best = weighted.reduce((a, b) => (number(b, 'share') > number(a, 'share') ? b : a))
  return {
    id: 'acceptance-weighted',
    finding: `Best of all: ${labels[String(best.design)]} under ${SCHEDULERS[String(best.scheduler)]} with ${best.analysis}, weighted schedulability ${fixed(number(best, 'share'), 3)}`,
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
  const gain = settings.map((setting) => {
    const of = (design: string, analysis: string) =>
      number(
        rows.find((row) => named(row) === setting && row.design === design && row.analysis === analysis),
        'share',
      )
    return { setting, gain: of('floating', 'A4') - of('dedicated', 'A0') }
  })
  const least = gain.reduce((a, b) => (b.gain < a.gain ? b : a))
  const most = gain.reduce((a, b) => (b.gain > a.gain ? b : a))
  const sets = where(found.rows, { kind: 'point' })
  return {
    id: 'variants',
    title: 'One parameter changed at a time',
    paragraphs: [
      'Whether the picture depends on how sets are drawn, how large they are, how the DMA is cut and regulated, and which costs are taken for the worst.',
    ],
    keys: [],
    verdicts: [
      {
        claim: 'The gain does not hinge on one choice of parameters.',
        holds: least.gain > 0,
        evidence: `Floating with A4 over dedicated with A0 gains from ${fixed(least.gain, 2)} (${least.setting}) to ${fixed(most.gain, 2)} (${most.setting}) of weighted schedulability.`,
      },
    ],
    figures: [
      {
        id: 'acceptance-variants',
        finding: `The gain of floating with A4 over dedicated with A0 lies between ${fixed(least.gain, 2)} (${least.setting}) and ${fixed(most.gain, 2)} (${most.setting})`,
        provenance: 'bounded',
        caption: `Weighted schedulability under deadline-monotonic fixed priority. Default: ${settingOf(usual)}; a row changes what it names. ${setsOf(sets)} of a variant, seed ${data.manifest.campaign.seed}.`,
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
    'share',
  )
  const enough = all.find((row) => number(row, 'share') >= 0.95 * full)
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
        finding: `${enough?.levels ?? '–'} levels accept 95 % of what ${most} levels accept (${most} flows, A4, utilisation ${fixed(shown, 2)})`,
        provenance: 'bounded',
        caption: `Share of sets for which so many levels are enough, at utilisation ${fixed(shown, 2)}, with 95 % Wilson intervals. Floating broker, fixed priority, fewest levels by Audsley's method; n = ${number(rows[0], 'sets')} sets a point, seed ${data.manifest.campaign.seed}.`,
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
