/**
 * From the releases of a trace to the period and jitter that a scenario takes. In a window of length D a flow with period T and jitter J releases at
 * most floor((D + J) / T) + 1 messages. A trace allows many pairs: a longer period needs more jitter,
 *
 *   J(T) = max over i <= j of (j - i) T - (r_j - r_i),
 *
 * which is exact: with nominal releases max(T after the one before, r_k - J) no message comes before its nominal release, and with less jitter
 * r_j would come before i's nominal release and j - i periods. J is convex in T, so that (H / 2 + J) / T, the messages in windows up to H on the
 * average, has one minimum: where the messages that force the jitter lie half of H apart. H is how long the trace is.
 */
import { VirtioError } from '../internal/error.ts'
import type { ReleaseTrace } from './release-trace.ts'

/** A flow that releases what a trace does, and as little more as can be. Times in ns. */
export interface FittedReleases {
  readonly periodNs: number
  readonly jitterNs: number
  /** Of the longest message; null: the trace has no lengths. */
  readonly lengthBytes: number | null
  readonly messages: number
  /** Between releases that follow each other. */
  readonly leastGapNs: number
  readonly longestGapNs: number
  readonly meanGapNs: number
}

/** Throws `VirtioError` TOO_FEW_RELEASES for fewer than two messages: there is no period in one. */
export function fitReleases({ lengthsBytes, timesNs }: ReleaseTrace): FittedReleases {
  const { length: messages } = timesNs
  if (messages < 2)
    throw new VirtioError('TOO_FEW_RELEASES', `a period is between two messages, the trace has ${messages}`)
  const spanNs = timesNs[messages - 1]! - timesNs[0]!
  let leastGapNs = Number.POSITIVE_INFINITY
  let longestGapNs = 0
  for (let k = 1; k < messages; k++) {
    const gapNs = timesNs[k]! - timesNs[k - 1]!
    leastGapNs = Math.min(leastGapNs, gapNs)
    longestGapNs = Math.max(longestGapNs, gapNs)
  }
  // With the least gap there is no jitter; with the span all but the first and the last would be jitter.
  let [low, high] = [leastGapNs, spanNs + 1]
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2)
    if (jitterFor(timesNs, middle).forcedWithinNs <= spanNs / 2) low = middle
    else high = middle
  }
  const periodNs = tighter(timesNs, spanNs, low, Math.min(high, spanNs))
  return {
    periodNs,
    jitterNs: jitterFor(timesNs, periodNs).jitterNs,
    lengthBytes: lengthsBytes === null ? null : lengthsBytes.reduce((most, bytes) => Math.max(most, bytes), 0),
    messages,
    leastGapNs,
    longestGapNs,
    meanGapNs: spanNs / (messages - 1),
  }
}

/** Of two neighbours around the minimum. */
function tighter(timesNs: readonly number[], spanNs: number, a: number, b: number): number {
  const allowed = (periodNs: number) => (spanNs / 2 + jitterFor(timesNs, periodNs).jitterNs) / periodNs
  return allowed(b) < allowed(a) ? b : a
}

/** The least jitter with which a period allows the trace, and how far the two messages are apart that force it. */
export function jitterFor(timesNs: readonly number[], periodNs: number): { jitterNs: number; forcedWithinNs: number } {
  let jitterNs = 0
  let forcedWithinNs = 0
  // The message that is latest against its period so far.
  let latest = 0
  for (let k = 1; k < timesNs.length; k++) {
    const earlierNs = (k - latest) * periodNs - (timesNs[k]! - timesNs[latest]!)
    if (earlierNs > jitterNs) {
      jitterNs = earlierNs
      forcedWithinNs = timesNs[k]! - timesNs[latest]!
    }
    if (earlierNs <= 0) latest = k
  }
  return { jitterNs, forcedWithinNs }
}

/** Most releases of the trace in any window of this length, both ends included. */
export function mostWithin({ timesNs }: ReleaseTrace, windowNs: number): number {
  let most = 0
  for (let from = 0, to = 0; to < timesNs.length; to++) {
    while (timesNs[to]! - timesNs[from]! > windowNs) from++
    most = Math.max(most, to - from + 1)
  }
  return most
}
