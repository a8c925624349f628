/** How much the relay does in one step. Whoever bounds its steps, or counts them, takes these. */

/** Chains looked at in one fetch from a transmit queue. */
export const FETCH_BATCH = 8
/** Pieces chained. */
export const EXTEND_BATCH = 16
/** Receive buffers fetched between two looks at the engine: quicker than it copies the piece before them. */
export const CHAIN_BATCH = 4
/** Receive buffers taken from the ring when none is at hand: one, because the DMA waits for it. */
export const FIRST_BUFFERS = 1
/** Used elements written. */
export const ANNOUNCE_BATCH = 16
/** Pages taken, invalidated, put or scrubbed, and pieces copied by CPU. */
export const PAGE_BATCH = 16
/** Longest time, ns, for which the core that moves pages leaves them to its guests. */
export const PAGE_REST_NS = 250_000
/** Receive buffers looked at, of each VM, to find those that bring back what was lent. */
export const LOOK_BATCH = 8
/** Lent pages replaced by copies: those that are due, and those that a VM wants to send on. */
export const REVOKE_BATCH = 4
