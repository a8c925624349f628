/** How many priority levels a set needs: n flows on as few levels as a broker's queues or a rival's design have. */
import { limitedPriorities, type Regulator } from '../../analysis/index.ts'
import { designOverheads, underDesign } from '../designs.ts'
import type { Experiment, Row, Summary } from '../experiment.ts'
import { drawFlows, seedOf } from '../flow-sets.ts'
import { wilsonInterval } from '../statistics.ts'
import { ANALYSES, ANALYSIS_NAMES } from './acceptance.ts'

const FLOW_COUNTS = [8, 16, 32] as const
const CHUNK_BYTES = 4096
const REGULATOR: Regulator = { kind: 'budget', periodNs: 1_000_000, budgetNs: 500_000 }
const BUDGET_SHARE = 0.5

type Unit = {
  readonly campaignSeed: number
  readonly point: number
  readonly utilization: number
  readonly flows: number
  readonly from: number
  readonly to: number
}

type LevelsRow = Row & { readonly flows: number; readonly utilization: number }

const COLUMNS: Record<string, string> = {
  point: 'which utilisation, from 1',
  index: 'which set at this utilisation, from 0',
  seed: 'of this set: hash of campaign seed, point and index',
  utilization: 'copying demanded as a share of the copying granted; no software',
  flows: 'flows in the set',
  chunkBytes: 'S, bytes',
  dmaBytesPerNs: 'beta, bytes/ns',
  chunkOverheadBestNs: 'h-, ns',
  chunkOverheadWorstNs: 'h, ns',
  messageOverheadNs: 'o_m, ns',
  ...Object.fromEntries(
    ANALYSIS_NAMES.map((name) => [
      `levels/${name}`,
      `fewest priority levels that ${name} accepts; null: no number is enough`,
    ]),
  ),
}

/** The share of sets that so many levels are enough for. */
class LevelsSummary implements Summary<LevelsRow> {
  readonly columns = {
    flows: 'flows in a set',
    analysis: 'A0, A3, A4 or A5',
    utilization: 'as of the rows',
    levels: 'priority levels there are',
    sets: 'how many were drawn',
    accepted: 'for how many so many levels are enough',
    share: 'accepted/sets',
    low: 'of its 95 % Wilson interval',
    high: 'of the same',
  }
  readonly #needed = new Map<string, { flows: number; analysis: string; utilization: number; levels: number[] }>()

  add(row: LevelsRow): void {
    for (const analysis of ANALYSIS_NAMES) {
      const { flows, utilization } = row
      const key = `${flows}|${analysis}|${utilization}`
      let entry = this.#needed.get(key)
      if (entry === undefined) {
        entry = { flows, analysis, utilization, levels: [] }
        this.#needed.set(key, entry)
      }
      entry.levels.push(Number(row[`levels/${analysis}`] ?? Number.POSITIVE_INFINITY))
    }
  }

  rows(): readonly Row[] {
    const rows: Row[] = []
    for (const { flows, analysis, utilization, levels: needed } of this.#needed.values()) {
      for (const levels of [1, 2, 3, 4, 6, 8, 16, 32].filter((count) => count <= flows)) {
        const accepted = needed.filter((count) => count <= levels).length
        const share = accepted / needed.length
        rows.push({
          flows,
          analysis,
          utilization,
          levels,
          sets: needed.length,
          accepted,
          share,
          ...wilsonInterval(accepted, needed.length),
        })
      }
    }
    return rows
  }
}

export const priorityLevelsExperiment: Experiment<Unit, LevelsRow> = {
  name: 'priority-levels',
  title: 'Priority levels that a set needs',
  columns: COLUMNS as Experiment<Unit, LevelsRow>['columns'],
  assumptions: [
    'Bounded: verdicts of analyses; flows on one level may be served in any order.',
    'Floating broker, UUniFast, implicit deadlines, P = 1 ms, Q/P = 0.5, typical costs of the board.',
  ],
  units({ seed, points, sets }) {
    const perPoint = Math.ceil(sets / 5)
    const units: Unit[] = []
    for (const flows of FLOW_COUNTS) {
      for (let point = 1; point <= points; point++) {
        const common = { campaignSeed: seed, point, utilization: point / points, flows }
        for (let from = 0; from < perPoint; from += 100) {
          units.push({ ...common, from, to: Math.min(perPoint, from + 100) })
        }
      }
    }
    return units
  },
  run({ campaignSeed, point, utilization, flows: count, from, to }, profile) {
    const dmaBytesPerNs = profile.dmaBytesPerNs.value
    const overheads = designOverheads(profile, 'floating', 'typical')
    const load = { generator: 'uunifast', deadlines: 'implicit', budgetShare: BUDGET_SHARE } as const
    return Array.from({ length: to - from }, (_, k) => {
      const index = from + k
      const seed = seedOf(campaignSeed, point, index)
      const flows = drawFlows({ ...load, flows: count, utilization, dmaBytesPerNs }, seed)
      const set = underDesign(flows, overheads, CHUNK_BYTES, dmaBytesPerNs, REGULATOR)
      const levels = ANALYSIS_NAMES.map((name) => {
        const ranks = limitedPriorities(set, count, ANALYSES[name])
        return [`levels/${name}`, ranks === null ? null : 1 + Math.max(...ranks)]
      })
      return {
        point,
        index,
        seed,
        utilization,
        flows: count,
        chunkBytes: CHUNK_BYTES,
        dmaBytesPerNs,
        chunkOverheadBestNs: overheads.chunkOverheadNs[0],
        chunkOverheadWorstNs: overheads.chunkOverheadNs[1],
        messageOverheadNs: overheads.messageOverheadNs,
        ...Object.fromEntries(levels),
      }
    })
  },
  summarize: () => new LevelsSummary(),
}
