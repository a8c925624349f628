/**
 * The analyses as settings of one: every source of tightness is a switch, so that an ablation can name what each one gains. Any
 * combination is sound.
 */
export interface Tightness {
  /** Exact supply with its single blackout, instead of the straight line below it. */
  readonly exactSupply: boolean
  /** Last chunks, blocking chunks and the debt at their true size, instead of a full chunk. */
  readonly trueChunkSizes: boolean
  /** A last chunk that has started is not preempted any more: bound its start, then add it. */
  readonly nonPreemptiveLastChunk: boolean
  /** Software overhead takes time but no budget. */
  readonly overheadUncharged: boolean
  /** Software overhead also delays the exhaustion of the budget: Q'' instead of Q, where that is better. */
  readonly overheadDelaysExhaustion: boolean
  /**
   * What software takes beyond its best in an exhausted period shortens that period's blackout by as much: only the first blackout
   * counts with the best. Adds to `overheadDelaysExhaustion`, where overheads vary, and needs all of h before its chunk.
   */
  readonly overheadHidden: boolean
  /** Flows that are too light to ever exhaust the budget see none. */
  readonly sparedBudget: boolean
}

/** The analyses with a name of their own; A5 is `TIGHTEST`. docs/analysis.md §3 has the table. */
export type AnalysisName = 'A0' | 'A3' | 'A4'

/** Each named analysis as switches. */
export const TIGHTNESS: Readonly<Record<AnalysisName, Tightness>> = {
  /** Reconstructed baseline test: textbook supply, full chunks, software charged to the budget. */
  A0: {
    exactSupply: false,
    trueChunkSizes: false,
    nonPreemptiveLastChunk: false,
    overheadUncharged: false,
    overheadDelaysExhaustion: false,
    overheadHidden: false,
    sparedBudget: false,
  },
  /** Exact supply; true chunks; the last one apart; software beside the budget (Theorem 1). */
  A3: {
    exactSupply: true,
    trueChunkSizes: true,
    nonPreemptiveLastChunk: true,
    overheadUncharged: true,
    overheadDelaysExhaustion: false,
    overheadHidden: false,
    sparedBudget: false,
  },
  /** And software delays exhaustion (Theorems 2 to 4). */
  A4: {
    exactSupply: true,
    trueChunkSizes: true,
    nonPreemptiveLastChunk: true,
    overheadUncharged: true,
    overheadDelaysExhaustion: true,
    overheadHidden: false,
    sparedBudget: false,
  },
}

/** A5: every switch on. For the machine of docs/analysis.md §1 alone; where software of a chunk may run after it, use A4. */
export const TIGHTEST: Tightness = { ...TIGHTNESS.A4, overheadHidden: true, sparedBudget: true }
