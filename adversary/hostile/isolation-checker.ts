/**
 * Watches the simulated hardware of a machine, and shares no code with broker, ledger or intake: who maps which frame, what the DMA reads
 * and writes, whose bytes lie where. It knows the flows that were declared, and nothing of how they are served.
 */
import { Random } from '../../src/internal/random.ts'
import { PAGE_SIZE } from '../../src/memory/index.ts'
import type { DmaList } from '../../src/platform/index.ts'
import { Gdma } from '../../src/platform-zcu102/gdma.ts'
import type { Machine } from '../../src/platform-zcu102/machine.ts'
import type { Scenario } from '../../src/scenario/index.ts'

/** What must not happen. */
export const BREAK_KINDS = ['crash', 'mapping', 'dma', 'leak', 'lost', 'corrupt', 'hold', 'late'] as const
/** What is told besides: a flow without a bound whatever others do takes longer than it may beside honest guests. */
export const OTHER_KINDS = ['slow'] as const
export type BreakKind = (typeof BREAK_KINDS)[number] | (typeof OTHER_KINDS)[number]

export interface Break {
  readonly kind: BreakKind
  readonly what: string
}

/** More of a kind say nothing new. */
const MOST_OF_A_KIND = 3
const UNMAPPED = -1
const EMPTY_PAGE = Buffer.alloc(PAGE_SIZE)

interface Mapping {
  readonly vm: number
  readonly page: number
  readonly writable: boolean
}

/** Engines are told apart by who watches them; a run is one piece of synchronous code. */
let watching: IsolationChecker | null = null
const { start, extend, finish } = Gdma.prototype
Gdma.prototype.start = function (list, nowNs) {
  watching?.dmaStarts(list)
  start.call(this, list, nowNs)
}
Gdma.prototype.extend = function (nowNs) {
  const extended = extend.call(this, nowNs)
  if (extended) watching?.dmaGrows()
  return extended
}
Gdma.prototype.finish = function () {
  const list = finish.call(this)
  watching?.dmaEnds(this.completedPieces)
  return list
}

export class IsolationChecker {
  readonly breaks: Break[] = []
  readonly #machine: Machine
  readonly #hostile: ReadonlySet<number>
  /** By flow: the VMs at its ends. */
  readonly #ends: readonly (readonly [source: number, destination: number])[]
  /** By frame: who maps it. The checker's own copy, kept by watching the tables' writes. */
  readonly #mappings = new Map<number, Mapping[]>()
  #list: DmaList | null = null
  /** Entries of the list that were looked at, and the frames in them. */
  #entries = 0
  /** By frame that it uses: the VMs whose memory it reads or writes there. */
  readonly #inFlight = new Map<number, Set<number>>()
  /** By VM. */
  readonly #secrets: readonly Buffer[]

  constructor(machine: Machine, scenario: Scenario, hostile: ReadonlySet<number>) {
    this.#machine = machine
    this.#hostile = hostile
    const vmOf = (name: string) => scenario.vms.findIndex((vm) => vm.name === name)
    this.#ends = scenario.flows.map(({ from, to }) => [vmOf(from), vmOf(to)])
    const random = new Random(scenario.seed, 0x5ec2)
    this.#secrets = scenario.vms.map(() => secretOf(random))
  }

  /** Begins to watch, and fills what honest VMs do not use of their RAM with secrets. */
  watch(): void {
    this.#machine.memory.stage2.forEach((table, vm) => {
      table.frames.forEach((frame, page) => {
        if (frame !== UNMAPPED) this.#add(frame, { vm, page, writable: table.readOnly[page] === 0 })
      })
      const { map, protect, unmap } = table
      const pageOf = (address: number) => (address - table.base) / PAGE_SIZE
      table.map = (address, frame, writable) => {
        map.call(table, address, frame, writable)
        this.#mapped(frame, { vm, page: pageOf(address), writable })
      }
      table.unmap = (address) => {
        const frame = unmap.call(table, address)
        this.#unmapped(frame, vm, pageOf(address))
        return frame
      }
      table.protect = (address, writable) => {
        protect.call(table, address, writable)
        const page = pageOf(address)
        const frame = table.frames[page]!
        this.#remove(frame, vm, page)
        this.#mapped(frame, { vm, page, writable })
      }
    })
    this.#plantSecrets()
    watching = this
  }

  /** Stops watching, and looks for secrets where they should not be. */
  finish(): void {
    watching = null
    this.#findSecrets()
  }

  note(kind: BreakKind, what: string): void {
    if (this.breaks.filter((found) => found.kind === kind).length < MOST_OF_A_KIND) this.breaks.push({ kind, what })
  }

  // ---- mappings

  #add(frame: number, mapping: Mapping): void {
    const known = this.#mappings.get(frame)
    if (known === undefined) this.#mappings.set(frame, [mapping])
    else known.push(mapping)
  }

  #remove(frame: number, vm: number, page: number): void {
    const left = (this.#mappings.get(frame) ?? []).filter((known) => known.vm !== vm || known.page !== page)
    this.#mappings.set(frame, left)
  }

  #mapped(frame: number, mapping: Mapping): void {
    this.#add(frame, mapping)
    const mappings = this.#mappings.get(frame)!
    if (mappings.length > 1) {
      const where = mappings
        .map(({ vm, page, writable }) => `VM ${vm} page ${page}${writable ? ' (writable)' : ''}`)
        .join(', ')
      if (mappings.some(({ writable }) => writable))
        this.note('mapping', `frame ${frame} is shared and writable: ${where}`)
      if (mappings.length > 2) this.note('mapping', `frame ${frame} is mapped ${mappings.length} times: ${where}`)
      const [a, b] = mappings
      if (a!.vm === b!.vm) this.note('mapping', `frame ${frame} is mapped twice in one VM: ${where}`)
      else if (!this.#mayFlow(a!.vm, b!.vm) && !this.#mayFlow(b!.vm, a!.vm)) {
        this.note('mapping', `frame ${frame} is shared by VMs without a flow: ${where}`)
      }
    }
    if (this.#inFlight.has(frame) && mappings.length > 1 && mapping.writable) {
      this.note('dma', `frame ${frame} is mapped at VM ${mapping.vm} while the DMA uses it`)
    }
  }

  #unmapped(frame: number, vm: number, page: number): void {
    this.#remove(frame, vm, page)
    // The DMA reads a page that is lent as its lender's: a borrower may lose it meanwhile.
    if (this.#inFlight.get(frame)?.has(vm)) {
      this.note('dma', `frame ${frame} is taken from VM ${vm} while the DMA uses it`)
    }
  }

  #mayFlow(source: number, destination: number): boolean {
    return this.#ends.some(([from, to]) => from === source && to === destination)
  }

  // ---- the DMA

  dmaStarts(list: DmaList): void {
    this.#list = list
    this.#entries = 0
    this.#inFlight.clear()
    this.dmaGrows()
  }

  dmaGrows(): void {
    const list = this.#list!
    for (; this.#entries < list.entryCount; this.#entries++) {
      const [source, destination] = [list.source[this.#entries]!, list.destination[this.#entries]!]
      const bytes = list.bytes[this.#entries]!
      this.#moves(source, destination, bytes, list.tag)
      const [sender, receiver] = this.#endsOf(list.tag)
      this.#uses(sender, source, bytes)
      this.#uses(receiver, destination, bytes)
    }
  }

  #uses(vm: number, start: number, bytes: number): void {
    for (let frame = Math.floor(start / PAGE_SIZE); frame * PAGE_SIZE < start + bytes; frame++) {
      const known = this.#inFlight.get(frame)
      if (known === undefined) this.#inFlight.set(frame, new Set([vm]))
      else known.add(vm)
    }
  }

  /** What it has moved it may still have moved. */
  dmaEnds(pieces: number): void {
    const list = this.#list!
    for (let i = 0; i < list.entryCount && list.piece[i]! < pieces; i++) {
      this.#moves(list.source[i]!, list.destination[i]!, list.bytes[i]!, list.tag)
    }
    this.#inFlight.clear()
  }

  /** Who sends and who receives. `tag`: twice the flow; one more: what its receiver answers. */
  #endsOf(tag: number): readonly [sender: number, receiver: number] {
    const [from, to] = this.#ends[tag >> 1]!
    return tag % 2 === 0 ? [from, to] : [to, from]
  }

  /** From one VM's own page into another's, which alone has it and may write it. */
  #moves(source: number, destination: number, bytes: number, tag: number): void {
    const [sender, receiver] = this.#endsOf(tag)
    const from = this.#mappings.get(Math.floor(source / PAGE_SIZE)) ?? []
    const pages = [destination, destination + bytes - 1].map((at) => Math.floor(at / PAGE_SIZE))
    for (const frame of new Set(pages)) {
      const to = this.#mappings.get(frame) ?? []
      if (to.length !== 1) {
        this.note('dma', `the DMA writes frame ${frame}, which ${to.length === 0 ? 'no VM has' : 'is shared'}`)
      } else if (!to[0]!.writable)
        this.note('dma', `the DMA writes frame ${frame}, which VM ${to[0]!.vm} may only read`)
      else if (to[0]!.vm !== receiver || !from.some(({ vm }) => vm === sender)) {
        const reads = from.map(({ vm }) => vm).join(', ') || 'no VM'
        this.note(
          'dma',
          `the DMA copies from a frame of ${reads} to VM ${to[0]!.vm} for the flow from ${sender} to ${receiver}`,
        )
      }
    }
  }

  // ---- secrets

  #plantSecrets(): void {
    const { dram, stage2 } = this.#machine.memory
    const bytes = asBuffer(dram.bytes)
    const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
    stage2.forEach((table, vm) => {
      if (this.#hostile.has(vm)) return
      const secret = this.#secrets[vm]!.readBigUInt64LE()
      for (const frame of table.frames) {
        const [first, end] = [frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE]
        if (frame === UNMAPPED || bytes.compare(EMPTY_PAGE, 0, PAGE_SIZE, first, end) !== 0) continue
        words.fill(secret, first / 8, end / 8)
      }
    })
  }

  /** At any alignment: a copy may have moved them by less than a word. */
  #findSecrets(): void {
    const { dram, stage2 } = this.#machine.memory
    const bytes = asBuffer(dram.bytes)
    stage2.forEach(({ frames }, vm) => {
      for (let page = 0; page < frames.length; ) {
        const [first, frame] = [page++, frames[page - 1]!]
        if (frame === UNMAPPED) continue
        // Most pages still lie as they did when the machine was built: one search goes through many.
        while (frames[page] === frame + page - first) page++
        const piece = bytes.subarray(frame * PAGE_SIZE, (frame + page - first) * PAGE_SIZE)
        this.#secrets.forEach((secret, other) => {
          if (other === vm || this.#hostile.has(other)) return
          const at = piece.indexOf(secret)
          if (at >= 0) this.note('leak', `VM ${vm} page ${first + Math.floor(at / PAGE_SIZE)} has bytes of VM ${other}`)
        })
      }
    })
  }
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}

/** Two equal words in a row, or noise might look like one; no byte of it 0, which RAM is full of. */
function secretOf(random: Random): Buffer {
  const word = Buffer.from([0, 1, 2, 3].map(() => random.between(1, 255)))
  return Buffer.concat([word, word])
}
