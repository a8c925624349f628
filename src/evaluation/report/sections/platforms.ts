/** The same load on every board, and what the results hang on. */
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { duration, fixed, percent } from '../format.ts'
import { seriesOf } from '../palette.ts'
import { dataOf, distinct, type Figure, number, type Section, where } from '../section.ts'

export function platformsSection(data: ReportData): Section | null {
  const found = dataOf(data, 'platforms')
  if (found === null) return null
  const { rows, file } = found
  const boards = distinct<string>(rows, 'platform')
  const stolen = (row: Row | undefined) => number(row, 'senderShare') + number(row, 'receiverShare')
  const of = (platform: string, design: string) => where(rows, { platform, design })[0]
  const both = boards.filter((platform) => of(platform, 'dedicated') !== undefined)
  const wins = (column: string) =>
    both.filter(
      (platform) => number(of(platform, 'floating-minimum'), column) < number(of(platform, 'dedicated'), column),
    )
  const setting = `64 KiB every ms between two cores, costs drawn between best and worst, no regulator; n = ${number(rows[0], 'messages')} messages, seed ${data.manifest.campaign.seed}. A dedicated broker needs a third core.`
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
      'Of the boards but the ZCU102 only the outline is known: the costs are its own, scaled to the processor. What carries over from board to board is the order of the designs, not the figures.',
    ],
    keys: [],
    verdicts: [
      {
        claim: 'The order of the designs is the same on every board: floating, minimum, has the lower 99th percentile.',
        holds: both.length === 0 ? null : wins('p99Ns').length === both.length,
        evidence: `On ${wins('p99Ns').length} of ${both.length} boards that have a core for a dedicated broker.`,
      },
    ],
    figures: [
      dots(
        {
          id: 'platforms-latency',
          finding: `Floating with the minimum of interrupts has the lower 99th percentile on ${wins('p99Ns').length} of ${both.length} boards`,
          provenance: 'simulated',
          caption: `99th percentile of the latency. ${setting}`,
        },
        'latency (p99), µs',
        (row) => number(row, 'p99Ns') / 1000,
      ),
      dots(
        {
          id: 'platforms-stolen',
          finding: 'A faster processor or GICv3 lowers what is stolen, not the order of the designs',
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
          finding: 'Schedulability follows the software costs of the board',
          provenance: 'bounded',
          caption: `Weighted schedulability under A4, deadline-monotonic, 8 flows, S = 4 KiB, P = 1 ms, Q/P = 0.5, typical costs; n = ${number(rows[0], 'sets')} sets at each of ten utilisations, seed ${data.manifest.campaign.seed}. The DMA rate is the same, ASSUMED, on all boards.`,
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
          finding: 'End-to-end bounds shrink with the worst costs of the board',
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
  const ranked = (column: string) =>
    parameters
      .filter((parameter) => span(parameter, column) > NEGLIGIBLE)
      .sort((a, b) => span(b, column) - span(a, column))
  const named = (parameter: string) => (parameter === 'dmaBytesPerNs' ? 'rate of the DMA' : parameter)
  const figures = METRICS.flatMap(([column, label, provenance]): Figure[] => {
    const order = ranked(column)
    const [first, second] = order
    if (first === undefined) return []
    return [
      {
        id: `tornado-${column}`,
        finding: `${label[0]!.toUpperCase()}${label.slice(1)}: ${named(first)} matters most${second === undefined ? '' : `, then ${named(second)}`}`,
        provenance,
        caption: `Relative change when one assumed figure is halved or half as large again; the ${Math.min(SHOWN, order.length)} largest of ${parameters.length}, ${parameters.length - order.length} have next to no effect. Floating, minimum; five flows between three cores (stolen time, latency), ${number(base, 'sets')} random sets at each of ten utilisations (schedulability); typical costs, n = 1 run of each, seed ${data.manifest.campaign.seed}.`,
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
  const top = METRICS.map(([column, label]) => `${label}: ${ranked(column).slice(0, 2).map(named).join(', ')}`)
  return {
    id: 'sensitivity',
    title: 'What the results hang on',
    paragraphs: [
      `Every assumed figure halved and half as large again, one at a time. As the board is: latency (p99) ${duration(number(base, 'p99Ns'))}, stolen ${percent(number(base, 'stolenShare'), 2)} of a core, weighted schedulability ${fixed(number(base, 'weightedSchedulability'), 3)}. What comes first here should be measured first.`,
    ],
    keys: [
      {
        value: named(ranked('weightedSchedulability')[0] ?? ranked('p99Ns')[0] ?? 'none'),
        text: 'is the assumed figure that schedulability hangs on most: to be measured first',
        provenance: 'bounded',
      },
    ],
    verdicts: [
      {
        claim: 'The results do not depend on any figure that is only assumed.',
        holds: figures.length === 0,
        evidence: `${top.join('; ')}.`,
      },
    ],
    figures,
  }
}
