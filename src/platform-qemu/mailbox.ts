/**
 * One core's mailbox: lists of operations in, answers out. `agent/agent.S` is the other end and has the same layout. A call waits until
 * the core has answered; a core that does not is an error, so that nothing hangs.
 */
import { VirtioError } from '../internal/error.ts'
import { MAILBOX_BYTES, MAILBOXES } from './layout.ts'

const ASKED = 0x00
const ANSWERED = 0x08
const COUNT = 0x10
const MAY_SLEEP = 0x20
const HEARTBEAT = 0x28
const STOP_KIND = 0x30
const STOP_ESR = 0x38
const STOP_FAR = 0x40
const STOP_HPFAR = 0x48
const STOP_LIST_REGISTER = 0x50
const OPERATIONS = 0x100
const OPERATION_BYTES = 32
const MAX_OPERATIONS = 110

const Op = {
  read32: 1,
  write32: 2,
  run: 3,
  flushPage: 4,
  flushVm: 5,
  copyPage: 6,
  timer: 7,
  powerOff: 8,
} as const

const STOP_INTERRUPT = 2
const STOP_OWN_FAULT = 3

/** Why a guest stopped. */
export interface GuestStop {
  readonly kind: 'synchronous' | 'interrupt'
  /** Exception syndrome (ESR_EL2), of a synchronous one. */
  readonly syndrome: number
  /** Guest address of the access that trapped. */
  readonly address: number
  /** What the core's list register held when it stopped. */
  readonly listRegister: number
}

/** Rounds of looking before a call begins to sleep, how long it sleeps between looks, and how long it waits in all. */
const SPIN_ROUNDS = 2000
const SLEEP_MS = 0.05
const DEADLINE_MS = 20_000

export class Mailbox {
  readonly core: number
  readonly #words: DataView
  readonly #asked: Int32Array
  readonly #answered: Int32Array
  /** Of core 0: tells the agent that its process is there. */
  readonly #heartbeat: Int32Array
  readonly #whyNot: () => string | null
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4))
  #sequence = 0
  #count = 0

  /** `whyNot` is asked while a call waits: why nobody will answer, or null. */
  constructor(control: ArrayBuffer, core: number, whyNot: () => string | null) {
    this.core = core
    const start = MAILBOXES + core * MAILBOX_BYTES
    this.#words = new DataView(control, start, MAILBOX_BYTES)
    this.#asked = new Int32Array(control, start + ASKED, 1)
    this.#answered = new Int32Array(control, start + ANSWERED, 1)
    this.#heartbeat = new Int32Array(control, MAILBOXES + HEARTBEAT, 1)
    this.#whyNot = whyNot
  }

  /** Reads registers, one after another. */
  read32(...addresses: number[]): number[] {
    if (this.#count + addresses.length > MAX_OPERATIONS) this.flush()
    const first = OPERATIONS + this.#count * OPERATION_BYTES + 24
    for (const address of addresses) this.#put(Op.read32, address, 0)
    this.flush()
    return addresses.map((_, i) => this.#words.getUint32(first + i * OPERATION_BYTES, true))
  }

  /** Writes a register, with the next call that waits. So are all that follow but `run`. */
  write32(address: number, value: number): void {
    this.#put(Op.write32, address, value >>> 0)
  }

  flushPage(vttbr: number, guestAddress: number): void {
    this.#put(Op.flushPage, vttbr, guestAddress)
  }

  flushVm(vttbr: number): void {
    this.#put(Op.flushVm, vttbr, 0)
  }

  copyPage(to: number, from: number): void {
    this.#put(Op.copyPage, to, from)
  }

  /** The hypervisor's timer of this core: it has expired, or it is off. */
  timer(expired: boolean): void {
    this.#put(Op.timer, expired ? 1 : 0, 0)
  }

  /** Switches the machine off; nobody answers. */
  powerOff(): void {
    this.#put(Op.powerOff, 0, 0)
    this.#send()
  }

  /** Lets a guest run until it stops. */
  run(context: number): GuestStop {
    this.#put(Op.run, context, 0)
    this.flush()
    const kind = this.#words.getUint32(STOP_KIND, true)
    const syndrome = this.#words.getUint32(STOP_ESR, true)
    const hpfar = this.#words.getUint32(STOP_HPFAR, true)
    if (kind === STOP_OWN_FAULT) {
      throw this.#fault(`took an exception in the agent: ESR_EL2 0x${syndrome.toString(16)} at 0x${hpfar.toString(16)}`)
    }
    const address = (hpfar >>> 4) * 0x1000 + (this.#words.getUint32(STOP_FAR, true) & 0xfff)
    const listRegister = this.#words.getUint32(STOP_LIST_REGISTER, true)
    return { kind: kind === STOP_INTERRUPT ? 'interrupt' : 'synchronous', syndrome, address, listRegister }
  }

  /** Waits until everything that was put has been done. */
  flush(): void {
    if (this.#count === 0) return
    this.#send()
    this.#wait()
  }

  /** The core may wait in WFI between calls: its nap timer's interrupt is enabled. */
  allowSleep(): void {
    this.#words.setUint32(MAY_SLEEP, 1, true)
  }

  #put(op: number, a: number, b: number): void {
    if (this.#count === MAX_OPERATIONS) this.flush()
    const at = OPERATIONS + this.#count++ * OPERATION_BYTES
    this.#set64(at, op)
    this.#set64(at + 8, a)
    this.#set64(at + 16, b)
  }

  #set64(at: number, value: number): void {
    this.#words.setUint32(at, value >>> 0, true)
    this.#words.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
  }

  #send(): void {
    this.#words.setUint32(COUNT, this.#count, true)
    this.#count = 0
    this.#sequence = (this.#sequence + 1) | 0
    Atomics.store(this.#asked, 0, this.#sequence)
    this.#heartbeat[0]!++
  }

  #wait(): void {
    const isAnswered = () => Atomics.load(this.#answered, 0) === this.#sequence
    for (let round = 0; round < SPIN_ROUNDS; round++) if (isAnswered()) return
    const deadline = performance.now() + DEADLINE_MS
    while (!isAnswered()) {
      this.#heartbeat[0]!++
      const reason = this.#whyNot()
      if (reason !== null) throw this.#fault(`does not answer: ${reason}`)
      if (performance.now() > deadline) throw this.#fault(`did not answer within ${DEADLINE_MS / 1000} s`)
      Atomics.wait(this.#sleeper, 0, 0, SLEEP_MS)
    }
  }

  #fault(what: string): VirtioError {
    return new VirtioError('QEMU_FAULT', `core ${this.core} of QEMU's ZCU102 ${what}`)
  }
}
