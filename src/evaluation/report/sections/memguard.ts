/** Four ways for the broker to live with a throttled core. */
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { duration, percent } from '../format.ts'
import { seriesOf } from '../palette.ts'
import { dataOf, distinct, type Figure, number, type Section, where } from '../section.ts'

const LABELS: Readonly<Record<string, string>> = {
  service: 'service in the waiting loop',
  interruptible: 'wait with interrupts enabled',
  retarget: 'retarget the interrupt',
  accept: 'accept the wait',
}

export function memguardSection(data: ReportData): Section | null {
  const found = dataOf(data, 'memguard')
  if (found === null) return null
  const { rows, file } = found
  const options = distinct<string>(rows, 'option')
  const shares = distinct<number>(rows, 'throttledShare')
  const flows = distinct<string>(rows, 'flow')
  const largest = (match: Row, column: string) => Math.max(...where(rows, match).map((row) => number(row, column)))
  const most = Math.max(...shares)
  const commands = (option: string) => largest({ option, flow: 'commands', throttledShare: most }, 'maxNs')
  const good = options.filter((option) => option !== 'accept')
  const misses = (option: string) =>
    where(rows, { option, flow: 'commands' }).reduce((sum, row) => sum + number(row, 'deadlineMisses'), 0)
  const runs = distinct(rows, 'run').length
  const setting = `Frames of 200 KiB to the throttled core, commands of 2 KiB to another; floating, EDF, a budget of 0.5 ms a ms, costs drawn between best and worst; n = ${runs} runs of 250 ms a point, seed ${data.manifest.campaign.seed}.`
  const points = (column: string, chosen: readonly string[]) =>
    chosen.flatMap((flow) =>
      options.flatMap((option) =>
        shares.map((throttledShare) => ({
          series: option,
          x: throttledShare,
          y: largest({ option, flow, throttledShare }, column) / 1000,
          column: flow === 'commands' ? 'commands, to a core that is awake' : 'frames, to the throttled core',
        })),
      ),
    )
  const x = { label: "share of time for which the frames' receiver is throttled", format: 'percent' } as const
  const latencies: Figure = {
    id: 'memguard-latency',
    finding: `Where the wait is accepted, one throttled core delays everybody: commands take up to ${duration(commands('accept'))}; with any of the other ways at most ${duration(Math.max(...good.map(commands)))}`,
    provenance: 'simulated',
    caption: `Longest latency seen. ${setting}`,
    file,
    chart: {
      kind: 'lines',
      x,
      y: { label: 'longest latency, µs', scale: 'log10' },
      series: seriesOf(options, LABELS),
      points: points('maxNs', ['commands', 'frames']),
      columns: ['commands, to a core that is awake', 'frames, to the throttled core'],
      heightPx: 250,
    },
    table: {
      head: ['option', 'throttled', 'flow', 'messages', 'misses', 'median', 'p99', 'maximum', 'bound'],
      rows: rows.map((row) => [
        String(row.option),
        percent(number(row, 'throttledShare')),
        String(row.flow),
        number(row, 'messages'),
        number(row, 'deadlineMisses'),
        ...['medianNs', 'p99Ns', 'maxNs', 'boundNs'].map((column) => duration(number(row, column))),
      ]),
    },
  }
  const waits: Figure = {
    id: 'memguard-wait',
    finding: `A completion waits up to ${duration(largest({ option: 'accept' }, 'longestDelayNs'))} for a throttled core, or at most ${duration(Math.max(...good.map((option) => largest({ option }, 'longestDelayNs'))))} where it is not left to wait`,
    provenance: 'simulated',
    caption: `Longest time from the end of a transfer to its interrupt being taken. ${setting}`,
    file,
    chart: {
      kind: 'lines',
      x,
      y: { label: 'longest wait, µs', scale: 'log10' },
      series: seriesOf(options, LABELS),
      points: points('longestDelayNs', ['frames']).map(({ column: _, ...point }) => point),
      heightPx: 210,
    },
    table: {
      head: ['option', 'throttled', 'longest wait of a completion'],
      rows: options.flatMap((option) =>
        shares.map((throttledShare) => [
          LABELS[option] ?? option,
          percent(throttledShare),
          duration(largest({ option, throttledShare }, 'longestDelayNs')),
        ]),
      ),
    },
  }
  return {
    id: 'memguard',
    title: 'A receiver throttled by MemGuard',
    paragraphs: [
      'A core that has used up its cache refills waits for its next period. If it takes no interrupts meanwhile, the completion of a transfer to it waits too, and with it every flow of the DMA.',
    ],
    keys: flows.includes('commands')
      ? [
          {
            value: `${duration(commands('accept'))} → ${duration(commands('service'))}`,
            text: `longest latency of 2 KiB commands beside a core throttled for ${percent(most)} of the time, waiting accepted against broker served in the waiting loop`,
            provenance: 'simulated',
          },
        ]
      : [],
    verdicts: [
      {
        claim: 'Flows to other cores do not feel a throttled receiver, if its completions are not left to wait.',
        holds: good.every((option) => misses(option) === 0),
        evidence: options.map((option) => `${option}: ${misses(option)} deadline misses of commands`).join('; '),
      },
    ],
    figures: [latencies, waits],
  }
}
