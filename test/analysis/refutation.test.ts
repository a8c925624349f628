/** Theorems with one thing taken away: the search of every behaviour of small instances must refute each of them. */
import {
  type AnalysisModel,
  DemandTest,
  deriveModel,
  type FlowSet,
  type Scheduler,
  Supply,
  TIGHTEST,
  TIGHTNESS,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { CAMPAIGN_TIMEOUT_MS } from './campaign.ts'
import {
  boundsOf,
  denseInstance,
  type Family,
  indebtedInstance,
  lightInstance,
  search,
  stalledInstance,
  unevenInstance,
} from './small-instances.ts'

/** Each takes away one thing that the proof needs. */
const WEAKENED = {
  'debt one less': (model) => ({
    ...model,
    debtNs: Math.max(0, model.debtNs - 1),
    delayedDebtNs: Math.max(0, model.delayedDebtNs - 1),
  }),
  'no o_m in blocking': (model) => ({ ...model, blockingOverheadNs: model.chunkOverheadNs }),
  'only the first message of a busy period': (model) => ({ ...model, instanceLimit: 1 }),
  'ceilings for the closed count': (model) => ({ ...model, openIntervalNs: 1 }),
  "one overhead too many in Q''": (model, set) => {
    if (model.delayedSupply === null) return model
    const { periodNs, budgetNs } = model.delayedSupply
    const delayedSupply = new Supply(periodNs, Math.min(periodNs, budgetNs + set.dma.chunkOverheadNs[0]))
    return { ...model, delayedSupply, delayedDebtNs: delayedSupply.full ? 0 : model.delayedDebtNs }
  },
  'software before the window at its worst': (model) => {
    if (model.delayedSupply === null) return model
    const { periodNs, budgetNs } = model.delayedSupply
    return { ...model, delayedSupply: new Supply(periodNs, budgetNs) }
  },
  'one overhead too many in Q+': (model, set) => {
    if (model.delayedSupply === null) return model
    const { periodNs, budgetNs, firstBlackoutNs } = model.delayedSupply
    const laterNs = Math.min(periodNs, budgetNs + set.dma.chunkOverheadNs[1])
    return { ...model, delayedSupply: new Supply(periodNs, laterNs, firstBlackoutNs) }
  },
  'a budget that one message of each flow does not exhaust is spared': (model, set) => {
    const copiedNs = model.workNs.slice(0, model.count).reduce((sum, workNs) => sum + workNs, 0)
    if (set.regulator.kind !== 'budget' || copiedNs >= set.regulator.budgetNs) return model
    return { ...model, supply: Supply.unlimited(), debtNs: 0, delayedSupply: null }
  },
  'stalls one shorter': (model) => ({
    ...model,
    overheadNs: model.overheadNs.map((overheadNs, i) => (i < model.count ? overheadNs : overheadNs - 1)),
  }),
  'windows at its own releases only': (model) => ({ ...model, windowsAtEveryDeadline: false }),
} satisfies Record<string, (model: AnalysisModel, set: FlowSet) => AnalysisModel>

const ANALYSES = { ...TIGHTNESS, A5: TIGHTEST }

/** What is promised: responses, or no missed deadline where the EDF demand test accepts. */
type Promised = 'responses' | 'deadlines'

describe('the search has the power to catch a wrong theorem', () => {
  it.each([
    ['debt one less', 'A3', 'fp', 'responses', indebtedInstance],
    ['debt one less', 'A4', 'fp', 'responses', indebtedInstance],
    ['debt one less', 'A3', 'edf', 'responses', indebtedInstance],
    ['debt one less', 'A3', 'edf', 'deadlines', indebtedInstance],
    ['no o_m in blocking', 'A0', 'fp', 'responses', denseInstance],
    ['no o_m in blocking', 'A3', 'fp', 'responses', denseInstance],
    ['no o_m in blocking', 'A4', 'fp', 'responses', denseInstance],
    ['no o_m in blocking', 'A0', 'edf', 'responses', denseInstance],
    ['no o_m in blocking', 'A4', 'edf', 'responses', denseInstance],
    ['no o_m in blocking', 'A0', 'edf', 'deadlines', denseInstance],
    ['no o_m in blocking', 'A4', 'edf', 'deadlines', denseInstance],
    ['only the first message of a busy period', 'A0', 'fp', 'responses', denseInstance],
    ['only the first message of a busy period', 'A3', 'fp', 'responses', denseInstance],
    ['only the first message of a busy period', 'A4', 'fp', 'responses', denseInstance],
    ['only the first message of a busy period', 'A3', 'edf', 'responses', denseInstance],
    ['only the first message of a busy period', 'A4', 'edf', 'responses', denseInstance],
    ['ceilings for the closed count', 'A3', 'fp', 'responses', denseInstance],
    ['ceilings for the closed count', 'A4', 'fp', 'responses', denseInstance],
    ['ceilings for the closed count', 'A3', 'edf', 'responses', denseInstance],
    ['ceilings for the closed count', 'A4', 'edf', 'responses', denseInstance],
    ["one overhead too many in Q''", 'A4', 'fp', 'responses', denseInstance],
    ["one overhead too many in Q''", 'A4', 'edf', 'responses', denseInstance],
    ["one overhead too many in Q''", 'A4', 'edf', 'deadlines', denseInstance],
    ['software before the window at its worst', 'A5', 'fp', 'responses', unevenInstance],
    ['software before the window at its worst', 'A5', 'edf', 'responses', unevenInstance],
    ['one overhead too many in Q+', 'A5', 'fp', 'responses', unevenInstance],
    ['one overhead too many in Q+', 'A5', 'edf', 'responses', unevenInstance],
    ['one overhead too many in Q+', 'A5', 'edf', 'deadlines', unevenInstance],
    ['a budget that one message of each flow does not exhaust is spared', 'A5', 'fp', 'responses', lightInstance],
    ['a budget that one message of each flow does not exhaust is spared', 'A5', 'edf', 'responses', lightInstance],
    ['stalls one shorter', 'A3', 'fp', 'responses', stalledInstance],
    ['stalls one shorter', 'A4', 'fp', 'responses', stalledInstance],
    ['stalls one shorter', 'A3', 'edf', 'responses', stalledInstance],
    ['stalls one shorter', 'A4', 'edf', 'responses', stalledInstance],
    ['stalls one shorter', 'A4', 'edf', 'deadlines', stalledInstance],
    ['windows at its own releases only', 'A3', 'edf', 'responses', denseInstance],
    ['windows at its own releases only', 'A4', 'edf', 'responses', denseInstance],
  ] as [keyof typeof WEAKENED, keyof typeof ANALYSES, Scheduler, Promised, Family][])(
    '%s: %s, %s, %s',
    (name, analysis, scheduler, promise, family) => {
      for (let seed = 0; seed < 10_000; seed++) {
        const set = family(seed, 0)
        const model = WEAKENED[name](deriveModel(set, ANALYSES[analysis]), set)
        const limits =
          promise === 'responses'
            ? boundsOf(model, scheduler)
            : new DemandTest(model).failingPointNs() === null && set.flows.map((flow) => flow.deadlineNs)
        if (limits && search(set, scheduler, limits).violator >= 0) return
      }
      expect.unreachable('no instance refutes it')
    },
    CAMPAIGN_TIMEOUT_MS,
  )
})
