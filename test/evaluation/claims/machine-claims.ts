/** The whole machine: interrupts, stolen time, latency, throughput. */
import type { Row } from 'virtio-sdk/evaluation'
import { expect } from 'vitest'
import { bytesOf, isCount, isDuration, isFigure, isFixed, isPercent, reads } from './reading.ts'
import { all, bottom, DESIGNS, num, type Oracle, type Raw, refuted, top, values } from './rows.ts'

const sizes = (rows: readonly Row[]) => values<number>(rows, 'lengthBytes')
const at = (rows: readonly Row[] | undefined, design: string, lengthBytes: number) =>
  all(rows, { design, lengthBytes })[0]

interface Extra {
  readonly design: string
  readonly lengthBytes: number
  readonly cores: number
  /** bytes/ns at which it is a whole core. */
  readonly whole: number
  /** bytes/ns that one flow reaches, or the DMA. */
  readonly reaches: number
}

function extras(raw: Raw, beta: number): Extra[] {
  const rows = raw['stolen-time']!
  return ['floating-plain', 'floating-minimum'].flatMap((design) =>
    all(rows, { design }).flatMap((row) => {
      const lengthBytes = num(row, 'lengthBytes')
      const other = at(rows, 'dedicated', lengthBytes)
      if (other === undefined) return []
      const taken = (one: Row) => num(one, 'senderShare') + num(one, 'receiverShare')
      const cores = taken(row) - taken(other)
      const reached = num(at(raw.throughput, design, lengthBytes), 'bytesPerNs')
      return [
        {
          design,
          lengthBytes,
          cores,
          whole: cores > 0 ? lengthBytes / num(row, 'periodNs') / cores : Number.POSITIVE_INFINITY,
          reaches: Number.isFinite(reached) ? reached : beta,
        },
      ]
    }),
  )
}

/** `floating, plain, 64 B`. */
function isPlace(text: string, places: readonly Extra[]): void {
  const shown = places.map(({ design, lengthBytes }) => `${DESIGNS[design]} at ${lengthBytes}`)
  const [, design, size] = /^(.+), (\d+ \w+)$/.exec(text)!
  expect(shown).toContain(`${design} at ${bytesOf(size!)}`)
}

function isRates(text: string, rows: readonly Row[]): void {
  const [rate, often] = reads(text, /up to (\S+) MB\/s and up to (\S+) messages\/s/)
  isFigure(rate!, 1000 * top(rows.map((row) => num(row, 'lengthBytes') / num(row, 'periodNs'))))
  isFigure(often!, 1e9 / bottom(rows.map((row) => num(row, 'periodNs'))))
}

/** Nearest rank. */
function ranked(list: readonly number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

const latencies = (raw: Raw, match: Row) => all(raw.latency, match).map((row) => num(row, 'latencyNs'))
const otherDesign = (rows: readonly Row[]) =>
  values<string>(rows, 'design').find((design) => design !== 'floating-minimum')

const noSlower =
  (setting: string): Oracle =>
  ({ text, head, holds }, raw) => {
    expect(head).toContain(setting === 'unregulated' ? 'without a regulator' : 'under a budget')
    const flows = values<string>(all(raw.latency, { setting }), 'flow').flatMap((flow) => {
      const [before, after] = ['dedicated', 'floating-minimum'].map((design) =>
        latencies(raw, { setting, flow, design }),
      )
      return before!.length === 0 || after!.length === 0 ? [] : [{ flow, before: before!, after: after! }]
    })
    const enough = flows.filter(({ before, after }) => Math.min(before.length, after.length) >= 100)
    const few = flows.filter((one) => !enough.includes(one))
    const slower = enough.filter(({ before, after }) => ranked(after, 0.99) > ranked(before, 0.99))
    expect(holds).toBe(enough.length === 0 ? null : slower.length === 0)
    if (flows.length === 0) return expect(text).toContain('Not run under both designs')
    for (const { flow, before, after } of few) {
      expect(text.split('Too few messages to tell: ')[1]).toContain(
        `${flow} (${Math.min(before.length, after.length)})`,
      )
    }
    if (enough.length === 0) return
    expect(text).toMatch(new RegExp(`^${slower.length} of ${enough.length} flows? slower`))
    for (const { flow, before, after } of slower) {
      const [, a, b] = new RegExp(`${flow} (\\S+ \\S+) → (\\S+ [nµm]s)`).exec(text)!
      isDuration(a!, ranked(before, 0.99))
      isDuration(b!, ranked(after, 0.99))
    }
  }

export const MACHINE_CLAIMS: Readonly<Record<string, Oracle>> = {
  'key:interrupts': ({ text, head }, raw) => {
    const rows = raw.interrupts!
    const [size, before, exits, after] = reads(
      text,
      /between cores for a message of (\d+ \w+), (.+) against floating with the minimum of interrupts; (\d+) exits? → (\d+)/,
    )
    const longest = top(sizes(rows))
    expect(bytesOf(size!)).toBe(longest)
    const other = otherDesign(rows)!
    expect(before).toBe(DESIGNS[other])
    expect([exits, after].map(Number)).toEqual(
      [other, 'floating-minimum'].map((design) => num(at(rows, design, longest), 'vmExits')),
    )
    const [ipis, none] = reads(head, /(\d+) IPIs? → (\d+)/)
    expect([ipis, none].map(Number)).toEqual(
      [other, 'floating-minimum'].map((design) => num(at(rows, design, longest), 'crossCoreIpis')),
    )
  },
  'verdict:interrupts-as-modelled': ({ text, holds }, raw) => {
    const rows = raw.interrupts!
    const n = (row: Row) => Math.ceil(num(row, 'lengthBytes') / 4096)
    const table: Record<string, (n: number) => number[]> = {
      dedicated: (n) => [n + 2, n + 1, 2 + 2 * n],
      'floating-plain': (n) => [1, n + 1, 2 + 2 * n],
      'floating-minimum': () => [0, 1, 2],
    }
    const differ = rows.filter((row) => {
      const found = ['crossCoreIpis', 'vmInterrupts', 'vmExits'].map((column) => num(row, column))
      return String(found) !== String(table[String(row.design)]!(n(row)))
    })
    const [wrong, runs] = reads(text, /(\d+) of (.+ runs?) differ \(.+\)\./)
    expect(Number(wrong)).toBe(differ.length)
    isCount(runs!, rows.length, 'run')
    for (const design of values<string>(rows, 'design')) {
      expect(text).toContain(`${DESIGNS[design]} ${all(rows, { design }).length}`)
    }
    expect(holds).toBe(differ.length === 0)
  },
  'verdict:interrupts-minimum': ({ text, holds }, raw) => {
    const own = all(raw.interrupts, { design: 'floating-minimum' })
    const [count, least, most] = reads(text, /(\d+ sizes?) from (.+) to (.+), nothing else pending\./)
    isCount(count!, own.length, 'size')
    expect([least, most].map((size) => bytesOf(size!))).toEqual([
      bottom(sizes(raw.interrupts!)),
      top(sizes(raw.interrupts!)),
    ])
    const right = own.filter((row) => row.crossCoreIpis === 0 && row.vmInterrupts === 1 && row.vmExits === 2)
    expect(holds).toBe(own.length === 0 ? null : right.length === own.length)
  },
  'figure:interrupts-per-message': ({ text }, raw) => {
    const rows = raw.interrupts!
    const [least, most, list] = reads(text, /Interrupts on VM cores for messages of (.+?) and of (.+?): (.+)/)
    expect([least, most].map((size) => bytesOf(size!))).toEqual([bottom(sizes(rows)), top(sizes(rows))])
    expect(list).toBe(
      values<string>(rows, 'design')
        .map((design) => {
          const [a, b] = [bottom(sizes(rows)), top(sizes(rows))].map((size) =>
            num(at(rows, design, size), 'vmInterrupts'),
          )
          return `${DESIGNS[design]} ${a} and ${b}`
        })
        .join('; '),
    )
  },
  'figure:interrupts-per-mib': ({ text }, raw) => {
    const rows = raw.interrupts!
    const [size, list] = reads(text, /Interrupts on VM cores per MiB in messages of (.+?): (.+)/)
    expect(bytesOf(size!)).toBe(top(sizes(rows)))
    const parts = list!.split('; ')
    values<string>(rows, 'design').forEach((design, i) => {
      expect(parts[i]!.startsWith(DESIGNS[design]!)).toBe(true)
      const row = at(rows, design, top(sizes(rows)))
      isFigure(
        parts[i]!.slice(DESIGNS[design]!.length + 1),
        (num(row, 'vmInterrupts') * 2 ** 20) / num(row, 'lengthBytes'),
      )
    })
  },
  'key:freed-core': ({ text, head }, raw, { platform }) => {
    const own = extras(raw, platform.dmaBytesPerNs.value).filter(({ design }) => design === 'floating-minimum')
    const [least] = reads(head, /(\S+) cores/)
    isFixed(least!, 1 - top(own.map(({ cores }) => cores)), 2, 'down')
    const [rates, longest, size] = reads(
      text,
      /freed at least by floating with the minimum of interrupts at (.+); (\S+) with messages of (.+)/,
    )
    isRates(rates!, raw['stolen-time']!)
    expect(bytesOf(size!)).toBe(top(own.map(({ lengthBytes }) => lengthBytes)))
    isFixed(longest!, 1 - own.find(({ lengthBytes }) => lengthBytes === bytesOf(size!))!.cores, 2)
  },
  'verdict:floating-pays': ({ text, head, holds }, raw, { platform }) => {
    const beta = platform.dmaBytesPerNs.value
    const own = extras(raw, beta)
    expect(head).toContain((raw.throughput ?? []).length > 0 ? 'one flow can reach' : 'the DMA can copy')
    if (own.length === 0) {
      expect(text).toBe('The board has no core for a dedicated broker.')
      return expect(holds).toBeNull()
    }
    const over = own.filter(({ whole, reaches }) => whole <= reaches)
    expect(holds).toBe(over.length === 0)
    if (over.length === 0) return expect(text).toContain(`for all of ${own.length} designs and sizes`)
    const parts = text.split('; ')
    expect(parts).toHaveLength(over.length)
    over.forEach((one, i) => {
      const [place, rate] = reads(parts[i]!, /(.+): break-even at (\S+) MB\/s/)
      isPlace(place!, [one])
      isFigure(rate!, 1000 * one.whole)
    })
  },
  'verdict:stolen-bounds-hold': ({ text, holds }, raw, manifest) => {
    const cores = raw['stolen-time']!.flatMap((row) =>
      ['sender', 'receiver'].map((core) => ({
        ns: Math.round(num(row, `${core}Share`) * num(row, 'simulatedNs')),
        bound: row[`${core}BoundNs`],
      })),
    )
    const bounded = cores.filter(({ bound }) => typeof bound === 'number')
    const above = bounded.filter(({ ns, bound }) => ns > Number(bound))
    const [wrong, of, runs, none] = reads(
      text,
      /(\d+) of (\d+ cores?) with a bound, in (.+ runs?), (?:is|are) above it; (\d+) have none\./,
    )
    expect(Number(wrong)).toBe(above.length)
    isCount(of!, bounded.length, 'core')
    isCount(runs!, raw['stolen-time']!.length, 'run')
    expect(Number(none)).toBe(cores.length - bounded.length)
    expect(holds).toBe(bounded.length === 0 ? null : above.length === 0 && refuted(manifest, 'stolen-time') === 0)
  },
  'figure:stolen-shares': ({ text, chart }, raw) => {
    const rows = raw['stolen-time']!
    const [size, list] = reads(text, /With messages of (.+?) the broker takes of the receiver's core: (.+)/)
    expect(bytesOf(size!)).toBe(top(sizes(rows)))
    const parts = list!.split('; ')
    values<string>(rows, 'design').forEach((design, i) => {
      expect(parts[i]!.startsWith(DESIGNS[design]!)).toBe(true)
      isPercent(
        parts[i]!.slice(DESIGNS[design]!.length + 1),
        num(at(rows, design, top(sizes(rows))), 'receiverShare'),
        1,
      )
    })
    // A band is what the same window may lose: below the line it would contradict the verdict.
    for (const point of chart!.points) {
      const core = point.column!.includes('sender') ? 'sender' : 'receiver'
      const row = at(rows, point.series, point.x)!
      const bound = row[`${core}BoundNs`]
      if (bound === null) expect(point.high).toBeUndefined()
      else expect(point.high).toBeCloseTo(Number(bound) / num(row, 'simulatedNs'), 12)
    }
  },
  'figure:freed-core': ({ text, chart }, raw, { platform }) => {
    const own = extras(raw, platform.dmaBytesPerNs.value)
    const [least, place] = reads(text, /The least that is freed at these rates is (\S+) cores \((.+)\)/)
    const most = top(own.map(({ cores }) => cores))
    isFixed(least!, 1 - most, 2, 'down')
    isPlace(
      place!,
      own.filter(({ cores }) => cores === most),
    )
    for (const point of chart!.points) expect(Number(point.y)).toBeGreaterThanOrEqual(Number(least!.replace('−', '-')))
  },
  'figure:break-even': ({ text, chart }, raw, { platform }) => {
    const own = extras(raw, platform.dmaBytesPerNs.value).filter(({ whole }) => Number.isFinite(whole))
    if (own.length === 0) return expect(text).toMatch(/^At no rate would floating cost a whole core/)
    const margin = ({ whole, reaches }: Extra) => whole / reaches
    const least = bottom(own.map(margin))
    const [word, shown, what, place] = reads(
      text,
      /The rate at which floating would cost a whole core is (at least|down to) (\S+) times what (one flow of the same design and size reaches|the DMA copies) \((.+)\)/,
    )
    expect(word).toBe(least >= 1 ? 'at least' : 'down to')
    isFigure(shown!, least, 'down')
    const simulated = (raw.throughput ?? []).length > 0
    expect(what).toBe(simulated ? 'one flow of the same design and size reaches' : 'the DMA copies')
    isPlace(
      place!,
      own.filter((one) => margin(one) === least),
    )
    // The curves as they are drawn are no closer than the title says.
    const y = (series: string, x: number) => chart!.points.find((point) => point.series === series && point.x === x)?.y
    for (const { series, x, y: whole } of chart!.points.filter(({ series }) => !series.startsWith('reached-'))) {
      const reached = y(`reached-${series}`, x)
      if (reached !== undefined)
        expect(Number(whole) / Number(reached)).toBeGreaterThanOrEqual(Number(shown) * (1 - 1e-9))
    }
  },
  'figure:masked': ({ text }, raw) => {
    const rows = raw['stolen-time']!
    const most = top(rows.map((row) => num(row, 'longestMaskedNs')))
    const [shown, places] = reads(text, /The longest section with interrupts masked takes (.+ [nµm]s) \((.+)\)/)
    isDuration(shown!, most)
    const own = all(rows, { longestMaskedNs: most })
    if (own.length > 3) return expect(places).toBe(`${own.length} designs and sizes`)
    const named = places!.split('; ').map((place) => {
      const [, design, size] = /^(.+), (\d+ \w+)$/.exec(place)!
      return `${design} ${bytesOf(size!)}`
    })
    expect(named).toEqual(own.map((row) => `${DESIGNS[String(row.design)]} ${row.lengthBytes}`))
  },
  'key:latency': ({ text, head }, raw) => {
    const of = (design: string) => latencies(raw, { setting: 'loaded', flow: 'control', design })
    const [before, after] = reads(head, /(.+) → (.+)/)
    isDuration(before!, ranked(of('dedicated'), 0.5))
    isDuration(after!, ranked(of('floating-minimum'), 0.5))
    const [size, others, what, a, b] = reads(
      text,
      /median latency of (.+?) commands among (.+? flows?), dedicated against floating, minimum; (99th percentile|slowest of \d+ messages?) (\S+ \S+) → (\S+ \S+)/,
    )
    expect(bytesOf(size!)).toBe(num(all(raw.latency, { setting: 'loaded', flow: 'control' })[0], 'lengthBytes'))
    isCount(others!, values(all(raw.latency, { setting: 'loaded' }), 'flow').length - 1, 'other flow')
    const n = of('floating-minimum').length
    if (n >= 100) expect(what).toBe('99th percentile')
    else isCount(what!.replace('slowest of ', ''), n, 'message')
    isDuration(a!, ranked(of('dedicated'), n >= 100 ? 0.99 : 1))
    isDuration(b!, ranked(of('floating-minimum'), n >= 100 ? 0.99 : 1))
  },
  'verdict:latency-bounds-hold': ({ text, holds }, raw, manifest) => {
    const bounded = raw.latency!.filter(({ boundNs }) => boundNs !== null)
    const flows = new Set(
      bounded.map(({ setting, design, flow, lengthBytes }) => [setting, design, flow, lengthBytes].join()),
    )
    const [count, messages, closest] = reads(text, /(.+) with a bound, (.+); the closest reached (\S+) of its bound\./)
    isCount(count!, flows.size, 'flow')
    isCount(messages!, bounded.length, 'message')
    const ratio = bounded.length === 0 ? NaN : top(bounded.map((row) => num(row, 'latencyNs') / num(row, 'boundNs')))
    isFixed(closest!, ratio, 2, 'up')
    expect(holds).toBe(bounded.length === 0 ? null : ratio <= 1 && refuted(manifest, 'latency') === 0)
  },
  'verdict:no-slower-unregulated': noSlower('unregulated'),
  'verdict:no-slower-loaded': noSlower('loaded'),
  'figure:latency-distributions': ({ text }, raw) => {
    const loaded = all(raw.latency, { setting: 'loaded' })
    const other = otherDesign(loaded)
    const flows = values<string>(loaded, 'flow')
    const by = flows.map((flow) => {
      const of = (design: string) => ranked(latencies(raw, { setting: 'loaded', flow, design }), 0.5)
      return of('floating-minimum') - (other === undefined ? NaN : of(other))
    })
    const [name, lower, of, higher] = reads(
      text,
      /Among other flows, the median latency under floating, minimum, is lower than under (.+) for (\d+) of (\d+) flows and higher for (\d+)/,
    )
    expect(name).toBe(other === undefined ? 'any other' : DESIGNS[other])
    expect([lower, of, higher].map(Number)).toEqual([
      by.filter((d) => d < 0).length,
      flows.length,
      by.filter((d) => d > 0).length,
    ])
  },
  'figure:latency-bounds': ({ text }, raw) => {
    const own = all(raw.latency, { setting: 'loaded', design: 'floating-minimum' }).filter(
      ({ boundNs }) => boundNs !== null,
    )
    const found = values<string>(own, 'flow').map((flow) => {
      const rows = all(own, { flow })
      return num(rows[0], 'boundNs') / top(rows.map((row) => num(row, 'latencyNs')))
    })
    if (found.length === 0) {
      return expect(text).toBe('No flow of floating, minimum, has a bound of the whole path with worst costs')
    }
    const [least, most] = reads(
      text,
      /Bounds of the whole path with worst costs are (\S+) to (\S+) times the slowest message seen \(floating, minimum\)/,
    )
    isFixed(least!, bottom(found), 1, 'down')
    isFixed(most!, top(found), 1, 'up')
  },
  'figure:latency-size': ({ text }, raw) => {
    const alone = all(raw.latency, { setting: 'alone' })
    const other = otherDesign(alone)!
    const of = (design: string, lengthBytes: number) =>
      ranked(latencies(raw, { setting: 'alone', design, lengthBytes }), 0.5)
    const lengths = sizes(alone)
    const by = lengths.map((size) => of('floating-minimum', size) - of(other, size))
    const [name, lower, count, higher, size, after, before] = reads(
      text,
      /Alone, the median latency under floating, minimum, is lower than under (.+) at (\d+) of (\d+) sizes and higher at (\d+); (.+?): (\S+ \S+) against (\S+ \S+)/,
    )
    expect(name).toBe(DESIGNS[other])
    expect([lower, count, higher].map(Number)).toEqual([
      by.filter((d) => d < 0).length,
      lengths.length,
      by.filter((d) => d > 0).length,
    ])
    expect(bytesOf(size!)).toBe(top(lengths))
    isDuration(after!, of('floating-minimum', top(lengths)))
    isDuration(before!, of(other, top(lengths)))
  },
  'figure:throughput': ({ text }, raw, { platform }) => {
    const [list] = reads(text, /Of the DMA's rate one flow reaches at its best size: (.+)/)
    const designs = values<string>(raw.throughput!, 'design')
    const parts = list!.split('; ')
    expect(parts).toHaveLength(designs.length)
    designs.forEach((design, i) => {
      expect(parts[i]!.startsWith(DESIGNS[design]!)).toBe(true)
      const most = top(all(raw.throughput, { design }).map((row) => num(row, 'bytesPerNs')))
      isPercent(parts[i]!.slice(DESIGNS[design]!.length + 1), most / platform.dmaBytesPerNs.value, 1)
    })
  },
}
