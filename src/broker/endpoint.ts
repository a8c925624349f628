/** A VM as the broker sees it: its core, its memory, the device side of its two queues, and what is under way for it. */
import type { GuestMemory, SegmentList } from '../memory/index.ts'
import type { DeviceRing } from '../virtqueue/index.ts'
import type { ReceivePool } from './receive-pool.ts'
import type { Transfer } from './transfer.ts'

/** The rings of a VM, from the broker's side. */
export interface EndpointQueues {
  readonly memory: GuestMemory
  readonly receive: DeviceRing
  readonly transmit: DeviceRing
  /** Where the two rings lie: their pages never change owners. */
  readonly rings: SegmentList
}

/** A VM as the broker sees it: its core, its rings once the driver has set them up, and what it holds of them. */
export class Endpoint {
  readonly vm: number
  readonly core: number
  queues: EndpointQueues | null = null
  pool: ReceivePool | null = null
  /** Its driver resets the device, and something is still under way. */
  leaving = false
  /**
   * It made the broker work for nothing: until then its doorbells and resets wait, and its receive buffers are left where they are. How
   * long it rests each time: a period of its most frequent flow, ns.
   */
  restsUntilNs = 0
  readonly restNs: number
  /** Fetches for receive buffers that went back empty in the step `uselessInStep`; the last step that interrupted it. */
  uselessFetches = 0
  uselessInStep = -1
  interruptedInStep = -1
  /** The core that holds back an interrupt which its receive ring asks for, or -1; until when (ns), and for how many messages. */
  heldBy = -1
  heldUntilNs = 0
  heldMessages = 0
  /** Arrived transfers whose used elements are not all written, oldest first. */
  readonly arrived: Transfer[] = []
  /** A sender waits for buffers whose pages it has borrowed: when it makes receive buffers available it has to kick. */
  watched = false
  /** The core that writes them, or -1. */
  announcer = -1

  /** Since when a message for this VM waits for a receive buffer, Infinity: none does; and for how long some did before. */
  #starvedSinceNs = Number.POSITIVE_INFINITY
  #starvedBeforeNs = 0

  constructor(vm: number, core: number, restNs = 0) {
    this.vm = vm
    this.core = core
    this.restNs = restNs
  }

  /** A message for this VM waits for a receive buffer: its next refill has to kick. */
  get starved(): boolean {
    return this.#starvedSinceNs < Number.POSITIVE_INFINITY
  }

  starve(nowNs: number): void {
    this.#starvedSinceNs = Math.min(this.#starvedSinceNs, nowNs)
  }

  /** It has refilled its ring, or is gone. */
  feed(nowNs: number): void {
    this.#starvedBeforeNs = this.starvedNs(nowNs)
    this.#starvedSinceNs = Number.POSITIVE_INFINITY
  }

  /** For how long messages have waited for receive buffers of this VM, in all, ns. */
  starvedNs(nowNs: number): number {
    return this.#starvedBeforeNs + Math.max(0, nowNs - this.#starvedSinceNs)
  }

  /** Nothing can be taken from it any more: it is not attached, or leaves. */
  get gone(): boolean {
    return this.queues === null || this.leaving
  }

  /** Messages for it cannot be delivered any more: it is gone, or broke its receive queue. */
  get unreachable(): boolean {
    return this.leaving || this.queues === null || this.queues.receive.violation !== null
  }
}
