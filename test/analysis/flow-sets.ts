/** Flow sets for the tests: the golden one, and seeded random ones in small numbers, where rounding and ties are frequent. */
import { type Flow, type FlowSet, TIGHTNESS, type Tightness } from 'virtio-sdk/analysis'
import type { Random } from '../../src/internal/random.ts'
import type { SimulatedMessage } from './chunk-simulator.ts'

const MS = 1_000_000

/** T = D in ms, L in bytes; deadline-monotonic in this order. */
export const GOLDEN: FlowSet = {
  flows: [
    [5, 65536],
    [10, 614400],
    [20, 1048576],
    [50, 4194304],
    [100, 6220800],
  ].map(([ms, bytes]) => ({ periodNs: ms! * MS, deadlineNs: ms! * MS, lengthBytes: bytes! })),
  dma: { dmaBytesPerNs: 1, chunkBytes: 4096, chunkOverheadNs: [3000, 3000], messageOverheadNs: 1000 },
  regulator: { kind: 'budget', periodNs: MS, budgetNs: MS / 2 },
}

export const SWITCHES = Object.keys(TIGHTNESS.A4) as (keyof Tightness)[]

/** All combinations of the switches. */
export const ABLATIONS: readonly Tightness[] = Array.from(
  { length: 2 ** SWITCHES.length },
  (_, mask) =>
    Object.fromEntries(SWITCHES.map((name, bit) => [name, (mask & (1 << bit)) !== 0])) as unknown as Tightness,
)

/** 2 to 5 flows of a few chunks, at a load from light to too heavy. */
export function randomSet(random: Random, lookAhead = 0): FlowSet {
  const chunkBytes = random.between(1, 12)
  const best = random.between(0, 4)
  const periodNs = random.between(5, 120)
  const budgetNs = random.between(Math.ceil(periodNs / 4), periodNs)
  const count = random.between(2, 5)
  const dma = {
    dmaBytesPerNs: random.pick([0.5, 1, 1, 3]),
    chunkBytes,
    chunkOverheadNs: [best, best + random.between(0, 4)] as const,
    messageOverheadNs: random.between(0, 5),
    lookAhead,
  }
  const load = 0.2 + 0.75 * random.unit()
  const flows: Flow[] = Array.from({ length: count }, () => {
    const lengthBytes = random.between(1, chunkBytes * random.between(1, 8))
    const chunks = Math.ceil(lengthBytes / chunkBytes)
    const costNs =
      (lengthBytes / dma.dmaBytesPerNs) * (periodNs / budgetNs) +
      chunks * dma.chunkOverheadNs[1] +
      dma.messageOverheadNs
    const flowPeriodNs = Math.max(2, Math.round(((costNs * count) / load) * (0.5 + random.unit())))
    return {
      periodNs: flowPeriodNs,
      deadlineNs: random.between(Math.ceil(flowPeriodNs / 2), 2 * flowPeriodNs),
      lengthBytes,
      jitterNs: random.chance(0.3) ? random.between(0, flowPeriodNs) : 0,
    }
  })
  return { flows, dma, regulator: random.chance(0.1) ? { kind: 'none' } : { kind: 'budget', periodNs, budgetNs } }
}

/** Messages of every flow until `untilNs`: at its pace from a common or random offset, sometimes with pauses; jitter at its ends. */
export function randomMessages(random: Random, { flows }: FlowSet, untilNs: number): SimulatedMessage[][] {
  const together = random.chance(0.5)
  const sporadic = random.chance(0.3)
  return flows.map(({ periodNs, jitterNs = 0 }) => {
    const messages: SimulatedMessage[] = []
    let nominalNs = together ? 0 : random.between(0, periodNs)
    let queuedNs = 0
    const firstJitterNs = random.pick([0, jitterNs, jitterNs])
    while (nominalNs < untilNs) {
      const jitter = messages.length === 0 ? firstJitterNs : random.pick([0, 0, jitterNs, random.between(0, jitterNs)])
      queuedNs = Math.max(queuedNs, nominalNs + jitter)
      messages.push({ nominalNs, queuedNs, late: random.chance(0.2) })
      nominalNs += periodNs + (sporadic ? random.between(0, 3) : 0)
    }
    return messages
  })
}
