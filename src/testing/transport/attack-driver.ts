/**
 * A hostile device against a driver, over whatever transport the driver has: registers that lie, resets that do not end, rings
 * that change between any two reads. The driver may refuse the device, or stop; it may not throw, run for ever, finish a request
 * twice, or write into the device's areas. After each case a driver comes up over the device turned honest, and is served.
 */

import { Random } from '../../internal/random.ts'
import { failureOf } from '../answers.ts'
import { expectCampaign } from '../expect-count.ts'
import { hex } from '../format/split/draw-ring.ts'
import { deviceAreaBytes } from '../format/split/split-ring-format.ts'
import { QueueMismatch } from '../mismatch.ts'
import { CallTimeout } from '../museum/bounded-call.ts'
import { TooManyReads, WatchedMemory } from '../museum/watched-memory.ts'
import type { DriverBehindTransport, DriverUnderAttack } from './device-port.ts'
import { HostilePort, TooManyAccesses } from './hostile-port.ts'

/** Options of `attackDriver`. */
export interface DriverAttackOptions {
  readonly seed: number
  readonly cases: number
  /** Number of the first case; a failure names its own. Default 0. */
  readonly first?: number
  /** Requests and interrupts a case. Default 24. */
  readonly steps?: number
}

/** What the attack did, and what it met. */
export interface DriverAttackReport {
  cases: number
  /** Drivers that came up over a device that lies, and those that refused it. */
  up: number
  refused: number
  requests: number
  finished: number
  /** Register accesses, and lies among them and in rings. */
  accesses: number
  lies: number
}

const RAM = { base: 0x10_0000, bytes: 0x4_0000 } as const
const READ_LIMIT = 1_000_000
const REWRITES = 4
/** What a language throws for a mistake of one's own; any other error of `connect` is a refusal. */
const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError]

/** Throws `QueueMismatch` at the first thing that must not be. */
export function attackDriver(target: DriverBehindTransport, options: DriverAttackOptions): DriverAttackReport {
  expectCampaign('cases', options.cases, options)
  const report = { cases: 0, up: 0, refused: 0, requests: 0, finished: 0, accesses: 0, lies: 0 }
  const { first = 0, cases, seed, steps = 24 } = options
  const ram = new WatchedMemory([RAM], false, undefined)
  ram.readLimit = READ_LIMIT
  for (let number = first; number < first + cases; number++) {
    ram.memory.fill(RAM.base, RAM.bytes, 0)
    new DriverCase(
      target,
      ram,
      new Random(seed, number),
      `attackDriver(target, { seed: ${seed}, first: ${number}, cases: 1 })`,
      report,
    ).run(steps)
    report.cases++
  }
  return report
}

class DriverCase {
  readonly #target: DriverBehindTransport
  readonly #ram: WatchedMemory
  readonly #random: Random
  readonly #replay: string
  readonly #report: DriverAttackReport
  readonly #port: HostilePort
  #driver: DriverUnderAttack | null = null
  #rewritesLeft = 0

  constructor(
    target: DriverBehindTransport,
    ram: WatchedMemory,
    random: Random,
    replay: string,
    report: DriverAttackReport,
  ) {
    this.#target = target
    this.#ram = ram
    this.#random = random
    this.#replay = replay
    this.#report = report
    this.#port = new HostilePort(ram.memory, random, target.queueSizes)
    ram.beforeRead = () => {
      if (this.#rewritesLeft === 0 || !random.chance(0.02)) return
      this.#rewritesLeft--
      report.lies++
      this.#port.scribble()
    }
  }

  run(steps: number): void {
    const [port, random, report] = [this.#port, this.#random, this.#report]
    // Some lie from the start, some once the driver trusts them.
    port.lies = random.pick([0, 0, 0.02, 0.1, 0.5])
    port.neverResets = random.chance(0.05)
    this.#connect()
    if (this.#driver === null) report.refused++
    else {
      report.up++
      port.lies = random.pick([0.02, 0.1, 0.3])
      for (let step = 0; step < steps; step++) this.#step()
    }
    this.#rewritesLeft = 0
    report.accesses += port.counts.accesses
    report.lies += port.counts.lies
    this.#expectService()
  }

  #step(): void {
    const [port, random] = [this.#port, this.#random]
    this.#rewritesLeft = REWRITES
    if (random.chance(0.6)) this.#request()
    if (random.chance(0.3)) port.serve()
    if (random.chance(0.1)) port.signal(random.between(0, 3))
    this.#deliver()
  }

  /** Whether the request was taken. */
  #request(): boolean {
    const report = this.#report
    let finished = 0
    const sent = this.#call('request', () =>
      this.#driver!.request(() => {
        if (++finished > 1) this.#fail('finished a request twice')
        report.finished++
      }),
    )
    if (sent) report.requests++
    return sent
  }

  #deliver(): void {
    for (let calls = 0; this.#port.interruptPending && calls < 4; calls++) {
      this.#port.interruptPending = false
      this.#call('interrupt', () => this.#driver!.interrupt())
    }
  }

  #connect(): void {
    this.#driver = null
    this.#port.interruptPending = false
    try {
      this.#driver = this.#call('connect', () => this.#target.connect(this.#port, this.#ram.targetMemory))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
    }
  }

  /** The device is honest from now on. */
  #expectService(): void {
    const { finished } = this.#report
    this.#port.lies = 0
    this.#port.neverResets = false
    this.#connect()
    if (this.#driver === null) this.#fail('does not come up over an honest device any more')
    if (!this.#request()) this.#fail('sends nothing to an honest device')
    this.#port.serve()
    this.#deliver()
    if (this.#report.finished === finished) this.#fail('does not notice that an honest device has answered')
  }

  #call<T>(what: string, action: () => T): T {
    this.#port.beginCall()
    let result: T
    try {
      result = this.#ram.call(action)
    } catch (error) {
      if (error instanceof QueueMismatch) throw error
      if ([TooManyReads, TooManyAccesses, CallTimeout].some((endless) => error instanceof endless)) {
        return this.#fail(`${what} does not end: ${(error as Error).message}`, error)
      }
      this.#checkRegisters()
      if (what === 'connect' && !MISTAKES.some((mistake) => error instanceof mistake)) throw new Refusal(String(error))
      return this.#fail(failureOf(what, error), error)
    }
    this.#checkRegisters()
    if (what !== 'connect') this.#checkStores(what)
    return result
  }

  #checkRegisters(): void {
    if (this.#port.misuse !== null) this.#fail(this.#port.misuse)
  }

  /** A driver of a live device writes its own areas only (IMP-VQS-02). */
  #checkStores(what: string): void {
    for (const { deviceArea, size } of this.#port.liveRings) {
      const store = this.#ram.stores.find(
        ({ address, bytes }) => address + bytes > deviceArea && address < deviceArea + deviceAreaBytes(size),
      )
      if (store) this.#fail(`${what} wrote at ${hex(store.address)}, in the device's area`)
    }
  }

  #fail(sentence: string, cause?: unknown): never {
    const log = this.#port.log.map((line) => `  ${line}`).join('\n')
    const evidence = `replay: ${this.#replay}\nlast accesses:\n${log}`
    throw new QueueMismatch(`${this.#target.name}: ${sentence}`, evidence, { cause })
  }
}

/** The driver did not want this device. */
class Refusal extends Error {
  override readonly name = 'Refusal'
}
