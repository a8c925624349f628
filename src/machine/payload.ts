/** The bytes that a flow's messages carry: a file read round and round, or seeded noise. */
import { Random } from '../internal/random.ts'

/** Long enough that messages differ, short enough to make quickly; a prime, so that they do not start alike. */
const NOISE_BYTES = 262_147

export class PayloadSource {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  static noise(seed: number, stream: number): PayloadSource {
    const random = new Random(seed, stream)
    const bytes = new Uint8Array(NOISE_BYTES)
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.u32()
    return new PayloadSource(bytes)
  }

  /** The next `length` bytes, in parts handed to `write(offset, part)`. */
  next(length: number, write: (offset: number, part: Uint8Array) => void): void {
    for (let done = 0; done < length; ) {
      const part = this.#bytes.subarray(this.#at, this.#at + length - done)
      write(done, part)
      done += part.length
      this.#at = (this.#at + part.length) % this.#bytes.length
    }
  }
}
