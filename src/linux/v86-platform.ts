/**
 * The broker's platform port over guests in v86. Each guest is a core: its port writes are the traps, and its clock counts instructions. The
 * DMA is one copy from the sender's RAM into the receiver's, done when the modelled engine would be through. Charges are counted and take no
 * time. There are no stage-2 tables: nothing is remapped.
 */
import { assert } from '../internal/assert.ts'
import type { GuestMemory } from '../memory/index.ts'
import { COST_OPS, type DmaList, type PlatformPort } from '../platform/index.ts'

/** What the platform needs of a guest. */
export interface PlatformGuest {
  /** One region, in which an offset is an address; good until the guest runs. */
  memory(): GuestMemory
  /** Makes the guest see its device's interrupt. */
  interrupt(): void
}

/** Something that happens to a core at a time. */
type CoreEvent = 'dma' | 'timer' | 'ipi'

/** What the broker did, by the names of its actions. */
export type PlatformCounts = Readonly<Record<string, number>>

export class V86Platform implements PlatformPort {
  readonly capabilities = 0
  /** Called when a core is to enter the broker. */
  onEvent: (core: number, event: CoreEvent) => void = () => {}
  readonly #guests: readonly PlatformGuest[]
  /** By flow: the guests that send and receive. */
  readonly #ends: readonly { readonly source: number; readonly destination: number }[]
  readonly #bytesPerNs: number
  readonly #charges = new Float64Array(COST_OPS.length)
  readonly #timers: number[]
  readonly #ipis: number[] = []
  #running: { readonly list: DmaList; readonly core: number; readonly startNs: number } | null = null
  readonly #pieceEnds: number[] = []
  #now = 0
  interrupts = 0
  ipis = 0
  dmaBytes = 0

  constructor(
    guests: readonly PlatformGuest[],
    ends: readonly { readonly source: number; readonly destination: number }[],
    cores: number,
    bytesPerNs: number,
  ) {
    this.#guests = guests
    this.#ends = ends
    this.#bytesPerNs = bytesPerNs
    this.#timers = new Array(cores).fill(Number.POSITIVE_INFINITY)
  }

  get counts(): PlatformCounts {
    const charged = COST_OPS.map((name, op) => [name, this.#charges[op]!] as const).filter(([, count]) => count > 0)
    const { dmaBytes, interrupts, ipis } = this
    return { ...Object.fromEntries(charged), interrupts, ipis, dmaBytes }
  }

  /** A guest that traps is at this time; the clock of all never goes back. */
  advanceTo(ns: number): void {
    this.#now = Math.max(this.#now, ns)
  }

  /** What is due until `ns`, in the order of its time. */
  deliver(ns: number): void {
    for (;;) {
      const dmaNs = this.#running === null ? Number.POSITIVE_INFINITY : this.#pieceEnds.at(-1)!
      const timerNs = Math.min(...this.#timers)
      if (this.#ipis.length > 0) this.onEvent(this.#ipis.shift()!, 'ipi')
      else if (dmaNs <= ns && dmaNs <= timerNs) this.#finishDma(dmaNs)
      else if (timerNs <= ns) {
        const core = this.#timers.indexOf(timerNs)
        this.#timers[core] = Number.POSITIVE_INFINITY
        this.advanceTo(timerNs)
        this.onEvent(core, 'timer')
      } else return
    }
  }

  now(): number {
    return this.#now
  }

  charge(op: number, count: number): void {
    this.#charges[op]! += count
  }

  /** Steps never overlap: one guest runs at a time. */
  acquireLock(): boolean {
    return true
  }

  releaseLock(): void {}

  interruptGuest(_fromCore: number, vm: number): void {
    this.interrupts++
    this.#guests[vm]!.interrupt()
  }

  sendIpi(_fromCore: number, toCore: number): void {
    this.ipis++
    this.#ipis.push(toCore)
  }

  dmaBusyNs(bytes: number): number {
    return Math.ceil(bytes / this.#bytesPerNs)
  }

  dmaStart(list: DmaList, interruptCore: number): void {
    assert(this.#running === null, 'the DMA runs already')
    this.#running = { list, core: interruptCore, startNs: this.#now }
    this.#pieceEnds.length = 0
    let endNs = this.#now
    for (let piece = 0; piece < list.pieceCount; piece++) {
      let bytes = 0
      for (let i = 0; i < list.entryCount; i++) if (list.piece[i] === piece) bytes += list.bytes[i]!
      endNs += this.dmaBusyNs(bytes)
      this.#pieceEnds.push(endNs)
    }
  }

  dmaExtend(): boolean {
    return false
  }

  dmaPause(): boolean {
    return false
  }

  dmaIdle(): boolean {
    return this.#running === null
  }

  dmaCompletedPieces(): number {
    return this.#pieceEnds.length
  }

  dmaPieceEndNs(piece: number): number {
    return this.#pieceEnds[piece]!
  }

  setTimer(core: number, timeNs: number): void {
    this.#timers[core] = timeNs
  }

  yieldToGuest(): boolean {
    return false
  }

  #finishDma(atNs: number): void {
    const { list, core } = this.#running!
    const { source, destination } = this.#ends[list.tag]!
    const from = this.#guests[source]!.memory().regions[0]!.u8
    const to = this.#guests[destination]!.memory().regions[0]!.u8
    for (let i = 0; i < list.entryCount; i++) {
      const start = list.source[i]!
      to.set(from.subarray(start, start + list.bytes[i]!), list.destination[i]!)
      this.dmaBytes += list.bytes[i]!
    }
    this.#running = null
    this.advanceTo(atNs)
    this.onEvent(core, 'dma')
  }

  stage2Unmap(): never {
    return noStage2()
  }

  stage2Map(): never {
    return noStage2()
  }

  stage2Protect(): never {
    return noStage2()
  }

  tlbInvalidate(): never {
    return noStage2()
  }

  tlbInvalidateAll(): never {
    return noStage2()
  }

  smmuInvalidate(): never {
    return noStage2()
  }

  scrubFrame(): never {
    return noStage2()
  }

  copyFrame(): never {
    return noStage2()
  }

  frameColor(): never {
    return noStage2()
  }
}

function noStage2(): never {
  assert(false, 'a guest of v86 has no stage-2 table: the broker was not told of one')
}
