/** Moving pages against copying them, and a throttled receiver. */
import type { Row } from 'virtio-sdk/evaluation'
import { expect } from 'vitest'
import type { Chart } from '../../../src/page/chart.ts'
import { bytesOf, isCount, isDuration, isFigure, isPercent, reads } from './reading.ts'
import { all, num, type Oracle, type Raw, top, values } from './rows.ts'

const DONE: Readonly<Record<string, string>> = { remap: 'exchanging', lend: 'lending' }

function moves(raw: Raw) {
  const rows = raw['copy-remap']!
  const of = (transfer: string, pages: number, column: string) => num(all(rows, { transfer, pages })[0], column)
  const pages = values<number>(rows, 'pages').sort((a, b) => a - b)
  const moved = values<string>(rows, 'transfer').filter((transfer) => transfer !== 'copy')
  /** Backwards from the largest, as long as it is better. */
  const breakEven = (transfer: string, column: string): number | null => {
    let found: number | null = null
    for (const page of [...pages].reverse()) {
      if (!(of(transfer, page, column) < of('copy', page, column))) break
      found = page
    }
    return found
  }
  const said = (column: string) =>
    moved
      .map((transfer) => {
        const from = breakEven(transfer, column)
        return `${DONE[transfer]} ${from === null ? 'at no size tried' : `from ${from} page${from === 1 ? '' : 's'} on`}`
      })
      .join(', ')
  return { rows, of, pages, moved, breakEven, said, largest: top(pages) }
}

/** The break-even that the points of a drawn chart show. */
function drawnBreakEven(chart: Chart, transfer: string): number | null {
  const y = (series: string, x: number) =>
    chart.points.find((point) => point.series === series && point.x === x)?.y ?? NaN
  const pages = [...new Set(chart.points.map(({ x }) => x))].sort((a, b) => b - a)
  let found: number | null = null
  for (const page of pages) {
    if (!(Number(y(transfer, page)) < Number(y('copy', page)))) break
    found = page
  }
  return found
}

const isBreakEvens =
  (column: string, start: string): Oracle =>
  ({ text, chart }, raw) => {
    const { said, moved, breakEven } = moves(raw)
    expect(text).toBe(`${start}: ${said(column)}`)
    for (const transfer of moved) expect(drawnBreakEven(chart!, transfer)).toBe(breakEven(transfer, column))
  }

const isMemguard =
  (start: string, match: Row, column: string, end: string): Oracle =>
  ({ text, chart }, raw) => {
    const rows = all(raw.memguard, match)
    const accepted = all(rows, { option: 'accept' }).map((row) => num(row, column))
    const others = rows.filter(({ option }) => option !== 'accept').map((row) => num(row, column))
    const [said] = reads(text, new RegExp(`${start}: (.+)${end}`))
    const waited = /(\S+ \S+) where the wait is accepted/.exec(said!)
    expect(waited !== null).toBe(accepted.length > 0)
    if (waited) isDuration(waited[1]!, top(accepted))
    const not = /at most (\S+ \S+) with (.+)/.exec(said!)
    expect(not !== null).toBe(others.length > 0)
    if (not === null) return
    isDuration(not[1]!, top(others), 'up')
    expect(not[2]).toBe(accepted.length > 0 ? 'any of the other ways' : 'all ways tried')
    // No point that stands below the title is above its figure.
    const drawn = chart!.points.filter(({ series, column: of }) => series !== 'accept' && !of?.startsWith('frames'))
    const [shown, unit] = not[1]!.split(' ') as [string, string]
    const limit = (Number(shown) * { ns: 1, µs: 1e3, ms: 1e6 }[unit as 'ns']!) / 1000
    for (const point of drawn) expect(Number(point.y)).toBeLessThanOrEqual(limit * (1 + 1e-9))
  }

export const TRANSFER_CLAIMS: Readonly<Record<string, Oracle>> = {
  'key:copy-remap': ({ text, head }, raw) => {
    const { breakEven, of, largest } = moves(raw)
    const from = breakEven('remap', 'medianNs')
    if (from === null) expect(head).toBe('never')
    else isCount(head, from, 'page')
    const [size, times] = reads(
      text,
      /from which on exchanging pages has a lower latency than an unregulated copy; (.+) take (\S+) times the processor time of a copy/,
    )
    expect(bytesOf(size!)).toBe(largest * 4096)
    isFigure(times!, of('remap', largest, 'stolenNs') / of('copy', largest, 'stolenNs'))
  },
  'verdict:zero-copy-processor': ({ text, holds }, raw) => {
    const { moved, pages, of, largest } = moves(raw)
    const dearer = moved.map((transfer) =>
      pages.filter((page) => of(transfer, page, 'stolenNs') > of('copy', page, 'stolenNs')),
    )
    expect(holds).toBe(dearer.every((list) => list.length === 0))
    const [list, size, each] = reads(text, /More EL2 time: (.+?); (.+?): (.+)\./)
    expect(list).toBe(
      moved.map((transfer, i) => `${DONE[transfer]} at ${dearer[i]!.length} of ${pages.length} sizes`).join(', '),
    )
    expect(bytesOf(size!)).toBe(largest * 4096)
    for (const part of each!.split(', ')) {
      const [transfer, shown] = reads(part, /(\S+) (.+)/)
      isDuration(shown!, of(transfer!, largest, 'stolenNs'))
    }
  },
  'verdict:break-even-as-modelled': ({ text, holds }, raw) => {
    const { moved, breakEven, said } = moves(raw)
    expect(text).toBe(`Simulated: ${said('medianNs')}. Computed: ${said('modelNs')}.`)
    expect(holds).toBe(moved.every((transfer) => breakEven(transfer, 'medianNs') === breakEven(transfer, 'modelNs')))
  },
  'figure:copy-remap-latency': isBreakEvens('medianNs', 'Lower median latency than copying'),
  'figure:copy-remap-model': isBreakEvens('modelNs', 'By the model, lower latency than copying'),
  'figure:copy-remap-processor': ({ text }, raw) => {
    const { moved, of, largest } = moves(raw)
    const [size, list] = reads(text, /EL2 time of a message of (.+?), over that of a copy: (.+)/)
    expect(bytesOf(size!)).toBe(largest * 4096)
    list!.split(', ').forEach((part, i) => {
      const [name, times] = reads(part, /(\S+) (\S+)/)
      expect(name).toBe(DONE[moved[i]!])
      isFigure(times!, of(moved[i]!, largest, 'stolenNs') / of('copy', largest, 'stolenNs'))
    })
  },
  'key:memguard': ({ text, head }, raw) => {
    const most = top(values<number>(raw.memguard!, 'throttledShare'))
    const longest = (option: string) =>
      top(all(raw.memguard, { option, flow: 'commands', throttledShare: most }).map((row) => num(row, 'maxNs')))
    const [before, after] = reads(head, /(.+) → (.+)/)
    isDuration(before!, longest('accept'))
    isDuration(after!, longest('service'))
    const [size, share] = reads(
      text,
      /longest latency of (.+) commands beside a core throttled for (.+ %) of the time, waiting accepted against broker served in the waiting loop/,
    )
    expect(bytesOf(size!)).toBe(num(all(raw.memguard, { flow: 'commands' })[0], 'lengthBytes'))
    isPercent(share!, most, 0)
  },
  'verdict:memguard-commands': ({ text, holds }, raw) => {
    const misses = (option: string) =>
      all(raw.memguard, { option, flow: 'commands' }).reduce((sum, row) => sum + num(row, 'deadlineMisses'), 0)
    const options = values<string>(raw.memguard!, 'option')
    const parts = text.replace(/\.$/, '').split('; ')
    options.forEach((option, i) => {
      const [name, count] = reads(parts[i]!, /(\w+): (.+)/)
      expect(name).toBe(option)
      isCount(count!, misses(option), 'deadline miss', 'deadline misses')
    })
    const messages = all(raw.memguard, { option: options[0]!, flow: 'commands' }).reduce(
      (sum, row) => sum + num(row, 'messages'),
      0,
    )
    const [count] = reads(parts[options.length]!, /(.+) each/)
    isCount(count!, messages, 'command')
    const others = options.filter((option) => option !== 'accept')
    expect(holds).toBe(others.length === 0 ? null : others.every((option) => misses(option) === 0))
  },
  'figure:memguard-latency': isMemguard(
    'The slowest of the commands to another core',
    { flow: 'commands' },
    'maxNs',
    ', over all shares of throttling',
  ),
  'figure:memguard-wait': isMemguard('The longest wait of a completion', {}, 'longestDelayNs', ''),
}
