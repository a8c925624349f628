/**
 * Moving bytes between two views. The engine's calls take tens of nanoseconds before the first byte moves, so small copies are
 * loops. Measured on Node 20 (a loop takes 1.3 ns a byte, `copyWithin` 17 ns to 512 bytes, `set(subarray)` 42 ns to 1 KiB; shared
 * memory is as fast below 512 bytes, and half as fast from 4 KiB on), hence the two borders.
 */

/** At and below: a byte loop instead of `copyWithin`, of `set`. */
const LOOP_WITHIN = 12
const LOOP_BETWEEN = 32

/** Copies `length` bytes; both ranges must lie inside their arrays. Ranges that overlap in one array are copied as if at once. */
export function copyBytes(
  target: Uint8Array,
  targetOffset: number,
  source: Uint8Array,
  sourceOffset: number,
  length: number,
): void {
  if (target === source) {
    if (length > LOOP_WITHIN || overlaps(targetOffset, sourceOffset, length)) {
      target.copyWithin(targetOffset, sourceOffset, sourceOffset + length)
      return
    }
  } else if (length > LOOP_BETWEEN) {
    // All of it, as headers are, needs no view.
    const isWhole = length === source.length
    target.set(isWhole ? source : source.subarray(sourceOffset, sourceOffset + length), targetOffset)
    return
  }
  for (let i = 0; i < length; i++) target[targetOffset + i] = source[sourceOffset + i]!
}

function overlaps(a: number, b: number, length: number): boolean {
  return a < b + length && b < a + length
}
