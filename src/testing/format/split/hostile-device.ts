/**
 * A driver under fire: a device that lies about what it used, and scribbles over the descriptor table and the available ring.
 * A driver may refuse; it may not throw, believe in a completion that cannot be, hand out a descriptor twice, or lose one
 * (museum 42, 43, 44).
 */

import { Random } from '../../../internal/random.ts'
import { DriverWitness } from '../../driver-witness.ts'
import { expectCampaign } from '../../expect-count.ts'
import { countFault, runCases } from '../../hostile-campaign.ts'
import { negotiate } from '../../negotiate.ts'
import type { DriverQueueTarget, DriverRing } from '../../queue-targets.ts'
import { RingScene } from '../../ring-scene.ts'
import type { RingRule } from './reference-split-ring.ts'
import { splitFormat } from './split-format.ts'
import {
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  descriptorAreaBytes,
  usedElementAt,
  usedIdxAt,
} from './split-ring-format.ts'

/** Options of `runHostileDevice`. */
export interface HostileDeviceOptions {
  readonly seed: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  readonly rings: number
  /** Number of the first case; a failure names its own. Default 0. */
  readonly first?: number
  /** Moves a case. Default 16. */
  readonly steps?: number
}

/** What the hostile device did, and how often it broke each rule. */
export interface HostileDeviceReport {
  rings: number
  completions: number
  readonly faults: { [rule in RingRule]?: number }
}

/** Runs `asked.rings` cases, without features that the target lacks; throws `QueueMismatch` at the first wrong answer. */
export function runHostileDevice(target: DriverQueueTarget, asked: HostileDeviceOptions): HostileDeviceReport {
  expectCampaign('rings', asked.rings, asked)
  const options = negotiate(asked, target)
  const report: HostileDeviceReport = { rings: 0, completions: 0, faults: {} }
  return runCases(options, report, (number) => {
    new HostileDeviceCase(target, options, number, report).run(options.steps ?? 16)
  })
}

class HostileDeviceCase {
  readonly #report: HostileDeviceReport
  readonly #random: Random
  readonly #scene: RingScene<DriverRing, number>
  readonly #driver: DriverWitness<DriverRing, number>
  /** Heads that the driver waits for and this device has not pretended to use. */
  #unused = new Set<number>()
  #usedIdx = 0

  constructor(target: DriverQueueTarget, options: HostileDeviceOptions, number: number, report: HostileDeviceReport) {
    const { seed, eventIdx, indirect } = options
    this.#random = new Random(seed, number)
    this.#report = report
    const replay = `replay: { seed: ${seed}, eventIdx: ${eventIdx}, indirect: ${indirect}, first: ${number}, rings: 1 }`
    this.#scene = new RingScene(splitFormat, {
      ring: { size: 2 ** this.#random.between(0, 4), eventIdx, indirect },
      where: () => target.name,
      evidence: (draw) => `${replay}\n${draw(this.#driver?.usedPlace ?? 0)}`,
    })
    this.#driver = new DriverWitness(this.#scene, target)
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      for (let i = this.#random.between(0, 3); i > 0; i--) this.#add()
      this.#show()
      if (this.#random.chance(0.8)) this.#complete()
      else this.#lie()
      if (this.#random.chance(0.2)) this.#scribble()
      while (this.#random.chance(0.7) && this.#reap());
    }
    this.#settle()
  }

  #add(): void {
    const random = this.#random
    const count = random.between(1, Math.min(this.#scene.ring.size, 4))
    const lengths = Array.from({ length: count }, () => random.between(0, 64))
    const readable = random.between(0, count)
    const direct = this.#scene.ring.indirect ? random.between(0, count) : count
    this.#driver.add(lengths.slice(0, readable), lengths.slice(readable), direct)
  }

  #show(): void {
    const before = new Set(this.#driver.shown.keys())
    this.#driver.publish()
    for (const id of this.#driver.shown.keys()) if (!before.has(id)) this.#unused.add(id)
  }

  #complete(): void {
    if (this.#unused.size === 0) return
    const head = this.#random.pick([...this.#unused])
    this.#unused.delete(head)
    this.#use(head, this.#random.between(0, this.#driver.shown.get(head)?.writableBytes ?? 0))
  }

  #lie(): void {
    const random = this.#random
    const { size } = this.#scene.ring
    const out = [...this.#driver.shown].map(([id, { writableBytes }]) => [id, writableBytes] as const)
    const [head, capacity] = random.pick([...out, [random.between(0, size - 1), 0] as const])
    switch (random.between(0, 3)) {
      case 0: // a head that is not out, that comes back twice, that is another's middle; or no head at all
        this.#use(random.pick([random.between(0, size), size, 0xffff, 0x1_0000 + head, random.u32()]), 0)
        break
      case 1:
        this.#use(head, random.pick([capacity + 1, 2 ** 31, 2 ** 32 - 1]))
        break
      case 2: // idx leaps, or goes back
        this.#usedIdx = (this.#usedIdx + random.pick([1, size, size + 1, 0x8000, 0xffff])) & 0xffff
        this.#scene.memory.writeU16(usedIdxAt(this.#scene.ring), this.#usedIdx)
        break
      default: // an element is rewritten after it was shown
        this.#scene.memory.writeU32(
          usedElementAt(this.#scene.ring, random.between(0, size - 1)),
          random.between(0, size),
        )
    }
  }

  #use(id: number, writtenBytes: number): void {
    const { memory, ring } = this.#scene
    memory.writeU32(usedElementAt(ring, this.#usedIdx), id)
    memory.writeU32(usedElementAt(ring, this.#usedIdx) + 4, writtenBytes)
    this.#usedIdx = (this.#usedIdx + 1) & 0xffff
    memory.writeU16(usedIdxAt(ring), this.#usedIdx)
  }

  /** The driver wrote these areas and must not read them back. */
  #scribble(): void {
    const { memory, ring } = this.#scene
    const random = this.#random
    memory.writeU32(ring.descriptorArea + 4 * random.between(0, descriptorAreaBytes(ring.size) / 4 - 1), random.u32())
    memory.writeU16(
      ring.descriptorArea + DESCRIPTOR_BYTES * random.between(0, ring.size - 1) + 14,
      random.u32() & 0xffff,
    )
    memory.writeU16(random.pick([availFlagsAt(ring), availIdxAt(ring)]), random.between(0, 0xffff))
  }

  /** True: something came back. */
  #reap(): boolean {
    const broken = this.#driver.fault !== null
    const went = this.#driver.reap()
    const { fault } = this.#driver
    if (fault !== null && !broken) countFault(this.#report, fault.rules[0] as RingRule)
    if (!went) return false
    this.#report.completions++
    for (const id of this.#unused) if (!this.#driver.shown.has(id)) this.#unused.delete(id)
    return true
  }

  /** A driver that has seen no lie can be brought to rest, and then has its whole ring again. */
  #settle(): void {
    while (this.#reap());
    while (this.#driver.fault === null && this.#unused.size > 0) {
      this.#complete()
      while (this.#reap());
    }
    if (this.#driver.fault !== null || this.#driver.outstanding > 0) return
    for (let i = 0; i < this.#scene.ring.size; i++) this.#driver.add([1], [], 1)
  }
}
