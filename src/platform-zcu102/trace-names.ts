/** What the numbers in a trace mean: tracks, kinds, and how Perfetto shows them. */
import type { Scenario } from '../scenario/index.ts'
import { type TraceRecorder, writeChromeTrace } from '../sim/index.ts'

export const TraceKind = { trap: 0, interrupt: 1, dma: 2, guestSend: 3, guestIsr: 4, message: 5, throttled: 6 } as const

/** Tracks: one per core (of 64 at most) for EL2, one per core for its guest, one for the DMA, one per flow for its messages. */
export const Track = {
  core: (core: number): number => core,
  guest: (core: number): number => 64 + core,
  dma: 128,
  flow: (flow: number): number => 256 + flow,
} as const

const KIND_NAMES = ['doorbell', 'interrupt', 'dma', 'send', 'interrupt handler', 'message', 'throttled by MemGuard']
/** The arguments of a record, by kind. */
const ARGUMENTS = [
  ['cause', ''],
  ['cause', ''],
  ['flow', 'piece'],
  ['vm', ''],
  ['vm', ''],
  ['flow', 'sequence'],
  ['core', ''],
] as const

/** A recorded run as Chrome trace-event JSON, in pieces; opens in Perfetto (ui.perfetto.dev). */
export function chromeTrace(recorder: TraceRecorder, scenario: Pick<Scenario, 'vms' | 'flows'>): Iterable<string> {
  const { vms, flows } = scenario
  const coreCount = 1 + Math.max(3, ...vms.map((vm) => vm.core))
  const namesOf = (core: number) => vms.flatMap((vm) => (vm.core === core ? vm.name : [])).join(', ')
  const cores = Array.from({ length: coreCount }, (_, core) => core)
  return writeChromeTrace(recorder, {
    tracks: [
      ...flows.map(({ name }, flow) => ({ track: Track.flow(flow), name: `messages of ${name}` })),
      { track: Track.dma, name: 'DMA' },
      ...cores.flatMap((core) => [
        { track: Track.core(core), name: `core ${core}: EL2` },
        { track: Track.guest(core), name: `core ${core}: ${namesOf(core) || 'no VM'}` },
      ]),
    ],
    name(kind, a) {
      const flow = flows[kind === TraceKind.dma ? a >> 1 : a]?.name
      return flow !== undefined && (kind === TraceKind.dma || kind === TraceKind.message) ? flow : KIND_NAMES[kind]!
    },
    args(kind, a, b) {
      const [first, second] = ARGUMENTS[kind]!
      return second === '' ? { [first]: a } : { [first]: kind === TraceKind.dma ? a >> 1 : a, [second]: b }
    },
  })
}
