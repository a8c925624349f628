/** Costs that are kept for the same counts are those that would be found anew, whatever was asked for before. */
import { describe, expect, it } from 'vitest'
import { builtInProfile } from '../../src/boards/boards.ts'
import { Random } from '../../src/internal/random.ts'
import { countedSoftware } from '../../src/prediction/counted.ts'
import { type SoftwareCosts, softwareOf, type UnderWay } from '../../src/prediction/software.ts'
import { type System, systemOf } from '../../src/prediction/system.ts'
import { randomScenario } from './random-scenarios.ts'

/** Every number, and what every function says of each flow. */
function valuesOf({ flows }: System, { events: _, ...costs }: SoftwareCosts) {
  return Object.fromEntries(
    Object.entries(costs).map(([name, cost]) => [
      name,
      typeof cost === 'function' ? flows.map((flow) => cost(flow)) : cost,
    ]),
  )
}

function randomUnderWay({ flows, vmCores }: System, random: Random): UnderWay {
  const flags = () => flows.map(() => random.chance(0.5))
  const counts = flows.map(() => random.between(1, 2))
  const starves = vmCores.map(() => random.chance(0.3))
  const [waits, early, interrupts] = [flags(), flags(), flags()]
  const spans = flows.map(({ periodNs }) => random.between(0, 2 * periodNs))
  return {
    messages: ({ index }) => counts[index]!,
    handedBackNs: ({ index }) => spans[index]!,
    loanSpanNs: ({ index }) => spans[index]!,
    starves: (vm) => starves[vm]!,
    waits: ({ index }) => waits[index]!,
    early: ({ index }) => early[index]!,
    interrupts: ({ index }) => interrupts[index]!,
  }
}

describe('costs of software', () => {
  it('are those of the counts that are asked for', () => {
    const seen = { lends: 0, copies: 0, kept: 0 }
    for (let seed = 0; seed < 40; seed++) {
      const scenario = { ...randomScenario(seed), chains: [] }
      const random = new Random(seed, 9)
      for (const design of ['floating', 'dedicated'] as const) {
        const system = systemOf(scenario, design, builtInProfile(scenario))
        seen[system.lends ? 'lends' : 'copies']++
        const asked = Array.from({ length: 3 }, () => randomUnderWay(system, random))
        const first = asked.map((underWay) => countedSoftware(system, underWay))
        for (const [i, underWay] of asked.entries()) {
          const costs = countedSoftware(system, underWay)
          if (costs.events === first[i]!.events) seen.kept++
          const anew = softwareOf(systemOf(scenario, design, builtInProfile(scenario)), underWay)
          expect(valuesOf(system, costs), `seed ${seed}, ${design}`).toEqual(valuesOf(system, anew))
        }
      }
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
  })
})
