/** The MSI-X table of a function: messages by vector, masked and pending ones (PCI 3.0 §6.8.2). */
import { MSIX_ENABLE, MSIX_ENTRY_BYTES, MSIX_FUNCTION_MASK } from './registers.ts'

/** A message-signalled interrupt: a store of 32 bits that the emulator's interrupt controller takes. */
export type SendMessage = (address: number, data: number) => void

export class MsixTable {
  readonly vectors: number
  readonly #words: Uint32Array
  readonly #pending: boolean[]
  readonly #send: SendMessage
  /** Message control, as the guest last wrote its two upper bits. */
  #control = 0

  constructor(vectors: number, send: SendMessage) {
    this.vectors = vectors
    this.#send = send
    this.#words = new Uint32Array((vectors * MSIX_ENTRY_BYTES) / 4)
    this.#pending = Array(vectors).fill(false) as boolean[]
    this.reset()
  }

  get enabled(): boolean {
    return (this.#control & MSIX_ENABLE) !== 0
  }

  /** Message control, as the guest wrote it. */
  set control(value: number) {
    this.#control = value & (MSIX_ENABLE | MSIX_FUNCTION_MASK)
    for (let vector = 0; vector < this.vectors; vector++) this.#flush(vector)
  }

  /** As after the function's own reset: disabled, every vector masked. A reset of the virtio device does not touch it. */
  reset(): void {
    this.#control = 0
    this.#words.fill(0)
    this.#pending.fill(false)
    for (let vector = 0; vector < this.vectors; vector++) this.#words[4 * vector + 3] = 1
  }

  /** A word of the table; 0 behind its end. */
  read(word: number): number {
    return this.#words[word] ?? 0
  }

  write(word: number, value: number): void {
    if (word >= this.#words.length) return
    // Only the mask of the control word is there.
    this.#words[word] = word % 4 === 3 ? value & 1 : value
    this.#flush(word >> 2)
  }

  /** 32 bits of the pending bit array. */
  pending(word: number): number {
    let bits = 0
    for (let bit = 0; bit < 32; bit++) if (this.#pending[32 * word + bit] === true) bits |= 1 << bit
    return bits >>> 0
  }

  /** Sends the message of a vector, or keeps it until the vector is unmasked. */
  raise(vector: number): void {
    this.#pending[vector] = true
    this.#flush(vector)
  }

  #flush(vector: number): void {
    const at = 4 * vector
    const masked = (this.#words[at + 3]! & 1) !== 0 || (this.#control & MSIX_FUNCTION_MASK) !== 0
    if (!this.#pending[vector] || masked || !this.enabled) return
    this.#pending[vector] = false
    this.#send(this.#words[at]! + this.#words[at + 1]! * 2 ** 32, this.#words[at + 2]!)
  }
}
