/** Four ways for the broker to live with a throttled core. */

import { bytes, count, duration, percent, seriesOf } from '../../../page/index.ts'
import type { Row } from '../../experiment.ts'
import type { ReportData } from '../../report-data.ts'
import { countsOf, dataOf, distinct, extremes, type Figure, number, type Section, where } from '../section.ts'

const LABELS: Readonly<Record<string, string>> = {
  service: 'service in the waiting loop',
  interruptible: 'wait with interrupts enabled',
  retarget: 'retarget the interrupt',
  accept: 'accept the wait',
}

const othersNamed = (accepted: boolean) => (accepted ? 'any of the other ways' : 'all ways tried')

export function memguardSection(data: ReportData): Section | null {
  const found = dataOf(data, 'memguard')
  if (found === null) return null
  const { rows, file } = found
  const options = distinct<string>(rows, 'option')
  const shares = distinct<number>(rows, 'throttledShare')
  const largest = (match: Row, column: string) =>
    extremes(where(rows, match).map((row) => number(row, column)))?.most ?? Number.NaN
  const most = Math.max(...shares)
  const others = options.filter((option) => option !== 'accept')
  const longest = (chosen: readonly string[], match: Row, column: string) =>
    extremes(chosen.map((option) => largest({ option, ...match }, column)))?.most ?? Number.NaN
  const misses = (option: string) =>
    where(rows, { option, flow: 'commands' }).reduce((sum, row) => sum + number(row, 'deadlineMisses'), 0)
  const commands = where(rows, { flow: 'commands' })
  const accepted = options.includes('accept')
  const runs = distinct(rows, 'run').length
  const messages = where(commands, { option: options[0]! }).reduce((sum, row) => sum + number(row, 'messages'), 0)
  const sizeOf = (flow: string) => bytes(number(where(rows, { flow })[0], 'lengthBytes'))
  const setting = `Frames of ${sizeOf('frames')} to the throttled core, commands of ${sizeOf('commands')} to another; floating, EDF, a budget of 0.5 ms a ms, costs drawn between best and worst; n = ${count(runs, 'run')} a point of ${countsOf(where(rows, { flow: 'frames' }), 'messages', 'frame')} and ${countsOf(commands, 'messages', 'command')}, seed ${data.manifest.campaign.seed}.`
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
    finding: `The slowest of the commands to another core: ${accepted ? `${duration(largest({ option: 'accept', flow: 'commands' }, 'maxNs'))} where the wait is accepted` : ''}${accepted && others.length > 0 ? ', ' : ''}${others.length > 0 ? `at most ${duration(longest(others, { flow: 'commands' }, 'maxNs'), 'up')} with ${othersNamed(accepted)}` : ''}, over all shares of throttling`,
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
    finding: `The longest wait of a completion: ${accepted ? `${duration(largest({ option: 'accept' }, 'longestDelayNs'))} where the wait is accepted` : ''}${accepted && others.length > 0 ? ', ' : ''}${others.length > 0 ? `at most ${duration(longest(others, {}, 'longestDelayNs'), 'up')} with ${othersNamed(accepted)}` : ''}`,
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
    keys:
      commands.length > 0 && accepted && options.includes('service')
        ? [
            {
              id: 'memguard',
              value: `${duration(largest({ option: 'accept', flow: 'commands', throttledShare: most }, 'maxNs'))} → ${duration(largest({ option: 'service', flow: 'commands', throttledShare: most }, 'maxNs'))}`,
              text: `longest latency of ${bytes(number(commands[0], 'lengthBytes'))} commands beside a core throttled for ${percent(most)} of the time, waiting accepted against broker served in the waiting loop`,
              provenance: 'simulated',
            },
          ]
        : [],
    verdicts: [
      {
        id: 'memguard-commands',
        claim: `Commands to another core miss no deadline, however long the receiver of the frames is throttled, with ${othersNamed(accepted)}.`,
        holds: others.length === 0 || commands.length === 0 ? null : others.every((option) => misses(option) === 0),
        evidence: `${options.map((option) => `${option}: ${count(misses(option), 'deadline miss', 'deadline misses')}`).join('; ')}; ${count(messages, 'command')} each.`,
      },
    ],
    figures: [latencies, waits],
  }
}
