/** A buffer of guest memory that was taken away: its bytes are gone for both sides, and nobody may go on as if nothing had happened. */
import { VirtioError } from '../internal/error.ts'

/** What either side says of it. */
export function memoryDetached(): VirtioError {
  return new VirtioError('MEMORY_DETACHED', 'a buffer of the guest memory was detached: call GuestMemory.rebind')
}
