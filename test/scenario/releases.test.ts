/** Traces of releases: read with their mistakes, held against what a flow declares, and fitted. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { jitterFor } from '../../src/scenario/fit-releases.ts'
import {
  fitReleases,
  InputError,
  mostWithin,
  parseReleases,
  parseScenario,
  type ReleaseTrace,
  releaseIssues,
} from '../../src/scenario/index.ts'

const mistakes = (text: string): string[] => {
  try {
    parseReleases(text, 'r.csv')
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return (error as InputError).message.split('\n')
  }
  return []
}

describe('parseReleases', () => {
  it('reads times, and lengths where there are any, with either end of line', () => {
    expect(parseReleases('time_ns\n0\n5\n')).toEqual({ timesNs: [0, 5], lengthsBytes: null })
    expect(parseReleases('\uFEFFtime_ns, length_bytes\r\n1, 64\r\n2,65\r\n')).toEqual({
      timesNs: [1, 2],
      lengthsBytes: [64, 65],
    })
  })

  it('tells line, column and cure of all that is wrong', () => {
    expect(mistakes('time_ns,length_bytes\n0,64\n5,0\nx,64\n  4,64\n\n6\n7, 1.5\n')).toEqual([
      'r.csv:3:3 "0" is not a length; write whole bytes from 1 to 1073741824',
      'r.csv:4:1 "x" is not a time; write whole ns from the start of the run, e.g. 5000000',
      'r.csv:5:3 4 is not later than 5 before it; sort the lines by time, each time once',
      'r.csv:6:1 the line is empty; write time_ns,length_bytes',
      'r.csv:7:1 there are 1 values; write time_ns,length_bytes',
      'r.csv:8:4 " 1.5" is not a length; write whole bytes from 1 to 1073741824',
    ])
    expect(mistakes('')[0]).toMatch(/^r\.csv:1:1 there is no header; write time_ns or time_ns,length_bytes/)
    expect(mistakes('ns\n1\n')[0]).toContain('r.csv:1:1 "ns" is not the header')
    expect(mistakes('time_ns\n')[0]).toContain('there is no message')
    expect(mistakes('time_ns\n1\n1\n')[0]).toContain('r.csv:3:1 1 is not later than 1')
    expect(mistakes(`time_ns\n${'x\n'.repeat(100)}`)).toHaveLength(20)
    for (const time of ['-1', '1e3', '0x10', '9007199254740993', ''])
      expect(mistakes(`time_ns\n${time}\n2\n`)).toHaveLength(1)
  })
})

const ONE = parseScenario(`
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: f, from: a, to: b, period: 100, jitter: 20, length: 64 }]
`)
const issues = (trace: ReleaseTrace, change: object = {}, transfer: 'copy' | 'auto' = 'copy') => {
  const flows = [{ ...ONE.flows[0]!, ...change }]
  return releaseIssues({ ...ONE, flows, broker: { ...ONE.broker, transfer } }, 0, trace)
}
const trace = (...timesNs: number[]) => ({ timesNs, lengthsBytes: null })

describe('releaseIssues', () => {
  it('allows what a nominal release a period apart and no more than the jitter earlier explains', () => {
    expect(issues(trace(0, 80, 180, 280))).toEqual([])
    expect(issues(trace(20, 100, 200))).toEqual([])
    expect(issues(trace(0, 5000))).toEqual([])
  })

  it('tells the first message that is too early, and the first that is too long', () => {
    expect(issues(trace(0, 79))).toMatchObject([
      { line: 3, column: 1, message: expect.stringContaining('1ns earlier') },
    ])
    // Each by itself would do; together they are ten too early.
    expect(issues(trace(0, 90, 170))).toMatchObject([{ line: 4, value: 170 }])
    const lengths = { timesNs: [0, 100, 200], lengthsBytes: [64, 60, 65] }
    expect(issues(lengths)).toMatchObject([{ line: 4, column: 5, value: 65 }])
    expect(issues(lengths, {}, 'auto')).toMatchObject([{ line: 3, column: 5, value: 60 }])
  })

  it('says the same as trying every nominal release', () => {
    const random = new Random(7, 1)
    for (let round = 0; round < 300; round++) {
      const timesNs = drawn(random, 5, 12)
      const [periodNs, jitterNs] = [random.between(1, 10), random.between(0, 10)]
      const explained = (k: number, afterNs: number): boolean =>
        k === timesNs.length ||
        Array.from({ length: jitterNs + 1 }, (_, late) => timesNs[k]! - late).some(
          (nominalNs) => nominalNs >= afterNs && explained(k + 1, nominalNs + periodNs),
        )
      const allowed = issues(trace(...timesNs), { periodNs, jitterNs }).length === 0
      expect({ timesNs, periodNs, jitterNs, allowed }).toEqual({
        timesNs,
        periodNs,
        jitterNs,
        allowed: explained(0, Number.NEGATIVE_INFINITY),
      })
      expect(allowed).toBe(jitterFor(timesNs, periodNs).jitterNs <= jitterNs)
    }
  })
})

const drawn = (random: Random, count: number, most: number) => {
  let timeNs = 0
  return Array.from({ length: count }, () => (timeNs += random.between(1, most)))
}

describe('fitReleases', () => {
  it('finds period and jitter of a timer that is late by chance', () => {
    const random = new Random(3, 1)
    const timesNs = Array.from({ length: 500 }, (_, k) => k * 10_000 + random.between(0, 700))
    const fitted = fitReleases(trace(...timesNs))
    expect(fitted.periodNs).toBeGreaterThan(9_980)
    expect(fitted.periodNs).toBeLessThan(10_020)
    expect(fitted.jitterNs).toBeLessThan(3_000)
    expect(issues(trace(...timesNs), { periodNs: fitted.periodNs, jitterNs: fitted.jitterNs })).toEqual([])
    expect(fitted).toMatchObject({ messages: 500, lengthBytes: null })
  })

  it('allows the trace, with no less jitter, and on the average fewer messages than any other period', () => {
    const random = new Random(11, 1)
    for (let round = 0; round < 200; round++) {
      const timesNs = drawn(random, random.between(2, 12), 30)
      const spanNs = timesNs.at(-1)! - timesNs[0]!
      const { jitterNs, periodNs } = fitReleases(trace(...timesNs))
      const allows = (period: number, jitter: number) =>
        issues(trace(...timesNs), { periodNs: period, jitterNs: jitter }).length === 0
      expect(allows(periodNs, jitterNs)).toBe(true)
      if (jitterNs > 0) expect(allows(periodNs, jitterNs - 1)).toBe(false)
      const average = (period: number) => (spanNs / 2 + jitterFor(timesNs, period).jitterNs) / period
      const others = Array.from({ length: spanNs }, (_, i) => average(i + 1))
      expect({ timesNs, average: average(periodNs) }).toEqual({ timesNs, average: Math.min(...others) })
      for (const windowNs of [0, 5, 17, spanNs])
        expect(mostWithin(trace(...timesNs), windowNs)).toBeLessThanOrEqual(
          Math.floor((windowNs + jitterNs) / periodNs) + 1,
        )
    }
  })

  it('takes the longest message, and refuses one message', () => {
    expect(fitReleases({ timesNs: [0, 10], lengthsBytes: [3, 2] }).lengthBytes).toBe(3)
    expect(() => fitReleases(trace(5))).toThrow(/between two messages/)
  })
})

describe('flows[].releases', () => {
  const text = (more: string) => `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f, from: a, to: b, period: 5ms, length: 4KiB, releases: f.csv${more} }
`
  it('is a path; a flow without it has none', () => {
    expect(parseScenario(text('')).flows[0]!.releases).toBe('f.csv')
    expect(parseScenario(text('').replace('f.csv', 'file:f.csv')).flows[0]!.releases).toBe('f.csv')
    expect(parseScenario(text('').replace(', releases: f.csv', '')).flows[0]).not.toHaveProperty('releases')
  })

  it('stands beside no offset and no other flow', () => {
    expect(() => parseScenario(text(', offset: 1ms'))).toThrow(/offset: the times of the file count from the start/)
    const after =
      text('').replace('period: 5ms, length: 4KiB', 'period: 5ms, length: 4KiB, after: g') +
      '  - { name: g, from: b, to: a, period: 5ms, length: 64 }\n'
    expect(() => parseScenario(after)).toThrow(/releases: the arrival of g releases this flow, not a file/)
  })
})
