import { failureOf, notAsync } from '../answers.ts'
import { TargetGone } from './bounded-call.ts'
import { ExhibitFailure, NotShown } from './exhibit.ts'
import { isEndless, type WatchedMemory } from './watched-memory.ts'

/** Calls the target over `ram`: an exception, a loop without an end, or the end of its process, is a failure of `what`. */
export function callTarget<T>(ram: WatchedMemory, what: string, action: () => T): T {
  try {
    return notAsync(what, ram.call(action))
  } catch (cause) {
    if (cause instanceof ExhibitFailure || cause instanceof NotShown) throw cause
    if (isEndless(cause)) throw new ExhibitFailure(`${what} does not end: ${(cause as Error).message}`, { cause })
    if (cause instanceof TargetGone) throw new ExhibitFailure(`${what}: ${cause.message}`, { cause })
    throw new ExhibitFailure(failureOf(what, cause), { cause })
  }
}
