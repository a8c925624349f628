/** For the plain peers of an exchange. */
import type { WritableRingMemory } from '../format/split/split-ring-format.ts'
import type { ExploredSide } from './explored-side.ts'

/** Memory in which every access is ordered, and reaches the peer: slow, and right under every model. */
export class OrderedMemory implements WritableRingMemory {
  readonly #side: ExploredSide

  constructor(side: ExploredSide) {
    this.#side = side
  }

  contains(address: number, length: number): boolean {
    return this.#side.memory.contains(address, length)
  }

  readU16(address: number): number {
    return this.#read(address, 2)
  }

  readU32(address: number): number {
    return this.#read(address, 4)
  }

  writeU16(address: number, value: number): void {
    this.#write(address, 2, value)
  }

  writeU32(address: number, value: number): void {
    this.#write(address, 4, value)
  }

  #read(address: number, bytes: number): number {
    this.#side.invalidate(address, bytes)
    return this.#side.load(address, bytes, 'seq-cst')
  }

  #write(address: number, bytes: number, value: number): void {
    this.#side.store(address, bytes, value, 'seq-cst')
    this.#side.clean(address, bytes)
  }
}
