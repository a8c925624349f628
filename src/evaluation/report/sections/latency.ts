/** Latency distributions, latency and throughput against size, and what was observed against the bounds. */
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { bytes, duration, figure, fixed, percent } from '../format.ts'
import { seriesOf } from '../palette.ts'
import { type Data, dataOf, distinct, type Figure, number, type Section, type Verdict, where } from '../section.ts'

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
  const closest = Math.max(...bounded.map((row) => number(row, 'latencyNs') / number(row, 'boundNs')))
  const control = (design: string, quantile: number) =>
    number(where(loaded, { design, flow: 'control', quantile })[0], 'latencyNs')
  return {
    id: 'latency',
    title: 'Latency and throughput',
    paragraphs: [
      'From the release of a message to its last byte having been read by the receiving guest, with costs drawn between best and worst. Alone: one flow and nothing else pending. Loaded: five flows between three cores, much as in the default scenario, EDF, a budget of 0.5 ms a ms; no period divides another, so that flows meet in all phases. A chain has no pauses between its pieces, so that it uses such a budget up sooner than pieces do, and who comes after that waits longer for the next refill; unregulated is the same load without the budget.',
    ],
    keys: Number.isFinite(control('dedicated', 0.5))
      ? [
          {
            value: `${duration(control('dedicated', 0.5))} → ${duration(control('floating-minimum', 0.5))}`,
            text: `median latency of 64 KiB commands among four other flows, dedicated against floating, minimum; 99th percentile ${duration(control('dedicated', 0.99))} → ${duration(control('floating-minimum', 0.99))}`,
            provenance: 'simulated',
          },
        ]
      : [],
    verdicts: [
      {
        claim: 'No latency of the whole machine exceeds its end-to-end bound.',
        holds: bounded.length === 0 ? null : entry.refuted === 0,
        evidence: `${bounded.length} flows with a bound, ${figure(entry.rows)} messages; the closest reached ${fixed(closest, 2)} of its bound.`,
      },
      ...(Number.isFinite(control('dedicated', 0.5)) ? neverSlower(rows) : []),
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
    const among = where(rows, { setting })
    const slower = distinct<string>(among, 'flow').flatMap((flow) => {
      const [before, after] = ['dedicated', 'floating-minimum'].map((design) =>
        number(where(among, { flow, design, quantile: 0.99 })[0], 'latencyNs'),
      )
      return after! > before! ? [`${flow} ${duration(before!)} → ${duration(after!)}`] : []
    })
    return {
      claim,
      holds: among.length === 0 ? null : slower.length === 0,
      evidence: slower.length === 0 ? 'For every flow of the loaded system.' : `Slower: ${slower.join('; ')}.`,
    }
  }
  const claim = 'floating, minimum, is no slower than dedicated at the 99th percentile'
  return [
    verdict('unregulated', `Among other flows and without a regulator, ${claim}.`),
    verdict('loaded', `Among other flows and under a budget of 0.5 ms a ms, ${claim}.`),
  ]
}

function distributions(data: ReportData, { rows, file }: Data): Figure {
  const loaded = where(rows, { setting: 'loaded' })
  const flows = distinct<string>(loaded, 'flow')
  const named = (flow: string) => `${flow}, ${bytes(number(where(loaded, { flow })[0], 'lengthBytes'))}`
  const better = flows.filter((flow) => {
    const at = (design: string) => number(where(loaded, { flow, design, quantile: 0.5 })[0], 'latencyNs')
    return at('floating-minimum') < at('dedicated')
  })
  return {
    id: 'latency-distributions',
    finding: `Among other flows, floating with the minimum of interrupts has the lower median for ${better.length} of ${flows.length} flows`,
    provenance: 'simulated',
    caption: `Cumulative distribution of latencies, straight lines between 16 quantiles, one panel a flow, logarithmic. Costs drawn between best and worst; n = ${flows.map((flow) => figure(number(where(loaded, { flow })[0], 'messages'))).join(', ')} messages, seed ${data.manifest.campaign.seed}.`,
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
  const ratio = (design: string) => {
    const own = where(worst, { design }).filter(({ boundNs }) => boundNs !== null)
    return own.map((row) => number(row, 'boundNs') / number(row, 'latencyNs'))
  }
  const [least, most] = [Math.min(...ratio('floating-minimum')), Math.max(...ratio('floating-minimum'))]
  return {
    id: 'latency-bounds',
    finding: `Bounds of the whole path with worst costs are ${fixed(least, 1)} to ${fixed(most, 1)} times the slowest message seen (floating, minimum)`,
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
  const faster = lengths.filter((length) => at('floating-minimum', length, 0.5) < at('dedicated', length, 0.5))
  const longest = Math.max(...lengths)
  const dedicated = medians.some(({ design }) => design === 'dedicated')
  return {
    id: 'latency-size',
    finding: dedicated
      ? `Alone, floating with the minimum of interrupts is faster than dedicated at ${faster.length} of ${lengths.length} sizes; ${bytes(longest)} take ${duration(at('floating-minimum', longest, 0.5))} instead of ${duration(at('dedicated', longest, 0.5))}`
      : `${bytes(longest)} take ${duration(at('floating-minimum', longest, 0.5))} with chaining, ${duration(at('floating-plain', longest, 0.5))} without`,
    provenance: 'simulated',
    caption: `Median latency against message size, both axes logarithmic; bands reach from the fastest to the slowest message. One flow, nothing else pending, no regulator, costs drawn between best and worst; n = ${Math.min(...medians.map((row) => number(row, 'messages')))} to ${Math.max(...medians.map((row) => number(row, 'messages')))} messages a point, seed ${data.manifest.campaign.seed}.`,
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
  const best = (design: string) => Math.max(0, ...where(rows, { design }).map((row) => number(row, 'bytesPerNs')))
  return [
    {
      id: 'throughput',
      finding: `With chaining a flow reaches ${percent(best('floating-minimum') / beta)} of the DMA's rate, piece by piece ${percent(best('floating-plain') / beta)}`,
      provenance: 'simulated',
      caption: `Payload over time of one flow that always has messages waiting; the dotted line is what the DMA copies. Typical costs, no regulator, no other flow; n = 4 to 200 messages a point, seed ${data.manifest.campaign.seed}.`,
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
