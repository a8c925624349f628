/** The files whose bytes the flows carry: from the scenario, and over it from the command line. */
import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { FlowSpec, Scenario } from '../scenario/index.ts'
import { reasonOf } from './file-error.ts'
import { MOST_BYTES, readRegularFile } from './input-files.ts'
import { UsageError } from './terminal.ts'

/**
 * The scenario with the payloads of `--payload FLOW=FILE` (one flow) and `--payload FILE` (all flows); the last one wins.
 * Their paths start at the current folder.
 */
export function withPayloads(scenario: Scenario, options: readonly string[], cwd: string): Scenario {
  const chosen = new Map<string, string>()
  for (const option of options) {
    if (option === '') throw new UsageError("--payload needs the name of a file, and not ''")
    const equals = option.indexOf('=')
    const flow = scenario.flows.find(({ name }) => name === option.slice(0, Math.max(0, equals)))
    if (flow) chosen.set(flow.name, option.slice(equals + 1))
    else if (equals > 0 && !existsSync(resolve(cwd, option))) throw unknownFlow(option, equals, scenario)
    else for (const { name } of scenario.flows) chosen.set(name, option)
  }
  const flows = scenario.flows.map((flow): FlowSpec => {
    const path = chosen.get(flow.name)
    return path === undefined ? flow : { ...flow, payload: { kind: 'file', path: resolve(cwd, path) } }
  })
  return { ...scenario, flows }
}

function unknownFlow(option: string, equals: number, scenario: Scenario): UsageError {
  const names = scenario.flows.map(({ name }) => name).join(', ')
  return new UsageError(`--payload ${option}: no flow is called ${option.slice(0, equals)}; there are ${names}`)
}

/**
 * The bytes of every flow that carries a file; flows of one file share them. A path starts at the scenario's folder, else at the
 * current one.
 */
export function readPayloads(scenario: Scenario, scenarioPath: string, cwd: string): ReadonlyMap<string, Uint8Array> {
  const payloads = new Map<string, Uint8Array>()
  const read = new Map<string, Uint8Array | string>()
  const problems: string[] = []
  for (const { name, payload } of scenario.flows) {
    if (payload.kind !== 'file') continue
    const places = [...new Set([resolve(dirname(scenarioPath), payload.path), resolve(cwd, payload.path)])]
    const place = places.find(mayBeThere)
    if (place === undefined) {
      problems.push(`flow ${name}: no payload file, looked for ${places.join(' and ')}`)
      continue
    }
    const found = read.get(place) ?? bytesOrProblem(place)
    read.set(place, found)
    if (typeof found === 'string') problems.push(`flow ${name}: ${found}`)
    else if (found.length === 0) problems.push(`flow ${name}: its payload ${payload.path} is empty`)
    else payloads.set(name, found)
  }
  if (problems.length > 0) throw new UsageError(problems.join('\n'))
  return payloads
}

/** What cannot be looked at, in a folder that is closed or behind links in a circle, is there to be read: that says why it cannot. */
function mayBeThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return true
  }
}

function bytesOrProblem(path: string): Uint8Array | string {
  try {
    return readRegularFile(path, MOST_BYTES)
  } catch (error) {
    return `cannot read the payload ${path}: ${reasonOf(error)}`
  }
}
