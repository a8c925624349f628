/** Why there are flows without a bound: overload first, whatever it is of, then what a message may have to wait for. */
import { arrivalToleranceNs } from '../plan/index.ts'
import { type DrainShares, lackingCredit } from './drain.ts'
import { creditMessages, postedBuffers } from './obstacles.ts'
import type { State } from './rounds.ts'
import { MOST_UNDER_WAY, type System } from './system.ts'
import { overloadLines, type ResourceUse } from './utilization.ts'

/** `statics`: the obstacles that need no search. At least one line. */
export function reasonsOf(
  system: System,
  { drainNeeds, drainNs, drainShares, spans }: State,
  utilization: readonly ResourceUse[],
  statics: readonly string[],
): string[] {
  // Where the machine drains, nothing is overloaded after all.
  const drains = drainNs < Number.POSITIVE_INFINITY
  const lines = [...(drains ? [] : overloadLines(utilization)), ...statics]
  if (lines.length > 0) return lines
  return drains ? latenessOf(system, spans, drainNs, drainNeeds) : [backlogOf(system, spans, drainShares)]
}

/** Everything is done in some time, but not before some flows run out of buffers: the rate test then may hold them back ever longer. */
function latenessOf(system: System, spans: readonly number[], drainNs: number, needs: readonly number[]): string[] {
  const { flows, scenario } = system
  const lacking = lackingCredit(system, drainNs)
  const all = `at worst costs all that may be under way takes ${(drainNs / 1e6).toFixed(1)} ms`
  return flows
    .filter(({ index }) => !(spans[index]! < Number.POSITIVE_INFINITY))
    .map(({ after, destination, index, name, periodNs }) => {
      if (after >= 0 && !(spans[after]! < Number.POSITIVE_INFINITY)) {
        return `flow ${name}: it is not known when ${flows[after]!.name} arrives, which releases it`
      }
      if (lacking[index]) {
        const credit = creditMessages(system, flows[index]!)
        return (
          `flow ${name}: ${all}, in which its sender may run out of its credit for ${credit} messages: one that waits for credit may hold back ` +
          'what follows ever longer; give it more credit, or send less often'
        )
      }
      const posted = postedBuffers(system, destination)
      if (needs[destination]! > posted && drainNs > arrivalToleranceNs(scenario, index)) {
        return (
          `flow ${name}: ${all}, in which VM ${scenario.vms[destination]!.name} may be sent ${needs[destination]} pieces, and it posts ` +
          `${posted} receive buffers: who waits for one may hold back what follows ever longer; give it more, or send all less often`
        )
      }
      return (
        `flow ${name}: ${all}, longer than its sender's ${MOST_UNDER_WAY} buffers last, ` +
        `${((MOST_UNDER_WAY * periodNs) / 1e6).toFixed(1)} ms: the rate test may hold it back ever longer; send all less often, or in ` +
        'larger pieces'
      )
    })
}

/** Nothing is overloaded, but all of it together: the windows of docs/prediction.md §3 count one after another what may run at once. */
function backlogOf({ flows }: System, spans: readonly number[], shares: DrainShares | null): string {
  const unknown = flows.filter(({ index }) => !(spans[index]! < Number.POSITIVE_INFINITY)).map(({ name }) => name)
  const backlog = `the backlog of ${unknown.length > 0 ? unknown.join(', ') : 'all flows'}`
  if (shares === null) return `at worst costs there is no end of ${backlog}; send less often, or in larger pieces`
  const { broker, copying, guests, supply, throttled } = shares
  const parts = [`the DMA copies for ${percent(copying)} of the time`]
  if (supply >= SHOWN) parts.push(`waits for its budget for ${percent(supply)}`)
  parts.push(`the broker's software needs ${percent(broker)}`)
  if (guests >= SHOWN) parts.push(`the guests' drivers ${percent(guests)} when nothing else goes on`)
  if (throttled >= SHOWN) parts.push(`MemGuard stops cores for ${percent(throttled)}`)
  const all = broker + copying + guests + supply + throttled
  return (
    `at worst costs ${parts.join(', ')}: counted one after another that is ${percent(all)}, and there is no end of ${backlog}; ` +
    'send less often, or in larger pieces'
  )
}

/** A share that is worth a word. */
const SHOWN = 0.005

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}
