/**
 * A packed device under fire: its driver writes lists that are right, or wrong in one place, and rewrites them once they are
 * taken. Seeded and numbered. Every answer is held against the specification, by the witness of honest programs.
 */
import { Random } from '../../../internal/random.ts'
import { DeviceWitness } from '../../device-witness.ts'
import { expectCampaign } from '../../expect-count.ts'
import { countFault, runCases } from '../../hostile-campaign.ts'
import { ARENA_BYTES, HOSTILE_LAYOUTS, type HostileMemory, hostileMemory, wipe } from '../../hostile-memory.ts'
import { HOSTILE_ADDRESSES, HOSTILE_LENGTHS } from '../../hostile-values.ts'
import { QueueMismatch } from '../../mismatch.ts'
import { negotiate } from '../../negotiate.ts'
import type { PackedDeviceTarget, PackedDriverRing } from '../../queue-targets.ts'
import { RingScene } from '../../ring-scene.ts'
import {
  DESCRIPTOR_BYTES,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  type WideAddress,
} from '../split/split-ring-format.ts'
import { packedFormat } from './packed-format.ts'
import {
  advance,
  availableFlags,
  descriptorAt,
  type RingPosition,
  usedFlags,
  writeContents,
  writeEvent,
  writeFlags,
} from './packed-ring-format.ts'
import type { PackedRingRule } from './reference-packed-ring.ts'

/** Options of the hostile peers of packed rings. */
export interface HostilePackedOptions {
  readonly seed: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  readonly inOrder: boolean
  readonly rings: number
  /** Number of the first case; a failure names its own. Default 0. */
  readonly first?: number
  /** Moves a case. Default 12. */
  readonly steps?: number
}

/** What the hostile side did, and how often each rule was broken. */
export interface HostilePackedReport {
  rings: number
  /** Understood or believed, as they were right. */
  buffers: number
  readonly faults: { [rule in PackedRingRule]?: number }
}

/** A table may be as long as RAM, and the specification reads it all. */
const LAYOUTS = HOSTILE_LAYOUTS.filter((layout) => layout !== 'large')

/** Runs `asked.rings` cases, without features that the target lacks; throws `QueueMismatch` at the first wrong answer. */
export function runHostilePackedRings(target: PackedDeviceTarget, asked: HostilePackedOptions): HostilePackedReport {
  expectCampaign('rings', asked.rings, asked)
  const options = negotiate(asked, target)
  const report: HostilePackedReport = { rings: 0, buffers: 0, faults: {} }
  const places = LAYOUTS.map((layout) => hostileMemory(layout, false))
  runCases(options, report, (number) => {
    const place = places[number % places.length]!
    wipe(place)
    new HostileCase(target, options, number, place, report).run(options.steps ?? 12)
  })
  if (!places.every(({ guardsIntact }) => guardsIntact())) {
    throw new QueueMismatch(`${target.name} wrote outside the guest's memory`, '')
  }
  return report
}

interface Entry {
  address: WideAddress
  length: number
  id: number
  flags: number
}

interface Slot extends Entry {
  marks: number
}

class HostileCase {
  readonly #random: Random
  readonly #place: HostileMemory
  readonly #report: HostilePackedReport
  readonly #scene: RingScene<PackedDriverRing, RingPosition>
  readonly #device: DeviceWitness<PackedDriverRing, RingPosition>
  readonly #moves: string[] = []

  constructor(
    target: PackedDeviceTarget,
    options: HostilePackedOptions,
    number: number,
    place: HostileMemory,
    report: HostilePackedReport,
  ) {
    this.#random = new Random(options.seed, number)
    this.#place = place
    this.#report = report
    const { eventIdx, indirect, inOrder } = options
    const replay = JSON.stringify({ ...options, first: number, rings: 1 })
    this.#scene = new RingScene(packedFormat, {
      ring: { size: this.#random.pick([1, 2, 3, 4, 5, 8, 16]), eventIdx, indirect, inOrder },
      where: (position) => `${target.name}, case ${number}, step ${position}`,
      evidence: (draw) => `${draw()}\nreplay: ${replay}\nmemory '${place.layout}', moves: ${this.#moves.join(', ')}`,
      place: { memory: place.memory, base: place.arena, data: place.arena + ARENA_BYTES / 2 },
    })
    this.#device = new DeviceWitness<PackedDriverRing, RingPosition>(this.#scene, target)
  }

  run(steps: number): void {
    const random = this.#random
    for (let step = 0; step < steps; step++) {
      this.#scene.position = step
      if (!this.#device.broken) this.#offer(random.chance(0.4))
      if (random.chance(0.3)) this.#askSomewhere()
      this.#takeAll()
      // Where a list ran on over slots that were never marked, the next turn would find marks of the last but one.
      this.#forHeld((_position, flags) => flags)
      if (random.chance(0.3)) this.#rewriteHeld()
      for (const id of this.#device.inFlightIds) this.#device.expectUnchanged(id)
      if (random.chance(0.2) && !this.#device.broken) this.#device.wantKicks(random.chance(0.6))
      for (let i = random.between(0, 3); i > 0; i--)
        this.#device.use(random.between(0, 31), random.pick(HOSTILE_LENGTHS))
      this.#device.publish()
      if (random.chance(0.6)) this.#device.needsInterrupt()
    }
    // Broken or not, what was taken can be returned, and a reset brings the queue back.
    while (this.#device.inFlight > 0) this.#device.use(0, 0)
    this.#device.publish()
    this.#scene.clearRings()
    this.#device.reset()
    this.#offer(false)
    if (this.#device.take() !== 'took') this.#scene.fail('took nothing after a reset')
  }

  #takeAll(): void {
    for (;;) {
      const before = this.#device.fault
      const outcome = this.#device.take()
      const went = outcome === 'took' || outcome === 'returned'
      const { fault } = this.#device
      if (fault !== before && fault?.kind === 'fault') {
        countFault(this.#report, fault.rules[0] as PackedRingRule)
      } else if (went) this.#report.buffers++
      if (!went) return
    }
  }

  /** One list at the device's next position, the head's flags last. */
  #offer(spoiled: boolean): void {
    const { ring, memory } = this.#scene
    const free = ring.size - this.#device.heldSlots
    if (free === 0 && !spoiled) return
    const at = this.#device.nextPlace
    const list = this.#list(at, Math.max(free, 1), spoiled)
    if (spoiled) this.#spoil(list, at, free)
    else this.#moves.push('honest list')
    list.forEach((slot, i) => {
      const position = advance(ring, at, i % ring.size)
      writeContents(memory, ring.descriptorArea, position.slot, slot)
      if (i > 0) writeFlags(memory, ring.descriptorArea, position.slot, slot.flags | slot.marks)
    })
    writeFlags(memory, ring.descriptorArea, at.slot, list[0]!.flags | list[0]!.marks)
  }

  #list(at: RingPosition, free: number, spoiled: boolean): Slot[] {
    const random = this.#random
    const { ring } = this.#scene
    const usesTable = ring.indirect && random.chance(0.35)
    const count = usesTable
      ? random.between(1, spoiled ? ring.size + 1 : ring.size) // VQP-IND-DRV-03: more, a device may refuse
      : random.chance(0.1)
        ? free
        : random.between(1, Math.min(free, 4))
    const readable = random.between(0, count)
    const buffers = Array.from({ length: count }, (_, i) => this.#buffer(i < readable ? 0 : VIRTQ_DESC_F_WRITE))
    const list = usesTable ? [this.#table(buffers, spoiled)] : buffers
    list.at(-1)!.id = this.#freshId()
    return list.map((entry, i) => {
      const next = i + 1 < list.length ? VIRTQ_DESC_F_NEXT : 0
      return { ...entry, flags: entry.flags | next, marks: availableFlags(advance(ring, at, i).wrap) }
    })
  }

  #buffer(flags: number): Entry {
    const random = this.#random
    const region = random.pick(this.#place.memory.regions)
    let length = random.chance(0.1) ? 0 : random.between(1, 64)
    let address = random.chance(0.15) ? region.end - length : region.base + random.between(0, region.size - length)
    if (!this.#place.memory.contains(address, length)) [address, length] = [region.base, 0]
    return { address, length, id: random.between(0, 0xffff), flags }
  }

  /** Somewhere in the arena behind the ring, at any byte; now and then with flags that say nothing (IMP-VQP-09). */
  #table(entries: readonly Entry[], spoiled: boolean): Entry {
    const random = this.#random
    const length = entries.length * DESCRIPTOR_BYTES
    const address = this.#place.arena + ARENA_BYTES / 2 + random.between(0, ARENA_BYTES / 2 - length)
    const needless = random.chance(0.1) ? random.between(0, 0xffff) & ~VIRTQ_DESC_F_WRITE : 0
    entries.forEach((entry, i) => {
      if (spoiled && random.chance(0.1)) this.#spoilEntry(entry)
      writeContents(this.#scene.memory, address, i, entry)
      writeFlags(this.#scene.memory, address, i, entry.flags | needless)
    })
    // WRITE says nothing on a descriptor that names a table.
    const flags = VIRTQ_DESC_F_INDIRECT | (random.chance(0.3) ? VIRTQ_DESC_F_WRITE : 0)
    return { address, length, id: 0, flags }
  }

  #freshId(): number {
    let id: number
    do id = this.#random.between(0, 0xffff)
    while (this.#device.heldIds.includes(id))
    return id
  }

  #spoil(list: Slot[], at: RingPosition, free: number): void {
    const random = this.#random
    const { ring } = this.#scene
    const slot = random.pick(list)
    switch (random.between(0, 6)) {
      case 0:
        this.#moves.push('an id that is out')
        list.at(-1)!.id = this.#device.heldIds.length > 0 ? random.pick(this.#device.heldIds) : 0
        return
      case 1: // Never marks of a used descriptor of this turn, nor over what is held: only the device writes those.
        this.#moves.push('marks')
        slot.marks = random.pick(free === 0 ? [availableFlags] : [availableFlags, usedFlags])(
          slot.marks === availableFlags(1) ? 0 : 1,
        )
        return
      case 2:
        this.#moves.push('no end')
        list.at(-1)!.flags |= VIRTQ_DESC_F_NEXT
        return
      case 3: // Over slots that the device holds, or around the ring.
        this.#moves.push('too long')
        for (let i = list.length; i < Math.max(free + 1, random.between(1, ring.size)); i++) {
          list.at(-1)!.flags |= VIRTQ_DESC_F_NEXT
          list.push({
            ...this.#buffer(VIRTQ_DESC_F_WRITE),
            marks: availableFlags(advance(ring, at, i % ring.size).wrap),
          })
        }
        return
      case 4:
        this.#moves.push('table')
        slot.flags |= VIRTQ_DESC_F_INDIRECT
        slot.length = random.pick([0, 8, 16, 24, 17, 16 * ring.size, 0xffff_fff0])
        return
      default:
        this.#spoilEntry(slot)
    }
  }

  #spoilEntry(entry: Entry): void {
    const random = this.#random
    const { descriptorArea, driverArea } = this.#scene.ring
    switch (random.between(0, 3)) {
      case 0:
        this.#moves.push('address')
        entry.address = random.pick(HOSTILE_ADDRESSES)
        return
      case 1:
        this.#moves.push('border')
        entry.address = Math.max(
          0,
          random.pick([...this.#place.borders, descriptorArea, driverArea]) + random.between(-17, 17),
        )
        return
      case 2:
        this.#moves.push('length')
        entry.length = random.pick(HOSTILE_LENGTHS)
        return
      default:
        this.#moves.push('flags')
        entry.flags = random.between(0, 7)
    }
  }

  /** VQP-DRV-03 is the driver's, and the device must not depend on it. Marks stay: they say whose the slots are. */
  #rewriteHeld(): void {
    this.#moves.push('rewritten')
    const random = this.#random
    const { ring, memory } = this.#scene
    this.#forHeld(({ slot }, flags) => {
      writeContents(memory, ring.descriptorArea, slot, {
        address: random.pick(HOSTILE_ADDRESSES),
        length: random.pick(HOSTILE_LENGTHS),
        id: random.between(0, 0xffff),
      })
      return flags | random.between(0, 7)
    })
  }

  /** With the marks that their slots have while the device holds them, whatever stood there. */
  #forHeld(flagsOf: (position: RingPosition, flags: number) => number): void {
    const { ring, memory } = this.#scene
    for (let i = 0; i < this.#device.heldSlots; i++) {
      const position = advance(ring, this.#device.usedPlace, i)
      const flags = memory.readU16(descriptorAt(ring.descriptorArea, position.slot) + 14) & 7
      writeFlags(memory, ring.descriptorArea, position.slot, flagsOf(position, flags) | availableFlags(position.wrap))
    }
  }

  #askSomewhere(): void {
    const random = this.#random
    const { ring, memory } = this.#scene
    const slot = random.chance(0.9) ? random.between(0, ring.size - 1) : random.between(0, 0x7fff)
    const flags = random.between(0, ring.eventIdx ? 2 : 1)
    writeEvent(memory, ring.driverArea, { slot, wrap: random.chance(0.5) ? 1 : 0, flags })
  }
}
