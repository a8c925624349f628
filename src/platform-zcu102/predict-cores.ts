/**
 * Time that the hypervisor layer takes on each core in any window: entries of its own, and spinning for what other cores do
 * under the lock. Events are counted by the messages that can have any in the window: those released within it or within
 * their span before it.
 */
import { CostOp } from '../platform/index.ts'
import { awaitedNs, controlMessages, refillKickNs, type SoftwareCosts, STEP_BATCH } from './predict-software.ts'
import type { System, SystemFlow } from './predict-system.ts'

/** Messages of a flow that can be between its guests at once: a sender has so many buffers. */
export const MOST_UNDER_WAY = 4

/** `spanNs`: from nominal release until nothing is done for the message any more; Infinity: not known. */
export function messagesWithin(flow: SystemFlow, spanNs: number, windowNs: number): number {
  if (spanNs < Number.POSITIVE_INFINITY) return Math.floor((windowNs + spanNs) / flow.periodNs) + 1
  // As many as there are buffers, then one for each that the DMA can finish, or that is released.
  return 1 + MOST_UNDER_WAY + Math.floor(windowNs / flow.workNs) + Math.floor(windowNs / flow.periodNs)
}

/** What one message costs a core, its pieces apart, and what each piece does; ns of its own, lock holds of others, entries. */
interface Share {
  readonly messageNs: number
  readonly pieceNs: number
  readonly othersMessageNs: number
  readonly othersPieceNs: number
  readonly messageEntries: number
  readonly pieceEntries: number
}

export class CoreLoad {
  readonly #system: System
  readonly #core: number
  readonly #software: SoftwareCosts
  readonly #spans: readonly number[]
  readonly #shares: readonly Share[]

  constructor(system: System, core: number, software: SoftwareCosts, spans: readonly number[]) {
    this.#system = system
    this.#core = core
    this.#software = software
    this.#spans = spans
    this.#shares = system.flows.map((flow) =>
      system.design === 'floating' ? this.#floating(flow) : this.#dedicated(flow),
    )
  }

  /** I_k(t): most that the core loses in any window of `windowNs`. */
  within(windowNs: number): number {
    const { flows, design } = this.#system
    const { stepNs, surplusNs } = this.#software
    let ownNs = 0
    let othersNs = 0
    let entries = 0
    let costliestNs = 0
    let costliestOthersNs = 0
    let shortPieces = 0
    let piecesNs = 0
    let othersPiecesNs = 0
    let pieceEntries = 0
    flows.forEach((flow, i) => {
      const share = this.#shares[i]!
      const messages = messagesWithin(flow, this.#spans[i]!, windowNs)
      ownNs += messages * share.messageNs
      othersNs += messages * share.othersMessageNs
      entries += messages * share.messageEntries
      shortPieces += messages
      piecesNs += messages * flow.pieces * share.pieceNs
      othersPiecesNs += messages * flow.pieces * share.othersPieceNs
      pieceEntries += messages * flow.pieces * share.pieceEntries
      costliestNs = Math.max(costliestNs, share.pieceNs)
      costliestOthersNs = Math.max(costliestOthersNs, share.othersPieceNs)
    })
    // The one DMA cannot complete them faster than it copies; with those that arrived before and are still being handled.
    const copied = this.#copiedWithin(windowNs) + shortPieces + this.#backlog()
    ownNs += Math.min(piecesNs, copied * costliestNs)
    othersNs += Math.min(othersPiecesNs, copied * costliestOthersNs)
    entries += Math.min(pieceEntries, 3 * copied)
    if (design === 'dedicated') return ownNs
    const timers = this.#timersWithin(windowNs)
    ownNs += timers * (this.#software.timerNs + this.#software.beginNs) + surplusNs
    entries += timers
    const others = this.#system.cores.length - 1
    return ownNs + Math.min(entries * others * stepNs, othersNs + surplusNs + others * stepNs)
  }

  /** Share of the core that is lost in the long run. */
  get rate(): number {
    const { flows, design } = this.#system
    const perMessage = (i: number, flow: SystemFlow) => {
      const share = this.#shares[i]!
      const spinNs = design === 'dedicated' ? 0 : share.othersMessageNs + flow.pieces * share.othersPieceNs
      return share.messageNs + flow.pieces * share.pieceNs + spinNs
    }
    const { regulator } = this.#system
    const timers = design === 'floating' && regulator.kind === 'budget' ? 1 / regulator.periodNs : 0
    return (
      flows.reduce((total, flow, i) => total + perMessage(i, flow) / flow.periodNs, 0) + timers * this.#software.timerNs
    )
  }

  #floating(flow: SystemFlow): Share {
    const { worst, chains, interrupts } = this.#system
    const { beginNs } = this.#software
    const sends = flow.sourceCore === this.#core
    const receives = flow.destinationCore === this.#core
    const lockNs = worst(CostOp.lockCriticalSection)
    const fetchNs = worst(CostOp.fetchDescriptor)
    const usedNs = worst(CostOp.usedRing)
    const interruptNs = worst(CostOp.irqEntryAck)
    const injectNs = worst(CostOp.injectListRegister)
    const kick = refillKickNs(this.#system)
    const held = interrupts.coalesceCount > 1 ? 1 : 0
    const control = flow.creditEvery < Number.POSITIVE_INFINITY ? 1 / flow.creditEvery : 0

    const doorbellHoldNs = 2 * lockNs + fetchNs + beginNs
    const announceHoldNs =
      usedNs + (chains ? Math.ceil(flow.pieces / STEP_BATCH) * lockNs : 0) + awaitedNs(this.#system, flow)
    const endHoldNs = lockNs + beginNs + usedNs + injectNs
    const extendNs = fetchNs + (chains ? lockNs : 0)
    const kickHoldNs = kick > 0 ? lockNs + beginNs : 0
    const heldHoldNs = held * (lockNs + beginNs + injectNs)
    // A credit update goes the other way, and is moved by the core that its doorbell traps on.
    const controlHoldNs = 2 * lockNs + 2 * fetchNs + beginNs + 2 * usedNs + kickHoldNs
    const controlTraps = Math.ceil(control) * (receives ? worst(CostOp.mmioTrap) + interruptNs + injectNs : 0)
    const controlAnswers = Math.ceil(control) * (sends ? 2 * (interruptNs + injectNs) + kick : 0)
    return {
      messageNs:
        (sends ? worst(CostOp.mmioTrap) + doorbellHoldNs + interruptNs + injectNs : 0) +
        (receives ? announceHoldNs + held * (2 * interruptNs + injectNs) + heldHoldNs : 0) +
        controlTraps +
        controlAnswers +
        (receives ? Math.ceil(control) * controlHoldNs : 0),
      // Whichever core started a transfer chains the rest of it.
      pieceNs: extendNs + (receives ? interruptNs + endHoldNs + (kick > 0 ? kick + beginNs : 0) : 0),
      othersMessageNs:
        (sends ? 0 : doorbellHoldNs) +
        (receives ? 0 : announceHoldNs + heldHoldNs) +
        (receives ? 0 : Math.ceil(control) * controlHoldNs),
      othersPieceNs: receives ? 0 : endHoldNs + kickHoldNs,
      messageEntries:
        (sends ? 2 : 0) + (receives ? held + 3 * Math.ceil(control) : 0) + Math.ceil(flow.pieces / STEP_BATCH),
      pieceEntries: (chains ? 1 : 0) + (receives ? 1 + (kick > 0 ? 1 : 0) : 0),
    }
  }

  /** On a VM's core the dedicated broker only forwards and injects. */
  #dedicated(flow: SystemFlow): Share {
    const { worst, interrupts } = this.#system
    const sends = flow.sourceCore === this.#core
    const receives = flow.destinationCore === this.#core
    const injectionNs = worst(CostOp.irqEntryAck) + worst(CostOp.injectListRegister)
    const trapNs = worst(CostOp.mmioTrap)
    const control = flow.creditEvery < Number.POSITIVE_INFINITY ? 1 : 0
    return {
      messageNs:
        (sends ? trapNs + injectionNs + control * (injectionNs + trapNs) : 0) +
        (receives ? control * (trapNs + injectionNs) : 0),
      pieceNs: receives ? injectionNs + (interrupts.suppressRefill ? 0 : trapNs) : 0,
      othersMessageNs: 0,
      othersPieceNs: 0,
      messageEntries: 0,
      pieceEntries: 0,
    }
  }

  #copiedWithin(windowNs: number): number {
    const { fullPieceNs } = this.#system
    return Math.floor(windowNs / (fullPieceNs + this.#software.bestAfterChoiceNs)) + 1
  }

  /** Pieces that have arrived, and whose events are still to come. */
  #backlog(): number {
    const { chains, flows } = this.#system
    if (!chains) return 2 + controlMessages(this.#system)
    return flows.reduce((sum, flow, i) => sum + messagesWithin(flow, this.#spans[i]!, 0) * flow.pieces, 0)
  }

  #timersWithin(windowNs: number): number {
    const { regulator } = this.#system
    if (regulator.kind === 'bucket') return this.#copiedWithin(windowNs)
    if (regulator.kind !== 'budget' || regulator.budgetNs === regulator.periodNs) return 0
    return Math.floor(windowNs / regulator.periodNs) + 2
  }
}
