/**
 * The DMA stage as the analysis takes it: flows with pieces and the software around them, and beside them the software that no
 * piece accounts for, as tasks more urgent than any flow. So the bounds come from the theorems of docs/analysis.md; what is
 * added here is which software there is (docs/prediction.md §3).
 */
import {
  type AnalysisModel,
  DeadlineResponseTest,
  deriveModel,
  FixedPriorityTest,
  type FlowSet,
  type ResponseTerms,
  type Tightness,
} from '../analysis/index.ts'
import { PAGE_REST_NS } from '../broker/index.ts'
import { CostOp } from '../platform/index.ts'
import { foreignControl, foreignControlNs, scatteredNs, uselessWithin } from './against.ts'
import { TAKE_OVERS } from './charges.ts'
import { handledWorstNs, restNs, takeOverNs } from './cores.ts'
import { HANDLED_LATER, injectionsOf } from './drivers.ts'
import { tlbRefillNs } from './pages.ts'
import type { SoftwareCosts } from './software.ts'
import { Staircase } from './staircase.ts'
import { allAsleep, knownSpan, type System, type SystemFlow } from './system.ts'
import { triedOf } from './tried.ts'

/** Software that goes before every flow: `costNs` every `periodNs`, and as often more as `jitterNs` allows. */
interface SoftwareTask {
  readonly periodNs: number
  readonly jitterNs: number
  readonly costNs: number
}

/** What happens once, before or in a window: longer than any window. */
const ONCE_NS = 2 ** 50

/** `jitterNs`: by flow, from its nominal release until it is queued. */
export function flowSetOf(system: System, software: SoftwareCosts, jitterNs: readonly number[]): FlowSet {
  const { bytesPerNs, chunkBytes, longestPieceNs, regulator, worst } = system
  const { bestAfterChoiceNs, bestBeforeChoiceNs } = software
  // Where a transfer can be of one piece, all of it belongs to that piece.
  const worstNs = software.pieceNs + (software.byPiece ? software.transferNs : 0)
  // Of the pieces of one refill period the first may have been prepared for before it began (docs/analysis.md, Lemma 4).
  const pieces = regulator.kind === 'budget' ? Math.max(1, Math.ceil(regulator.budgetNs / longestPieceNs) - 1) : 1
  const bestNs = Math.floor(bestAfterChoiceNs + (bestBeforeChoiceNs * (pieces - 1)) / pieces)
  return {
    flows: system.flows.map(({ name, periodNs, deadlineNs, lengthBytes }, i) => ({
      name,
      periodNs,
      deadlineNs,
      lengthBytes,
      jitterNs: jitterNs[i]!,
    })),
    dma: {
      dmaBytesPerNs: bytesPerNs,
      chunkBytes,
      chunkOverheadNs: [Math.min(bestNs, worstNs), worstNs],
      messageOverheadNs: worst(CostOp.messageOverhead),
    },
    regulator,
  }
}

/** The model of the machine: that of `set`, with what else its software does. Flows come first, in their order. */
export function modelOf(
  system: System,
  set: FlowSet,
  software: SoftwareCosts,
  spans: readonly number[],
  tightness: Tightness,
): AnalysisModel {
  const model = deriveModel(set, tightness)
  const tasks = softwareTasks(system, software, spans, true)
  if (tasks.length === 0) return model
  const total = model.total + tasks.length
  const join = (known: Float64Array, of: (task: SoftwareTask) => number) => {
    const all = new Float64Array(total)
    all.set(known)
    tasks.forEach((task, k) => {
      all[model.total + k] = of(task)
    })
    return all
  }
  // What is exchanged or lent is no work for the DMA, and none of its software waits for it.
  const none = (values: Float64Array) => values.map((value, i) => (system.flows[i]?.pages === 'moved' ? 0 : value))
  const workNs = none(model.workNs)
  const blockers = 1 + system.committedPieces
  const overheadNs = join(none(model.overheadNs), (task) => task.costNs)
  system.flows.forEach((flow, i) => {
    overheadNs[i]! += transferOverheadNs(flow, software)
  })
  return {
    ...model,
    total,
    lastChunkNs: none(model.lastChunkNs),
    periodNs: join(model.periodNs, (task) => task.periodNs),
    deadlineNs: join(model.deadlineNs, () => 0),
    jitterNs: join(model.jitterNs, (task) => task.jitterNs),
    workNs: join(workNs, () => 0),
    overheadNs,
    // A message that chains is stopped behind the pieces which the engine has committed itself to.
    longestChunkNs: model.longestChunkNs.map((chunkNs, i) => Math.min(blockers * chunkNs, workNs[i]!)),
  }
}

/** The DMA alone, without software: what is exchanged or lent is no work for it. */
export function dmaModelOf(system: System, set: FlowSet, tightness: Tightness): AnalysisModel {
  const model = deriveModel(set, tightness)
  if (!system.flows.some(({ pages }) => pages === 'moved')) return model
  return { ...model, workNs: model.workNs.map((workNs, i) => (system.flows[i]?.pages === 'moved' ? 0 : workNs)) }
}

/** Of a message that never sees the DMA: what the DMA's flows have in their pieces. */
function movedNs(flow: SystemFlow, { pieceNs }: SoftwareCosts): number {
  return flow.pages === 'moved' ? flow.pieces * pieceNs : 0
}

/** Starts of transfers, where not every piece has one: its own, and that of a less urgent message which it stopped. */
function transferOverheadNs(flow: SystemFlow, software: SoftwareCosts): number {
  if (software.byPiece || flow.pages === 'moved') return 0
  return software.transfers(flow) * software.transfer(flow) + software.restarts(flow) * software.transferNs
}

/** `leftovers`: with what is left of messages whose pieces are not counted, because they were queued before the window. */
function softwareTasks(
  system: System,
  software: SoftwareCosts,
  spans: readonly number[],
  leftovers: boolean,
): SoftwareTask[] {
  const { chains, committedPieces, controls, design, flows, pinned, worst } = system
  if (pinned && system.throttles.size === 0) return []
  const { controlNs, message, pieceNs, stepNs, surplusNs, timerNs, transferNs } = software
  const tasks: SoftwareTask[] = []
  // Counts may be shares of one.
  const add = (periodNs: number, jitterNs: number, costNs: number) =>
    tasks.push({ periodNs, jitterNs, costNs: Math.ceil(costNs) })
  // Arrived pieces of earlier messages may still have to be announced when a window starts.
  let leftNs = 0
  flows.forEach((flow, i) => {
    const jitterNs = spans[i]!
    // One that comes early waits for its time: another timer, and one that came too soon.
    const exhaustedNs = software.exhaustions(flow) * exhaustionNs(software)
    const earlyNs = software.earlyTimers(flow) * timerNs
    // Beside its pieces, if these are in the window as well.
    const insteadNs = leftovers ? 0 : software.pagesNs(flow) - triedOf(system, software, flow).pagesNs
    add(flow.periodNs, jitterNs, message(flow) - insteadNs + movedNs(flow, software) + earlyNs + exhaustedNs)
    if (flow.creditEvery < Number.POSITIVE_INFINITY) add(flow.creditEvery * flow.periodNs, jitterNs, controlNs)
    const control = foreignControl(system, flow, spans[i]!)
    if (control.directions > 0) {
      add(control.periodNs, control.jitterNs, control.directions * foreignControlNs(system))
    }
    const loanNs = software.loan(flow)
    if (loanNs > 0) add(flow.periodNs, software.loanSpanNs(flow), loanNs)
    if (leftovers && (chains || flow.pages !== 'copied'))
      leftNs += (Math.floor(jitterNs / flow.periodNs) + 1) * flow.pieces * worst(CostOp.usedRing)
  })
  for (const { periodNs, jitterNs, costNs } of uselessWithin(system)) add(periodNs, jitterNs, costNs)
  addRests(system, software, add)
  // MemGuard interrupts; and a core that then takes no others keeps everybody waiting.
  const deaf = deafCores(system)
  for (const { periodNs, throttledNs, interruptsNs } of design === 'floating' ? system.throttles.values() : []) {
    add(periodNs, periodNs, interruptsNs)
    if (deaf) add(periodNs, 0, throttledNs)
    if (system.roams) add(periodNs, periodNs, TAKE_OVERS * takeOverNs(system) + worst(CostOp.sgi))
  }
  const asleep = system.roams ? allAsleep(system) : null
  if (asleep !== null) add(asleep.periodNs, 0, asleep.throttledNs)
  // The piece before the window and those it is committed to, a step under way, and per VM a handler's refill.
  const kicks = design === 'floating' && software.refillKickNs > 0 ? 2 * system.vmCores.length : 0
  const kickNs = worst(CostOp.mmioTrap) + worst(CostOp.lockCriticalSection)
  const underWayNs = leftovers ? (1 + committedPieces) * pieceNs + 2 * transferNs + leftNs : 0
  const onceNs =
    scatteredNs(system) +
    underWayNs +
    surplusNs +
    kicks * kickNs +
    leftBehindNs(system) +
    software.exhaustionsOnce * exhaustionNs(software) +
    software.restartsOnce * transferNs
  add(ONCE_NS, 0, onceNs + (design === 'dedicated' ? stepNs : 0) + controls * controlNs)
  return tasks
}

/** While MemGuard throttles a core, it takes no interrupts of the broker, and keeps everybody waiting. */
export function deafCores({ design, scenario }: System): boolean {
  return design === 'floating' && scenario.broker.memguard === 'accept'
}

/**
 * How often, because of one message, the broker comes to have something to do and then has left it to guests: it is queued, its time comes,
 * and with it a credit update; its receiver has to hand buffers back; an interrupt that was held back is let go for each VM.
 */
export function timesLeftToGuests({ interrupts, vmCores }: System, costs: SoftwareCosts, flow: SystemFlow): number {
  const events = 2 + (flow.creditEvery < Number.POSITIVE_INFINITY ? 2 : 0) + costs.waits(flow)
  return interrupts.coalesceCount > 1 ? events * (1 + vmCores.length) : events
}

/**
 * Of the software of a message, what surely passes while the DMA copies (docs/prediction.md §3, "Beside the DMA"); less than 0: the next one
 * of another message passes so much later.
 */
export function besideDmaNs(system: System, software: SoftwareCosts, flow: SystemFlow): number {
  const { chains, design, fullPieceNs, interrupts, moves, regulator, roams, worst } = system
  if (design === 'dedicated' || chains || moves || regulator.kind === 'bucket') return 0
  // Times that the DMA was idle before.
  const idle = timesLeftToGuests(system, software, flow)
  const told = interrupts.coalesceCount === 1 && !roams
  const announcedNs = worst(CostOp.usedRing) + (told ? worst(CostOp.injectListRegister) : 0)
  return (flow.pieces - 1 - idle - software.exhaustions(flow)) * Math.min(fullPieceNs, announcedNs)
}

/** Software of a budget's end: timers; and it may close a chain, which then needs another start. */
function exhaustionNs({ timerNs, timersAnExhaustion, transfersAnExhaustion, transferNs }: SoftwareCosts): number {
  return timersAnExhaustion * timerNs + transfersAnExhaustion * transferNs
}

/** What follows when a message has been read: an entry of each core that finds nothing, and an interrupt that is injected to each VM. */
function leftBehindNs({ cores, design, vmCores, worst }: System): number {
  if (design === 'dedicated') return 0
  const entryNs = worst(CostOp.mmioTrap) + worst(CostOp.irqEntryAck) + worst(CostOp.lockCriticalSection)
  return cores.length * entryNs + vmCores.length * worst(CostOp.injectListRegister)
}

/** Cores that move pages come back from their guests: for each thing that these have done, and by their timer. */
function addRests(
  system: System,
  software: SoftwareCosts,
  add: (periodNs: number, jitterNs: number, costNs: number) => void,
): void {
  const { cores, flows, interrupts, throttles, vmCores, worst } = system
  if (flows.every(({ pages }) => pages === 'copied')) return
  const costNs = restNs(system)
  const handledNs = handledWorstNs(system)
  // For what they have done; and, so long as that takes, by their timer: less than one for each that the time has room for.
  const come = (count: number, busyNs: number) => Math.ceil((count + busyNs / PAGE_REST_NS) * costNs)
  for (const flow of flows) {
    // A transfer that it interrupts is two.
    const handled =
      cores.reduce((runs, core) => runs + injectionsOf(system, software, core, flow), 0) +
      (software.restarts(flow) + software.exhaustions(flow) * software.transfersAnExhaustion) * cores.length
    const busyNs = handled * handledNs + worst(CostOp.guestSend) + tlbRefillNs(system, software, flow)
    // Its sender hears of lent pages when they are back.
    add(flow.periodNs, software.loanSpanNs(flow), come(1 + handled, busyNs))
  }
  const { pollingNs } = interrupts
  if (pollingNs > 0) add(pollingNs, pollingNs, come(vmCores.length, vmCores.length * handledNs))
  for (const { periodNs, interruptsNs } of throttles.values()) add(periodNs, periodNs, come(0, interruptsNs))
  const restartsOnce = software.exhaustionsOnce * software.transfersAnExhaustion + software.restartsOnce
  const once = HANDLED_LATER * vmCores.length + cores.length * restartsOnce
  add(ONCE_NS, 0, come(cores.length + once, once * handledNs))
}

/** All software of the whole system in any window, on whichever cores. */
export function softwareWithin(
  system: System,
  software: SoftwareCosts,
  spans: readonly number[],
): (windowNs: number) => number {
  // All messages that are under way when the window starts are counted, with all of their pieces.
  const tasks = softwareTasks(system, software, spans, false)
  const all = new Staircase()
  for (const flow of system.flows) {
    if (flow.pages === 'moved') continue
    const transfersNs =
      software.transfers(flow) * software.transfer(flow) + software.restarts(flow) * software.transferNs
    const messageNs = flow.pieces * software.pieceNs + transfersNs + system.worst(CostOp.messageOverhead)
    all.add(flow.periodNs, knownSpan(flow, spans[flow.index]!), messageNs)
  }
  for (const { periodNs, jitterNs, costNs } of tasks) all.add(periodNs, jitterNs, costNs)
  return (windowNs) => all.within(windowNs)
}

/**
 * Bounds of flows to the end of the last piece, from their own nominal releases: `ownJitterNs`, by flow, is the jitter that
 * is not inherited from the flow before.
 */
export function stageBoundsOf(
  model: AnalysisModel,
  scheduler: 'fp' | 'edf',
  ranks: readonly number[],
  ownJitterNs: readonly number[],
): (flow: number) => ResponseTerms | null {
  if (scheduler === 'fp') {
    const test = new FixedPriorityTest(model)
    return (flow) => test.bound(flow, ranks, ownJitterNs[flow])
  }
  return (flow) => {
    // The broker counts deadlines from the arrival of a message, which for this one may be as late as its jitter.
    const deadlineNs = Float64Array.from(model.deadlineNs)
    deadlineNs[flow]! += model.jitterNs[flow]!
    return new DeadlineResponseTest({ ...model, deadlineNs }).bound(flow, ownJitterNs[flow])
  }
}
