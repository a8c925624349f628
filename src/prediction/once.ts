/** What of a system does not depend on how long messages are under way is found once, and not in every round of a prediction. */
import { FoundOn } from './found-on.ts'
import type { System } from './system.ts'

const found = new FoundOn<System, Map<string, (number | undefined)[]>>()

/** What is the same for all lengths of messages and all budgets; all else is of a flow, but for `PAGE_STEP`. */
const COMMON = new Set([
  'begin',
  'piece',
  'control',
  'timer',
  'interrupt',
  'kick',
  'rest',
  'take over',
  'transfer',
  'transfer, kicked',
])

/** What one of its pages costs a step of the broker depends on the lengths of all messages. */
export const PAGE_STEP = 'page step'

/**
 * Takes over what is known of a system that differs in lengths of messages, or in the budget, and in nothing else: what is common to
 * both, and what is of a flow that has as many pieces in both, which go the same way.
 */
export function takeOver(system: System, like: System): void {
  const known = found.get(like)
  // Without a regulator a transfer has no timer.
  if (known === undefined || found.has(system) || system.regulator.kind !== like.regulator.kind) return
  const same = system.flows.map(
    ({ pages, pieces }, i) => pieces === like.flows[i]!.pieces && pages === like.flows[i]!.pages,
  )
  const taken = new Map<string, (number | undefined)[]>()
  for (const [what, values] of known) {
    if (COMMON.has(what)) taken.set(what, [...values])
    else if (what !== PAGE_STEP)
      taken.set(
        what,
        values.map((value, i) => (same[i] ? value : undefined)),
      )
  }
  found.set(system, taken)
}

/** `find()`, the first time that `what` is asked for of this very system; `index`: of which flow, or case of it. */
export function onceFor(system: System, what: string, index: number, find: () => number): number {
  let known = found.get(system)
  if (known === undefined) {
    known = new Map()
    found.set(system, known)
  }
  let values = known.get(what)
  if (values === undefined) {
    values = []
    known.set(what, values)
  }
  const value = values[index] ?? find()
  values[index] = value
  return value
}
