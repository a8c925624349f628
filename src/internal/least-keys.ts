/**
 * A number for each index, and quick questions about the small ones: a tournament tree. Every node holds the least number below it, so
 * a change costs one walk to the root, and a search one walk down; neither allocates.
 *
 *   1                2          node 1 is the root; node n has the children 2n and 2n + 1
 *   2    3        2     5
 *   4 5  6 7     7 2   5 inf    the leaves: one an index
 */
const NONE = Number.POSITIVE_INFINITY

export class LeastKeys {
  readonly #leaves: number
  readonly #keys: Float64Array

  /** `size` indices, all without a number: Infinity. */
  constructor(size: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, size)))
    this.#keys = new Float64Array(2 * this.#leaves).fill(NONE)
  }

  /** The least number of all; Infinity: no index has one. */
  get least(): number {
    return this.#keys[1]!
  }

  /** The first index that has the least number; there is one. */
  get leastIndex(): number {
    const keys = this.#keys
    const least = keys[1]!
    let node = 1
    while (node < this.#leaves) node = keys[2 * node] === least ? 2 * node : 2 * node + 1
    return node - this.#leaves
  }

  get(index: number): number {
    return this.#keys[this.#leaves + index]!
  }

  /** Infinity takes the index out. */
  set(index: number, key: number): void {
    const keys = this.#keys
    let node = this.#leaves + index
    if (keys[node] === key) return
    keys[node] = key
    for (node >>= 1; node > 0; node >>= 1) {
      const least = Math.min(keys[2 * node]!, keys[2 * node + 1]!)
      if (keys[node] === least) return
      keys[node] = least
    }
  }

  delete(index: number): void {
    this.set(index, NONE)
  }

  /** The first index from `from` on whose number is below `limit`; -1: none is. */
  firstBelow(limit: number, from = 0): number {
    const keys = this.#keys
    const leaves = this.#leaves
    if (from >= leaves) return -1
    let node = leaves + from
    // Up while nothing below the node fits, to the right where that leads out of a left child; then down, left first.
    while (!(keys[node]! < limit)) {
      while ((node & 1) === 1) node >>= 1
      if (node === 0) return -1
      node++
    }
    while (node < leaves) node = keys[2 * node]! < limit ? 2 * node : 2 * node + 1
    return node - leaves
  }
}
