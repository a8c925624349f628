/**
 * What happened in a simulation, as rows of numbers, and a hash of all of it. The hash does not depend on
 * what is kept: two runs with the same hash did the same things at the same times. It is made for finding differences
 * (multiply and rotate, two lanes, as in MurmurHash3), not against an adversary.
 */

import { assert } from '../internal/assert.ts'
import { checkFlags, checkInteger, checkNumber, checkObject, MAX_SAFE } from '../internal/check-option.ts'

/** What a row is. The numbers are part of the hash. */
export const TraceForm = { span: 0, instant: 1, begin: 2, end: 3, counter: 4, flowStart: 5, flowEnd: 6 } as const

/** Options of `TraceRecorder`. */
export interface TraceOptions {
  /** Keep rows (default), or only count and hash them. */
  readonly keep?: boolean
  /** Hash rows (default), or leave the hash empty: a little faster. */
  readonly hash?: boolean
  /** Rows to keep at most, the first ones; further ones are counted in `dropped`. Default 2^21, of 41 bytes each. */
  readonly limit?: number
  /** Keep only rows that touch this interval, both ends included. */
  readonly window?: { readonly fromNs: number; readonly toNs: number }
}

/** The kept rows, a column each, of which the first `count` entries hold. Valid until the next row is recorded. */
export interface TraceColumns {
  readonly form: Uint8Array
  readonly kind: Int32Array
  readonly track: Int32Array
  readonly startNs: Float64Array
  readonly durationNs: Float64Array
  readonly a: Float64Array
  readonly b: Float64Array
}

const FIRST_ROWS = 1024
const WORD = 2 ** 32

/**
 * `kind` says what a row is and `track` where it happened, both int32; times are integers in ns; `a` and `b` are safe integers
 * of the caller's choice. Rows may come in any order of time. Allocates only when the columns grow.
 */
export class TraceRecorder {
  readonly #limit: number
  readonly #hashes: boolean
  readonly #fromNs: number
  readonly #toNs: number
  readonly #lanes = new Int32Array([0x2f6b_31a5, 0x51c0_9e77])
  #columns = newColumns(0)
  #count = 0
  #recorded = 0
  #dropped = 0

  constructor(options: TraceOptions = {}) {
    checkObject('options', options)
    checkFlags(options, 'keep', 'hash')
    const { limit = 2 ** 21, window } = options
    if (window !== undefined) {
      checkObject('window', window, 'fromNs and toNs')
      checkNumber('window.fromNs', window.fromNs, 0, MAX_SAFE, 'ns')
      if (window.toNs !== Number.POSITIVE_INFINITY) checkNumber('window.toNs', window.toNs, 0, MAX_SAFE, 'ns')
    }
    this.#limit = limit
    checkInteger('limit', this.#limit, 0, MAX_SAFE, 'rows')
    this.#hashes = options.hash !== false
    // To keep nothing is an empty window, so that nothing counts as dropped.
    this.#fromNs = options.keep === false ? Number.POSITIVE_INFINITY : (options.window?.fromNs ?? 0)
    this.#toNs = options.window?.toNs ?? Number.POSITIVE_INFINITY
  }

  /** Rows kept. */
  get count(): number {
    return this.#count
  }

  /** Rows recorded, kept or not. */
  get recorded(): number {
    return this.#recorded
  }

  /** Rows that should have been kept, had the limit not been reached. */
  get dropped(): number {
    return this.#dropped
  }

  get columns(): TraceColumns {
    return this.#columns
  }

  /** Hash of all rows so far: 16 hexadecimal digits, or '' when they are not hashed. */
  get hash(): string {
    if (!this.#hashes) return ''
    const first = avalanche(this.#lanes[0] ^ this.#recorded)
    const second = avalanche(this.#lanes[1] ^ first)
    return [first, second].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** Something that lasted. Spans of one track must nest or not overlap. */
  span(kind: number, track: number, startNs: number, durationNs: number, a: number, b: number): void {
    this.#record(TraceForm.span, kind, track, startNs, durationNs, a, b)
  }

  instant(kind: number, track: number, timeNs: number, a: number, b: number): void {
    this.#record(TraceForm.instant, kind, track, timeNs, 0, a, b)
  }

  /** Something begins that may overlap others on its track, such as a message. `end` with the same kind, a and b ends it. */
  begin(kind: number, track: number, timeNs: number, a: number, b: number): void {
    this.#record(TraceForm.begin, kind, track, timeNs, 0, a, b)
  }

  end(kind: number, track: number, timeNs: number, a: number, b: number): void {
    this.#record(TraceForm.end, kind, track, timeNs, 0, a, b)
  }

  /** From now on the counter of this kind and track has the value, a safe integer. */
  counter(kind: number, track: number, timeNs: number, value: number): void {
    this.#record(TraceForm.counter, kind, track, timeNs, 0, value, 0)
  }

  /** Tail of an arrow, from the span of this track at this time to the span of the `flowEnd` with the same kind, a and b. */
  flowStart(kind: number, track: number, timeNs: number, a: number, b: number): void {
    this.#record(TraceForm.flowStart, kind, track, timeNs, 0, a, b)
  }

  flowEnd(kind: number, track: number, timeNs: number, a: number, b: number): void {
    this.#record(TraceForm.flowEnd, kind, track, timeNs, 0, a, b)
  }

  #record(form: number, kind: number, track: number, startNs: number, durationNs: number, a: number, b: number): void {
    assert(durationNs >= 0, 'a row has a duration below 0')
    this.#recorded++
    if (this.#hashes) this.#hash(form, kind, track, startNs, durationNs, a, b)
    if (startNs > this.#toNs || startNs + durationNs < this.#fromNs) return
    if (this.#count === this.#limit) {
      this.#dropped++
      return
    }
    if (this.#count === this.#columns.form.length) this.#grow()
    const row = this.#count++
    const columns = this.#columns
    columns.form[row] = form
    columns.kind[row] = kind
    columns.track[row] = track
    columns.startNs[row] = startNs
    columns.durationNs[row] = durationNs
    columns.a[row] = a
    columns.b[row] = b
  }

  #hash(form: number, kind: number, track: number, startNs: number, durationNs: number, a: number, b: number): void {
    this.#mix(form ^ Math.imul(kind, 0x9e37_79b1), startNs)
    this.#mix(track, durationNs)
    this.#mix(a, b)
    if (startNs + durationNs >= WORD || a >= WORD || b >= WORD || a < 0 || b < 0) {
      this.#mix(Math.floor(startNs / WORD), Math.floor(durationNs / WORD))
      this.#mix(Math.floor(a / WORD), Math.floor(b / WORD))
    }
  }

  /** Takes the low 32 bits of two numbers into both lanes. Constants: xxHash and MurmurHash3. */
  #mix(x: number, y: number): void {
    const lanes = this.#lanes
    const p = Math.imul(lanes[0] ^ x, 0x85eb_ca6b)
    const q = Math.imul(lanes[1] ^ x, 0xc2b2_ae35)
    const r = Math.imul(((p << 13) | (p >>> 19)) ^ y, 0x9e37_79b1)
    const s = Math.imul(((q << 17) | (q >>> 15)) ^ y, 0x1656_67b1)
    // The sums keep zeros from having no effect.
    lanes[0] = ((r << 15) | (r >>> 17)) + 0x52dc_e729
    lanes[1] = ((s << 11) | (s >>> 21)) + 0x3849_5ab5
  }

  #grow(): void {
    const columns = newColumns(Math.min(this.#limit, Math.max(FIRST_ROWS, 2 * this.#count)))
    columns.form.set(this.#columns.form)
    columns.kind.set(this.#columns.kind)
    columns.track.set(this.#columns.track)
    columns.startNs.set(this.#columns.startNs)
    columns.durationNs.set(this.#columns.durationNs)
    columns.a.set(this.#columns.a)
    columns.b.set(this.#columns.b)
    this.#columns = columns
  }
}

function avalanche(lane: number): number {
  const once = Math.imul(lane ^ (lane >>> 16), 0x85eb_ca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2_ae35)
  return twice ^ (twice >>> 16)
}

function newColumns(rows: number): TraceColumns {
  return {
    form: new Uint8Array(rows),
    kind: new Int32Array(rows),
    track: new Int32Array(rows),
    startNs: new Float64Array(rows),
    durationNs: new Float64Array(rows),
    a: new Float64Array(rows),
    b: new Float64Array(rows),
  }
}
