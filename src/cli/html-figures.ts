/** Figures of one scenario: bounds and what was found against deadlines, what bounds are made of, and who waited for whom. */
import { type Chart, type Figure, type Point, type Provenance, type Series, seriesOf } from '../page/index.ts'
import type { FlowPrediction, MessageTimes } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'

/** A time of a flow or a chain, by what it is: `bound`, `deadline`, `longest`. */
export interface TimeOf {
  readonly name: string
  readonly series: string
  /** null: there is none, and nothing is drawn. */
  readonly ns: number | null
  readonly low?: number
  readonly high?: number
}

const MS = 1e6

/** One dot for each time, on a line for each flow. `labels`: of the series, in the order of the legend. */
export function timesFigure(
  id: string,
  finding: string,
  provenance: Provenance,
  caption: string,
  times: readonly TimeOf[],
  labels: Readonly<Record<string, string>>,
): Figure {
  const keys = Object.keys(labels).filter((key) => times.some(({ ns, series }) => series === key && ns !== null))
  const points = times.flatMap(({ high, low, name, ns, series }): Point[] =>
    ns === null || ns <= 0
      ? []
      : [
          {
            series,
            x: ns / MS,
            y: name,
            ...(low === undefined || high === undefined ? {} : { low: low / MS, high: high / MS }),
          },
        ],
  )
  const names = [...new Set(times.map(({ name }) => name))]
  const chart: Chart = {
    kind: 'dots',
    x: { label: 'ms', scale: 'log10' },
    y: { label: 'flow or chain' },
    series: seriesOf(keys, labels),
    points,
  }
  const value = (name: string, key: string) => {
    const ns = times.find((one) => one.name === name && one.series === key)?.ns ?? null
    return ns === null ? null : ns / MS
  }
  return {
    id,
    finding,
    provenance,
    caption,
    chart,
    table: {
      head: ['', ...keys.map((key) => `${labels[key]}, ms`)],
      rows: names.map((name) => [name, ...keys.map((key) => value(name, key))]),
    },
  }
}

/** What a window is made of, in the order in which it is drawn. */
const TERMS = [
  ['startNs', 'jitter, early'],
  ['ownWorkNs', 'own copy'],
  ['interferenceNs', 'others'],
  ['blockingNs', 'blocking'],
  ['softwareNs', 'software'],
  ['guestsNs', 'guests'],
  ['supplyNs', 'no budget'],
  ['signalNs', 'signals'],
] as const

const COLORS = ['a0', 'floating', 'dedicated', 'look-ahead', 'a4', 'zero-copy', 'plain', 'a3']

/** Null where no flow has a window. */
export function termsFigure(flows: readonly FlowPrediction[]): Figure | null {
  const bounded = flows.filter(({ window }) => window !== null)
  if (bounded.length === 0) return null
  const points = bounded.flatMap(({ name, window }) => {
    let from = 0
    return TERMS.flatMap(([key, label]): Point[] => {
      const to = from + window![key] / MS
      const point = { series: label, y: name, from, x: to }
      from = to
      return point.x > point.from ? [point] : []
    })
  })
  const series = TERMS.map(
    ([, label], i): Series => ({ key: label, label, color: COLORS[i]!, dash: null, symbol: 'square' }),
  ).filter(({ key }) => points.some((point) => point.series === key))
  return {
    id: 'terms',
    finding: 'What the bounds are made of, as one window in which nothing is charged twice',
    provenance: 'bounded',
    caption:
      'The bound of a flow is this window, the sum of its stages, or the drain, whichever is least; the tables have all three.',
    chart: { kind: 'bars', x: { label: 'ms' }, y: { label: 'flow' }, series, points },
    table: {
      head: ['flow', ...TERMS.map(([, label]) => `${label}, ms`), 'sum, ms'],
      rows: bounded.map(({ name, window }) => [name, ...TERMS.map(([key]) => window![key] / MS), window!.totalNs / MS]),
    },
  }
}

/** More messages than that cannot be told apart. */
const MOST_BARS = 300

/**
 * The messages under way around the one that came nearest to its bound, or where it has none to its deadline. `boundsNs`: by flow. Null where no
 * message has been read.
 */
export function timelineFigure(
  id: string,
  { flows }: Scenario,
  { readNs, releasedNs }: MessageTimes,
  boundsNs: readonly (number | null)[],
  of: string,
): Figure | null {
  let worst: { flow: number; sequence: number; share: number } | null = null
  readNs.forEach((read, flow) => {
    read.forEach((atNs, sequence) => {
      const share = (atNs - releasedNs[flow]![sequence]!) / (boundsNs[flow] ?? flows[flow]!.deadlineNs)
      if (worst === null || share > worst.share) worst = { flow, sequence, share }
    })
  })
  if (worst === null) return null
  const { flow, sequence } = worst as { flow: number; sequence: number }
  const name = flows[flow]!.name
  const fromNs = releasedNs[flow]![sequence]!
  const toNs = readNs[flow]![sequence]!
  const aroundNs = (toNs - fromNs) / 3
  const messages = flows
    .flatMap((_, other) =>
      releasedNs[other]!.map((startNs, k) => ({ other, k, startNs, endNs: readNs[other]![k] ?? toNs + aroundNs })),
    )
    .filter(({ startNs, endNs }) => endNs > fromNs - aroundNs && startNs < toNs + aroundNs)
    .slice(0, MOST_BARS)
  const ms = (ns: number) => (Math.min(Math.max(ns, fromNs - aroundNs), toNs + aroundNs) - fromNs) / MS
  const points = messages.map(
    ({ other, k, startNs, endNs }): Point => ({
      series: other === flow && k === sequence ? 'longest' : 'others',
      y: flows[other]!.name,
      from: ms(startNs),
      x: ms(endNs),
    }),
  )
  const tookMs = ((toNs - fromNs) / MS).toFixed(3)
  return {
    id,
    finding: `Under way around the message of ${name} that took ${tookMs} ms`,
    provenance: 'simulated',
    caption: `${of} From the release of a message until it has been read; 0 is the release of message ${sequence} of ${name}. What goes on at the edges is cut off.`,
    chart: {
      kind: 'bars',
      x: { label: 'ms from its release' },
      y: { label: 'flow' },
      series: [
        { key: 'others', label: 'messages under way', color: 'floating', dash: null, symbol: 'square' },
        { key: 'longest', label: `this message of ${name}`, color: 'dedicated', dash: null, symbol: 'square' },
      ],
      points,
    },
    table: {
      head: ['flow', 'message', 'released, ms', 'read, ms'],
      rows: messages.map(({ other, k, startNs, endNs }) => [
        flows[other]!.name,
        k,
        (startNs - fromNs) / MS,
        readNs[other]![k] === undefined ? null : (endNs - fromNs) / MS,
      ]),
    },
  }
}
