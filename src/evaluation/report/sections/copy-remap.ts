/** From which size on pages are better exchanged or lent than copied. */
import type { ReportData } from '../../report-data.ts'
import { bytes, count, duration, figure } from '../format.ts'
import { seriesOf } from '../palette.ts'
import { dataOf, distinct, type Figure, number, type Section, where } from '../section.ts'

const PAGES = { label: 'pages of 4 KiB', scale: 'log2', ticks: [1, 4, 16, 64, 256] } as const
/** By transfer: its column. */
const MODELS: Readonly<Record<string, readonly [column: string, label: string]>> = {
  copy: ['modelCopyNs', 'copy, L/β'],
  remap: ['modelNs', 'exchange, z(L)'],
  lend: ['modelNs', 'lend, z(L)'],
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
  const remapFrom = from((page) => at('remap', page, 'medianNs') < at('copy', page, 'medianNs'))
  const lendFrom = from((page) => at('lend', page, 'medianNs') < at('copy', page, 'medianNs'))
  const modelFrom = from((page) => at('remap', page, 'modelNs') < at('copy', page, 'modelCopyNs'))
  const largest = Math.max(...pages)
  const times = at('remap', largest, 'stolenNs') / at('copy', largest, 'stolenNs')
  const said = (found: number | undefined) =>
    found === undefined ? 'at no size tried' : `from ${count(found, 'page')} on`
  const caption = `Floating broker, one page-aligned flow alone, typical costs, no regulator; n = ${number(rows[0], 'messages')} messages a point, seed ${data.manifest.campaign.seed}.`
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
  const models = Object.entries(MODELS).map(([transfer, [column, label]]) => ({ transfer, column, label }))
  const labels = Object.fromEntries(models.map(({ transfer, label }) => [transfer, label]))
  const apart = Math.max(...pages.map((page) => Math.abs(at('remap', page, 'medianNs') - at('remap', page, 'modelNs'))))
  return {
    id: 'copy-remap',
    title: 'Copying, exchanging and lending pages',
    paragraphs: [
      'Pages that change owners need no DMA, but processor time: trap, steps under the lock, page tables of two VMs, TLB and SMMU invalidation, and scrubbing of the page that comes back. The model counts what the broker charges for one message alone.',
    ],
    keys: [
      {
        value: remapFrom === undefined ? 'never' : `${count(remapFrom, 'page')}`,
        text: `from which on exchanging pages beats an unregulated copy in latency; ${bytes(largest * 4096)} cost ${figure(times)} times the processor time of a copy`,
        provenance: 'simulated',
      },
    ],
    verdicts: [
      {
        claim: 'Zero-copy costs no more processor time than copying by DMA.',
        holds: pages.every((page) => at('remap', page, 'stolenNs') <= at('copy', page, 'stolenNs')),
        evidence: `${bytes(largest * 4096)}: ${duration(at('remap', largest, 'stolenNs'))} of EL2 time exchanged, ${duration(at('copy', largest, 'stolenNs'))} copied.`,
      },
    ],
    figures: [
      simulated(
        'copy-remap-latency',
        `Exchanging is faster than copying ${said(remapFrom)}, lending ${said(lendFrom)}`,
        'medianNs',
        'median latency',
      ),
      simulated(
        'copy-remap-processor',
        `What zero-copy saves in latency it pays in EL2 time: ${figure(times)} times that of a copy at ${bytes(largest * 4096)}`,
        'stolenNs',
        'EL2 time of a message',
      ),
      {
        id: 'copy-remap-model',
        finding: `The model alone: an exchange takes less time than its copy takes the DMA ${said(modelFrom)}`,
        provenance: 'computed',
        caption: `z(L) = all that the hypervisor layer is charged for one message alone, sending and handling it included, against L/β. Computed from typical costs; the simulated medians of exchanges are ${apart === 0 ? 'exactly these' : `within ${duration(apart)} of these`}. n = 1 (a formula), seed ${data.manifest.campaign.seed} has no influence.`,
        file,
        chart: {
          kind: 'lines',
          x: PAGES,
          y: { label: 'time, µs', scale: 'log10' },
          series: seriesOf(Object.keys(labels), labels),
          points: models.flatMap(({ transfer, column }) =>
            pages.map((page) => ({ series: transfer, x: page, y: at(transfer, page, column) / 1000 })),
          ),
          heightPx: 230,
        },
        table: {
          head: ['pages', ...Object.values(labels)],
          rows: pages.map((page) => [
            page,
            ...models.map(({ transfer, column }) => duration(at(transfer, page, column))),
          ]),
        },
      },
    ],
  }
}
