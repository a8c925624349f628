/** What the broker takes from the VMs' cores, what the freed core is worth, and from which rate on it no longer is. */

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
  where,
} from '../section.ts'
import { namesOf } from '../telling.ts'

const SIZE = {
  label: 'message size, bytes',
  scale: 'log2',
  format: 'bytes',
  ticks: [64, 1024, 16_384, 262_144],
} as const
const PLACES: readonly (readonly [label: string, share: string, boundNs: string])[] = [
  ["the sender's core", 'senderShare', 'senderBoundNs'],
  ["the receiver's core", 'receiverShare', 'receiverBoundNs'],
]
/** What a window as long as the run can lose, as a share of it: the share of one run has no other bound. */
const boundShare = (row: Row, boundNs: string) => number(row, boundNs) / number(row, 'simulatedNs')
const FLOATING = ['floating-plain', 'floating-minimum']
const SHORT: Readonly<Record<string, string>> = { 'floating-plain': 'plain', 'floating-minimum': 'minimum' }

const named = (design: string) => seriesOf([design])[0]!.label

/** Of floating against dedicated, at one size. */
interface Comparison {
  readonly design: string
  readonly lengthBytes: number
  /** Share of a core that floating takes from the VMs beyond what dedicated takes. */
  readonly extra: number
  /** bytes/ns at which that is a whole core; Infinity: never. */
  readonly breakEven: number
}

export function stolenTimeSection(data: ReportData): Section | null {
  const found = dataOf(data, 'stolen-time')
  if (found === null) return null
  const compared = compare(found.rows)
  const beta = data.manifest.platform.dmaBytesPerNs.value
  const limits = reachedBytesPerNs(data)
  const limit = ({ design, lengthBytes }: Comparison) => limits.get(`${design}|${lengthBytes}`) ?? beta
  const reached = compared.filter((one) => one.breakEven <= limit(one))
  const minimum = compared.filter(({ design }) => design === 'floating-minimum')
  const longest = minimum.find(({ lengthBytes }) => lengthBytes === Math.max(...minimum.map((one) => one.lengthBytes)))
  const freedLeast = 1 - (extremes(minimum.map(({ extra }) => extra))?.most ?? Number.NaN)
  const judged = found.rows.flatMap((row) =>
    PLACES.filter(([, , boundNs]) => row[boundNs] !== null).map(([, share, boundNs]) => ({ row, share, boundNs })),
  )
  const above = judged.filter(
    ({ row, share, boundNs }) => Math.round(number(row, share) * number(row, 'simulatedNs')) > number(row, boundNs),
  )
  return {
    id: 'stolen-time',
    title: 'Stolen time and the freed core',
    paragraphs: [
      'A floating broker gives a core back and pays with time on the cores of the VMs. Freed capacity is that core, less what floating takes from the VMs beyond what the dedicated broker takes from them.',
    ],
    keys:
      longest === undefined
        ? []
        : [
            {
              id: 'freed-core',
              value: `${fixed(freedLeast, 2, 'down')} cores`,
              text: `freed at least by floating with the minimum of interrupts at ${ratesOf(found.rows)}; ${fixed(1 - longest.extra, 2)} with messages of ${bytes(longest.lengthBytes)}`,
              provenance: 'simulated',
            },
          ],
    verdicts: [
      {
        id: 'floating-pays',
        claim: `Floating costs less than the core that it frees, at any rate that ${limits.size > 0 ? 'one flow can reach' : 'the DMA can copy'}.`,
        holds: compared.length === 0 ? null : reached.length === 0,
        evidence:
          compared.length === 0
            ? 'The board has no core for a dedicated broker.'
            : reached.length === 0
              ? `The break-even is above ${limits.size > 0 ? 'the simulated throughput of one flow' : `the ${figure(1000 * beta)} MB/s of the DMA`} for all of ${compared.length} designs and sizes. Rates that several flows reach together are not in this.`
              : reached
                  .map(
                    ({ design, lengthBytes, breakEven }) =>
                      `${named(design)}, ${bytes(lengthBytes)}: break-even at ${figure(1000 * breakEven)} MB/s`,
                  )
                  .join('; '),
      },
      {
        id: 'stolen-bounds-hold',
        claim: 'Simulated stolen time never exceeds its bound.',
        holds: judged.length === 0 ? null : found.entry.refuted === 0 && above.length === 0,
        evidence: `${above.length} of ${count(judged.length, 'core')} with a bound, in ${count(found.rows.length, 'run')}, ${above.length === 1 ? 'is' : 'are'} above it; ${2 * found.rows.length - judged.length} have none.`,
      },
    ],
    figures: [
      shares(data, found),
      ...(compared.length === 0 ? [] : [freed(data, found, compared), breakEven(data, found, compared, limits)]),
      masked(data, found),
    ],
  }
}

function compare(rows: readonly Row[]): Comparison[] {
  return FLOATING.flatMap((design) =>
    where(rows, { design }).flatMap((row) => {
      const lengthBytes = number(row, 'lengthBytes')
      const dedicated = where(rows, { design: 'dedicated', lengthBytes })[0]
      if (dedicated === undefined) return []
      const vms = (of: Row) => number(of, 'senderShare') + number(of, 'receiverShare')
      const extra = vms(row) - vms(dedicated)
      const bytesPerNs = lengthBytes / number(row, 'periodNs')
      return [{ design, lengthBytes, extra, breakEven: extra > 0 ? bytesPerNs / extra : Number.POSITIVE_INFINITY }]
    }),
  )
}

/** Simulated throughput of one flow, by design and size, where that was run. */
function reachedBytesPerNs(data: ReportData): ReadonlyMap<string, number> {
  const rows = dataOf(data, 'throughput')?.rows ?? []
  return new Map(rows.map((row) => [`${row.design}|${row.lengthBytes}`, number(row, 'bytesPerNs')]))
}

const settingOf = (data: ReportData, rows: readonly Row[]) =>
  `One flow at ${ratesOf(rows)}; typical costs, no regulator, n = ${countsOf(rows, 'messages', 'message')} a point, seed ${data.manifest.campaign.seed}.`

/** Of all runs together. */
function ratesOf(rows: readonly Row[]): string {
  const rate = extremes(rows.map((row) => number(row, 'lengthBytes') / number(row, 'periodNs')))
  const period = extremes(rows.map((row) => number(row, 'periodNs')))
  if (rate === null || period === null) return 'no rate'
  return `up to ${figure(1000 * rate.most)} MB/s and up to ${figure(1e9 / period.least)} messages/s`
}

function shares(data: ReportData, { rows, file }: Data): Figure {
  const designs = distinct<string>(rows, 'design')
  const lengths = distinct<number>(rows, 'lengthBytes')
  const longest = Math.max(...lengths)
  const of = designs.map(
    (design) =>
      `${named(design)} ${percent(number(where(rows, { design, lengthBytes: longest })[0], 'receiverShare'), 1)}`,
  )
  return {
    id: 'stolen-shares',
    finding: `With messages of ${bytes(longest)} the broker takes of the receiver's core: ${of.join('; ')}`,
    provenance: 'simulated',
    caption: `Share of a VM's core that is spent in EL2. Lines: simulated; bands reach up to the bound of a window as long as the run, which counts the worst alignment of everything, where there is one. ${settingOf(data, rows)}`,
    file,
    chart: {
      kind: 'lines',
      x: SIZE,
      y: { label: 'share of the core', format: 'percent' },
      series: seriesOf(designs),
      points: PLACES.flatMap(([label, share, boundNs]) =>
        rows.map((row) => ({
          series: String(row.design),
          x: number(row, 'lengthBytes'),
          y: number(row, share),
          ...(row[boundNs] !== null && { low: number(row, share), high: boundShare(row, boundNs) }),
          column: label,
        })),
      ),
      columns: PLACES.map(([label]) => label),
      heightPx: 260,
    },
    table: {
      head: ['design', 'message size', 'sender', 'bound', 'receiver', 'bound', "broker's own core"],
      rows: rows.map((row) => [
        String(row.design),
        bytes(number(row, 'lengthBytes')),
        ...PLACES.flatMap(([, share, boundNs]) => [
          percent(number(row, share), 1),
          row[boundNs] === null ? 'none' : percent(boundShare(row, boundNs), 1, 'up'),
        ]),
        percent(number(row, 'brokerShare'), 1),
      ]),
    },
  }
}

function freed(data: ReportData, { rows, file }: Data, compared: readonly Comparison[]): Figure {
  const worst = compared.reduce((a, b) => (b.extra > a.extra ? b : a))
  return {
    id: 'freed-core',
    finding: `The least that is freed at these rates is ${fixed(1 - worst.extra, 2, 'down')} cores (${named(worst.design)}, ${bytes(worst.lengthBytes)})`,
    provenance: 'simulated',
    caption: `1 - (what floating takes from the VMs - what dedicated takes from them), in cores. ${settingOf(data, rows)}`,
    file,
    half: true,
    chart: {
      kind: 'lines',
      x: SIZE,
      y: { label: 'freed capacity, cores', domain: [0, 1.1] },
      series: seriesOf(FLOATING),
      points: compared.map(({ design, lengthBytes, extra }) => ({ series: design, x: lengthBytes, y: 1 - extra })),
      rules: [{ axis: 'y', at: 1, label: 'one core' }],
      heightPx: 220,
    },
    table: {
      head: ['design', 'message size', 'freed cores'],
      rows: compared.map(({ design, lengthBytes, extra }) => [design, bytes(lengthBytes), fixed(1 - extra, 3)]),
    },
  }
}

/** What one flow reaches, drawn beside the break-even of its design. */
const REACHED = FLOATING.map((of) => {
  const [look] = seriesOf([of])
  const color = of === 'floating-plain' ? 'a3' : 'a0'
  return { of, series: { ...look!, key: `reached-${of}`, label: `reached by one flow, ${SHORT[of]}`, color } }
})

function breakEven(
  data: ReportData,
  { rows, file }: Data,
  compared: readonly Comparison[],
  limits: ReadonlyMap<string, number>,
): Figure {
  const beta = data.manifest.platform.dmaBytesPerNs.value
  const finite = compared.filter(({ breakEven }) => Number.isFinite(breakEven))
  const never = finiteNever(compared)
  const reached = compared.flatMap(({ design, lengthBytes }) => {
    const bytesPerNs = limits.get(`${design}|${lengthBytes}`)
    return bytesPerNs === undefined ? [] : [{ design, lengthBytes, bytesPerNs }]
  })
  const margins = finite.map(({ design, lengthBytes, breakEven }) => ({
    design,
    lengthBytes,
    margin: breakEven / (limits.get(`${design}|${lengthBytes}`) ?? beta),
  }))
  const least = margins.length === 0 ? null : margins.reduce((a, b) => (b.margin < a.margin ? b : a))
  return {
    id: 'break-even',
    finding:
      least === null
        ? 'At no rate would floating cost a whole core: it takes no more from the VMs than dedicated at any size'
        : `The rate at which floating would cost a whole core is ${least.margin >= 1 ? 'at least' : 'down to'} ${figure(least.margin, 'down')} times what ${limits.size > 0 ? 'one flow of the same design and size reaches' : 'the DMA copies'} (${named(least.design)}, ${bytes(least.lengthBytes)})`,
    provenance: 'simulated',
    caption: `Rate of messages of one size at which floating takes one core more from the VMs than dedicated, extrapolated from the stolen time of a message; the dotted line is the rate of the DMA. ${never === '' ? '' : `No break-even, because no more is taken than by dedicated: ${never}. `}${settingOf(data, rows)}`,
    file,
    half: true,
    chart: {
      kind: 'lines',
      x: SIZE,
      y: { label: 'rate, MB/s', scale: 'log10' },
      series: [
        ...seriesOf(FLOATING, Object.fromEntries(FLOATING.map((design) => [design, `break-even, ${SHORT[design]}`]))),
        ...REACHED.filter(({ of }) => reached.some(({ design }) => design === of)).map(({ series }) => series),
      ],
      points: [
        ...finite.map(({ design, lengthBytes, breakEven }) => ({
          series: design,
          x: lengthBytes,
          y: 1000 * breakEven,
        })),
        ...reached.map(({ design, lengthBytes, bytesPerNs }) => ({
          series: `reached-${design}`,
          x: lengthBytes,
          y: 1000 * bytesPerNs,
        })),
      ],
      rules: [{ axis: 'y', at: 1000 * beta, label: 'rate of the DMA' }],
      heightPx: 220,
    },
    table: {
      head: ['design', 'message size', 'break-even, MB/s', 'one flow reaches, MB/s'],
      rows: compared.map(({ design, lengthBytes, breakEven }) => [
        design,
        bytes(lengthBytes),
        Number.isFinite(breakEven) ? figure(1000 * breakEven) : 'none',
        figure(1000 * (limits.get(`${design}|${lengthBytes}`) ?? Number.NaN)),
      ]),
    },
  }
}

/** Where floating takes no more than dedicated: designs with their sizes. */
function finiteNever(compared: readonly Comparison[]): string {
  const never = compared.filter(({ breakEven }) => breakEven === Number.POSITIVE_INFINITY)
  return [...new Set(never.map(({ design }) => design))]
    .map((design) => {
      const sizes = never.filter((one) => one.design === design).map(({ lengthBytes }) => bytes(lengthBytes))
      return `${SHORT[design]} at ${sizes.join(', ')}`
    })
    .join('; ')
}

function masked(data: ReportData, { rows, file }: Data): Figure {
  const most = extremes(rows.map((row) => number(row, 'longestMaskedNs')))?.most ?? Number.NaN
  const longest = rows
    .filter((row) => row.longestMaskedNs === most)
    .map((row) => `${named(String(row.design))}, ${bytes(number(row, 'lengthBytes'))}`)
  return {
    id: 'masked',
    finding: `The longest section with interrupts masked takes ${duration(most)} (${namesOf(longest, 'designs and sizes')})`,
    provenance: 'simulated',
    caption: `Longest time for which a core in EL2 lets no interrupt in. ${settingOf(data, rows)}`,
    file,
    chart: {
      kind: 'lines',
      x: SIZE,
      y: { label: 'longest masked section, µs' },
      series: seriesOf(distinct<string>(rows, 'design')),
      points: rows.map((row) => ({
        series: String(row.design),
        x: number(row, 'lengthBytes'),
        y: number(row, 'longestMaskedNs') / 1000,
      })),
      heightPx: 200,
    },
    table: {
      head: ['design', 'message size', 'longest masked section'],
      rows: rows.map((row) => [
        String(row.design),
        bytes(number(row, 'lengthBytes')),
        duration(number(row, 'longestMaskedNs')),
      ]),
    },
  }
}
