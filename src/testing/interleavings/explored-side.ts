/** What a side of an explored program is given to work with. */
import { VirtioError } from '../../internal/error.ts'
import { GuestMemory } from '../../memory/index.ts'
import { type Access, type FenceOrder, modulo, type Order, updated } from './access.ts'
import { ExploredBuffer, exploredWorld } from './explored-views.ts'
import type { RunSide } from './local-states.ts'

/**
 * One side at work. It has the shared memory as `GuestMemory`, and through `memory.regions[0].u8.buffer` as bytes: whatever
 * views it makes of these while it runs are part of the exploration. It must depend on nothing else that changes.
 */
export interface ExploredSide {
  readonly memory: GuestMemory
  /** Wakes the peer: a kick, an interrupt. It orders nothing: a kick may arrive before the stores ahead of it. */
  notify(): void
  /**
   * Sleeps until notified; a notification that came before counts. With `mayRest` it is no failure to sleep for ever, once
   * the peer has ended or rests as well.
   */
  wait(mayRest?: boolean): void
  /** Says what it is doing, for the table of a schedule. */
  note(text: string): void
  /** An access by guest-physical address, with an order that JavaScript cannot express. Aligned, 1, 2 or 4 bytes, unsigned. */
  load(address: number, bytes: number, order: Order): number
  store(address: number, bytes: number, value: number, order: Order): void
  fence(order: FenceOrder): void
  /** Cache maintenance by guest-physical address: no step at all where memory is coherent. */
  clean(address: number, bytes: number): void
  invalidate(address: number, bytes: number): void
  /** Every `Atomics` access during `action` has this order instead of seq-cst: for code that stands for another language's. */
  atomicsAs<T>(order: Order, action: () => T): T
}

/**
 * Sets one side up, with accesses that nobody interleaves, and returns what is explored: a function that runs from its start
 * once for every local state that it can reach. What it returns is compared at the end.
 */
export type SideProgram = (side: ExploredSide) => () => unknown

/** A program over shared memory, and the means to run it again and again. */
export class SideRunner implements ExploredSide {
  /** For `SideCode`. */
  readonly run: RunSide
  /** What memory holds after this side was set up. */
  image: Uint8Array
  readonly #program: SideProgram
  readonly #base: number
  readonly #before: Uint8Array
  readonly #coherent: boolean
  readonly #buffer: ExploredBuffer
  #memory: GuestMemory | null = null
  /** Null while the side is set up: accesses then go to `image`, at once. */
  #perform: ((access: Access) => number) | null = null
  #note: (text: string) => void = () => {}
  #atomics: Order = 'seq-cst'

  /** Runs the setup once over a copy of `before`; throws what it throws. `coherent`: cache maintenance is no step. */
  constructor(program: SideProgram, base: number, before: Uint8Array, coherent: boolean) {
    this.#program = program
    this.#base = base
    this.#before = before
    this.#coherent = coherent
    this.#buffer = new ExploredBuffer(before.length)
    this.image = before
    const ordered = (order: Order): Order => (order === 'seq-cst' ? this.#atomics : order)
    const enter = exploredWorld(this.#buffer.buffer, {
      load: (address, bytes, order) => this.#load(address, bytes, ordered(order)),
      store: (address, bytes, value, order) => this.#store(address, bytes, value, ordered(order)),
      update: (address, bytes, operation, operand, expected) =>
        this.#do({ kind: 'update', address, bytes, operation, operand, expected }),
    })
    enter(() => this.#setUp())
    this.#buffer.refuseUnseenWrites()
    this.run = (perform, note) =>
      enter(() => {
        const explored = this.#setUp()
        this.#perform = perform
        this.#note = note
        try {
          return explored()
        } finally {
          this.#buffer.refuseUnseenWrites()
        }
      })
  }

  get memory(): GuestMemory {
    return this.#memory!
  }

  notify(): void {
    this.#do({ kind: 'notify' })
  }

  wait(mayRest = false): void {
    this.#do({ kind: 'wait', mayRest })
  }

  note(text: string): void {
    this.#note(text)
  }

  load(address: number, bytes: number, order: Order): number {
    return this.#load(this.#offset(address, bytes), bytes, order)
  }

  store(address: number, bytes: number, value: number, order: Order): void {
    this.#store(this.#offset(address, bytes), bytes, modulo(value, bytes), order)
  }

  fence(order: FenceOrder): void {
    this.#do({ kind: 'fence', order })
  }

  clean(address: number, bytes: number): void {
    if (!this.#coherent) this.#do({ kind: 'clean', address: this.#offset(address, 1), bytes })
  }

  invalidate(address: number, bytes: number): void {
    if (!this.#coherent) this.#do({ kind: 'invalidate', address: this.#offset(address, 1), bytes })
  }

  atomicsAs<T>(order: Order, action: () => T): T {
    const outer = this.#atomics
    this.#atomics = order
    try {
      return action()
    } finally {
      this.#atomics = outer
    }
  }

  #setUp(): () => unknown {
    this.image = this.#before.slice()
    this.#perform = null
    this.#note = () => {}
    this.#atomics = 'seq-cst'
    this.#memory = new GuestMemory([{ base: this.#base, size: this.#before.length, buffer: this.#buffer.buffer }])
    return this.#program(this)
  }

  #offset(address: number, bytes: number): number {
    const offset = address - this.#base
    if (!(offset >= 0 && offset + bytes <= this.#before.length && offset % bytes === 0)) {
      throw new VirtioError(
        'MISALIGNED_ACCESS',
        `0x${address.toString(16)} is not the address of ${bytes} aligned bytes in 0x${this.#base.toString(16)} + ${this.#before.length}`,
      )
    }
    return offset
  }

  /** Acquiring is of loads, releasing of stores. */
  #load(address: number, bytes: number, order: Order): number {
    return this.#do({ kind: 'load', address, bytes, order: order === 'release' ? 'unordered' : order })
  }

  #store(address: number, bytes: number, value: number, order: Order): void {
    this.#do({ kind: 'store', address, bytes, value, order: order === 'acquire' ? 'unordered' : order })
  }

  #do(access: Access): number {
    return this.#perform === null ? applyAtOnce(this.image, access) : this.#perform(access)
  }
}

function applyAtOnce(image: Uint8Array, access: Access): number {
  if (access.kind === 'notify' || access.kind === 'wait') {
    throw new VirtioError(
      'INVALID_PROGRAM',
      `${access.kind}() belongs into the function that a side returns, not its setup`,
    )
  }
  if (access.kind !== 'load' && access.kind !== 'store' && access.kind !== 'update') return 0
  const { address, bytes } = access
  let old = 0
  for (let i = bytes - 1; i >= 0; i--) old = old * 256 + image[address + i]!
  if (access.kind === 'load') return old
  const value =
    access.kind === 'store'
      ? access.value
      : modulo(updated(access.operation, old, access.operand, access.expected), bytes)
  for (let i = 0; i < bytes; i++) image[address + i] = Math.floor(value / 2 ** (8 * i))
  return old
}
