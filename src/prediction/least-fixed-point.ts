/** Busy windows: how long until all that can be in a window has been done. */

/** A window that grows beyond this has no end. */
export const LIMIT_NS = 2 ** 42

/**
 * Least t > 0 with t = f(t) for an f that never falls; Infinity beyond any window that matters. `fromNs`: a time that is known not to be
 * above it. Where f shows that it is, it is not used.
 */
export function leastFixedPoint(f: (windowNs: number) => number, fromNs = 0): number {
  let windowNs = fromNs
  for (;;) {
    // Counts may be shares of one.
    const nextNs = Math.ceil(f(windowNs))
    if (nextNs < windowNs && windowNs === fromNs) return leastFixedPoint(f)
    if (nextNs <= windowNs) return windowNs
    if (nextNs > LIMIT_NS) return Number.POSITIVE_INFINITY
    windowNs = nextNs
  }
}

/**
 * Solutions of one round of a prediction, from which those of the next start: there every window has as much in it or more, so that no
 * solution is below that of the round before. Also from one scenario to another that has as much or more of everything.
 */
export class Starts {
  readonly #known = new Map<string, number[]>()

  /** The least fixed point of `f`, which is the one `what` of flow `index`. */
  solve(what: string, index: number, f: (windowNs: number) => number): number {
    let known = this.#known.get(what)
    if (known === undefined) {
      known = []
      this.#known.set(what, known)
    }
    const solvedNs = leastFixedPoint(f, known[index] ?? 0)
    if (solvedNs < Number.POSITIVE_INFINITY) known[index] = solvedNs
    return solvedNs
  }

  copy(): Starts {
    const copy = new Starts()
    for (const [what, known] of this.#known) copy.#known.set(what, [...known])
    return copy
  }
}
