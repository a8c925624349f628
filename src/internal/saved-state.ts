/**
 * Saved states are foreign input: they come from a file, another process, another version of this package. Each is plain data
 * that JSON keeps, and says which version of its format it is in.
 */
import { VirtioError } from './error.ts'

/** Of everything that is saved: device, driver, and the models above them. Raised when the shape of any of them changes. */
export const STATE_VERSION = 1

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
