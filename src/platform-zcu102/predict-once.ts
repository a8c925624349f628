/** What of a system does not depend on how long messages are under way is found once, and not in every round of a prediction. */
import type { System } from './predict-system.ts'

const found = new WeakMap<System, Map<string, number[]>>()

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
