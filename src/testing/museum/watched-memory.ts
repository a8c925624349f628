/**
 * Guest memory whose every access by the target is seen: counted, bounded, recorded, and preceded by whatever the other side
 * wants to do at that moment. A target that reaches the bytes in ways JavaScript cannot see gets the memory as it is.
 */
import { GuestMemory } from '../../memory/index.ts'
import { updated } from '../interleavings/access.ts'
import { type AccessPort, ExploredBuffer, exploredWorld } from '../interleavings/explored-views.ts'
import { CallTimeout, callWithin } from './bounded-call.ts'

/** A part of the memory of a stage: guest-physical address and length in bytes. */
export interface MemoryPart {
  readonly base: number
  readonly bytes: number
}

/** A write of the target: guest-physical address and length in bytes. */
export interface SeenStore {
  readonly address: number
  readonly bytes: number
}

/** More reads in one call than any correct target needs. */
export class TooManyReads extends Error {
  override readonly name = 'TooManyReads'
}

const CALL_LIMIT_MS = 1000

/** Guest memory whose every access by the target is seen. */
export class WatchedMemory {
  /** The stage's own look at the bytes; it is seen by nobody. */
  readonly memory: GuestMemory
  /** What the target gets. Views of it count only while the target runs. */
  readonly targetMemory: GuestMemory
  readonly watched: boolean
  /** Most reads in one call so far. */
  mostReads = 0
  /** Reads that a call may do. */
  readLimit = 10_000
  /** Runs before each read of the target; may change memory. */
  beforeRead: ((address: number, bytes: number) => void) | null = null
  /** Runs before each write of the target. */
  beforeWrite: ((address: number, bytes: number, value: number) => void) | null = null
  /** Of the last call. */
  readonly stores: SeenStore[] = []
  readonly #bounded: boolean
  #reads = 0
  #world: <T>(action: () => T) => T = (action) => action()

  /** `long`: so many calls that none is watched, or bounded. `own`: memory that the target brought; it is zeroed. */
  constructor(parts: readonly MemoryPart[], long = false, own?: GuestMemory) {
    this.#bounded = !long
    this.watched = !long && own === undefined
    if (own !== undefined) {
      this.memory = this.targetMemory = own
      for (const { base, bytes } of parts) own.fill(base, bytes, 0)
      return
    }
    const total = parts.reduce((sum, { bytes }) => sum + roundUp(bytes), 0)
    const bytes = new ArrayBuffer(total)
    const bases: { offset: number; base: number }[] = []
    const regions = (buffer: ArrayBuffer | SharedArrayBuffer) => {
      let byteOffset = 0
      return parts.map((part) => {
        const region = { base: part.base, size: part.bytes, buffer, byteOffset }
        byteOffset += roundUp(part.bytes)
        return region
      })
    }
    for (const { base, byteOffset } of regions(bytes)) bases.push({ offset: byteOffset, base })
    this.memory = new GuestMemory(regions(bytes))
    if (long) {
      this.targetMemory = this.memory
      return
    }
    const addressOf = (offset: number): number => {
      const part = bases.findLast((candidate) => candidate.offset <= offset)!
      return part.base + offset - part.offset
    }
    const { buffer } = new ExploredBuffer(total)
    this.#world = exploredWorld(buffer, this.#port(new DataView(bytes), addressOf))
    this.targetMemory = this.#world(() => new GuestMemory(regions(buffer)))
  }

  /** One call of the target. Throws what it throws, `TooManyReads`, or `CallTimeout`. */
  call<T>(action: () => T): T {
    this.#reads = 0
    this.stores.length = 0
    try {
      return this.#bounded ? this.#world(() => callWithin(action, CALL_LIMIT_MS)) : action()
    } finally {
      this.mostReads = Math.max(this.mostReads, this.#reads)
    }
  }

  #port(view: DataView, addressOf: (offset: number) => number): AccessPort {
    const load = (offset: number, bytes: number): number =>
      bytes === 1 ? view.getUint8(offset) : bytes === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true)
    const store = (offset: number, bytes: number, value: number): void => {
      this.beforeWrite?.(addressOf(offset), bytes, value)
      this.stores.push({ address: addressOf(offset), bytes })
      if (bytes === 1) view.setUint8(offset, value)
      else if (bytes === 2) view.setUint16(offset, value, true)
      else view.setUint32(offset, value, true)
    }
    return {
      load: (offset, bytes) => {
        // Again and again: whoever catches it meets it at the next read.
        if (++this.#reads > this.readLimit) throw new TooManyReads(`more than ${this.readLimit} reads in one call`)
        this.beforeRead?.(addressOf(offset), bytes)
        return load(offset, bytes)
      },
      store,
      update: (offset, bytes, operation, operand, expected) => {
        const old = load(offset, bytes)
        store(offset, bytes, updated(operation, old, operand, expected))
        return old
      },
    }
  }
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 16) * 16

/** A target that never comes back, however that was found out. */
export function isEndless(error: unknown): boolean {
  return error instanceof TooManyReads || error instanceof CallTimeout
}
