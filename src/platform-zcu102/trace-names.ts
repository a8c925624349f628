/** What the numbers in a trace mean: tracks, kinds, and how Perfetto shows them. */
import type { Scenario } from '../scenario/index.ts'

export const TraceKind = { trap: 0, interrupt: 1, dma: 2, guestSend: 3, guestIsr: 4, message: 5, ipi: 6 } as const

/** Tracks: one per core for EL2, one per core for its guest, one for the DMA, one per flow for its messages. */
export const Track = {
  core: (core: number): number => core,
  guest: (core: number): number => 16 + core,
  dma: 32,
  flow: (flow: number): number => 64 + flow,
} as const

export type TraceScenario = Pick<Scenario, 'vms' | 'flows'>
