/**
 * How far a bound is above the worst response that a search finds: per analysis, and for A4 with each source of tightness taken
 * away. A bound below what happened in a simulation is wrong, and fails the run.
 */
import {
  earliestDeadlineBounds,
  type FlowSet,
  fixedPriorityBounds,
  ranksOf,
  TIGHTEST,
  TIGHTNESS,
  type Tightness,
} from '../../analysis/index.ts'
import { Random } from '../../internal/random.ts'
import type { BoardProfile } from '../../platform-zcu102/index.ts'
import type { SchedulerName } from '../chunk-machine.ts'
import { designOverheads } from '../designs.ts'
import type { Campaign, Experiment, Row, Summary } from '../experiment.ts'
import { type DeadlineKind, drawFlows, seedOf } from '../flow-sets.ts'
import { meanInterval, medianInterval, Sample } from '../statistics.ts'
import { WorstCaseSearch } from '../worst-case.ts'

const SETTINGS = {
  fixed: 'software before a chunk always takes its typical cost',
  varying: 'it takes anything from its best to its typical cost',
  mixed: 'fixed; flows, deadlines, S, P and Q/P drawn at random for each set',
  'look-ahead': 'varying; a message is one chain, and one chunk is committed ahead',
} as const
type SettingName = keyof typeof SETTINGS

/** Those that A4 has on. */
const SWITCHES = (Object.keys(TIGHTNESS.A4) as (keyof Tightness)[]).filter((name) => TIGHTNESS.A4[name])
const ANALYSES: Readonly<Record<string, Tightness>> = {
  ...TIGHTNESS,
  A5: TIGHTEST,
  ...Object.fromEntries(SWITCHES.map((name) => [`without ${name}`, { ...TIGHTNESS.A4, [name]: false }])),
}
const ANALYSIS_NAMES = Object.keys(ANALYSES)

/** All that a set is made from. */
type Draw = {
  readonly scheduler: SchedulerName
  readonly setting: SettingName
  readonly point: number
  readonly index: number
  readonly seed: number
  readonly utilization: number
  readonly deadlines: DeadlineKind
  readonly flows: number
  readonly chunkBytes: number
  readonly regulatorPeriodNs: number
  readonly budgetShare: number
  readonly dmaBytesPerNs: number
  readonly chunkOverheadBestNs: number
  readonly chunkOverheadWorstNs: number
  readonly messageOverheadNs: number
  readonly lookAhead: number
}

type Unit = {
  readonly scheduler: SchedulerName
  readonly setting: SettingName
  readonly campaignSeed: number
  readonly point: number
  readonly utilization: number
  readonly from: number
  readonly to: number
}

type PessimismRow = Row &
  Draw & { readonly burstShare: number | null; readonly foundNs: number; readonly witness: string }

const COLUMNS: Record<string, string> = {
  scheduler: 'fp: deadline-monotonic fixed priority; edf: earliest deadline first',
  setting: Object.entries(SETTINGS)
    .map(([name, meaning]) => `${name}: ${meaning}`)
    .join('; '),
  point: 'which utilisation, from 1',
  index: 'which set at this utilisation, from 0',
  seed: 'of this set: hash of campaign seed, setting, point and index',
  utilization: 'copying demanded as a share of the copying granted; no software',
  deadlines: 'implicit or constrained',
  flows: 'flows in the set',
  chunkBytes: 'S, bytes',
  regulatorPeriodNs: 'P, ns',
  budgetShare: 'Q/P; 1: no regulator',
  dmaBytesPerNs: 'beta, bytes/ns',
  chunkOverheadBestNs: 'h-, ns',
  chunkOverheadWorstNs: 'h, ns',
  messageOverheadNs: 'o_m, ns',
  lookAhead: 'kappa',
  burstShare:
    'one message of every flow together, as a share of the budget Q; below 1 the budget may never be exhausted',
  flow: 'which flow of the set, from 0',
  rank: 'its deadline-monotonic priority, 0 is the most urgent',
  periodNs: 'T, ns',
  deadlineNs: 'D, ns',
  lengthBytes: 'L, bytes',
  foundNs: 'worst response found by the search: simulated, ns',
  ...Object.fromEntries(
    ANALYSIS_NAMES.map((name) => [`${name} boundNs`, `bound by ${described(name)}, ns; null: none`]),
  ),
  simulations: 'how many behaviours of this set the search has simulated for all of its flows',
  witness: 'the behaviour that was found: arguments of replayWitness(), as JSON',
}

function described(name: string): string {
  return name.startsWith('without') ? `A4 ${name}` : name
}

/** The set of a row, from its columns alone. */
export function pessimismSet(draw: Draw): FlowSet {
  const { regulatorPeriodNs, budgetShare, chunkBytes, dmaBytesPerNs, messageOverheadNs, lookAhead } = draw
  return {
    flows: drawFlows({ generator: 'uunifast', ...draw }, draw.seed),
    dma: {
      dmaBytesPerNs,
      chunkBytes,
      chunkOverheadNs: [draw.chunkOverheadBestNs, draw.chunkOverheadWorstNs],
      messageOverheadNs,
      lookAhead,
    },
    regulator:
      budgetShare === 1
        ? { kind: 'none' }
        : { kind: 'budget', periodNs: regulatorPeriodNs, budgetNs: Math.round(budgetShare * regulatorPeriodNs) },
  }
}

function drawOf(
  { scheduler, setting, campaignSeed, point, utilization }: Unit,
  index: number,
  profile: BoardProfile,
): Draw {
  const seed = seedOf(campaignSeed, setting, point, index)
  const random = new Random(seed, 2)
  const varied = setting === 'mixed'
  const overheads = designOverheads(profile, setting === 'look-ahead' ? 'floating-look-ahead' : 'floating', 'typical')
  const [best, worst] = overheads.chunkOverheadNs
  return {
    scheduler,
    setting,
    point,
    index,
    seed,
    utilization,
    deadlines: varied ? random.pick(['implicit', 'constrained'] as const) : 'implicit',
    flows: varied ? random.between(4, 16) : 8,
    chunkBytes: varied ? random.pick([1024, 4096, 16_384, 65_536]) : 4096,
    regulatorPeriodNs: varied ? random.pick([100_000, 1_000_000]) : 1_000_000,
    budgetShare: varied ? random.pick([0.3, 0.5, 0.7, 1]) : 0.5,
    dmaBytesPerNs: profile.dmaBytesPerNs.value,
    chunkOverheadBestNs: setting === 'fixed' || varied ? worst : best,
    chunkOverheadWorstNs: worst,
    messageOverheadNs: overheads.messageOverheadNs,
    lookAhead: overheads.lookAhead,
  }
}

/** Work of one message of every flow, over the budget; null without one. */
function burstShare({ flows, dma, regulator }: FlowSet): number | null {
  if (regulator.kind !== 'budget') return null
  const workNs = flows.reduce((sum, flow) => sum + flow.lengthBytes / dma.dmaBytesPerNs, 0)
  return Number((workNs / regulator.budgetNs).toFixed(3))
}

function searchSet(draw: Draw): PessimismRow[] {
  const set = pessimismSet(draw)
  const { flows } = set
  const ranks = ranksOf(flows)
  const bounds = ANALYSIS_NAMES.map((name) => {
    const tightness = ANALYSES[name]!
    return draw.scheduler === 'fp' ? fixedPriorityBounds(set, tightness, ranks) : earliestDeadlineBounds(set, tightness)
  })
  const surely = bounds[ANALYSIS_NAMES.indexOf('A4')]!
  const search = new WorstCaseSearch(set, draw.scheduler, ranks)
  const random = new Random(draw.seed, 3)
  const rows = flows.flatMap((flow, i) => {
    if (surely[i] === null) return []
    const { responseNs, witness } = search.find(i, random)
    return [
      {
        ...draw,
        burstShare: burstShare(set),
        flow: i,
        rank: ranks[i]!,
        periodNs: flow.periodNs,
        deadlineNs: flow.deadlineNs,
        lengthBytes: flow.lengthBytes,
        foundNs: responseNs,
        ...Object.fromEntries(ANALYSIS_NAMES.map((name, a) => [`${name} boundNs`, bounds[a]![i]?.responseNs ?? null])),
        witness: JSON.stringify(witness),
      } as Record<string, string | number | null>,
    ]
  })
  return rows.map((row) => {
    const full: Record<string, unknown> = { ...row, simulations: search.simulations }
    return Object.fromEntries(Object.keys(COLUMNS).map((key) => [key, full[key]])) as unknown as PessimismRow
  })
}

/** Ratios per setting and analysis. */
class PessimismSummary implements Summary<PessimismRow> {
  readonly columns = {
    scheduler: COLUMNS.scheduler!,
    setting: `${COLUMNS.setting}; light: sets of any of these with a burstShare below 1, which are not in the others`,
    analysis: 'A0, A3, A4, A5, or A4 without one source of tightness',
    samples: 'flows with a bound',
    sets: 'that they are of: flows of one set are alike',
    mean: 'of bound / worst found',
    meanLow: 'of the 95 % interval of the mean, over sets; null: too few sets for one',
    meanHigh: 'of the same',
    medianLow: 'of the 95 % interval of the median, as if one flow of each set counted; null: too few sets for one',
    medianHigh: 'of the same',
    min: 'below 1 the bound is wrong',
    p10: 'of bound / worst found, its 10th percentile',
    p25: 'its first quartile',
    median: 'of bound / worst found',
    p75: 'its third quartile',
    p90: 'its 90th percentile',
    p99: 'its 99th percentile',
    max: 'its maximum',
  }
  readonly #samples = new Map<
    string,
    {
      scheduler: string
      setting: string
      analysis: string
      readonly sample: Sample
      /** Ratios by set. */
      readonly sets: Map<number, number[]>
    }
  >()

  add(row: PessimismRow): void {
    const setting = row.burstShare !== null && row.burstShare < 1 ? 'light' : row.setting
    for (const analysis of ANALYSIS_NAMES) {
      const bound = row[`${analysis} boundNs`]
      const key = `${row.scheduler}|${setting}|${analysis}`
      let entry = this.#samples.get(key)
      if (entry === undefined) {
        entry = { scheduler: row.scheduler, setting, analysis, sample: new Sample(), sets: new Map() }
        this.#samples.set(key, entry)
      }
      if (typeof bound !== 'number') continue
      const ratio = bound / row.foundNs
      entry.sample.add(ratio)
      const same = entry.sets.get(row.seed)
      if (same) same.push(ratio)
      else entry.sets.set(row.seed, [ratio])
    }
  }

  rows(): readonly Row[] {
    const order = [...Object.keys(SETTINGS), 'light']
    const place = ({ scheduler, setting }: { scheduler: string; setting: string }) =>
      order.indexOf(setting) + (scheduler === 'edf' ? order.length : 0)
    const entries = [...this.#samples.values()].sort((a, b) => place(a) - place(b))
    return entries.map(({ scheduler, setting, analysis, sample, sets }) => {
      const { samples, mean, ...quantiles } = sample.summary()
      const around = meanInterval([...sets.values()])
      const middle = medianInterval([...sets.values()].flat(), sets.size)
      return {
        scheduler,
        setting,
        analysis,
        samples,
        sets: sets.size,
        mean,
        meanLow: around?.low ?? null,
        meanHigh: around?.high ?? null,
        medianLow: middle?.low ?? null,
        medianHigh: middle?.high ?? null,
        ...quantiles,
      }
    })
  }

  headline(): readonly string[] {
    return this.rows()
      .filter(({ analysis }) => !String(analysis).startsWith('without'))
      .map(({ scheduler, setting, analysis, samples, mean, median, min, max }) => {
        if (samples === 0) return `${scheduler} ${setting} ${analysis}: no flow with a bound`
        const [a, b, c, d] = [mean, median, min, max].map((value) => Number(value).toFixed(3))
        return `${scheduler} ${setting} ${analysis}: mean ${a}, median ${b}, min ${c}, max ${d} of ${samples}`
      })
  }
}

/** Of the sets of a curve so many are searched: each costs a thousand times its analysis. */
const SETS_SHARE = 50

export const pessimismExperiment: Experiment<Unit, PessimismRow> = {
  name: 'pessimism',
  title: 'Pessimism: bound over worst response found',
  columns: COLUMNS as Experiment<Unit, PessimismRow>['columns'],
  assumptions: [
    'Bounded over simulated: the abstract machine of the analyses, without jitter.',
    'The worst response is what a search found, the true worst case may be worse: the ratio is an upper limit of pessimism.',
    'Overheads are typical costs of the board, whose provenance manifest.json tells.',
    'Flows without an A4 bound are left out.',
  ],
  units({ seed, points, sets }: Campaign) {
    const units: Unit[] = []
    const perPoint = Math.ceil(sets / SETS_SHARE)
    const plan = [
      ...(Object.keys(SETTINGS) as SettingName[]).map((setting) => ({ scheduler: 'fp', setting }) as const),
      ...(['fixed', 'varying', 'mixed'] as const).map((setting) => ({ scheduler: 'edf', setting }) as const),
    ]
    for (const kind of plan) {
      for (let point = 1; point < points; point++) {
        const common = { ...kind, campaignSeed: seed, point, utilization: point / points }
        for (let from = 0; from < perPoint; from += 5) units.push({ ...common, from, to: Math.min(perPoint, from + 5) })
      }
    }
    return units
  },
  run(unit, profile) {
    const rows: PessimismRow[] = []
    for (let index = unit.from; index < unit.to; index++) rows.push(...searchSet(drawOf(unit, index, profile)))
    return rows
  },
  summarize: () => new PessimismSummary(),
  refutes(row) {
    const wrong = ANALYSIS_NAMES.filter((name) => {
      const bound = row[`${name} boundNs`]
      return typeof bound === 'number' && bound < row.foundNs
    })
    if (wrong.length === 0) return null
    const bounds = Object.fromEntries(wrong.map((name) => [name, row[`${name} boundNs`]!]))
    const instance = { set: pessimismSet(row), witness: JSON.parse(row.witness), foundNs: row.foundNs, bounds }
    return `bound below a simulated response: ${JSON.stringify(instance)}`
  },
}
