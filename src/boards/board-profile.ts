/**
 * A board as data: every figure with where it comes from. READ: seen in a public source. RECALLED: common knowledge,
 * unchecked. DERIVED: computed from others. ASSUMED: a placeholder, to be calibrated. MEASURED: on the board, by whoever wrote
 * the calibration file; the built-in boards have none.
 */
import type { CostOpName } from '../platform/index.ts'
import type { RateControl } from './rate-control.ts'

export const STATUSES = ['READ', 'RECALLED', 'DERIVED', 'ASSUMED', 'MEASURED'] as const

/** A figure with its provenance. */
export interface Fact<T> {
  readonly value: T
  /** Has one of `STATUSES` in it; may say which part of the value is which. */
  readonly status: string
  readonly source: string
}

export function fact<T>(value: T, status: string, source: string): Fact<T> {
  return { value, status, source }
}

/** Best, typical and worst cost of one action in ns. */
export type CostTriple = readonly [best: number, typical: number, worst: number]

/** What a board is, in words: for the reader, nothing is computed from it. */
export const HARDWARE = ['processor', 'caches', 'interruptController', 'dma', 'dmaRegulation'] as const

/** A board: its hardware, its figures and the costs of its actions, each with where it comes from. */
export interface BoardProfile {
  readonly name: string
  readonly title: string
  readonly hardware: Readonly<Record<(typeof HARDWARE)[number], Fact<string>>>
  readonly cores: Fact<number>
  readonly cpuHz: Fact<number>
  readonly pageColors: Fact<number>
  /** List registers of the GIC's virtual interface: virtual interrupts that can be pending without a maintenance interrupt. */
  readonly listRegisters: Fact<number>
  /** Memory-to-memory copy rate of one DMA channel, bytes/ns. */
  readonly dmaBytesPerNs: Fact<number>
  /** What the wire cannot exceed, bytes/ns. */
  readonly dmaWireBytesPerNs: Fact<number>
  /** Rate control of a channel; absent where the DMA has none. */
  readonly dmaRateControl?: Fact<RateControl>
  /** Pieces that the engine has fetched beyond the one it moves: PAUSE reaches the first that it has not. */
  readonly dmaPrefetchedPieces: Fact<number>
  readonly costsNs: Readonly<Record<CostOpName, Fact<CostTriple>>>
}
