/** What of a system does not depend on how long messages are under way is found once, and not in every round of a prediction. */
import type { System } from './predict-system.ts'

const found = new WeakMap<System, Map<string, number>>()

/** `find()`, the first time that `key` is asked for of this very system. */
export function onceFor(system: System, key: string, find: () => number): number {
  let known = found.get(system)
  if (known === undefined) {
    known = new Map()
    found.set(system, known)
  }
  const value = known.get(key) ?? find()
  known.set(key, value)
  return value
}
