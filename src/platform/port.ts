/**
 * The port: what the broker needs of a platform, and nothing else. Coarse actions only, integers in, integers or booleans
 * out, no callbacks: a platform calls the broker, the broker calls its port, and neither waits inside.
 *
 * Times are ns on one clock that all cores share. `vm` and `core` are small indices.
 */
import type { DmaList } from './dma-list.ts'

/** What a platform can do beyond copying; the broker decides once, when it is built. */
export const PlatformCapability = {
  /** Guest memory is mapped page by page and can be remapped: `stage2*`, `scrubFrame`, `copyFrame`, `frameColor`. */
  remap: 1,
  /** A running DMA list can be extended and paused at a piece border. */
  dmaChaining: 2,
  /** Pages can be mapped read-only: `stage2Protect`, and `stage2Map` with `writable` false. Includes `remap`. */
  lend: 4,
  /** All translations of one VM can be invalidated at once: `tlbInvalidateAll`. */
  vmidInvalidate: 8,
  /** Devices reach guest memory through an SMMU that keeps translations of its own: `smmuInvalidate`. */
  smmu: 16,
} as const

/** What a platform does for the broker: time, memory of the VMs, DMA, interrupts, mappings and the lock. */
export interface PlatformPort {
  /** Bits of `PlatformCapability`. */
  readonly capabilities: number

  /** Local time of the running step in ns: charges already made are included. */
  now(): number
  /** Announces `count` actions of kind `op` (a `CostOp`); takes simulated time, or is counted. */
  charge(op: number, count: number): void

  /** FIFO lock. True: held now. False: queued; the platform calls `Broker.resume(core)` once it is held. */
  acquireLock(core: number): boolean
  releaseLock(core: number): void

  /** Makes `vm` see its device's interrupt: injected if the caller runs on the VM's core, else by way of an IPI. */
  interruptGuest(fromCore: number, vm: number): void
  /** Interrupts another core; arrives there as `BrokerCause.ipi`. */
  sendIpi(fromCore: number, toCore: number): void

  /** DMA busy time in ns of `bytes` at the regulated rate, rounded up: c(b) of the analysis. */
  dmaBusyNs(bytes: number): number
  /**
   * Starts the list; its one completion interrupt goes to `interruptCore` as `BrokerCause.dmaInterrupt`. With `NO_INTERRUPT`
   * there is none, and the broker asks `dmaIdle`.
   */
  dmaStart(list: DmaList, interruptCore: number): void
  /** The running list has grown. False: the engine had already reached the old end; the new entries were not taken. */
  dmaExtend(list: DmaList): boolean
  /** Stops at the first piece border the engine can still honour. False: that is the list's end anyway. */
  dmaPause(): boolean
  /** The list has ended; asked only of one without interrupt. */
  dmaIdle(): boolean
  /** Whole pieces moved by the list that last ended, and when the last byte of each of them arrived (ns). */
  dmaCompletedPieces(): number
  dmaPieceEndNs(piece: number): number

  /** One timer, on the calling core: `BrokerCause.timer` at `timeNs`; a later call replaces it, Infinity disarms it. */
  setTimer(core: number, timeNs: number): void

  /**
   * The broker is in the middle of long work on `core`, the calling one. True: guests of the core have interrupts to take or to
   * finish, so the broker leaves, and as soon as they have none left the platform enters it again as `BrokerCause.guestIdle`; it
   * forgets that when it enters for anything else. (On Arm: ISR_EL1, or a virtual interrupt that is pending or active, and a trap
   * of WFI.) False: nobody waits.
   */
  yieldToGuest(core: number): boolean

  /** Removes the mapping of one guest page and returns the frame it had. Needs `PlatformCapability.remap`, as all below. */
  stage2Unmap(vm: number, guestAddress: number): number
  stage2Map(vm: number, guestAddress: number, frame: number, writable: boolean): void
  /** Changes whether the VM may write a page that is mapped; less is in force only after an invalidation. */
  stage2Protect(vm: number, guestAddress: number, writable: boolean): void
  /** Invalidates the translations of `pages` guest pages from `guestAddress` on, and waits until all cores have. */
  tlbInvalidate(vm: number, guestAddress: number, pages: number): void
  /** The same for all of the VM's translations; the VM pays for refilling its TLB. */
  tlbInvalidateAll(vm: number): void
  /** Invalidates the VM's translations in the SMMU, and waits. */
  smmuInvalidate(vm: number): void
  /** Zeroes a frame, so that its next owner reads nothing of the last. */
  scrubFrame(frame: number): void
  /** Copies a frame's bytes by CPU. */
  copyFrame(from: number, to: number): void
  /** Page colour: frames of different colours never compete for a set of the shared cache. */
  frameColor(frame: number): number
}

/** Why the platform calls the broker. */
export const BrokerCause = {
  /** A guest wrote its doorbell; the argument is `vm * 2 + queue` (`BrokerQueue`). */
  doorbell: 0,
  /** The DMA list ended or paused. */
  dmaInterrupt: 1,
  timer: 2,
  /** Another core asked. */
  ipi: 3,
  /** Another core takes no interrupts for a while, and had set its timer: this one has to look when work is due. */
  takeOver: 4,
  /** The guests that this core left for (`yieldToGuest`) wait for interrupts. */
  guestIdle: 5,
  /** The driver of a VM of this core resets its device, or asks whether that is complete; the argument is the VM. */
  detach: 6,
} as const

/** An `interruptCore` of a transfer whose end is polled for. */
export const NO_INTERRUPT = -1

/** The two queues of a VM that the broker serves. */
export const BrokerQueue = { receive: 0, transmit: 1 } as const

/** What one bounded step came to. */
export const StepResult = {
  /** Nothing left to do here; return to the guest. */
  done: 0,
  /** The lock is taken: the core spins, and the platform calls `resume` once it is held. */
  waitLock: 1,
  /** There is more: the platform lets pending interrupts in, then calls `resume`. */
  more: 2,
} as const
