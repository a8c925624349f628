/**
 * What a bound is made of, by asking what it would be without: each other flow reduced to messages of a byte, each cost at nothing, in turn. Terms of
 * a bound cannot tell that. A long message of another flow is in `others` where it is copied first, in `software` where its pieces are prepared, and
 * in `no budget` where it has used the budget up; without it all three are less.
 */
import { type BoardProfile, builtInProfile } from '../boards/index.ts'
import { VirtioError } from '../internal/error.ts'
import { oneOf } from '../internal/suggest.ts'
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { checkPrediction } from './check-prediction.ts'
import { type Prediction, type PredictionOptions, predict } from './predict.ts'

/** What a bound would be without one thing that it has. */
export interface Without {
  /** A flow by name, or what costs time: a name of `costsNs`, `copying`, `regulator`, `memguard`. */
  readonly name: string
  /** null: there is still no bound. */
  readonly boundNs: number | null
}

/** What dominates the bound of a flow, a chain or a task. Times in ns; null: there is no bound. */
export interface Dominance {
  /** As `failsFirst` has it: a flow by name, `chain NAME`, `task NAME of VM`. */
  readonly of: string
  readonly boundNs: number | null
  readonly deadlineNs: number
  /** Other flows, with messages of a byte: the one that matters most comes first. Those that change nothing are left out. */
  readonly flows: readonly Without[]
  /** Costs, at nothing: the one that matters most comes first. Those that change nothing are left out. */
  readonly costs: readonly Without[]
}

/** Of other flows, the longest, the busiest and the most frequent ones are tried: so many of each. */
const MOST_OF_EACH = 8

/**
 * `of`: as in `failsFirst`; default: whatever needs most of its deadline. At most 24 flows and every cost are tried, a prediction each; `onTried`
 * hears how many were. Throws as `predict`, and `VirtioError` UNKNOWN_NAME for an `of` that the scenario does not have.
 */
export function predictedDominance(
  scenario: Scenario,
  options: PredictionOptions,
  of?: string,
  onTried: (tried: number, total: number) => void = () => {},
): Dominance {
  checkPrediction(options)
  const present = partsOf(predict(scenario, options))
  const part = of === undefined ? neediest(present) : present.find(({ name }) => name === of)
  if (part === undefined) {
    const names = present.map(({ name }) => name)
    throw new VirtioError('UNKNOWN_NAME', `of ${of} names nothing of this scenario; ${oneOf(of, names)}`)
  }
  const flows = candidates(scenario).filter(({ name }) => name !== part.name)
  const profile = options.profile ?? builtInProfile(scenario)
  const costs = withoutCosts(scenario, profile)
  const total = flows.length + costs.length
  let tried = 0
  const without = (name: string, changed: Scenario, board: BoardProfile): Without => {
    onTried(tried++, total)
    const found = partsOf(predict(changed, { ...options, profile: board }))
    return { name, boundNs: found.find((other) => other.name === part.name)!.boundNs }
  }
  const worth = (all: readonly Without[]) =>
    all
      .filter(({ boundNs }) => timeOf(boundNs) < timeOf(part.boundNs))
      .sort((a, b) => timeOf(a.boundNs) - timeOf(b.boundNs))
  return {
    of: part.name,
    boundNs: part.boundNs,
    deadlineNs: part.deadlineNs,
    flows: worth(flows.map(({ name }) => without(name, withLength(scenario, name, 1), profile))),
    costs: worth(costs.map(({ name, changed, board }) => without(name, changed, board))),
  }
}

interface Part {
  readonly name: string
  readonly boundNs: number | null
  readonly deadlineNs: number
}

function partsOf({ flows, chains, tasks }: Prediction): Part[] {
  return [
    // A flow is judged by its bound end to end, with pinned overheads by that of the abstract model.
    ...flows.map(({ name, deadlineNs, endToEndNs, bounds }) => ({
      name,
      deadlineNs,
      boundNs: endToEndNs ?? bounds.A4,
    })),
    ...chains.map(({ name, deadlineNs, endToEndNs }) => ({ name: `chain ${name}`, deadlineNs, boundNs: endToEndNs })),
    ...tasks.map(({ vm, name, deadlineNs, responseNs }) => ({
      name: `task ${name} of ${vm}`,
      deadlineNs,
      boundNs: responseNs,
    })),
  ]
}

/** Of what has no bound, that with the least deadline. */
function neediest(parts: readonly Part[]): Part {
  const share = ({ boundNs, deadlineNs }: Part) => timeOf(boundNs) / deadlineNs
  return parts.reduce((most, part) => {
    if (share(part) === share(most)) return part.deadlineNs < most.deadlineNs ? part : most
    return share(part) > share(most) ? part : most
  })
}

function timeOf(boundNs: number | null): number {
  return boundNs ?? Number.POSITIVE_INFINITY
}

function candidates({ flows }: Scenario): Scenario['flows'] {
  const most = (of: (flow: Scenario['flows'][number]) => number) =>
    [...flows].sort((a, b) => of(b) - of(a)).slice(0, MOST_OF_EACH)
  return [
    ...new Set([
      ...most(({ lengthBytes }) => lengthBytes),
      ...most(({ lengthBytes, periodNs }) => lengthBytes / periodNs),
      ...most(({ periodNs }) => 1 / periodNs),
    ]),
  ]
}

function withLength(scenario: Scenario, name: string, lengthBytes: number): Scenario {
  return {
    ...scenario,
    flows: scenario.flows.map((flow) => (flow.name === name ? { ...flow, lengthBytes } : flow)),
  }
}

/** Faster than any memory. */
const AT_ONCE_BYTES_PER_NS = 1e6

function withoutCosts(scenario: Scenario, profile: BoardProfile) {
  const { broker, overrides } = scenario
  const without: { readonly name: string; readonly changed: Scenario; readonly board: BoardProfile }[] = []
  const rate = { ...profile, dmaBytesPerNs: { ...profile.dmaBytesPerNs, value: AT_ONCE_BYTES_PER_NS } }
  const pinnedRate = overrides.dmaBytesPerNs === null ? null : AT_ONCE_BYTES_PER_NS
  // Rate control would slow it down again, which is what the regulator does.
  if (broker.regulator.kind !== 'rate')
    without.push({
      name: 'copying',
      changed: { ...scenario, overrides: { ...overrides, dmaBytesPerNs: pinnedRate } },
      board: rate,
    })
  if (broker.regulator.kind !== 'none')
    without.push({
      name: 'regulator',
      changed: { ...scenario, broker: { ...broker, regulator: { kind: 'none' } } },
      board: profile,
    })
  if (scenario.vms.some(({ memguard }) => memguard !== null))
    without.push({
      name: 'memguard',
      changed: { ...scenario, vms: scenario.vms.map((vm) => ({ ...vm, memguard: null })) },
      board: profile,
    })
  for (const op of COST_OPS) {
    if (profile.costsNs[op].value[2] > 0) without.push({ name: op, changed: scenario, board: free(profile, op) })
  }
  return without
}

function free(profile: BoardProfile, op: CostOpName): BoardProfile {
  return { ...profile, costsNs: { ...profile.costsNs, [op]: { ...profile.costsNs[op], value: [0, 0, 0] as const } } }
}
