/**
 * Where each Ethernet address is, for a switch: a table of fixed size, so that a station that makes up addresses costs no memory. An
 * address has four places; when they are taken, it takes one of them over.
 */
const BUCKETS = 256
const WAYS = 4
const NOBODY = -1

export class StationTable {
  readonly #high = new Uint16Array(BUCKETS * WAYS)
  readonly #low = new Uint32Array(BUCKETS * WAYS)
  readonly #port = new Int32Array(BUCKETS * WAYS).fill(NOBODY)
  #next = 0

  /** -1: unknown. */
  find(high: number, low: number): number {
    const place = this.#placeOf(high, low)
    return place < 0 ? NOBODY : this.#port[place]!
  }

  learn(high: number, low: number, port: number): void {
    let place = this.#placeOf(high, low)
    if (place < 0) {
      place = this.#freePlace(high, low)
      this.#high[place] = high
      this.#low[place] = low
    }
    this.#port[place] = port
  }

  forget(port: number): void {
    for (let place = 0; place < BUCKETS * WAYS; place++) if (this.#port[place] === port) this.#port[place] = NOBODY
  }

  #placeOf(high: number, low: number): number {
    const start = bucketOf(high, low)
    for (let place = start; place < start + WAYS; place++) {
      if (this.#port[place] !== NOBODY && this.#low[place] === low && this.#high[place] === high) return place
    }
    return -1
  }

  #freePlace(high: number, low: number): number {
    const start = bucketOf(high, low)
    for (let place = start; place < start + WAYS; place++) if (this.#port[place] === NOBODY) return place
    this.#next = (this.#next + 1) % WAYS
    return start + this.#next
  }
}

function bucketOf(high: number, low: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b)
  return (mixed >>> 24) * WAYS
}
