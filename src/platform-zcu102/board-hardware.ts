/**
 * A machine behind the simulated board, which does for real what the board decides, and when the board's clock says so: a guest that
 * runs stops there, an interrupt is raised at its interrupt controller, its DMA moves the bytes. It tells nothing back but by failing: what does not
 * happen as on the board is an error, thrown from the call.
 */
import type { DmaList } from '../platform/index.ts'

/** What the board asks of it. Cores, VMs and queues by number; frames by number too. */
export interface BoardHardware {
  /** The guest of `vm` has stored to the doorbell of `queue`, and that has trapped. */
  doorbell(core: number, vm: number, queue: number): void
  /** The guests of a core have nothing left to do, and wait: that traps. */
  idle(core: number): void
  /** The core is in the hypervisor layer; what follows is done by it. */
  enter(core: number): void

  /** A `PhysicalInterrupt` becomes pending at a core; `sender` is the core that raises one of software. */
  raise(core: number, interrupt: number, sender: number): void
  /** The guest of a core stops because an interrupt is pending. */
  leaveGuest(core: number): void
  /** The hypervisor layer of a core takes its first pending interrupt, which is this one. */
  acknowledge(core: number, interrupt: number): void
  /** The virtual interrupt of `vm` becomes pending, in a list register, unless it is already. */
  inject(vm: number): void

  /** The DMA is given a list; its last descriptor pauses it. Nothing of it has moved before `dmaFinish`. */
  dmaStart(list: DmaList): void
  /** The list has grown. */
  dmaExtend(list: DmaList): void
  /** It is to stop behind the first `pieces` pieces. */
  dmaPause(list: DmaList, pieces: number): void
  /** So many pieces have moved, and the DMA has stopped; it interrupts `interruptCore` unless that is `NO_INTERRUPT`. */
  dmaFinish(list: DmaList, pieces: number, interruptCore: number): void

  /** A guest page has another frame (-1: none) or other rights; in force after an invalidation. */
  map(vm: number, guestAddress: number, frame: number, writable: boolean): void
  invalidate(vm: number, guestAddress: number, pages: number): void
  invalidateAll(vm: number): void
  scrubFrame(frame: number): void
  copyFrame(from: number, to: number): void
}
