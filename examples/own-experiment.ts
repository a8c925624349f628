/** An experiment of one's own: what jitter costs. Random flow sets that are accepted without any, and with a tenth of each period. */
import { schedulable } from 'virtio-sdk/analysis'
import { designOverheads, drawFlows, type Experiment, seedOf, underDesign, wilsonInterval } from 'virtio-sdk/evaluation'
import { zcu102 } from 'virtio-sdk/platform-zcu102'

const CHUNK_BYTES = 4096
const REGULATOR = { kind: 'budget', periodNs: 1_000_000, budgetNs: 500_000 } as const

type Unit = { readonly seed: number; readonly utilization: number; readonly sets: number }

const jitterCost: Experiment<Unit, { utilization: number; seed: number; without: boolean; withJitter: boolean }> = {
  name: 'jitter-cost',
  title: 'What jitter costs',
  columns: {
    utilization: 'copying demanded as a share of the copying granted',
    seed: 'of this set',
    without: 'A4 accepts the set without jitter',
    withJitter: 'A4 accepts it with a tenth of each period',
  },
  assumptions: ['Bounded: verdicts of A4; floating broker, fixed priority, eight flows, typical costs of the board.'],
  units: ({ seed, points, sets }) =>
    Array.from({ length: points }, (_, point) => ({
      seed: seedOf(seed, point),
      utilization: (point + 1) / points,
      sets,
    })),
  run({ seed, utilization, sets }, profile) {
    const dmaBytesPerNs = profile.dmaBytesPerNs.value
    const overheads = designOverheads(profile, 'floating', 'typical')
    return Array.from({ length: sets }, (_, index) => {
      const setSeed = seedOf(seed, index)
      const load = { generator: 'uunifast', deadlines: 'implicit', flows: 8, budgetShare: 0.5, dmaBytesPerNs } as const
      const flows = drawFlows({ ...load, utilization }, setSeed)
      const late = flows.map((flow) => ({ ...flow, jitterNs: Math.floor(flow.periodNs / 10) }))
      const [without, withJitter] = [flows, late].map((set) =>
        schedulable(underDesign(set, overheads, CHUNK_BYTES, dmaBytesPerNs, REGULATOR)),
      )
      return { utilization, seed: setSeed, without: without!, withJitter: withJitter! }
    })
  },
  refutes: ({ seed, without, withJitter }) =>
    withJitter && !without ? `set ${seed} is accepted only with jitter` : null,
}

// Units may run anywhere and in any order: here one after another, in a campaign on threads or machines.
for (const unit of jitterCost.units({ seed: 1, points: 4, sets: 50 }, zcu102)) {
  const rows = jitterCost.run(unit, zcu102)
  for (const row of rows) {
    const wrong = jitterCost.refutes?.(row)
    if (typeof wrong === 'string') throw new Error(wrong)
  }
  const share = (accepted: number) => {
    const { low, high } = wilsonInterval(accepted, rows.length)
    return `${(accepted / rows.length).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
  }
  const [without, late] = [rows.filter((row) => row.without), rows.filter((row) => row.withJitter)]
  console.log(`U = ${unit.utilization}: accepted ${share(without.length)}, with jitter ${share(late.length)}`)
}
