/** Latency distributions, latency and throughput against size, and what was observed against the bounds. */

import { bytes, count, duration, figure, fixed, percent, seriesOf } from '../../../page/index.ts'
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import {
  countsOf,
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
import { FEWEST_FOR_P99 } from '../telling.ts'

const SIZE = {
  label: 'message size, bytes',
  scale: 'log2',
  format: 'bytes',
  ticks: [64, 1024, 16_384, 262_144, 4_194_304],
} as const
const US = 1000
const LABELS: Readonly<Record<string, string>> = {
  dedicated: 'dedicated',
  'floating-plain': 'floating, plain',
  'floating-minimum': 'floating, minimum',
}

export function latencySection(data: ReportData): Section | null {
  const found = dataOf(data, 'latency')
  if (found === null) return null
  const { rows, entry } = found
  const loaded = where(rows, { setting: 'loaded' })
  const bounded = where(rows, { quantile: 1 }).filter(({ boundNs }) => boundNs !== null)
  const closest = extremes(bounded.map((row) => number(row, 'latencyNs') / number(row, 'boundNs')))?.most ?? Number.NaN
  const messages = bounded.reduce((sum, row) => sum + number(row, 'messages'), 0)
  const control = (design: string, quantile: number) =>
    number(where(loaded, { design, flow: 'control', quantile })[0], 'latencyNs')
  const controls = where(loaded, { design: 'floating-minimum', flow: 'control', quantile: 0.5 })[0]
  const others = distinct<string>(loaded, 'flow').length - 1
  return {
    id: 'latency',
    title: 'Latency and throughput',
    paragraphs: [
      'From the release of a message to its last byte having been read by the receiving guest, with costs drawn between best and worst. Alone: one flow and nothing else pending. Loaded: five flows between three cores, much as in the default scenario, EDF, a budget of 0.5 ms a ms; no period divides another, so that flows meet in all phases. A chain has no pauses between its pieces, so that it uses such a budget up sooner than pieces do, and who comes after that waits longer for the next refill; unregulated is the same load without the budget.',
    ],
    keys:
      controls !== undefined && Number.isFinite(control('dedicated', 0.5))
        ? [
            {
              id: 'latency',
              value: `${duration(control('dedicated', 0.5))} → ${duration(control('floating-minimum', 0.5))}`,
              text: `median latency of ${bytes(number(controls, 'lengthBytes'))} commands among ${count(others, 'other flow')}, dedicated against floating, minimum; ${
                number(controls, 'messages') < FEWEST_FOR_P99
                  ? `slowest of ${count(number(controls, 'messages'), 'message')} ${duration(control('dedicated', 1))} → ${duration(control('floating-minimum', 1))}`
                  : `99th percentile ${duration(control('dedicated', 0.99))} → ${duration(control('floating-minimum', 0.99))}`
              }`,
              provenance: 'simulated',
            },
          ]
        : [],
    verdicts: [
      {
        id: 'latency-bounds-hold',
        claim: 'No latency of the whole machine exceeds its end-to-end bound.',
        holds: bounded.length === 0 ? null : entry.refuted === 0 && closest <= 1,
        evidence: `${count(bounded.length, 'flow')} with a bound, ${count(messages, 'message')}; the closest reached ${fixed(closest, 2, 'up')} of its bound.`,
      },
      ...neverSlower(rows),
    ],
    figures: [
      ...(loaded.length === 0 ? [] : [distributions(data, found), observed(data, found)]),
      bySize(data, found),
      ...throughput(data),
    ],
  }
}

/**
 * Without pauses between its pieces a chain uses the budget up sooner, and who comes then waits longer for the refill: that is of
 * the regulator. Without a regulator what is left is of the design: chains, and cores that are busy in EL2.
 */
function neverSlower(rows: readonly Row[]): Verdict[] {
  const verdict = (setting: string, claim: string): Verdict => {
    const among = where(rows, { setting, quantile: 0.99 })
    const compared = distinct<string>(among, 'flow').flatMap((flow) => {
      const [before, after] = ['dedicated', 'floating-minimum'].map((design) => where(among, { flow, design })[0])
      if (before === undefined || after === undefined) return []
      const messages = Math.min(number(before, 'messages'), number(after, 'messages'))
      return [{ flow, messages, before: number(before, 'latencyNs'), after: number(after, 'latencyNs') }]
    })
    const judged = compared.filter(({ messages }) => messages >= FEWEST_FOR_P99)
    const few = compared.filter(({ messages }) => messages < FEWEST_FOR_P99)
    const slower = judged.filter(({ before, after }) => after > before)
    const said = slower.map(({ flow, before, after }) => `${flow} ${duration(before)} → ${duration(after)}`)
    const left = few.map(({ flow, messages }) => `${flow} (${messages})`)
    return {
      id: `no-slower-${setting}`,
      claim,
      holds: judged.length === 0 ? null : slower.length === 0,
      evidence: [
        ...(compared.length === 0 ? ['Not run under both designs.'] : []),
        ...(judged.length === 0
          ? []
          : [
              `${slower.length} of ${count(judged.length, 'flow')} slower${said.length === 0 ? '' : `: ${said.join('; ')}`}.`,
            ]),
        ...(left.length === 0 ? [] : [`Too few messages to tell: ${left.join(', ')}.`]),
      ].join(' '),
    }
  }
  const claim = `floating, minimum, is no slower than dedicated at the 99th percentile, for flows of at least ${FEWEST_FOR_P99} messages`
  return [
    verdict('unregulated', `Among other flows and without a regulator, ${claim}.`),
    verdict('loaded', `Among other flows and under a budget of 0.5 ms a ms, ${claim}.`),
  ]
}

function distributions(data: ReportData, { rows, file }: Data): Figure {
  const loaded = where(rows, { setting: 'loaded' })
  const flows = distinct<string>(loaded, 'flow')
  const named = (flow: string) => `${flow}, ${bytes(number(where(loaded, { flow })[0], 'lengthBytes'))}`
  const before = distinct<string>(loaded, 'design').find((design) => design !== 'floating-minimum')
  const at = (flow: string, design: string | undefined) =>
    number(where(loaded, { flow, design: design ?? null, quantile: 0.5 })[0], 'latencyNs')
  const lower = flows.filter((flow) => at(flow, 'floating-minimum') < at(flow, before))
  const higher = flows.filter((flow) => at(flow, 'floating-minimum') > at(flow, before))
  return {
    id: 'latency-distributions',
    finding: `Among other flows, the median latency under floating, minimum, is lower than under ${LABELS[before ?? ''] ?? before ?? 'any other'} for ${lower.length} of ${flows.length} flows and higher for ${higher.length}`,
    provenance: 'simulated',
    caption: `Cumulative distribution of latencies, straight lines between 16 quantiles, one panel a flow, logarithmic. Costs drawn between best and worst; n = ${flows.map((flow) => `${countsOf(where(loaded, { flow }), 'messages', 'message')} of ${flow}`).join(', ')}, seed ${data.manifest.campaign.seed}.`,
    file,
    chart: {
      kind: 'steps',
      x: { label: 'latency, µs', scale: 'log10' },
      y: { label: 'share of messages', domain: [0, 1] },
      series: seriesOf(distinct<string>(loaded, 'design')),
      points: loaded.map((row) => ({
        series: String(row.design),
        x: number(row, 'latencyNs') / US,
        y: number(row, 'quantile'),
        column: named(String(row.flow)),
      })),
      columns: flows.map(named),
      heightPx: 230,
    },
    table: quantiles(loaded.filter(({ quantile }) => [0, 0.5, 0.9, 0.99, 1].includes(Number(quantile)))),
  }
}

function quantiles(rows: readonly ReturnType<typeof where>[number][]) {
  return {
    head: ['design', 'flow', 'message size', 'messages', 'quantile', 'latency', 'bound'],
    rows: rows.map((row) => [
      String(row.design),
      String(row.flow),
      bytes(number(row, 'lengthBytes')),
      number(row, 'messages'),
      number(row, 'quantile'),
      duration(number(row, 'latencyNs')),
      duration(number(row, 'boundNs')),
    ]),
  }
}

function observed(data: ReportData, { rows, file }: Data): Figure {
  const loaded = where(rows, { setting: 'loaded' })
  const designs = distinct<string>(loaded, 'design')
  const shown: readonly (readonly [series: string, quantile: number])[] = [
    ['median', 0.5],
    ['p99', 0.99],
    ['max', 1],
  ]
  const worst = where(loaded, { quantile: 1 })
  const unbounded = worst.filter(({ boundNs }) => boundNs === null)
  const ratios = extremes(
    where(worst, { design: 'floating-minimum' }).map((row) => number(row, 'boundNs') / number(row, 'latencyNs')),
  )
  return {
    id: 'latency-bounds',
    finding:
      ratios === null
        ? 'No flow of floating, minimum, has a bound of the whole path with worst costs'
        : `Bounds of the whole path with worst costs are ${fixed(ratios.least, 1, 'down')} to ${fixed(ratios.most, 1, 'up')} times the slowest message seen (floating, minimum)`,
    provenance: 'bounded over simulated',
    caption: `Observed latencies against the end-to-end bound with A4 and the worst of every cost; the runs draw costs between best and worst and do not look for the worst case. ${
      unbounded.length === 0
        ? ''
        : `No bound exists under ${distinct<string>(unbounded, 'design')
            .map(
              (design) =>
                `${LABELS[design]}: ${where(unbounded, { design })
                  .map(({ flow }) => flow)
                  .join(', ')}`,
            )
            .join('; ')}. `
    }Same runs as above, seed ${data.manifest.campaign.seed}.`,
    file,
    chart: {
      kind: 'dots',
      x: { label: 'latency, µs', scale: 'log10' },
      y: { label: 'flow' },
      series: seriesOf([...shown.map(([series]) => series), 'bound']),
      points: [
        ...shown.flatMap(([series, quantile]) =>
          where(loaded, { quantile }).map((row) => ({
            series,
            x: number(row, 'latencyNs') / US,
            y: String(row.flow),
            column: LABELS[String(row.design)]!,
          })),
        ),
        ...worst
          .filter(({ boundNs }) => boundNs !== null)
          .map((row) => ({
            series: 'bound',
            x: number(row, 'boundNs') / US,
            y: String(row.flow),
            column: LABELS[String(row.design)]!,
          })),
      ],
      columns: designs.map((design) => LABELS[design]!),
    },
    table: quantiles(worst),
  }
}

function bySize(data: ReportData, { rows, file }: Data): Figure {
  const alone = where(rows, { setting: 'alone' })
  const medians = where(alone, { quantile: 0.5 })
  const at = (design: string, lengthBytes: number, quantile: number) =>
    number(where(alone, { design, lengthBytes, quantile })[0], 'latencyNs')
  const lengths = distinct<number>(alone, 'lengthBytes')
  const longest = Math.max(...lengths)
  const before = distinct<string>(medians, 'design').find((design) => design !== 'floating-minimum') ?? ''
  const faster = lengths.filter((length) => at('floating-minimum', length, 0.5) < at(before, length, 0.5))
  const slower = lengths.filter((length) => at('floating-minimum', length, 0.5) > at(before, length, 0.5))
  return {
    id: 'latency-size',
    finding: `Alone, the median latency under floating, minimum, is lower than under ${LABELS[before] ?? before} at ${faster.length} of ${lengths.length} sizes and higher at ${slower.length}; ${bytes(longest)}: ${duration(at('floating-minimum', longest, 0.5))} against ${duration(at(before, longest, 0.5))}`,
    provenance: 'simulated',
    caption: `Median latency against message size, both axes logarithmic; bands reach from the fastest to the slowest message. One flow, nothing else pending, no regulator, costs drawn between best and worst; n = ${countsOf(medians, 'messages', 'message')} a point, seed ${data.manifest.campaign.seed}.`,
    file,
    half: true,
    chart: {
      kind: 'lines',
      x: SIZE,
      y: { label: 'latency, µs', scale: 'log10' },
      series: seriesOf(distinct<string>(medians, 'design')),
      points: medians.map((row) => {
        const [design, length] = [String(row.design), number(row, 'lengthBytes')]
        return {
          series: design,
          x: length,
          y: number(row, 'latencyNs') / US,
          low: at(design, length, 0) / US,
          high: at(design, length, 1) / US,
        }
      }),
      heightPx: 260,
    },
    table: quantiles(alone.filter(({ quantile }) => [0, 0.5, 0.99, 1].includes(Number(quantile)))),
  }
}

function throughput(data: ReportData): Figure[] {
  const found = dataOf(data, 'throughput')
  if (found === null) return []
  const { rows, file } = found
  const beta = data.manifest.platform.dmaBytesPerNs.value
  const best = distinct<string>(rows, 'design').map((design) => {
    const most = extremes(where(rows, { design }).map((row) => number(row, 'bytesPerNs')))?.most ?? Number.NaN
    return `${LABELS[design] ?? design} ${percent(most / beta, 1)}`
  })
  return [
    {
      id: 'throughput',
      finding: `Of the DMA's rate one flow reaches at its best size: ${best.join('; ')}`,
      provenance: 'simulated',
      caption: `Payload over time of one flow that always has messages waiting; the dotted line is what the DMA copies. Typical costs, no regulator, no other flow; n = ${countsOf(rows, 'messages', 'message')} a point, seed ${data.manifest.campaign.seed}.`,
      file,
      half: true,
      chart: {
        kind: 'lines',
        x: SIZE,
        y: { label: 'throughput, MB/s', domain: [0, 1050 * beta] },
        series: seriesOf(distinct<string>(rows, 'design')),
        points: rows.map((row) => ({
          series: String(row.design),
          x: number(row, 'lengthBytes'),
          y: 1000 * number(row, 'bytesPerNs'),
        })),
        rules: [{ axis: 'y', at: 1000 * beta, label: 'rate of the DMA' }],
        heightPx: 260,
      },
      table: {
        head: ['design', 'message size', 'messages', 'throughput, MB/s'],
        rows: rows.map((row) => [
          String(row.design),
          bytes(number(row, 'lengthBytes')),
          number(row, 'messages'),
          figure(1000 * number(row, 'bytesPerNs')),
        ]),
      },
    },
  ]
}
