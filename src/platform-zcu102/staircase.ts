/** Sums of counts in a window: so much for every release of something periodic that can be in it. */

const WORDS = 3

/** sum of (floor((t + offset)/period) + 1)·cost. All quantities are whole, so the order of the sum does not matter. */
export class Staircase {
  #steps = new Float64Array(8 * WORDS)
  #end = 0

  /** Offsets are known times; those of one period and offset in a row are summed. */
  add(periodNs: number, offsetNs: number, cost: number): void {
    const steps = this.#steps
    const end = this.#end
    if (end > 0 && steps[end - 3] === periodNs && steps[end - 2] === offsetNs) {
      steps[end - 1]! += cost
      return
    }
    if (end === steps.length) {
      this.#steps = new Float64Array(2 * steps.length)
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
