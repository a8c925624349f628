/**
 * Rows as the experiments could give them, and many that no machine would: ties, nothing accepted, everything accepted, the order of the
 * designs turned round, bounds exceeded, boards without a core to spare. What a report says has to be true of all of them.
 */
import { type Campaign, EXPERIMENTS, MANIFEST_FORMAT, type ReportData, type Row } from 'virtio-sdk/evaluation'
import { zcu102 } from 'virtio-sdk/platform-zcu102'
import type { Section } from '../../../src/evaluation/report/section.ts'
import { SECTIONS } from '../../../src/evaluation/report/sections/index.ts'
import { Random } from '../../../src/internal/random.ts'
import type { Raw, Said } from './rows.ts'

export const WORLDS = ['plain', 'ties', 'none', 'all', 'turned', 'broken', 'small board'] as const
export type World = (typeof WORLDS)[number]

const ANALYSES = ['A0', 'A3', 'A4', 'A5'] as const
const POINTS = 4

/** A draw in [0, 1). */
type Draw = () => number

interface Setting {
  readonly generator: string
  readonly deadlines: string
  readonly flows: number
  readonly chunkBytes: number
  readonly regulatorPeriodNs: number
  readonly budgetShare: number
  readonly costs: string
}

const DEFAULT: Setting = {
  generator: 'uunifast',
  deadlines: 'implicit',
  flows: 8,
  chunkBytes: 4096,
  regulatorPeriodNs: 1_000_000,
  budgetShare: 0.5,
  costs: 'typical',
}

/** How much a design, an analysis or a scheduler helps: of the utilisation up to which sets are accepted. */
function strengths(world: World, draw: Draw): (design: string, test: string) => number {
  const known = new Map<string, number>()
  return (design, test) => {
    if (world === 'none') return -1
    if (world === 'all') return 9
    const of = (key: string, most: number) => {
      if (!known.has(key)) known.set(key, most * draw())
      return known.get(key)!
    }
    const [scheduler, analysis] = test.split('/') as [string, string]
    const tight = ANALYSES.indexOf(analysis as 'A0') * of('analysis', 0.15) * (world === 'turned' ? -1 : 1)
    return 0.3 + tight + of(scheduler, 0.2) + (world === 'ties' ? 0 : of(design, 0.3))
  }
}

function accepted(setting: Setting, sets: number, world: World, draw: Draw): Row[] {
  const strength = strengths(world, draw)
  const rows: Row[] = []
  for (let point = 1; point <= POINTS; point++) {
    for (let index = 0; index < sets; index++) {
      const hardness = point / POINTS + 0.6 * (draw() - 0.5)
      for (const design of ['dedicated', 'floating', 'floating-look-ahead', 'zero-copy']) {
        const row: Record<string, Row[string]> = { ...setting, point, index, utilization: point / POINTS, design }
        for (const scheduler of ['fp-dm', 'fp-optimal', 'edf']) {
          for (const analysis of ANALYSES) {
            const test = `${scheduler}/${analysis}`
            row[test] = hardness < strength(design, test)
          }
        }
        rows.push(row)
      }
    }
  }
  return rows
}

function levels(sets: number, world: World, draw: Draw): Row[] {
  return [8, 16, 32].flatMap((flows) =>
    [0.25, 0.5, 0.75, 1].flatMap((utilization) =>
      Array.from({ length: Math.ceil(sets / 5) }, () => {
        const need = () => {
          if (world === 'none' || (world !== 'all' && draw() < 0.3 * utilization)) return null
          return world === 'ties' ? 4 : 1 + Math.floor(draw() ** 3 * flows)
        }
        const found = ANALYSES.map((name) => [`levels/${name}`, need()])
        return { flows, utilization, ...Object.fromEntries(found) } as Row
      }),
    ),
  )
}

function pessimism(sets: number, world: World, draw: Draw): Row[] {
  const columns = Object.keys(EXPERIMENTS.find(({ name }) => name === 'pessimism')!.columns)
  const names = columns.filter((name) => name.endsWith(' boundNs'))
  const kinds = ['fixed', 'varying', 'mixed', 'look-ahead'].flatMap((setting) =>
    (setting === 'look-ahead' ? ['fp'] : ['fp', 'edf']).map((scheduler) => ({ setting, scheduler })),
  )
  const spread = world === 'all' ? 0.01 : 0.5 * draw()
  return kinds.flatMap((kind) =>
    Array.from({ length: Math.ceil(sets / 20) }, (_, seed) => {
      const burstShare = draw() < 0.2 ? 0.5 : draw() < 0.1 ? null : 3
      // Few sets that are far off: the median is as it should be, and the mean cannot be told.
      const own = world === 'turned' ? (draw() < 0.06 ? 1.6 / spread : 0.01) : draw()
      return Array.from({ length: 1 + Math.floor(8 * draw()) }, () => {
        const foundNs = 1000 + Math.floor(1e6 * draw())
        const bound = (name: string) => {
          if (world === 'none' || (!name.startsWith('A4') && draw() < 0.1)) return null
          if (world === 'ties') return 2 * foundNs
          const least = world === 'broken' && draw() < 0.01 ? 0.9 : 1
          return Math.ceil(foundNs * (least + spread * own * draw() + (/A0|exact/.test(name) ? 0.5 : 0)))
        }
        const bounds = names.map((name) => [name, bound(name)])
        return { ...kind, seed, burstShare, foundNs, ...Object.fromEntries(bounds) } as Row
      })
    }).flat(),
  )
}

const designsOf = (world: World) =>
  world === 'small board' ? ['floating-plain', 'floating-minimum'] : ['dedicated', 'floating-plain', 'floating-minimum']

/** In few values where ties are wanted. */
const some = (world: World, draw: Draw, least: number, most: number) =>
  world === 'ties' ? least + (most - least) * Math.round(draw()) : least + (most - least) * draw()

function interrupts(world: World, draw: Draw): Row[] {
  return designsOf(world).flatMap((design) =>
    [64, 4096, 65_536, 4_194_304].map((lengthBytes) => {
      const n = Math.ceil(lengthBytes / 4096)
      const expected: Record<string, number[]> = {
        dedicated: [n + 2, n + 1, 2 + 2 * n],
        'floating-plain': [1, n + 1, 2 + 2 * n],
        'floating-minimum': [0, 1, 2],
      }
      const [ipis, taken, exits] = expected[design]!.map((one) => one + (world === 'broken' && draw() < 0.3 ? 1 : 0))
      const perMiB = 2 ** 20 / lengthBytes
      return {
        design,
        lengthBytes,
        crossCoreIpis: ipis!,
        vmInterrupts: taken!,
        vmExits: exits!,
        ipisPerMiB: ipis! * perMiB,
        interruptsPerMiB: taken! * perMiB,
        exitsPerMiB: exits! * perMiB,
        expectedIpis: expected[design]![0]!,
        expectedInterrupts: expected[design]![1]!,
        expectedExits: expected[design]![2]!,
      }
    }),
  )
}

function stolen(world: World, draw: Draw): Row[] {
  return designsOf(world).flatMap((design) =>
    [64, 4096, 65_536].map((lengthBytes) => {
      const periodNs = Math.max(20_000, Math.ceil(lengthBytes / 0.273))
      const simulatedNs = 99 * periodNs
      const senderShare = some(world, draw, 0, world === 'turned' ? 0.6 : 0.2)
      const receiverShare = some(world, draw, 0, 0.2)
      const bound = (share: number) =>
        world === 'none' || draw() < 0.3
          ? null
          : Math.ceil(share * simulatedNs * (world === 'broken' ? 0.9 + 0.2 * draw() : 1 + draw()))
      return {
        design,
        lengthBytes,
        periodNs,
        messages: 99 + Math.round(draw()),
        simulatedNs,
        senderShare,
        receiverShare,
        brokerShare: design === 'dedicated' ? draw() : null,
        longestMaskedNs: Math.round(some(world, draw, 1000, 9000)),
        senderBoundNs: bound(senderShare),
        receiverBoundNs: bound(receiverShare),
        // Of the long run: less than a single run may have.
        senderBoundShare: 0.9 * senderShare,
        receiverBoundShare: 0.9 * receiverShare,
      }
    }),
  )
}

function throughput(world: World, draw: Draw): Row[] {
  return designsOf(world).flatMap((design) =>
    [64, 4096, 65_536].map((lengthBytes) => ({
      design,
      lengthBytes,
      messages: 4 + Math.floor(196 * draw()),
      bytesPerNs: some(world, draw, 0.01, 1) * (lengthBytes / 65_536) ** 0.3,
    })),
  )
}

function latency(world: World, draw: Draw): Row[] {
  const one = (setting: string, design: string, flow: string, lengthBytes: number, messages: number): Row[] => {
    const around = 10_000 * (1 + Math.floor(20 * draw()))
    const found = Array.from({ length: messages }, () => Math.round(around * some(world, draw, 0.5, 1.5)))
    const none = world === 'none' || draw() < 0.2
    const boundNs = none ? null : Math.ceil(Math.max(...found) * (world === 'broken' ? 0.9 : 1 + 5 * draw()))
    return found.map((latencyNs) => ({ setting, design, flow, lengthBytes, latencyNs, boundNs }))
  }
  const flows = ['control', 'frames', 'log'] as const
  const counts = flows.map(() => (world === 'none' ? 20 : 20 + Math.floor(200 * draw())))
  return [
    ...designsOf(world).flatMap((design) => [64, 4096].flatMap((size) => one('alone', design, 'only', size, 9))),
    ...designsOf(world).flatMap((design) =>
      ['loaded', 'unregulated'].flatMap((setting) =>
        flows.flatMap((flow, i) => one(setting, design, flow, 65_536, counts[i]!)),
      ),
    ),
  ]
}

function copyRemap(world: World, draw: Draw): Row[] {
  const each = Object.fromEntries(
    ['copy', 'remap', 'lend'].map((name) => [name, [1000 + 9000 * draw(), 2000 * draw()]]),
  )
  return ['copy', 'remap', 'lend'].flatMap((transfer) =>
    [1, 2, 4, 8, 16].map((pages) => {
      const [fixed, perPage] = world === 'ties' ? [1000, 100] : (each[transfer] as [number, number])
      const modelNs = Math.round(fixed! + pages * perPage!)
      return {
        transfer,
        pages,
        messages: 24,
        medianNs: modelNs + (draw() < 0.3 && world !== 'ties' ? Math.round(2000 * draw()) : 0),
        maxNs: 2 * modelNs,
        stolenNs: world === 'all' && transfer !== 'copy' ? 10 * pages : 1000 * some(world, draw, 1, 3),
        pagesMoved: pages,
        copyFallbacks: draw() < 0.1 ? 3 : 0,
        modelNs,
        modelCopyNs: 4096 * pages,
      }
    }),
  )
}

function memguard(world: World, draw: Draw): Row[] {
  const options = ['service', 'interruptible', 'retarget', ...(world === 'all' ? [] : ['accept'])]
  return options.flatMap((option) =>
    [0, 0.4, 0.8].flatMap((throttledShare) =>
      [0, 1].flatMap((run) =>
        ['frames', 'commands'].map((flow) => ({
          option,
          throttledShare,
          run,
          flow,
          lengthBytes: flow === 'frames' ? 204_800 : 2048,
          messages: 300,
          deadlineMisses: world === 'broken' && draw() < 0.2 ? 2 : 0,
          medianNs: 5000,
          p99Ns: 9000,
          maxNs: Math.round(some(world, draw, 10_000, 900_000)),
          boundNs: null,
          delayedCompletions: 1,
          longestDelayNs: Math.round(some(world, draw, 100, 90_000)),
        })),
      ),
    ),
  )
}

/** A share with an interval of a fair width. */
function share(sets: number, world: World, draw: Draw) {
  const value = world === 'none' ? 0 : world === 'all' ? 1 : some(world, draw, 0.4, 0.6)
  const half = 0.8 / Math.sqrt(Math.ceil(sets / 10))
  return {
    weightedSchedulability: value,
    weightedLow: Math.max(0, value - half),
    weightedHigh: Math.min(1, value + half),
  }
}

function platforms(sets: number, world: World, draw: Draw): Row[] {
  return ['zcu102', 'rpi4', 'vck190'].flatMap((platform) =>
    designsOf(world).map((design) => ({
      platform,
      cores: 4,
      design,
      messages: 300,
      medianNs: 50_000,
      p99Ns: Math.round(some(world, draw, 50_000, 200_000)),
      maxNs: 300_000,
      boundNs: world === 'none' ? null : Math.round(some(world, draw, 300_000, 900_000)),
      senderShare: some(world, draw, 0.01, 0.05),
      receiverShare: some(world, draw, 0.01, 0.05),
      ...share(sets, world, draw),
      sets: Math.ceil(sets / 20),
    })),
  )
}

function sensitivity(sets: number, world: World, draw: Draw): Row[] {
  const base = { stolenShare: 0.2, p99Ns: 200_000, remapNs: 50_000 }
  const common = { sets: Math.ceil(sets / 10) }
  const same = share(sets, 'ties', () => 0)
  const parameters = world === 'all' ? [] : ['dmaBytesPerNs', 'pick', 'usedRing', 'irqEntryAck', 'sgi']
  return [
    { parameter: 'none', factor: 1, ...base, ...same, ...common },
    ...parameters.flatMap((parameter) =>
      [0.5, 1.5].map((factor) => {
        const by = () => (world === 'none' ? 1 : 1 + (factor - 1) * some(world, draw, 0, 1))
        return {
          parameter,
          factor,
          stolenShare: base.stolenShare * by(),
          p99Ns: Math.round(base.p99Ns * by()),
          remapNs: Math.round(base.remapNs * by()),
          ...(world === 'none' ? same : share(sets, world, draw)),
          ...common,
        }
      }),
    ),
  ]
}

export interface Synthetic {
  readonly raw: Raw
  readonly data: ReportData
}

export function synthetic(sets: number, world: World, seed: number): Synthetic {
  const random = new Random(seed, sets)
  const draw = () => random.between(0, 1e9) / 1e9
  const fewer = Math.ceil(sets / 10)
  const raw: Record<string, Row[]> = {
    acceptance: accepted(DEFAULT, sets, world, draw),
    'acceptance-variants': [
      { ...DEFAULT, generator: 'drs' },
      { ...DEFAULT, flows: 4 },
      { ...DEFAULT, costs: 'worst' },
    ].flatMap((setting) => accepted(setting, fewer, world, draw)),
    'priority-levels': levels(sets, world, draw),
    pessimism: pessimism(sets, world, draw),
    interrupts: interrupts(world, draw),
    'stolen-time': stolen(world, draw),
    latency: latency(world, draw),
    // Without it the break-even stands against the DMA.
    ...(seed % 3 === 0 ? {} : { throughput: throughput(world, draw) }),
    'copy-remap': copyRemap(world, draw),
    memguard: memguard(world, draw),
    platforms: platforms(sets, world, draw),
    sensitivity: sensitivity(sets, world, draw),
  }
  return { raw, data: reportData(raw, { seed: 1, points: POINTS, sets }) }
}

/** What a run hands to the report: tables of summaries where there are any. */
export function reportData(raw: Raw, campaign: Campaign): ReportData {
  const rows = new Map<string, readonly Row[]>()
  const experiments = EXPERIMENTS.filter(({ name }) => raw[name] !== undefined).map((experiment) => {
    const { name, title, columns, assumptions } = experiment
    const summary = experiment.summarize?.()
    for (const row of raw[name]!) summary?.add(row)
    rows.set(summary ? `${name}-summary` : name, summary?.rows() ?? raw[name]!)
    const refuted = 0
    const count = raw[name]!.length
    const file = `data/${name}.ndjson`
    const table = summary ? { file: `data/${name}-summary.ndjson`, columns: summary.columns } : null
    return {
      name,
      title,
      file,
      rows: count,
      refuted,
      sha256: '',
      rowsOfUnits: [count],
      columns,
      assumptions,
      summary: table,
    }
  })
  const shard = { index: 1, count: 1 }
  return {
    manifest: { format: MANIFEST_FORMAT, version: '1.2.3', campaign, shard, platform: zcu102, experiments },
    rows,
  }
}

/** Every key figure, verdict and title of a report. */
export function sentences(data: ReportData): Said[] {
  const sections = SECTIONS.flatMap(({ make }): Section[] => {
    const section = make(data)
    return section === null ? [] : [section]
  })
  return sections.flatMap(({ keys, verdicts, figures }) => [
    ...keys.map(({ id, value, grid, text }) => ({
      id: `key:${id}`,
      text,
      head: value ?? '',
      grid: grid === undefined ? null : [grid.head, ...grid.rows],
      holds: undefined,
      chart: null,
    })),
    ...verdicts.map(({ id, claim, holds, evidence }) => ({
      id: `verdict:${id}`,
      text: evidence,
      head: claim,
      grid: null,
      holds,
      chart: null,
    })),
    ...figures.map(({ id, finding, chart }) => ({
      id: `figure:${id}`,
      text: finding,
      head: '',
      grid: null,
      holds: undefined,
      chart,
    })),
  ])
}
