/** Busy windows: how long until all that can be in a window has been done. */

/** A window that grows beyond this has no end. */
export const LIMIT_NS = 2 ** 42

/** Least t > 0 with t = f(t) for an f that never falls; Infinity beyond any window that matters. */
export function leastFixedPoint(f: (windowNs: number) => number): number {
  let windowNs = 0
  for (;;) {
    const nextNs = f(windowNs)
    if (nextNs <= windowNs) return windowNs
    if (nextNs > LIMIT_NS) return Number.POSITIVE_INFINITY
    windowNs = nextNs
  }
}
