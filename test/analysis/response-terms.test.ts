/** What holds of the bounds of either scheduler, with any combination of the switches. */
import { earliestDeadlineBounds, type FlowSet, fixedPriorityBounds, type Tightness } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { ABLATIONS, randomSet, SWITCHES } from './flow-sets.ts'

describe.each([
  ['fixed priority', (set: FlowSet, tightness: Tightness) => fixedPriorityBounds(set, tightness)],
  ['earliest deadline first', earliestDeadlineBounds],
] as const)('bounds under %s', (_, boundsOf) => {
  const responses = (set: FlowSet, tightness: Tightness) =>
    boundsOf(set, tightness).map((terms) => terms?.responseNs ?? Number.POSITIVE_INFINITY)

  it('the terms add up to the bound, and none is negative', () => {
    let compared = 0
    for (let seed = 0; seed < 120; seed++) {
      const set = randomSet(new Random(seed))
      for (const tightness of ABLATIONS) {
        for (const t of boundsOf(set, tightness)) {
          if (t === null) continue
          const sum =
            t.ownWorkNs + t.interferenceNs + t.blockingNs + t.overheadNs + t.supplyNs + t.jitterNs - t.releaseNs
          expect(sum).toBe(t.responseNs)
          expect(Math.min(...Object.values(t))).toBeGreaterThanOrEqual(0)
          expect(t.instance).toBeLessThanOrEqual(t.instances)
          compared++
        }
      }
    }
    expect(compared).toBeGreaterThan(10_000)
  })

  it.each(SWITCHES)('%s never lengthens one, whatever the other switches', (name) => {
    let shorter = 0
    for (let seed = 0; seed < 150; seed++) {
      const set = randomSet(new Random(seed))
      for (const off of ABLATIONS) {
        if (off[name]) continue
        const without = responses(set, off)
        responses(set, { ...off, [name]: true }).forEach((bound, flow) => {
          expect(bound, `seed ${seed}, flow ${flow}, ${JSON.stringify(off)}`).toBeLessThanOrEqual(without[flow]!)
          if (bound < without[flow]!) shorter++
        })
      }
    }
    expect(shorter).toBeGreaterThan(0)
  })
})
