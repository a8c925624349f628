/** What a comparison found: as an object for programs, and as tables for people. */
import type { DesignResult, Prediction } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { count, milliseconds } from './report-parts.ts'
import { type ReportSection, renderSections } from './report-section.ts'
import type { Cell } from './table.ts'
import type { Paint } from './terminal.ts'

/** One of the two that are compared. */
export interface Side {
  readonly path: string
  readonly scenario: Scenario
  readonly flows: Prediction['flows']
  readonly chains: Prediction['chains']
  readonly result: DesignResult
}

/** What has bounds and response times. */
export const KINDS = ['flows', 'chains'] as const

/** What took longer than its bound, as it goes into a message. */
export function exceededBy(sides: readonly Side[]): string[] {
  return KINDS.flatMap((kind) =>
    sides.flatMap(({ path, result, ...side }) =>
      side[kind].flatMap(({ name, endToEndNs }) => {
        const maxNs = result[kind][name]?.responseTimeNs?.max ?? 0
        return endToEndNs !== null && maxNs > endToEndNs
          ? [`${path}: ${kind.slice(0, -1)} ${name} took ${maxNs} ns, its bound is ${endToEndNs} ns`]
          : []
      }),
    ),
  )
}

/** Whatever differs between two runs of one flow, or chain: of both sides, null where a side has none. */
export interface ComparedRow {
  readonly name: string
  readonly deadlineNs: readonly (number | null)[]
  readonly boundNs: readonly (number | null)[]
  readonly maxNs: readonly (number | null)[]
}

/** Of all flows, or chains, that either has. */
export function comparedRows(sides: readonly Side[], kind: (typeof KINDS)[number]): ComparedRow[] {
  const names = [...new Set(sides.flatMap((side) => side[kind].map(({ name }) => name)))]
  return names.map((name) => ({
    name,
    deadlineNs: sides.map(({ scenario }) => scenario[kind].find((one) => one.name === name)?.deadlineNs ?? null),
    boundNs: sides.map((side) => side[kind].find((one) => one.name === name)?.endToEndNs ?? null),
    maxNs: sides.map(({ result }) => result[kind][name]?.responseTimeNs?.max ?? null),
  }))
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
export function compareObject(sides: readonly Side[]) {
  return {
    scenarios: sides.map(({ path, scenario }) => ({ path, placement: scenario.broker.placement, seed: scenario.seed })),
    flows: comparedRows(sides, 'flows'),
    chains: comparedRows(sides, 'chains'),
    totals: Object.fromEntries(TOTALS.map(([label, of]) => [label, sides.map(({ result }) => of(result))])),
  }
}

export const COMPARISON = 'Two scenarios, bounded and simulated once each'

export function renderComparison(sides: readonly Side[], paint: Paint): string {
  const heads = headsOf(sides).map((head) => `  ${head}\n`)
  return [
    `${paint(COMPARISON, 'strong')}\n${heads.join('')}`,
    ...renderSections(comparisonSections(sides), paint),
  ].join('\n')
}

/** What A is, and what B is. */
export function headsOf(sides: readonly Side[]): string[] {
  return sides.map(
    ({ path, scenario }, i) =>
      `${'AB'[i]}  ${oneLine(path)}, ${scenario.broker.placement}, ${scenario.broker.scheduler}`,
  )
}

/** Every table. */
export function comparisonSections(sides: readonly Side[]): ReportSection[] {
  const totals: Cell[][] = [['simulated', 'A', 'B', 'B / A']]
  for (const [label, of] of TOTALS) {
    const both = sides.map(({ result }) => of(result))
    totals.push([
      label,
      ...both.map((value) => (Number.isInteger(value) ? count(value) : value.toFixed(3))),
      ratio(both),
    ])
  }
  const chains = tableOf('chain', comparedRows(sides, 'chains'))
  return [
    {
      title: 'Response times in ms: bounds, and the longest of one simulated run',
      rows: tableOf('flow', comparedRows(sides, 'flows')),
    },
    ...(chains.length > 1
      ? [{ title: 'From end to end in ms: bounds, and the longest of one simulated run', rows: chains }]
      : []),
    { title: null, rows: totals },
  ]
}

function tableOf(what: string, rows: readonly ComparedRow[]): Cell[][] {
  return [
    [what, 'bound A', 'bound B', 'B / A', 'longest A', 'longest B', 'deadline A', 'deadline B'],
    ...rows.map(({ name, boundNs, deadlineNs, maxNs }): Cell[] => {
      const bounds = boundNs.map((ns, i): Cell => {
        const late = ns !== null && deadlineNs[i] !== null && ns > deadlineNs[i]!
        return late ? { text: ms(ns), tone: 'bad' } : ms(ns)
      })
      return [name, ...bounds, ratio(boundNs), ...maxNs.map(ms), ...deadlineNs.map(ms)]
    }),
  ]
}

function ratio([a, b]: readonly (number | null)[]): string {
  return a == null || b == null || a === 0 ? '' : (b / a).toFixed(2)
}

function ms(ns: number | null): string {
  return ns === null ? 'none' : milliseconds(ns)
}
