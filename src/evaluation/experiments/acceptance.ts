/**
 * Which share of random sets is schedulable: by design of the broker, by analysis, by scheduler. The sets are the same for all
 * of them, so that what differs is the design or the analysis and not luck.
 */
import {
  earliestDeadlineSchedulable,
  fixedPrioritySchedulable,
  optimalPriorities,
  type Regulator,
  TIGHTEST,
  TIGHTNESS,
} from '../../analysis/index.ts'
import { Random } from '../../internal/random.ts'
import {
  type CostLevel,
  copiedFlows,
  DESIGN_NAMES,
  type DesignName,
  type DesignOverheads,
  designOverheads,
  longRunLoad,
  remapThresholdPages,
  underDesign,
} from '../designs.ts'
import type { Campaign, Experiment, Row } from '../experiment.ts'
import { type DeadlineKind, drawFlows, type GeneratorName, seedOf } from '../flow-sets.ts'
import { AcceptanceCurves } from './acceptance-curves.ts'

export const ANALYSES = { ...TIGHTNESS, A5: TIGHTEST } as const
export const ANALYSIS_NAMES = Object.keys(ANALYSES) as (keyof typeof ANALYSES)[]
const SCHEDULERS = ['fp-dm', 'fp-optimal', 'edf'] as const
const TESTS = SCHEDULERS.flatMap((scheduler) => ANALYSIS_NAMES.map((analysis) => `${scheduler}/${analysis}`))

/** What a grid varies, and where it stands otherwise. */
interface Setting {
  readonly generator: GeneratorName
  readonly deadlines: DeadlineKind
  readonly flows: number
  readonly chunkBytes: number
  readonly regulatorPeriodNs: number
  readonly budgetShare: number
  readonly costs: CostLevel
}

const DEFAULT_SETTING: Setting = {
  generator: 'uunifast',
  deadlines: 'implicit',
  flows: 8,
  chunkBytes: 4096,
  regulatorPeriodNs: 1_000_000,
  budgetShare: 0.5,
  costs: 'typical',
}

/** One thing changed at a time. */
const VARIANTS: readonly Partial<Setting>[] = [
  { generator: 'drs' },
  { deadlines: 'constrained' },
  { flows: 4 },
  { flows: 16 },
  { flows: 32 },
  { chunkBytes: 1024 },
  { chunkBytes: 16_384 },
  { chunkBytes: 65_536 },
  { regulatorPeriodNs: 100_000 },
  { budgetShare: 0.3 },
  { budgetShare: 0.7 },
  { budgetShare: 1 },
  { costs: 'worst' },
]

type Unit = {
  readonly setting: Setting & Record<string, string | number>
  readonly campaignSeed: number
  readonly point: number
  readonly utilization: number
  readonly from: number
  readonly to: number
}

type Verdicts = { readonly [S in (typeof SCHEDULERS)[number] as `${S}/${keyof typeof ANALYSES}`]: boolean }
type AcceptanceRow = Row & Verdicts & { readonly design: DesignName; readonly utilization: number }

const COLUMNS = {
  point: 'which utilisation, from 1',
  index: 'which set at this utilisation, from 0',
  seed: 'of this set: hash of campaign seed, point and index',
  utilization: 'copying demanded as a share of the copying granted: sum of L/(beta T), over Q/P; no software',
  generator: 'of the utilisations: uunifast or drs',
  deadlines: 'implicit: the period; constrained: uniform over the later half of what the message leaves of it',
  flows: 'flows in the set',
  chunkBytes: 'S, bytes',
  dmaBytesPerNs: 'beta, bytes/ns',
  regulatorPeriodNs: 'P, ns; without effect where budgetShare is 1',
  budgetShare: 'Q/P; 1: no regulator',
  costs: 'which costs of the board stand for the longest: typical or worst',
  design: `of the broker: ${DESIGN_NAMES.join(', ')}`,
  chunkOverheadBestNs: 'h-, ns: software before a chunk, or the gap between chained descriptors',
  chunkOverheadWorstNs: 'h, ns',
  messageOverheadNs: 'o_m, ns',
  lookAhead: 'kappa: chunks committed behind the running one',
  refillDelayNs: 'software between a refill and the first chunk, where a refill restarts a chain, ns',
  copied: 'flows that use the DMA; the others are exchanged (zero-copy)',
  load: 'long-run share of time taken by copying at the pace of the budget, and by software; above 1 only A4 and A5 can accept',
  'fp-dm/A0': 'schedulable under deadline-monotonic fixed priority by A0',
  'fp-dm/A3': 'the same by A3',
  'fp-dm/A4': 'the same by A4',
  'fp-dm/A5': 'the same by A5',
  'fp-optimal/A0': 'schedulable under some fixed priorities (Audsley) by A0',
  'fp-optimal/A3': 'the same by A3',
  'fp-optimal/A4': 'the same by A4',
  'fp-optimal/A5': 'the same by A5',
  'edf/A0': 'schedulable under earliest deadline first by A0',
  'edf/A3': 'the same by A3',
  'edf/A4': 'the same by A4',
  'edf/A5': 'the same by A5',
}

const ASSUMPTIONS = [
  'Bounded: verdicts of analyses; nothing is simulated or measured.',
  'Overheads are sums of the costs of the board, whose provenance manifest.json tells, without contention for the lock.',
  'costs = typical: verdicts hold if no action ever takes longer than its typical cost.',
  'Deadlines are those of the DMA stage; sending, interrupts and the guest are not in them.',
  'zero-copy: every second flow, at random, has page-aligned buffers; of those the ones long enough are exchanged and take no DMA time; their remaps are not charged to the DMA path.',
  'A0 is a reconstructed baseline test, not the test of any paper.',
]

/** What makes a curve, besides its test. */
const PARAMETERS = [...Object.keys(DEFAULT_SETTING), 'design']

function acceptance(
  name: string,
  title: string,
  plan: (campaign: Campaign) => Unit[],
): Experiment<Unit, AcceptanceRow> {
  return {
    name,
    title,
    columns: COLUMNS as Experiment<Unit, AcceptanceRow>['columns'],
    assumptions: ASSUMPTIONS,
    units: plan,
    run(unit, profile) {
      const { costs } = unit.setting
      const designs = DESIGN_NAMES.map((design) => ({
        design,
        overheads: designOverheads(profile, design, costs),
        // Pages of an aligned message that leaves the DMA. Searched for, which takes longer than all tests of a set.
        exchangedPages: design === 'zero-copy' ? remapThresholdPages(profile, costs) : null,
      }))
      const rows: AcceptanceRow[] = []
      for (let index = unit.from; index < unit.to; index++) {
        rows.push(...judge(unit, index, profile.dmaBytesPerNs.value, designs))
      }
      return rows
    },
    summarize: () => new AcceptanceCurves<AcceptanceRow>(COLUMNS, PARAMETERS, TESTS),
  }
}

interface JudgedDesign {
  readonly design: DesignName
  readonly overheads: DesignOverheads
  readonly exchangedPages: number | null
}

function judge(unit: Unit, index: number, dmaBytesPerNs: number, designs: readonly JudgedDesign[]): AcceptanceRow[] {
  const { setting, campaignSeed, point, utilization } = unit
  const { regulatorPeriodNs, budgetShare, chunkBytes, costs: _, ...drawn } = setting
  const seed = seedOf(campaignSeed, point, index)
  const flows = drawFlows({ ...drawn, utilization, dmaBytesPerNs, budgetShare }, seed)
  const regulator: Regulator =
    budgetShare === 1
      ? { kind: 'none' }
      : { kind: 'budget', periodNs: regulatorPeriodNs, budgetNs: Math.round(budgetShare * regulatorPeriodNs) }
  return designs.map(({ design, overheads, exchangedPages }) => {
    const copied = exchangedPages === null ? flows : copiedFlows(flows, exchangedPages, new Random(seed, 1))
    const set = underDesign(copied, overheads, chunkBytes, dmaBytesPerNs, regulator)
    const verdicts: Record<string, boolean> = {}
    for (const analysis of ANALYSIS_NAMES) {
      const tightness = ANALYSES[analysis]
      const monotonic = fixedPrioritySchedulable(set, tightness)
      verdicts[`fp-dm/${analysis}`] = monotonic
      verdicts[`fp-optimal/${analysis}`] = monotonic || optimalPriorities(set, tightness) !== null
      verdicts[`edf/${analysis}`] = earliestDeadlineSchedulable(set, tightness)
    }
    const values: Record<string, string | number | boolean> = {
      ...setting,
      ...verdicts,
      point,
      index,
      seed,
      utilization,
      dmaBytesPerNs,
      design,
      chunkOverheadBestNs: overheads.chunkOverheadNs[0],
      chunkOverheadWorstNs: overheads.chunkOverheadNs[1],
      messageOverheadNs: overheads.messageOverheadNs,
      lookAhead: overheads.lookAhead,
      refillDelayNs: overheads.refillDelayNs,
      copied: copied.length,
      load: Number(longRunLoad(set).toFixed(6)),
    }
    return Object.fromEntries(Object.keys(COLUMNS).map((key) => [key, values[key]])) as unknown as AcceptanceRow
  })
}

/** Points and sets in units of a fair size. */
function unitsOf(setting: Setting, { seed, points }: Campaign, sets: number, everyPoint: number, size: number): Unit[] {
  const units: Unit[] = []
  for (let point = everyPoint; point <= points; point += everyPoint) {
    for (let from = 0; from < sets; from += size) {
      units.push({
        setting: { ...setting },
        campaignSeed: seed,
        point,
        utilization: point / points,
        from,
        to: Math.min(sets, from + size),
      })
    }
  }
  return units
}

export const acceptanceExperiment = acceptance('acceptance', 'Acceptance ratio against utilisation', (campaign) =>
  unitsOf(DEFAULT_SETTING, campaign, campaign.sets, 1, 250),
)

/** At about ten utilisations, with a tenth of the sets. */
export const acceptanceVariantsExperiment = acceptance(
  'acceptance-variants',
  'Acceptance ratio, one parameter changed at a time',
  (campaign) =>
    VARIANTS.flatMap((change) => {
      const every = Math.ceil(campaign.points / 10)
      return unitsOf({ ...DEFAULT_SETTING, ...change }, campaign, Math.ceil(campaign.sets / 10), every, 100)
    }),
)
