/** Times on the command line. In files a number without a unit is nanoseconds; here the unit was most likely forgotten. */
import { parseTime } from '../scenario/index.ts'
import { UsageError } from './terminal.ts'

/** Nanoseconds from 0; throws `UsageError` for what has no unit. */
export function timeFlag(option: string, value: unknown): number {
  if (typeof value !== 'string' || value === '') throw new UsageError(`${option} takes one time, e.g. 100ms`)
  if (Number(value) === 0) return 0
  if (Number.isFinite(Number(value))) {
    throw new UsageError(`${option} ${value}: write a time with its unit, ns, us, ms or s, e.g. ${value}ms`)
  }
  const ns = parseTime(value)
  if (typeof ns !== 'number') throw new UsageError(`${option} ${value} ${ns.message}; ${ns.fix}`)
  return ns
}
