/** The same load on every board, and what the results hang on. */

import { bytes, count, duration, fixed, percent, seriesOf } from '../../../page/index.ts'
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { difference, type Estimate } from '../../statistics.ts'
import { countsOf, dataOf, distinct, extremes, type Figure, number, type Section, where } from '../section.ts'
import { estimate, namesOf, TOO_FEW, tally, told } from '../telling.ts'

const WEIGHTED = ['weightedSchedulability', 'weightedLow', 'weightedHigh'] as const

export function platformsSection(data: ReportData): Section | null {
  const found = dataOf(data, 'platforms')
  if (found === null) return null
  const { rows, file } = found
  const boards = distinct<string>(rows, 'platform')
  const stolen = (row: Row | undefined) => number(row, 'senderShare') + number(row, 'receiverShare')
  const of = (platform: string, design: string) => where(rows, { platform, design })[0]
  const both = boards.filter((platform) => of(platform, 'dedicated') !== undefined)
  const compared = (column: string) => {
    const pairs = both.map((platform) => ({
      platform,
      by: number(of(platform, 'floating-minimum'), column) - number(of(platform, 'dedicated'), column),
    }))
    const named = (chosen: typeof pairs) => chosen.map(({ platform }) => platform)
    return {
      lower: named(pairs.filter(({ by }) => by < 0)),
      equal: named(pairs.filter(({ by }) => by === 0)),
      higher: named(pairs.filter(({ by }) => by > 0)),
    }
  }
  const p99 = compared('p99Ns')
  /** Of one design: the least and the most of all boards, and where. */
  const range = (design: string, value: (row: Row) => number, shown: (value: number) => string) => {
    const own = where(rows, { design }).filter((row) => Number.isFinite(value(row)))
    const ends = extremes(own.map(value))
    const end = (one: number) =>
      `${shown(one)} (${namesOf(
        own.filter((row) => value(row) === one).map((row) => String(row.platform)),
        'boards',
      )})`
    if (ends === null) return 'unknown'
    if (ends.least === ends.most)
      return `${shown(ends.least)} on ${own.length === 1 ? '1 board' : `all ${own.length} boards`}`
    return `from ${end(ends.least)} to ${end(ends.most)}`
  }
  const less = both.filter((platform) => stolen(of(platform, 'floating-minimum')) < stolen(of(platform, 'dedicated')))
  const accepted = both.map((platform) =>
    told(
      difference(estimate(of(platform, 'floating-minimum'), WEIGHTED), estimate(of(platform, 'dedicated'), WEIGHTED)),
    ),
  )
  const setting = `${bytes(number(rows[0], 'lengthBytes'))} every ${duration(number(rows[0], 'periodNs'))} between two cores, costs drawn between best and worst, no regulator; n = ${countsOf(rows, 'messages', 'message')}, seed ${data.manifest.campaign.seed}. A dedicated broker needs a third core.`
  const table = {
    head: [
      'platform',
      'cores',
      'design',
      'median',
      'p99',
      'maximum',
      'bound',
      'stolen share',
      'weighted schedulability',
    ],
    rows: rows.map((row) => [
      String(row.platform),
      number(row, 'cores'),
      String(row.design),
      ...['medianNs', 'p99Ns', 'maxNs', 'boundNs'].map((column) => duration(number(row, column))),
      percent(stolen(row), 2),
      fixed(number(row, 'weightedSchedulability'), 3),
    ]),
  }
  const dots = (
    figure: Pick<Figure, 'id' | 'finding' | 'provenance' | 'caption'>,
    label: string,
    x: (row: Row) => number,
    format?: 'percent',
    shown: readonly Row[] = rows,
  ): Figure => ({
    ...figure,
    file,
    half: true,
    chart: {
      kind: 'dots',
      x: { label, ...(format && { format }) },
      y: { label: 'platform' },
      series: seriesOf(distinct<string>(shown, 'design')),
      points: shown.map((row) => ({ series: String(row.design), x: x(row), y: String(row.platform) })),
    },
    table,
  })
  return {
    id: 'platforms',
    title: 'Platforms',
    paragraphs: [
      'Of the boards but the ZCU102 only the outline is known: the costs are its own, scaled to the processor. Where the order of the designs carries over from board to board, it says more than the figures.',
    ],
    keys: [],
    verdicts: [
      {
        id: 'platforms-order',
        claim:
          'Floating, minimum, has a lower 99th percentile of the latency than dedicated on every board with a core for a dedicated broker.',
        holds: both.length === 0 ? null : p99.lower.length === both.length,
        evidence:
          both.length === 0
            ? 'No board has a core for a dedicated broker.'
            : `Lower on ${p99.lower.length} of ${count(both.length, 'board')} that ${both.length === 1 ? 'has' : 'have'} a core for a dedicated broker${p99.equal.length === 0 ? '' : `, equal on ${p99.equal.join(', ')}`}${p99.higher.length === 0 ? '' : `, higher on ${p99.higher.join(', ')}`}.`,
      },
    ],
    figures: [
      dots(
        {
          id: 'platforms-latency',
          finding: `The 99th percentile is lower under floating, minimum, than under dedicated on ${p99.lower.length} of ${count(both.length, 'board')} and higher on ${p99.higher.length}`,
          provenance: 'simulated',
          caption: `99th percentile of the latency. ${setting}`,
        },
        'latency (p99), µs',
        (row) => number(row, 'p99Ns') / 1000,
      ),
      dots(
        {
          id: 'platforms-stolen',
          finding: `Floating, minimum, takes ${range('floating-minimum', stolen, (share) => percent(share, 2))} of two cores; less than dedicated on ${less.length} of ${count(both.length, 'board')}`,
          provenance: 'simulated',
          caption: `EL2 time on the cores of both VMs, summed; a dedicated broker takes its own core on top. ${setting}`,
        },
        'stolen share of two cores',
        stolen,
        'percent',
      ),
      dots(
        {
          id: 'platforms-acceptance',
          finding: `Weighted schedulability of floating: ${range(
            'floating-minimum',
            (row) => number(row, 'weightedSchedulability'),
            (share) => fixed(share, 3),
          )}; against dedicated ${tally(accepted)} boards`,
          provenance: 'bounded',
          caption: `Weighted schedulability under A4, deadline-monotonic, 8 flows, S = 4 KiB, P = 1 ms, Q/P = 0.5, typical costs; n = ${countsOf(rows, 'sets', 'set')} at each of ten utilisations, seed ${data.manifest.campaign.seed}. The DMA rate is the same, ASSUMED, on all boards.`,
        },
        'weighted schedulability',
        (row) => number(row, 'weightedSchedulability'),
        undefined,
        // One abstract model for both kinds of floating.
        rows.filter(({ design }) => design !== 'floating-plain'),
      ),
      dots(
        {
          id: 'platforms-bound',
          finding: `End-to-end bounds of floating, minimum: ${range(
            'floating-minimum',
            (row) => number(row, 'boundNs'),
            (ns) => duration(ns),
          )}`,
          provenance: 'bounded',
          caption: `End-to-end bound with A4 and worst costs. ${setting}`,
        },
        'end-to-end bound, µs',
        (row) => number(row, 'boundNs') / 1000,
      ),
    ],
  }
}

const METRICS: readonly (readonly [column: string, label: string, provenance: 'simulated' | 'bounded'])[] = [
  ['p99Ns', 'latency (p99) of 64 KiB commands', 'simulated'],
  ['stolenShare', 'stolen time, all VM cores', 'simulated'],
  ['weightedSchedulability', 'weighted schedulability', 'bounded'],
  ['remapNs', 'latency of 64 KiB remapped', 'simulated'],
]
interface Leading {
  readonly first: readonly string[]
  readonly next: readonly string[]
  readonly near: readonly string[]
}

/** Of a difference, without its sign. */
function magnitude({ value, low, high }: Estimate): Estimate {
  const ends = [Math.abs(low), Math.abs(high)]
  return { value: Math.abs(value), low: low <= 0 && high >= 0 ? 0 : Math.min(...ends), high: Math.max(...ends) }
}

const SHOWN = 10
/** Relative changes below this are not shown. */
const NEGLIGIBLE = 0.001

export function sensitivitySection(data: ReportData): Section | null {
  const found = dataOf(data, 'sensitivity')
  if (found === null) return null
  const { rows, file } = found
  const base = where(rows, { parameter: 'none' })[0]
  if (base === undefined) return null
  const parameters = distinct<string>(rows, 'parameter').filter((name) => name !== 'none')
  const change = (parameter: string, factor: number, column: string) =>
    number(where(rows, { parameter, factor })[0], column) / number(base, column) - 1
  const span = (parameter: string, column: string) =>
    Math.abs(change(parameter, 0.5, column)) + Math.abs(change(parameter, 1.5, column))
  /** By what can be told, the largest first: what was simulated is as it was, what was drawn at random has intervals. */
  const ranked = (column: string) =>
    parameters
      .filter((parameter) => span(parameter, column) > NEGLIGIBLE)
      .sort((a, b) => span(b, column) - span(a, column))
  const shareOf = (parameter: string, factor: number) =>
    estimate(where(rows, { parameter, factor })[0], ['weightedSchedulability', 'weightedLow', 'weightedHigh'])
  const atBase = estimate(base, ['weightedSchedulability', 'weightedLow', 'weightedHigh'])
  const moves = (parameter: string) => {
    const tells = [0.5, 1.5].map((factor) => told(difference(shareOf(parameter, factor), atBase)))
    return tells.includes('more') || tells.includes('less')
  }
  const from = (parameter: string) => magnitude(difference(shareOf(parameter, 0.5), shareOf(parameter, 1.5)))
  /** What a column hangs on most: those of equal effect together, and those that cannot be told from them. */
  const leading = (column: string): Leading => {
    const drawn = column === 'weightedSchedulability'
    const order = ranked(column).filter((parameter) => !drawn || moves(parameter))
    const first = order.filter((parameter) => span(parameter, column) === span(order[0]!, column))
    const rest = order.filter((parameter) => !first.includes(parameter))
    const near = drawn ? rest.filter((parameter) => from(parameter).high >= from(first[0]!).low) : []
    const next = rest.filter((parameter) => span(parameter, column) === span(rest[0]!, column))
    return { first, next: near.length > 0 ? [] : next, near }
  }
  const named = (parameter: string) => (parameter === 'dmaBytesPerNs' ? 'rate of the DMA' : parameter)
  const figures = METRICS.flatMap(([column, label, provenance]): Figure[] => {
    const order = ranked(column)
    if (order.length === 0) return []
    const { first, next, near } = leading(column)
    const most =
      first.length === 0
        ? ''
        : `${namesOf(first.map(named), 'figures')} ${first.length === 1 ? 'changes' : 'change'} it most`
    const then = next.length === 0 ? '' : `, then ${namesOf(next.map(named), 'figures')}`
    const besides = near.length === 0 ? '' : ` (${TOO_FEW} to tell ${namesOf(near.map(named), 'others')} from that)`
    return [
      {
        id: `tornado-${column}`,
        finding: `${label[0]!.toUpperCase()}${label.slice(1)}: ${most === '' ? `${TOO_FEW} to tell which figure changes it` : most + then + besides}`,
        provenance,
        caption: `Relative change when one assumed figure is halved or half as large again; the ${Math.min(SHOWN, order.length)} largest of ${parameters.length}, ${parameters.length - order.length} have next to no effect. Floating, minimum; five flows between three cores (stolen time, latency), ${count(number(base, 'sets'), 'random set')} at each of ten utilisations (schedulability); typical costs, n = 1 run of each, seed ${data.manifest.campaign.seed}.`,
        file,
        half: true,
        chart: {
          kind: 'bars',
          x: { label: 'relative change', format: 'percent' },
          y: { label: 'assumed figure' },
          series: [
            { ...seriesOf(['dedicated'])[0]!, key: '0.5', label: '−50 %', hollow: true },
            { ...seriesOf(['floating'])[0]!, key: '1.5', label: '+50 %' },
          ],
          points: order.slice(0, SHOWN).flatMap((parameter) =>
            [0.5, 1.5].map((factor) => ({
              series: String(factor),
              x: change(parameter, factor, column),
              y: named(parameter),
            })),
          ),
          rules: [{ axis: 'x', at: 0, label: 'as assumed' }],
        },
        table: {
          head: ['assumed figure', '-50 %', '+50 %'],
          rows: parameters.map((parameter) => [
            named(parameter),
            ...[0.5, 1.5].map((factor) => percent(change(parameter, factor, column), 2)),
          ]),
        },
      },
    ]
  })
  const top = METRICS.map(([column, label]) => {
    const { first, next } = leading(column)
    const names = [...first, ...next]
    return `${label}: ${names.length > 0 ? namesOf(names.map(named), 'figures') : column === 'weightedSchedulability' && ranked(column).length > 0 ? TOO_FEW : 'none'}`
  })
  const { first, near } = leading('weightedSchedulability')
  const touched = METRICS.some(([column]) => leading(column).first.length > 0)
  const untold = parameters.some((parameter) =>
    [0.5, 1.5].some((factor) => told(difference(shareOf(parameter, factor), atBase)) === 'unknown'),
  )
  return {
    id: 'sensitivity',
    title: 'What the results hang on',
    paragraphs: [
      `Every assumed figure halved and half as large again, one at a time. As the board is: latency (p99) ${duration(number(base, 'p99Ns'))}, stolen ${percent(number(base, 'stolenShare'), 2)} of a core, weighted schedulability ${fixed(number(base, 'weightedSchedulability'), 3)}. What comes first here should be measured first.`,
    ],
    keys:
      parameters.length === 0
        ? []
        : [
            {
              id: 'sensitivity',
              value: first.length === 0 ? TOO_FEW : namesOf(first.map(named), 'figures'),
              text:
                first.length === 0
                  ? 'to tell which assumed figure schedulability hangs on most'
                  : `${first.length === 1 ? 'is the assumed figure' : 'are the assumed figures'} that schedulability hangs on most: to be measured first${near.length === 0 ? '' : ` (${TOO_FEW} to tell ${namesOf(near.map(named), 'others')} from that)`}`,
              provenance: 'bounded',
            },
          ],
    verdicts: [
      {
        id: 'no-assumption-matters',
        claim: 'The results do not depend on any figure that is only assumed.',
        holds: parameters.length === 0 ? true : touched ? false : untold ? null : true,
        evidence:
          parameters.length === 0
            ? 'No figure of the board is ASSUMED.'
            : `Of ${count(parameters.length, 'assumed figure')}, largest effect on ${top.join('; ')}.`,
      },
    ],
    figures,
  }
}
