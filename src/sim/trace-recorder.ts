/**
 * What happened when: spans, instants and the lifetimes of messages, as numbers in growing typed arrays. Every record also
 * goes into a running hash, kept or not, so that two runs can be compared without storing either.
 */
const FIELDS = 5

/** Forms of a record. */
export const TraceForm = { span: 0, instant: 1, begin: 2, end: 3 } as const

export interface TraceOptions {
  /** Records to keep at most; beyond it they are counted, hashed and dropped. 0 keeps none. Default 2^21. */
  readonly limit?: number
}

export class TraceRecorder {
  readonly #limit: number
  /** Per record: start and duration in ns; and form, kind, track, a, b. */
  #times: Float64Array
  #fields: Int32Array
  #count = 0
  #dropped = 0
  #low = 0x9747b28c
  #high = 0x2545f491

  constructor(options: TraceOptions = {}) {
    this.#limit = options.limit ?? 2 ** 21
    const capacity = Math.min(this.#limit, 1024)
    this.#times = new Float64Array(2 * capacity)
    this.#fields = new Int32Array(FIELDS * capacity)
  }

  get count(): number {
    return this.#count
  }

  /** Records that the limit did not let in. */
  get dropped(): number {
    return this.#dropped
  }

  /** 16 hexadecimal digits over every record so far. */
  get hash(): string {
    return [this.#high, this.#low].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
  }

  span(kind: number, track: number, startNs: number, durationNs: number, a: number, b: number): void {
    this.#add(TraceForm.span, kind, track, startNs, durationNs, a, b)
  }

  instant(kind: number, track: number, atNs: number, a: number, b: number): void {
    this.#add(TraceForm.instant, kind, track, atNs, 0, a, b)
  }

  /** Begin and end of something that overlaps others on its track; `a` and `b` together name it. */
  begin(kind: number, track: number, atNs: number, a: number, b: number): void {
    this.#add(TraceForm.begin, kind, track, atNs, 0, a, b)
  }

  end(kind: number, track: number, atNs: number, a: number, b: number): void {
    this.#add(TraceForm.end, kind, track, atNs, 0, a, b)
  }

  /** Visits the kept records in the order in which they were recorded. */
  forEach(
    visit: (
      form: number,
      kind: number,
      track: number,
      startNs: number,
      durationNs: number,
      a: number,
      b: number,
    ) => void,
  ): void {
    const [times, fields] = [this.#times, this.#fields]
    for (let i = 0; i < this.#count; i++) {
      const at = FIELDS * i
      visit(
        fields[at]!,
        fields[at + 1]!,
        fields[at + 2]!,
        times[2 * i]!,
        times[2 * i + 1]!,
        fields[at + 3]!,
        fields[at + 4]!,
      )
    }
  }

  #add(form: number, kind: number, track: number, startNs: number, durationNs: number, a: number, b: number): void {
    this.#mix((form << 24) ^ (kind << 16) ^ track)
    this.#mix(startNs % 2 ** 32)
    this.#mix(startNs / 2 ** 32)
    this.#mix(durationNs)
    this.#mix(a)
    this.#mix(b)
    if (this.#count === this.#limit) {
      this.#dropped++
      return
    }
    const index = this.#count++
    if (2 * index === this.#times.length) this.#grow()
    this.#times[2 * index] = startNs
    this.#times[2 * index + 1] = durationNs
    const at = FIELDS * index
    this.#fields[at] = form
    this.#fields[at + 1] = kind
    this.#fields[at + 2] = track
    this.#fields[at + 3] = a
    this.#fields[at + 4] = b
  }

  #mix(value: number): void {
    const word = value | 0
    const low = Math.imul(this.#low ^ word, 0xcc9e2d51)
    this.#low = (low << 15) | (low >>> 17)
    const high = Math.imul(this.#high + word, 0x1b873593)
    this.#high = (high << 13) | (high >>> 19)
  }

  #grow(): void {
    const capacity = Math.min(this.#limit, this.#times.length)
    const times = new Float64Array(2 * capacity)
    times.set(this.#times)
    const fields = new Int32Array(FIELDS * capacity)
    fields.set(this.#fields)
    this.#times = times
    this.#fields = fields
  }
}
