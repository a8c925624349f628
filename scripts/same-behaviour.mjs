/**
 * Whether two commits behave the same to the byte: for refactorings that must change nothing that a user sees.
 *
 *   npm run same-behaviour -- --from COMMIT [--to COMMIT] [--no-evaluate] [--keep] [more scenarios ...]
 *
 * Builds the command line of both commits (`--to` is HEAD by default; only what is committed counts) and compares, for every
 * `examples/scenarios/*.yaml` that one of them has, and for the files named, which both read:
 *
 *   simulate --json --trace   what is printed, the exit code, the trace file and the hash in it
 *   analyze --json            what is printed, the exit code
 *   evaluate --points 4 --sets 20 --seed 1     every file that is written
 *
 * Prints a line for each comparison and exits with 0 when all are equal, 1 when one differs, 2 when it cannot compare. With `--keep`
 * both builds and all outputs stay in `out/same-behaviour`, to be compared by hand.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = join(ROOT, 'out/same-behaviour')
const EXAMPLES = 'examples/scenarios'
const EVALUATE = ['evaluate', '--points', '4', '--sets', '20', '--seed', '1', '--quiet']

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string' },
    to: { type: 'string', default: 'HEAD' },
    evaluate: { type: 'boolean', default: true },
    keep: { type: 'boolean', default: false },
  },
  allowNegative: true,
})

if (options.from === undefined) refuse('--from names the commit to compare with')
for (const file of positionals) if (!existsSync(file)) refuse(`there is no scenario ${file}`)
const from = await side('from', options.from)
const to = await side('to', options.to)

let comparisons = 0
let differences = 0
for (const scenario of new Set([...from.examples, ...to.examples])) {
  compareRuns(scenario, join(EXAMPLES, scenario))
}
for (const file of positionals) compareRuns(basename(file), resolve(file))
if (options.evaluate) compareEvaluations()

console.log(`${from.name} and ${to.name}: ${comparisons} comparisons, ${differences} differ`)
if (!options.keep) rmSync(OUT, { recursive: true, force: true })
process.exit(differences === 0 ? 0 : 1)

function refuse(message) {
  console.error(`same-behaviour: ${message}`)
  process.exit(2)
}

/** A commit unpacked, with its command line built. */
async function side(role, commit) {
  const git = (...args) =>
    execFileSync('git', args, { cwd: ROOT, maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'ignore'] })
  let name
  try {
    name = git('rev-parse', '--short', '--verify', `${commit}^{commit}`).toString().trim()
  } catch {
    refuse(`--${role} is a commit of this repository, not "${commit}"`)
  }
  const folder = join(OUT, role)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const archive = git('archive', '--format=tar', name)
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  const shared = { absWorkingDir: folder, bundle: true, outdir: 'dist', logLevel: 'error' }
  // Packages are found in the node_modules of this repository, which is above.
  await build({
    ...shared,
    entryPoints: { cli: 'src/cli/main.ts', 'evaluate-worker': 'src/cli/evaluate/worker.ts' },
    packages: 'external',
    platform: 'node',
    format: 'esm',
    splitting: true,
  })
  const page = 'src/page/script/main.ts'
  await build({ ...shared, entryPoints: { 'report-page': page }, platform: 'browser', format: 'iife', minify: true })
  const examples = readdirSync(join(folder, EXAMPLES)).filter((file) => file.endsWith('.yaml'))
  return { role, name, folder, examples: examples.sort() }
}

/** The command line of a commit, run where its files are. */
function run({ folder: cwd }, args) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [join(cwd, 'dist/cli.js'), ...args], {
    cwd,
    maxBuffer: 2 ** 30,
  })
  if (error) throw error
  return { status, output: stdout, errors: stderr.toString() }
}

/** `file` relative to the folder of each commit, or absolute. */
function compareRuns(name, file) {
  const results = [from, to].map((commit) => {
    if (!existsSync(resolve(commit.folder, file))) return null
    const traces = join(commit.folder, 'traces')
    rmSync(traces, { recursive: true, force: true })
    mkdirSync(traces)
    const simulated = run(commit, ['simulate', file, '--json', '--trace', 'traces/trace.json'])
    const analyzed = run(commit, ['analyze', file, '--json'])
    return { simulated, analyzed, traces: contentsOf(traces) }
  })
  if (results.includes(null)) {
    report(`${name}: in both commits`, false, `${results[0] === null ? to.name : from.name} alone has it`)
    return
  }
  const [one, other] = results
  for (const [command, key] of [
    ['simulate --json', 'simulated'],
    ['analyze --json', 'analyzed'],
  ]) {
    const [a, b] = [one[key], other[key]]
    if (a.status > 1 || a.status === null) refuse(`${name}: ${command} of ${from.name} failed: ${a.errors}`)
    report(`${name}: ${command}`, a.status === b.status && a.output.equals(b.output), figures(a, b))
  }
  if (one.traces.size === 0) refuse(`${name}: simulate of ${from.name} wrote no trace`)
  compareFiles(name, one.traces, other.traces)
}

function figures(a, b) {
  const of = ({ status, output }) => `exit ${status}, ${output.length} bytes ${digest(output)}`
  return of(a) === of(b) ? of(a) : `${of(a)}; ${of(b)}`
}

/** Every file that `evaluate` writes. */
function compareEvaluations() {
  const [one, other] = [from, to].map((commit) => {
    const { status, errors } = run(commit, [...EVALUATE, '--out', 'evaluation'])
    const folder = join(commit.folder, 'evaluation')
    if (status === null || status > 1) refuse(`evaluate of ${commit.name} failed: ${errors}`)
    return contentsOf(folder)
  })
  compareFiles('evaluate', one, other)
}

function compareFiles(name, one, other) {
  for (const file of new Set([...one.keys(), ...other.keys()])) {
    const [a, b] = [one.get(file), other.get(file)]
    const same = a !== undefined && b !== undefined && a.equals(b)
    report(`${name}: ${file}`, same, same ? describe(a) : `${describe(a)}; ${describe(b)}`)
  }
}

/** What stands in each file of a folder. */
function contentsOf(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => statSync(join(folder, name)).isFile())
  return new Map(files.sort().map((file) => [file, readFileSync(join(folder, file))]))
}

function describe(bytes) {
  if (bytes === undefined) return 'not there'
  const traceHash = /"traceHash":\s*"([^"]+)"/.exec(bytes.toString('latin1'))?.[1]
  return `${bytes.length} bytes ${digest(bytes)}${traceHash === undefined ? '' : `, trace hash ${traceHash}`}`
}

function digest(bytes) {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 12)
}

function report(what, same, detail) {
  comparisons++
  if (!same) differences++
  console.log(`${same ? 'equal' : 'DIFFERS'}  ${what}  (${detail})`)
}
