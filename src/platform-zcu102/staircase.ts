/** Sums of counts in a window: so much for every release of something periodic that can be in it. */

const WORDS = 3

/** sum of (floor((t + offset)/period) + 1)·cost. */
export class Staircase {
  #steps: Float64Array
  #end = 0

  /** `most`: so many are added, as far as is known. */
  constructor(most: number) {
    this.#steps = new Float64Array(WORDS * most)
  }

  /** Offsets are known times; those of one period and offset in a row are summed. */
  add(periodNs: number, offsetNs: number, cost: number): void {
    const steps = this.#steps
    const end = this.#end
    if (end > 0 && steps[end - 3] === periodNs && steps[end - 2] === offsetNs) {
      steps[end - 1]! += cost
      return
    }
    if (end === steps.length) {
      this.#steps = new Float64Array(2 * steps.length + WORDS)
      this.#steps.set(steps)
    }
    this.#steps[end] = periodNs
    this.#steps[end + 1] = offsetNs
    this.#steps[end + 2] = cost
    this.#end = end + WORDS
  }

  within(windowNs: number): number {
    const steps = this.#steps
    let sum = 0
    for (let at = 0; at < this.#end; at += WORDS) {
      sum += (Math.floor((windowNs + steps[at + 1]!) / steps[at]!) + 1) * steps[at + 2]!
    }
    return sum
  }
}
