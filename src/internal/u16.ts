/** Free-running 16-bit ring indices (virtio 1.4 §2.7.6, §2.7.8) and the event test of §2.7.7 and §2.7.10. */

export const U16_MASK = 0xffff

/** How far `newer` is ahead of `older`, both free-running modulo 2^16. */
export function u16Distance(newer: number, older: number): number {
  return (newer - older) & U16_MASK
}

/**
 * True when an index that moved from `oldIndex` to `newIndex` passed the slot the peer waits for, so that a batch notifies
 * once and wrap-around needs no special case (IMP-VQS-08). `oldIndex === newIndex` means that nothing moved: false.
 */
export function needEvent(event: number, newIndex: number, oldIndex: number): boolean {
  return ((newIndex - event - 1) & U16_MASK) < ((newIndex - oldIndex) & U16_MASK)
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(value) && value > 0 && 2 ** Math.round(Math.log2(value)) === value
}
