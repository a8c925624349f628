/**
 * The interrupt controller as far as VMs and their hypervisor see it (GICv2, IHI 0048B): physical interrupts pend per core
 * until EL2 acknowledges them, those of software for each core that sent one; virtual ones wait in list registers, and in software when those are full.
 */
import { assert } from '../internal/assert.ts'

/** Physical interrupts of a core, in the order in which EL2 takes them. */
export const PhysicalInterrupt = {
  dma: 0,
  timer: 1,
  kick: 2,
  takeOver: 3,
  guest: 4,
  newPeriod: 5,
  exhausted: 6,
} as const

const INTERRUPTS = Object.keys(PhysicalInterrupt).length

export class Gic {
  readonly #listRegisters: number
  /** By core: bits of pending `PhysicalInterrupt`s. One that pends already, from the same sender, is not counted again. */
  readonly #pending: Uint8Array
  /** By core and `PhysicalInterrupt`: bits of the cores that it is pending from. Hardware is one sender. */
  readonly #senders: Int32Array
  /** By core: virtual interrupts in list registers, and those that wait for one. */
  readonly #virtual: number[][]
  readonly #waiting: number[][]
  /** By core: virtual interrupts that other cores ask it to inject. */
  readonly #asked: number[][]

  constructor(coreCount: number, listRegisters: number) {
    this.#listRegisters = listRegisters
    this.#pending = new Uint8Array(coreCount)
    this.#senders = new Int32Array(coreCount * INTERRUPTS)
    this.#virtual = Array.from({ length: coreCount }, () => [])
    this.#waiting = Array.from({ length: coreCount }, () => [])
    this.#asked = Array.from({ length: coreCount }, () => [])
  }

  /** `sender`: the core whose software raises it. */
  pend(core: number, interrupt: number, sender = 0): void {
    this.#pending[core]! |= 1 << interrupt
    this.#senders[core * INTERRUPTS + interrupt]! |= 1 << sender
  }

  hasPending(core: number): boolean {
    return this.#pending[core] !== 0
  }

  /** Takes the first pending interrupt of a core, of one sender, or -1. */
  acknowledge(core: number): number {
    const bits = this.#pending[core]!
    if (bits === 0) return -1
    const interrupt = 31 - Math.clz32(bits & -bits)
    const at = core * INTERRUPTS + interrupt
    const senders = this.#senders[at]!
    this.#senders[at] = senders & (senders - 1)
    if (this.#senders[at] === 0) this.#pending[core] = bits & (bits - 1)
    return interrupt
  }

  isPending(core: number, interrupt: number): boolean {
    return (this.#pending[core]! & (1 << interrupt)) !== 0
  }

  /** Takes this interrupt of a core back. False: it was not pending. */
  withdraw(core: number, interrupt: number): boolean {
    const wasPending = this.isPending(core, interrupt)
    this.#pending[core]! &= ~(1 << interrupt)
    this.#senders[core * INTERRUPTS + interrupt] = 0
    return wasPending
  }

  /** Another core asks `core` to inject a virtual interrupt; with an IPI. */
  ask(core: number, virtualInterrupt: number): void {
    const asked = this.#asked[core]!
    if (!asked.includes(virtualInterrupt)) asked.push(virtualInterrupt)
  }

  /** Ascending; none is left. */
  takeAsked(core: number): number[] {
    return this.#asked[core]!.splice(0).sort((a, b) => a - b)
  }

  /** Makes a virtual interrupt pending. False: it was already, and the guest will take it once for both. */
  inject(core: number, virtualInterrupt: number): boolean {
    const registers = this.#virtual[core]!
    const waiting = this.#waiting[core]!
    if (registers.includes(virtualInterrupt) || waiting.includes(virtualInterrupt)) return false
    if (registers.length < this.#listRegisters) registers.push(virtualInterrupt)
    else waiting.push(virtualInterrupt)
    return true
  }

  /** The guest ended a virtual interrupt. True: one waited for the list register, so a maintenance interrupt is due. */
  endOfInterrupt(core: number, virtualInterrupt: number): boolean {
    const registers = this.#virtual[core]!
    const at = registers.indexOf(virtualInterrupt)
    if (!(at >= 0)) assert(false, `virtual interrupt ${virtualInterrupt} of core ${core} is not in a list register`)
    const next = this.#waiting[core]!.shift()
    if (next !== undefined) {
      registers[at] = next
      return true
    }
    const last = registers.pop()!
    if (at < registers.length) registers[at] = last
    return false
  }
}
