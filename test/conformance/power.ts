/**
 * `npm run conformance:power`: whether the tests of the conformance map prove its rows. Each mutant of `mutants` is put into a temporary
 * copy of the sources, and of every clause that it names a test has to fail there, which passes without the mutant. Exit code 0: all were
 * killed; 1: one survived; 2: misuse, text to be replaced that is gone, or tests that do not run. `--only ROW` (the start of a row's id, or part
 * of a mutant's name), `--jobs N`, `--tenth` (those of today, or `--tenth=0` to 9), `--json`.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createVitest, type Vitest } from 'vitest/node'
import { refuse } from '../../adversary/misuse.ts'
import { withFault } from '../../adversary/power/faults.ts'
import { type CitingTest, cites, citingTests, isOfKit } from './citing-tests.ts'
import { MUTANTS, type Mutant } from './mutants/index.ts'

/** What the tests import or read. */
const COPIED = [
  'src',
  'test',
  'examples',
  'adversary',
  'bench',
  'docs',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]
/** Files that take long are asked only when the others have found nothing. */
const SLOW = /hostile-rings|model|hostile\.test|streams|snapshot/
/** For one file of tests: a mutant that makes one run without end is no good, for nobody could wait for it. */
const SECONDS_PER_FILE = 120

interface Outcome {
  readonly name: string
  readonly file: string
  readonly killed: readonly string[]
  /** Rows whose tests all passed with the mutant. */
  readonly survived: readonly string[]
  /** The tests that failed, by their file. */
  readonly by: ReadonlyMap<string, readonly string[]>
  readonly seconds: number
}

const { values } = parseArgs({
  args: process.argv
    .slice(2)
    .map((arg) => (arg === '--tenth' ? `--tenth=${Math.floor(Date.now() / 86_400_000) % 10}` : arg)),
  options: {
    only: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    tenth: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

const root = resolve('.')
const jobs = Number(values.jobs)
if (!Number.isInteger(jobs) || jobs < 1) refuse(`--jobs is a number from 1, not ${values.jobs}`)
if (values.tenth !== undefined && !/^\d$/.test(values.tenth)) refuse(`--tenth is 0 to 9, not ${values.tenth}`)
const chosen = MUTANTS.filter(
  ({ rows, name }, index) =>
    (values.only === undefined || rows.some((row) => row.startsWith(values.only!)) || name.includes(values.only)) &&
    (values.tenth === undefined || index % 10 === Number(values.tenth)),
)
if (chosen.length === 0) refuse(`no mutant is of a row, or has a name, like ${values.only}`)
// All of them first: one whose text is gone should not be told after minutes, and the sources may be worked on meanwhile.
const changes = new Map(chosen.map((mutant) => [mutant, changedBy(mutant)]))

const tests = citingTests(root).filter(({ file }) => !isOfKit(file))
const copies: string[] = []
process.on('exit', () => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true })
})

const started = performance.now()
const outcomes: Outcome[] = []
const left = [...chosen]
await Promise.all(Array.from({ length: Math.min(jobs, chosen.length) }, work))
const survivors = outcomes.filter(({ survived }) => survived.length > 0)
const seconds = (performance.now() - started) / 1000
const cpu = process.cpuUsage()
say(
  `${outcomes.length - survivors.length} of ${outcomes.length} mutants killed in ${seconds.toFixed(0)} s, ${jobs} at a time`,
)
for (const { name, survived } of survivors) say(`survived: ${survived.join(' ')}: ${name}`)
if (values.json) {
  const plain = outcomes.map(({ by, ...outcome }) => ({ ...outcome, by: Object.fromEntries(by) }))
  process.stdout.write(`${JSON.stringify({ outcomes: plain, seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6 })}\n`)
}
process.exit(survivors.length === 0 ? 0 : 1)

function say(text: string): void {
  if (!values.json) process.stdout.write(`${text}\n`)
}

function changedBy(mutant: Mutant): Map<string, string> {
  try {
    return withFault({ what: mutant.name, ...mutant })
  } catch (error) {
    return refuse((error as Error).message)
  }
}

/** One copy of the sources, and its share of the mutants. What failed in it has to pass when the mutants are gone. */
async function work(): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'conformance-'))
  copies.push(copy)
  for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const vitest = await createVitest('test', {
    root: copy,
    config: join(copy, 'vitest.config.ts'),
    project: ['unit'],
    watch: false,
    reporters: [{}],
    maxWorkers: 1,
    testTimeout: 20_000,
  })
  const killers = new Map<string, Set<string>>()
  for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
    const outcome = await tryOut(mutant, copy, vitest)
    outcomes.push(outcome)
    for (const [file, names] of outcome.by) {
      const known = killers.get(file) ?? new Set()
      for (const name of names) known.add(name)
      killers.set(file, known)
    }
    const isKilled = outcome.survived.length === 0
    const count = `${outcomes.length}/${chosen.length}`.padStart(8)
    const time = `${outcome.seconds.toFixed(1).padStart(5)} s`
    const rows = isKilled ? outcome.killed : outcome.survived
    say(`${count}  ${isKilled ? 'killed  ' : 'SURVIVED'}  ${time}  ${rows.join(' ')}: ${outcome.name}`)
  }
  for (const [file, names] of killers) {
    const { passed } = await run(vitest, copy, file, rowsIn([...names]))
    const unsound = [...names].filter((name) => !passed.has(name))
    if (unsound.length > 0) refuse(`${file}: these fail without any mutant: ${unsound.join('; ')}`)
  }
  await vitest.close()
}

async function tryOut(mutant: Mutant, copy: string, vitest: Vitest): Promise<Outcome> {
  const begun = performance.now()
  const changed = changes.get(mutant)!
  const originals = [...changed.keys()].map((file) => [file, readFileSync(join(copy, file), 'utf8')] as const)
  const put = (texts: Iterable<readonly [file: string, text: string]>) => {
    for (const [file, text] of texts) {
      writeFileSync(join(copy, file), text)
      vitest.invalidateFile(join(copy, file))
    }
  }
  put(changed)
  const by = new Map<string, readonly string[]>()
  let alive = [...mutant.rows]
  for (const file of filesOf(mutant.rows)) {
    if (!testsOf(alive).some((test) => test.file === file)) continue
    const { failed } = await run(vitest, copy, file, alive)
    const killers = [...failed].filter((name) => alive.some((row) => cites(name, row)))
    if (killers.length > 0) by.set(file, killers)
    alive = alive.filter((row) => !killers.some((name) => cites(name, row)))
    if (alive.length === 0) break
  }
  put(originals)
  const killed = mutant.rows.filter((row) => !alive.includes(row))
  return {
    name: mutant.name,
    file: mutant.file,
    killed,
    survived: alive,
    by,
    seconds: (performance.now() - begun) / 1000,
  }
}

function testsOf(rows: readonly string[]): CitingTest[] {
  return tests.filter(({ name }) => rows.some((row) => cites(name, row)))
}

/** The files with tests of these rows, the slow ones last. */
function filesOf(rows: readonly string[]): string[] {
  const files = [...new Set(testsOf(rows).map(({ file }) => file))]
  return [...files.filter((file) => !SLOW.test(file)), ...files.filter((file) => SLOW.test(file))]
}

/** The rows that names of tests cite, for the next run of them. */
function rowsIn(names: readonly string[]): string[] {
  return MUTANTS.flatMap(({ rows }) => rows).filter((row) => names.some((name) => cites(name, row)))
}

/** Runs the tests of one file that cite one of the rows. */
async function run(vitest: Vitest, copy: string, file: string, rows: readonly string[]) {
  const timer = setTimeout(() => refuse(`${file} does not end within ${SECONDS_PER_FILE} s`), SECONDS_PER_FILE * 1000)
  vitest.setGlobalTestNamePattern(new RegExp(`(?<![\\w-])(?:${rows.join('|')})(?!\\d)`))
  const specifications = await vitest.globTestSpecifications([join(copy, 'test', file)])
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications, false)
  clearTimeout(timer)
  const passed = new Set<string>()
  const failed = new Set<string>()
  // Others that are told of are of earlier runs.
  const own = testModules.filter(({ moduleId }) => moduleId === join(copy, 'test', file))
  for (const module of own) {
    const [problem] = module.errors()
    if (problem !== undefined) refuse(`${relative(copy, module.moduleId)} cannot be run: ${problem.message}`)
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') passed.add(test.fullName)
      else if (state === 'failed') failed.add(test.fullName)
    }
  }
  if (passed.size + failed.size === 0)
    refuse(`${file}: no test of ${rows.join(', ')} ran: ${unhandledErrors.length} errors`)
  return { passed, failed }
}
