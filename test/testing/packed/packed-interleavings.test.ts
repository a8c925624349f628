/**
 * Both sides of a packed ring at once, in every order of their accesses: the specification's peers over memory that orders as
 * little as the standard asks for, and each ordering taken away once. `INTERLEAVINGS=all npx vitest run --project unit
 * --testTimeout 600000 test/testing/packed/packed-interleavings.test.ts` explores the large exchanges too, and prints figures.
 */
import { describe, expect, it } from 'vitest'
import {
  type ExploredSide,
  exploreInterleavings,
  type Order,
  type PackedRing,
  packedExchange,
  ReferencePackedDevice,
  ReferencePackedDriver,
  type WritableRingMemory,
} from '../../../src/testing/index.ts'
import { EXCHANGES } from './packed-exchanges.ts'

/** Which orderings a side keeps: all of them, but for the one that is taken away. */
interface Orderings {
  /** Flags are stored behind what they hand over (VQP-DRV-07). */
  readonly release: boolean
  /** What was handed over is read behind the flags. */
  readonly acquire: boolean
  /** A full fence between the flags and the look at the peer's events (VQP-KICK-DRV-01). */
  readonly fenceBeforeEvents: boolean
  /** A full fence between the own events and one more look at the flags (VQP-DRV-08). */
  readonly fenceAfterEvents: boolean
}

const KEPT: Orderings = { release: true, acquire: true, fenceBeforeEvents: true, fenceAfterEvents: true }

class RelaxedMemory implements WritableRingMemory {
  readonly #side: ExploredSide
  readonly #ring: PackedRing
  readonly #events: { readonly own: number; readonly peer: number }
  readonly #keeps: Orderings

  constructor(side: ExploredSide, ring: PackedRing, events: { own: number; peer: number }, keeps: Orderings) {
    this.#side = side
    this.#ring = ring
    this.#events = events
    this.#keeps = keeps
  }

  contains(address: number, length: number): boolean {
    return this.#side.memory.contains(address, length)
  }

  readU16(address: number): number {
    if (address === this.#events.peer && this.#keeps.fenceBeforeEvents) this.#side.fence('full')
    return this.#side.load(address, 2, this.#isFlags(address) && this.#keeps.acquire ? 'acquire' : 'unordered')
  }

  readU32(address: number): number {
    return this.#side.load(address, 4, 'unordered')
  }

  writeU16(address: number, value: number): void {
    const order: Order = this.#isFlags(address) && this.#keeps.release ? 'release' : 'unordered'
    this.#side.store(address, 2, value, order)
    if (address === this.#events.own + 2 && this.#keeps.fenceAfterEvents) this.#side.fence('full')
  }

  writeU32(address: number, value: number): void {
    this.#side.store(address, 4, value, 'unordered')
  }

  #isFlags(address: number): boolean {
    const { descriptorArea, size } = this.#ring
    const offset = address - descriptorArea
    return offset >= 0 && offset < 16 * size && offset % 16 === 14
  }
}

const driver =
  (keeps: Orderings) => (side: ExploredSide, ring: ConstructorParameters<typeof ReferencePackedDriver>[1]) => {
    const events = { own: ring.driverArea, peer: ring.deviceArea }
    return new ReferencePackedDriver(new RelaxedMemory(side, ring, events, keeps), ring)
  }
const device = (keeps: Orderings) => (side: ExploredSide, ring: PackedRing) => {
  const events = { own: ring.deviceArea, peer: ring.driverArea }
  return new ReferencePackedDevice(new RelaxedMemory(side, ring, events, keeps), ring)
}

const ALL = process.env.INTERLEAVINGS === 'all'
const LIMIT = ALL ? 6_000_000 : 1_000_000
/** Weak allows what sc and tso do. */
const MODELS = ALL ? (['sc', 'tso', 'weak'] as const) : (['weak'] as const)

describe.each([false, true])('with EVENT_IDX %s', (eventIdx) => {
  it.each(EXCHANGES.filter(({ large }) => ALL || !large))(
    'VQP-DRV-07, VQP-KICK-DRV-01, VQP-DRV-08: what is asked for is enough: $name',
    (exchange) => {
      // Where both together are too many orders, each side meets a peer that orders everything.
      const whole = { driver: driver(KEPT), device: device(KEPT) }
      const sides = exchange.large ? [{ driver: whole.driver }, { device: whole.device }] : [whole]
      for (const model of MODELS) {
        for (const attached of sides) {
          const report = exploreInterleavings(packedExchange(attached, { ...exchange, eventIdx }), {
            model,
            limit: LIMIT,
          })
          if (ALL) console.log(`${exchange.name}, EVENT_IDX ${eventIdx}: ${report}`)
          expect(report.verdict, String(report)).toBe('pass')
        }
      }
    },
  )

  it.each<keyof Orderings>(['release', 'acquire', 'fenceBeforeEvents', 'fenceAfterEvents'])(
    'and nothing of it can be left out, on either side: %s',
    (missing) => {
      const keeps = { ...KEPT, [missing]: false }
      for (const sides of [
        { driver: driver(keeps), device: device(KEPT) },
        { driver: driver(KEPT), device: device(keeps) },
      ]) {
        const due = missing.startsWith('fence') ? /sleeps-for-ever/ : /race|threw/
        const seen = EXCHANGES.find((exchange) => {
          const { failure } = exploreInterleavings(packedExchange(sides, { ...exchange, eventIdx }), { model: 'weak' })
          return failure !== null && due.test(failure.kind)
        })
        expect(seen).toBeDefined()
      }
    },
  )
})
