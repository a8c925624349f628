/**
 * Small guest memories with the borders at which address arithmetic breaks: the end of RAM, a hole, two regions that touch,
 * 2^32, the last exact Number, scattered pages. Each lies in its buffer between guards full of well-formed descriptors that
 * point at real RAM: a walk that strays past a region finds a chain there, where the specification finds a fault.
 */
import { checkBoolean, checkWord } from '../internal/check-option.ts'
import { GuestMemory, PAGE_SIZE, type RegionSpec } from '../memory/index.ts'
import { DESCRIPTOR_BYTES, VIRTQ_DESC_F_WRITE } from './format/split/split-ring-format.ts'

/**
 * Memories with the borders at which address arithmetic breaks: the end of RAM, a hole, 4 GiB, 2^53, scattered pages.
 */
export const HOSTILE_LAYOUTS = ['flat', 'based', 'hole', 'at-4g', 'at-2^53', 'paged', 'large'] as const
/** One of `HOSTILE_LAYOUTS`. */
export type HostileLayout = (typeof HOSTILE_LAYOUTS)[number]

/** Where rings are laid and what is wiped between two cases: the first bytes of the first region. */
export const ARENA_BYTES = 8 * PAGE_SIZE
/** Where there is memory after the arena, a table may reach so far into it. */
export const SPILL_BYTES = 128
const GUARD_BYTES = PAGE_SIZE
/** Seen in a chain, it tells that a guard was read. */
const GUARD_LENGTH = 0x666

/** Guest memory with guards around what a queue may touch. */
export interface HostileMemory {
  readonly layout: HostileLayout
  readonly memory: GuestMemory
  /** First byte of the arena; its `ARENA_BYTES` are one physical run. */
  readonly arena: number
  /** Addresses worth aiming at: first bytes, last bytes, first bytes after. */
  readonly borders: readonly number[]
  /** Every guard byte is as it was. */
  guardsIntact(): boolean
}

/** Memory of a layout, over ArrayBuffers, or SharedArrayBuffers when `shared`. */
export function hostileMemory(layout: HostileLayout, shared: boolean): HostileMemory {
  checkWord('layout', layout, HOSTILE_LAYOUTS)
  checkBoolean('shared', shared)
  const guarded: Uint8Array[] = []
  const regions = specs(layout).map((spec) => guard(spec, shared, guarded))
  const memory = new GuestMemory(regions)
  const borders = memory.regions.flatMap(({ base, end }) => [
    base,
    base + PAGE_SIZE - 1,
    end - PAGE_SIZE,
    end - 16,
    end - 1,
    end,
  ])
  const pristine = guarded.map((bytes) => Uint8Array.from(bytes))
  return {
    layout,
    memory,
    arena: memory.regions[0]!.base,
    borders,
    guardsIntact: () => guarded.every((bytes, i) => bytes.every((byte, at) => byte === pristine[i]![at])),
  }
}

/** Zeroes what the last case may have written. */
export function wipe({ memory, arena }: HostileMemory): void {
  memory.fill(arena, ARENA_BYTES, 0)
  if (memory.contains(arena + ARENA_BYTES, SPILL_BYTES)) memory.fill(arena + ARENA_BYTES, SPILL_BYTES, 0)
}

function specs(layout: HostileLayout): { base: number; size: number; frames?: readonly number[] }[] {
  const size = ARENA_BYTES
  switch (layout) {
    case 'flat':
      return [{ base: 0, size }]
    case 'based':
      return [{ base: 0x4000_0000, size }]
    case 'hole': // two regions that touch, a hole, a third
      return [
        { base: 0x1_0000, size },
        { base: 0x1_0000 + size, size: PAGE_SIZE },
        { base: 0x3_0000, size: PAGE_SIZE },
      ]
    case 'at-4g':
      return [
        { base: 2 ** 32 - size, size },
        { base: 2 ** 32, size: PAGE_SIZE },
      ]
    case 'at-2^53':
      return [{ base: 2 ** 53 - 16 - size, size: size + 15 }] // its last byte is at 2^53 - 2
    case 'paged': // the arena in one run, then pages out of order, one missing, one seen twice
      return [{ base: 0x8000_0000, size: size + 6 * PAGE_SIZE, frames: [1, 2, 3, 4, 5, 6, 7, 8, 12, 11, -1, 10, 9, 9] }]
    case 'large': // 256 buffers of 16 MiB are 2^32 bytes, the most a chain may hold
      return [{ base: 0x100_0000, size: 2 ** 24 + PAGE_SIZE }]
  }
}

function guard(
  spec: { base: number; size: number; frames?: readonly number[] },
  shared: boolean,
  guarded: Uint8Array[],
): RegionSpec {
  const bytes =
    GUARD_BYTES + (spec.frames ? PAGE_SIZE * Math.max(...spec.frames) : Math.ceil(spec.size / 16) * 16) + GUARD_BYTES
  const buffer = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)
  for (const start of [0, bytes - GUARD_BYTES]) {
    for (let at = start; at < start + GUARD_BYTES; at += DESCRIPTOR_BYTES) {
      new Uint32Array(buffer, at, 4).set([
        spec.base % 2 ** 32,
        Math.floor(spec.base / 2 ** 32),
        GUARD_LENGTH,
        VIRTQ_DESC_F_WRITE,
      ])
    }
    guarded.push(new Uint8Array(buffer, start, GUARD_BYTES))
  }
  return spec.frames
    ? { base: spec.base, size: spec.size, buffer, frames: Int32Array.from(spec.frames) }
    : { base: spec.base, size: spec.size, buffer, byteOffset: GUARD_BYTES }
}
