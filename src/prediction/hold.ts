/**
 * The longest hold of the lock whatever guests do: a step of the broker with each of its batches (src/broker/batches.ts) full of the most
 * expensive things that a guest can put into it, whether a flow declares them or not. docs/prediction.md §4 has the lemma.
 */
import {
  ANNOUNCE_BATCH,
  DROP_BATCH,
  EXTEND_BATCH,
  FETCH_BATCH,
  fetchesOf,
  LOOK_BATCH,
  MESSAGE_DESCRIPTORS,
  PAGE_BATCH,
  RECEIVE_BYTES,
  RECEIVE_EXTENTS,
  REVOKE_BATCH,
  USELESS_BATCH,
} from '../broker/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { type Charges, sumCharges, timesCharges } from '../platform/index.ts'
import { LINE_BYTES, returnCharges, revokeCharges } from '../zero-copy/index.ts'
import { worstNs } from './charges.ts'
import { onceFor } from './once.ts'
import type { System } from './system.ts'

const LINES = PAGE_SIZE / LINE_BYTES
/** A chain is fetched as a whole: a batch that has room for one fetch may end with one of these. */
const LONGEST_MESSAGE = fetchesOf(MESSAGE_DESCRIPTORS)
const LONGEST_BUFFER = fetchesOf(RECEIVE_EXTENTS)
/** Lent pages that one receive buffer brings back: each of its extents may begin and end within one. */
const MOST_RETURNED = RECEIVE_BYTES / PAGE_SIZE + 2 * RECEIVE_EXTENTS
/** Invalidations of a run of one page, which is taken, invalidated and put: a batch has so many such runs, and parts of two more. */
const SHORTEST_RUNS = Math.ceil(PAGE_BATCH / 3) + 2

/** Longest step under the lock, or of the dedicated broker, which serves all VMs in one; ns. */
export function longestHoldNs(system: System): number {
  return onceFor(system, 'hold', 0, () => worstNs(system, holdCharges(system)))
}

/** What one step is charged at most. */
export function holdCharges(system: System): Charges {
  const { chains, cores, design, lends, moves, vmCores } = system
  const floating = design === 'floating'
  const vms = vmCores.length
  // A step serves one doorbell or one reset; the dedicated broker's serves those of all VMs.
  const served = floating ? 1 : vms
  // A VM whose first buffer is taken, and buffers before it that go back; in batches that take several, what the last one is more than asked for.
  const chained = chains ? EXTEND_BATCH : 0
  const looked = lends ? vms * (LOOK_BATCH + LONGEST_BUFFER - 1) : 0
  const useless = USELESS_BATCH + LONGEST_BUFFER - 1
  const firsts = vms * (EXTEND_BATCH + LONGEST_BUFFER)
  const taken = firsts + (chained > 0 ? chained + LONGEST_BUFFER - 1 : 0) + PAGE_BATCH + LONGEST_BUFFER - 1 + looked
  const fetched = served * (FETCH_BATCH - 1 + LONGEST_MESSAGE) + vms * useless + taken
  // Pages that come back with buffers: each counts as a fetch, but for those of the last buffer of a batch. Every call may be a batch.
  const calls = 2 * vms + chained + PAGE_BATCH
  const returned = lends ? taken + calls * MOST_RETURNED : 0
  // Once as a batch of those that are due, for a message that is to be sent on, and of a VM that leaves.
  const revoked = lends ? (1 + 2 * served) * REVOKE_BATCH : 0
  const vmsACore = Math.max(...cores.map((core) => vmCores.filter((other) => other === core).length))
  const ended = served * Math.max(FETCH_BATCH, DROP_BATCH) + DROP_BATCH + 2 * ANNOUNCE_BATCH
  return sumCharges(
    {
      lockCriticalSection: 1,
      fetchDescriptor: fetched,
      pick: 1,
      messageOverhead: 1,
      dmaSetup: 1,
      // Messages refused, dropped, announced and complete; useless buffers; messages of which the last lent page came back.
      usedRing: ended + vms * (USELESS_BATCH + 1) + returned + revoked,
      // Each VM of the core that runs it, once.
      injectListRegister: floating ? vmsACore : 0,
    },
    moves ? pageBatchCharges(system) : {},
    lends ? returnCharges(returned + revoked, calls + 1 + 2 * served) : {},
    lends ? revokeCharges(revoked) : {},
  )
}

/** A batch of page work, and pages of messages that are given up. */
function pageBatchCharges({ lends }: System): Charges {
  return sumCharges(
    timesCharges(PAGE_BATCH, { pteUpdate: 2, tlbInvalidate: 2 }),
    // Head or tail of a message, or, where pages are exchanged, wiping what goes back.
    { copyPerLine: PAGE_BATCH * LINES, cacheCleanPerLine: lends ? 0 : PAGE_BATCH * LINES },
    timesCharges(SHORTEST_RUNS, { smmuInvalidate: 2, tlbInvalidate: 2 }),
    timesCharges(2 * DROP_BATCH, { pteUpdate: 2 }),
  )
}
