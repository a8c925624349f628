/** The interrupt controller of QEMU's ZCU102, a GICv2 (IHI 0048B), as the hypervisor layer uses it. */
import { PhysicalInterrupt } from '../platform-zcu102/index.ts'
import { GDMA0_INTERRUPT, GICC, GICD, GICH } from './layout.ts'
import type { Mailbox } from './mailbox.ts'

const GICD_CTLR = GICD
const GICD_ISENABLER = GICD + 0x100
const GICD_IPRIORITYR = GICD + 0x400
const GICD_ITARGETSR = GICD + 0x800
const GICD_SGIR = GICD + 0xf00
const GICC_CTLR = GICC
const GICC_PMR = GICC + 0x04
const GICC_IAR = GICC + 0x0c
const GICC_EOIR = GICC + 0x10
const GICH_HCR = GICH
const GICH_LR0 = GICH + 0x100

const HYPERVISOR_TIMER = 26
const NAP_TIMER = 30
/** Software interrupts. */
const KICK = 0
const GUEST = 2
/** Lower numbers first, as the board takes them. That of naps wakes a core that has an interrupt acknowledged and not ended. */
const PRIORITIES: readonly (readonly [interrupt: number, priority: number])[] = [
  [NAP_TIMER, 0x00],
  [GDMA0_INTERRUPT, 0x20],
  [HYPERVISOR_TIMER, 0x40],
  [KICK, 0x60],
  [GUEST, 0xa0],
]

/** Virtual interrupts: pending, priority 0xa0, one number a VM. */
const VIRTUAL_PENDING = (1 << 28) | ((0xa0 >> 3) << 23)
const VIRTUAL_STATE = 3 << 28
const FIRST_VIRTUAL = 64

/** Interrupt numbers of the board's interrupts. */
export const NUMBER_OF: Readonly<Record<number, number>> = {
  [PhysicalInterrupt.dma]: GDMA0_INTERRUPT,
  [PhysicalInterrupt.timer]: HYPERVISOR_TIMER,
  [PhysicalInterrupt.kick]: KICK,
  [PhysicalInterrupt.guest]: GUEST,
}

export class QemuGic {
  readonly #mailboxes: readonly Mailbox[]

  constructor(mailboxes: readonly Mailbox[]) {
    this.#mailboxes = mailboxes
  }

  /** Enables what the hypervisor layer uses, on each core. */
  setUp(): void {
    for (const mailbox of this.#mailboxes) {
      mailbox.write32(GICD_CTLR, 1)
      // Four priorities a word.
      const words = new Map<number, number>()
      for (const [interrupt, priority] of PRIORITIES) {
        const word = interrupt >> 2
        words.set(word, (words.get(word) ?? 0) | (priority << (8 * (interrupt & 3))))
        mailbox.write32(GICD_ISENABLER + 4 * (interrupt >> 5), 2 ** (interrupt & 31))
      }
      for (const [word, value] of words) mailbox.write32(GICD_IPRIORITYR + 4 * word, value)
      mailbox.write32(GICC_PMR, 0xf8)
      mailbox.write32(GICC_CTLR, 1)
      mailbox.write32(GICH_HCR, 1)
      mailbox.flush()
      mailbox.allowSleep()
    }
  }

  sendSgi(from: number, to: number, interrupt: number): void {
    this.#mailboxes[from]!.write32(GICD_SGIR, ((1 << to) << 16) | NUMBER_OF[interrupt]!)
    this.#mailboxes[from]!.flush()
  }

  /** The DMA's interrupt goes to this core. */
  routeDma(mailbox: Mailbox, core: number): void {
    mailbox.write32(GICD_ITARGETSR + 4 * (GDMA0_INTERRUPT >> 2), (1 << core) << (8 * (GDMA0_INTERRUPT & 3)))
  }

  /** Acknowledges the first pending interrupt of a core; returns its number, 1023 for none. */
  acknowledge(core: number): number {
    return this.#mailboxes[core]!.read32(GICC_IAR)[0]!
  }

  end(core: number, acknowledged: number): void {
    this.#mailboxes[core]!.write32(GICC_EOIR, acknowledged)
    this.#mailboxes[core]!.flush()
  }

  /** The list register of a core; of these one is enough, because a VM has one interrupt. */
  writeListRegister(core: number, value: number): void {
    this.#mailboxes[core]!.write32(GICH_LR0, value)
  }
}

/** What a list register holds when the virtual interrupt of a VM is pending. */
export function pendingVirtual(vm: number): number {
  return (VIRTUAL_PENDING | (FIRST_VIRTUAL + vm)) >>> 0
}

/** Neither pending nor active. */
export function isEmpty(listRegister: number): boolean {
  return (listRegister & VIRTUAL_STATE) === 0
}
