/** `sweep`: bounds of a scenario over a range of one of its values. */
import { basename, resolve } from 'node:path'
import { type BoardProfile, type FlowPrediction, predict } from '../platform-zcu102/index.ts'
import { everythingFits } from '../prediction/index.ts'
import { formatTime, parseSize, parseTime, vmOnDedicatedCore } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { choiceFlag } from './flags.ts'
import { progress } from './progress.ts'
import { milliseconds } from './report-parts.ts'
import { parseWith, readScenarioText, setsOf } from './scenario-file.ts'
import { checkPlatform, fileReader, type PlatformFlags, profileOfScenario, withPlatform } from './scenario-profile.ts'
import { type Cell, renderTable } from './table.ts'
import { EXIT_OK, type Paint, painter, type Terminal, UsageError } from './terminal.ts'

/** As they come from the command line, still to be checked. */
export interface SweepFlags extends PlatformFlags {
  readonly json?: boolean
  readonly set?: unknown
  readonly steps?: unknown
  readonly design?: unknown
}

/** One value of the range, and what is bounded with it. */
interface Step {
  readonly value: number
  readonly label: string
  readonly fits: boolean
  readonly flows: readonly Pick<FlowPrediction, 'name' | 'deadlineNs' | 'endToEndNs'>[]
}

const MOST_STEPS = 1000

export function sweepCommand(path: string, flags: SweepFlags, terminal: Terminal): number {
  const stepCount = stepsOf(flags.steps)
  const { design } = flags
  const placement = design === undefined ? null : choiceFlag('--design', design, ['floating', 'dedicated'] as const)
  checkPlatform(flags, terminal.cwd)
  const sets = setsOf(flags.set)
  const ranges = sets.filter((set) => RANGE.test(set))
  if (ranges.length !== 1) {
    throw new UsageError(
      `--set has ${ranges.length} ranges: write one as PATH=FROM..TO, e.g. --set flows.log.length=4KiB..1MiB`,
    )
  }
  const range = rangeOf(ranges[0]!, stepCount)
  const others = sets.filter((set) => set !== ranges[0])
  const text = readScenarioText(path, terminal.cwd)
  const line = progress(terminal, true)
  let profile: BoardProfile | null = null
  const steps = range.values.map((value, i): Step => {
    const scenario = withPlatform(parseWith(text, path, [...others, `${range.path}=${value}`]), flags, terminal.cwd)
    // A range of numbers names no board: it is the same in every step.
    profile ??= profileOfScenario(scenario, fileReader(resolve(terminal.cwd, path), terminal.cwd))
    const design = placement ?? scenario.broker.placement
    const vm = design === 'dedicated' ? vmOnDedicatedCore(scenario) : null
    if (vm) throw new UsageError(`core ${vm.core} belongs to the dedicated broker, and VM ${vm.name} runs there`)
    const prediction = predict(scenario, { design, profile })
    line.update('sweep', i + 1, range.values.length)
    return {
      value,
      label: range.show(value),
      fits: everythingFits(prediction),
      flows: prediction.flows.map(({ name, deadlineNs, endToEndNs }) => ({ name, deadlineNs, endToEndNs })),
    }
  })
  line.clear()
  if (flags.json) terminal.stdout.write(`${JSON.stringify({ path: range.path, unit: range.unit, steps }, null, 2)}\n`)
  else
    terminal.stdout.write(
      renderSweep(oneLine(basename(path)), range.path, steps, painter(terminal.stdout, terminal.env)),
    )
  return EXIT_OK
}

/** `PATH=FROM..TO` */
const RANGE = /^([^=]+)=([^=]+?)\.\.([^=]+)$/

interface Range {
  readonly path: string
  readonly unit: 'ns' | 'bytes' | 'number'
  /** In the unit, rising or falling. */
  readonly values: readonly number[]
  readonly show: (value: number) => string
}

function rangeOf(set: string, steps: number): Range {
  const [, path = '', from = '', to = ''] = RANGE.exec(set)!
  const read = (text: string, parse: (value: unknown) => unknown) => {
    const plain = Number(text)
    return Number.isFinite(plain) ? plain : parse(text)
  }
  for (const [unit, parse, show] of UNITS) {
    const [first, last] = [read(from, parse), read(to, parse)]
    if (typeof first !== 'number' || typeof last !== 'number') continue
    if (unit === 'number' && !(Number.isInteger(first) && Number.isInteger(last))) break
    const values = Array.from({ length: steps }, (_, i) => {
      const share = steps === 1 ? 0 : i / (steps - 1)
      // Equal factors, where there are factors.
      const value = first > 0 && last > 0 ? first * (last / first) ** share : first + (last - first) * share
      return i === steps - 1 ? last : Math.round(value)
    })
    return { path, unit, values: [...new Set(values)], show }
  }
  throw new UsageError(`--set ${set}: write whole numbers, two times or two sizes, e.g. 4KiB..1MiB or 1ms..20ms`)
}

const UNITS: readonly (readonly [Range['unit'], (value: unknown) => unknown, (value: number) => string])[] = [
  ['number', () => null, String],
  ['bytes', parseSize, (bytes) => (bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`)],
  ['ns', parseTime, formatTime],
]

function stepsOf(steps: unknown): number {
  if (steps === undefined) return 9
  if (!Number.isSafeInteger(steps) || (steps as number) < 2 || (steps as number) > MOST_STEPS)
    throw new UsageError(`--steps ${steps}: write one whole number from 2 to ${MOST_STEPS}`)
  return steps as number
}

/** Widest bar, characters. */
const BAR = 30

function renderSweep(title: string, path: string, steps: readonly Step[], paint: Paint): string {
  const rows: Cell[][] = [[path, 'verdict', 'nearest to its deadline', 'bound, ms', 'deadline, ms', 'of it', '']]
  const shares = steps.map(({ flows }) => flows.map(shareOf))
  const most = Math.max(1, ...shares.flat().filter((share) => share < Number.POSITIVE_INFINITY))
  steps.forEach(({ label, fits, flows }, i) => {
    const worst = shares[i]!.indexOf(Math.max(...shares[i]!))
    const { name, deadlineNs, endToEndNs } = flows[worst]!
    const share = shares[i]![worst]!
    rows.push([
      label,
      fits ? { text: 'fits', tone: 'good' } : { text: 'does not', tone: 'bad' },
      name,
      endToEndNs === null ? 'none' : milliseconds(endToEndNs),
      milliseconds(deadlineNs),
      endToEndNs === null ? '' : `${Math.round(100 * share)} %`,
      barOf(share, most),
    ])
  })
  const heading = `${title}: bounds over ${path}, nothing simulated; | is the deadline`
  return `${paint(heading, 'strong')}\n${renderTable(rows, paint)}`
}

function shareOf({ deadlineNs, endToEndNs }: Step['flows'][number]): number {
  return endToEndNs === null ? Number.POSITIVE_INFINITY : endToEndNs / deadlineNs
}

/** As long as the longest of all is `BAR`, with a mark where the deadline is. */
function barOf(share: number, most: number): string {
  const at = (part: number) => Math.round((Math.min(part, most) / most) * BAR)
  const bar = share === Number.POSITIVE_INFINITY ? `${'█'.repeat(BAR)}▶` : '█'.repeat(at(share)).padEnd(BAR + 1)
  const mark = at(1)
  return `${bar.slice(0, mark)}|${bar.slice(mark)}`.padEnd(BAR + 2, ' ')
}
