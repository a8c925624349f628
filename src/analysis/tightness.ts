/**
 * The three analyses as settings of one: every source of tightness is a switch, so that an ablation can name what each one
 * gains. Any combination is sound.
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
}

export type AnalysisName = 'A0' | 'A3' | 'A4'

export const TIGHTNESS: Readonly<Record<AnalysisName, Tightness>> = {
  /** Reconstructed baseline test. */
  A0: {
    exactSupply: false,
    trueChunkSizes: false,
    nonPreemptiveLastChunk: false,
    overheadUncharged: false,
    overheadDelaysExhaustion: false,
  },
  A3: {
    exactSupply: true,
    trueChunkSizes: true,
    nonPreemptiveLastChunk: true,
    overheadUncharged: true,
    overheadDelaysExhaustion: false,
  },
  A4: {
    exactSupply: true,
    trueChunkSizes: true,
    nonPreemptiveLastChunk: true,
    overheadUncharged: true,
    overheadDelaysExhaustion: true,
  },
}
