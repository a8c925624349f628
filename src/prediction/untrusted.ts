/**
 * Bounds of flows whatever the VMs do that are not their ends: the price of not believing them. Each flow is analysed against all VMs that
 * the scenario does not call `trusted`, but for its own two and for those that share a core with one of these (docs/prediction.md §9).
 */

import { builtInProfile } from '../boards/index.ts'
import { prioritiesOf } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { isForeign, systemAgainst } from './against.ts'
import { checkPrediction } from './check-prediction.ts'
import { NO_DRAIN } from './drain.ts'
import { creditObstaclesOf, vmObstaclesOf } from './obstacles.ts'
import { finite, type Prediction, type PredictionOptions } from './predict.ts'
import { type Rounds, settle, wholeNs } from './rounds.ts'
import { MOST_UNDER_WAY, type System, type SystemFlow, systemOf } from './system.ts'

/** A flow's bound whatever others do, and what that costs. Times are ns. */
export interface UntrustedFlow {
  readonly name: string
  /** VMs of which nothing is believed for this bound. */
  readonly against: readonly string[]
  /** From nominal release until read, whatever these VMs do; null: there is no such bound. */
  readonly endToEndNs: number | null
  /** It as a multiple of the bound with guests that keep to their flows; null where one of the two is missing. */
  readonly price: number | null
  readonly schedulable: boolean
  /** Why there is no bound; empty where there is one. */
  readonly obstacle: string
}

/** `prediction`: of the same scenario and options, with guests that keep to their flows. */
export function predictUntrusted(
  scenario: Scenario,
  prediction: Prediction,
  options: PredictionOptions,
): UntrustedFlow[] {
  checkPrediction(options)
  const { design, profile = builtInProfile(scenario) } = options
  const system = systemOf(scenario, design, profile)
  const rounds: Rounds = {
    scheduler: options.scheduler ?? scenario.broker.scheduler,
    ranks: options.ranks ?? prioritiesOf(scenario.flows),
    asWindow: true,
  }
  const found = new Map<string, (flow: SystemFlow) => number | string>()
  return system.flows.map((flow, i) => {
    const vms = disbelieved(system, flow)
    const known = prediction.flows[i]!.endToEndNs
    const key = vms.join()
    if (!found.has(key)) found.set(key, boundsAgainst(system, rounds, new Set(vms)))
    const bound =
      vms.length === 0 ? (known ?? 'there is none with guests that keep to their flows') : found.get(key)!(flow)
    const endToEndNs = typeof bound === 'number' ? finite(bound) : null
    return {
      name: flow.name,
      against: vms.map((vm) => scenario.vms[vm]!.name),
      endToEndNs,
      price: endToEndNs === null || known === null ? null : endToEndNs / known,
      schedulable: endToEndNs !== null && endToEndNs <= flow.deadlineNs,
      obstacle: typeof bound === 'string' ? bound : endToEndNs === null ? 'it grows without end' : '',
    }
  })
}

/** VMs that are not believed when it is about this flow: a neighbour on a core of its ends has to be, because a core has no time slices. */
function disbelieved({ scenario, vmCores }: System, { source, destination }: SystemFlow): number[] {
  const cores = [vmCores[source], vmCores[destination]]
  return scenario.vms.flatMap(({ trusted }, vm) => (trusted || cores.includes(vmCores[vm]) ? [] : [vm]))
}

function boundsAgainst(
  system: System,
  rounds: Rounds,
  vms: ReadonlySet<number>,
): (flow: SystemFlow) => number | string {
  const moved = system.flows.find(({ pages }) => pages !== 'copied')
  if (moved !== undefined) {
    return () =>
      `pages of ${moved.name} change owners: any core may be the one that moves them, and how long it leaves them for a guest that is not ` +
      'believed, and what that gives back of them, is not bounded yet; transfer: copy is'
  }
  if (system.pinned) return () => 'overheads are pinned, so nothing that guests do costs anything'
  const hostile = systemAgainst(system, vms)
  const [first] = [...creditObstaclesOf(hostile), ...vmObstaclesOf(hostile)]
  if (first !== undefined) return () => first
  // Messages that wait for receive buffers are never over: no window drains.
  const state = settle(hostile, rounds, { drain: NO_DRAIN })
  if (!state.known) {
    return () =>
      `counted in one window, which is the only bound there is then, all that may be under way has no end${
        system.design === 'dedicated'
          ? ': with the dedicated broker it has every interrupt of its core and of those of both guests'
          : ''
      }; trust a VM, send less often, or in larger pieces`
  }
  // Where the broker holds all buffers of a sender for so long, its rate test forgives that, and how much is not analysed.
  const forgiven = hostile.flows.find(
    (flow) => isForeign(hostile, flow) && state.spans[flow.index]! > (MOST_UNDER_WAY - 1) * flow.periodNs,
  )
  if (forgiven !== undefined)
    return () => `the broker may hold all messages of ${forgiven.name} that its sender has buffers for`
  return ({ index }) => wholeNs(null, 0, state.windows[index]!)
}
