/** When the messages of a flow are released that no other flow releases: by a timer, late within the jitter, or at the times of a trace. */
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import { Random } from '../internal/random.ts'
import { type ReleaseTrace, releaseIssues, type Scenario } from '../scenario/index.ts'

export interface ReplayOptions {
  readonly latenessNs?: (flow: number, sequence: number) => number
  readonly releases?: (flowName: string) => ReleaseTrace | null
}

export class ReleaseTimes {
  /** By flow: null: a timer. */
  readonly traces: readonly (ReleaseTrace | null)[]
  readonly #durationNs: number
  readonly #offsetsNs: Float64Array
  readonly #periodsNs: Float64Array
  readonly #jittersNs: Float64Array
  readonly #jitter: Random
  readonly #latenessNs: ReplayOptions['latenessNs']

  /** Throws `VirtioError` RELEASES for a trace that is not there, or that its flow does not allow. */
  constructor(scenario: Scenario, options: ReplayOptions) {
    const { durationNs, flows, seed } = scenario
    this.#durationNs = durationNs
    this.#offsetsNs = Float64Array.from(flows, ({ offsetNs }) => offsetNs)
    this.#periodsNs = Float64Array.from(flows, ({ periodNs }) => periodNs)
    this.#jittersNs = Float64Array.from(flows, ({ jitterNs }) => jitterNs)
    this.#jitter = new Random(seed, 2)
    this.#latenessNs = options.latenessNs
    this.traces = flows.map((flow, i) => {
      if (flow.releases === undefined) return null
      const trace = options.releases?.(flow.name) ?? null
      if (trace === null)
        throw new VirtioError('RELEASES', `flow ${flow.name} replays ${flow.releases}; hand it over as releases`)
      const [issue] = releaseIssues(scenario, i, trace)
      if (issue !== undefined) throw new VirtioError('RELEASES', `${flow.releases}: ${issue.message}; ${issue.fix}`)
      return trace
    })
  }

  /** Of message `k`, asked in order, in ns from the start of the flows; null: no more are released. Offset and k periods, late by at most the jitter. */
  atNs(flow: number, k: number): number | null {
    const trace = this.traces[flow]!
    if (trace !== null) {
      const atNs = trace.timesNs[k] ?? Number.POSITIVE_INFINITY
      return atNs < this.#durationNs ? atNs : null
    }
    const nominalNs = this.#offsetsNs[flow]! + k * this.#periodsNs[flow]!
    if (nominalNs >= this.#durationNs) return null
    const jitterNs = this.#jittersNs[flow]!
    const lateNs = this.#latenessNs ? this.#latenessNs(flow, k) : jitterNs > 0 ? this.#jitter.between(0, jitterNs) : 0
    assert(lateNs >= 0 && lateNs <= jitterNs, `a release is late by ${lateNs} ns, of a jitter of ${jitterNs} ns`)
    return nominalNs + lateNs
  }
}
