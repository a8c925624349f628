/**
 * What software an event makes run, in worst-case ns: every action that the broker and the board charge (`CostOp`), summed
 * over the events of a piece, of a transfer, of a message. docs/prediction.md has the table; a test holds the counts against
 * the charges of the simulated machine.
 */
import { CostOp } from '../platform/index.ts'
import { pageStepNs, pageWorkNs } from './predict-pages.ts'
import type { System, SystemFlow } from './predict-system.ts'

/** What the relay does at most in one step: elements announced, pieces chained, messages fetched. */
const ANNOUNCE_BATCH = 16
const EXTEND_BATCH = 16
const FETCH_BATCH = 8
/** Receive buffers that it takes for a first piece, and between two looks at the engine. */
const FIRST_BUFFERS = 1
const CHAIN_BATCH = 4

export interface SoftwareCosts {
  /** w: longest time that the lock is held; without a lock, the longest step of the dedicated broker. */
  readonly stepNs: number
  /** What a step spends to start a transfer, besides its pieces. */
  readonly beginNs: number
  /** Around a piece, a transfer and a message, wherever it runs. None contains another. */
  readonly pieceNs: number
  readonly transferNs: number
  readonly message: (flow: SystemFlow) => number
  /** Around one credit update. */
  readonly controlNs: number
  /** A timer that finds budget again. */
  readonly timerNs: number
  /** What of the software around a piece surely passes before it is chosen, and after, at best. */
  readonly bestBeforeChoiceNs: number
  readonly bestAfterChoiceNs: number
  /** Pieces that a transfer surely has, unless its message ends, the budget does, or something more urgent comes. */
  readonly piecesATransfer: number
  /** Receive buffers taken before anybody needs them. */
  readonly surplusNs: number
}

/** `underWay`: messages of a flow that can be between its guests at once. */
export function softwareOf(system: System, underWay: (flow: SystemFlow) => number): SoftwareCosts {
  const { worst, best, chains, design, flows, regulator } = system
  const floating = design === 'floating'
  const lockNs = floating ? worst(CostOp.lockCriticalSection) : 0
  const fetchNs = worst(CostOp.fetchDescriptor)
  const usedNs = worst(CostOp.usedRing)
  const interruptNs = interruptWorstNs(system)
  const injectNs = worst(CostOp.injectListRegister)
  const startNs = worst(CostOp.pick) + worst(CostOp.dmaSetup)
  const timerNs = interruptNs + lockNs
  const receivers = new Set(flows.map(({ destination }) => destination)).size

  // A throttled core that looks for interrupts takes no exception for them.
  const interruptBestNs = looksForInterrupts(system) ? best(CostOp.gicAccess) : best(CostOp.irqEntryAck)

  const message = (flow: SystemFlow) => {
    if (!floating) return interruptNs + fetchNs + usedNs + heldNs(system)
    const doorbellNs = worst(CostOp.mmioTrap) + 2 * lockNs + fetchNs
    return (
      pageWorkNs(system, flow) +
      chainTimersNs(system, flow) +
      doorbellNs +
      usedNs +
      interruptNs +
      injectNs +
      heldNs(system) +
      awaitedNs(system, flow)
    )
  }
  return {
    stepNs: stepNs(system, underWay),
    beginNs: startNs + worst(CostOp.messageOverhead),
    pieceNs:
      fetchNs + usedNs + descriptors(system) * worst(CostOp.dmaPerDescriptor) + 2 * Math.ceil(lockNs / EXTEND_BATCH),
    transferNs:
      startNs +
      interruptNs +
      lockNs +
      (floating ? injectNs + refillKickNs(system) + (chains ? 3 * lockNs : 0) : 0) +
      // Its tokens may have to be waited for.
      (regulator.kind === 'bucket' ? timerNs : 0),
    message,
    controlNs: floating
      ? 2 * (worst(CostOp.mmioTrap) + 2 * lockNs) + 2 * (fetchNs + usedNs + interruptNs + injectNs)
      : interruptNs + 2 * (fetchNs + usedNs),
    timerNs,
    // Chained descriptors have nothing but themselves between them.
    bestBeforeChoiceNs: chains
      ? 0
      : interruptBestNs + (floating ? best(CostOp.lockCriticalSection) : best(CostOp.usedRing)),
    bestAfterChoiceNs: best(CostOp.dmaPerDescriptor) + (chains ? 0 : best(CostOp.pick) + best(CostOp.dmaSetup)),
    piecesATransfer: piecesATransfer(system),
    surplusNs: receivers * (FIRST_BUFFERS + (chains ? CHAIN_BATCH : 0)) * fetchNs,
  }
}

/**
 * A chain grows by a batch right after it was started, a few buffers at a time: that succeeds when those are fetched before
 * the first piece has been copied. Later batches may come too late.
 */
function piecesATransfer({ best, chains, fullPieceNs, regulator, worst }: System): number {
  const inTime = CHAIN_BATCH * worst(CostOp.fetchDescriptor) < fullPieceNs + best(CostOp.dmaPerDescriptor)
  return chains && inTime && regulator.kind !== 'bucket' ? 1 + EXTEND_BATCH : 1
}

function stepNs(system: System, underWay: (flow: SystemFlow) => number): number {
  const { chains, cores, design, flows, interrupts, vmCores, worst } = system
  const floating = design === 'floating'
  const controls = controlMessages(system)
  const receivers = new Set(flows.map(({ destination }) => destination)).size
  const sent = vmCores.map((_, vm) =>
    Math.min(FETCH_BATCH, sum(flows, (flow) => (flow.source === vm ? underWay(flow) : 0)) + controls),
  )
  const fetched = floating ? Math.max(...sent) : sum(sent, (count) => count)
  const refilled = FIRST_BUFFERS * receivers + (chains ? EXTEND_BATCH : 0) + controls
  const announced = Math.min(
    ANNOUNCE_BATCH,
    (chains || flows.some(({ pages }) => pages !== 'copied') ? ANNOUNCE_BATCH : 1) + controls,
  )
  const completed = Math.min(announced, sum(flows, underWay) + controls)
  // Without EVENT_IDX every transfer interrupts; with it each of the two queues of a VM does once.
  const vmsACore = Math.max(...cores.map((core) => vmCores.filter((other) => other === core).length))
  const injected = floating ? (interrupts.eventIdx ? 2 * vmsACore : 2 * announced) : 0
  return (
    (floating ? worst(CostOp.lockCriticalSection) : 0) +
    (fetched + refilled) * worst(CostOp.fetchDescriptor) +
    worst(CostOp.pick) +
    worst(CostOp.messageOverhead) +
    worst(CostOp.dmaSetup) +
    (announced + completed) * worst(CostOp.usedRing) +
    injected * worst(CostOp.injectListRegister) +
    pageStepNs(system)
  )
}

/** MemGuard's waiting loop serves the broker. */
function looksForInterrupts({ scenario, throttles }: System): boolean {
  return throttles.size > 0 && scenario.broker.memguard === 'service'
}

/** Entry of an interrupt, or noticing one in the waiting loop of a throttled core. */
export function interruptWorstNs(system: System): number {
  const { worst } = system
  return Math.max(worst(CostOp.irqEntryAck), looksForInterrupts(system) ? worst(CostOp.gicAccess) : 0)
}

/** Transfers that a message takes when nothing interrupts it. */
export function transfersOf(flow: SystemFlow, { piecesATransfer }: SoftwareCosts): number {
  return flow.pages === 'exchanged' ? 0 : Math.ceil(flow.pieces / piecesATransfer)
}

/** Descriptors of one piece: it lies in one page on both sides, unless a driver's buffers do not begin with one. */
export function descriptors({ scenario }: System): number {
  return scenario.vms.some(({ buffers }) => buffers === 'unaligned') ? 3 : 1
}

/** The trap with which a receiver hands its buffers back; the dedicated broker's core has no part in it. */
export function refillKickNs({ worst, interrupts }: System): number {
  return interrupts.suppressRefill ? 0 : worst(CostOp.mmioTrap) + worst(CostOp.lockCriticalSection)
}

/** A core that lets its guest run while it chains comes back by its timer, for every batch. */
export function chainTimersNs(system: System, flow: SystemFlow): number {
  const { chains, worst } = system
  if (!chains) return 0
  return Math.ceil(flow.pieces / EXTEND_BATCH) * (interruptWorstNs(system) + worst(CostOp.lockCriticalSection))
}

/** The interrupt that a coalesced message waits for may need a timer, and another core. */
export function heldNs(system: System): number {
  const { design, interrupts, worst } = system
  if (interrupts.coalesceCount === 1) return 0
  const interruptNs = interruptWorstNs(system)
  if (design === 'dedicated') return interruptNs
  return 2 * interruptNs + worst(CostOp.lockCriticalSection) + worst(CostOp.injectListRegister)
}

/** A core that waits for its short transfer between two VMs of its own takes steps until it is over, and one more. */
export function awaitedNs({ worst, waitForDmaNs }: System, flow: SystemFlow): number {
  if (flow.sourceCore !== flow.destinationCore || waitForDmaNs === 0) return 0
  return waitForDmaNs + worst(CostOp.dmaPerDescriptor) + 2 * worst(CostOp.lockCriticalSection)
}

/** Credit updates that can be in one batch: one a flow, where there are any. */
export function controlMessages({ flows }: System): number {
  return flows.filter(({ creditEvery }) => creditEvery < Number.POSITIVE_INFINITY).length
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
