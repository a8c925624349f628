/**
 * What software an event makes run, in worst-case ns: every action that the broker and the board charge (`CostOp`), summed
 * over the events of a message, of one of its pieces, of a timer. docs/prediction.md has the table; a test holds the counts
 * against the charges of the simulated machine.
 *
 * Each piece counts as a transfer of its own: that is what the worst case makes of chaining, too.
 */
import { CostOp } from '../platform/index.ts'
import type { System, SystemFlow } from './predict-system.ts'

/** Elements that the relay handles in one step, of each kind. */
export const STEP_BATCH = 16
const FETCH_BATCH = 8
const FIRST_BUFFERS = 4

export interface SoftwareCosts {
  /** w: longest time that the lock is held; 0 where there is none. A step of the dedicated broker. */
  readonly stepNs: number
  /** What one step spends to start a transfer. */
  readonly beginNs: number
  /** Around one piece: all of it; and what of it surely passes before the piece is chosen, and after, at best. */
  readonly pieceNs: number
  readonly bestBeforeChoiceNs: number
  readonly bestAfterChoiceNs: number
  /** Around one message, wherever it runs, its pieces apart; and around one credit update. */
  readonly message: (flow: SystemFlow) => number
  readonly controlNs: number
  /** A timer that finds budget again. */
  readonly timerNs: number
  /** Receive buffers taken before anybody needs them. */
  readonly surplusNs: number
}

export function softwareOf(system: System, underWay: (flow: SystemFlow) => number): SoftwareCosts {
  const { worst, best, chains, interrupts, design } = system
  const floating = design === 'floating'
  const lockNs = floating ? worst(CostOp.lockCriticalSection) : 0
  const fetchNs = worst(CostOp.fetchDescriptor)
  const usedNs = worst(CostOp.usedRing)
  const beginNs = worst(CostOp.pick) + worst(CostOp.messageOverhead) + worst(CostOp.dmaSetup)
  const interruptNs = worst(CostOp.irqEntryAck)
  const injectNs = worst(CostOp.injectListRegister)
  const startNs =
    worst(CostOp.pick) + worst(CostOp.dmaSetup) + fetchNs + descriptors(system) * worst(CostOp.dmaPerDescriptor)
  const timerNs = interruptNs + lockNs
  const awaitsTokens = system.regulator.kind === 'bucket' ? timerNs : 0
  const endNs = interruptNs + lockNs + usedNs
  const floatingOnlyNs = floating ? injectNs + refillKickNs(system) + (chains ? lockNs : 0) : 0
  const receivers = new Set(system.flows.map(({ destination }) => destination)).size
  const controls = controlMessages(system)

  /** The interrupt that a coalesced message waits for may need a timer, and another core. */
  const heldNs = interrupts.coalesceCount > 1 ? timerNs + (floating ? interruptNs + injectNs : 0) : 0
  const message = (flow: SystemFlow) => {
    if (!floating) return interruptNs + fetchNs + usedNs + heldNs
    const doorbellNs = worst(CostOp.mmioTrap) + 2 * lockNs + fetchNs
    const announcedNs = usedNs + (chains ? Math.ceil(flow.pieces / STEP_BATCH) * lockNs : 0)
    return doorbellNs + announcedNs + interruptNs + injectNs + heldNs + awaitedNs(system, flow)
  }
  const controlNs = floating
    ? 2 * (worst(CostOp.mmioTrap) + 2 * lockNs) + 2 * (fetchNs + usedNs + interruptNs + injectNs)
    : interruptNs + 2 * (fetchNs + usedNs)

  const stepNs = () => {
    const sent = system.vmCores.map((_, vm) =>
      Math.min(FETCH_BATCH, sum(system.flows, (flow) => (flow.source === vm ? underWay(flow) : 0)) + controls),
    )
    const messages = sum(system.flows, underWay) + controls
    const pieces = chains ? STEP_BATCH : Math.min(STEP_BATCH, 1 + controls)
    const fetched = floating ? Math.max(...sent) : sum(sent, (count) => count)
    const refilled = FIRST_BUFFERS * (receivers + 1) + (chains ? STEP_BATCH : 0)
    // Without EVENT_IDX every transfer interrupts; with it each of the two queues of a VM does once.
    const vmsACore = Math.max(...system.cores.map((core) => system.vmCores.filter((other) => other === core).length))
    const injections = floating ? (interrupts.eventIdx ? 2 * vmsACore : 2 * pieces) : 0
    return (
      lockNs +
      (fetched + refilled) * fetchNs +
      beginNs +
      (pieces + Math.min(pieces, messages)) * usedNs +
      injections * injectNs
    )
  }
  return {
    stepNs: stepNs(),
    beginNs,
    pieceNs: startNs + endNs + floatingOnlyNs + awaitsTokens,
    // Chained descriptors have nothing but themselves between them.
    bestBeforeChoiceNs: chains
      ? 0
      : best(CostOp.irqEntryAck) + (floating ? best(CostOp.lockCriticalSection) : best(CostOp.usedRing)),
    bestAfterChoiceNs: best(CostOp.dmaPerDescriptor) + (chains ? 0 : best(CostOp.pick) + best(CostOp.dmaSetup)),
    message,
    controlNs,
    timerNs,
    surplusNs: receivers * (FIRST_BUFFERS + (chains ? STEP_BATCH : 0)) * fetchNs,
  }
}

/** Descriptors of one piece: it lies in one page on both sides, unless a driver's buffers do not begin with one. */
export function descriptors({ scenario }: System): number {
  return scenario.vms.some(({ buffers }) => buffers === 'unaligned') ? 3 : 1
}

/** The trap with which a receiver hands its buffers back; the dedicated broker's core has no part in it. */
export function refillKickNs({ worst, interrupts }: System): number {
  return interrupts.suppressRefill ? 0 : worst(CostOp.mmioTrap) + worst(CostOp.lockCriticalSection)
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
