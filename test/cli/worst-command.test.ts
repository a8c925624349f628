import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import * as zcu102 from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { run, type Setting, SMALL } from './fake.ts'

let folder: string
let scenario: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-worst-'))
  scenario = join(folder, 'small.yaml')
  writeFileSync(scenario, SMALL)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const cli = (args: string, setting: Setting = {}) =>
  run(['simulate', ...args.split(' ').filter(Boolean)], scenario, { cwd: folder, ...setting })

interface FoundFlow {
  readonly responseNs: number
  readonly boundNs: number
  readonly plan: Omit<zcu102.RunPlan, 'promptNs'> & { readonly promptNs: readonly (readonly [number, number | null])[] }
}

/** The same on the simulated board. */
async function onBoard(args: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const out = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY: false,
    write(text: string) {
      out[name] += text
    },
  })
  const code = await runCli(['simulate', ...args.split(' ')], {
    version: '1.2.3',
    defaultScenario: scenario,
    agentFolder: 'none',
    pageScript: () => '',
    simulator: zcu102,
    evaluation: { workerFile: 'no-worker.js' },
    terminal: { stdout: stream('stdout'), stderr: stream('stderr'), cwd: folder, env: {}, now: () => 0 },
  } as Parameters<typeof runCli>[1])
  return { code, ...out }
}

describe('simulate --worst', () => {
  it('prints what was found beside the bound, and how far the two are apart', async () => {
    const { code, stdout } = await cli('--worst --design floating', {
      boundNs: 4_000_000,
      foundNs: [2_000_000, 500_000],
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^f +floating +2\.000 +4\.000 +2\.00 +1\.000$/m)
    expect(stdout).toMatch(/^g +floating +0\.500 +4\.000 +8\.00 +1\.000$/m)
    expect(stdout).toContain('runs: floating 100; seed 1;')
  })

  it('exits with 1, and says what, when a bound is exceeded', async () => {
    const { code, stderr } = await cli('--worst', { boundNs: 1500, foundNs: [1500, 1501] })
    expect(code).toBe(1)
    expect(stderr).toContain('floating: flow g took 1501 ns in a run that was found, its bound is 1500 ns')
    expect(stderr).not.toContain('flow f took')
  })

  it('searches as many runs as it is told, or for as long', async () => {
    expect((await cli('--worst --runs 3')).stdout).toContain('runs: dedicated 3, floating 3;')
    // Every look at the clock takes 0.4 s: one before the first run, one before each other.
    expect((await cli('--worst --seconds 2 --design floating')).stdout).toContain('runs: floating 5;')
  })

  it.each([
    ['--worst --runs 0', '--runs 0: write one whole number from 1'],
    ['--worst --runs 1.5', '--runs 1.5: write one whole number from 1'],
    ['--worst --seconds 0', '--seconds 0: write one number above 0'],
    ['--worst --seconds soon', '--seconds soon: write one number above 0'],
    ['--worst --runs 3 --seconds 3', '--runs and --seconds: use one of the two'],
    ['--worst --flow f', '--flow names the flow whose run is traced: add --trace FILE'],
    ['--worst --trace t.json --flow h', '--flow h: the flows are f, g'],
    ['--worst --out there', '--out is for one run, not for a search: leave out --worst'],
    ['--worst --payload bytes.bin', '--payload is for one run, not for a search: leave out --worst'],
    ['--runs 3', '--runs is for a search: add --worst'],
    ['--seconds 3', '--seconds is for a search: add --worst'],
    ['--flow f', '--flow is for a search: add --worst'],
  ])('refuses %s', async (args, message) => {
    const { code, stderr, calls } = await cli(args)
    expect({ code, stderr: stderr.trim(), calls }).toEqual({ code: 2, stderr: message, calls: [] })
    expect(existsSync(join(folder, 't.json'))).toBe(false)
  })

  it('writes the trace of the flow that is nearest to its bound, or of the one that is named', async () => {
    const setting = { boundNs: 3000, foundNs: [1000, 2000] }
    const near = await cli('--worst --design floating --trace t.json', setting)
    expect(near.stderr).toContain('the run with the longest response of flow g that was found')
    expect(near.calls.map(({ scenario, options }) => [scenario.seed, options.design])).toEqual([[7, 'floating']])
    const named = await cli('--worst --trace t.json --flow f', setting)
    expect(named.stderr).toContain('floating, the run with the longest response of flow f')
    expect(existsSync(join(folder, 't.dedicated.json')) && existsSync(join(folder, 't.floating.json'))).toBe(true)
  })

  it('finds on the board what its plan does again, within the bound, and keeps its trace', async () => {
    const { code, stdout, stderr } = await onBoard(
      '--worst --runs 6 --duration 10ms --design floating --json --trace t.json',
    )
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const { designs, profile } = JSON.parse(stdout)
    const written = { ...parseScenario(SMALL), durationNs: 10_000_000 }
    for (const [name, { boundNs, plan, responseNs }] of Object.entries<FoundFlow>(designs.floating.flows)) {
      // Infinity is no JSON.
      const promptNs = plan.promptNs.map(([from, to]) => [from, to ?? Number.POSITIVE_INFINITY] as const)
      const planned = zcu102.plannedRun(written, profile, { ...plan, promptNs })
      const { flows } = zcu102.simulate(planned.scenario, { ...planned, design: 'floating', payload: () => null })
      expect(flows[name]!.responseTimeNs!.max).toBe(responseNs)
      expect(responseNs).toBeGreaterThan(0)
      expect(responseNs).toBeLessThanOrEqual(boundNs)
    }
    expect(JSON.parse(readFileSync(join(folder, 't.json'), 'utf8')).traceEvents.length).toBeGreaterThan(100)
  })
})
