/** Litmus tests: two tiny programs over shared words, and which pairs of results each memory model allows. */
import {
  type ExploredSide,
  exploreInterleavings,
  type InterleavingOptions,
  type InterleavingTarget,
} from '../../../src/testing/interleavings/index.ts'

export const X = 0x1000
export const Y = 0x1040

export type Program = (side: ExploredSide) => unknown

export function litmus(driver: Program, device: Program, check?: (a: unknown, b: unknown) => void): InterleavingTarget {
  const target = { name: 'litmus', memoryBytes: 128 }
  return {
    ...target,
    driver: (side) => () => driver(side),
    device: (side) => () => device(side),
    ...(check && { check }),
  }
}

/** Every pair of results that some schedule ends with, sorted. */
export function outcomes(driver: Program, device: Program, options: InterleavingOptions): string[] {
  const seen = new Set<string>()
  const report = exploreInterleavings(
    litmus(driver, device, (a, b) => void seen.add(JSON.stringify([a, b]))),
    options,
  )
  if (report.verdict !== 'pass') throw new Error(String(report))
  return [...seen].sort()
}
