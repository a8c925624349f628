/** Every built-in board: all of it is there, in order, with its provenance, and machines run on it. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { COST_OPS } from '../../src/platform/index.ts'
import { assumptionsOf, BOARD_PROFILES, type Fact, profileOf, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'

const SCENARIOS = new URL('../../examples/scenarios/', import.meta.url)
const DEFAULT = parseScenario(readFileSync(new URL('default.yaml', SCENARIOS), 'utf8'))
const SHORT = { ...DEFAULT, durationNs: 30_000_000 }
const NAMES = ['zcu102', 'rpi4', 'imx8qm', 's32g2', 'tx2', 'vck190']

it('the boards', () => {
  expect(Object.keys(BOARD_PROFILES)).toEqual(NAMES)
})

describe.each(NAMES)('%s', (name) => {
  const profile = profileOf(name)
  const { name: own, title, hardware, costsNs, ...figures } = profile
  const facts: [string, Fact<unknown>][] = Object.entries({ ...figures, ...hardware, ...costsNs })

  it('says of every figure where it comes from', () => {
    expect([own, title.length > 0]).toEqual([name, true])
    expect(facts.length).toBeGreaterThan(COST_OPS.length + 10)
    for (const [key, { status, source }] of facts) {
      expect(status, key).toMatch(/READ|RECALLED|DERIVED|ASSUMED/)
      // Nobody who wrote these had a board.
      expect(status, key).not.toContain('MEASURED')
      expect(source.length, key).toBeGreaterThan(3)
    }
  })

  it('has every cost, in whole ns, best <= typical <= worst', () => {
    expect(Object.keys(profile.costsNs).sort()).toEqual([...COST_OPS].sort())
    for (const [op, { value }] of Object.entries(profile.costsNs)) {
      const [best, typical, worst] = value
      expect(value.every(Number.isSafeInteger), op).toBe(true)
      expect(0 <= best && best <= typical && typical <= worst, op).toBe(true)
    }
    expect(profile.dmaBytesPerNs.value).toBeLessThanOrEqual(profile.dmaWireBytesPerNs.value)
  })

  it('runs the default scenario, or says that it has too few cores for it', () => {
    const scenario = { ...SHORT, platform: name }
    const run = () => simulate(scenario, { design: 'floating', payload: () => null })
    if (profile.cores.value < DEFAULT.vms.length) expect(run).toThrow(/the board has cores 0 to 1/)
    else {
      const result = run()
      expect(result).toMatchObject({ messagesDelivered: result.messagesSent, payloadMismatches: 0, deadlineMisses: 0 })
    }
  })

  it('runs a scenario for two cores', () => {
    const scenario = parseScenario(
      `{ platform: ${name}, duration: 10ms, vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }],
         flows: [{ name: f, from: a, to: b, period: 1ms, length: 64KiB }] }`,
    )
    const result = simulate(scenario, { design: 'floating', payload: () => null })
    expect(result).toMatchObject({ messagesDelivered: 10, payloadMismatches: 0, deadlineMisses: 0 })
    expect(assumptionsOf(scenario)[0]).toBe('Simulated: nothing here was measured on a board.')
  })
})

it('boards whose figures are those of the zcu102 say so of each', () => {
  const zcu102 = profileOf('zcu102')
  for (const name of NAMES.slice(1)) {
    for (const [op, cost] of Object.entries(profileOf(name).costsNs)) {
      if (cost !== zcu102.costsNs[op as keyof typeof zcu102.costsNs]) {
        expect(cost, `${name} ${op}`).toMatchObject({ status: 'ASSUMED', source: expect.stringContaining('zcu102') })
      }
    }
  }
  expect(profileOf('rpi4').costsNs.hvc.value).toEqual([95, 140, 825])
  // Half again where GICv3 has a system register.
  expect(profileOf('imx8qm').costsNs.sgi.value).toEqual([200, 350, 600])
  expect(profileOf('imx8qm').costsNs.hvc.value).toEqual(zcu102.costsNs.hvc.value)
})

it('unknown boards and files that nobody read are refused, with what to do', () => {
  expect(() => profileOf('zcu12')).toThrow('platform "zcu12" is not built in; did you mean zcu102?')
  expect(() => profileOf('toString')).toThrow('use one of zcu102, rpi4, imx8qm, s32g2, tx2, vck190')
  expect(() => profileOf('file:my.yaml')).toThrow('parseBoardProfile')
  const run = (platform: string, calibration: string | null) => () =>
    simulate({ ...SHORT, platform, calibration }, { design: 'floating', payload: () => null })
  expect(run('file:my.yaml', null)).toThrow('parseBoardProfile')
  expect(run('zcu102', 'file:my.yaml')).toThrow('parseCalibration')
})
