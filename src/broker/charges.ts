/**
 * What the relay announces for a message, action by action and exactly, when that message is alone under the floating
 * broker: the terms from which predictions build their bounds. A test holds them against the simulated machine.
 */
import { PAGE_SIZE } from '../memory/index.ts'
import { type Charges, sumCharges, timesCharges } from '../platform/index.ts'
import { type MoveCharges, type MoveShape, moveCharges, pageRuns, TransferWay } from '../zero-copy/index.ts'
import {
  ANNOUNCE_BATCH,
  EXTEND_BATCH,
  FETCHED_DESCRIPTORS,
  LOOK_BATCH,
  MESSAGE_DESCRIPTORS,
  PAGE_BATCH,
} from './batches.ts'

/** One step under the lock. */
export const STEP_CHARGES: Charges = { lockCriticalSection: 1 }
/** Fetches that a chain counts for: one, and one for each descriptor beyond those that a fetch covers. */
export function fetchesOf(descriptors: number): number {
  return Math.max(1, 1 + descriptors - FETCHED_DESCRIPTORS)
}

/** Fetches that a message of so many bytes is worth: of a descriptor for each page, beside those that one fetch covers. */
export function fetchesWorth(payloadBytes: number): number {
  return fetchesOf(Math.min(MESSAGE_DESCRIPTORS, FETCHED_DESCRIPTORS + Math.ceil(payloadBytes / PAGE_SIZE)))
}

/** A chain that comes in, of at most as many descriptors as one fetch covers: a message, or a receive buffer. A message goes back to its
 * sender in the end. */
export const FETCH_CHARGES: Charges = { fetchDescriptor: 1 }
/** A message goes back to its sender. */
export const COMPLETE_CHARGES: Charges = { usedRing: 1 }
/** A piece of it, however moved: its receive buffer comes in, and goes back. */
export const PIECE_CHARGES: Charges = { fetchDescriptor: 1, usedRing: 1 }
/** One transfer of the DMA, by which a message moves in one or many. */
export const TRANSFER_CHARGES: Charges = { pick: 1, dmaSetup: 1 }
/** Before the first of them. */
export const FIRST_TRANSFER_CHARGES: Charges = { messageOverhead: 1 }

/** Steps that chain the pieces of a message behind its first, which is started in one of them. */
export function extendSteps(pieces: number): number {
  return Math.max(1, Math.ceil((pieces - 1) / EXTEND_BATCH))
}

/** Steps that announce so many pieces: a step that has done all it may is followed by another. */
export function announceSteps(pieces: number): number {
  return 1 + Math.floor(pieces / ANNOUNCE_BATCH)
}

/** A message that the DMA copies; `chained`: as one transfer, else one for each piece. */
export function copyCharges(pieces: number, chained: boolean): Charges {
  const transfers = chained ? 1 : pieces
  const steps = chained ? extendSteps(pieces) + announceSteps(pieces) : 1 + pieces
  return sumCharges(
    FETCH_CHARGES,
    COMPLETE_CHARGES,
    FIRST_TRANSFER_CHARGES,
    timesCharges(pieces, PIECE_CHARGES),
    timesCharges(transfers, TRANSFER_CHARGES),
    timesCharges(steps, STEP_CHARGES),
  )
}

/** How many steps of the broker it takes to move a message by its pages. */
export interface MoveSteps {
  /** Until the receiver has been told. */
  readonly arrival: number
  /** Further ones, until nothing is left to do; scrubbing for the exchange pool and lent pages apart. */
  readonly later: number
  /** Of those until arrival, the ones behind the first that put a page; and how many of them had passed before a tail was copied. */
  readonly afterPut: number
  readonly afterPutBeforeTail: number
}

/** Receive buffers that a message fills whose pages are moved. */
export function movedPieces({ pages, headBytes = 0, tailBytes = 0 }: MoveShape): number {
  return pages + (headBytes > 0 ? 1 : 0) + (tailBytes > 0 ? 1 : 0)
}

/** Steps of a message whose pages are moved: each takes, invalidates, puts or copies so much and no more. */
export function moveSteps(shape: MoveShape): MoveSteps {
  const { pages, headBytes = 0, tailBytes = 0, flushPages } = shape
  let steps = 0
  let left = 0
  let putAt = 0
  const spend = (units: number) => {
    for (let more = units; more > 0; ) {
      if (left === 0) {
        steps++
        left = PAGE_BATCH
      }
      const now = Math.min(more, left)
      left -= now
      more -= now
    }
  }
  if (headBytes > 0) spend(1)
  for (const run of pageRuns(pages)) {
    spend(run)
    // All translations at once are a batch of work, or what is left of one.
    spend(run < flushPages ? run : Math.min(run, left === 0 ? PAGE_BATCH : left))
    if (putAt === 0) putAt = left === 0 ? steps + 1 : steps
    spend(run)
  }
  if (tailBytes > 0) spend(1)
  const afterPutBeforeTail = steps - putAt
  const pieces = movedPieces(shape)
  const arrival = steps - 1 + Math.ceil(pieces / ANNOUNCE_BATCH)
  const later = steps + Math.max(announceSteps(pieces) - 1, left === 0 ? 1 : 0) - arrival
  return { arrival, later, afterPut: arrival - putAt, afterPutBeforeTail }
}

/**
 * A message whose pages are exchanged or lent. Once a page is lent, every step looks at a batch of receive buffers, which are then
 * at hand: a tail needs no other, nor does the next message. Steps that look for nothing else, and what comes with pages that are
 * given back, are not in `later`: they depend on what the receiver has posted.
 */
export function movedMessageCharges(shape: MoveShape): MoveCharges {
  const { arrival, later } = moveCharges(shape)
  const steps = moveSteps(shape)
  const looked = shape.way === TransferWay.lend ? LOOK_BATCH * steps.afterPut : 0
  const ahead = looked > 0 && (shape.tailBytes ?? 0) > 0 && steps.afterPutBeforeTail > 0 ? looked - 1 : looked
  return {
    arrival: sumCharges(
      arrival,
      FETCH_CHARGES,
      timesCharges(movedPieces(shape), PIECE_CHARGES),
      timesCharges(ahead, FETCH_CHARGES),
      timesCharges(steps.arrival, STEP_CHARGES),
    ),
    later: sumCharges(later, COMPLETE_CHARGES, timesCharges(steps.later, STEP_CHARGES)),
  }
}
