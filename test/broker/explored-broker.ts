/**
 * The broker's loads of a hostile guest's rings and headers against that guest's stores, in every order: the guest is one side of the
 * explorer of interleavings, the broker with all else that it serves the other. The guest is given more than a VM has: it writes while the
 * broker runs on its core too.
 */
import type { ExploredSide, InterleavingTarget } from '../../src/testing/index.ts'
import { MAX_VMS } from '../zero-copy/byte-classes.ts'
import { PRIVATE_PAGES, RAM_BASE, RAM_PAGES, ringsOf } from '../zero-copy/model-guest.ts'
import { PAGE } from '../zero-copy/stage-two-model.ts'
import type { World, WorldOptions } from '../zero-copy/world.ts'

export const [HOSTILE, RECEIVER, SENDER] = [0, 1, 2] as const
export const [RX, TX] = [0, 1] as const

const DESCRIPTOR_BYTES = 16

/** One store of the guest. */
export interface Store {
  readonly address: number
  readonly bytes: number
  readonly value: number
}

/** What a guest may change of what it has made ready; addresses of its own rings. */
export class Rings {
  readonly #readU16: (address: number) => number

  constructor(readU16: (address: number) => number) {
    this.#readU16 = readU16
  }

  /** Makes `count` more chains available. */
  publish(queue: number, count: number): Store {
    const address = ringsOf(queue).driverArea + 2
    return { address, bytes: 2, value: this.#readU16(address) + count }
  }

  /** Descriptor `link` of the chain that is `ahead` behind what the broker can see. */
  #descriptor(queue: number, ahead: number, link: number): number {
    const { descriptorArea, driverArea } = ringsOf(queue)
    const entry = (this.#readU16(driverArea + 2) + ahead) % 32
    let index = this.#readU16(driverArea + 4 + 2 * entry)
    for (let i = 0; i < link; i++) index = this.#readU16(descriptorArea + DESCRIPTOR_BYTES * index + 14)
    return descriptorArea + DESCRIPTOR_BYTES * index
  }

  /** A byte of the first buffer of a chain to send: the header that says whose message it is, and to whom. */
  header(ahead: number, at: number, value: number): Store {
    const descriptor = this.#descriptor(TX, ahead, 0)
    const address = this.#readU16(descriptor) + 2 ** 16 * this.#readU16(descriptor + 2)
    return { address: address + at, bytes: 1, value }
  }

  address(queue: number, ahead: number, link: number, value: number): Store {
    return { address: this.#descriptor(queue, ahead, link), bytes: 4, value }
  }

  length(queue: number, ahead: number, link: number, value: number): Store {
    return { address: this.#descriptor(queue, ahead, link) + 8, bytes: 4, value }
  }

  flags(queue: number, ahead: number, link: number, value: number): Store {
    return { address: this.#descriptor(queue, ahead, link) + 12, bytes: 2, value }
  }
}

export interface Attack {
  readonly name: string
  readonly options: Partial<WorldOptions>
  /** What there is before: messages that have come, chains made ready that the broker cannot see yet. */
  readonly prepare: (world: World) => void
  readonly stores: (rings: Rings) => readonly Store[]
  /** What happens beside, in this order; the broker looks at its rings in these. */
  readonly beside: readonly ((world: World) => void)[]
  /** What honest guests must have had by the end. */
  readonly check: (world: World) => void
}

/** `make`: a world of these options. */
export function exploredBroker(attack: Attack, make: (options: Partial<WorldOptions>) => World): InterleavingTarget {
  const memoryBytes = PRIVATE_PAGES * PAGE
  const ram = new ArrayBuffer(MAX_VMS * RAM_PAGES * PAGE)
  const plain = make(attack.options)
  attack.prepare(plain)
  const stores = attack.stores(new Rings((address) => plain.guests[HOSTILE]!.memory.readU16(address)))
  return {
    name: attack.name,
    base: RAM_BASE,
    memoryBytes,
    driver: (side) => () => {
      for (const { address, bytes, value } of stores) side.store(address, bytes, value, 'seq-cst')
    },
    device: (side: ExploredSide) => {
      const rings = side.memory.regions[0]!.u8.buffer as SharedArrayBuffer
      const world = make({ ...attack.options, rings, ram })
      attack.prepare(world)
      return () => {
        for (const happens of attack.beside) happens(world)
        drain(world)
        // Loans are due.
        world.advance(200_000)
        drain(world)
        attack.check(world)
        world.check()
      }
    },
  }
}

/** Until nothing is under way. */
export function drain(world: World): void {
  for (let turns = 0; turns < 2 || !world.dmaIdle(); turns++) {
    for (const core of [0, 1, 2]) world.finishSteps(core)
    world.endDma()
    for (const core of [0, 1, 2]) world.resume(core)
  }
  for (const core of [0, 1, 2]) world.finishSteps(core)
}
