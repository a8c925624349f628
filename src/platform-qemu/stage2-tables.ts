/** Stage-2 translation tables of the VMs, in the RAM of QEMU's ZCU102: 4 KiB pages, 39 bits of guest address, three levels from 1 on (DDI 0487 D8). */
import { VirtioError } from '../internal/error.ts'
import { physical, TABLES, TABLES_BYTES } from './layout.ts'

const PAGE = 4096
const ENTRIES = 512
const TABLE = 0b11
const PAGE_ENTRY = 0b11
const ACCESSED = 1 << 10
const SHAREABLE = 3 << 8
const READ = 1 << 6
const WRITE = 2 << 6
const NORMAL = 0b1111 << 2
const DEVICE = 0b0001 << 2

export type PageKind = 'writable' | 'read-only' | 'device'

export class Stage2Tables {
  readonly #words: DataView
  readonly #roots: number[] = []
  #next = TABLES

  constructor(control: ArrayBuffer, vms: number) {
    this.#words = new DataView(control)
    for (let vm = 0; vm < vms; vm++) this.#roots.push(this.#newTable())
  }

  /** VTTBR_EL2 of a VM: its root table, and a VMID of its own. */
  baseOf(vm: number): number {
    return physical(this.#roots[vm]!) + (vm + 1) * 2 ** 48
  }

  map(vm: number, guestAddress: number, address: number, kind: PageKind): void {
    const attributes = kind === 'device' ? DEVICE : NORMAL
    const rights = kind === 'read-only' ? READ : READ | WRITE
    const flags = PAGE_ENTRY | ACCESSED | SHAREABLE | rights | attributes
    this.#set(this.#entryOf(vm, guestAddress), address, flags)
  }

  unmap(vm: number, guestAddress: number): void {
    this.#set(this.#entryOf(vm, guestAddress), 0, 0)
  }

  /** Where in the control area the last level's entry of a page lies; makes the tables above it. */
  #entryOf(vm: number, guestAddress: number): number {
    let table = this.#roots[vm]!
    for (const span of [2 ** 30, 2 ** 21]) {
      const at = table + 8 * (Math.floor(guestAddress / span) % ENTRIES)
      const entry = this.#words.getUint32(at, true) + this.#words.getUint32(at + 4, true) * 2 ** 32
      if (entry !== 0) table = entry - TABLE - physical(0)
      else {
        table = this.#newTable()
        this.#set(at, physical(table), TABLE)
      }
    }
    return table + 8 * (Math.floor(guestAddress / PAGE) % ENTRIES)
  }

  #newTable(): number {
    if (this.#next + PAGE > TABLES + TABLES_BYTES) {
      throw new VirtioError(
        'TOO_LARGE_FOR_QEMU',
        `stage-2 tables on QEMU have ${TABLES_BYTES / 1024} KiB, enough for about 3.9 GiB of RAM: give VMs less`,
      )
    }
    this.#next += PAGE
    return this.#next - PAGE
  }

  #set(at: number, address: number, flags: number): void {
    this.#words.setUint32(at, (address | flags) >>> 0, true)
    this.#words.setUint32(at + 4, Math.floor(address / 2 ** 32), true)
  }
}
