/** Every board, and what the results hang on. */
import type { Row } from 'virtio-sdk/evaluation'
import { expect } from 'vitest'
import { listed, minus, type Range, type Told, tallied, tell } from './chance.ts'
import { isCount, isDuration, isFixed, isPercent, reads } from './reading.ts'
import { all, bottom, num, type Oracle, type Raw, top, values } from './rows.ts'

const boards = (raw: Raw) => {
  const rows = raw.platforms!
  const pairs = values<string>(rows, 'platform').flatMap((platform) => {
    const [before, after] = ['dedicated', 'floating-minimum'].map((design) => all(rows, { platform, design })[0])
    return before === undefined || after === undefined ? [] : [{ platform, before, after }]
  })
  return { rows, pairs, minimum: all(rows, { design: 'floating-minimum' }) }
}

/** `from 1 (a) to 2 (b)`, or `1 on all 6 boards`. */
function isBoardRange(
  text: string,
  rows: readonly Row[],
  value: (row: Row) => number,
  is: (text: string, value: number) => void,
) {
  const own = rows.filter((row) => Number.isFinite(value(row)))
  if (own.length === 0) return expect(text).toBe('unknown')
  const [least, most] = [bottom(own.map(value)), top(own.map(value))]
  if (least === most) {
    const [shown, where] = reads(text, /(.+) on (.+)/)
    is(shown!, least)
    return expect(where).toBe(own.length === 1 ? '1 board' : `all ${own.length} boards`)
  }
  const [low, lowAt, high, highAt] = reads(text, /from (.+?) \((.+?)\) to (.+?) \((.+)\)/)
  is(low!, least)
  is(high!, most)
  const named = (end: number) =>
    listed(
      own.filter((row) => value(row) === end).map((row) => String(row.platform)),
      'boards',
    )
  expect([lowAt, highAt]).toEqual([named(least), named(most)])
}

const rangeOf = (row: Row | undefined): Range => ({
  value: num(row, 'weightedSchedulability'),
  low: num(row, 'weightedLow'),
  high: num(row, 'weightedHigh'),
})

function sensitivity(raw: Raw) {
  const rows = raw.sensitivity!
  const base = all(rows, { parameter: 'none' })[0]!
  const parameters = values<string>(rows, 'parameter').filter((name) => name !== 'none')
  const changed = (parameter: string, factor: number) => all(rows, { parameter, factor })[0]
  const span = (parameter: string, column: string) =>
    [0.5, 1.5]
      .map((factor) => Math.abs(num(changed(parameter, factor), column) / num(base, column) - 1))
      .reduce((a, b) => a + b)
  const tells = (parameter: string): Told[] =>
    [0.5, 1.5].map((factor) => tell(minus(rangeOf(changed(parameter, factor)), rangeOf(base))))
  const moving = (column: string) =>
    parameters
      .filter((name) => span(name, column) > 0.001)
      .filter(
        (name) => column !== 'weightedSchedulability' || tells(name).some((one) => one === 'more' || one === 'less'),
      )
  const first = (column: string) => {
    const most = top(moving(column).map((name) => span(name, column)))
    return moving(column).filter((name) => span(name, column) === most)
  }
  const size = (parameter: string) => {
    const { low, high } = minus(rangeOf(changed(parameter, 0.5)), rangeOf(changed(parameter, 1.5)))
    const [a, b] = [Math.abs(low), Math.abs(high)]
    return { least: low <= 0 && high >= 0 ? 0 : Math.min(a, b), most: Math.max(a, b) }
  }
  const near = (column: string) => {
    if (column !== 'weightedSchedulability') return []
    const lead = first(column)
    return moving(column).filter((name) => !lead.includes(name) && size(name).most >= size(lead[0]!).least)
  }
  const next = (column: string) => {
    const rest = moving(column).filter((name) => !first(column).includes(name))
    const most = top(rest.map((name) => span(name, column)))
    return near(column).length > 0 ? [] : rest.filter((name) => span(name, column) === most)
  }
  return { parameters, first, next, near, tells, moving }
}

const figureName = (parameter: string) => (parameter === 'dmaBytesPerNs' ? 'rate of the DMA' : parameter)
/** A list of names in any order. */
function isNames(text: string, names: readonly string[], what: string): void {
  if (names.length > 3) expect(text).toBe(`${names.length} ${what}`)
  else expect(text.split(', ').sort()).toEqual(names.map(figureName).sort())
}

const METRICS: Readonly<Record<string, string>> = {
  p99Ns: 'Latency (p99) of 64 KiB commands',
  stolenShare: 'Stolen time, all VM cores',
  weightedSchedulability: 'Weighted schedulability',
  remapNs: 'Latency of 64 KiB remapped',
}

const isTornado =
  (column: string): Oracle =>
  ({ text }, raw) => {
    const { first, next, near } = sensitivity(raw)
    const [said] = reads(text, new RegExp(`${METRICS[column]!.replace(/[()]/g, '\\$&')}: (.+)`))
    if (first(column).length === 0) return expect(said).toBe('too few sets to tell which figure changes it')
    const [, lead, verb, then, besides] =
      /^(.+?) (changes?) it most(?:, then (.+?))?(?: \(too few sets to tell (.+) from that\))?$/.exec(said!)!
    isNames(lead!, first(column), 'figures')
    expect(verb).toBe(first(column).length === 1 ? 'changes' : 'change')
    isNames(then ?? '', next(column).length === 0 ? [''] : next(column), 'figures')
    isNames(besides ?? '', near(column).length === 0 ? [''] : near(column), 'others')
  }

export const BOARDS_CLAIMS: Readonly<Record<string, Oracle>> = {
  'verdict:platforms-order': ({ text, holds }, raw) => {
    const { pairs } = boards(raw)
    if (pairs.length === 0) {
      expect(text).toBe('No board has a core for a dedicated broker.')
      return expect(holds).toBeNull()
    }
    const by = (sign: number) =>
      pairs
        .filter(({ before, after }) => Math.sign(num(after, 'p99Ns') - num(before, 'p99Ns')) === sign)
        .map(({ platform }) => platform)
    expect(holds).toBe(by(-1).length === pairs.length)
    const [lower, count, equal, higher] = reads(
      text,
      /Lower on (\d+) of (\d+ boards?) that ha(?:s|ve) a core for a dedicated broker(?:, equal on (.+?))?(?:, higher on (.+))?\./,
    )
    expect(Number(lower)).toBe(by(-1).length)
    isCount(count!, pairs.length, 'board')
    expect([equal ?? '', higher ?? '']).toEqual([by(0).join(', '), by(1).join(', ')])
  },
  'figure:platforms-latency': ({ text }, raw) => {
    const { pairs } = boards(raw)
    const by = pairs.map(({ before, after }) => num(after, 'p99Ns') - num(before, 'p99Ns'))
    const [lower, count, higher] = reads(
      text,
      /The 99th percentile is lower under floating, minimum, than under dedicated on (\d+) of (\d+ boards?) and higher on (\d+)/,
    )
    expect([lower, higher].map(Number)).toEqual([by.filter((d) => d < 0).length, by.filter((d) => d > 0).length])
    isCount(count!, pairs.length, 'board')
  },
  'figure:platforms-stolen': ({ text }, raw) => {
    const { pairs, minimum } = boards(raw)
    const stolen = (row: Row) => num(row, 'senderShare') + num(row, 'receiverShare')
    const [range, less, count] = reads(
      text,
      /Floating, minimum, takes (.+) of two cores; less than dedicated on (\d+) of (.+)/,
    )
    isBoardRange(range!, minimum, stolen, (shown, value) => isPercent(shown, value, 2))
    expect(Number(less)).toBe(pairs.filter(({ before, after }) => stolen(after) < stolen(before)).length)
    isCount(count!, pairs.length, 'board')
  },
  'figure:platforms-acceptance': ({ text }, raw) => {
    const { pairs, minimum } = boards(raw)
    const [range, tally] = reads(text, /Weighted schedulability of floating: (.+); against dedicated (.+) boards/)
    isBoardRange(
      range!,
      minimum,
      (row) => num(row, 'weightedSchedulability'),
      (shown, value) => isFixed(shown, value, 3),
    )
    expect(tally).toBe(tallied(pairs.map(({ before, after }) => tell(minus(rangeOf(after), rangeOf(before))))))
  },
  'figure:platforms-bound': ({ text }, raw) => {
    const [range] = reads(text, /End-to-end bounds of floating, minimum: (.+)/)
    isBoardRange(range!, boards(raw).minimum, (row) => num(row, 'boundNs'), isDuration)
  },
  'key:sensitivity': ({ text, head }, raw) => {
    const { first, near } = sensitivity(raw)
    const lead = first('weightedSchedulability')
    if (lead.length === 0) {
      expect(head).toBe('too few sets')
      return expect(text).toBe('to tell which assumed figure schedulability hangs on most')
    }
    isNames(head, lead, 'figures')
    const [verb, others] = reads(
      text,
      /(is the assumed figure|are the assumed figures) that schedulability hangs on most: to be measured first(?: \(too few sets to tell (.+) from that\))?/,
    )
    expect(verb).toBe(lead.length === 1 ? 'is the assumed figure' : 'are the assumed figures')
    const close = near('weightedSchedulability')
    isNames(others ?? '', close.length === 0 ? [''] : close, 'others')
  },
  'verdict:no-assumption-matters': ({ text, holds }, raw) => {
    const { parameters, first, next, tells, moving } = sensitivity(raw)
    if (parameters.length === 0) {
      expect(text).toBe('No figure of the board is ASSUMED.')
      return expect(holds).toBe(true)
    }
    const columns = Object.keys(METRICS)
    const touched = columns.some((column) => moving(column).length > 0)
    const untold = parameters.some((name) => tells(name).includes('unknown'))
    expect(holds).toBe(touched ? false : untold ? null : true)
    const [count, list] = reads(text, /Of (\d+ assumed figures?), largest effect on (.+)\./)
    isCount(count!, parameters.length, 'assumed figure')
    list!.split('; ').forEach((part, i) => {
      const [label, names] = reads(part, /(.+): (.+)/)
      expect(label!.toLowerCase()).toBe(METRICS[columns[i]!]!.toLowerCase())
      const named = [...first(columns[i]!), ...next(columns[i]!)]
      if (named.length > 0) isNames(names!, named, 'figures')
      else expect(['too few sets', 'none']).toContain(names)
    })
  },
  'figure:tornado-p99Ns': isTornado('p99Ns'),
  'figure:tornado-stolenShare': isTornado('stolenShare'),
  'figure:tornado-weightedSchedulability': isTornado('weightedSchedulability'),
  'figure:tornado-remapNs': isTornado('remapNs'),
}
