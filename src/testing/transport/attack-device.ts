/**
 * A hostile driver against a device behind its transport: first the scripts, then seeded cases in which it misuses the registers
 * between any two steps, lays out hostile rings, and rewrites memory between any two reads of the device (double fetch). After
 * each case the device must come up again and answer.
 */
import { Random } from '../../internal/random.ts'
import { expectCampaign } from '../expect-count.ts'
import { HostileDriver } from '../format/split/hostile-ring.ts'
import { usedElementAt } from '../format/split/split-ring-format.ts'
import { ARENA_BYTES } from '../hostile-memory.ts'
import { HOSTILE_ADDRESSES } from '../hostile-values.ts'
import { WatchedMemory } from '../museum/watched-memory.ts'
import {
  ACKNOWLEDGE,
  DEVICE_NEEDS_RESET,
  type DeviceBehindTransport,
  DRIVER,
  DRIVER_OK,
  FEATURES_OK,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_RESET,
} from './device-port.ts'
import { expectRecovery, goLive, negotiate, RAM, SECOND } from './honest-bring-up.ts'
import { PortStage } from './port-stage.ts'
import { REGISTER_SCRIPTS } from './register-scripts.ts'

/** Options of `attackDevice`. */
export interface AttackOptions {
  readonly seed: number
  /** Random cases, after the scripts. */
  readonly cases: number
  /** Number of the first case; a failure names its own, and then no script runs. Default 0. */
  readonly first?: number
  /** Moves a case. Default 24. */
  readonly steps?: number
}

/** What the attack did, and what it met. */
export interface AttackReport {
  scripts: number
  cases: number
  /** Register accesses, and kicks among them of a live device. */
  accesses: number
  kicks: number
  /** Times that memory was rewritten between two reads of the device. */
  rewrites: number
  /** Chains that the device returned. */
  returned: number
}

/** Rewrites during one access: an attack, but not an endless one. */
const REWRITES = 6
const DEFAULT_STEPS = 24

/** Throws `QueueMismatch` at the first thing that must not be, with the last accesses and a drawing of the ring. */
export function attackDevice(target: DeviceBehindTransport, options: AttackOptions): AttackReport {
  expectCampaign('cases', options.cases, options)
  const report: AttackReport = { scripts: 0, cases: 0, accesses: 0, kicks: 0, rewrites: 0, returned: 0 }
  const { first = 0, cases } = options
  if (options.first === undefined) {
    for (const script of REGISTER_SCRIPTS) {
      const stage = new PortStage(target, newRam(), () => `script: ${script.title} (museum ${script.exhibit})`)
      script.play(stage)
      expectRecovery(stage)
      report.scripts++
      report.accesses += stage.accesses
    }
  }
  const arsenal = new Arsenal(target, options)
  for (let number = first; number < first + cases; number++) {
    arsenal.run(number, report)
    report.cases++
  }
  return report
}

function newRam(): WatchedMemory {
  return new WatchedMemory([RAM, SECOND], false, undefined)
}

/** One memory and one hostile driver for each set of features, over all cases. */
class Arsenal {
  readonly #target: DeviceBehindTransport
  readonly #options: AttackOptions
  readonly #ram = newRam()
  readonly #drivers: readonly HostileDriver[]

  constructor(target: DeviceBehindTransport, options: AttackOptions) {
    this.#target = target
    this.#options = options
    const { memory } = this.#ram
    const borders = memory.regions.flatMap(({ base, end }) => [base, end - 4096, end - 16, end - 1, end])
    const site = {
      memory: { layout: 'hole', memory, arena: RAM.base, borders, guardsIntact: () => true },
      sizeMax: 2 ** Math.floor(Math.log2(new PortStage(target, this.#ram, () => '').queueSizeMax(0))),
    } as const
    this.#drivers = [0, 1, 2, 3].map(
      (bits) => new HostileDriver({ seed: options.seed, eventIdx: (bits & 1) !== 0, indirect: (bits & 2) !== 0 }, site),
    )
  }

  run(number: number, report: AttackReport): void {
    const { seed, steps = DEFAULT_STEPS } = this.#options
    const random = new Random(~seed, number)
    for (const { base, size } of this.#ram.memory.regions) this.#ram.memory.fill(base, size, 0)
    const driver = random.pick(this.#drivers)
    driver.start(number)
    const replay = `replay: attackDevice(target, { seed: ${seed}, first: ${number}, cases: 1 })`
    const stage = new PortStage(this.#target, this.#ram, () => `${replay}\nmoves: ${driver.moves.join(', ')}`)
    stage.ring = driver.ring
    new AttackCase(stage, driver, random, report).run(steps)
    expectRecovery(stage)
    report.accesses += stage.accesses
  }
}

class AttackCase {
  readonly #stage: PortStage
  readonly #driver: HostileDriver
  readonly #random: Random
  readonly #report: AttackReport
  readonly #queue: number
  #rewritesLeft = 0

  constructor(stage: PortStage, driver: HostileDriver, random: Random, report: AttackReport) {
    this.#stage = stage
    this.#driver = driver
    this.#random = random
    this.#report = report
    this.#queue = random.between(0, stage.target.queues - 1)
    stage.ram.beforeRead = () => {
      if (this.#rewritesLeft === 0 || !random.chance(0.05)) return
      this.#rewritesLeft--
      report.rewrites++
      driver.step()
    }
  }

  run(steps: number): void {
    const random = this.#random
    if (random.chance(0.85)) this.#bringUp(random.chance(0.3) ? 0.1 : 0)
    for (let step = 0; step < steps; step++) {
      if (random.chance(0.5)) this.#driver.step()
      if (random.chance(0.6)) this.#kick(this.#queue)
      else this.#misuse()
      // A broken device is no longer interesting.
      if (random.chance((this.#stage.status & DEVICE_NEEDS_RESET) !== 0 ? 0.4 : 0.03)) this.#again()
    }
  }

  /** An honest handshake, in which the hand slips with this chance. */
  #bringUp(slips: number): void {
    const [stage, random] = [this.#stage, this.#random]
    const slip = (): void => {
      if (random.chance(slips)) this.#misuse()
    }
    const { eventIdx, indirect } = this.#driver.ring
    const wanted = [
      ...(eventIdx ? [VIRTIO_F_EVENT_IDX] : []),
      ...(indirect ? [VIRTIO_F_INDIRECT_DESC] : []),
      ...(random.chance(0.5) ? [VIRTIO_F_RING_RESET] : []),
    ].filter((bit) => stage.offers(bit))
    if (slips === 0) negotiate(stage, ...wanted)
    else {
      const values = [ACKNOWLEDGE, ACKNOWLEDGE | DRIVER, ACKNOWLEDGE | DRIVER | FEATURES_OK]
      values.forEach((value, step) => {
        slip()
        if (step === 2) stage.accept(32, ...wanted)
        stage.writeStatus(value)
      })
    }
    slip()
    stage.setUpQueue(this.#queue, this.#driver.ring)
    slip()
    stage.enableQueue(this.#queue)
    slip()
    goLive(stage)
  }

  #kick(queue: number): void {
    const stage = this.#stage
    const live = (stage.status & DRIVER_OK) !== 0
    this.#rewritesLeft = REWRITES
    stage.notify(queue)
    this.#rewritesLeft = 0
    if (!live) return
    this.#report.kicks++
    // The driver learns from the device's stores what it has back: it scribbles over the used ring itself.
    const { ring } = this.#driver
    for (const { address, bytes } of stage.stores) {
      const offset = address - usedElementAt(ring, 0)
      if (bytes !== 4 || offset < 0 || offset >= 8 * ring.size || offset % 8 !== 0) continue
      this.#driver.returned(stage.ram.memory.readU32(address))
      this.#report.returned++
    }
  }

  /** Comes up once more after a reset, with another ring. */
  #again(): void {
    this.#stage.writeStatus(0)
    this.#driver.start(this.#random.between(0, 2 ** 30))
    this.#stage.ring = this.#driver.ring
    this.#bringUp(0.05)
  }

  #misuse(): void {
    const [stage, random] = [this.#stage, this.#random]
    const queue = random.pick([this.#queue, random.between(0, stage.target.queues), random.u32()])
    switch (random.between(0, 10)) {
      case 0:
        stage.writeStatus(random.pick([1, 2, 3, 4, 7, 8, 11, 15, 64, 128, 143, 255, random.u32()]))
        return
      case 1:
        stage.writeDriverFeatures(random.pick([0, 1, 2, 3, 4, random.u32()]), random.u32())
        return
      case 2:
        stage.queueSizeMax(queue)
        return
      case 3:
        stage.writeQueueSize(queue, random.pick([0, 1, 2, 3, 4, 8, 256, 0x8000, 0xffff, random.u32()]))
        return
      case 4: {
        const wide = random.pick(HOSTILE_ADDRESSES)
        const inside = RAM.base + random.between(0, ARENA_BYTES)
        const [low, high] = random.chance(0.5) ? [inside, 0] : typeof wide === 'number' ? split(wide) : wide
        stage.writeQueueAddress(queue, random.pick([0, 1, 2]), low, high)
        return
      }
      case 5:
        stage.enableQueue(queue)
        return
      case 6:
        if (stage.canResetQueues) stage.resetQueue(queue)
        return
      case 7:
        this.#kick(queue)
        return
      case 8:
        stage.takeInterrupts()
        return
      case 9:
        stage.readConfig(random.pick([0, 1, 8, random.u32()]), random.pick([1, 2, 4, 8]))
        return
      default:
        stage.writeConfig(random.pick([0, 1, 8, random.u32()]), random.pick([1, 2, 4, 8]))
    }
  }
}

const split = (value: number): [number, number] => [value % 2 ** 32, Math.floor(value / 2 ** 32)]
