/**
 * What one side of the ring does to the outside world, one indivisible step at a time. Everything between two accesses is the
 * side's own affair and can be seen by nobody.
 */

/** 0 the driver, 1 the device. */
export type Side = 0 | 1
export const DRIVER: Side = 0
export const DEVICE: Side = 1
export const SIDE_NAMES = ['driver', 'device'] as const

export const other = (side: Side): Side => (side === DRIVER ? DEVICE : DRIVER)

/** How strongly an access is ordered; a view's plain access is `unordered`, `Atomics` are `seq-cst`. */
export type Order = 'unordered' | 'acquire' | 'release' | 'seq-cst'

/** `full`: also a store before it and a load after it stay in order. */
export type FenceOrder = 'acquire' | 'release' | 'full'

/** `address` is an offset into the shared memory, a multiple of `bytes`, which is 1, 2 or 4; values are unsigned. */
export type Access =
  | { readonly kind: 'load'; readonly address: number; readonly bytes: number; readonly order: Order }
  | {
      readonly kind: 'store'
      readonly address: number
      readonly bytes: number
      readonly value: number
      readonly order: Order
    }
  | {
      /** Atomic read-modify-write, sequentially consistent. */
      readonly kind: 'update'
      readonly address: number
      readonly bytes: number
      readonly operation: UpdateOperation
      readonly operand: number
      readonly expected: number
    }
  | { readonly kind: 'fence'; readonly order: FenceOrder }
  /** Explicit cache maintenance: write the lines back, or drop them so that the next load fetches. */
  | { readonly kind: 'clean' | 'invalidate'; readonly address: number; readonly bytes: number }
  /** Wakes the peer, now or when it sleeps next; several before it sleeps are one. */
  | { readonly kind: 'notify' }
  /** Sleeps until notified. */
  | { readonly kind: 'wait'; readonly mayRest: boolean }

export type UpdateOperation = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'exchange' | 'compareExchange'

/** The unsigned value of `bytes` bytes. */
export function modulo(value: number, bytes: number): number {
  return bytes === 4 ? value >>> 0 : value & (2 ** (8 * bytes) - 1)
}

/** What an update leaves in memory, modulo its width. */
export function updated(operation: UpdateOperation, old: number, operand: number, expected: number): number {
  switch (operation) {
    case 'add':
      return old + operand
    case 'sub':
      return old - operand
    case 'and':
      return old & operand
    case 'or':
      return old | operand
    case 'xor':
      return old ^ operand
    case 'exchange':
      return operand
    case 'compareExchange':
      return old === expected ? operand : old
  }
}

/** The same access at the same place of a program; the value stored counts, the one loaded does not exist yet. */
export function sameAccess(a: Access, b: Access): boolean {
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  for (const key in left) if (left[key] !== right[key]) return false
  return a.kind === b.kind
}

/** Its answer decides how the side goes on. */
export function returnsValue(access: Access): boolean {
  return access.kind === 'load' || access.kind === 'update'
}
