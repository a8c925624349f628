/** What a search for the longest responses found: as an object for programs, and as tables for people. */
import type { BoardProfile, Design, LongestResponse } from '../platform-zcu102/index.ts'
import { formatTime, type Scenario } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { type Cell, counted, renderTable } from './table.ts'
import type { Paint } from './terminal.ts'

export interface WorstRun {
  readonly design: Design
  /** By flow. */
  readonly found: readonly LongestResponse[]
  /** By flow, ns; null: there is no bound. */
  readonly boundsNs: readonly (number | null)[]
  readonly runs: number
}

/** The flow that came nearest to its bound; without any bound the first. */
export function nearest({ found, boundsNs }: WorstRun): number {
  const shares = found.map(({ responseNs }, i) => (boundsNs[i] === null ? 0 : responseNs / boundsNs[i]!))
  return shares.indexOf(Math.max(...shares))
}

/** What took longer than its bound, as it goes into a message. */
export function exceeding({ design, found, boundsNs }: WorstRun): string[] {
  return found.flatMap(({ flow, responseNs }, i) => {
    const boundNs = boundsNs[i] ?? null
    if (boundNs === null || responseNs <= boundNs) return []
    return [`${design}: flow ${flow} took ${responseNs} ns in a run that was found, its bound is ${boundNs} ns`]
  })
}

/** The object of `--json`. `plan` is what `plannedRun` takes to run what was found once more. */
export function worstObject(
  scenario: Scenario,
  profile: BoardProfile,
  searches: readonly WorstRun[],
  assumptions: readonly string[],
) {
  return {
    seed: scenario.seed,
    platform: scenario.platform,
    calibration: scenario.calibration,
    profile,
    durationNs: scenario.durationNs,
    assumptions,
    designs: Object.fromEntries(
      searches.map(({ boundsNs, design, found, runs }) => [
        design,
        {
          runs,
          flows: Object.fromEntries(
            found.map(({ flow, plan, responseNs }, i) => [flow, { responseNs, boundNs: boundsNs[i] ?? null, plan }]),
          ),
        },
      ]),
    ),
  }
}

export function renderWorst(
  title: string,
  scenario: Scenario,
  searches: readonly WorstRun[],
  assumptions: readonly string[],
  paint: Paint,
): string {
  const { flows, vms } = scenario
  const heading = `${title}: ${counted(vms.length, 'VM')}, ${counted(flows.length, 'flow')}, ${formatTime(scenario.durationNs)} on ${scenario.platform}, simulated`
  const rows: Cell[][] = [['flow', 'design', 'longest found', 'bound', 'bound / found', 'deadline']]
  flows.forEach(({ name, deadlineNs }, i) => {
    for (const { boundsNs, design, found } of searches) {
      const { responseNs } = found[i]!
      const boundNs = boundsNs[i] ?? null
      const late = responseNs > deadlineNs
      rows.push([
        name,
        design,
        late ? { text: ms(responseNs), tone: 'bad' } : ms(responseNs),
        boundNs === null ? 'none' : responseNs > boundNs ? { text: ms(boundNs), tone: 'bad' } : ms(boundNs),
        boundNs === null || responseNs === 0 ? '' : (boundNs / responseNs).toFixed(2),
        ms(deadlineNs),
      ])
    }
  })
  const runs = searches.map((search) => `${search.design} ${search.runs}`).join(', ')
  return [
    `${paint(heading, 'strong')}\n`,
    `${paint('Longest responses found by search, in ms, simulated, and their bounds', 'strong')}\n${renderTable(rows, paint)}`,
    `runs: ${runs}; seed ${scenario.seed}; offsets, jitter, best and worst costs, phases of MemGuard and polling are searched\n` +
      'Each was seen in a run that the scenario allows. A longer one may exist, so the true bound / longest may be smaller.\n',
    `${paint('Assumptions', 'strong')}\n${assumptions.map((line) => `  - ${oneLine(line)}\n`).join('')}`,
  ].join('\n')
}

function ms(ns: number): string {
  return (ns / 1e6).toFixed(3)
}
