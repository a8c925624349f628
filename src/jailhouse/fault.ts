/** What is wrong with a configuration, and the words for its places. */
import type { CellConfig, SystemConfig } from './config.ts'
import { hex } from './words.ts'

/** Who would tell: Jailhouse's checker, its hypervisor or driver by an error code, or nobody. */
export type FoundBy = 'config check' | 'hypervisor' | 'nobody'

/** Something that is wrong, or that will be. */
export interface ConfigFault {
  /** `cell demo, memory region 3`. */
  readonly where: string
  readonly what: string
  readonly cure: string
  readonly foundBy: FoundBy
}

/** Cells of one system, the root cell first where there is one. */
export interface ConfigSet {
  readonly system: SystemConfig | null
  readonly cells: readonly CellConfig[]
}

/** `cell demo, memory region 3`. */
export function regionPlace(cell: CellConfig, region: number): string {
  return `cell ${cell.name}, memory region ${region}`
}

/** `0x800400000 to 0x800400fff`. */
export function range(start: bigint, size: bigint): string {
  return size === 0n ? `nothing at ${hex(start)}` : `${hex(start)} to ${hex(start + size - 1n)}`
}
