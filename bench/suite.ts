/**
 * What a benchmark module exports: `export const suite: BenchSuite`. `main.ts` finds the modules, runs them one after another
 * in one process, and prints what they return. A figure means something only beside another of the same run, so a suite
 * measures its rivals interleaved (A B A B) and reports ratios.
 */
export interface BenchResult {
  /** What was measured, the same for every implementation compared: `device, chain of 2, batch 16`. */
  readonly name: string
  /** Whose code ran: `core`, `friendly`, `v86`. */
  readonly implementation: string
  /** Median over `runs`; the operation is one chain, one event, one message. */
  readonly nsPerOp: number
  readonly opsPerSecond: number
  readonly runs: number
}

/** One claim of the run: a quotient of two medians, or another figure that has a target. */
export interface BenchRatio {
  readonly name: string
  readonly value: number
  /** `x` for a quotient, else a unit such as `bytes/op`. */
  readonly unit: string
  /** What the value should be at least or at most, when something was promised. */
  readonly atLeast?: number
  readonly atMost?: number
}

export interface BenchContext {
  readonly seed: number
  /** Scales the work: 1 for a full run, less for a smoke test. */
  readonly effort: number
  /** A commit to compare with, for suites that can. */
  readonly against: string | undefined
  /** Progress for people; never on stdout. */
  progress(message: string): void
}

export interface BenchSuite {
  readonly name: string
  run(
    context: BenchContext,
  ): Promise<{ readonly results: readonly BenchResult[]; readonly ratios: readonly BenchRatio[] }>
}

/** Builds a row from the nanoseconds per operation of each run. */
export function benchResult(name: string, implementation: string, nsPerOp: readonly number[]): BenchResult {
  const ns = median(nsPerOp)
  return { name, implementation, nsPerOp: ns, opsPerSecond: 1e9 / ns, runs: nsPerOp.length }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
