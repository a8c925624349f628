/** A simulator that makes up its figures, and a terminal that remembers what it was told. */
import type { CliParts } from '../../src/cli/run-cli.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import type { Simulator } from '../../src/cli/simulator.ts'
import { COST_OPS } from '../../src/platform/index.ts'
import type { Design, DesignResult, FlowPrediction, SimulationOptions } from '../../src/platform-zcu102/index.ts'
import type { Scenario } from '../../src/scenario/index.ts'

export const TEXT = new TextEncoder()

export function result(design: Design, scenario: Scenario, changes: Partial<DesignResult> = {}): DesignResult {
  const dedicated = design === 'dedicated'
  return {
    messagesSent: 1310,
    messagesDelivered: 1310,
    bytesDelivered: 85_000_000,
    payloadMismatches: 0,
    violations: 0,
    deadlineMisses: 0,
    crossCoreIpis: dedicated ? 24_531 : 0,
    vmInterrupts: dedicated ? 22_000 : 1310,
    virtualInterrupts: 1310,
    dmaTransfers: 1310,
    dmaDescriptors: 24_000,
    pagesRemapped: 0,
    pagesLent: 0,
    pagesRevoked: 0,
    foreignColorPages: 0,
    copyFallbacks: 0,
    tlbRefillNs: 0,
    actions: Object.fromEntries(COST_OPS.map((op) => [op, 0])) as DesignResult['actions'],
    longestLockHoldNs: 2_000,
    longestMaskedNs: 5_000,
    vmExits: dedicated ? 44_000 : 2620,
    stolenNsByCore: Object.fromEntries(scenario.vms.map((vm) => [vm.core, dedicated ? 12_000_000 : 4_000_000])),
    throttledNsByCore: Object.fromEntries(scenario.vms.map((vm) => [vm.core, 0])),
    memguardInterrupts: 0,
    delayedCompletions: 0,
    longestCompletionDelayNs: 0,
    freedCore: !dedicated,
    brokerCoreBusyNs: dedicated ? 250_000_000 : null,
    simulatedNs: scenario.durationNs,
    events: 100_000,
    traceHash: dedicated ? '00c0ffee' : '0badcafe',
    colors: { colors: 16, pool: [], vms: {}, shared: [] },
    flows: Object.fromEntries(
      scenario.flows.map((flow) => [
        flow.name,
        {
          messages: 10,
          delivered: 10,
          deadlineMisses: 0,
          responseTimeNs: { min: 100_000, p50: 200_000, p99: 400_000, max: dedicated ? 600_000 : 500_000 },
        },
      ]),
    ),
    chains: {},
    ...changes,
  }
}

export interface Run {
  code: number
  stdout: string
  stderr: string
  /** The scenario and options of every call of the simulator. */
  calls: { scenario: Scenario; options: SimulationOptions }[]
}

export interface Setting {
  readonly cwd?: string
  readonly tty?: boolean
  readonly env?: Record<string, string>
  readonly changes?: Partial<Record<Design, Partial<DesignResult>>>
  /** Of every flow; default: none. */
  readonly boundNs?: number
  /** Of the longest responses that a search finds, by flow; default: 1000 each. */
  readonly foundNs?: readonly number[]
  /** A simulator that makes up nothing. Default: one that does. */
  readonly simulator?: Simulator
  /** Runs within `simulate`. */
  readonly during?: (options: SimulationOptions) => void
}

/** A scenario as small as they come. */
export const SMALL = `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: f, from: a, to: b, period: 1ms, length: 1KiB }, { name: g, from: b, to: a, period: 1ms, length: 1KiB }]
`

export async function run(args: readonly string[], defaultScenario: string, setting: Setting = {}): Promise<Run> {
  const seen: Run = { code: -1, stdout: '', stderr: '', calls: [] }
  let now = 0
  const simulator: Simulator = {
    simulate(scenario, options) {
      seen.calls.push({ scenario, options })
      setting.during?.(options)
      return result(options.design, scenario, setting.changes?.[options.design])
    },
    predict: (scenario) => ({
      flows: scenario.flows.map(({ name }) => ({ name, endToEndNs: setting.boundNs ?? null }) as FlowPrediction),
      chains: [],
    }),
    longestResponses(scenario, { boundsNs = [], goesOn = () => true, runs = 12 }) {
      for (let done = 1; done < runs && goesOn(done); done++);
      const plan = { seed: 7, offsetsNs: scenario.flows.map(() => 5), promptNs: [], best: [] }
      return scenario.flows.map(({ name }, i) => ({
        flow: name,
        responseNs: setting.foundNs?.[i] ?? 1000,
        plan,
        boundsNs,
      }))
    },
    plannedRun: (scenario, profile) => ({ scenario: { ...scenario, seed: 7 }, profile, latenessNs: () => 0 }),
    chromeTrace: () => ['{"traceEvents":', '[]}'],
    assumptionsOf: (_, profile) => ['costs are assumed', `a board called ${profile.name}`],
  }
  const output = (stream: 'stdout' | 'stderr') => ({
    isTTY: setting.tty ?? false,
    write(text: string) {
      seen[stream] += text
    },
  })
  const parts: CliParts = {
    version: '1.2.3',
    agentFolder: 'none',
    pageScript: () => '',
    defaultScenario,
    simulator: setting.simulator ?? simulator,
    evaluation: { workerFile: 'no-worker.js' },
    terminal: {
      stdout: output('stdout'),
      stderr: output('stderr'),
      cwd: setting.cwd ?? '.',
      env: setting.env ?? {},
      // Every look at the clock takes 0.4 s.
      now: () => {
        now += 400
        return now
      },
    },
  }
  seen.code = await runCli(args, parts)
  return seen
}
