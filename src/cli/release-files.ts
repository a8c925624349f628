/** The files of releases that a scenario's flows replay. */
import { InputError, parseReleases, type ReleaseTrace, releaseIssues, type Scenario } from '../scenario/index.ts'
import { fileReader } from './scenario-profile.ts'

/**
 * By name of the flow. Paths start at the scenario's folder, else at the current one. Throws `UsageError` for a file that cannot be read, and
 * `InputError` with line and column for one that is wrong, or whose flow declares less than it has: bounds would not be about it.
 */
export function readReleases(scenario: Scenario, scenarioPath: string, cwd: string): ReadonlyMap<string, ReleaseTrace> {
  const read = fileReader(scenarioPath, cwd)
  const traces = new Map<string, ReleaseTrace>()
  scenario.flows.forEach((flow, i) => {
    if (flow.releases === undefined) return
    const trace = parseReleases(read(flow.releases), flow.releases)
    const issues = releaseIssues(scenario, i, trace)
    if (issues.length > 0) throw new InputError('RELEASES', flow.releases, issues)
    traces.set(flow.name, trace)
  })
  return traces
}

/** What is not replayed, in words: messages that are released after the end of the run. */
export function beyondEnd({ durationNs, flows }: Scenario, traces: ReadonlyMap<string, ReleaseTrace>): string[] {
  return flows.flatMap(({ name, releases }) => {
    const times = traces.get(name)?.timesNs ?? []
    const beyond = times.filter((timeNs) => timeNs >= durationNs).length
    return beyond === 0
      ? []
      : [
          `flow ${name}: ${beyond} of the ${times.length} releases in ${releases} are after the end of the run, and left out`,
        ]
  })
}
