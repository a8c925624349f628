/**
 * What the command line needs of a platform that simulates. `main.ts` hands in the ZCU102; tests hand in a fake.
 */
import type { Scenario } from '../scenario/index.ts'

export type Design = 'dedicated' | 'floating'

export interface SimulateOptions<Recorder> {
  readonly design: Design
  /** What a flow carries, repeated or cut to its message length; null: random or nothing, as the scenario says. */
  readonly payload: (flowName: string) => Uint8Array | null
  readonly trace?: Recorder
  readonly onProgress?: (simulatedNs: number, totalNs: number) => void
  /** A delivered message; `bytes` are valid during the call. */
  readonly onMessage?: (message: { flow: string; sequence: number; bytes: Uint8Array }) => void
}

export interface ResponseTime {
  readonly min: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface FlowResult {
  readonly messages: number
  readonly delivered: number
  readonly deadlineMisses: number
  /** null: nothing was delivered. */
  readonly responseTimeNs: ResponseTime | null
}

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
  readonly stolenNsByCore: Readonly<Record<string, number>>
  readonly freedCore: boolean
  /** What a dedicated broker works on its own core; null: it has none. */
  readonly brokerCoreBusyNs: number | null
  readonly simulatedNs: number
  readonly events: number
  readonly traceHash: string
  readonly flows: Readonly<Record<string, FlowResult>>
}

export interface Simulator<Recorder = unknown> {
  simulate(scenario: Scenario, options: SimulateOptions<Recorder>): DesignResult
  createRecorder(): Recorder
  /** Chrome trace-event JSON, in pieces. */
  chromeTrace(recorder: Recorder, scenario: Scenario): Iterable<string>
  assumptionsOf(scenario: Scenario, design: Design): readonly string[]
}
