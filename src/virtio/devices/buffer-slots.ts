/** The buffers of one queue of a driver: equal ones in one block, so that an address is all that has to be remembered. */
import { refuseState } from '../../internal/saved-state.ts'
import type { DriverQueue } from '../driver-queue.ts'

/** The equal buffers of one queue: where they are, and which of the chains that are outstanding has which. */
export interface SlotsState {
  readonly base: number
  readonly count: number
  readonly bytes: number
  readonly held: readonly (readonly [head: number, address: number])[]
}

/** Which head holds which buffer is remembered here, not in the ring. */
export class Slots {
  readonly count: number
  readonly bytes: number
  readonly base: number
  readonly #free: number[] = []
  /** By head: the address that it holds; -1 for none. */
  readonly #byHead: number[]

  constructor(base: number, count: number, bytes: number, heads: number) {
    this.base = base
    this.count = count
    this.bytes = bytes
    this.#byHead = new Array(heads).fill(-1)
    for (let slot = count - 1; slot >= 0; slot--) this.#free.push(base + slot * bytes)
  }

  /** Address of a free buffer, or -1. */
  take(): number {
    return this.#free.pop() ?? -1
  }

  give(head: number, address: number): void {
    this.#byHead[head] = address
  }

  /** The chain came back: its buffer, which is not free before `release`. */
  reclaim(head: number): number {
    const address = this.#byHead[head]!
    this.#byHead[head] = -1
    return address
  }

  release(address: number): void {
    this.#free.push(address)
  }

  /** The queue was reset: nothing holds a buffer any more. */
  reset(): void {
    this.#byHead.fill(-1)
    this.#free.length = 0
    for (let slot = this.count - 1; slot >= 0; slot--) this.#free.push(this.base + slot * this.bytes)
  }

  saveState(): SlotsState {
    const { base, count, bytes } = this
    const held = this.#byHead.flatMap((address, head) => (address < 0 ? [] : [[head, address] as const]))
    return { base, count, bytes, held }
  }

  /** Throws `VirtioError` INVALID_STATE unless the buffers are in memory, and `ring` has such chains outstanding, and no others. */
  static restore(state: SlotsState, { name, ring }: DriverQueue, isWritable: boolean): Slots {
    const { base, count, bytes, held } = state
    requireHeld(ring.memory.contains(base, count * bytes), `the buffers of ${name} are not in memory`)
    const slots = new Slots(base, count, bytes, ring.size)
    const addresses = new Set(held.map(([, address]) => address))
    slots.#free.splice(0, count, ...slots.#free.filter((address) => !addresses.has(address)))
    for (const [head, address] of held) {
      const isOut = ring.writableBytesOf(head) === (isWritable ? bytes : 0) && slots.#byHead[head] === -1
      requireHeld(isOut, `chain ${head} of ${name} is not outstanding like that, or there twice`)
      slots.#byHead[head] = address
    }
    const { outstanding } = ring
    requireHeld(held.length === outstanding, `${name} has ${outstanding} chains outstanding, ${held.length} are held`)
    return slots
  }
}

function requireHeld(condition: boolean, rule: string): void {
  if (!condition) refuseState('driver', rule)
}
