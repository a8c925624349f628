/** One completion, as a driver side finds it; caller-owned and reused. */
export class UsedBuffer {
  /** The head that `add` returned. */
  id = -1
  /** How much the device says it wrote: at most the chain's writable bytes. What lies behind means nothing (VQS-USED-DRV-01). */
  writtenBytes = 0
}
