/** What the broker takes from the VMs' cores, what the freed core is worth, and from which rate on it no longer is. */
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { bytes, duration, figure, fixed, percent } from '../format.ts'
import { seriesOf } from '../palette.ts'
import { type Data, dataOf, distinct, type Figure, number, type Section, where } from '../section.ts'

const SIZE = {
  label: 'message size, bytes',
  scale: 'log2',
  format: 'bytes',
  ticks: [64, 1024, 16_384, 262_144],
} as const
const PLACES: readonly (readonly [label: string, share: string, bound: string])[] = [
  ["the sender's core", 'senderShare', 'senderBoundShare'],
  ["the receiver's core", 'receiverShare', 'receiverBoundShare'],
]
const FLOATING = ['floating-plain', 'floating-minimum']

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
  const minimum = compared.filter(({ design }) => design === 'floating-minimum')
  const limits = reachedBytesPerNs(data)
  const limit = ({ design, lengthBytes }: Comparison) => limits.get(`${design}|${lengthBytes}`) ?? beta
  const reached = compared.filter((one) => one.breakEven <= limit(one))
  const largest = minimum[minimum.length - 1]
  return {
    id: 'stolen-time',
    title: 'Stolen time and the freed core',
    paragraphs: [
      'A floating broker gives a core back and pays with time on the cores of the VMs. Freed capacity is that core, less what floating takes from the VMs beyond what the dedicated broker takes from them.',
    ],
    keys:
      largest === undefined
        ? []
        : [
            {
              value: `${fixed(1 - Math.max(...minimum.map(({ extra }) => extra)), 2)} cores`,
              text: `freed at least by floating with the minimum of interrupts at 273 MB/s or 50 000 messages/s, whichever is less; ${fixed(1 - largest.extra, 2)} with messages of ${bytes(largest.lengthBytes)}`,
              provenance: 'simulated',
            },
          ],
    verdicts: [
      {
        claim: `Floating costs less than the core that it frees, at any rate that ${limits.size > 0 ? 'one flow can reach' : 'the DMA can copy'}.`,
        holds: compared.length === 0 ? null : reached.length === 0,
        evidence:
          compared.length === 0
            ? 'The board has no core for a dedicated broker.'
            : reached.length === 0
              ? `The break-even is above ${limits.size > 0 ? 'the simulated throughput of one flow' : `the ${figure(1000 * beta)} MB/s of the DMA`} at every size, with one interrupt a piece too. Several senders of short messages on several cores could together reach it.`
              : reached
                  .map(
                    ({ design, lengthBytes, breakEven }) =>
                      `${design}, ${bytes(lengthBytes)}: break-even at ${figure(1000 * breakEven)} MB/s`,
                  )
                  .join('; '),
      },
      {
        claim: 'Simulated stolen time never exceeds its bound.',
        holds: found.entry.refuted === 0,
        evidence: `${found.rows.filter((row) => row.receiverBoundShare !== null).length} of ${found.rows.length} runs have a bound.`,
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

const settingOf = (data: ReportData) =>
  `One flow at 273 MB/s, or 50 000 messages/s for short ones, where the DMA copies 1 byte/ns; typical costs, no regulator, n = 100 messages a point, seed ${data.manifest.campaign.seed}.`

function shares(data: ReportData, { rows, file }: Data): Figure {
  const designs = distinct<string>(rows, 'design')
  const lengths = distinct<number>(rows, 'lengthBytes')
  const at = (design: string) => where(rows, { design, lengthBytes: Math.max(...lengths) })[0]
  return {
    id: 'stolen-shares',
    finding: `One interrupt a piece takes ${percent(number(at('floating-plain'), 'receiverShare'))} of a receiver that gets long messages; one a message takes ${percent(number(at('floating-minimum'), 'receiverShare'))}, less than the dedicated broker's ${percent(number(at('dedicated'), 'receiverShare'))}`,
    provenance: 'simulated',
    caption: `Share of a VM's core that is spent in EL2. Lines: simulated; bands reach up to the bound, which counts the worst alignment of everything, where there is one. ${settingOf(data)}`,
    file,
    chart: {
      kind: 'lines',
      x: SIZE,
      y: { label: 'share of the core', format: 'percent' },
      series: seriesOf(designs),
      points: PLACES.flatMap(([label, share, bound]) =>
        rows.map((row) => ({
          series: String(row.design),
          x: number(row, 'lengthBytes'),
          y: number(row, share),
          ...(row[bound] !== null && { low: number(row, share), high: number(row, bound) }),
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
        ...['senderShare', 'senderBoundShare', 'receiverShare', 'receiverBoundShare', 'brokerShare'].map((column) =>
          percent(number(row, column), 1),
        ),
      ]),
    },
  }
}

function freed(data: ReportData, { file }: Data, compared: readonly Comparison[]): Figure {
  const worst = compared.reduce((a, b) => (b.extra > a.extra ? b : a))
  return {
    id: 'freed-core',
    finding: `Of the freed core at least ${percent(1 - worst.extra)} remains`,
    provenance: 'simulated',
    caption: `1 - (what floating takes from the VMs - what dedicated takes from them), in cores. ${settingOf(data)}`,
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

function breakEven(
  data: ReportData,
  { file }: Data,
  compared: readonly Comparison[],
  limits: ReadonlyMap<string, number>,
): Figure {
  const beta = data.manifest.platform.dmaBytesPerNs.value
  const finite = compared.filter(({ breakEven }) => Number.isFinite(breakEven))
  const never = distinctLengths(compared.filter(({ breakEven }) => breakEven === Number.POSITIVE_INFINITY))
  const reached = compared.flatMap(({ design, lengthBytes }) => {
    const bytesPerNs = limits.get(`${design}|${lengthBytes}`)
    return design !== 'floating-minimum' || bytesPerNs === undefined ? [] : [{ lengthBytes, bytesPerNs }]
  })
  const margins = finite.map(
    ({ design, lengthBytes, breakEven }) => breakEven / (limits.get(`${design}|${lengthBytes}`) ?? beta),
  )
  return {
    id: 'break-even',
    finding: `The rate at which floating would cost a whole core is at least ${fixed(Math.min(...margins), 1)} times what ${limits.size > 0 ? 'one flow reaches' : 'the DMA copies'}`,
    provenance: 'simulated',
    caption: `Rate of messages of one size at which floating takes one core more from the VMs than dedicated, extrapolated from the stolen time of a message; the dotted line is the rate of the DMA. ${never === '' ? '' : `At ${never} the minimum takes less than dedicated: no break-even. `}${settingOf(data)}`,
    file,
    half: true,
    chart: {
      kind: 'lines',
      x: SIZE,
      y: { label: 'rate, MB/s', scale: 'log10' },
      series: [
        ...seriesOf(FLOATING, { 'floating-plain': 'break-even, plain', 'floating-minimum': 'break-even, minimum' }),
        ...(reached.length === 0 ? [] : seriesOf(['median'], { median: 'reached by one flow, minimum' })),
      ],
      points: [
        ...finite.map(({ design, lengthBytes, breakEven }) => ({
          series: design,
          x: lengthBytes,
          y: 1000 * breakEven,
        })),
        ...reached.map(({ lengthBytes, bytesPerNs }) => ({ series: 'median', x: lengthBytes, y: 1000 * bytesPerNs })),
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

function distinctLengths(compared: readonly Comparison[]): string {
  return [...new Set(compared.map(({ lengthBytes }) => bytes(lengthBytes)))].join(', ')
}

function masked(data: ReportData, { rows, file }: Data): Figure {
  const longest = rows.reduce((a, b) => (number(b, 'longestMaskedNs') > number(a, 'longestMaskedNs') ? b : a))
  return {
    id: 'masked',
    finding: `The longest section with interrupts masked takes ${duration(number(longest, 'longestMaskedNs'))} (${longest.design}, ${bytes(number(longest, 'lengthBytes'))}): preparing a chain`,
    provenance: 'simulated',
    caption: `Longest time for which a core in EL2 lets no interrupt in. ${settingOf(data)}`,
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
