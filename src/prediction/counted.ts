/**
 * Costs of software depend on how long messages are under way only by how many that makes, and by who may have to wait: for the same counts
 * they are found once a system. Rounds of a prediction mostly have the counts of the round before.
 */
import { FoundOn } from './found-on.ts'
import { type SoftwareCosts, softwareOf, type UnderWay } from './software.ts'
import type { System, SystemFlow } from './system.ts'

/** A drain and the rounds after it may have different counts; more are not kept. */
const KEPT = 4

interface Counted {
  readonly counts: readonly number[]
  readonly costs: SoftwareCosts
}

const found = new FoundOn<System, Counted[]>()

/** As `softwareOf`. */
export function countedSoftware(system: System, underWay: UnderWay): SoftwareCosts {
  // Loans are counted by times.
  if (system.lends) return softwareOf(system, underWay)
  const counts = countsOf(system, underWay)
  let known = found.get(system)
  if (known === undefined) {
    known = []
    found.set(system, known)
  }
  let counted = known.find((other) => same(other.counts, counts))
  if (counted === undefined) {
    counted = { counts, costs: softwareOf(system, fromCounts(system, counts)) }
    known.unshift(counted)
    known.length = Math.min(known.length, KEPT)
  }
  return { ...counted.costs, loanSpanNs: (flow) => underWay.loanSpanNs(flow) }
}

/** Of each flow, and behind those of all flows whether each VM starves. */
const WORDS = 4

function countsOf({ flows, vmCores }: System, underWay: UnderWay): number[] {
  const counts: number[] = new Array(WORDS * flows.length + vmCores.length)
  const flag = (known: boolean | undefined) => (known === false ? 0 : 1)
  flows.forEach((flow, i) => {
    counts[WORDS * i] = underWay.messages(flow)
    counts[WORDS * i + 1] = flag(underWay.waits?.(flow))
    counts[WORDS * i + 2] = flag(underWay.early?.(flow))
    counts[WORDS * i + 3] = flag(underWay.interrupts?.(flow))
  })
  for (let vm = 0; vm < vmCores.length; vm++) counts[WORDS * flows.length + vm] = flag(underWay.starves(vm))
  return counts
}

/** What the counts say and nothing else, so that costs cannot depend on more. */
function fromCounts({ flows }: System, counts: readonly number[]): UnderWay {
  const word = ({ index }: SystemFlow, k: number) => counts[WORDS * index + k]!
  return {
    messages: (flow) => word(flow, 0),
    waits: (flow) => word(flow, 1) > 0,
    early: (flow) => word(flow, 2) > 0,
    interrupts: (flow) => word(flow, 3) > 0,
    starves: (vm) => counts[WORDS * flows.length + vm]! > 0,
    // Nothing is lent.
    handedBackNs: () => 0,
    loanSpanNs: () => 0,
  }
}

function same(some: readonly number[], others: readonly number[]): boolean {
  for (let i = 0; i < some.length; i++) if (some[i] !== others[i]) return false
  return some.length === others.length
}
