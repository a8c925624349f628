/**
 * `npm run adversary:power`: whether the adversary finds what is wrong. Each fault of `FAULTS` is put into a copy of the sources, and the
 * adversary is to find a bound that is exceeded there within two minutes. Exit code 0: all were found; 1: one was not; 2: misuse,
 * or the text to be replaced is gone. `--only NAME`, `--seconds N`, `--seed S`, `--jobs N`, `--json`.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'esbuild'
import { FAULTS, type Fault } from './faults.ts'

interface Found {
  readonly name: string
  readonly what: string
  readonly found: boolean
  readonly seconds: number
  readonly bounds: number
  readonly exceeded: string
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(Math.min(8, availableParallelism())) },
    json: { type: 'boolean', default: false },
  },
})

const faults = FAULTS.filter(({ name }) => values.only === undefined || name === values.only)
if (faults.length === 0) refuse(`--only is one of ${FAULTS.map(({ name }) => name).join(', ')}`)
// All of them first: one whose text is gone should not be told after an hour.
for (const fault of faults) mutated(fault)

const results: Found[] = []
for (const fault of faults) {
  const result = await hunt(fault)
  results.push(result)
  const { name, found, seconds, bounds, exceeded } = result
  const verdict = found ? `found after ${seconds.toFixed(0)} s` : `NOT FOUND in ${seconds.toFixed(0)} s`
  if (!values.json)
    process.stdout.write(`${name.padEnd(24)} ${verdict.padEnd(20)} ${String(bounds).padStart(7)} bounds  ${exceeded}\n`)
}
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`)
process.exitCode = results.every(({ found }) => found) ? 0 : 1

async function hunt(fault: Fault): Promise<Found> {
  const program = join('out', 'power', `${fault.name.replaceAll(' ', '-')}.js`)
  await build({
    entryPoints: ['adversary/main.ts'],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
    plugins: [withFault(fault)],
  })
  const options = ['--seconds', values.seconds, '--seed', values.seed, '--jobs', values.jobs]
  const keep = join('out', 'power', 'cases')
  const run = spawnSync(process.execPath, [program, ...options, '--first', '--json', '--shrunk', '0', '--keep', keep], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (run.status !== 0 && run.status !== 1)
    refuse(`the adversary with "${fault.name}" ended with ${run.status}: ${run.stderr}`)
  const { elapsedSeconds, bounds, failing } = JSON.parse(run.stdout)
  const first = failing[0]
  return {
    name: fault.name,
    what: fault.what,
    found: failing.length > 0,
    seconds: elapsedSeconds,
    bounds,
    exceeded: first === undefined ? '' : `case ${first.case}: ${first.crashed ?? first.exceeded[0]}`,
  }
}

function withFault(fault: Fault): Plugin {
  const path = resolve(fault.file)
  return {
    name: 'fault',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, (file) => (file.path === path ? { contents: mutated(fault), loader: 'ts' } : null))
    },
  }
}

function mutated({ name, file, replace, by }: Fault): string {
  const source = readFileSync(file, 'utf8')
  const times = source.split(replace).length - 1
  if (times !== 1) refuse(`fault "${name}": what it replaces stands ${times} times in ${file}, not once; write it anew`)
  return source.replace(replace, () => by)
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}
