import { ExhibitFailure, NotShown } from './exhibit.ts'
import { isEndless, type WatchedMemory } from './watched-memory.ts'

/** Calls the target over `ram`: an exception, or a loop without an end, is a failure of `what`. */
export function callTarget<T>(ram: WatchedMemory, what: string, action: () => T): T {
  try {
    return ram.call(action)
  } catch (error) {
    if (error instanceof ExhibitFailure || error instanceof NotShown) throw error
    if (isEndless(error)) throw new ExhibitFailure(`${what} does not end: ${(error as Error).message}`)
    throw new ExhibitFailure(`${what} threw ${error}`)
  }
}
