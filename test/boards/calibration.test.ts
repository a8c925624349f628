/** Measured costs replace what is assumed of a board, and every output says so. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { COST_OPS } from '../../src/platform/index.ts'
import {
  assumptionsOf,
  BOARD_PROFILES,
  calibrated,
  calibrationTemplate,
  parseCalibration,
  profileOf,
  simulate,
  zcu102,
} from '../../src/platform-zcu102/index.ts'
import { InputError, parseScenario } from '../../src/scenario/index.ts'

const SCENARIO = parseScenario(readFileSync(new URL('../../examples/scenarios/default.yaml', import.meta.url), 'utf8'))

// Made-up figures: nobody measured anything for this test.
const FICTION = `
board: zcu102
by: nobody
date: 2000-01-01
method: made up for a test
costsNs:
  hvc: [1, 2, 3]
  dmaSetup: { value: [0.1us, 200ns, 1us], by: somebody else, method: made up elsewhere }
dmaBytesPerNs: 2.5
`

function changed(from: string, to: string): string {
  expect(FICTION).toContain(from)
  return FICTION.replace(from, to)
}

function issuesOf(text: string): string[] {
  try {
    parseCalibration(text, { path: 'c.yaml' })
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    expect((error as InputError).code).toBe('CALIBRATION')
    return (error as InputError).message.split('\n')
  }
  return []
}

describe('what is measured', () => {
  const profile = calibrated(zcu102, parseCalibration(FICTION))

  it('replaces what is assumed, says by whom, when and how, and leaves the rest', () => {
    expect(profile.costsNs.hvc).toEqual({
      value: [1, 2, 3],
      status: 'MEASURED',
      source: 'nobody, 2000-01-01: made up for a test',
    })
    expect(profile.costsNs.dmaSetup).toEqual({
      value: [100, 200, 1000],
      status: 'MEASURED',
      source: 'somebody else, 2000-01-01: made up elsewhere',
    })
    expect(profile.dmaBytesPerNs).toMatchObject({ value: 2.5, status: 'MEASURED' })
    const { hvc, dmaSetup, ...rest } = profile.costsNs
    expect(zcu102.costsNs).toMatchObject(rest)
    expect(profile).toMatchObject({ name: 'zcu102', cores: zcu102.cores, hardware: zcu102.hardware })
    // The built-in board stays as it is.
    expect(zcu102.costsNs.hvc.status).not.toContain('MEASURED')
  })

  it('appears in the assumptions, and is assumed no longer', () => {
    const before = assumptionsOf(SCENARIO).join('\n')
    const after = assumptionsOf(SCENARIO, profile).join('\n')
    expect(before).toMatch(/nothing here was measured on a board/)
    expect(before).toMatch(/ASSUMED among them: .*hvc.*dmaSetup/)
    expect(before).toMatch(/DMA copies 1 bytes\/ns \(ASSUMED\)/)
    expect(after).not.toMatch(/nothing here was measured/)
    expect(after).not.toMatch(/ASSUMED among them: .*(hvc|dmaSetup)/)
    expect(after).toContain('MEASURED (nobody, 2000-01-01: made up for a test): hvc, dmaBytesPerNs.')
    expect(after).toContain('MEASURED (somebody else, 2000-01-01: made up elsewhere): dmaSetup.')
    expect(after).toMatch(/DMA copies 2.5 bytes\/ns \(MEASURED\)/)
  })

  it('is what a run costs', () => {
    const scenario = { ...SCENARIO, durationNs: 10_000_000, costs: 'typical' as const }
    const run = (board = zcu102) => simulate(scenario, { design: 'floating', profile: board, payload: () => null })
    const response = (board = zcu102) => run(board).flows.frames!.responseTimeNs!.max
    const slow = calibrated(zcu102, parseCalibration(changed('2.5', '0.5')))
    expect(response(slow)).toBeGreaterThan(response())
    expect(response(profile)).toBeLessThan(response())
  })
})

describe('the template', () => {
  it.each(Object.keys(BOARD_PROFILES))(
    'of %s gives back its figures once it is filled in, and is refused before',
    (name) => {
      const template = calibrationTemplate(profileOf(name))
      const unfilled = issuesOf(template)
      expect(unfilled.filter((issue) => / (by|date|method): "" is empty; write/.test(issue))).toHaveLength(3)
      expect(unfilled.filter((issue) => issue.includes('nothing is measured here'))).toHaveLength(1)

      const filled = template
        .replace('by: ""', 'by: nobody')
        .replace('date: ""', 'date: 2000-01-01')
        .replace('method: ""', 'method: made up for a test')
        .replace(/^( *)# (\w+: [[\d])/gm, '$1$2')
      const calibration = parseCalibration(filled)
      expect(Object.keys(calibration.costsNs)).toEqual([...COST_OPS])
      const profile = calibrated(profileOf(name), calibration)
      for (const op of COST_OPS) {
        expect(profile.costsNs[op].value).toEqual(profileOf(name).costsNs[op].value)
        expect(profile.costsNs[op].status).toBe('MEASURED')
      }
      expect(profile.dmaBytesPerNs.value).toBe(profileOf(name).dmaBytesPerNs.value)
      expect(assumptionsOf(SCENARIO, profile).join('\n')).toContain('ASSUMED among them: none')
    },
  )
})

describe('errors name place, value and cure', () => {
  const cases: [why: string, from: string, to: string, issue: string][] = [
    ['an unknown cost', 'hvc:', 'hcv:', 'c.yaml:7:3 costsNs.hcv: unknown key; did you mean hvc?'],
    [
      'a triple out of order',
      '[1, 2, 3]',
      '[2, 1, 3]',
      'c.yaml:7:8 costsNs.hvc: a list of 2, 1 and 3 ns is out of order; write best <= typical <= worst',
    ],
    [
      'a rate of nothing',
      'dmaBytesPerNs: 2.5',
      'dmaBytesPerNs: 0',
      'c.yaml:9:16 dmaBytesPerNs: 0 is not a rate; write bytes per ns, above 0 and at most 1e6, e.g. 0.5',
    ],
    ['nobody', 'by: nobody', 'by: " "', 'c.yaml:3:5 by: " " is empty; write who measured'],
    [
      'no day',
      'date: 2000-01-01',
      'date: yesterday',
      'c.yaml:4:7 date: "yesterday" does not fit; write when it was measured, e.g. 2026-01-31',
    ],
    [
      'no method',
      'method: made up for a test\n',
      '',
      'c.yaml:2:1 method: is missing; write how it was measured: the counter, the load, the number of samples',
    ],
    ['an unknown key', 'board:', 'bord: x\nboard:', 'c.yaml:2:1 bord: unknown key; did you mean board?'],
    [
      'an unknown key of one measurement',
      'by: somebody else',
      'who: me',
      'c.yaml:8:43 costsNs.dmaSetup.who: unknown key; use one of value, by, date, method',
    ],
  ]
  it.each(cases)('%s', (_why, from, to, issue) => {
    expect(issuesOf(changed(from, to))).toEqual([issue])
  })

  it("another board's, and a copy rate beyond the wire", () => {
    expect(() => calibrated(profileOf('rpi4'), parseCalibration(FICTION))).toThrow(
      'the calibration is of board "zcu102", the platform is "rpi4"',
    )
    expect(() => calibrated(zcu102, parseCalibration(changed('2.5', '10')))).toThrow(
      'dmaBytesPerNs is measured as 10, and the wire of "zcu102" carries 9.6',
    )
  })
})
