/**
 * How much the relay does in one step. Whoever bounds its steps, or counts them, takes these. What a guest may name in one chain is
 * bounded too: a step ends between chains, never in one.
 */
import { PAGE_SIZE } from '../memory/index.ts'

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
/** Of a VM that is gone or out of reach: messages ended, pages given back to where they were, buffers let go. */
export const DROP_BATCH = 8
/** A VM that made the broker work for nothing rests for a period of its most frequent flow, and at most so long, ns. */
export const LONGEST_REST_NS = 10_000_000
/** Fetches, of each VM, for receive buffers that go back empty because nothing can be received into them; none is begun beyond them. */
export const USELESS_BATCH = 4
/** Descriptors that one fetch covers, a cache line of them; each further one of a chain is charged, and counted, as a fetch. */
export const FETCHED_DESCRIPTORS = 4
/** Extents that a receive buffer may consist of; one with more goes back empty. */
export const RECEIVE_EXTENTS = 3
/** So many extents of a message that follow each other hold at least a page together, or the message is refused. */
export const EXTENTS_PER_PAGE = 16
/** Descriptors of one message: a chain is looked at as a whole, in one step. As many as Linux' vsock needs for a packet of 17 fragments, and one more. */
export const MESSAGE_DESCRIPTORS = 20
/** Bytes of one receive buffer. */
export const RECEIVE_BYTES = 16 * PAGE_SIZE
