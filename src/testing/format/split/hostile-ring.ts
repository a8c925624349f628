/**
 * A driver that lies: seeded rings from almost honest to pure noise, and moves that change memory between two steps of the
 * device (double fetch). Every fault of a descriptor, of a table and of the ring itself is reached by some move, and about
 * half of all chains are honest, so that a device is also held to completing what is right.
 *
 * One case is `start(number)`: the same seed, options and number give the same bytes, whatever ran before. A case that
 * fails is printed by `toString()`, as a drawing and as a program that lays it out again.
 */
import { checkFlags, checkInteger, checkObject } from '../../../internal/check-option.ts'
import { Random } from '../../../internal/random.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { ARENA_BYTES, HOSTILE_LAYOUTS, type HostileMemory, hostileMemory, wipe } from '../../hostile-memory.ts'
import { HOSTILE_ADDRESSES, HOSTILE_INDICES, HOSTILE_LENGTHS } from '../../hostile-values.ts'
import { drawRing } from './draw-ring.ts'
import { HonestChains, TABLE_ENTRIES } from './honest-chains.ts'
import { ringProgram } from './ring-program.ts'
import {
  availElementAt,
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  descriptorAreaBytes,
  deviceAreaBytes,
  driverAreaBytes,
  type SplitRing,
  usedElementAt,
  usedEventAt,
  usedIdxAt,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  type WideAddress,
  writeAddress,
  writeDescriptor,
} from './split-ring-format.ts'

/** Options of `HostileDriver`. */
export interface HostileDriverOptions {
  readonly seed: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  /** Memory over SharedArrayBuffer. Default: false. */
  readonly shared?: boolean
}

/** Where all cases are laid instead of in memories of their own, and how long a ring may be there. */
export interface HostileSite {
  readonly memory: HostileMemory
  /** A power of two. */
  readonly sizeMax: number
}

/** A ring of this size, in `large` memory, starts with a chain of about 2^32 bytes. */
const HUGE_CHAIN = 256

/** A driver that writes rings as none should, from a seed: every case says afterwards what it did. */
export class HostileDriver {
  /** The ring of the case that was started last. */
  ring: SplitRing
  /** What was done since, in order. */
  readonly moves: string[] = []
  #case = -1
  #memory: HostileMemory
  #random: Random
  #availIdx = 0
  #chains: HonestChains
  readonly #options: HostileDriverOptions
  readonly #memories = new Map<string, HostileMemory>()
  readonly #site: HostileSite | null

  constructor(options: HostileDriverOptions, site: HostileSite | null = null) {
    checkObject('options', options)
    checkInteger('seed', options.seed, 0)
    checkFlags(options, 'eventIdx', 'indirect', 'shared')
    this.#options = options
    this.#site = site
    this.#random = new Random(options.seed)
    this.#memory = this.#memoryOf('flat')
    this.ring = this.#layRing()
    this.#chains = new HonestChains(this.#memory, this.ring, this.#random)
    this.start(0)
  }

  get memory(): GuestMemory {
    return this.#memory.memory
  }

  /** False: something wrote into the guards around a region, of any case so far. */
  guardsIntact(): boolean {
    return [...this.#memories.values()].every((memory) => memory.guardsIntact())
  }

  /** Lays out case `number`; allocates little, writes only this case's arena. */
  start(number: number): void {
    const random = new Random(this.#options.seed, number)
    this.#random = random
    this.#case = number
    this.moves.length = 0
    this.#availIdx = 0
    this.#memory = this.#memoryOf(random.chance(0.1) ? 'large' : random.pick(HOSTILE_LAYOUTS))
    wipe(this.#memory)
    this.ring = this.#layRing()
    this.#chains = new HonestChains(this.#memory, this.ring, random)
    if (random.chance(0.2)) this.#noise()
    if (this.ring.size === HUGE_CHAIN) {
      // VQS-DESC-DRV-01: 2^32 bytes in all, or one less, or one more.
      this.moves.push('huge chain')
      this.#offer(this.#chains.writeLargest(2 ** 32 / HUGE_CHAIN, random.between(-1, 1)))
    }
    const heads = random.between(1, Math.min(this.ring.size, 6))
    for (let i = 0; i < heads; i++) {
      if (random.chance(0.75)) this.#offerHonest()
      else this.#offerHostile()
    }
    if (random.chance(0.1)) this.#hurtRing()
    this.memory.writeU16(
      usedEventAt(this.ring),
      random.chance(0.5) ? random.between(0, 8) : random.pick(HOSTILE_INDICES),
    )
  }

  /** One more move against a device that has already looked: offers, and rewrites what it may hold a reference to. */
  step(): void {
    const move = this.#random.between(0, 9)
    if (move < 3) this.#offerHonest()
    else if (move < 5) this.#offerHostile()
    else if (move < 8) this.#rewriteDescriptor()
    else if (move < 9) this.#scribbleUsed()
    else this.#hurtRing()
  }

  /** The device gave `head` back. The caller says so, because this driver scribbles over its own used ring. */
  returned(head: number): void {
    this.#chains.returned(head)
  }

  /** `nextAvail`: from which index on the ring is drawn, the device's own counter. */
  toString(nextAvail = 0): string {
    const { seed, eventIdx, indirect, shared } = this.#options
    return [
      `replay: start(${this.#case}) of new HostileDriver(${JSON.stringify({ seed, eventIdx, indirect, shared })})`,
      `memory '${this.#memory.layout}', moves: ${this.moves.join(', ')}`,
      drawRing(this.memory, this.ring, nextAvail),
      ringProgram(this.memory, this.ring, nextAvail),
    ].join('\n')
  }

  #memoryOf(layout: (typeof HOSTILE_LAYOUTS)[number]): HostileMemory {
    if (this.#site !== null) return this.#site.memory
    const memory = this.#memories.get(layout) ?? hostileMemory(layout, this.#options.shared ?? false)
    this.#memories.set(layout, memory)
    return memory
  }

  /** Three areas in any order with any legal gap, of a size that is small more often than not. */
  #layRing(): SplitRing {
    const random = this.#random
    const drawn =
      this.#memory.layout === 'large' && random.chance(0.2)
        ? HUGE_CHAIN
        : 2 ** (random.chance(0.8) ? random.between(0, 4) : random.between(5, 7))
    const size = Math.min(drawn, this.#site?.sizeMax ?? drawn)
    let at = this.#memory.arena
    const place = (bytes: number, align: number): number => {
      const address = Math.ceil((at + random.between(0, 40)) / align) * align
      at = address + bytes
      return address
    }
    let [descriptorArea, driverArea, deviceArea] = [0, 0, 0]
    if (random.chance(0.5)) {
      descriptorArea = place(descriptorAreaBytes(size), 16)
      driverArea = place(driverAreaBytes(size), 2)
      deviceArea = place(deviceAreaBytes(size), 4)
    } else {
      deviceArea = place(deviceAreaBytes(size), 4)
      driverArea = place(driverAreaBytes(size), 2)
      descriptorArea = place(descriptorAreaBytes(size), 16)
    }
    const { eventIdx, indirect } = this.#options
    return { size, descriptorArea, driverArea, deviceArea, eventIdx, indirect }
  }

  #offerHonest(): void {
    const head = this.#chains.write()
    this.moves.push(head < 0 ? 'ring full' : 'honest chain')
    if (head >= 0) this.#offer(head)
  }

  /** An honest chain, and then the hand slips: up to three fields of descriptors that it may or may not use. */
  #offerHostile(): void {
    const random = this.#random
    if (random.chance(0.1)) {
      this.moves.push('head out of range')
      this.#offer(random.chance(0.5) ? this.ring.size : random.between(this.ring.size, 0xffff))
      return
    }
    if (random.chance(0.1)) {
      this.moves.push('head offered again')
      this.#offer(this.memory.readU16(availElementAt(this.ring, (this.#availIdx - 1) & 0xffff)))
      return
    }
    this.#offerHonest()
    for (let i = random.between(1, 3); i > 0; i--) this.#rewriteDescriptor()
  }

  /** One field of one descriptor, in the ring or in a table, becomes something that was worth trying. */
  #rewriteDescriptor(): void {
    const random = this.#random
    const { ring, memory } = this
    const table =
      this.#chains.tables.length > 0 && random.chance(0.5) ? random.pick(this.#chains.tables) : ring.descriptorArea
    const entries = table === ring.descriptorArea ? ring.size : TABLE_ENTRIES
    // The head offered last is the likeliest to be looked at next.
    const recent = memory.readU16(availElementAt(ring, (this.#availIdx - 1) & 0xffff)) % entries
    const index = random.chance(0.5) ? recent : random.between(0, entries - 1)
    const at = table + DESCRIPTOR_BYTES * index
    if (!memory.contains(at, DESCRIPTOR_BYTES)) return
    switch (random.between(0, 6)) {
      case 0:
        this.moves.push('address')
        writeAddress(memory, at, this.#hostileAddress())
        return
      case 1:
        this.moves.push('length')
        memory.writeU32(at + 8, random.chance(0.8) ? random.pick(HOSTILE_LENGTHS) : random.u32())
        return
      case 2:
        this.moves.push('flags')
        memory.writeU16(at + 12, random.chance(0.9) ? random.between(0, 7) : random.between(0, 0xffff))
        return
      case 3:
        this.moves.push('next')
        memory.writeU16(at + 12, memory.readU16(at + 12) | VIRTQ_DESC_F_NEXT)
        memory.writeU16(at + 14, random.chance(0.8) ? random.between(0, entries) : random.between(0, 0xffff))
        return
      case 4: // a table that is itself, the ring, another's, half out of RAM, or of an odd length
        this.moves.push('table')
        writeAddress(
          memory,
          at,
          random.pick([at, table, ring.descriptorArea, this.#chains.newTable(1), this.#borderAddress()]),
        )
        memory.writeU32(at + 8, this.#tableLength())
        memory.writeU16(at + 12, VIRTQ_DESC_F_INDIRECT | (random.chance(0.2) ? random.between(0, 3) : 0))
        return
      case 5: // overlaps the ring itself, or ends one byte past a border
        this.moves.push('border')
        writeAddress(memory, at, this.#borderAddress())
        memory.writeU32(at + 8, random.between(0, 32))
        return
      default:
        this.moves.push('whole of RAM')
        writeAddress(memory, at, this.memory.regions[0]!.base)
        memory.writeU32(at + 8, this.memory.regions[0]!.size)
    }
  }

  #hostileAddress(): WideAddress {
    const random = this.#random
    if (random.chance(0.4)) return this.#borderAddress()
    if (random.chance(0.6)) return random.pick(HOSTILE_ADDRESSES)
    return [random.chance(0.5) ? random.u32() : random.between(0, 2), random.u32()]
  }

  #borderAddress(): number {
    const random = this.#random
    const { ring } = this
    const borders = [...this.#memory.borders, ring.descriptorArea, ring.driverArea, ring.deviceArea]
    return Math.max(0, random.pick(borders) + random.between(-17, 17))
  }

  #tableLength(): number {
    const random = this.#random
    const full = this.ring.size * DESCRIPTOR_BYTES
    const lengths = [full - 16, full - 1, full, full + 1, full + 16, 16 * random.between(1, TABLE_ENTRIES)]
    return random.chance(0.5) ? random.pick(lengths) : random.pick(HOSTILE_LENGTHS)
  }

  /** Faults that no chain can be blamed for: an idx that leaps or goes back, slots rewritten after they were offered. */
  #hurtRing(): void {
    const random = this.#random
    const { ring, memory } = this
    switch (random.between(0, 2)) {
      case 0:
        this.moves.push('idx leaps')
        this.#availIdx = (this.#availIdx + random.pick([ring.size, ring.size + 1, 0x7fff, 0x8000, 0xffff])) & 0xffff
        memory.writeU16(availIdxAt(ring), this.#availIdx)
        return
      case 1:
        this.moves.push('slot rewritten')
        memory.writeU16(availElementAt(ring, random.between(0, ring.size - 1)), random.between(0, ring.size))
        return
      default: // VQS-NTF-DRV-01, -03: and a used_event from nowhere
        this.moves.push('flags and used_event')
        memory.writeU16(availFlagsAt(ring), random.between(0, 0xffff))
        memory.writeU16(usedEventAt(ring), random.between(0, 0xffff))
    }
  }

  /** The used ring is the device's: it must not notice, for it never reads back what it wrote. */
  #scribbleUsed(): void {
    this.moves.push('used ring scribbled')
    const random = this.#random
    this.memory.writeU16(usedIdxAt(this.ring), random.between(0, 0xffff))
    this.memory.writeU32(usedElementAt(this.ring, random.between(0, this.ring.size - 1)), random.u32())
  }

  /** The whole table of random words, of which a third have a plausible address and length. */
  #noise(): void {
    this.moves.push('noise')
    const random = this.#random
    for (let index = 0; index < this.ring.size; index++) {
      const plausible = random.chance(0.4)
      writeDescriptor(this.memory, this.ring.descriptorArea, index, {
        address: plausible ? this.#memory.arena + random.between(0, ARENA_BYTES) : this.#hostileAddress(),
        length: plausible ? random.between(0, 256) : random.u32(),
        flags: random.chance(0.9) ? random.between(0, 3) : random.between(0, 0xffff),
        next: random.between(0, this.ring.size),
      })
    }
  }

  #offer(head: number): void {
    this.memory.writeU16(availElementAt(this.ring, this.#availIdx), head)
    this.#availIdx = (this.#availIdx + 1) & 0xffff
    this.memory.writeU16(availIdxAt(this.ring), this.#availIdx)
  }
}
