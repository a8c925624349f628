/**
 * Which actions an event makes the broker and the board take, at most: docs/prediction.md has the table. From the relay's own
 * counts and batch sizes, so that nothing is written twice; a test holds them against the charges of the simulated machine.
 */
import {
  ANNOUNCE_BATCH,
  COMPLETE_CHARGES,
  EXTEND_BATCH,
  FETCH_BATCH,
  FETCH_CHARGES,
  LOOK_BATCH,
  PAGE_BATCH,
  PIECE_CHARGES,
  REVOKE_BATCH,
  STEP_CHARGES,
  TRANSFER_CHARGES,
} from '../broker/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { DOORBELL_CHARGES, INJECT_BY_IPI_CHARGES, INJECT_CHARGES, INTERRUPT_CHARGES } from '../plan/index.ts'
import { type Charges, CostOp, type CostOpName, chargedNs, sumCharges, timesCharges } from '../platform/index.ts'
import {
  LINE_BYTES,
  MAX_RUN_PAGES,
  moveCharges,
  returnCharges,
  revokeCharges,
  TransferWay,
} from '../zero-copy/index.ts'
import { FoundOn } from './found-on.ts'
import type { System, SystemFlow } from './system.ts'

const NOTHING: Charges = {}
const LINES = PAGE_SIZE / LINE_BYTES
/** Work of a page: it is taken, invalidated, put, and what comes back is scrubbed. */
const UNITS_A_PAGE = 4

/** At worst costs, ns. The dedicated broker has no lock; a throttled core may have to look for interrupts instead of taking them. */
export function worstNs(system: System, charges: Charges): number {
  if (charges === NOTHING) return 0
  return Math.ceil(
    chargedNs(charges, (op: CostOpName) => {
      if (op === 'lockCriticalSection' && system.design === 'dedicated') return 0
      const costNs = system.worst(CostOp[op])
      return op === 'irqEntryAck' && looksForInterrupts(system)
        ? Math.max(costNs, system.worst(CostOp.gicAccess))
        : costNs
    }),
  )
}

/** MemGuard's waiting loop serves the broker. */
export function looksForInterrupts({ scenario, throttles }: System): boolean {
  return throttles.size > 0 && scenario.broker.memguard === 'service'
}

/** Around one piece. Chained pieces share the steps that extend and announce them. */
export function pieceCharges(system: System): Charges {
  return sumCharges(
    PIECE_CHARGES,
    { dmaPerDescriptor: descriptors(system) },
    timesCharges(1 / EXTEND_BATCH + 1 / ANNOUNCE_BATCH, STEP_CHARGES),
  )
}

/**
 * Around one transfer of a message of so many pieces, its pieces apart. `kicks`: receivers kick when they hand buffers back; default, as
 * the scenario says.
 */
export function transferCharges(system: System, pieces: number, kicks = !system.interrupts.suppressRefill): Charges {
  const { chains, design, interrupts, regulator } = system
  const floating = design === 'floating'
  // What is held back is told of once, when it is let go.
  const told = interrupts.coalesceCount === 1 ? INJECT_CHARGES : NOTHING
  return sumCharges(
    TRANSFER_CHARGES,
    INTERRUPT_CHARGES,
    STEP_CHARGES,
    floating ? sumCharges(told, kicks ? REFILL_KICK_CHARGES : NOTHING) : NOTHING,
    // Steps that find the chain's end, of one that is not complete after its first.
    floating && chains && pieces > 1 + EXTEND_BATCH ? timesCharges(3, STEP_CHARGES) : NOTHING,
    // Told by another core than its own.
    system.roams ? INJECT_BY_IPI_CHARGES : NOTHING,
    heldCharges(system),
    // Its tokens may have to be waited for.
    regulator.kind === 'bucket' ? TIMER_CHARGES : NOTHING,
  )
}

/** Around one message, its pieces, transfers and pages apart. `completions`: interrupts that its sender is sent because it gets its buffer back. */
export function messageCharges(system: System, flow: SystemFlow, completions = 1): Charges {
  if (system.design === 'dedicated') return sumCharges(INTERRUPT_CHARGES, FETCH_CHARGES, COMPLETE_CHARGES)
  return sumCharges(
    chainTimerCharges(system, flow),
    DOORBELL_CHARGES,
    // A step that has fetched all that it may is followed by another.
    timesCharges(1 + 1 / FETCH_BATCH, STEP_CHARGES),
    FETCH_CHARGES,
    COMPLETE_CHARGES,
    timesCharges(completions, sumCharges(INTERRUPT_CHARGES, INJECT_CHARGES)),
    // Its receiver's, where another core than its own announces it.
    announcedElsewhere(system) ? INTERRUPT_CHARGES : NOTHING,
    flow.pages === 'copied' ? NOTHING : heldCharges(system),
  )
}

/**
 * A core announces what it has taken in, in one step, unless another VM of its own takes all of the batch; and then any core may. Pages
 * are announced where they are moved.
 */
export function announcedElsewhere(system: System): boolean {
  let elsewhere = elsewhereIn.get(system)
  if (elsewhere === undefined) {
    const { flows, moves, roams, vmCores } = system
    const receivers = new Set(flows.map(({ destination }) => destination))
    const cores = new Set([...receivers].map((vm) => vmCores[vm]))
    elsewhere = moves || roams || cores.size < receivers.size
    elsewhereIn.set(system, elsewhere)
  }
  return elsewhere
}

/** What `announcedElsewhere` has found. */
const elsewhereIn = new FoundOn<System, boolean>()

/** Around one credit update. */
export function controlCharges({ design }: System): Charges {
  const message = sumCharges(FETCH_CHARGES, COMPLETE_CHARGES)
  if (design === 'dedicated') return sumCharges(INTERRUPT_CHARGES, timesCharges(2, message))
  return timesCharges(
    2,
    sumCharges(DOORBELL_CHARGES, timesCharges(2, STEP_CHARGES), message, INTERRUPT_CHARGES, INJECT_CHARGES),
  )
}

/** A timer that finds something to do. */
export const TIMER_CHARGES: Charges = sumCharges(INTERRUPT_CHARGES, STEP_CHARGES)

/**
 * With `memguard: retarget`, in a period: a core is throttled, and another is asked to look for its work; it wakes, and looks for that of
 * others; and the timer that it had set fires after all.
 */
export const TAKE_OVERS = 3

/** A core is asked, by an IPI at most, to look for work in the place of another. */
export const TAKE_OVER_CHARGES: Charges = TIMER_CHARGES

/** Descriptors of one piece: it lies in one page on both sides, unless a driver's buffers do not begin with one. */
function descriptors({ scenario }: System): number {
  return scenario.vms.some(({ buffers }) => buffers === 'unaligned') ? 3 : 1
}

/** The trap with which a receiver hands its buffers back; the dedicated broker's core has no part in it. */
export const REFILL_KICK_CHARGES: Charges = sumCharges(DOORBELL_CHARGES, STEP_CHARGES)

/** A core that lets its guest run while it chains comes back by its timer, for every batch. */
export function chainTimerCharges({ chains }: System, flow: SystemFlow): Charges {
  return chains ? timesCharges(chainTimers(flow), TIMER_CHARGES) : NOTHING
}

/** Times that a message's chain is not complete after a step: never, where its pieces fit into the first. */
export function chainTimers({ pieces }: SystemFlow): number {
  return pieces > 1 + EXTEND_BATCH ? Math.ceil(pieces / EXTEND_BATCH) : 0
}

/** The interrupt that what has arrived waits for, where they are coalesced, may need a timer, and another core. */
export function heldCharges({ design, interrupts }: System): Charges {
  if (interrupts.coalesceCount === 1) return NOTHING
  if (design === 'dedicated') return INTERRUPT_CHARGES
  return sumCharges(TIMER_CHARGES, INTERRUPT_CHARGES, INJECT_CHARGES)
}

// ---- pages that are exchanged or lent

/** Steps that the pages of a message take until it has arrived and what came back is scrubbed. */
export function pageSteps(flow: SystemFlow, pages: number): number {
  // And a head, and a tail.
  return flow.pages !== 'copied' ? Math.ceil((UNITS_A_PAGE * (pages + 1)) / PAGE_BATCH) + 2 : 0
}

/** Runs of so many pages, which no border of a batch makes shorter than that; a page that cannot be moved ends one. */
export function pageRuns(pages: number): number {
  return pages === 0 ? 0 : Math.ceil(pages / MAX_RUN_PAGES) + 1
}

/**
 * Of one message until it has arrived, wherever that runs: of so many of its pages. Runs may end anywhere, so each page has its own
 * invalidations; and each time that the receiver is without buffers (`waits`) ends one.
 */
export function pageCharges(system: System, flow: SystemFlow, pages: number, waits = 0): Charges {
  if (flow.pages === 'copied') return NOTHING
  return sumCharges(
    timesCharges(pages, pageArrivalCharges(system)),
    timesCharges(2 * (pageRuns(pages) + (pages === 0 ? 0 : waits)), { tlbInvalidate: 1, smmuInvalidate: 1 }),
    // Head and tail, each in two pieces at most.
    { copyPerLine: 4 * LINES },
    timesCharges(pageSteps(flow, pages), STEP_CHARGES),
    // What is moved arrives apart from what is left to the DMA, in one buffer more.
    PIECE_CHARGES,
    // It may have to be told to another core, and in parts where the receiver runs out of buffers.
    timesCharges(1 + waits, sumCharges(INTERRUPT_CHARGES, INJECT_CHARGES)),
  )
}

/** Of one page of those, its runs and steps apart. */
function pageArrivalCharges({ lends }: System): Charges {
  const way = lends ? TransferWay.lend : TransferWay.exchange
  return moveCharges({ way, pages: 1, flushPages: Number.POSITIVE_INFINITY, smmu: false }).arrival
}

/**
 * What a page more costs, until it has arrived, at most, with the receive buffer that it takes: of a piece that is copied instead that is counted
 * with the piece. The rest of `pageCharges` does not grow with pages, but by what rounding adds.
 */
export function eachPageCharges(system: System): Charges {
  return sumCharges(
    PIECE_CHARGES,
    pageArrivalCharges(system),
    timesCharges(2 / MAX_RUN_PAGES, { tlbInvalidate: 1, smmuInvalidate: 1 }),
    timesCharges(UNITS_A_PAGE / PAGE_BATCH, STEP_CHARGES),
  )
}

/** What rounding adds to the pages of a message, and a run that ends early. */
export const STEP_AND_RUNS: Charges = sumCharges(STEP_CHARGES, { tlbInvalidate: 4, smmuInvalidate: 4 })

/** Steps that look for lent pages of a message, or revoke them, each of them after a timer if the loan is due. */
export function loanSteps({ lends }: System, pages: number, revokes: boolean): number {
  if (!lends || pages === 0) return 0
  return Math.ceil(pages / LOOK_BATCH) + (revokes ? Math.ceil(pages / REVOKE_BATCH) : 0) + 2
}

/** A core that moves pages comes back from its guests: by their waiting for interrupts, which traps, or by its timer. */
export function restCharges(system: System): Charges {
  const byTrap = sumCharges(DOORBELL_CHARGES, STEP_CHARGES)
  return worstNs(system, byTrap) > worstNs(system, TIMER_CHARGES) ? byTrap : TIMER_CHARGES
}

/**
 * What so many lent pages of a message cost later: each comes back in a batch of its own at worst, or is copied. `revokes`: they may not have
 * been given back in time.
 */
export function loanCharges(system: System, pages: number, revokes: boolean): Charges {
  if (!system.lends || pages === 0) return NOTHING
  return sumCharges(
    returnCharges(pages, pages),
    revokes ? revokeCharges(pages) : NOTHING,
    timesCharges(loanSteps(system, pages, revokes), TIMER_CHARGES),
  )
}

/** What a page more costs then, at most; beside `LOAN_STEPS` for each message, which rounding adds. */
export function eachLoanCharges(revokes: boolean): Charges {
  return sumCharges(
    returnCharges(1, 1),
    revokes ? revokeCharges(1) : NOTHING,
    timesCharges(1 / LOOK_BATCH + (revokes ? 1 / REVOKE_BATCH : 0), TIMER_CHARGES),
  )
}

/** Of a message, however few of its pages are lent. */
export const LOAN_STEPS = 4

/** Lent pages that come back with so many receive buffers, in so many batches. */
export function givenBackCharges({ lends }: System, buffers: number, batches: number): Charges {
  return lends ? returnCharges(buffers, Math.min(buffers, batches)) : NOTHING
}
