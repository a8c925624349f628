/** From which size on pages are better exchanged or lent than copied. */

import { bytes, count, duration, figure, seriesOf } from '../../../page/index.ts'
import type { ReportData } from '../../report-data.ts'
import { countsOf, dataOf, distinct, extremes, type Figure, number, type Section, where } from '../section.ts'

const PAGES = { label: 'pages of 4 KiB', scale: 'log2', ticks: [1, 4, 16, 64, 256] } as const
const DONE: Readonly<Record<string, string>> = { remap: 'exchanging', lend: 'lending' }
const MODELS: Readonly<Record<string, string>> = {
  copy: 'copy, L/β and its software',
  remap: 'exchange, z(L)',
  lend: 'lend, z(L)',
}

export function copyRemapSection(data: ReportData): Section | null {
  const found = dataOf(data, 'copy-remap')
  if (found === null) return null
  const { rows, file } = found
  const pages = distinct<number>(rows, 'pages')
  const at = (transfer: string, page: number, column: string) =>
    number(where(rows, { transfer, pages: page })[0], column)
  /** The fewest pages from which on it stays better. */
  const from = (better: (page: number) => boolean) => {
    const worse = pages.filter((page) => !better(page))
    return pages.find((page) => worse.every((other) => other < page))
  }
  const transfers = distinct<string>(rows, 'transfer')
  const moved = transfers.filter((transfer) => transfer !== 'copy')
  /** Of two transfers, by one column of one chart: the break-even is the same notion wherever it is named. */
  const breakEven = (transfer: string, column: 'medianNs' | 'modelNs') =>
    from((page) => at(transfer, page, column) < at('copy', page, column))
  const remapFrom = breakEven('remap', 'medianNs')
  const largest = Math.max(...pages)
  const times = (transfer: string) => at(transfer, largest, 'stolenNs') / at('copy', largest, 'stolenNs')
  const costlier = moved.map((transfer) => ({
    transfer,
    at: pages.filter((page) => at(transfer, page, 'stolenNs') > at('copy', page, 'stolenNs')),
    of: pages.filter((page) => Number.isFinite(at(transfer, page, 'stolenNs') - at('copy', page, 'stolenNs'))),
  }))
  const ways = (column: 'medianNs' | 'modelNs') =>
    moved.map((transfer) => `${DONE[transfer] ?? transfer} ${said(breakEven(transfer, column))}`).join(', ')
  const said = (found: number | undefined) =>
    found === undefined ? 'at no size tried' : `from ${count(found, 'page')} on`
  const caption = `Floating broker, one page-aligned flow alone, typical costs, no regulator; n = ${countsOf(rows, 'messages', 'message')} a point, seed ${data.manifest.campaign.seed}.`
  const fallbacks = rows.filter((row) => number(row, 'copyFallbacks') > 0)
  const fellBack =
    fallbacks.length === 0
      ? ''
      : `Some messages were copied after all, because a page could not be moved: ${fallbacks.map((row) => `${row.transfer} of ${row.pages} pages, ${row.copyFallbacks}`).join('; ')}. `
  const table = {
    head: ['transfer', 'pages', 'median', 'maximum', 'EL2 time a message', 'pages moved', 'fallbacks'],
    rows: rows.map((row) => [
      String(row.transfer),
      number(row, 'pages'),
      duration(number(row, 'medianNs')),
      duration(number(row, 'maxNs')),
      duration(number(row, 'stolenNs')),
      number(row, 'pagesMoved'),
      number(row, 'copyFallbacks'),
    ]),
  }
  const simulated = (id: string, finding: string, column: string, label: string): Figure => ({
    id,
    finding,
    provenance: 'simulated',
    caption: `${label[0]!.toUpperCase()}${label.slice(1)} against size, both axes logarithmic. ${fellBack}${caption}`,
    file,
    half: true,
    chart: {
      kind: 'lines',
      x: PAGES,
      y: { label: `${label}, µs`, scale: 'log10' },
      series: seriesOf(distinct<string>(rows, 'transfer')),
      points: rows.map((row) => ({
        series: String(row.transfer),
        x: number(row, 'pages'),
        y: number(row, column) / 1000,
      })),
      heightPx: 250,
    },
    table,
  })
  const apart = transfers.map((transfer) => {
    const most = extremes(pages.map((page) => Math.abs(at(transfer, page, 'medianNs') - at(transfer, page, 'modelNs'))))
    return `${transfer} ${most === null ? '–' : duration(most.most, 'up')}`
  })
  const tried = costlier.every(({ of }) => of.length === 0)
  const agrees = moved.filter((transfer) => breakEven(transfer, 'medianNs') === breakEven(transfer, 'modelNs'))
  return {
    id: 'copy-remap',
    title: 'Copying, exchanging and lending pages',
    paragraphs: [
      'Pages that change owners need no DMA, but processor time: trap, steps under the lock, page tables of two VMs, TLB and SMMU invalidation, and scrubbing of the page that comes back. The model counts what the broker charges for one message alone.',
    ],
    keys: moved.includes('remap')
      ? [
          {
            id: 'copy-remap',
            value: remapFrom === undefined ? 'never' : count(remapFrom, 'page'),
            text: `from which on exchanging pages has a lower latency than an unregulated copy; ${bytes(largest * 4096)} take ${figure(times('remap'))} times the processor time of a copy`,
            provenance: 'simulated',
          },
        ]
      : [],
    verdicts: [
      {
        id: 'zero-copy-processor',
        claim: 'Zero-copy costs no more processor time than copying by DMA, at any size.',
        holds: tried ? null : costlier.every(({ at }) => at.length === 0),
        evidence: `More EL2 time: ${costlier.map(({ transfer, at, of }) => `${DONE[transfer] ?? transfer} at ${at.length} of ${of.length} sizes`).join(', ')}; ${bytes(largest * 4096)}: ${transfers.map((transfer) => `${transfer} ${duration(at(transfer, largest, 'stolenNs'))}`).join(', ')}.`,
      },
      {
        id: 'break-even-as-modelled',
        claim: 'The model and the simulation have the same break-even of moving pages against copying them.',
        holds: moved.length === 0 ? null : agrees.length === moved.length,
        evidence: `Simulated: ${ways('medianNs')}. Computed: ${ways('modelNs')}.`,
      },
    ],
    figures: [
      simulated(
        'copy-remap-latency',
        `Lower median latency than copying: ${ways('medianNs')}`,
        'medianNs',
        'median latency',
      ),
      simulated(
        'copy-remap-processor',
        `EL2 time of a message of ${bytes(largest * 4096)}, over that of a copy: ${moved.map((transfer) => `${DONE[transfer] ?? transfer} ${figure(times(transfer))}`).join(', ')}`,
        'stolenNs',
        'EL2 time of a message',
      ),
      {
        id: 'copy-remap-model',
        finding: `By the model, lower latency than copying: ${ways('modelNs')}`,
        provenance: 'computed',
        caption: `All that one message alone is charged, typical costs: z(L) with sending and handling it, or L/β with the software before and behind it. Largest distance to the simulated medians: ${apart.join(', ')}. L/β alone is in the table. n = 1 (a formula), seed ${data.manifest.campaign.seed} has no influence.`,
        file,
        chart: {
          kind: 'lines',
          x: PAGES,
          y: { label: 'time, µs', scale: 'log10' },
          series: seriesOf(transfers, MODELS),
          points: transfers.flatMap((transfer) =>
            pages.map((page) => ({ series: transfer, x: page, y: at(transfer, page, 'modelNs') / 1000 })),
          ),
          heightPx: 230,
        },
        table: {
          head: ['pages', ...transfers.map((transfer) => MODELS[transfer] ?? transfer), 'L/β alone'],
          rows: pages.map((page) => [
            page,
            ...transfers.map((transfer) => duration(at(transfer, page, 'modelNs'))),
            duration(at(transfers[0]!, page, 'modelCopyNs')),
          ]),
        },
      },
    ],
  }
}
