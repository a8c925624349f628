/**
 * What software an event makes run, in worst-case ns: every action that the broker and the board charge (`CostOp`), summed
 * over the events of a piece, of a transfer, of a message. docs/prediction.md has the table; a test holds the counts against
 * the charges of the simulated machine.
 */
import {
  ANNOUNCE_BATCH,
  CHAIN_BATCH,
  EXTEND_BATCH,
  FETCH_BATCH,
  FIRST_BUFFERS,
  FIRST_TRANSFER_CHARGES,
  LOOK_BATCH,
  TRANSFER_CHARGES,
} from '../broker/index.ts'
import { receiveBuffersOf, TRANSMIT_QUEUE_SIZE } from '../plan/index.ts'
import { CostOp, sumCharges, timesCharges } from '../platform/index.ts'
import { foreignMessageNs, isForeign, isWithheld, maskedNs, withheldTransfers } from './against.ts'
import {
  announcedElsewhere,
  controlCharges,
  givenBackCharges,
  loanCharges,
  loanSteps,
  looksForInterrupts,
  messageCharges,
  pageCharges,
  pieceCharges,
  REFILL_KICK_CHARGES,
  TIMER_CHARGES,
  transferCharges,
  worstNs,
} from './charges.ts'
import { postedBuffers } from './obstacles.ts'
import { onceFor } from './once.ts'
import { pageStepBuffers, pageStepNs } from './pages.ts'
import { MOST_UNDER_WAY, type System, type SystemFlow } from './system.ts'

export interface SoftwareCosts {
  /** Costs with the same of these are the same, but for `loanSpanNs`. */
  readonly events: object
  /** w: longest time that the lock is held; without a lock, the longest step of the dedicated broker. */
  readonly stepNs: number
  /** What a step spends to start a transfer, besides its pieces. */
  readonly beginNs: number
  /** Around a piece, a transfer and a message, wherever it runs. None contains another. */
  readonly pieceNs: number
  readonly transferNs: number
  readonly transfer: (flow: SystemFlow) => number
  readonly message: (flow: SystemFlow) => number
  /** Most of its pages that are moved, and what that costs until they have arrived; the second is in `message`. */
  readonly pages: (flow: SystemFlow) => number
  readonly pagesNs: (flow: SystemFlow) => number
  /** Bringing the lent pages of a message back, after it has been read. */
  readonly loan: (flow: SystemFlow) => number
  readonly loanSteps: (flow: SystemFlow) => number
  /** They may not have been given back when the loan is due, and are copied then. */
  readonly revokes: (flow: SystemFlow) => boolean
  /** From nominal release until they are back. */
  readonly loanSpanNs: (flow: SystemFlow) => number
  /** Around one credit update. */
  readonly controlNs: number
  /** A timer that finds budget again. */
  readonly timerNs: number
  /** What of the software around a piece surely passes before it is chosen, and after, at best. */
  readonly bestBeforeChoiceNs: number
  readonly bestAfterChoiceNs: number
  /** A transfer can be of one piece, whatever its message: what belongs to a transfer belongs to each piece then. */
  readonly byPiece: boolean
  /** Transfers that a message takes when nothing interrupts it. */
  readonly transfers: (flow: SystemFlow) => number
  /** Interrupts of the sender because a message's buffer comes back. */
  readonly completions: (flow: SystemFlow) => number
  /** Timers of a message that is held back, because it comes early. */
  readonly earlyTimers: (flow: SystemFlow) => number
  /** Times that a message uses up the budget of the DMA, on average; and how often more than that in any window. */
  readonly exhaustions: (flow: SystemFlow) => number
  readonly exhaustionsOnce: number
  /** Timers that each of these takes, until there is budget again; and the transfers that it makes more. */
  readonly timersAnExhaustion: number
  readonly transfersAnExhaustion: number
  /** Transfers that a message takes more whenever its chain is interrupted. */
  readonly transfersABreak: number
  /** Transfers that other messages take more because of one of this flow, which interrupts them. */
  readonly restarts: (flow: SystemFlow) => number
  /** Times that a message waits for receive buffers. */
  readonly waits: (flow: SystemFlow) => number
  /** Such times that belong to no message, in any window; and the transfers more that they make. */
  readonly waitsOnce: number
  readonly restartsOnce: number
  /** The trap with which a receiver hands its buffers back, of any flow, and of one; 0: it does not. */
  readonly refillKickNs: number
  readonly refillKick: (flow: SystemFlow) => number
  /** Receive buffers taken before anybody needs them. */
  readonly surplusNs: number
}

/** How long messages are under way, and after that their lent pages; both as far as the prediction has come. */
export interface UnderWay {
  /** Messages of a flow that can be between its guests at once. */
  messages(flow: SystemFlow): number
  /** From nominal release until the receiver has handed the message's buffers back, ns. */
  handedBackNs(flow: SystemFlow): number
  /** From nominal release until nothing of the message is lent any more, ns. */
  loanSpanNs(flow: SystemFlow): number
  /** The VM can be without receive buffers while messages wait for some. */
  starves(vm: number): boolean
  /** Its sender may wait for one of its buffers. Default: it may. */
  waits?(flow: SystemFlow): boolean
  /** A message of it may come early, because one before it was late. Default: it may. */
  early?(flow: SystemFlow): boolean
  /** A message of it may interrupt the chain of another. Default: it may. */
  interrupts?(flow: SystemFlow): boolean
}

/** A sender that reclaims lazily and waits for no buffer is interrupted after three quarters of half a ring, or more. */
const LEAST_RECLAIMED = Math.floor((3 * TRANSMIT_QUEUE_SIZE) / 8)
/** What was copied before a window may exhaust the budget in it, as may a debt, and what is copied may do so in a period that has just begun. */
const EXHAUSTIONS_ONCE = 3
/**
 * A chain takes no more than is in the account when it grows, also if a refill comes while it is copied; of what is in the account then, what
 * was copied since the refill is missing. So two chains after each other have a whole budget, and one may have nearly nothing of it.
 */
const BREAKS_AN_EXHAUSTION = 2

/** w, however long messages are under way: a sender has only so many buffers. */
export function longestStepNs(system: System): number {
  return stepNs(system, {
    messages: () => MOST_UNDER_WAY,
    handedBackNs: () => 0,
    loanSpanNs: () => 0,
    starves: () => true,
  })
}

export function softwareOf(system: System, underWay: UnderWay): SoftwareCosts {
  const { best, chains, design, scenario } = system
  const { lentPages } = scenario.broker
  const floating = design === 'floating'
  // A throttled core that looks for interrupts takes no exception for them.
  const interruptBestNs = looksForInterrupts(system) ? best(CostOp.gicAccess) : best(CostOp.irqEntryAck)
  // A loan is due a period after it began, which is after the release, and what was handed back by then is found.
  const revokes = (flow: SystemFlow) =>
    system.lends && (underWay.handedBackNs(flow) > flow.periodNs || isForeign(system, flow))
  const starves = (flow: SystemFlow) => underWay.starves(flow.destination) || isWithheld(system, flow)
  // A message that has waited for buffers goes on with enough for a transfer, if it is only others that may keep them back.
  const parts = (flow: SystemFlow) =>
    chains && !underWay.starves(flow.destination) ? withheldTransfers(system, flow) : flow.pieces
  // Who is starved is told of every refill.
  // And of what brings back the pages that a sender waits for.
  const watched = new Set(
    system.flows
      .filter((flow) => system.lends && flow.movable > 0 && underWay.waits?.(flow) !== false)
      .map(({ destination }) => destination),
  )
  const told = (flow: SystemFlow) => starves(flow) || !system.interrupts.suppressRefill || watched.has(flow.destination)
  // What comes of a kick of one that keeps buffers back is with its transfers: the trap is its own.
  const kicks = (flow: SystemFlow) => told(flow) && !isWithheld(system, flow)
  const growth = growthOf(system)
  // Asked for in every window, so found once.
  const ofFlow = (find: (flow: SystemFlow) => number) => {
    const found = system.flows.map(find)
    return (flow: SystemFlow) => found[flow.index]!
  }
  const receivers = [...new Set(system.flows.map(({ destination }) => destination))]
  // Of one that only keeps buffers back, all but that it has run out of them before are with its messages.
  const withholds = (vm: number) => system.against?.vms.has(vm) ?? false
  const waitsOnce = receivers.reduce((sum, vm) => sum + (underWay.starves(vm) ? WAITS_ONCE : withholds(vm) ? 1 : 0), 0)
  const waits = ofFlow((flow) => (starves(flow) ? waitsOf(system, flow) : 0))
  // A message is copied from the page on for which its receiver has borrowed enough. What it is told of in parts it may have given back.
  const pages = ofFlow((flow) => (system.lends && !starves(flow) ? Math.min(flow.movable, lentPages) : flow.movable))
  const pagesNs = ofFlow((flow) =>
    onceFor(system, `${pages(flow)} pages, ${waits(flow)} waits, ${told(flow)}`, flow.index, () =>
      worstNs(
        system,
        sumCharges(
          pageCharges(system, flow, pages(flow), waits(flow)),
          // What is moved is handed back in parts as it was told of.
          timesCharges(told(flow) && flow.pages !== 'copied' ? 1 + waits(flow) : 0, REFILL_KICK_CHARGES),
        ),
      ),
    ),
  )
  const { regulator } = system
  const blacksOut = regulator.kind === 'budget' && regulator.budgetNs < regulator.periodNs
  const transfer = ofFlow((flow) =>
    // All long messages are alike, and all short ones.
    onceFor(
      system,
      kicks(flow) ? 'transfer, kicked' : isWithheld(system, flow) ? 'transfer, withheld' : 'transfer',
      flow.pieces > 1 + EXTEND_BATCH ? 1 : 0,
      () => worstNs(system, transferCharges(system, flow.pieces, kicks(flow))) + maskedNs(system, flow),
    ),
  )
  const completions = (flow: SystemFlow) =>
    system.interrupts.lazyReclaim && underWay.waits?.(flow) === false ? 1 / LEAST_RECLAIMED : 1
  const transfersABreak = chains ? (growth === 'prompt' || growth === 'none' ? 1 : 2) : 0
  return {
    events: {},
    stepNs: system.against?.holdNs ?? stepNs(system, underWay),
    beginNs: onceFor(system, 'begin', 0, () => worstNs(system, sumCharges(TRANSFER_CHARGES, FIRST_TRANSFER_CHARGES))),
    pieceNs: onceFor(system, 'piece', 0, () => worstNs(system, pieceCharges(system))),
    transferNs: Math.max(...system.flows.map(transfer)),
    transfer,
    completions: ofFlow(completions),
    // A timer that finds nothing may have been set for one before it.
    earlyTimers: ofFlow((flow) => (system.pinned || underWay.early?.(flow) === false ? 0 : 2)),
    exhaustions: ofFlow((flow) =>
      regulator.kind === 'budget' && flow.pages !== 'moved' ? flow.workNs / regulator.budgetNs : 0,
    ),
    exhaustionsOnce: regulator.kind === 'budget' ? EXHAUSTIONS_ONCE : 0,
    // All of a period: a chain ends all the same, but nothing waits.
    timersAnExhaustion: blacksOut ? 2 : 0,
    transfersAnExhaustion: BREAKS_AN_EXHAUSTION * transfersABreak,
    message: ofFlow(
      (flow) =>
        onceFor(
          system,
          completions(flow) < 1 ? 'message' : 'message, told',
          flow.index,
          () =>
            worstNs(system, messageCharges(system, flow, completions(flow))) +
            awaitedNs(system, flow) +
            foreignMessageNs(system, flow),
        ) + pagesNs(flow),
    ),
    pages,
    pagesNs,
    loan: ofFlow((flow) => {
      const again = revokes(flow)
      const lent = pages(flow)
      return onceFor(system, again ? `loan of ${lent} revoked` : `loan of ${lent}`, flow.index, () =>
        worstNs(system, loanCharges(system, lent, again)),
      )
    }),
    revokes,
    loanSteps: ofFlow((flow) => loanSteps(system, pages(flow), revokes(flow))),
    loanSpanNs: ofFlow((flow) => underWay.loanSpanNs(flow)),
    controlNs: onceFor(system, 'control', 0, () => worstNs(system, controlCharges(system))),
    timerNs: onceFor(system, 'timer', 0, () => worstNs(system, TIMER_CHARGES)),
    // Chained descriptors have nothing but themselves between them.
    bestBeforeChoiceNs: chains
      ? 0
      : interruptBestNs + (floating ? best(CostOp.lockCriticalSection) : best(CostOp.usedRing)),
    bestAfterChoiceNs: best(CostOp.dmaPerDescriptor) + (chains ? 0 : best(CostOp.pick) + best(CostOp.dmaSetup)),
    byPiece: growth === 'none',
    transfers: ofFlow((flow) => {
      if (flow.pages === 'moved') return 0
      const transfers = transfersAtMost(flow.pieces, growth)
      return isWithheld(system, flow) ? parts(flow) : Math.min(flow.pieces, transfers + waits(flow))
    }),
    // A message that has to wait for buffers comes back whenever there are some.
    restarts: ofFlow((flow) => {
      if (underWay.interrupts?.(flow) === false) return 0
      return transfersABreak * (isWithheld(system, flow) ? parts(flow) : Math.min(flow.pieces, 1 + waits(flow)))
    }),
    transfersABreak,
    waits,
    waitsOnce,
    restartsOnce: growth === 'none' ? 0 : waitsOnce * (1 + transfersABreak),
    refillKickNs: system.flows.some(kicks) ? refillKickNs(system) : 0,
    refillKick: ofFlow((flow) => (kicks(flow) ? refillKickNs(system) : 0)),
    surplusNs: surplusNs(system, (vm) => underWay.starves(vm) || withholds(vm)),
  }
}

function refillKickNs(system: System): number {
  return onceFor(system, 'kick', 0, () => worstNs(system, REFILL_KICK_CHARGES))
}

/** A receiver may run out of buffers so much oftener in a window than what comes in it uses up. */
const WAITS_ONCE = 3

/**
 * Times that a receiver runs out of buffers because of one message, besides `WAITS_ONCE`. Its handler hands all back that were announced.
 * Where its own core announces, those are all but those of the transfer that ended then; these are of the buffers that it got the time
 * before, so that in two times it gets all that it has. Where another core may, it gets a batch at least, which a step of that core announces.
 */
function waitsOf(system: System, flow: SystemFlow): number {
  const posted = postedBuffers(system, flow.destination)
  // And a head, and a credit update.
  const buffers = flow.pieces + 2
  return (2 * buffers) / (announcedElsewhere(system) ? Math.min(ANNOUNCE_BATCH, posted) : posted)
}

/** While pages are lent, every buffer that a receiver has posted may be taken to look at it. */
function surplusNs(system: System, starves: (vm: number) => boolean): number {
  const { chains, flows, lends, scenario, worst } = system
  const fetchNs = worst(CostOp.fetchDescriptor)
  const receivers = [...new Set(flows.map(({ destination }) => destination))]
  // What has waited for some goes on with as many as a transfer takes.
  const ahead = (vm: number) => FIRST_BUFFERS + (starves(vm) ? EXTEND_BATCH : chains ? CHAIN_BATCH : 0)
  if (!lends) return receivers.reduce((sumNs, vm) => sumNs + ahead(vm) * fetchNs, 0)
  return receivers.reduce((sumNs, vm) => {
    const posted = receiveBuffersOf(scenario, vm)
    return sumNs + posted * fetchNs + Math.ceil(posted / LOOK_BATCH) * worstNs(system, TIMER_CHARGES)
  }, 0)
}

/**
 * How chains grow. `prompt`: the first batch behind the first piece is there before that has been copied, so that a transfer has
 * `1 + EXTEND_BATCH` pieces at least. `late`: it may come too late; but then its buffers are at hand for the next transfer, which has
 * them all at once, and those that it fetches next have the time of all of these. `slow`: not even these are there in time, so that
 * every transfer but the first has a batch. `none`: every piece has a transfer of its own.
 */
type Growth = 'prompt' | 'late' | 'slow' | 'none'

/** A chain grows by a batch right after it was started, a few buffers at a time. */
function growthOf(system: System): Growth {
  const { best, chains, fullPieceNs, regulator, worst } = system
  if (!chains || regulator.kind === 'bucket') return 'none'
  const givenBackNs = worstNs(system, givenBackCharges(system, CHAIN_BATCH, 1))
  const fetchedNs = CHAIN_BATCH * worst(CostOp.fetchDescriptor) + givenBackNs
  const pieceNs = fullPieceNs + best(CostOp.dmaPerDescriptor)
  if (fetchedNs < pieceNs) return 'prompt'
  return fetchedNs < CHAIN_BATCH * pieceNs ? 'late' : 'slow'
}

/** Transfers of a message without interruption. */
function transfersAtMost(pieces: number, growth: Growth): number {
  if (growth === 'none') return pieces
  if (growth === 'prompt') return Math.ceil(pieces / (1 + EXTEND_BATCH))
  if (growth === 'slow') return 1 + Math.ceil((pieces - 1) / CHAIN_BATCH)
  return Math.min(pieces, 2 * Math.ceil(pieces / (2 + EXTEND_BATCH)))
}

function stepNs(system: System, underWay: UnderWay): number {
  const { chains, controls, cores, design, flows, interrupts, lends, moves, vmCores, worst } = system
  const floating = design === 'floating'
  const receivers = new Set(flows.map(({ destination }) => destination)).size
  // Of one that has run out of them, as many as a transfer takes.
  const firsts = flows.some(({ destination }) => underWay.starves(destination)) ? 1 + EXTEND_BATCH : FIRST_BUFFERS
  const sent = vmCores.map((_, vm) =>
    Math.min(FETCH_BATCH, sum(flows, (flow) => (flow.source === vm ? underWay.messages(flow) : 0)) + controls),
  )
  const fetched = floating ? Math.max(...sent) : sum(sent, (count) => count)
  const forPages = pageStepBuffers(system)
  const chained = chains ? EXTEND_BATCH : 0
  const refilled = firsts * receivers + chained + forPages.buffers + controls
  // Every call that takes buffers may be one batch of lent pages that come back.
  const batches = 2 * receivers + (chains ? EXTEND_BATCH / CHAIN_BATCH : 0) + forPages.batches + controls
  const announced = Math.min(ANNOUNCE_BATCH, (chains || moves ? ANNOUNCE_BATCH : 1) + controls)
  const messages = sum(flows, (flow) => underWay.messages(flow))
  // With the last pages that were lent, messages are over that were announced long ago.
  const lent = MOST_UNDER_WAY * sum(flows, ({ pages, pieces }) => (pages === 'copied' ? 0 : pieces))
  const settled = lends ? MOST_UNDER_WAY * flows.filter(({ pages }) => pages !== 'copied').length : 0
  const completed = Math.min(announced, messages + controls) + settled
  // Without EVENT_IDX every transfer interrupts, or those that are held back do at the end of the step; with it each of the two queues of
  // a VM does once.
  const vmsACore = Math.max(...cores.map((core) => vmCores.filter((other) => other === core).length))
  const told = interrupts.coalesceCount > 1 ? vmsACore : announced
  const injected = floating ? (interrupts.eventIdx ? 2 * vmsACore : told + announced + settled) : 0
  return (
    (floating ? worst(CostOp.lockCriticalSection) : 0) +
    (fetched + refilled) * worst(CostOp.fetchDescriptor) +
    worst(CostOp.pick) +
    worst(CostOp.messageOverhead) +
    worst(CostOp.dmaSetup) +
    (announced + completed) * worst(CostOp.usedRing) +
    injected * worst(CostOp.injectListRegister) +
    pageStepNs(system) +
    worstNs(system, givenBackCharges(system, Math.min(refilled, lent), batches))
  )
}

/** Entry of an interrupt, or noticing one in the waiting loop of a throttled core. */
export function interruptWorstNs(system: System): number {
  return onceFor(system, 'interrupt', 0, () => worstNs(system, { irqEntryAck: 1 }))
}

/** A core that waits for its short transfer between two VMs of its own takes steps until it is over, and one more. */
export function awaitedNs({ worst, waitForDmaNs }: System, flow: SystemFlow): number {
  if (flow.sourceCore !== flow.destinationCore || waitForDmaNs === 0) return 0
  return waitForDmaNs + worst(CostOp.dmaPerDescriptor) + 2 * worst(CostOp.lockCriticalSection)
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
