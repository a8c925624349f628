/** Where an attack looks: at instants at which everything comes at once, near them, anywhere; and from the worst so far. */
import type { Random } from '../src/internal/random.ts'
import type { CostOpName } from '../src/platform/index.ts'
import type { Scenario } from '../src/scenario/index.ts'
import type { Attack } from './case.ts'

/** `ranged`: actions whose best and worst differ. */
export function drawAttack(
  random: Random,
  { flows, broker }: Scenario,
  ranged: readonly CostOpName[],
  round: number,
): Attack {
  const longestNs = Math.max(...flows.map(({ periodNs }) => periodNs))
  const latestNs = Math.max(...flows.map(({ jitterNs }) => jitterNs))
  const beatNs = broker.regulator.kind === 'budget' ? broker.regulator.periodNs : longestNs
  const clumpNs = round === 0 ? latestNs : latestNs + random.between(0, beatNs)
  const near = round === 2
  const anywhere = round > 2 && random.chance(0.5)
  return {
    seed: random.between(0, 1_000_000),
    offsetsNs: flows.map(({ after, jitterNs, periodNs }) => {
      if (after !== null || round === 0) return 0
      if (anywhere) return random.between(0, periodNs - 1)
      // A message that is nominally released as long before the instant as it may be late.
      const awayNs = near ? random.between(-5000, 5000) : 0
      return modulo(clumpNs - jitterNs + awayNs, periodNs)
    }),
    lateness: anywhere ? random.pick(['random', 'clumped', 'always'] as const) : 'clumped',
    clumpNs,
    clumpEveryNs: clumpNs + 1 + 2 * longestNs,
    best: ranged.filter(() => random.chance(round % 2 === 0 ? 0.1 : 0.5)),
  }
}

/** An attack that differs from another in one thing. */
export function mutate(random: Random, attack: Attack, { flows }: Scenario, ranged: readonly CostOpName[]): Attack {
  const kind = random.between(0, 7)
  if (kind === 0) return { ...attack, seed: random.between(0, 1_000_000) }
  if (kind === 1) return { ...attack, lateness: random.pick(['never', 'always', 'random', 'clumped'] as const) }
  if (kind === 2 && ranged.length > 0) {
    const turned = random.pick(ranged)
    const best = attack.best.filter((op) => op !== turned)
    return { ...attack, best: best.length < attack.best.length ? best : [...best, turned] }
  }
  const target = random.between(0, flows.length - 1)
  const { after, periodNs } = flows[target]!
  if (after !== null) return { ...attack, seed: random.between(0, 1_000_000) }
  const awayNs = kind < 5 ? random.between(-3000, 3000) : random.between(0, periodNs - 1)
  return {
    ...attack,
    offsetsNs: attack.offsetsNs.map((offsetNs, flow) =>
      flow === target ? modulo(offsetNs + awayNs, periodNs) : offsetNs,
    ),
  }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}

/** How late the `sequence`-th message of a flow comes, ns. Asked in order. */
export function latenessOf(
  attack: Attack,
  { flows }: Scenario,
  random: Random,
): (flow: number, sequence: number) => number {
  const { clumpEveryNs, clumpNs, lateness, offsetsNs } = attack
  return (flow, sequence) => {
    const { jitterNs, periodNs } = flows[flow]!
    if (jitterNs === 0 || lateness === 'never') return 0
    if (lateness === 'always') return jitterNs
    if (lateness === 'random') return random.chance(0.3) ? jitterNs : random.between(0, jitterNs)
    const nominalNs = offsetsNs[flow]! + sequence * periodNs
    const clump = Math.max(0, Math.ceil((nominalNs - clumpNs) / clumpEveryNs))
    const lateNs = clumpNs + clump * clumpEveryNs - nominalNs
    return lateNs <= jitterNs ? lateNs : 0
  }
}
