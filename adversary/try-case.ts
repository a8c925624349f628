/** One case: its bounds, attacked for as long as that is worth it, and what came nearest to each. */
import type { Random } from '../src/internal/random.ts'
import { COST_OPS } from '../src/platform/index.ts'
import { type Design, type Prediction, predict } from '../src/platform-zcu102/index.ts'
import { drawAttack, mutate } from './attack.ts'
import { type Attack, type Case, type Inputs, inputsOf } from './case.ts'
import { type Observation, runAttack } from './run-attack.ts'
import { longestResponses } from './tasks.ts'
import type { Intervals } from './witness.ts'

export const BOUND_KINDS = ['response', 'chain', 'stolen', 'lock', 'task', 'window'] as const
/** `window`: that EL2 takes no more of a window than the window has. */
export type BoundKind = (typeof BOUND_KINDS)[number]

export interface Comparison {
  readonly kind: BoundKind
  /** Of the flow, chain or core. */
  readonly name: string
  readonly boundNs: number
  readonly observedNs: number
  /** Under which most was observed. */
  readonly attack: Attack
}

export interface Outcome {
  readonly comparisons: readonly Comparison[]
  readonly flows: number
  readonly boundedFlows: number
  readonly runs: number
  readonly events: number
}

/** Runs that every case gets, and how many so much of a bound that was seen is worth. */
const FIRST_RUNS = 2
const WORTH: readonly (readonly [share: number, runs: number])[] = [
  [0.95, 6],
  [0.8, 4],
  [0.4, 3],
]

/** `attack` of the case is all that is run where it has one. Throws what `predict` and the machine throw. */
export function tryCase(found: Case, random: Random): Outcome {
  const inputs = inputsOf(found)
  const { scenario, profile } = inputs
  const design = scenario.broker.placement
  const prediction = predict(scenario, { design, profile })
  const boundedFlows = prediction.flows.filter(({ endToEndNs }) => endToEndNs !== null).length
  const counts = { flows: scenario.flows.length, boundedFlows }
  const attempts = new Attempts(inputs, design, prediction)
  if (found.attack !== null) attempts.run(found.attack)
  else {
    const ranged = COST_OPS.filter((op) => profile.costsNs[op].value[0] < profile.costsNs[op].value[2])
    const ranges = scenario.costs === 'worst' ? ranged : []
    const first = boundedFlows === 0 ? 1 : FIRST_RUNS
    for (let round = 0; round < first; round++) attempts.run(drawAttack(random, scenario, ranges, round))
    const worth = () => WORTH.find(([share]) => attempts.nearest >= share)?.[1] ?? 0
    for (let round = first; round < worth() && attempts.nearest <= 1; round++) {
      const near = round > FIRST_RUNS || random.chance(0.5)
      attempts.run(
        near ? mutate(random, attempts.best!, scenario, ranges) : drawAttack(random, scenario, ranges, round),
      )
    }
  }
  return { comparisons: attempts.comparisons(), ...counts, runs: attempts.runs, events: attempts.events }
}

class Attempts {
  runs = 0
  events = 0
  /** Largest observed / bound of a response, and its attack. */
  nearest = 0
  best: Attack | null = null
  readonly #inputs: Inputs
  readonly #design: Design
  readonly #prediction: Prediction
  readonly #worst = new Map<string, Comparison>()

  constructor(inputs: Inputs, design: Design, prediction: Prediction) {
    this.#inputs = inputs
    this.#design = design
    this.#prediction = prediction
  }

  comparisons(): Comparison[] {
    return [...this.#worst.values()]
  }

  run(attack: Attack): void {
    const observed = runAttack(this.#inputs, this.#design, attack)
    this.runs++
    this.events += observed.events
    const { chains, cores, flows, lockHoldNs } = this.#prediction
    let nearest = 0
    flows.forEach(({ name, endToEndNs }, i) => {
      if (endToEndNs === null) return
      this.#compare('response', name, endToEndNs, observed.responseNs[i]!, attack)
      nearest = Math.max(nearest, observed.responseNs[i]! / endToEndNs)
    })
    chains.forEach(({ name, endToEndNs }, i) => {
      if (endToEndNs !== null) this.#compare('chain', name, endToEndNs, observed.chainNs[i]!, attack)
    })
    if (lockHoldNs !== null && lockHoldNs < Number.POSITIVE_INFINITY)
      this.#compare('lock', '', lockHoldNs, observed.lockHoldNs, attack)
    for (const core of cores) this.#compareStolen(core, observed, attack)
    this.#compareTasks(observed, attack)
    if (nearest > this.nearest || this.best === null) {
      this.nearest = nearest
      this.best = attack
    }
  }

  #compareStolen({ core, stolenWithin }: Prediction['cores'][number], { witness }: Observation, attack: Attack): void {
    for (const [windowNs, stolenNs] of densestWindows(witness.stolen(core))) {
      const boundNs = stolenWithin(windowNs)
      if (boundNs === Number.POSITIVE_INFINITY) continue
      this.#compare('stolen', `core ${core}`, boundNs, stolenNs, attack)
      this.#compare('window', `core ${core}`, windowNs, boundNs, attack)
    }
  }

  #compareTasks({ busy, endNs }: Observation, attack: Attack): void {
    if (busy === null) return
    const { tasks: predicted } = this.#prediction
    for (const { name: vm, core, tasks: specs } of this.#inputs.scenario.vms) {
      // Most urgent first.
      const tasks = predicted.filter((task) => task.vm === vm && task.responseNs !== null)
      if (tasks.length < specs.length) continue
      const spec = (name: string) => specs.find((task) => task.name === name)!
      const withSpecs = tasks.map((task) => ({ ...spec(task.name), ...task }))
      const longestNs = longestResponses(withSpecs, busy[core]!, endNs)
      tasks.forEach(({ name, responseNs }, i) => {
        this.#compare('task', `${vm}.${name}`, responseNs!, longestNs[i]!, attack)
      })
    }
  }

  /** Keeps the comparison that came nearest to its bound. */
  #compare(kind: BoundKind, name: string, boundNs: number, observedNs: number, attack: Attack): void {
    const key = `${kind} ${name}`
    const known = this.#worst.get(key)
    if (known !== undefined && observedNs * known.boundNs <= known.observedNs * boundNs) return
    this.#worst.set(key, { kind, name, boundNs, observedNs, attack })
  }
}

/** Windows from the start of one interval to the end of another, and what was stolen in them: the shortest of so many, and the fullest. */
function densestWindows({ startNs, endNs, sumNs }: Intervals): [windowNs: number, stolenNs: number][] {
  const windows: [number, number][] = []
  for (let count = 1; count <= startNs.length; count = Math.ceil(count * 1.7)) {
    let [shortest, fullest] = [0, 0]
    const window = (first: number) => endNs[first + count - 1]! - startNs[first]!
    const stolen = (first: number) => sumNs[first + count]! - sumNs[first]!
    for (let first = 1; first + count <= startNs.length; first++) {
      if (window(first) < window(shortest)) shortest = first
      if (stolen(first) > stolen(fullest)) fullest = first
    }
    windows.push([window(shortest), stolen(shortest)], [window(fullest), stolen(fullest)])
  }
  return windows
}
