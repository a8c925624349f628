/**
 * One of the runs that a scenario allows. A scenario leaves open when the first message of a flow is released, how late each message is within
 * its jitter, where in its range each action costs, and the phases of MemGuard and of polling; a plan says all of it, so that a run can be looked
 * for, kept, and run again.
 */

import type { BoardProfile } from '../boards/index.ts'
import { assert } from '../internal/assert.ts'
import { leastRamOf } from '../machine/index.ts'
import type { Design } from '../plan/index.ts'
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { TraceRecorder } from '../sim/index.ts'
import { Machine } from './machine.ts'
import { TraceKind, Track } from './trace-names.ts'

/** What a run does that its scenario leaves open. Times in ns from the start of the flows. */
export interface RunPlan {
  /** Draws the phases of MemGuard and of polling. */
  readonly seed: number
  /** By flow: the first nominal release. Of a flow after another it is not looked at. */
  readonly offsetsNs: readonly number[]
  /** By flow: messages with a nominal release in this span come at once; all others are as late as their jitter allows. */
  readonly promptNs: readonly (readonly [fromNs: number, toNs: number])[]
  /** Actions that cost their best all the time; all others cost their worst. */
  readonly best: readonly CostOpName[]
}

/** A scenario and a board as `simulate` takes them, so that it does what a plan says. */
export interface PlannedRun {
  readonly scenario: Scenario
  readonly profile: BoardProfile
  readonly latenessNs: (flow: number, sequence: number) => number
}

/** The run of a plan. */
export function plannedRun(scenario: Scenario, profile: BoardProfile, plan: RunPlan): PlannedRun {
  const { best, offsetsNs, promptNs, seed } = plan
  const costs = COST_OPS.map((op) => {
    const fact = profile.costsNs[op]
    const [bestNs, typicalNs] = fact.value
    // What the machine decides by typical costs stays as it is.
    return [op, best.includes(op) ? { ...fact, value: [bestNs, typicalNs, bestNs] } : fact] as const
  })
  // Any releases that period and jitter allow, whatever trace of them there is.
  const flows = scenario.flows.map(({ releases: _, ...flow }, i) =>
    flow.after === null ? { ...flow, offsetNs: offsetsNs[i]! } : flow,
  )
  return {
    scenario: { ...scenario, costs: 'worst', flows, seed },
    profile: { ...profile, costsNs: Object.fromEntries(costs) as unknown as BoardProfile['costsNs'] },
    latenessNs(flow, sequence) {
      const { jitterNs, periodNs } = scenario.flows[flow]!
      const nominalNs = offsetsNs[flow]! + sequence * periodNs
      const [fromNs, toNs] = promptNs[flow]!
      return nominalNs >= fromNs && nominalNs < toNs ? 0 : jitterNs
    },
  }
}

/** A run is given this many times its duration to deliver what it sent. */
const DRAIN_FACTOR = 2

/**
 * By flow, ns: the longest of any message in the run of a plan from its nominal release until it has been read; of one that has not been read when
 * the run ends, until then. A flow after another counts from its own release. VMs have the least RAM that will do, which is less to set up.
 */
export function responsesOf(scenario: Scenario, design: Design, profile: BoardProfile, plan: RunPlan): number[] {
  const run = plannedRun(scenario, profile, plan)
  const vms = scenario.vms.map((vm, index) => {
    const { payloadBytes, privateBytes } = leastRamOf(scenario, index)
    return { ...vm, ramBytes: privateBytes + payloadBytes }
  })
  const trace = new Ways(scenario.flows.length)
  const machine = new Machine({ ...run.scenario, vms }, { ...run, design, payload: () => null, trace })
  machine.start()
  const { durationNs } = scenario
  machine.run(durationNs * DRAIN_FACTOR)
  return scenario.flows.map(({ after, periodNs }, flow) => {
    const offsetNs = machine.epochNs + plan.offsetsNs[flow]!
    let longestNs = 0
    trace.releasedNs[flow]!.forEach((releasedNs, sequence) => {
      const nominalNs = after === null ? offsetNs + sequence * periodNs : releasedNs
      assert(nominalNs <= releasedNs, 'nothing is released before its nominal time')
      longestNs = Math.max(longestNs, (trace.readNs[flow]![sequence] ?? machine.kernel.now) - nominalNs)
    })
    return longestNs
  })
}

/** When messages were released and read, by flow and then by message. */
class Ways extends TraceRecorder {
  readonly releasedNs: readonly number[][]
  readonly readNs: readonly number[][]

  constructor(flows: number) {
    super({ keep: false, hash: false })
    this.releasedNs = Array.from({ length: flows }, () => [])
    this.readNs = Array.from({ length: flows }, () => [])
  }

  override span(): void {}

  override instant(): void {}

  override counter(): void {}

  override begin(kind: number, track: number, timeNs: number, flow: number, sequence: number): void {
    if (kind === TraceKind.message && track >= Track.flow(0)) this.releasedNs[flow]![sequence] = timeNs
  }

  override end(kind: number, track: number, timeNs: number, flow: number, sequence: number): void {
    if (kind === TraceKind.message && track >= Track.flow(0)) this.readNs[flow]![sequence] = timeNs
  }
}
