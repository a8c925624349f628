/**
 * A device under fire: hostile rings against any device target, each answer held against the specification. The target may
 * refuse or complete, as the bytes demand; it may not throw, answer for bytes that were not offered, change its mind when the
 * driver rewrites a chain that was taken, or stop returning what it took before the ring broke.
 */

import { Random } from '../../../internal/random.ts'
import { DeviceWitness } from '../../device-witness.ts'
import { expectCampaign } from '../../expect-count.ts'
import { countFault, runCases } from '../../hostile-campaign.ts'
import { QueueMismatch } from '../../mismatch.ts'
import { negotiate } from '../../negotiate.ts'
import type { DeviceQueueTarget, DriverRing } from '../../queue-targets.ts'
import { RingScene } from '../../ring-scene.ts'
import { HostileDriver, type HostileDriverOptions } from './hostile-ring.ts'
import type { RingRule } from './reference-split-ring.ts'
import { splitFormat } from './split-format.ts'
import { deviceAreaBytes, type RingMemory, type SplitRing } from './split-ring-format.ts'

/** Options of `runHostileRings`. */
export interface HostileRunOptions extends HostileDriverOptions {
  readonly rings: number
  /** Number of the first case; a failure names its own. Default 0. */
  readonly first?: number
  /** Moves a case. Default 12. */
  readonly steps?: number
}

/** What the hostile driver did, and how often each rule was broken. */
export interface HostileReport {
  rings: number
  chains: number
  /** How often each rule was broken, by the specification's first name for it. */
  readonly faults: { [rule in RingRule]?: number }
}

/** Runs `asked.rings` cases, without features that the target lacks; throws `QueueMismatch` at the first wrong answer. */
export function runHostileRings(target: DeviceQueueTarget, asked: HostileRunOptions): HostileReport {
  expectCampaign('rings', asked.rings, asked)
  const options = negotiate(asked, target)
  const driver = new HostileDriver(options)
  const report: HostileReport = { rings: 0, chains: 0, faults: {} }
  runCases(options, report, (number) => {
    driver.start(number)
    new HostileCase(target, driver, new Random(~options.seed, number), report).run(options.steps ?? 12)
  })
  if (!driver.guardsIntact()) throw new QueueMismatch(`${target.name} wrote outside the guest's memory`, '')
  return report
}

class HostileCase {
  readonly #driver: HostileDriver
  readonly #random: Random
  readonly #report: HostileReport
  readonly #memory: NotingMemory
  readonly #device: DeviceWitness<DriverRing, number>
  /** Returned, and not published. */
  #staged = 0

  constructor(target: DeviceQueueTarget, driver: HostileDriver, random: Random, report: HostileReport) {
    this.#driver = driver
    this.#random = random
    this.#report = report
    this.#memory = new NotingMemory(driver.memory, driver.ring)
    const laid = { ...driver.ring, tableArea: 0, tableLength: 0 }
    const scene = new RingScene(splitFormat, {
      ring: laid,
      where: () => target.name,
      evidence: () => driver.toString(this.#device?.nextPlace ?? 0),
      place: { memory: driver.memory, laid, data: 0, seen: this.#memory },
    })
    this.#device = new DeviceWitness<DriverRing, number>(scene, target)
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      const taken = this.#take()
      if (taken === 'unknown') return
      this.#publish()
      this.#driver.step()
      // Double fetch: whatever was rewritten, the chain in hand is the one that was checked.
      if (taken !== null) this.#device.expectUnchanged(taken)
      if (this.#random.chance(0.6)) this.#completeOne()
    }
    // Broken or not, what was taken can be returned.
    while (this.#device.inFlight > 0) this.#completeOne()
  }

  /** The id of up to one chain, and before it those that the target refuses and returns. */
  #take(): number | null | 'unknown' {
    if (this.#random.chance(0.2) && this.#device.canSetNotifications) {
      this.#device.setNotifications(this.#random.chance(0.6))
    }
    for (let returned = 0; ; returned++) {
      this.#memory.sawDeviceArea = false
      const { broken } = this.#device
      // A descriptor read from the used ring changes while heads are returned: no telling when the target read it.
      const outcome = this.#device.take(() => returned > 0 && this.#memory.sawDeviceArea)
      if (outcome === 'took') {
        this.#report.chains++
        return this.#device.inFlightIds.at(-1)!
      }
      if (outcome === 'nothing' || broken) return null
      if (outcome === 'unknown') return outcome
      const fault = this.#device.fault!
      countFault(this.#report, fault.kind === 'fault' ? (fault.rules[0] as RingRule) : 'chain-too-large')
      if (outcome === 'broken') return null
      this.#driver.returned(fault.id)
      this.#staged++
    }
  }

  #completeOne(): void {
    if (this.#device.inFlight === 0) return
    const id = this.#random.pick(this.#device.inFlightIds)
    const capacity = this.#device.writableBytes(id)
    const writtenBytes = this.#random.chance(0.3)
      ? Math.min(capacity, 2 ** 32 - 1)
      : this.#random.between(0, Math.min(capacity, 64))
    this.#device.complete(id, writtenBytes)
    this.#driver.returned(id)
    this.#staged++
    this.#publish()
  }

  /** What was returned stands in the used ring, whatever the driver wrote there before (museum 19). */
  #publish(): void {
    this.#device.publish()
    if (this.#staged === 0) return
    this.#staged = 0
    if (this.#random.chance(0.3)) return // ask for several publications at once
    this.#device.needsInterrupt()
  }
}

/** Notes when a descriptor was read from the one area that the target itself writes. */
class NotingMemory implements RingMemory {
  sawDeviceArea = false
  readonly #memory: RingMemory
  readonly #from: number
  readonly #to: number

  constructor(memory: RingMemory, ring: SplitRing) {
    this.#memory = memory
    this.#from = ring.deviceArea - 3
    this.#to = ring.deviceArea + deviceAreaBytes(ring.size)
  }

  contains(address: number, length: number): boolean {
    return this.#memory.contains(address, length)
  }

  readU16(address: number): number {
    this.#note(address)
    return this.#memory.readU16(address)
  }

  readU32(address: number): number {
    this.#note(address)
    return this.#memory.readU32(address)
  }

  #note(address: number): void {
    if (address >= this.#from && address < this.#to) this.sawDeviceArea = true
  }
}
