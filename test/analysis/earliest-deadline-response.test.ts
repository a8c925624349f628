import {
  type AnalysisModel,
  DeadlineResponseTest,
  deriveModel,
  earliestDeadlineBounds,
  earliestDeadlineSchedulable,
  type FlowSet,
  finishOf,
  startAfter,
  TIGHTEST,
  TIGHTNESS,
  type Tightness,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { ABLATIONS, GOLDEN, randomSet } from './flow-sets.ts'

const bounds = (set: FlowSet, tightness?: Tightness) =>
  earliestDeadlineBounds(set, tightness).map((terms) => terms?.responseNs ?? Number.POSITIVE_INFINITY)

/** The theorem as it is written: every release `a` of a longest busy period, one by one; nothing is skipped. */
function boundByDefinition(model: AnalysisModel, i: number, limitNs: number): number {
  const { periodNs, deadlineNs, jitterNs, workNs, overheadNs, lastChunkNs, longestChunkNs, openIntervalNs } = model
  const apart = model.tightness.nonPreemptiveLastChunk
  const invert = apart ? startAfter : finishOf
  const tail = apart ? lastChunkNs[i]! + model.chunkOverheadNs : 0
  let worst = 0
  for (let a = -jitterNs[i]!; a < limitNs; a++) {
    const latest = a + deadlineNs[i]!
    let blocking = 0
    let software = 0
    for (let j = 0; j < model.count; j++) {
      if (deadlineNs[j]! - jitterNs[j]! <= latest) continue
      blocking = Math.max(blocking, longestChunkNs[j]!)
      software = model.blockingOverheadNs
    }
    if (model.committedNs > 0) {
      blocking = model.committedNs
      software = model.blockingOverheadNs
    }
    const q = Math.floor((a + jitterNs[i]!) / periodNs[i]!) + 1
    let start = 0
    for (;;) {
      let work = blocking + q * workNs[i]! - (apart ? lastChunkNs[i]! : 0)
      let overhead = software + q * overheadNs[i]! - (apart ? model.chunkOverheadNs : 0)
      for (let j = 0; j < model.count; j++) {
        if (j === i) continue
        for (let release = -jitterNs[j]!; release <= start - openIntervalNs; release += periodNs[j]!) {
          if (release + deadlineNs[j]! > latest) break
          work += workNs[j]!
          overhead += overheadNs[j]!
        }
      }
      const next = invert(model, work, overhead)
      if (next <= start) break
      start = next
    }
    if (start >= a) worst = Math.max(worst, start + tail - a)
  }
  return worst
}

describe('responses under earliest deadline first', () => {
  it('are those of every release of the busy period, one by one', () => {
    let several = 0
    for (let seed = 0; seed < 400; seed++) {
      const set = randomSet(new Random(seed, 10), seed % 5 === 0 ? 1 : 0)
      for (const tightness of [...Object.values(TIGHTNESS), TIGHTEST]) {
        const model = deriveModel(set, tightness)
        const test = new DeadlineResponseTest(model)
        for (let flow = 0; flow < model.count; flow++) {
          const terms = test.bound(flow)
          if (terms === null) continue
          const limitNs = terms.instances * model.periodNs[flow]!
          if (limitNs > 2000) continue
          expect(terms.responseNs, `seed ${seed}, flow ${flow}`).toBe(boundByDefinition(model, flow, limitNs))
          if (terms.releaseNs > 0) several++
        }
      }
    }
    expect(several).toBeGreaterThan(300)
  })

  it('what the demand test accepts has its bounds within the deadlines; the bounds show more', () => {
    const seen = { accepted: 0, more: 0, neither: 0 }
    for (let seed = 0; seed < 2000; seed++) {
      const set = randomSet(new Random(seed), seed % 3 === 0 ? 1 : 0)
      for (const tightness of ABLATIONS.filter((_, i) => i % 3 === seed % 3)) {
        const accepted = earliestDeadlineSchedulable(set, tightness)
        const within = bounds(set, tightness).every((bound, flow) => bound <= set.flows[flow]!.deadlineNs)
        if (accepted) expect(within, `seed ${seed}, ${JSON.stringify(tightness)}`).toBe(true)
        seen[accepted ? 'accepted' : within ? 'more' : 'neither']++
      }
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(20)
  })

  it('a lone flow responds as under fixed priority, whose order does not matter', () => {
    for (const tightness of [TIGHTNESS.A0, TIGHTNESS.A3, TIGHTNESS.A4]) {
      const set = { ...GOLDEN, flows: [GOLDEN.flows[3]!] }
      const [n, chunk] = [1024, 4096]
      expect(bounds({ ...set, regulator: { kind: 'none' } }, tightness)).toEqual([n * (chunk + 3000) + 1000])
    }
  })

  it('more demand than supply: no bound for any flow', () => {
    const heavy = { periodNs: 5_000_000, deadlineNs: 5_000_000, lengthBytes: 4_000_000 }
    expect(earliestDeadlineBounds({ ...GOLDEN, flows: [GOLDEN.flows[0]!, heavy] })).toEqual([null, null])
    expect(earliestDeadlineBounds({ ...GOLDEN, flows: [] })).toEqual([])
  })
})
