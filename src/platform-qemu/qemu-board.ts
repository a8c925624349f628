/**
 * QEMU's ZCU102 behind the simulated board. The board decides what happens and when; here it happens: guests run in their own stage-2
 * translation and trap, interrupts go through the controller to the core that takes them, the DMA moves the bytes. Whatever does not happen as the board
 * has it, is lost or comes to the wrong place, is an error that says what was expected and what came.
 */
import { VirtioError } from '../internal/error.ts'
import type { GuestParts, GuestProgram, MachineMemory } from '../machine/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { type DmaList, NO_INTERRUPT } from '../platform/index.ts'
import { type BehindBoard, type BoardHardware, PhysicalInterrupt } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { NUMBER_OF, QemuGic } from './gic.ts'
import { Job } from './job.ts'
import { GICV, GUEST_GICC, GUEST_PROGRAM, PROGRAM_BYTES, PROGRAMS, physical } from './layout.ts'
import { QemuGuest } from './qemu-guest.ts'
import type { QemuProcess } from './qemu-process.ts'
import { RunningGuests } from './running-guests.ts'
import { Stage2Tables } from './stage2-tables.ts'
import { type DmaFault, Zdma } from './zdma.ts'

/** What QEMU has counted since the flows started. */
export interface QemuCounts {
  /** Stops of guests by a trap or an interrupt; that they wait counts where the broker has asked for it. */
  readonly exits: number
  /** Physical interrupts that VMs' cores have acknowledged. */
  readonly interrupts: number
  /** Software interrupts sent from one core to another. */
  readonly ipis: number
  /** List registers written, and virtual interrupts that guests have taken. */
  readonly listRegisters: number
  readonly virtualInterrupts: number
  /** Lists that the DMA has moved, with how many descriptors and bytes. */
  readonly transfers: number
  readonly descriptors: number
  readonly bytes: number
  /** Stage-2 entries written, translations invalidated, pages filled by the DMA and copied by a core. */
  readonly tableWrites: number
  readonly invalidations: number
  readonly filledPages: number
  readonly copiedPages: number
}

const noCounts = (): { -readonly [Name in keyof QemuCounts]: number } => ({
  exits: 0,
  interrupts: 0,
  ipis: 0,
  listRegisters: 0,
  virtualInterrupts: 0,
  transfers: 0,
  descriptors: 0,
  bytes: 0,
  tableWrites: 0,
  invalidations: 0,
  filledPages: 0,
  copiedPages: 0,
})

/** @internal Something done wrong, to show that it is found: a stage-2 invalidation, an acknowledgement or the routing of the DMA's interrupt left out. */
export type BoardFault = 'no-invalidation' | 'no-acknowledgement' | 'no-routing'

export class QemuBoard implements BoardHardware, BehindBoard {
  readonly hardware = this
  readonly #qemu: QemuProcess
  readonly #gic: QemuGic
  readonly #zdma: Zdma
  readonly #tables: Stage2Tables
  readonly #jobs: readonly Job[]
  readonly #guests: RunningGuests
  readonly #memory: MachineMemory
  readonly #vmCores: readonly number[]
  readonly #seed: number
  readonly #fault: BoardFault | DmaFault | null
  /** The core in the hypervisor layer. */
  #core = 0
  #counts = noCounts()
  #interruptsBefore = 0

  constructor(
    qemu: QemuProcess,
    scenario: Scenario,
    memory: MachineMemory,
    fault: BoardFault | DmaFault | null = null,
  ) {
    const { control, mailboxes } = qemu
    const { vms } = scenario
    this.#qemu = qemu
    this.#memory = memory
    this.#vmCores = vms.map(({ core }) => core)
    this.#seed = scenario.seed
    this.#fault = fault
    this.#gic = new QemuGic(mailboxes)
    this.#zdma = new Zdma(control, { addressOf: (frame) => this.#addressOf(frame) }, fault)
    this.#tables = new Stage2Tables(control, vms.length)
    this.#jobs = vms.map((_, vm) => new Job(control, vm))
    const roots = vms.map((_, vm) => this.#tables.baseOf(vm))
    this.#guests = new RunningGuests(control, mailboxes, this.#gic, this.#jobs, this.#vmCores, roots)
    this.#gic.setUp()
    vms.forEach((_, vm) => {
      this.#load(vm)
    })
  }

  #addressOf(frame: number): number {
    return this.#memory.dram.addressOf(frame)
  }

  /** The VM's program, its registers, and everything that it may reach. */
  #load(vm: number): void {
    const program = PROGRAMS + vm * PROGRAM_BYTES
    new Uint8Array(this.#qemu.control, program, PROGRAM_BYTES).set(this.#qemu.guestProgram)
    for (let at = 0; at < PROGRAM_BYTES; at += PAGE_SIZE) {
      this.#tables.map(vm, GUEST_PROGRAM + at, physical(program + at), 'writable')
    }
    this.#tables.map(vm, GUEST_GICC, GICV, 'device')
    const { base, frames } = this.#memory.stage2[vm]!
    frames.forEach((frame, page) => {
      this.#tables.map(vm, base + page * PAGE_SIZE, this.#addressOf(frame), 'writable')
    })
  }

  // ---- guests

  readonly makeGuest = (parts: GuestParts): GuestProgram => {
    return new QemuGuest(parts, this.#jobs[parts.vm]!, this.#guests, this.#seed)
  }

  doorbell(_core: number, vm: number, queue: number): void {
    this.#guests.doorbell(vm, queue)
    this.#counts.exits++
  }

  idle(core: number): void {
    this.#vmCores.forEach((own, vm) => {
      if (own === core) this.#guests.settle(vm)
    })
    this.#counts.exits++
  }

  enter(core: number): void {
    this.#core = core
  }

  // ---- interrupts

  raise(core: number, interrupt: number, sender: number): void {
    if (interrupt === PhysicalInterrupt.dma) return
    if (interrupt === PhysicalInterrupt.timer) {
      this.#qemu.mailboxes[core]!.timer(true)
      this.#qemu.mailboxes[core]!.flush()
    } else {
      this.#gic.sendSgi(sender, core, interrupt)
      this.#counts.ipis++
    }
  }

  leaveGuest(core: number): void {
    // A core without a VM waits in the hypervisor layer.
    if (this.#guests.interrupt(core)) this.#counts.exits++
  }

  acknowledge(core: number, interrupt: number): void {
    const expected = NUMBER_OF[interrupt]
    const acknowledged = this.#gic.acknowledge(core)
    const number = acknowledged & 0x3ff
    if (number !== expected) {
      const came = number >= 1020 ? 'none is pending' : `interrupt ${number} came`
      throw new VirtioError('QEMU_FAULT', `core ${core} of QEMU's ZCU102 should take interrupt ${expected}; ${came}`)
    }
    const mailbox = this.#qemu.mailboxes[core]!
    if (interrupt === PhysicalInterrupt.timer) mailbox.timer(false)
    if (interrupt === PhysicalInterrupt.dma && this.#fault !== 'no-acknowledgement') this.#zdma.acknowledge(mailbox)
    this.#gic.end(core, acknowledged)
    if (this.#vmCores.includes(core)) this.#counts.interrupts++
  }

  inject(vm: number): void {
    this.#guests.inject(vm)
    this.#counts.listRegisters++
  }

  // ---- DMA

  dmaStart(list: DmaList): void {
    this.#zdma.start(this.#here, list)
  }

  dmaExtend(list: DmaList): void {
    this.#zdma.extend(list)
  }

  dmaPause(_list: DmaList, pieces: number): void {
    this.#zdma.pause(pieces)
  }

  dmaFinish(list: DmaList, pieces: number, interruptCore: number): void {
    const interrupts = interruptCore !== NO_INTERRUPT
    const mailbox = this.#here
    if (interrupts && this.#fault !== 'no-routing') this.#gic.routeDma(mailbox, interruptCore)
    const { bytes, descriptors } = this.#zdma.finish(mailbox, interrupts)
    let expected = 0
    for (let i = 0; i < list.entryCount && list.piece[i]! < pieces; i++) expected += list.bytes[i]!
    if (bytes !== expected) {
      throw new VirtioError(
        'QEMU_FAULT',
        `the DMA of QEMU's ZCU102 moved ${bytes} bytes; the ${pieces} pieces that have ended have ${expected}`,
      )
    }
    this.#counts.transfers++
    this.#counts.descriptors += descriptors
    this.#counts.bytes += bytes
  }

  // ---- stage 2

  map(vm: number, guestAddress: number, frame: number, writable: boolean): void {
    this.#counts.tableWrites++
    if (frame < 0) this.#tables.unmap(vm, guestAddress)
    else this.#tables.map(vm, guestAddress, this.#addressOf(frame), writable ? 'writable' : 'read-only')
  }

  invalidate(vm: number, guestAddress: number, pages: number): void {
    if (this.#fault === 'no-invalidation') return
    for (let page = 0; page < pages; page++) {
      this.#here.flushPage(this.#tables.baseOf(vm), guestAddress + page * PAGE_SIZE)
    }
    this.#here.flush()
    this.#counts.invalidations += pages
  }

  invalidateAll(vm: number): void {
    if (this.#fault === 'no-invalidation') return
    this.#here.flushVm(this.#tables.baseOf(vm))
    this.#here.flush()
    this.#counts.invalidations++
  }

  scrubFrame(frame: number): void {
    this.#zdma.fill(this.#here, frame)
    this.#counts.filledPages++
  }

  copyFrame(from: number, to: number): void {
    this.#here.copyPage(this.#addressOf(to), this.#addressOf(from))
    this.#here.flush()
    this.#counts.copiedPages++
  }

  get #here() {
    return this.#qemu.mailboxes[this.#core]!
  }

  // ---- counts

  resetCounts(): void {
    this.#counts = noCounts()
    this.#interruptsBefore = this.#guests.interruptsTaken
  }

  get counts(): QemuCounts {
    return { ...this.#counts, virtualInterrupts: this.#guests.interruptsTaken - this.#interruptsBefore }
  }
}
