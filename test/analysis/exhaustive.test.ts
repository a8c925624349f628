import { DemandTest, deriveModel, TIGHTEST, TIGHTNESS } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { CAMPAIGN, CAMPAIGN_TIMEOUT_MS, report } from './campaign.ts'
import {
  boundsOf,
  denseInstance,
  type Family,
  indebtedInstance,
  jitteryInstance,
  lightInstance,
  search,
  stalledInstance,
  unevenInstance,
} from './small-instances.ts'

const ANALYSES = { ...TIGHTNESS, A5: TIGHTEST }
const NAMES = Object.keys(ANALYSES) as (keyof typeof ANALYSES)[]

describe.each([
  ['dense', denseInstance, 0, 2000],
  ['uneven', unevenInstance, 0, 1000],
  ['light', lightInstance, 0, 300],
  ['jittery', jitteryInstance, 0, 500],
  ['indebted', indebtedInstance, 0, 25],
  ['stalled', stalledInstance, 0, 100],
  ['dense, with look-ahead 1,', denseInstance, 1, 1000],
  ['dense, with look-ahead 2,', denseInstance, 2, 1000],
  ['uneven, with look-ahead 1,', unevenInstance, 1, 500],
] as [string, Family, number, number][])('every behaviour of %s instances', (name, family, lookAhead, instances) => {
  it.each(['fp', 'edf'] as const)(
    '%s: no response exceeds A0, A3, A4 or A5',
    (scheduler) => {
      let searched = 0
      let explored = 0
      for (let seed = 0; seed < instances * CAMPAIGN; seed++) {
        const set = family(seed, lookAhead)
        const [a0, a3, a4, a5] = NAMES.map((analysis) => boundsOf(deriveModel(set, ANALYSES[analysis]), scheduler))
        if (!a5) continue
        const { violator, worst, complete, states } = search(set, scheduler, a5)
        expect(violator, `seed ${seed}: ${JSON.stringify({ set, a5, worst })}`).toBe(-1)
        explored += states
        if (!complete) continue
        searched++
        for (const bounds of [a0, a3, a4]) {
          bounds?.forEach((bound, flow) => {
            expect(bound, `seed ${seed}, flow ${flow}`).toBeGreaterThanOrEqual(worst[flow]!)
          })
        }
      }
      report(`every behaviour of ${name} instances, ${scheduler}`, { searched, states: explored })
      expect(searched).toBeGreaterThan(instances / 10)
    },
    CAMPAIGN_TIMEOUT_MS,
  )

  it(
    'earliest deadline first: no accepted instance misses a deadline',
    () => {
      let accepted = 0
      for (let seed = 0; seed < instances * CAMPAIGN; seed++) {
        const set = family(seed, lookAhead)
        const by = NAMES.filter(
          (analysis) => new DemandTest(deriveModel(set, ANALYSES[analysis])).failingPointNs() === null,
        )
        if (by.length === 0) continue
        const deadlines = set.flows.map((flow) => flow.deadlineNs)
        const { violator } = search(set, 'edf', deadlines)
        expect(violator, `seed ${seed}, accepted by ${by}: ${JSON.stringify(set)}`).toBe(-1)
        accepted++
      }
      report(`every behaviour of ${name} instances, accepted deadlines`, { accepted })
      expect(accepted).toBeGreaterThan(instances / 50)
    },
    CAMPAIGN_TIMEOUT_MS,
  )
})
