/** One run of a scenario under one design, and what came of it. */

import type { BoardProfile } from '../boards/index.ts'
import { builtInProfile } from '../boards/index.ts'
import { recordOf } from '../internal/record-of.ts'
import type { ColorReport, Delivery, FlowResult, MachineMemory } from '../machine/index.ts'
import type { Design } from '../plan/index.ts'
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import type { ReleaseTrace, Scenario } from '../scenario/index.ts'
import { TraceRecorder } from '../sim/index.ts'
import { checkSimulation } from './check-options.ts'
import type { Intruder } from './intruder.ts'
import { type BehindBoard, Machine } from './machine.ts'

/** Options of `simulate`. */
export interface SimulationOptions {
  readonly design: Design
  /** Default: the built-in one that the scenario names. */
  readonly profile?: BoardProfile
  /** What a flow carries, read round and round; null: seeded noise. Not asked for flows without payload. */
  readonly payload: (flowName: string) => Uint8Array | null
  readonly trace?: TraceRecorder
  /** Without a trace: false leaves the hash of the run out, `traceHash` is then empty, and the run a little faster. */
  readonly hashesRun?: boolean
  readonly onProgress?: (simulatedNs: number, totalNs: number) => void
  /** A delivered message; `bytes` are valid during the call. */
  readonly onMessage?: (message: Delivery) => void
  /** Replaces guests of VMs by hostile ones. */
  readonly intruder?: Intruder | readonly Intruder[]
  /**
   * How late the `sequence`-th message (from 0) of the flow with this index is released, whole ns from 0 to the flow's jitter. Default:
   * drawn from the seed. Asked once a message of a flow that a timer releases, in order.
   */
  readonly latenessNs?: (flow: number, sequence: number) => number
  /** Of a flow that the scenario gives `releases`: what is in that file (`parseReleases`). Asked once for each of them. */
  readonly releases?: (flowName: string) => ReleaseTrace | null
  /** What the VMs' RAM lies in, at least as many bytes as they need together, zeroed. Default: its own. */
  readonly ram?: ArrayBuffer
  /** Makes a machine that does for real what the board decides. Default: nothing does. */
  readonly behind?: (memory: MachineMemory) => BehindBoard
}

/** Times in ns; counts from the start of the flows to the arrival of the last message. VM cores are those with a VM. */
export interface DesignResult {
  readonly messagesSent: number
  readonly messagesDelivered: number
  readonly bytesDelivered: number
  readonly payloadMismatches: number
  readonly violations: number
  readonly deadlineMisses: number
  readonly crossCoreIpis: number
  readonly vmInterrupts: number
  readonly vmExits: number
  readonly virtualInterrupts: number
  readonly dmaTransfers: number
  /** Scatter-gather descriptors of these transfers: one for each run of physical memory. */
  readonly dmaDescriptors: number
  /** Pages that changed owners, and pages that were lent. */
  readonly pagesRemapped: number
  readonly pagesLent: number
  /** Lent pages that were taken back by copying, because they were not given back in time. */
  readonly pagesRevoked: number
  /** Times that a VM got a page whose colour is neither its own nor the exchange pool's. */
  readonly foreignColorPages: number
  /** Messages that were to be remapped or lent and whose rest was copied, because a page could not be moved. */
  readonly copyFallbacks: number
  /** Guests' own time to refill their TLBs after all of their translations were invalidated. */
  readonly tlbRefillNs: number
  /** How often each action that costs time was taken. */
  readonly actions: Readonly<Record<CostOpName, number>>
  readonly longestLockHoldNs: number
  /** Longest time for which a core in EL2 let no interrupt in; waits of a throttled core left out. */
  readonly longestMaskedNs: number
  /** EL2 time on each VM core, spinning included, but for the time that it was throttled. */
  readonly stolenNsByCore: Readonly<Record<string, number>>
  /** Time that MemGuard throttled each VM core; 0 where it has no budget. */
  readonly throttledNsByCore: Readonly<Record<string, number>>
  /** Interrupts of MemGuard's counter and timer; they are among `vmInterrupts` and, where a guest ran, `vmExits`. */
  readonly memguardInterrupts: number
  /** Completions of the DMA that found their core throttled and had to wait, and the longest wait of any completion. */
  readonly delayedCompletions: number
  readonly longestCompletionDelayNs: number
  /** The broker needs no core of its own. */
  readonly freedCore: boolean
  readonly brokerCoreBusyNs: number | null
  readonly simulatedNs: number
  readonly events: number
  readonly traceHash: string
  /** Cache partitions, and who shares them. */
  readonly colors: ColorReport
  readonly flows: Readonly<Record<string, FlowResult>>
  /** From the release of a chain's first flow to the arrival of its last. */
  readonly chains: Readonly<Record<string, FlowResult>>
}

/** A run that cannot keep up is given this many times its duration to deliver what it sent. */
const DRAIN_FACTOR = 10
const PROGRESS_STEPS = 200

/**
 * Throws `VirtioError` when the scenario cannot run on its platform under this design, RELEASES for a trace of releases that is not handed over, or
 * that its flow does not allow.
 */
export function simulate(scenario: Scenario, options: SimulationOptions): DesignResult {
  checkSimulation(options)
  const { design } = options
  const trace = options.trace ?? new TraceRecorder({ keep: false, hash: options.hashesRun !== false })
  const machine = new Machine(scenario, { ...options, profile: options.profile ?? builtInProfile(scenario), trace })
  machine.start()
  const { durationNs } = scenario
  for (let step = 1; machine.run(Math.ceil((durationNs * step) / PROGRESS_STEPS)); step++) {
    options.onProgress?.(Math.min(machine.kernel.now - machine.epochNs, durationNs), durationNs)
    if (step === DRAIN_FACTOR * PROGRESS_STEPS) break
  }
  return resultOf(scenario, design, machine, trace)
}

function resultOf(scenario: Scenario, design: Design, machine: Machine, trace: TraceRecorder): DesignResult {
  const { counters, ledgers } = machine
  const moved = machine.zeroCopyCounts()
  const flows = scenario.flows.map((flow, index) => [flow.name, ledgers[index]!.result()] as const)
  const total = (of: (result: FlowResult) => number) => flows.reduce((sum, [, result]) => sum + of(result), 0)
  const vmCores = [...new Set(scenario.vms.map((vm) => vm.core))].sort((a, b) => a - b)
  const overCores = (counts: Float64Array) => vmCores.reduce((sum, core) => sum + counts[core]!, 0)
  const floating = design === 'floating'
  return {
    messagesSent: total((result) => result.messages),
    messagesDelivered: total((result) => result.delivered),
    bytesDelivered: scenario.flows.reduce((sum, _, i) => sum + machine.bytesDelivered(i), 0),
    payloadMismatches: ledgers.reduce((sum, ledger) => sum + ledger.mismatches, 0),
    violations: machine.violations,
    deadlineMisses: total((result) => result.deadlineMisses),
    crossCoreIpis: counters.crossCoreIpis,
    vmInterrupts: overCores(counters.interrupts),
    vmExits: overCores(counters.exits),
    virtualInterrupts: counters.virtualInterrupts,
    dmaTransfers: counters.dmaTransfers,
    dmaDescriptors: counters.dmaDescriptors,
    pagesRemapped: moved.pagesExchanged,
    pagesLent: moved.pagesLent,
    pagesRevoked: moved.pagesRevoked,
    foreignColorPages: moved.foreignPages,
    copyFallbacks: moved.fallbacks,
    tlbRefillNs: counters.tlbRefillNs,
    actions: Object.fromEntries(COST_OPS.map((name, op) => [name, machine.actions[op]!])) as Record<CostOpName, number>,
    longestLockHoldNs: counters.longestLockHoldNs,
    longestMaskedNs: counters.longestMaskedNs,
    stolenNsByCore: Object.fromEntries(vmCores.map((core) => [String(core), machine.stolenNs(core)])),
    throttledNsByCore: Object.fromEntries(vmCores.map((core) => [String(core), machine.memguard.throttledNs(core)])),
    memguardInterrupts: counters.memguardInterrupts,
    delayedCompletions: counters.delayedCompletions,
    longestCompletionDelayNs: counters.longestCompletionDelayNs,
    freedCore: floating,
    brokerCoreBusyNs: floating ? null : machine.stolenNs(scenario.broker.dedicatedCore),
    simulatedNs: machine.kernel.now - machine.epochNs,
    events: machine.kernel.processed,
    traceHash: trace.hash,
    colors: machine.memory.colorReport(),
    flows: recordOf(flows),
    chains: Object.fromEntries(scenario.chains.map(({ name }, index) => [name, machine.chainLedgers[index]!.result()])),
  }
}
