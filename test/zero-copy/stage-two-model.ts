/**
 * An independent model of stage-2 tables, of the worst TLB and the worst SMMU that could stand before them, and of who may
 * see what. Both caches keep every translation that ever was until it is invalidated, so whatever a VM could still reach
 * through one counts as reached. Every call of the port is checked when it is made, not afterwards.
 */
import { expect } from 'vitest'

export const PAGE = 4096

interface Entry {
  readonly frame: number
  readonly writable: boolean
}

type Table = Map<number, Entry>

const NAMES = ['table', 'TLB', 'SMMU'] as const

export class StageTwoModel {
  /** By VM, by page number. */
  readonly tables: Table[]
  readonly #tlbs: Table[]
  readonly #smmus: Table[]
  /** By VM and value: 1 where the VM may see such a byte. */
  readonly #visible: Uint8Array[]
  readonly #bytes: Uint8Array
  /** Calls, for a message when something is wrong. */
  readonly log: string[] = []

  /** Without an SMMU nothing of the kind can keep old translations. */
  readonly #hasSmmu: boolean

  constructor(vms: number, bytes: Uint8Array, maySee: (vm: number, byte: number) => boolean, hasSmmu = true) {
    this.#hasSmmu = hasSmmu
    const none = () => Array.from({ length: vms }, (): Table => new Map())
    this.tables = none()
    this.#tlbs = none()
    this.#smmus = none()
    this.#bytes = bytes
    this.#visible = Array.from({ length: vms }, (_, vm) => Uint8Array.from({ length: 256 }, (_, i) => +maySee(vm, i)))
  }

  /** What a VM has from the start. */
  start(vm: number, page: number, frame: number): void {
    for (const tables of this.#caches()) tables[vm]!.set(page, { frame, writable: true })
  }

  #caches(): Table[][] {
    return this.#hasSmmu ? [this.tables, this.#tlbs, this.#smmus] : [this.tables, this.#tlbs]
  }

  unmap(vm: number, page: number): void {
    this.log.push(`unmap ${vm} ${page}`)
    if (!this.tables[vm]!.delete(page)) this.#fail(`page ${page} of VM ${vm} was not mapped`)
  }

  map(vm: number, page: number, frame: number, writable: boolean): void {
    this.log.push(`map ${vm} ${page} -> ${frame} ${writable ? 'rw' : 'ro'}`)
    const table = this.tables[vm]!
    if (table.has(page)) this.#fail(`page ${page} of VM ${vm} was mapped already`)
    for (const cache of [this.#tlbs[vm]!, this.#smmus[vm]!]) {
      const stale = cache.get(page)
      if (stale !== undefined && (stale.frame !== frame || stale.writable !== writable)) {
        this.#fail(`page ${page} of VM ${vm} changes its frame while a cache still has the old one (break before make)`)
      }
    }
    this.#checkOthers(vm, frame, writable)
    for (const tables of this.#caches()) tables[vm]!.set(page, { frame, writable })
    this.checkBytes(vm, frame)
  }

  protect(vm: number, page: number, writable: boolean): void {
    this.log.push(`protect ${vm} ${page} ${writable ? 'rw' : 'ro'}`)
    const entry = this.tables[vm]!.get(page)
    if (entry === undefined) this.#fail(`page ${page} of VM ${vm} is not mapped`)
    const changed = { frame: entry.frame, writable }
    if (writable) {
      this.#checkOthers(vm, entry.frame, true)
      for (const tables of this.#caches()) tables[vm]!.set(page, changed)
    } else this.tables[vm]!.set(page, changed)
  }

  /** Nobody else may write the frame; if this VM may, nobody else may even read it. */
  #checkOthers(vm: number, frame: number, writable: boolean): void {
    for (const [kind, tables] of this.#caches().entries()) {
      for (const [other, table] of tables.entries()) {
        if (other === vm) continue
        for (const [page, entry] of table) {
          if (entry.frame !== frame || (!entry.writable && !writable)) continue
          const access = entry.writable ? 'write' : 'read'
          this.#fail(
            `VM ${vm} gets frame ${frame}, which VM ${other} can still ${access} (${NAMES[kind]}, page ${page})`,
          )
        }
      }
    }
  }

  invalidate(vm: number, page: number, pages: number): void {
    this.log.push(`tlbi ${vm} ${page} + ${pages}`)
    for (let i = page; i < page + pages; i++) refresh(this.#tlbs[vm]!, this.tables[vm]!, i)
  }

  invalidateAll(vm: number): void {
    this.log.push(`tlbi ${vm} all`)
    for (const page of [...this.#tlbs[vm]!.keys()]) refresh(this.#tlbs[vm]!, this.tables[vm]!, page)
  }

  invalidateSmmu(vm: number): void {
    this.log.push(`smmu ${vm}`)
    for (const page of [...this.#smmus[vm]!.keys()]) refresh(this.#smmus[vm]!, this.tables[vm]!, page)
  }

  /** Every byte of a frame may be seen by the VM. */
  checkBytes(vm: number, frame: number): void {
    const end = (frame + 1) * PAGE
    const visible = this.#visible[vm]!
    for (let at = frame * PAGE; at < end; at++) {
      if (visible[this.#bytes[at]!] === 1) continue
      this.#fail(`VM ${vm} sees byte 0x${this.#bytes[at]!.toString(16)} at ${at % PAGE} of frame ${frame}`)
    }
  }

  /** The DMA reads or writes these physical bytes for a VM: they are its own, as its table says now. */
  checkAccess(vm: number, address: number, bytes: number, writes: boolean): void {
    const entries = [...this.tables[vm]!.values()]
    for (let frame = Math.floor(address / PAGE); frame * PAGE < address + bytes; frame++) {
      if (entries.some((entry) => entry.frame === frame && (entry.writable || !writes))) continue
      this.#fail(
        `the DMA ${writes ? 'writes' : 'reads'} frame ${frame}, which is not VM ${vm}'s to ${writes ? 'write' : 'read'}`,
      )
    }
  }

  /** The same for everything that a VM reaches, but for pages that `skips` names. */
  checkVisible(skips: (page: number) => boolean): void {
    for (const vm of this.tables.keys()) {
      const frames = new Set<number>()
      for (const tables of this.#caches())
        for (const [page, { frame }] of tables[vm]!) if (!skips(page)) frames.add(frame)
      for (const frame of frames) this.checkBytes(vm, frame)
    }
  }

  /** By frame: how often it is mapped writable, plus 16 for every read-only mapping. */
  mappings(frames: number): Uint8Array {
    const counts = new Uint8Array(frames)
    for (const table of this.tables)
      for (const { frame, writable } of table.values()) counts[frame]! += writable ? 1 : 16
    return counts
  }

  lastCalls(): string {
    return this.log.slice(-24).join('\n')
  }

  expectEqual(vm: number, base: number, frames: Int32Array, readOnly: Uint8Array): void {
    for (const [page, frame] of frames.entries()) {
      const entry = this.tables[vm]!.get(base / PAGE + page)
      const same =
        entry === undefined ? frame === -1 : entry.frame === frame && entry.writable === (readOnly[page] === 0)
      if (!same) this.#fail(`page ${page} of VM ${vm}: table has ${frame}, model ${JSON.stringify(entry)}`)
    }
  }

  #fail(message: string): never {
    expect.fail(`${message}\n${this.lastCalls()}`)
  }
}

/** The cache's entry of a page becomes what the table has. */
function refresh(cache: Table, table: Table, page: number): void {
  const entry = table.get(page)
  if (entry === undefined) cache.delete(page)
  else cache.set(page, entry)
}
