/** Boards as files: what is written is read as the same board, and what is wrong is told with its place and its cure. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import {
  BOARD_PROFILES,
  formatBoardProfile,
  parseBoardProfile,
  simulate,
  zcu102,
} from '../../src/platform-zcu102/index.ts'
import { InputError, parseScenario } from '../../src/scenario/index.ts'

const DEFAULT = parseScenario(readFileSync(new URL('../../examples/scenarios/default.yaml', import.meta.url), 'utf8'))
const TEXT = formatBoardProfile(zcu102)

function changed(from: string | RegExp, to: string): string {
  const text = TEXT.replace(from, to)
  expect(text).not.toBe(TEXT)
  return text
}

function issuesOf(text: string): string[] {
  try {
    parseBoardProfile(text, { path: 'my.yaml' })
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    expect((error as InputError).code).toBe('PLATFORM')
    return (error as InputError).message.split('\n')
  }
  return []
}

describe('round trip', () => {
  it.each(Object.keys(BOARD_PROFILES))('%s', (name) => {
    const profile = BOARD_PROFILES[name]!
    expect(parseBoardProfile(formatBoardProfile(profile))).toEqual(profile)
    expect(parseBoardProfile(JSON.stringify(profile), { format: 'json' })).toEqual(profile)
  })

  it('a run on the file is the run on the built-in board, and an edited cost changes it', () => {
    const scenario = { ...DEFAULT, durationNs: 10_000_000 }
    const run = (text: string) =>
      simulate(
        { ...scenario, platform: 'file:my.yaml' },
        { design: 'floating', profile: parseBoardProfile(text), payload: () => null },
      )
    const original = simulate(scenario, { design: 'floating', payload: () => null })
    expect(run(TEXT)).toEqual(original)
    expect(run(changed('[300, 500, 800]', '[600, 1us, 1.6us]')).traceHash).not.toBe(original.traceHash)
  })
})

describe('errors name place, value and cure', () => {
  const cases: [why: string, from: string | RegExp, to: string, issue: RegExp][] = [
    [
      'a missing cost',
      /\n.*hvc: .*/,
      '',
      /^my\.yaml:\d+:\d+ costsNs\.hvc: is missing; write keys and values: value, status, source/,
    ],
    ['a misspelt cost', 'mmioTrap:', 'mmioTrp:', /costsNs\.mmioTrp: unknown key; did you mean mmioTrap\?/],
    [
      'a triple out of order',
      '[285, 430, 3000]',
      '[430, 285, 3000]',
      /^my\.yaml:\d+:\d+ costsNs\.mmioTrap\.value: a list of 430, 285 and 3000 ns is out of order; write best <= typical <= worst$/,
    ],
    [
      'a pair',
      '[285, 430, 3000]',
      '[285, 3000]',
      /costsNs\.mmioTrap\.value: a list is not three times; write \[best, typical, worst\]/,
    ],
    [
      'a unit that is none',
      '[285, 430, 3000]',
      '[285, 430, 3 parsecs]',
      /costsNs\.mmioTrap\.value: a list contains "3 parsecs", which is not a time; write a number with ns, us, ms or s/,
    ],
    [
      'a fraction of a nanosecond',
      '[285, 430, 3000]',
      '[285.5, 430, 3000]',
      /costsNs\.mmioTrap\.value: a list contains 285\.5, which is not a whole number of ns/,
    ],
    [
      'no provenance',
      'cores: { value: 4, status: "READ"',
      'cores: { value: 4, status: "believe me"',
      /cores\.status: "believe me" does not fit; say where it comes from: READ, RECALLED, DERIVED, ASSUMED, MEASURED/,
    ],
    [
      'no source',
      'source: "128 bit x 600 MHz a direction"',
      'source: ""',
      /dmaWireBytesPerNs\.source: "" is empty; name the document, the code or the measurement/,
    ],
    ['a figure without its provenance', /cores: .*/, 'cores: 4', /cores: 4 is not a mapping; write keys and values/],
    [
      'a missing figure',
      /\npageColors: .*/,
      '',
      /pageColors: is missing; write keys and values: value, status, source/,
    ],
    ['no cores', 'cores: { value: 4', 'cores: { value: 0', /cores\.value: 0 is too small; it is 1 to 64/],
    [
      'a DMA faster than its wire',
      'dmaBytesPerNs: { value: 1,',
      'dmaBytesPerNs: { value: 20,',
      /dmaBytesPerNs\.value: the DMA copies 20 bytes\/ns over a wire of 9\.6; make it at most dmaWireBytesPerNs/,
    ],
    [
      'rate control without its clock',
      'clockHz: 600000000, ',
      '',
      /dmaRateControl\.value\.clockHz: is missing; write a whole number/,
    ],
    [
      'rate control without its parts',
      /dmaRateControl: .*/,
      'dmaRateControl: 600',
      /dmaRateControl: 600 is not a mapping; write keys and values: value, status, source/,
    ],
    ['an unknown key', 'title:', 'titel: x\ntitle:', /titel: unknown key; did you mean title\?/],
    ['no costs', /\ncostsNs:[\s\S]*/, '', /costsNs: is missing; write keys and values: mmioTrap/],
  ]
  it.each(cases)('%s', (_why, from, to, issue) => {
    expect(issuesOf(changed(from, to)).filter((line) => issue.test(line))).toHaveLength(1)
  })

  it('a file that is none', () => {
    expect(issuesOf('')).toEqual([
      'my.yaml:1:1 the file is empty; write keys and values, at least name, cores and costsNs',
    ])
    expect(issuesOf('[1]')[0]).toContain('a list is not a platform')
  })

  it('any value in any place gives a profile or an InputError', () => {
    const value = parse(TEXT)
    const places: string[][] = []
    const collect = (node: unknown, path: string[]) => {
      places.push(path)
      if (typeof node !== 'object' || node === null) return
      for (const [key, item] of Object.entries(node)) collect(item, [...path, key])
    }
    collect(value, [])
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 2 }), (path, replacement) => {
        const text = path.length === 0 ? stringify(replacement) : stringify(replaced(value, path, replacement))
        try {
          const profile = parseBoardProfile(text)
          expect(parseBoardProfile(formatBoardProfile(profile))).toEqual(profile)
        } catch (error) {
          expect(error).toBeInstanceOf(InputError)
        }
      }),
      { numRuns: 300, seed: 1 },
    )
  })
})

function replaced(node: unknown, [step, ...rest]: readonly string[], replacement: unknown): unknown {
  if (step === undefined) return replacement
  const copy = structuredClone(node) as Record<string, unknown>
  copy[step] = replaced(copy[step], rest, replacement)
  return copy
}
