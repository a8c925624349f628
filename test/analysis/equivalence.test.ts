/** Fast paths against the theorems as they are written, one step at a time, and against the same in Python. */
import { spawnSync } from 'node:child_process'
import {
  type AnalysisModel,
  type AnalysisName,
  deriveModel,
  earliestDeadlineBounds,
  earliestDeadlineSchedulable,
  type FlowSet,
  finishOf,
  fixedPriorityBounds,
  fixedPrioritySchedulable,
  lengthPermille,
  type ResponseTerms,
  ranksOf,
  startAfter,
  TIGHTEST,
  TIGHTNESS,
  type Tightness,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Inversion } from '../../src/analysis/inversion.ts'
import { Random } from '../../src/internal/random.ts'
import { randomSet } from './flow-sets.ts'

const NAMES = Object.keys(TIGHTNESS) as AnalysisName[]
const ANALYSES = { ...TIGHTNESS, A5: TIGHTEST }

/** Theorems 5 and 6: the whole busy period first, every fixed point from its lowest start. */
function boundByDefinition(model: AnalysisModel, i: number, ranks: readonly number[]): number {
  const { periodNs, jitterNs, workNs, overheadNs, openIntervalNs } = model
  const apart = model.tightness.nonPreemptiveLastChunk
  const flows = Array.from({ length: model.count }, (_, j) => j)
  const higher = flows.filter((j) => j !== i && ranks[j]! <= ranks[i]!)
  const lower = flows.filter((j) => ranks[j]! > ranks[i]!)
  const committed = model.committedNs > 0
  const blocking = committed ? model.committedNs : Math.max(0, ...lower.map((j) => model.longestChunkNs[j]!))
  const software = committed || lower.length > 0 ? model.blockingOverheadNs : 0
  const solve = (members: readonly number[], work: number, overhead: number, from: number, open: number) => {
    for (let t = from; ; ) {
      const messages = (j: number) => Math.floor((t + jitterNs[j]! - open) / periodNs[j]!) + 1
      const sum = (costs: Float64Array) => members.reduce((total, j) => total + messages(j) * costs[j]!, 0)
      const next = (apart ? startAfter : finishOf)(model, work + sum(workNs), overhead + sum(overheadNs))
      if (next <= t) return t
      t = next
    }
  }
  const busy = solve([i, ...higher], blocking, software, 1, 1)
  const [lastWork, lastSoftware] = apart ? [model.lastChunkNs[i]!, model.chunkOverheadNs] : [0, 0]
  let worst = 0
  for (let q = 1; q <= Math.ceil((busy + jitterNs[i]!) / periodNs[i]!); q++) {
    const work = blocking + q * workNs[i]! - lastWork
    const start = solve(higher, work, software + q * overheadNs[i]! - lastSoftware, 0, openIntervalNs)
    worst = Math.max(worst, start + lastWork + lastSoftware - (q - 1) * periodNs[i]! + jitterNs[i]!)
  }
  return worst
}

/** As long as its messages can be with D = 4T, so that busy periods are long. */
function criticalSet(seed: number): FlowSet {
  const drawn = randomSet(new Random(seed, 13), seed % 4 === 0 ? 1 : 0)
  const flows = drawn.flows.map((flow) => ({
    ...flow,
    periodNs: 50 * flow.periodNs,
    lengthBytes: 50 * flow.lengthBytes,
  }))
  const set = { ...drawn, flows: flows.map((flow) => ({ ...flow, deadlineNs: 4 * flow.periodNs })) }
  const permille = lengthPermille(set)
  const scale = (bytes: number) => Math.max(1, Math.floor((bytes * permille) / 1000))
  return { ...set, flows: set.flows.map((flow) => ({ ...flow, lengthBytes: scale(flow.lengthBytes) })) }
}

/** The same in long times: 2^bits as long, less odd amounts. */
function longSet(seed: number, bits: number): FlowSet {
  const random = new Random(seed, 16)
  const drawn = randomSet(random, seed % 4 === 0 ? 1 : 0)
  const long = (value: number) => value * 2 ** bits - random.between(0, Math.min(value, 1)) * random.between(0, 1000)
  const { dma, regulator } = drawn
  return {
    flows: drawn.flows.map((flow) => ({
      ...flow,
      periodNs: long(flow.periodNs),
      deadlineNs: long(flow.deadlineNs),
      lengthBytes: long(flow.lengthBytes),
      jitterNs: long(flow.jitterNs ?? 0),
    })),
    dma: {
      ...dma,
      chunkBytes: long(dma.chunkBytes),
      chunkOverheadNs: [dma.chunkOverheadNs[0] * 2 ** bits, dma.chunkOverheadNs[1] * 2 ** bits],
      messageOverheadNs: long(dma.messageOverheadNs),
    },
    regulator:
      regulator.kind === 'budget'
        ? { ...regulator, periodNs: regulator.periodNs * 2 ** bits, budgetNs: regulator.budgetNs * 2 ** bits }
        : regulator,
  }
}

const responses = (terms: readonly (ResponseTerms | null)[]) => terms.map((term) => term?.responseNs ?? null)

describe('fixed priority', () => {
  it.each([
    ['random sets', 600, (seed: number) => randomSet(new Random(seed, 14), seed % 4 === 0 ? 1 : 0)],
    ['sets at the limit, with long busy periods', 100, criticalSet],
    ['sets with long times', 200, (seed: number) => longSet(seed, 28)],
  ] as const)('%s: bounds and verdicts are those of the theorems', (_, count, draw) => {
    let compared = 0
    let later = 0
    for (let seed = 0; seed < count; seed++) {
      const set = draw(seed)
      // Some flows share a rank.
      const ranks = seed % 3 === 0 ? ranksOf(set.flows).map((rank) => rank >> 1) : ranksOf(set.flows)
      for (const [name, tightness] of Object.entries(ANALYSES)) {
        const model = deriveModel(set, tightness)
        const bounds = fixedPriorityBounds(set, tightness, ranks)
        bounds.forEach((terms, i) => {
          if (terms === null) return
          expect(terms.responseNs, `${name}, seed ${seed}, flow ${i}`).toBe(boundByDefinition(model, i, ranks))
          compared++
          if (terms.instance > 1) later++
        })
        const within = bounds.every((terms, i) => terms !== null && terms.responseNs <= set.flows[i]!.deadlineNs)
        expect(fixedPrioritySchedulable(set, tightness, ranks), `${name}, seed ${seed}`).toBe(within)
      }
    }
    expect(compared).toBeGreaterThan(3 * count)
    expect(later).toBeGreaterThan(10)
  })
})

describe('inv and inv- of the innermost loops', () => {
  it.each([
    ['start', true],
    ['finish', false],
  ] as const)('%s: the same to the last bit as through the supplies, to the end of the exact integers', (_, start) => {
    const inversion = new Inversion()
    const plain = start ? startAfter : finishOf
    let [equal, refused] = [0, 0]
    for (let seed = 0; seed < 600; seed++) {
      const random = new Random(seed, 17)
      const set = seed % 2 === 0 ? randomSet(random) : longSet(seed, 36)
      for (const name of NAMES) {
        for (const exactSupply of [true, false]) {
          const model = deriveModel(set, { ...TIGHTNESS[name], exactSupply })
          inversion.load(model, start)
          for (let draw = 0; draw < 20; draw++) {
            const atMost = 2 ** random.between(1, 52)
            const work = (start ? 0 : 1) + Math.floor(random.unit() * atMost)
            const software = Math.floor(random.unit() * random.pick([0, 1, atMost]))
            inversion.demand[0] = work
            inversion.demand[1] = software
            const expected = orAssertion(() => plain(model, work, software))
            const found = orAssertion(() => {
              inversion.solve()
              return inversion.demand[2]!
            })
            expect(found, `${name}, seed ${seed}: ${work}, ${software}`).toBe(expected)
            if (typeof expected === 'number') equal++
            else refused++
          }
        }
      }
    }
    expect(equal).toBeGreaterThan(50_000)
    expect(refused).toBeGreaterThan(100)
  })
})

function orAssertion(find: () => number): number | string {
  try {
    return find()
  } catch (error) {
    expect(error).toMatchObject({ code: 'ASSERTION' })
    return 'assertion'
  }
}

const python = spawnSync('python3', ['--version']).error === undefined

describe.skipIf(!python)('Python finds the same (skipped where there is no python3)', () => {
  it('bounds and verdicts of random sets with jitter, under both schedulers', { timeout: 60_000 }, () => {
    const sets: FlowSet[] = []
    for (let seed = 0; sets.length < 300; seed++) {
      const set = seed % 8 === 0 ? criticalSet(seed) : randomSet(new Random(seed, 15))
      if (set.regulator.kind === 'budget' && set.dma.lookAhead === 0) sets.push(set)
    }
    const input = JSON.stringify({ sets, runs: 1 })
    const child = spawnSync('python3', ['bench/analysis-python/analysis.py'], { input, encoding: 'utf8' })
    expect(child.stderr).toBe('')
    const { results } = JSON.parse(child.stdout) as { results: Record<string, unknown[]> }
    const tasks: Record<string, (set: FlowSet, tightness: Tightness) => unknown> = {
      'fp verdict': fixedPrioritySchedulable,
      'fp bounds': (set, tightness) => responses(fixedPriorityBounds(set, tightness)),
      'fp bounds as written': (set, tightness) => responses(fixedPriorityBounds(set, tightness)),
      'edf verdict': earliestDeadlineSchedulable,
      'edf bounds': (set, tightness) => responses(earliestDeadlineBounds(set, tightness)),
    }
    for (const [task, solve] of Object.entries(tasks)) {
      for (const name of NAMES) {
        const ours = sets.map((set) => solve(set, TIGHTNESS[name]))
        expect(results[`${task} ${name}`], `${task} ${name}`).toEqual(ours)
      }
    }
  })
})
