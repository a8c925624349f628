/**
 * Why a message is late: from the trace of the evaluation's loaded system. Under a budget the floating broker has the later
 * 99th percentile for some flows (docs/interrupts.md); all of that is waiting for refills.
 */
import { describe, expect, it } from 'vitest'
import { machineScenario, rank } from '../../src/evaluation/experiments/machine-runs.ts'
import { standardLoad } from '../../src/evaluation/experiments/standard-load.ts'
import { type Design, simulate } from '../../src/platform-zcu102/index.ts'
import { TraceKind } from '../../src/platform-zcu102/trace-names.ts'
import type { RegulatorSpec } from '../../src/scenario/index.ts'
import { TraceForm, TraceRecorder } from '../../src/sim/index.ts'

const BUDGET: RegulatorSpec = { kind: 'budget', budgetNs: 500_000, periodNs: 1_000_000 }
const DESIGNS = ['dedicated', 'floating'] as const
/** While a message is under way and budget is left, no software keeps the DMA from it this long. */
const LONGEST_SOFTWARE_NS = 20_000

interface Latency {
  readonly totalNs: number
  /** For which the DMA rested longer than software takes: it waited for its budget. */
  readonly blackoutNs: number
}

/** By flow. */
function latencies(design: Design, regulator: RegulatorSpec): Map<number, Latency[]> {
  const load = standardLoad(4_000_000_000, 'random', 1, { regulator })
  const scenario = machineScenario(load, design === 'dedicated' ? design : 'floating-minimum')
  const trace = new TraceRecorder()
  const flows = scenario.flows.map((flow) => ({ ...flow, payload: { kind: 'none' } as const }))
  simulate({ ...scenario, flows }, { design, payload: () => null, trace })
  const { form, kind, startNs, durationNs, a, b } = trace.columns
  const released = new Map<string, number>()
  const found = new Map<number, Latency[]>(flows.map((_, flow) => [flow, []]))
  // Pieces are recorded when their transfer ends, so before the message that they belong to has been read.
  const pieces: { readonly startNs: number; readonly endNs: number }[] = []
  for (let row = 0; row < trace.count; row++) {
    const atNs = startNs[row]!
    if (kind[row] === TraceKind.dma) pieces.push({ startNs: atNs, endNs: atNs + durationNs[row]! })
    if (kind[row] !== TraceKind.message) continue
    const message = `${a[row]} ${b[row]}`
    if (form[row] === TraceForm.begin) released.set(message, atNs)
    else {
      const fromNs = released.get(message)!
      found.get(a[row]!)!.push({ totalNs: atNs - fromNs, blackoutNs: restingNs(pieces, fromNs) })
    }
  }
  return found
}

/** Long rests of the DMA from `fromNs` to the end of its last piece. */
function restingNs(pieces: readonly { readonly startNs: number; readonly endNs: number }[], fromNs: number): number {
  let restingNs = 0
  for (let i = pieces.length - 1; i >= 0 && pieces[i]!.endNs > fromNs; i--) {
    const restNs = pieces[i]!.startNs - Math.max(fromNs, i === 0 ? 0 : pieces[i - 1]!.endNs)
    if (restNs > LONGEST_SOFTWARE_NS) restingNs += restNs
  }
  return restingNs
}

const at = (sample: readonly Latency[], share: number, of: (latency: Latency) => number) =>
  rank(
    sample.map(of).sort((x, y) => x - y),
    share,
  )

describe('five flows between three cores, dedicated and floating, minimum', () => {
  it('without a regulator no flow has the later median, 99th percentile or maximum under the floating broker', () => {
    const [dedicated, floating] = DESIGNS.map((design) => latencies(design, { kind: 'none' }))
    for (const [flow, sample] of floating!) {
      expect(sample.length).toBeGreaterThanOrEqual(39)
      for (const share of [0.5, 0.99, 1]) {
        const [before, after] = [dedicated!.get(flow)!, sample].map((of) => at(of, share, ({ totalNs }) => totalNs))
        expect(after, `flow ${flow}, ${share}`).toBeLessThan(before!)
      }
      expect(sample.every(({ blackoutNs }) => blackoutNs === 0)).toBe(true)
    }
  })

  it('with a budget, what it is later by is blackout', () => {
    const [dedicated, floating] = DESIGNS.map((design) => latencies(design, BUDGET))
    let later = 0
    for (const [flow, sample] of floating!) {
      for (const share of [0.5, 0.99, 1]) {
        const of = (latency: (of: Latency) => number) =>
          [dedicated!.get(flow)!, sample].map((sample) => at(sample, share, latency))
        const [before, after] = of(({ totalNs }) => totalNs)
        if (after! > before!) later++
        const [beforeMoving, afterMoving] = of(({ totalNs, blackoutNs }) => totalNs - blackoutNs)
        expect(afterMoving, `flow ${flow}, ${share}`).toBeLessThan(beforeMoving!)
      }
    }
    // Otherwise this test has nothing to explain.
    expect(later).toBeGreaterThan(0)
  })
})
