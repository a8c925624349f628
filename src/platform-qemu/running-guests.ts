/** Guests on the cores of QEMU's ZCU102: their registers, where they have stopped, and the list register that shows them their interrupt. */
import { VirtioError } from '../internal/error.ts'
import { isEmpty, pendingVirtual, type QemuGic } from './gic.ts'
import { Command, type Job } from './job.ts'
import { CONTEXT_BYTES, CONTEXTS, GUEST_DOORBELL, GUEST_PROGRAM, physical } from './layout.ts'
import type { GuestStop, Mailbox } from './mailbox.ts'

const DATA_ABORT = 0x24
const HYPERCALL = 0x16
const SYNDROME_VALID = 1 << 24
/** Of a context, behind x0 to x30. */
const PC = 0x100
const PSTATE = 0x108
const VTTBR = 0x128
/** EL1 with its own stack, all interrupts masked. */
const EL1H_MASKED = 0x3c5
const NOBODY = -1

interface RunningGuest {
  readonly vm: number
  readonly core: number
  readonly job: Job
  readonly context: DataView
  /** It stopped at a store that trapped, which is not done again. */
  trapped: boolean
  /** It stopped at a doorbell, and does not wait yet. */
  atDoorbell: boolean
  /** What its list register holds. */
  listRegister: number
}

export class RunningGuests {
  readonly #mailboxes: readonly Mailbox[]
  readonly #gic: QemuGic
  /** By VM. */
  readonly #guests: readonly RunningGuest[]
  /** By core: the VM whose list register it has, or `NOBODY`. */
  readonly #running: Int32Array

  /** `tables`: VTTBR_EL2 by VM. */
  constructor(
    control: ArrayBuffer,
    mailboxes: readonly Mailbox[],
    gic: QemuGic,
    jobs: readonly Job[],
    vmCores: readonly number[],
    tables: readonly number[],
  ) {
    this.#mailboxes = mailboxes
    this.#gic = gic
    this.#running = new Int32Array(mailboxes.length).fill(NOBODY)
    this.#guests = jobs.map((job, vm) => {
      const context = new DataView(control, CONTEXTS + vm * CONTEXT_BYTES, CONTEXT_BYTES)
      context.setUint32(PC, GUEST_PROGRAM, true)
      context.setUint32(PSTATE, EL1H_MASKED, true)
      context.setUint32(VTTBR, tables[vm]! >>> 0, true)
      context.setUint32(VTTBR + 4, Math.floor(tables[vm]! / 2 ** 32), true)
      const core = vmCores[vm]!
      return { vm, core, job, context, trapped: false, atDoorbell: false, listRegister: 0 }
    })
  }

  /** Runs a command until the guest waits again. Returns its kicks. */
  run(vm: number, command: number): number {
    const guest = this.#guests[vm]!
    this.settle(vm)
    guest.job.ask(command)
    const queue = this.#runOn(guest)
    if (queue !== NOBODY) throw strange(guest, `wrote doorbell ${queue} unasked`)
    const { fault, kicks } = guest.job
    if (fault !== null) throw strange(guest, fault)
    return kicks
  }

  /** It stores to the doorbell of this queue, and that traps. */
  doorbell(vm: number, queue: number): void {
    const guest = this.#guests[vm]!
    this.settle(vm)
    guest.job.ask(Command.doorbell, queue)
    const rung = this.#runOn(guest)
    if (rung !== queue) throw strange(guest, `should write doorbell ${queue}, and wrote ${rung}`)
    guest.atDoorbell = true
  }

  /** Behind its doorbell it goes on until it waits. */
  settle(vm: number): void {
    const guest = this.#guests[vm]!
    if (!guest.atDoorbell) return
    guest.atDoorbell = false
    if (this.#runOn(guest) !== NOBODY) throw strange(guest, 'should wait after its doorbell')
  }

  /** The guest of a core is interrupted. False: the core has none. */
  interrupt(core: number): boolean {
    const guest = this.#guests[this.#running[core]!] ?? this.#guests.find((other) => other.core === core)
    if (guest === undefined) return false
    const { kind } = this.#resume(guest)
    if (kind !== 'interrupt') throw strange(guest, `runs on: no interrupt reaches core ${core}`)
    return true
  }

  /** Its virtual interrupt becomes pending, or is so already. */
  inject(vm: number): void {
    const guest = this.#guests[vm]!
    guest.listRegister = pendingVirtual(vm)
    // Written when the guest runs, if another one of the core ran last.
    if (this.#running[guest.core] === vm) this.#gic.writeListRegister(guest.core, guest.listRegister)
  }

  isInterrupted(vm: number): boolean {
    return !isEmpty(this.#guests[vm]!.listRegister)
  }

  /** Virtual interrupts that guests have taken, in all. */
  get interruptsTaken(): number {
    return this.#guests.reduce((sum, { job }) => sum + job.interrupts, 0)
  }

  /** Until it stops by itself: the queue of the doorbell at which it has, or `NOBODY`. */
  #runOn(guest: RunningGuest): number {
    const stop = this.#resume(guest)
    if (stop.kind === 'interrupt') throw strange(guest, 'was interrupted, and nothing is pending on the board')
    return queueOf(guest, stop)
  }

  #resume(guest: RunningGuest): GuestStop {
    const { context, core, vm } = guest
    if (guest.trapped) context.setUint32(PC, context.getUint32(PC, true) + 4, true)
    if (this.#running[core] !== vm) {
      this.#running[core] = vm
      this.#gic.writeListRegister(core, guest.listRegister)
    }
    const stop = this.#mailboxes[core]!.run(physical(CONTEXTS + vm * CONTEXT_BYTES))
    guest.trapped = stop.kind === 'synchronous' && stop.syndrome >>> 26 === DATA_ABORT
    guest.listRegister = stop.listRegister
    return stop
  }
}

/** The queue whose doorbell it stored to, or `NOBODY`: it waits. */
function queueOf(guest: RunningGuest, { syndrome, address }: GuestStop): number {
  const cause = syndrome >>> 26
  if (cause === HYPERCALL) return NOBODY
  if (cause !== DATA_ABORT || address !== GUEST_DOORBELL || (syndrome & SYNDROME_VALID) === 0) {
    const what = cause === DATA_ABORT ? `an access to 0x${address.toString(16)} trapped` : `exception class ${cause}`
    throw strange(guest, `stopped where it should not: ${what} (ESR_EL2 0x${syndrome.toString(16)})`)
  }
  // Register 31 of a store is zero.
  const register = (syndrome >>> 16) & 31
  return register === 31 ? 0 : guest.context.getUint32(8 * register, true)
}

function strange({ vm, core }: RunningGuest, what: string): VirtioError {
  return new VirtioError('QEMU_FAULT', `the guest of VM ${vm} on core ${core} of QEMU's ZCU102 ${what}`)
}
