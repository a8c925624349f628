/** Sums of counts in a window: so much for every release of something periodic that can be in it. */

const WORDS = 3

/** sum of (floor((t + offset)/period) + 1)·cost. */
export class Staircase {
  /** No typed array: one of more than a few words takes the engine longer to make than it takes to fill. */
  readonly #steps: number[] = []

  /** Offsets are known times; those of one period and offset in a row are summed. */
  add(periodNs: number, offsetNs: number, cost: number): void {
    const steps = this.#steps
    const end = steps.length
    if (end > 0 && steps[end - 3] === periodNs && steps[end - 2] === offsetNs) {
      steps[end - 1]! += cost
      return
    }
    steps.push(periodNs, offsetNs, cost)
  }

  within(windowNs: number): number {
    const steps = this.#steps
    let sum = 0
    for (let at = 0; at < steps.length; at += WORDS) {
      sum += (Math.floor((windowNs + steps[at + 1]!) / steps[at]!) + 1) * steps[at + 2]!
    }
    return sum
  }
}
