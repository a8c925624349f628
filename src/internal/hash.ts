/**
 * A 64-bit hash of a stream of bytes in two 32-bit lanes (the mixing step of MurmurHash3, A. Appleby, public domain), in
 * whatever parts the bytes come. It finds lost, swapped and damaged bytes; it does not resist an attacker.
 */
export class StreamHash {
  #low = 0x9747b28c
  #high = 0x2545f491
  #length = 0
  /** Bytes that do not fill a word yet. */
  #carry = 0
  #carried = 0

  reset(): void {
    this.#low = 0x9747b28c
    this.#high = 0x2545f491
    this.#length = 0
    this.#carry = 0
    this.#carried = 0
  }

  update(bytes: Uint8Array, offset = 0, length = bytes.length): void {
    const end = offset + length
    this.#length += length
    let at = offset
    while (at < end && (this.#carried !== 0 || ((bytes.byteOffset + at) & 3) !== 0)) this.#byte(bytes[at++]!)
    // Aligned, and nothing carried over: whole words. The common case is all of it.
    if (at < end) {
      const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2)
      let low = this.#low
      let high = this.#high
      for (let i = 0; i < words.length; i++) {
        low = mixLow(low, words[i]!)
        high = mixHigh(high, words[i]!)
      }
      this.#low = low
      this.#high = high
      at += 4 * words.length
    }
    while (at < end) this.#byte(bytes[at++]!)
  }

  /** 16 hexadecimal digits of everything so far; more may follow. */
  digest(): string {
    const low = finish(this.#low ^ this.#carry ^ this.#length)
    const high = finish(this.#high ^ low ^ this.#carried)
    return hex(high) + hex(low)
  }

  #byte(value: number): void {
    this.#carry |= value << (8 * this.#carried)
    if (++this.#carried < 4) return
    this.#low = mixLow(this.#low, this.#carry)
    this.#high = mixHigh(this.#high, this.#carry)
    this.#carry = 0
    this.#carried = 0
  }
}

function mixLow(lane: number, word: number): number {
  const mixed = Math.imul(lane ^ word, 0xcc9e2d51)
  return (mixed << 15) | (mixed >>> 17)
}

function mixHigh(lane: number, word: number): number {
  const mixed = Math.imul(lane + word, 0x1b873593)
  return (mixed << 13) | (mixed >>> 19)
}

function finish(lane: number): number {
  let value = lane ^ (lane >>> 16)
  value = Math.imul(value, 0x85ebca6b)
  value ^= value >>> 13
  value = Math.imul(value, 0xc2b2ae35)
  return value ^ (value >>> 16)
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0')
}
