/**
 * INTx in v86, which has one bit for each interrupt, where PCI has lines that any function can hold: two functions share an interrupt
 * as soon as they share a line. Here an interrupt is up while any function of ours holds it.
 */
import type { V86Cpu } from './emulator.ts'

/** Offset in the ISA bridge's configuration space of the interrupts of lines A to D (PIRQRC). */
const ROUTES = 0x60
/** PIRQRC of a line that goes nowhere. */
const NO_ROUTE = 0x80

const known = new WeakMap<V86Cpu, InterruptLines>()

/** Who holds which interrupt of a guest. */
export class InterruptLines {
  readonly #cpu: V86Cpu
  /** By slot: the interrupt that its function holds, as the guest had routed it when the line went up. */
  readonly #held = new Map<number, number>()

  static of(cpu: V86Cpu): InterruptLines {
    const before = known.get(cpu)
    if (before !== undefined) return before
    const made = new InterruptLines(cpu)
    known.set(cpu, made)
    return made
  }

  private constructor(cpu: V86Cpu) {
    this.#cpu = cpu
  }

  /** The function in `slot` pulls its pin A up or lets go of it. */
  set(slot: number, level: boolean): void {
    if (level) {
      const irq = this.#route(slot)
      this.#held.set(slot, irq)
      if (irq !== NO_ROUTE) this.#cpu.device_raise_irq(irq)
      return
    }
    const irq = this.#held.get(slot)
    this.#held.delete(slot)
    if (irq === undefined || irq === NO_ROUTE) return
    for (const other of this.#held.values()) if (other === irq) return
    this.#cpu.device_lower_irq(irq)
  }

  /** PIIX3's swizzle: pin A of slot s is line (s - 1) mod 4. */
  #route(slot: number): number {
    const route = this.#cpu.devices.pci.isa_bridge_space8[ROUTES + ((slot - 1) & 3)]!
    return route >= NO_ROUTE ? NO_ROUTE : route
  }
}
