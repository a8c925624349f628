/** `compare`: two scenarios side by side, bounds and one simulated run of each. */
import { basename, resolve } from 'node:path'
import { comparisonPage } from './command-pages.ts'
import { compareObject, exceededBy, renderComparison, type Side } from './compare-report.ts'
import { oneLine } from './escape.ts'
import { type PageTools, pageFileOf, writePage } from './html-page.ts'
import { progress } from './progress.ts'
import { readReleases } from './release-files.ts'
import { nameWith, readScenario, setsOf } from './scenario-file.ts'
import { checkPlatform, fileReader, type PlatformFlags, profileOfScenario, withPlatform } from './scenario-profile.ts'
import type { Simulator } from './simulator.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'

/** As they come from the command line, still to be checked. */
export interface CompareFlags extends PlatformFlags {
  readonly json?: boolean
  readonly set?: unknown
  readonly html?: unknown
}

/** `--set` is said over the second; with one path it is compared with itself as it is written. */
export function compareCommand(
  paths: readonly string[],
  flags: CompareFlags,
  terminal: Terminal,
  simulator: Simulator,
  tools: PageTools,
): number {
  checkPlatform(flags, terminal.cwd)
  const [first, second = first] = paths
  if (first === undefined || second === undefined || paths.length > 2)
    throw new UsageError(`compare takes two scenarios, or one and --set PATH=VALUE, not ${paths.length}`)
  if (paths.length === 1 && flags.set === undefined)
    throw new UsageError('compare one.yaml other.yaml, or compare one.yaml --set PATH=VALUE')
  const read = (path: string, sets: unknown) =>
    withPlatform(readScenario(path, terminal.cwd, sets), flags, terminal.cwd)
  const files = [
    { path: first, sets: undefined },
    { path: second, sets: flags.set },
  ].map(({ path, sets }) => ({ path: resolve(terminal.cwd, path), written: path, sets, scenario: read(path, sets) }))
  const html = pageFileOf(flags.html, files, terminal)
  const line = progress(terminal, true)
  const sides = files.map(({ written: path, sets, scenario }): Side => {
    const profile = profileOfScenario(scenario, fileReader(resolve(terminal.cwd, path), terminal.cwd))
    const design = scenario.broker.placement
    const releases = readReleases(scenario, path, terminal.cwd)
    const { flows, chains } = simulator.predict(scenario, { design, profile })
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
      chains,
      result,
    }
  })
  line.clear()
  if (html !== null) writePage(html, comparisonPage(sides, tools.version), tools)
  if (flags.json) terminal.stdout.write(`${JSON.stringify(compareObject(sides), null, 2)}\n`)
  else terminal.stdout.write(renderComparison(sides, painter(terminal.stdout, terminal.env)))
  const exceeded = exceededBy(sides)
  for (const what of exceeded)
    terminal.stderr.write(`${oneLine(what)}: a bound is violated, a bug of ours; please report it\n`)
  return exceeded.length > 0 ? EXIT_NEGATIVE : EXIT_OK
}
