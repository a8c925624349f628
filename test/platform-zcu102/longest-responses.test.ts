/** The search for the longest responses: what it finds has happened in a run that the scenario allows. */
import { describe, expect, it } from 'vitest'
import { COST_OPS } from '../../src/platform/index.ts'
import { builtInProfile, longestResponses, plannedRun, predict } from '../../src/platform-zcu102/index.ts'
import { Machine } from '../../src/platform-zcu102/machine.ts'
import { responsesOf } from '../../src/platform-zcu102/planned-run.ts'
import { TraceKind } from '../../src/platform-zcu102/trace-names.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'
import { randomScenario } from '../prediction/random-scenarios.ts'

const design = 'floating'
const SEEDS = [2, 11, 31, 67, 95, 215]

/** When each message of each flow was released. */
class Releases extends TraceRecorder {
  readonly atNs = new Map<number, number[]>()

  override begin(kind: number, _track: number, timeNs: number, flow: number): void {
    if (kind === TraceKind.message) this.atNs.set(flow, [...(this.atNs.get(flow) ?? []), timeNs])
  }
}

describe('the longest responses', () => {
  it.each(SEEDS)('are of legal runs, and no longer than their bounds (seed %i)', (seed) => {
    const scenario = { ...randomScenario(seed), durationNs: 30e6 }
    const profile = builtInProfile(scenario)
    const bounds = predict(scenario, { design }).flows
    const found = longestResponses(scenario, { design, runs: 6, boundsNs: bounds.map(({ endToEndNs }) => endToEndNs) })
    found.forEach(({ flow, plan, responseNs }, i) => {
      expect(responseNs, flow).toBeGreaterThan(0)
      expect(responseNs, flow).toBeLessThanOrEqual(bounds[i]!.endToEndNs ?? Number.POSITIVE_INFINITY)
      const run = plannedRun(scenario, profile, plan)
      // Nothing but what a scenario leaves open.
      const as = { costs: scenario.costs, flows: scenario.flows, seed: scenario.seed }
      expect({ ...run.scenario, ...as }).toEqual(scenario)
      expect(run.scenario.flows.map((other, k) => ({ ...other, offsetNs: scenario.flows[k]!.offsetNs }))).toEqual(
        scenario.flows,
      )
      for (const op of COST_OPS) {
        const [bestNs, typicalNs, worstNs] = profile.costsNs[op].value
        expect([bestNs, worstNs]).toContain(run.profile.costsNs[op].value[2])
        expect(run.profile.costsNs[op].value.slice(0, 2)).toEqual([bestNs, typicalNs])
      }
      const trace = new Releases({ keep: false, hash: false })
      const machine = new Machine(run.scenario, { ...run, design, payload: () => null, trace })
      machine.start()
      machine.run(scenario.durationNs)
      scenario.flows.forEach(({ jitterNs, periodNs }, k) => {
        const { offsetNs } = run.scenario.flows[k]!
        expect(offsetNs).toBeGreaterThanOrEqual(0)
        expect(offsetNs).toBeLessThan(periodNs)
        const releases = trace.atNs.get(k) ?? []
        releases.forEach((atNs, sequence) => {
          const lateNs = atNs - (machine.epochNs + offsetNs + sequence * periodNs)
          expect(lateNs).toBeGreaterThanOrEqual(0)
          expect(lateNs).toBeLessThanOrEqual(jitterNs)
          expect(atNs).toBeGreaterThanOrEqual(releases[sequence - 1] ?? 0)
        })
      })
    })
  })

  it('are found again by their plans, and by their seed', () => {
    const scenario = { ...randomScenario(31), durationNs: 30e6 }
    const found = longestResponses(scenario, { design, runs: 5, seed: 9 })
    expect(longestResponses(scenario, { design, runs: 5, seed: 9 })).toEqual(found)
    found.forEach(({ plan, responseNs }, i) => {
      expect(responsesOf(scenario, design, builtInProfile(scenario), plan)[i]).toBe(responseNs)
    })
    // More runs find no less.
    longestResponses(scenario, { design, runs: 1, seed: 9 }).forEach(({ responseNs }, i) => {
      expect(responseNs).toBeLessThanOrEqual(found[i]!.responseNs)
    })
  })

  it('count from the nominal release, with all of the jitter', () => {
    const [alone] = longestResponses(scenarioWith('jitter: 2ms'), { design, runs: 2 })
    expect(alone!.responseNs).toBeGreaterThan(2e6)
    expect(alone!.responseNs).toBeLessThan(2.2e6)
  })

  it('bring together what the offsets of the scenario keep apart', () => {
    const bulk =
      '\n  - { name: bulk, from: b, to: a, period: 40ms, length: 200KiB, payload: none, offset: 5ms, priority: 1 }'
    const [urgent] = longestResponses(scenarioWith('priority: 2', bulk), { design, runs: 2 })
    expect(urgent!.responseNs).toBeGreaterThan(200 * 1024)
  })

  it('have a message of a flow that is released less often than once a run', () => {
    const scenario = { ...scenarioWith('period: 40ms, jitter: 30ms'), durationNs: 20e6 }
    expect(longestResponses(scenario, { design, runs: 4 })[0]!.responseNs).toBeGreaterThan(0)
  })
})

function scenarioWith(keys: string, more = '') {
  const period = keys.includes('period') ? '' : ', period: 40ms'
  return parseScenario(`
duration: 40ms
vms:
  - { name: a, core: 0, cid: 3 }
  - { name: b, core: 1, cid: 4 }
flows:
  - { name: urgent, from: a, to: b, length: 64, payload: none${period}, ${keys} }${more}
broker: { scheduler: fp }
`)
}
