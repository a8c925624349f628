/**
 * Time and chance of a machine that runs the same every time: where v86 asks the host, a machine's own clock and generator answer for
 * as long as that machine runs, and the host's do otherwise.
 */

/** What a machine has instead of the host's. */
export interface TimeAndChance {
  readonly nowMs: () => number
  /** 32 bits, signed. */
  readonly random: () => number
}

/** Calls `run` with Date.now and Math.random replaced. Synchronous: nobody else sees it. */
export function withTimeAndChance<T>({ nowMs, random }: TimeAndChance, run: () => T): T {
  const { now } = Date
  const { random: hostRandom } = Math
  Date.now = nowMs
  Math.random = () => (random() >>> 0) / 2 ** 32
  try {
    return run()
  } finally {
    Date.now = now
    Math.random = hostRandom
  }
}

/** Mulberry32: as good as a guest's clock jitter has to be, and no cryptography. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return (value ^ (value >>> 14)) | 0
  }
}
