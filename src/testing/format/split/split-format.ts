/** The split ring as a `RingFormat`: a place is a free-running index, modulo 2^16. */
import type { DriverRing } from '../../queue-targets.ts'
import { layOutRing } from '../../ring-layout.ts'
import type { BuffersOut, RingFormat, RingSide } from '../ring-format.ts'
import { drawRing, followChain } from './draw-ring.ts'
import { availableAnswers, mustInterrupt, mustKick, usedAnswers } from './reference-split-ring.ts'
import {
  availEventAt,
  availFlagsAt,
  availIdxAt,
  deviceAreaBytes,
  driverAreaBytes,
  type RingMemory,
  type SplitRing,
  usedEventAt,
  usedFlagsAt,
  usedIdxAt,
} from './split-ring-format.ts'

const INDICES = 0x1_0000

const idxAt = (ring: SplitRing, side: RingSide): number => (side === 'device' ? usedIdxAt(ring) : availIdxAt(ring))

/** The one of `side`, which its peer reads before it notifies. */
const wishesOf = (ring: SplitRing, side: RingSide): { flagsAt: number; eventAt: number } =>
  side === 'device'
    ? { flagsAt: usedFlagsAt(ring), eventAt: availEventAt(ring) }
    : { flagsAt: availFlagsAt(ring), eventAt: usedEventAt(ring) }

const waiting = (memory: RingMemory, ring: SplitRing, side: RingSide, at: number): number =>
  (memory.readU16(idxAt(ring, side)) - at) & 0xffff

/** VQS-NTF-DEV-01 .. VQS-NTF-DEV-06, VQS-NTF-DRV-07 .. VQS-NTF-DRV-12, for any number of chains from index `from` on. */
export function mustNotify(memory: RingMemory, ring: SplitRing, side: RingSide, from: number, steps: number): boolean {
  // All the way round every entry was passed, whatever the two indices look like.
  if (steps >= INDICES && ring.eventIdx) return true
  const to = (from + Math.min(steps, INDICES - 1)) & 0xffff
  return (side === 'device' ? mustInterrupt : mustKick)(memory, ring, from, to)
}

const sizesOf = (out: BuffersOut) => ({ size: out.size, get: (id: number) => out.get(id)?.writableBytes })

export const splitFormat: RingFormat<DriverRing, number> = {
  name: 'split',
  start: (index) => index,
  advance: (_ring, index, steps) => (index + steps) & 0xffff,
  steps: () => 1,
  span: () => Number.POSITIVE_INFINITY,
  where: (_ring, index) => `index ${index}`,

  layOut: layOutRing,
  begin(memory, ring, index) {
    for (const fieldAt of [availIdxAt, usedIdxAt, usedEventAt, availEventAt]) memory.writeU16(fieldAt(ring), index)
  },
  zeroed: ({ driverArea, deviceArea, size }) => [
    { address: driverArea, length: driverAreaBytes(size) },
    { address: deviceArea, length: deviceAreaBytes(size) },
  ],
  /** IMP-VQS-02. VQS-DESC-DEV-04 follows. */
  foreign({ descriptorArea, driverArea, deviceArea, size }, side) {
    if (side === 'driver') return [{ address: deviceArea, length: deviceAreaBytes(size) }]
    return [
      { address: descriptorArea, length: 16 * size },
      { address: driverArea, length: driverAreaBytes(size) },
    ]
  },
  isOwn: () => false,
  foreignWrite: (_ring, side, address) =>
    `the ${side} wrote at 0x${address.toString(16)}, which only its peer may write (IMP-VQS-02)`,

  freeWhen: 'completed',
  available: availableAnswers,
  used: (memory, ring, at, out, known) => usedAnswers(memory, ring, at, sizesOf(out), known),
  visible(memory, ring, side, at, out) {
    const count = waiting(memory, ring, side === 'device' ? 'driver' : 'device', at)
    return count <= (side === 'device' ? ring.size : out.size) ? count : 0
  },
  mark: (memory, ring, side) => memory.readU16(idxAt(ring, side)),
  mustNotify,
  /**
   * Without EVENT_IDX a flag asks for silence; with it flags stay 0, and whoever wants to be notified names the next entry
   * (VQS-NTF-DRV-01, VQS-NTF-DRV-03, VQS-NTF-DEV-07, VQS-NTF-DEV-09).
   */
  wishFault(memory, ring, side, on, next) {
    const { flagsAt, eventAt } = wishesOf(ring, side)
    const flags = memory.readU16(flagsAt)
    const due = ring.eventIdx || on ? 0 : 1
    if (flags !== due) return `flags are ${flags}, not ${due}`
    const event = memory.readU16(eventAt)
    if (!ring.eventIdx || !on || event === next) return null
    return `the event index is ${event}, so entry ${next} would wake nobody`
  },

  isId: ({ size }, id) => id >= 0 && id < size,
  direct: ({ indirect }, direct, count) => (indirect ? Math.min(direct, count) : count),
  descriptorsOf(memory, ring, id) {
    const chain = [...followChain(memory, ring, id, ring.size + 1)]
    return chain.filter(({ table }) => table === ring.descriptorArea).map(({ index }) => index)
  },
  draw: (memory, ring, at) => drawRing(memory, ring, at ?? memory.readU16(usedIdxAt(ring))),
}
