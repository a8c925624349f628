/** Numbers at which ring arithmetic breaks, wherever RAM lies. */
import type { WideAddress } from './format/split/split-ring-format.ts'

/** 2^31 is negative in an int32; 256 times 2^24 is 2^32, the most a chain may hold. */
export const HOSTILE_LENGTHS = [
  ...[0, 1, 2, 15, 16, 17, 31, 32, 4095, 4096, 4097, 65536],
  ...[2 ** 24, 2 ** 31, 2 ** 32 - 16, 2 ** 32 - 1],
]

export const HOSTILE_ADDRESSES: readonly WideAddress[] = [
  ...[0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53],
  [0x20_0000, 1],
  [0x7fff_ffff, 0xffff_ffff],
  [0xffff_ffff, 0xffff_f000],
  [0xffff_ffff, 0xffff_ffff],
]

export const HOSTILE_INDICES = [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff]
