/** IPIs, interrupts and exits of one message, and per MiB. */

import { bytes, count, figure as digits, seriesOf } from '../../../page/index.ts'
import type { ReportData } from '../../report-data.ts'
import { type Data, dataOf, distinct, type Figure, number, type Section, where } from '../section.ts'

const KINDS: readonly (readonly [label: string, each: string, perMiB: string])[] = [
  ['IPIs between cores', 'crossCoreIpis', 'ipisPerMiB'],
  ['interrupts on VM cores', 'vmInterrupts', 'interruptsPerMiB'],
  ['exits on VM cores', 'vmExits', 'exitsPerMiB'],
]

export function interruptsSection(data: ReportData): Section | null {
  const found = dataOf(data, 'interrupts')
  if (found === null) return null
  const { rows } = found
  const lengths = distinct<number>(rows, 'lengthBytes')
  const longest = Math.max(...lengths)
  const at = (design: string, column: string) => number(where(rows, { design, lengthBytes: longest })[0], column)
  const minimum = where(rows, { design: 'floating-minimum' })
  const always = minimum.every((row) => row.crossCoreIpis === 0 && row.vmInterrupts === 1 && row.vmExits === 2)
  const different = rows.filter(
    (row) =>
      row.crossCoreIpis !== row.expectedIpis ||
      row.vmInterrupts !== row.expectedInterrupts ||
      row.vmExits !== row.expectedExits,
  )
  const before = distinct<string>(rows, 'design').find((design) => design !== 'floating-minimum')
  const each = distinct<string>(rows, 'design').map((design) => `${named(design)} ${where(rows, { design }).length}`)
  return {
    id: 'interrupts',
    title: 'Interrupts of one message',
    paragraphs: [
      'One message alone, from 64 B to 4 MiB in pieces of 4 KiB. Dedicated: n + 2 IPIs, n + 1 interrupts, 2 + 2n exits for n pieces; floating, plain: 1, n + 1, 2 + 2n; floating, minimum: 0, 1, 2.',
    ],
    keys:
      before === undefined || minimum.length === 0
        ? []
        : [
            {
              id: 'interrupts',
              value: `${count(at(before, 'crossCoreIpis'), 'IPI')} → ${at('floating-minimum', 'crossCoreIpis')}`,
              text: `between cores for a message of ${bytes(longest)}, ${named(before)} against floating with the minimum of interrupts; ${count(at(before, 'vmExits'), 'exit')} → ${at('floating-minimum', 'vmExits')}`,
              provenance: 'simulated',
            },
          ],
    verdicts: [
      {
        id: 'interrupts-as-modelled',
        claim: 'Counts of interrupts equal the table of the model exactly, at every size and under every design.',
        holds: different.length === 0,
        evidence: `${different.length} of ${count(rows.length, 'run')} differ (${each.join('; ')}).`,
      },
      {
        id: 'interrupts-minimum',
        claim: 'Floating, minimum: no IPI, one interrupt, two exits, whatever the size.',
        holds: minimum.length === 0 ? null : always,
        evidence: `${count(minimum.length, 'size')} from ${bytes(Math.min(...lengths))} to ${bytes(longest)}, nothing else pending.`,
      },
    ],
    figures: [figure(data, found, 'message'), figure(data, found, 'MiB')],
  }
}

const named = (design: string) => seriesOf([design])[0]!.label

function figure(data: ReportData, { rows, file }: Data, per: 'message' | 'MiB'): Figure {
  const designs = distinct<string>(rows, 'design')
  const column = (kind: (typeof KINDS)[number]) => (per === 'message' ? kind[1] : kind[2])
  const last = Math.max(...distinct<number>(rows, 'lengthBytes'))
  const first = Math.min(...distinct<number>(rows, 'lengthBytes'))
  const at = (design: string, name: string, lengthBytes: number) =>
    number(where(rows, { design, lengthBytes })[0], name)
  return {
    id: `interrupts-per-${per.toLowerCase()}`,
    finding:
      per === 'message'
        ? `Interrupts on VM cores for messages of ${bytes(first)} and of ${bytes(last)}: ${designs.map((design) => `${named(design)} ${at(design, 'vmInterrupts', first)} and ${at(design, 'vmInterrupts', last)}`).join('; ')}`
        : `Interrupts on VM cores per MiB in messages of ${bytes(last)}: ${designs.map((design) => `${named(design)} ${digits(at(design, 'interruptsPerMiB', last))}`).join('; ')}`,
    provenance: 'simulated',
    caption: `${per === 'message' ? 'Count of one message' : 'The same per MiB of payload'}; both axes logarithmic, 0 at the bottom. One message alone between two cores, typical costs, no regulator; n = 1 run a point, seed ${data.manifest.campaign.seed}.`,
    file,
    chart: {
      kind: 'lines',
      x: {
        label: 'message size, bytes',
        scale: 'log2',
        format: 'bytes',
        ticks: [64, 1024, 16_384, 262_144, 4_194_304],
      },
      y: {
        label: per === 'message' ? 'per message' : 'per MiB',
        scale: 'symlog',
        ticks: per === 'message' ? [0, 1, 2, 10, 100, 1000] : [0, 1, 10, 100, 1000, 10_000],
      },
      series: seriesOf(designs),
      points: KINDS.flatMap((kind) =>
        rows.map((row) => ({
          series: String(row.design),
          x: number(row, 'lengthBytes'),
          y: number(row, column(kind)),
          column: kind[0],
        })),
      ),
      columns: KINDS.map(([label]) => label),
      heightPx: 230,
    },
    table: {
      head: ['design', 'message size', 'pieces', ...KINDS.map(([label]) => label)],
      rows: rows.map((row) => [
        String(row.design),
        bytes(number(row, 'lengthBytes')),
        number(row, 'pieces'),
        ...KINDS.map((kind) => number(row, column(kind))),
      ]),
    },
  }
}
