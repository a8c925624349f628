/**
 * A packed driver under fire: its device marks buffers used in any order and in batches, lies about ids and lengths, and
 * scribbles over the descriptors that it holds. A driver may refuse; it may not throw, believe what cannot be, use a slot or an
 * id twice, or lose one.
 */
import { Random } from '../../../internal/random.ts'
import { DriverWitness } from '../../driver-witness.ts'
import { expectCampaign } from '../../expect-count.ts'
import { countFault, runCases } from '../../hostile-campaign.ts'
import { negotiate } from '../../negotiate.ts'
import type { PackedDriverRing, PackedDriverTarget } from '../../queue-targets.ts'
import { RingScene } from '../../ring-scene.ts'
import { slotsOf } from '../ring-format.ts'
import { VIRTQ_DESC_F_WRITE } from '../split/split-ring-format.ts'
import type { HostilePackedOptions, HostilePackedReport } from './hostile-packed-driver.ts'
import { packedFormat } from './packed-format.ts'
import {
  advance,
  descriptorAt,
  type RingPosition,
  usedFlags,
  writeContents,
  writeEvent,
  writeFlags,
} from './packed-ring-format.ts'
import type { PackedRingRule } from './reference-packed-ring.ts'

/** Runs `asked.rings` cases, without features that the target lacks; throws `QueueMismatch` at the first wrong answer. */
export function runHostilePackedDevice(target: PackedDriverTarget, asked: HostilePackedOptions): HostilePackedReport {
  expectCampaign('rings', asked.rings, asked)
  const options = negotiate(asked, target)
  const report: HostilePackedReport = { rings: 0, buffers: 0, faults: {} }
  return runCases(options, report, (number) => {
    new HostileCase(target, options, number, report).run(options.steps ?? 12)
  })
}

class HostileCase {
  readonly #random: Random
  readonly #report: HostilePackedReport
  readonly #scene: RingScene<PackedDriverRing, RingPosition>
  readonly #driver: DriverWitness<PackedDriverRing, RingPosition>
  /** Shown, and not marked used by this device. */
  #held: { id: number; slots: number; writableBytes: number }[] = []
  /** Ids that came back. */
  readonly #past = new Set<number>([0xffff])
  #used: RingPosition

  constructor(target: PackedDriverTarget, options: HostilePackedOptions, number: number, report: HostilePackedReport) {
    this.#random = new Random(options.seed, number)
    this.#report = report
    const { eventIdx, indirect, inOrder } = options
    const replay = JSON.stringify({ ...options, first: number, rings: 1 })
    this.#scene = new RingScene(packedFormat, {
      ring: { size: this.#random.pick([1, 2, 3, 4, 5, 8, 16]), eventIdx, indirect, inOrder },
      where: (position) => `${target.name}, case ${number}, step ${position}`,
      evidence: (draw) => `${draw()}\nreplay: ${replay}`,
    })
    this.#driver = new DriverWitness(this.#scene, target)
    this.#used = this.#driver.usedPlace
  }

  run(steps: number): void {
    const random = this.#random
    for (let step = 0; step < steps; step++) {
      this.#scene.position = step
      for (let i = random.between(0, 3); i > 0; i--) this.#add()
      this.#show()
      if (random.chance(0.3)) this.#askSomewhere()
      if (random.chance(0.6)) this.#driver.needsKick()
      if (random.chance(0.2)) this.#driver.wantInterrupts(random.chance(0.6))
      if (random.chance(0.3)) this.#scribble()
      for (let i = random.between(0, 3); i > 0; i--) this.#useOne(random.chance(0.15))
      while (this.#driver.reap()) this.#report.buffers++
      const { fault } = this.#driver
      if (fault === null) continue
      countFault(this.#report, fault.rules[0] as PackedRingRule)
      // Once broken it stays so, until a reset.
      this.#driver.reap()
      this.#reset()
    }
    this.#reset()
    for (let i = 0; i < this.#scene.ring.size; i++) this.#driver.add([1], [], 1)
    if (this.#driver.outstanding !== this.#scene.ring.size) this.#scene.fail('slots were lost')
  }

  #add(): void {
    const random = this.#random
    const count = random.between(1, Math.min(4, this.#scene.ring.size))
    const readable = random.between(0, count)
    const lengths = Array.from({ length: count }, () => random.between(0, 64))
    this.#driver.add(lengths.slice(0, readable), lengths.slice(readable), random.chance(0.6) ? count : 0)
  }

  #show(): void {
    const before = new Set(this.#driver.shown.keys())
    this.#driver.publish()
    for (const [id, { slots, writableBytes }] of this.#driver.shown) {
      if (!before.has(id)) this.#held.push({ id, slots, writableBytes })
    }
  }

  /** Marks one buffer used, or with IN_ORDER all up to one; `lying`: with an id that is not out, or too long. */
  #useOne(lying: boolean): void {
    const random = this.#random
    if (this.#held.length === 0) return
    const { ring, memory } = this.#scene
    const which = random.between(0, this.#held.length - 1)
    const { id, writableBytes } = this.#held[which]!
    const taken = ring.inOrder ? this.#held.splice(0, which + 1) : this.#held.splice(which, 1)
    const written = random.between(0, writableBytes)
    // Without WRITE, what stands in len is nobody's business (IMP-VQP-08).
    let [used, length] = [id, written > 0 ? written : random.u32()]
    let flags = written > 0 ? VIRTQ_DESC_F_WRITE : 0
    if (lying && random.chance(0.5)) used = random.pick([...this.#past, random.between(0, 0xffff)])
    else if (lying) [length, flags] = [writableBytes + random.pick([1, 2 ** 16, 2 ** 31 - 1]), VIRTQ_DESC_F_WRITE]
    writeContents(memory, ring.descriptorArea, this.#used.slot, { address: random.u32(), length, id: used })
    // IMP-VQP-07: NEXT, and INDIRECT, say nothing in a used descriptor.
    const needless = random.chance(0.2) ? random.pick([1, 4, 5]) : 0
    writeFlags(memory, ring.descriptorArea, this.#used.slot, flags | needless | usedFlags(this.#used.wrap))
    this.#used = advance(ring, this.#used, slotsOf(taken))
    this.#past.add(id)
  }

  /** Over what it holds and has not marked used; marks stay. */
  #scribble(): void {
    const { ring, memory } = this.#scene
    const held = slotsOf(this.#held)
    for (let i = 0; i < held; i++) {
      const { slot } = advance(ring, this.#used, i)
      const flagsAt = descriptorAt(ring.descriptorArea, slot) + 14
      const marks = memory.readU16(flagsAt) & usedFlags(1)
      const [length, id] = [this.#random.u32(), this.#random.between(0, 0xffff)]
      writeContents(memory, ring.descriptorArea, slot, { address: 0, length, id })
      memory.writeU16(flagsAt, marks | this.#random.between(0, 7))
    }
  }

  #askSomewhere(): void {
    const random = this.#random
    const { ring, memory } = this.#scene
    const slot = random.chance(0.9) ? random.between(0, ring.size - 1) : random.between(0, 0x7fff)
    const flags = random.between(0, ring.eventIdx ? 2 : 1)
    writeEvent(memory, ring.deviceArea, { slot, wrap: random.chance(0.5) ? 1 : 0, flags })
  }

  #reset(): void {
    this.#scene.clearRings()
    this.#driver.reset()
    this.#held = []
    this.#used = this.#driver.usedPlace
  }
}
