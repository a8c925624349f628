/**
 * A 64-bit hash of a stream of bytes (the mixing steps of MurmurHash3, A. Appleby, public domain), in whatever parts the bytes
 * come. Words go to four lanes in turn, so that the processor works on four at once. It finds lost, swapped and damaged
 * bytes, a single damaged word always; it does not resist an attacker.
 */
export class StreamHash {
  /** `#a` takes the next word, and then goes to the end of the line. */
  #a = 0
  #b = 0
  #c = 0
  #d = 0
  #length = 0
  /** Bytes that do not fill a word yet. */
  #carry = 0
  #carried = 0

  constructor() {
    this.reset()
  }

  reset(): void {
    this.#a = 0x9747b28c | 0
    this.#b = 0x2545f491
    this.#c = 0x6c62272e
    this.#d = 0x1b873593
    this.#length = 0
    this.#carry = 0
    this.#carried = 0
  }

  update(bytes: Uint8Array, offset = 0, length = bytes.length): void {
    const end = offset + length
    this.#length += length
    let at = offset
    while (at < end && this.#carried !== 0) this.#byte(bytes[at++]!)
    const words = (end - at) >>> 2
    if (words > 0) {
      const isAligned = ((bytes.byteOffset + at) & 3) === 0
      if (isAligned) this.#words(new Int32Array(bytes.buffer, bytes.byteOffset + at, words))
      // `slice` of a Buffer, which is a Uint8Array too, would copy nothing.
      else this.#words(new Int32Array(Uint8Array.prototype.slice.call(bytes, at, at + 4 * words).buffer))
      at += 4 * words
    }
    while (at < end) this.#byte(bytes[at++]!)
  }

  /** 16 hexadecimal digits of everything so far; more may follow. */
  digest(): string {
    const first = finish(finish(finish(finish(this.#a ^ this.#carry) ^ this.#b) ^ this.#c) ^ this.#d)
    const second = finish(finish(finish(finish(this.#d ^ this.#length) ^ this.#c) ^ this.#b) ^ this.#a)
    return hex(second ^ this.#carry) + hex(first ^ this.#length)
  }

  #words(words: Int32Array): void {
    let [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d]
    let i = 0
    for (const end = words.length & ~3; i < end; i += 4) {
      a = mix(a, words[i]!)
      b = mix(b, words[i + 1]!)
      c = mix(c, words[i + 2]!)
      d = mix(d, words[i + 3]!)
    }
    this.#a = a
    this.#b = b
    this.#c = c
    this.#d = d
    for (; i < words.length; i++) this.#word(words[i]!)
  }

  #word(word: number): void {
    const mixed = mix(this.#a, word)
    this.#a = this.#b
    this.#b = this.#c
    this.#c = this.#d
    this.#d = mixed
  }

  #byte(value: number): void {
    this.#carry |= value << (8 * this.#carried)
    if (++this.#carried < 4) return
    this.#word(this.#carry)
    this.#carry = 0
    this.#carried = 0
  }
}

/** A word is spread before it meets its lane, or a later word of the lane could undo what it changed. */
function mix(lane: number, word: number): number {
  const scaled = Math.imul(word, 0xcc9e2d51)
  const mixed = lane ^ Math.imul((scaled << 15) | (scaled >>> 17), 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
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
