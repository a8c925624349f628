/**
 * Seeded 32-bit generator, Chris Doty-Humphrey's sfc32 (PractRand; public domain). Chance comes in as an argument
 * everywhere, so that one seed is one trace. Not for secrets.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter: number

  /** `stream` gives independent sequences of one seed: one a core, one a flow, one a task. */
  constructor(seed: number, stream = 0) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    this.#c = stream | 0
    this.#counter = 1
    for (let i = 0; i < 15; i++) this.u32()
  }

  /** Uniform over [0, 2^32). */
  u32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result
    this.#c |= 0
    return result >>> 0
  }

  /** Uniform over [0, 1), 32 bits of it. */
  unit(): number {
    return this.u32() / 2 ** 32
  }

  /** Uniform integer over [low, high], both included; the span is below 2^32. */
  between(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1))
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.unit() < p
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T
  }
}
