/**
 * Flows that release each other: which flows a message's arrival starts a computation for, and how long the chains that they
 * make take from end to end. The k-th message of a flow is released by the k-th arrival of the one before, because flows are
 * FIFO and so are the computations of a core; so the k-th message of a chain is the k-th of each of its flows.
 */
import type { Scenario } from '../scenario/index.ts'
import { FlowLedger } from './message-ledger.ts'

/** Most flows have nothing before or after them: all of those share it. */
const NOTHING: readonly never[] = []

export class Hops {
  /** By chain. Its messages carry no bytes of their own: each hop's are checked by its flow. */
  readonly ledgers: readonly FlowLedger[]
  /** By flow: the flows that come after it, the chains that start with it and those that end with it. */
  readonly #after: readonly (readonly number[])[]
  readonly #starts: readonly (readonly FlowLedger[])[]
  readonly #ends: readonly (readonly FlowLedger[])[]

  constructor({ flows, chains }: Scenario) {
    this.ledgers = chains.map((chain) => new FlowLedger(chain.deadlineNs))
    const ofChains = (place: number) =>
      byKey(chains.map((chain, index) => [chain.flows.at(place), this.ledgers[index]!]))
    const of = <T>(found: ReadonlyMap<string, readonly T[]>) => flows.map(({ name }) => found.get(name) ?? NOTHING)
    this.#after = of(byKey(flows.map(({ after }, index) => [after, index])))
    this.#starts = of(ofChains(0))
    this.#ends = of(ofChains(-1))
  }

  /** A message of `flow` was released. */
  released(flow: number, nowNs: number): void {
    for (const ledger of this.#starts[flow]!) {
      ledger.release(nowNs)
      ledger.send('')
    }
  }

  /** The next message of `flow` has arrived. Returns the flows that this releases. */
  arrived(flow: number, nowNs: number): readonly number[] {
    for (const ledger of this.#ends[flow]!) ledger.deliver(nowNs, '')
    return this.#after[flow]!
  }
}

/** The values of each key, in their order; those of no key are left out. */
function byKey<T>(entries: readonly (readonly [string | null | undefined, T])[]): Map<string, T[]> {
  const found = new Map<string, T[]>()
  for (const [key, value] of entries) {
    if (key == null) continue
    const values = found.get(key)
    if (values === undefined) found.set(key, [value])
    else values.push(value)
  }
  return found
}
