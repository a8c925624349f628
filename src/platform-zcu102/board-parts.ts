/** What a board is put together from, and the kernel events that it handles. */

import type { Dram, Stage2Table } from '../machine/index.ts'
import { BrokerCause, PlatformCapability } from '../platform/index.ts'
import type { EventKernel, PreemptiveCores, TicketLock, TraceRecorder } from '../sim/index.ts'
import type { BoardHardware } from './board-hardware.ts'
import type { CostModel } from './cost-model.ts'
import type { Counters } from './counters.ts'
import type { Gdma } from './gdma.ts'
import { type Gic, PhysicalInterrupt } from './gic.ts'
import type { MemGuard } from './memguard.ts'

/** Kinds of kernel events that the board handles; guests have theirs from `GUEST_EVENTS` on. */
export const BoardEvent = {
  enterBroker: 0,
  leave: 2,
  unlock: 3,
  dmaEnd: 4,
  ipi: 5,
  timer: 6,
  injectByIpi: 7,
  takeOver: 9,
} as const
export const CORE_DONE_EVENT = 8
export const GUEST_EVENTS = 16

/** Ties in time: hardware first, then EL2, then guests. */
export const HARDWARE = 0
export const EL2 = 1

export const MEMGUARD_EVENTS = { exhausted: 10, period: 11, priority: HARDWARE } as const

/** Not causes of the broker's: the IPI that asks this core to inject a virtual interrupt, and those of MemGuard. */
export const INJECT = -1
export const THROTTLE = -2
const NEW_PERIOD = -3

export const CAUSE_OF_INTERRUPT: Readonly<Record<number, number>> = {
  [PhysicalInterrupt.dma]: BrokerCause.dmaInterrupt,
  [PhysicalInterrupt.timer]: BrokerCause.timer,
  [PhysicalInterrupt.kick]: BrokerCause.ipi,
  [PhysicalInterrupt.takeOver]: BrokerCause.takeOver,
  [PhysicalInterrupt.guest]: INJECT,
  [PhysicalInterrupt.newPeriod]: NEW_PERIOD,
  [PhysicalInterrupt.exhausted]: THROTTLE,
}

export const LINES_PER_PAGE = 64

/** Of the port: the board can do everything that a broker may want. */
export const CAPABILITIES =
  PlatformCapability.dmaChaining |
  PlatformCapability.remap |
  PlatformCapability.lend |
  PlatformCapability.vmidInvalidate |
  PlatformCapability.smmu

export interface BoardParts {
  readonly kernel: EventKernel
  readonly cores: PreemptiveCores
  readonly lock: TicketLock
  readonly gic: Gic
  readonly dma: Gdma
  readonly dram: Dram
  /** By VM. */
  readonly stage2: readonly Stage2Table[]
  readonly vmCores: readonly number[]
  readonly costs: CostModel
  readonly counters: Counters
  readonly memguard: MemGuard
  readonly trace: TraceRecorder
  /** What does the same for real; null: nothing does. */
  readonly hardware: BoardHardware | null
  /** The DMA moves real bytes (else only lengths travel). */
  readonly movesBytes: boolean
  /** Guests of a core have interrupts to take, or still do what these asked of them; computations do not count. */
  readonly guestsBusy: (core: number) => boolean
  /** A virtual interrupt of a VM became pending. */
  readonly onGuestInterrupt: (vm: number) => void
  /** A VM resets its device, or asks whether that is complete; in EL2, when the broker has done what it can. */
  readonly onStatusAccess: (vm: number) => void
  /** All of a VM's translations were invalidated: its core refills its TLB, in the VM's own time. */
  readonly onTlbFlush: (vm: number) => void
}
