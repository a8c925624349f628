/**
 * Messages of which some pages are moved and the rest is copied: as many as nothing stands in the way of. A page that is moved is not copied,
 * so that of each message only the dearer of the two is in a window (docs/prediction.md §3, "Either way").
 */
import { PAGE_SIZE } from '../memory/index.ts'
import { sumCharges, timesCharges } from '../platform/index.ts'
import {
  eachLoanCharges,
  eachPageCharges,
  LOAN_STEPS,
  pageCharges,
  STEP_AND_RUNS,
  TIMER_CHARGES,
  worstNs,
} from './charges.ts'
import type { SoftwareCosts } from './software.ts'
import type { System, SystemFlow } from './system.ts'

export interface Tried {
  /** Of one message, what its pages cost until they have arrived, beside the pieces of all of it. */
  readonly pagesNs: number
  /** What is counted more than once where pages and pieces are in one window, with the DMA's time of these and the loans of those. */
  readonly twiceNs: number
}

export function triedOf(system: System, software: SoftwareCosts, flow: SystemFlow): Tried {
  const allNs = software.pagesNs(flow)
  const pages = software.pages(flow)
  if (flow.pages !== 'tried') return { pagesNs: allNs, twiceNs: 0 }
  const { chunkBytes, fullPieceNs } = system
  // Of m pages that are moved, m·PAGE/chunk - 1 pieces at least are not copied; one of them may be short.
  const piecesAPage = PAGE_SIZE / chunkBytes
  const waits = software.waits(flow)
  const pieceNs = software.pieceNs + (software.byPiece ? software.transfer(flow) : 0)
  const fixedNs =
    worstNs(system, sumCharges(pageCharges(system, flow, 0, waits), timesCharges(1 + waits, STEP_AND_RUNS))) + pieceNs
  const eachNs = worstNs(system, eachPageCharges(system))
  const pagesNs = Math.min(allNs, fixedNs + pages * Math.max(0, eachNs - piecesAPage * pieceNs))
  const loanNs = software.loan(flow)
  const eachLoanNs = loanNs === 0 ? 0 : eachLoanNsOf(system, software, flow)
  const loanStepsNs = loanNs === 0 ? 0 : LOAN_STEPS * worstNs(system, TIMER_CHARGES)
  const onceNs =
    fixedNs +
    2 * fullPieceNs +
    loanStepsNs +
    pages * Math.max(0, eachNs + eachLoanNs - piecesAPage * (pieceNs + fullPieceNs))
  return { pagesNs, twiceNs: Math.max(0, pagesNs + loanNs - onceNs) }
}

/** Of a page that comes back. */
export function eachLoanNsOf(system: System, software: SoftwareCosts, flow: SystemFlow): number {
  return worstNs(system, eachLoanCharges(software.revokes(flow)))
}
