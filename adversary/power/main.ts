/**
 * `npm run adversary:power`: whether the adversary finds what is wrong. Each fault of `FAULTS` is put into a copy of the sources, and the
 * adversary is to find a bound that is exceeded there within two minutes. `npm run hostile:power`: the same of `HOSTILE_FAULTS` and hostile guests. Exit code 0: all were found; 1: one was not; 2: misuse,
 * or the text to be replaced is gone. `--only NAME`, `--seconds N`, `--seed S`, `--jobs N`, `--json`.
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'esbuild'
import { refuse } from '../misuse.ts'
import { FAULTS, type Fault, HOSTILE_FAULTS, withFault } from './faults.ts'

interface Found {
  readonly name: string
  readonly what: string
  readonly found: boolean
  readonly seconds: number
  /** Bounds compared, or runs of hostile guests. */
  readonly tried: number
  readonly exceeded: string
}

const { values } = parseArgs({
  options: {
    hostile: { type: 'boolean', default: false },
    kinds: { type: 'string' },
    only: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(Math.min(8, availableParallelism())) },
    json: { type: 'boolean', default: false },
  },
})

const all = values.hostile ? HOSTILE_FAULTS : FAULTS
const entry = values.hostile ? 'adversary/hostile/main.ts' : 'adversary/main.ts'
const faults = all.filter(({ name }) => values.only === undefined || name === values.only)
if (faults.length === 0) refuse(`--only is one of ${all.map(({ name }) => name).join(', ')}`)
// All of them first: one whose text is gone should not be told after an hour.
for (const fault of faults) changedBy(fault)

const results: Found[] = []
for (const fault of faults) {
  const result = await hunt(fault)
  results.push(result)
  const { name, found, seconds, tried, exceeded } = result
  const verdict = found ? `found after ${seconds.toFixed(0)} s` : `NOT FOUND in ${seconds.toFixed(0)} s`
  if (!values.json)
    process.stdout.write(
      `${name.padEnd(24)} ${verdict.padEnd(20)} ${String(tried).padStart(7)} ${values.hostile ? 'runs' : 'bounds'}  ${exceeded}\n`,
    )
}
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`)
process.exitCode = results.every(({ found }) => found) ? 0 : 1

async function hunt(fault: Fault): Promise<Found> {
  const program = join('out', 'power', `${fault.name.replaceAll(' ', '-')}.js`)
  await build({
    entryPoints: [entry],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
    plugins: [putIn(changedBy(fault))],
  })
  const options = ['--seconds', values.seconds, '--seed', values.seed, '--jobs', values.jobs, '--first', '--json']
  if (!values.hostile) options.push('--shrunk', '0')
  if (values.kinds !== undefined) options.push('--kinds', values.kinds)
  const run = spawnSync(process.execPath, [program, ...options], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (run.status !== 0 && run.status !== 1)
    refuse(`the adversary with "${fault.name}" ended with ${run.status}: ${run.stderr}`)
  const figures = JSON.parse(run.stdout)
  const exceeded = values.hostile ? broken(figures.failures[0]) : failed(figures.failing[0])
  return {
    name: fault.name,
    what: fault.what,
    found: exceeded !== '',
    seconds: figures.elapsedSeconds,
    tried: values.hostile ? figures.runs : figures.bounds,
    exceeded,
  }
}

function failed(first?: { case: number; crashed?: string; exceeded: string[] }): string {
  return first === undefined ? '' : `case ${first.case}: ${first.crashed ?? first.exceeded[0]}`
}

function broken(first?: { index: number; breaks: { kind: string; what: string }[] }): string {
  return first === undefined ? '' : `case ${first.index}: ${first.breaks[0]!.kind}: ${first.breaks[0]!.what}`
}

function putIn(sources: ReadonlyMap<string, string>): Plugin {
  const changed = new Map([...sources].map(([file, contents]) => [resolve(file), contents]))
  return {
    name: 'fault',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = changed.get(path)
        return contents === undefined ? null : { contents, loader: 'ts' }
      })
    },
  }
}

function changedBy(fault: Fault): Map<string, string> {
  try {
    return withFault(fault)
  } catch (error) {
    return refuse((error as Error).message)
  }
}
