/**
 * The analyses beside the same algorithms in plain Python 3 (`analysis-python/analysis.py`), on the same random sets of the
 * default campaign: 8 flows, every utilisation, two designs. All results must be equal. Processor time, because the two sides cannot
 * take turns. Without python3 only ours is measured.
 *
 * Two ratios: Python with every shortcut that ours takes, which is the price of the language; and Python with the equations of
 * docs/analysis.md as they are written (a whole busy period, every start from 0, bounds and then the verdict; EDF by the quick test),
 * which is what a campaign would otherwise be run with.
 */
import { spawnSync } from 'node:child_process'
import {
  type AnalysisName,
  earliestDeadlineBounds,
  earliestDeadlineSchedulable,
  type FlowSet,
  fixedPriorityBounds,
  fixedPrioritySchedulable,
  type ResponseTerms,
  TIGHTNESS,
  type Tightness,
} from '../src/analysis/index.ts'
import { drawFlows, seedOf } from '../src/evaluation/index.ts'
import { type BenchRatio, type BenchResult, type BenchSuite, benchResult, median } from './suite.ts'

const SCRIPT = 'bench/analysis-python/analysis.py'
const PROMISED_RATIO = 50
const RUNS = 9
/** Sets a run, so that a run is long enough to be timed and the compiler has seen enough of them. */
const SETS_PER_RUN = 8000
const WARM_UP_RUNS = 4
/** Below it the compiler would not have seen enough. */
const LEAST_EFFORT = 0.25
const PYTHON_RUNS = 3

const DESIGNS: readonly FlowSet['dma'][] = [
  { dmaBytesPerNs: 1, chunkBytes: 4096, chunkOverheadNs: [2500, 6000], messageOverheadNs: 2500 },
  { dmaBytesPerNs: 1, chunkBytes: 4096, chunkOverheadNs: [1500, 3000], messageOverheadNs: 1000 },
]
const REGULATOR: FlowSet['regulator'] = { kind: 'budget', periodNs: 1_000_000, budgetNs: 500_000 }
const POINTS = 20
const HIGHEST_UTILIZATION = 0.95

type Outcome = boolean | (number | null)[]

const responses = (terms: readonly (ResponseTerms | null)[]) => terms.map((term) => term?.responseNs ?? null)

const TASKS: Readonly<Record<string, (set: FlowSet, tightness: Tightness) => Outcome>> = {
  'fp verdict': fixedPrioritySchedulable,
  'fp bounds': (set, tightness) => responses(fixedPriorityBounds(set, tightness)),
  'edf verdict': earliestDeadlineSchedulable,
  'edf bounds': (set, tightness) => responses(earliestDeadlineBounds(set, tightness)),
}
const ANALYSES: readonly AnalysisName[] = ['A0', 'A3', 'A4']

interface PythonOutcome {
  readonly results: Readonly<Record<string, readonly Outcome[]>>
  readonly seconds: Readonly<Record<string, readonly number[]>>
}

function drawSets(seed: number, setsPerPoint: number): FlowSet[] {
  const sets: FlowSet[] = []
  for (let point = 1; point <= POINTS; point++) {
    for (let k = 0; k < setsPerPoint; k++) {
      const flows = drawFlows(
        {
          generator: 'uunifast',
          deadlines: 'implicit',
          flows: 8,
          utilization: (HIGHEST_UTILIZATION * point) / POINTS,
          dmaBytesPerNs: 1,
          budgetShare: 0.5,
        },
        seedOf(seed, point, k),
      )
      for (const dma of DESIGNS) sets.push({ flows, dma, regulator: REGULATOR })
    }
  }
  return sets
}

/** null: there is no python3. */
function runPython(sets: readonly FlowSet[]): PythonOutcome | null {
  const input = JSON.stringify({ sets, runs: PYTHON_RUNS })
  const child = spawnSync('python3', [SCRIPT], { input, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (child.error !== undefined) return null
  if (child.status !== 0) throw new Error(`${SCRIPT} failed: ${child.stderr}`)
  return JSON.parse(child.stdout) as PythonOutcome
}

function compareOutcomes(name: string, ours: readonly Outcome[], theirs: readonly Outcome[]): void {
  const differs = ours.findIndex((outcome, i) => String(outcome) !== String(theirs[i]))
  if (differs >= 0) throw new Error(`${name}, set ${differs}: Python finds ${theirs[differs]}, not ${ours[differs]}`)
}

export const suite: BenchSuite = {
  name: 'analysis',
  async run({ seed, effort, progress }) {
    const results: BenchResult[] = []
    const ratios: BenchRatio[] = []
    const sets = drawSets(seed, Math.max(1, Math.round(10 * effort)))
    progress(`${sets.length} sets in Python`)
    const python = runPython(sets)
    if (python === null)
      progress('python3 not found: only TypeScript is measured, no ratio (Debian: apt install python3)')
    let [verdictsNs, writtenNs, likeNs] = [0, 0, 0]
    for (const [task, solve] of Object.entries(TASKS)) {
      for (const analysis of ANALYSES) {
        const name = `${task} ${analysis}`
        progress(name)
        const tightness = TIGHTNESS[analysis]
        const nsPerSet: number[] = []
        let outcomes: Outcome[] = []
        const rounds = Math.ceil((SETS_PER_RUN * Math.min(1, Math.max(LEAST_EFFORT, effort))) / sets.length)
        for (let run = -WARM_UP_RUNS; run < RUNS; run++) {
          const start = process.cpuUsage()
          for (let round = 0; round < rounds; round++) outcomes = sets.map((set) => solve(set, tightness))
          const { user, system } = process.cpuUsage(start)
          if (run >= 0) nsPerSet.push(((user + system) * 1000) / sets.length / rounds)
        }
        const ourNs = median(nsPerSet)
        results.push(benchResult(`${name}, 8 flows`, 'core', nsPerSet))
        if (python === null) continue
        const pythonNs = (key: string, implementation: string) => {
          compareOutcomes(key, outcomes, python.results[key]!)
          const nsPerSet = python.seconds[key]!.map((seconds) => (seconds * 1e9) / sets.length)
          results.push(benchResult(`${name}, 8 flows`, implementation, nsPerSet))
          return median(nsPerSet)
        }
        const theirNs = pythonNs(name, 'python')
        ratios.push({ name: `${name}: python / core`, value: theirNs / ourNs, unit: 'x' })
        if (task === 'fp bounds') writtenNs += pythonNs(`fp bounds as written ${analysis}`, 'as written')
        if (!task.endsWith('verdict')) continue
        verdictsNs += ourNs
        likeNs += theirNs
        if (task === 'edf verdict') writtenNs += theirNs
      }
    }
    if (python !== null) {
      const verdicts = "a campaign's verdicts: python"
      ratios.push({ name: `${verdicts} with the same shortcuts / core`, value: likeNs / verdictsNs, unit: 'x' })
      ratios.push({
        name: `${verdicts}, the equations as written / core`,
        value: writtenNs / verdictsNs,
        unit: 'x',
        atLeast: PROMISED_RATIO,
      })
    }
    return { results, ratios }
  },
}
