/**
 * Saved states are foreign input: they come from a file, another process, another version of this package. Each is plain data
 * that JSON keeps, and says which version of its format it is in.
 */
import { VirtioError } from './error.ts'

/** Of everything that is saved: device, driver, and the models above them. Raised when the shape of any of them changes. */
export const STATE_VERSION = 2

/** Throws `VirtioError` INVALID_STATE unless `state` is an object that this version of the package can read. */
export function requireVersion(what: string, state: unknown): void {
  if (state === null || typeof state !== 'object') refuseState(what, 'it is not an object')
  const { version } = state as { readonly version?: unknown }
  if (version === STATE_VERSION) return
  refuseState(what, `its version is ${String(version)}, this package reads and writes version ${STATE_VERSION}`)
}

export function refuseState(what: string, why: string): never {
  throw new VirtioError('INVALID_STATE', `saved ${what} state: ${why}`)
}

/** For a side of queue `index` that `what` waits to be published on: its state is not what the other side has. */
export function stagedError(what: string, index: number): VirtioError {
  const first = 'publish them (kick(), or publish() of the ring) before saving the state'
  return new VirtioError('NOT_RESTORABLE', `${what} of queue ${index} were added and not published: ${first}`)
}
