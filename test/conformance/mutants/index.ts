/** The mutants of the map: each tested row has at least one. */

import { BLK_MUTANTS } from './blk.ts'
import { CONSOLE_MUTANTS } from './console.ts'
import { MMIO_MUTANTS } from './mmio.ts'
import type { Mutant } from './mutant.ts'
import { NET_MUTANTS } from './net.ts'
import { PACKED_MUTANTS } from './packed.ts'
import { QUEUE_MUTANTS } from './queues.ts'
import { RING_MUTANTS } from './ring.ts'
import { START_MUTANTS } from './start.ts'
import { VSOCK_MUTANTS } from './vsock.ts'

export type { Mutant } from './mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  ...START_MUTANTS,
  ...QUEUE_MUTANTS,
  ...RING_MUTANTS,
  ...PACKED_MUTANTS,
  ...VSOCK_MUTANTS,
  ...MMIO_MUTANTS,
  ...NET_MUTANTS,
  ...BLK_MUTANTS,
  ...CONSOLE_MUTANTS,
]
