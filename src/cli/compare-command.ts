/** `compare`: two scenarios side by side, bounds and one simulated run of each. */
import { basename, resolve } from 'node:path'
import type { DesignResult, Prediction } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { progress } from './progress.ts'
import { readReleases } from './release-files.ts'
import { count, milliseconds } from './report-parts.ts'
import { nameWith, readScenario, setsOf } from './scenario-file.ts'
import { checkPlatform, fileReader, type PlatformFlags, profileOfScenario, withPlatform } from './scenario-profile.ts'
import type { Simulator } from './simulator.ts'
import { type Cell, renderTable } from './table.ts'
import { EXIT_NEGATIVE, EXIT_OK, type Paint, painter, type Terminal, UsageError } from './terminal.ts'

/** As they come from the command line, still to be checked. */
export interface CompareFlags extends PlatformFlags {
  readonly json?: boolean
  readonly set?: unknown
}

interface Side {
  readonly path: string
  readonly scenario: Scenario
  readonly flows: Prediction['flows']
  readonly result: DesignResult
}

/** `--set` is said over the second; with one path it is compared with itself as it is written. */
export function compareCommand(
  paths: readonly string[],
  flags: CompareFlags,
  terminal: Terminal,
  simulator: Simulator,
): number {
  checkPlatform(flags, terminal.cwd)
  const [first, second = first] = paths
  if (first === undefined || second === undefined || paths.length > 2)
    throw new UsageError(`compare takes two scenarios, or one and --set PATH=VALUE, not ${paths.length}`)
  if (paths.length === 1 && flags.set === undefined)
    throw new UsageError('compare one.yaml other.yaml, or compare one.yaml --set PATH=VALUE')
  const line = progress(terminal, true)
  const side = (path: string, sets: unknown): Side => {
    const scenario = withPlatform(readScenario(path, terminal.cwd, sets), flags, terminal.cwd)
    const profile = profileOfScenario(scenario, fileReader(resolve(terminal.cwd, path), terminal.cwd))
    const design = scenario.broker.placement
    const releases = readReleases(scenario, path, terminal.cwd)
    const { flows } = simulator.predict(scenario, { design, profile })
    const result = simulator.simulate(scenario, {
      design,
      profile,
      payload: () => null,
      releases: (flow) => releases.get(flow) ?? null,
      onProgress: (simulatedNs, totalNs) => line.update(oneLine(basename(path)), simulatedNs, totalNs),
    })
    return {
      path: nameWith(path, setsOf(sets)),
      scenario,
      flows,
      result,
    }
  }
  const sides = [side(first, undefined), side(second, flags.set)] as const
  line.clear()
  if (flags.json) terminal.stdout.write(`${JSON.stringify(compareObject(sides), null, 2)}\n`)
  else terminal.stdout.write(renderComparison(sides, painter(terminal.stdout, terminal.env)))
  const exceeded = sides.flatMap(({ flows, path, result }) =>
    flows.flatMap(({ name, endToEndNs }) => {
      const maxNs = result.flows[name]?.responseTimeNs?.max ?? 0
      return endToEndNs !== null && maxNs > endToEndNs
        ? [`${path}: flow ${name} took ${maxNs} ns, its bound is ${endToEndNs} ns`]
        : []
    }),
  )
  for (const what of exceeded)
    terminal.stderr.write(`${oneLine(what)}: a bound is violated, a bug of ours; please report it\n`)
  return exceeded.length > 0 ? EXIT_NEGATIVE : EXIT_OK
}

/** Whatever differs between two runs of one flow: of both sides, null where a side has none. */
interface FlowRow {
  readonly name: string
  readonly deadlineNs: readonly (number | null)[]
  readonly boundNs: readonly (number | null)[]
  readonly maxNs: readonly (number | null)[]
}

function flowRows(sides: readonly Side[]): FlowRow[] {
  const names = [...new Set(sides.flatMap(({ flows }) => flows.map(({ name }) => name)))]
  return names.map((name) => {
    const found = sides.map(({ flows }) => flows.find((flow) => flow.name === name))
    return {
      name,
      deadlineNs: sides.map(({ scenario }) => scenario.flows.find((flow) => flow.name === name)?.deadlineNs ?? null),
      boundNs: found.map((flow) => flow?.endToEndNs ?? null),
      maxNs: sides.map(({ result }) => result.flows[name]?.responseTimeNs?.max ?? null),
    }
  })
}

const TOTALS: readonly (readonly [label: string, of: (result: DesignResult) => number])[] = [
  ['messages delivered', ({ messagesDelivered }) => messagesDelivered],
  ['deadline misses', ({ deadlineMisses }) => deadlineMisses],
  ['cross-core IPIs', ({ crossCoreIpis }) => crossCoreIpis],
  ['interrupts taken by VM cores', ({ vmInterrupts }) => vmInterrupts],
  ['exits on VM cores', ({ vmExits }) => vmExits],
  [
    'stolen from VM cores, ms',
    ({ stolenNsByCore }) => Object.values(stolenNsByCore).reduce((sum, ns) => sum + ns, 0) / 1e6,
  ],
  ['pages moved', ({ pagesLent, pagesRemapped }) => pagesLent + pagesRemapped],
]

/** The object of `--json`: both sides in their order. */
function compareObject(sides: readonly Side[]) {
  return {
    scenarios: sides.map(({ path, scenario }) => ({ path, placement: scenario.broker.placement, seed: scenario.seed })),
    flows: flowRows(sides),
    totals: Object.fromEntries(TOTALS.map(([label, of]) => [label, sides.map(({ result }) => of(result))])),
  }
}

function renderComparison(sides: readonly Side[], paint: Paint): string {
  const heads = sides.map(
    ({ path, scenario }, i) =>
      `  ${'AB'[i]}  ${oneLine(path)}, ${scenario.broker.placement}, ${scenario.broker.scheduler}\n`,
  )
  const flows: Cell[][] = [
    ['flow', 'bound A', 'bound B', 'B / A', 'longest A', 'longest B', 'deadline A', 'deadline B'],
  ]
  for (const { name, boundNs, deadlineNs, maxNs } of flowRows(sides)) {
    const bounds = boundNs.map((ns, i): Cell => {
      const late = ns !== null && deadlineNs[i] !== null && ns > deadlineNs[i]!
      return late ? { text: ms(ns), tone: 'bad' } : ms(ns)
    })
    flows.push([name, ...bounds, ratio(boundNs), ...maxNs.map(ms), ...deadlineNs.map(ms)])
  }
  const totals: Cell[][] = [['simulated', 'A', 'B', 'B / A']]
  for (const [label, of] of TOTALS) {
    const both = sides.map(({ result }) => of(result))
    totals.push([
      label,
      ...both.map((value) => (Number.isInteger(value) ? count(value) : value.toFixed(3))),
      ratio(both),
    ])
  }
  return [
    `${paint('Two scenarios, bounded and simulated once each', 'strong')}\n${heads.join('')}`,
    `${paint('Response times in ms: bounds, and the longest of one simulated run', 'strong')}\n${renderTable(flows, paint)}`,
    renderTable(totals, paint),
  ].join('\n')
}

function ratio([a, b]: readonly (number | null)[]): string {
  return a == null || b == null || a === 0 ? '' : (b / a).toFixed(2)
}

function ms(ns: number | null): string {
  return ns === null ? 'none' : milliseconds(ns)
}
