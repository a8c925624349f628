/**
 * A device for the tests of a driver: it takes what the driver offers, answers with any bytes, in any order, and counts its
 * interrupts. It is the specification's device (`ReferenceDevice`) with hands.
 *
 *     const device = new MockDevice(memory, ring)
 *     const [first, second] = device.takeAll()
 *     device.complete(second, Uint8Array.of(0)); device.complete(first, Uint8Array.of(0))
 *     if (device.interrupt()) driver.handleInterrupt()
 */
import type { Random } from '../internal/random.ts'
import type { GuestMemory } from '../memory/index.ts'
import { ReferenceDevice } from './format/split/reference-peers.ts'
import type { ByteRange } from './format/split/reference-split-ring.ts'
import type { SplitRing } from './format/split/split-ring-format.ts'
import { QueueMismatch } from './mismatch.ts'
import type { TakenChain } from './queue-targets.ts'

/** A request that the mock device took. */
export interface MockChain {
  readonly head: number
  /** What the driver sent, gathered. */
  readonly request: Uint8Array
  /** How many bytes may be answered. */
  readonly replyBytes: number
}

/**
 * A device to script in a test of a driver: it takes chains, answers them as told, and throws `QueueMismatch` when the
 * driver breaks a rule.
 */
export class MockDevice {
  /** How often the driver had to be interrupted. */
  interrupts = 0
  readonly #memory: GuestMemory
  readonly #device: ReferenceDevice
  readonly #held = new Map<number, TakenChain>()

  constructor(memory: GuestMemory, ring: SplitRing) {
    this.#memory = memory
    this.#device = new ReferenceDevice(memory, ring)
  }

  /** Chains taken and not completed. */
  get held(): number {
    return this.#held.size
  }

  /** The next chain, or null. Throws `QueueMismatch` when the driver breaks a rule. */
  take(): MockChain | null {
    const taken = this.#device.take()
    if (taken === null) return null
    if (taken.kind === 'fault') throw new QueueMismatch(`the driver broke ${taken.rule}`, '')
    this.#held.set(taken.id, taken)
    const request = new Uint8Array(bytesOf(taken.readable))
    let at = 0
    for (const { address, length } of taken.readable) {
      this.#memory.read(address, request.subarray(at, at + length))
      at += length
    }
    return { head: taken.id, request, replyBytes: bytesOf(taken.writable) }
  }

  takeAll(): MockChain[] {
    const chains: MockChain[] = []
    for (let chain = this.take(); chain !== null; chain = this.take()) chains.push(chain)
    return chains
  }

  /** Answers and returns a chain. `lies`: a used length that is not the reply's. Throws when the reply does not fit. */
  complete({ head, replyBytes }: MockChain, reply: Uint8Array = new Uint8Array(0), { lies = reply.length } = {}): void {
    const chain = this.#held.get(head)
    if (chain === undefined) throw new RangeError(`chain ${head} is not held: it was completed, or never taken`)
    if (reply.length > replyBytes) throw new RangeError(`a reply of ${reply.length} bytes does not fit ${replyBytes}`)
    let at = 0
    for (const { address, length } of chain.writable) {
      this.#memory.write(address, reply.subarray(at, at + length))
      at += Math.min(length, reply.length - at)
    }
    this.#held.delete(head)
    this.#device.completeWith(head, lies)
    this.#device.publish()
  }

  /** Takes all there is and answers it in an order of `random`'s choice. */
  serve(answer: (chain: MockChain) => Uint8Array, random?: Random): number {
    const chains = this.takeAll()
    const count = chains.length
    while (chains.length > 0) {
      const [chain] = chains.splice(random?.between(0, chains.length - 1) ?? 0, 1)
      this.complete(chain!, answer(chain!))
    }
    return count
  }

  /** Whether the driver must be interrupted for what was completed since the last time. */
  interrupt(): boolean {
    const wanted = this.#device.wantsNotification()
    if (wanted) this.interrupts++
    return wanted
  }

  /** Asks for kicks, or for silence; true: more is there already. */
  setKicks(on: boolean): boolean {
    return this.#device.setNotifications(on)
  }
}

function bytesOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0)
}
