/**
 * `npm run bench` prints what every suite measured; `-- --json` prints one JSON object and nothing else on stdout.
 * Options: `--seed N`, `--effort F` (work relative to a full run), `--only NAME`, `--against COMMIT` (with `--only prediction` or
 * `--only split-queue`: the same of that commit, in turns).
 */
import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { suite as analysis } from './analysis.ts'
import { suite as devices } from './devices.ts'
import { suite as eventKernel } from './event-kernel.ts'
import { suite as simulatedMachine } from './machine.ts'
import { suite as prediction } from './prediction.ts'
import { suite as splitQueue } from './split-queue.ts'
import type { BenchRatio, BenchResult } from './suite.ts'

const SUITES = [splitQueue, devices, eventKernel, analysis, simulatedMachine, prediction]

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    effort: { type: 'string', default: '1' },
    only: { type: 'string' },
    against: { type: 'string' },
  },
})

const seed = Number(options.seed)
const effort = Number(options.effort)
const names = SUITES.map(({ name }) => name)
if (!Number.isSafeInteger(seed) || seed < 0) refuse(`--seed is a whole number from 0, not "${options.seed}"`)
if (!(effort > 0 && effort < Number.POSITIVE_INFINITY)) refuse(`--effort is a number above 0, not "${options.effort}"`)
if (options.only !== undefined && !names.includes(options.only)) {
  refuse(`--only is one of ${names.join(', ')}, not "${options.only}"`)
}

const { against } = options
const comparable = [prediction.name, splitQueue.name]
if (against !== undefined && !comparable.includes(options.only ?? '')) {
  refuse(`--against goes with --only ${comparable.join(' or ')}: no other suite compares commits`)
}
if (
  against !== undefined &&
  spawnSync('git', ['rev-parse', '--verify', '--quiet', `${against}^{commit}`]).status !== 0
) {
  refuse(`--against is a commit of this repository, not "${against}"`)
}

const results: BenchResult[] = []
const ratios: BenchRatio[] = []
for (const suite of SUITES) {
  if (options.only !== undefined && options.only !== suite.name) continue
  const progress = (message: string): void => void process.stderr.write(`${suite.name}: ${message}\n`)
  const outcome = await suite.run({ seed, effort, against, progress })
  results.push(...outcome.results)
  ratios.push(...outcome.ratios)
}

const machine = `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`
if (options.json) {
  process.stdout.write(`${JSON.stringify({ machine, node: process.version, seed, results, ratios })}\n`)
} else {
  process.stdout.write(`${machine}; Node ${process.version}; seed ${seed}\n\n`)
  for (const row of results) {
    const rate = (row.opsPerSecond / 1e6).toFixed(2)
    process.stdout.write(
      `${row.name.padEnd(48)} ${row.implementation.padEnd(10)} ${row.nsPerOp.toFixed(1).padStart(9)} ns ${rate.padStart(8)} M/s  (${row.runs} runs)\n`,
    )
  }
  process.stdout.write('\n')
  for (const row of ratios) {
    process.stdout.write(
      `${row.name.padEnd(60)} ${row.value.toFixed(2).padStart(8)} ${row.unit.padEnd(12)} ${verdict(row)}\n`,
    )
  }
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

function verdict({ value, atLeast, atMost }: BenchRatio): string {
  if (atLeast !== undefined) return `${value >= atLeast ? 'ok' : 'MISSED'}: at least ${atLeast}`
  if (atMost !== undefined) return `${value <= atMost ? 'ok' : 'MISSED'}: at most ${atMost}`
  return ''
}
