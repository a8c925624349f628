/**
 * What a physical frame is to whom (docs/zero-copy.md has the picture). At any time a frame is writable for at most one VM,
 * and every frame is in exactly one of these states.
 */
import { assert } from '../internal/assert.ts'

/** The states of a page frame. */
export const PageState = {
  /** Mapped read-write at one VM; the broker does not know it. */
  owned: 0,
  /** Owned, and held by the broker: part of a queued message, of a receive buffer that it took, or of a ring. */
  offered: 1,
  /** Between two owners: mapped nowhere, its old translations perhaps still in a TLB. */
  inFlight: 2,
  /** Mapped read-only at its owner and read-only at one borrower. */
  lent: 3,
  /** Given back: unmapped from the borrower, not yet writable for its owner. */
  returned: 4,
  /** The borrower's own frame while a lent one stands in its place: mapped nowhere, still the borrower's. */
  displaced: 5,
  /** In the exchange pool, scrubbed. */
  spare: 6,
  /** In the exchange pool, with what its last owner left in it. */
  stale: 7,
} as const

export type PageState = (typeof PageState)[keyof typeof PageState]

const { owned, offered, inFlight, lent, returned, displaced, spare, stale } = PageState

/** From each state, the states that may follow. */
const NEXT: Readonly<Record<PageState, readonly PageState[]>> = {
  [owned]: [offered],
  [offered]: [owned, inFlight, lent, displaced],
  // To its new owner, back to the old one when the exchange is given up, or into the pool.
  [inFlight]: [offered, owned, stale],
  [lent]: [returned],
  [returned]: [offered, owned],
  [displaced]: [offered, owned],
  [spare]: [inFlight],
  [stale]: [spare],
}

const NAMES = Object.keys(PageState)

/** A step that the diagram does not have is our own mistake. */
export function assertTransition(frame: number, from: PageState, to: PageState): void {
  if (!NEXT[from].includes(to)) assert(false, `frame ${frame} cannot go from ${NAMES[from]} to ${NAMES[to]}`)
}
