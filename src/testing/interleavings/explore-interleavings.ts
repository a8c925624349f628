/**
 * `exploreInterleavings`: runs two pieces of real code against each other over shared memory, in every order in which their
 * accesses can take effect. `docs/interleavings.md` explains how, and what a verdict means.
 */
import { checkInteger, checkPowerOfTwo, checkText, MAX_U32 } from '../../internal/check-option.ts'
import { VirtioError } from '../../internal/error.ts'
import { DEVICE, DRIVER, SIDE_NAMES } from './access.ts'
import { type SideProgram, SideRunner } from './explored-side.ts'
import { fewestSwitches } from './fewest-switches.ts'
import { SideCode } from './local-states.ts'
import type { MemoryModel } from './model.ts'
import { NonCoherentCaches } from './non-coherent-caches.ts'
import { decodeSchedule, drawSchedule, encodeSchedule, replaySchedule, type ScheduleRow } from './schedule.ts'
import { type FailureKind, InterleavingSearch, type Reduction, type SearchFailure, type WorldState } from './search.ts'
import { StoreOrder } from './store-buffers.ts'
import { WeakMemory } from './weak-memory.ts'

/** The memory models, from the strongest to the weakest. */
export const MEMORY_MODELS = ['sc', 'tso', 'weak', 'non-coherent'] as const

/**
 * What memory does between two sides. `sc`: one access after the other. `tso`: stores wait in a buffer while later loads go
 * ahead. `weak`: what is not ordered may pass. `non-coherent`: a cache each, and nothing reaches the peer by itself.
 */
export type MemoryModelName = (typeof MEMORY_MODELS)[number]

/** Programs that share memory, to be run in every interleaving. */
export interface InterleavingTarget {
  readonly name: string
  /** Shared memory, zeroed: a multiple of 64, from guest-physical address `base`, a multiple of 64 (default 0x1000). */
  readonly memoryBytes: number
  readonly base?: number
  /** Set up one after the other, the driver first; then explored. */
  readonly driver: SideProgram
  readonly device: SideProgram
  /** Throws when what both sides returned does not fit together. */
  check?(driver: unknown, device: unknown): void
  /** Name of a place in memory, for tables. Default: its address. */
  describe?(address: number, bytes: number): string
  /**
   * Places that both sides access without being ordered, on purpose: indices, flags. Elsewhere `weak` calls it a data race.
   * Default: everywhere.
   */
  mayRace?(address: number): boolean
}

/** Options of `exploreInterleavings`. */
export interface InterleavingOptions {
  readonly model: MemoryModelName
  /** Most states to visit; more is verdict `incomplete`. Default 1 000 000. */
  readonly limit?: number
  /** Most accesses of one side in one run; more is verdict `incomplete`. Default 1000. */
  readonly maxSteps?: number
  /**
   * For checking the explorer itself. `states`: every interleaving, joined where states are equal. `none`: every interleaving,
   * one by one, for tiny programs. Default `persistent-sets`.
   */
  readonly reduction?: Reduction
  /**
   * The schedule of a failure is the one with the fewest changes between the sides, and the shortest of these, as far as that is
   * found within so many states; else the first that the search met. 0: the first. Default 200 000.
   */
  readonly shorten?: number
  /** Cache line of `non-coherent`: 4..64, a power of two. Default 64. */
  readonly lineBytes?: number
}

/** What went wrong in one interleaving, and the schedule that leads there. */
export interface InterleavingFailure {
  /**
   * `sleeps-for-ever`: a side waits and nobody will wake it, a lost notification. `threw`: a side's own checks, or its code,
   * threw. `outcome`: the target's `check` threw. `race`: both sides access one place and nothing orders the two.
   */
  readonly kind: FailureKind
  readonly side: 'driver' | 'device' | null
  readonly message: string
  /** For `replayInterleaving`: `weak:d12v3`. */
  readonly schedule: string
  readonly rows: readonly ScheduleRow[]
  /** The rows, what the sides said, and how it ended. */
  readonly table: string
}

/** What an exploration found, and how much it has visited. */
export interface InterleavingReport {
  readonly target: string
  readonly model: MemoryModelName
  /** `incomplete`: a limit was reached first, and nothing wrong was found until then. */
  readonly verdict: 'pass' | 'fail' | 'incomplete'
  /** Why it is incomplete. */
  readonly reason: string | null
  readonly failure: InterleavingFailure | null
  /** Schedules followed to their end in the last pass, and those given up for one that is equivalent or known. */
  readonly executions: number
  readonly pruned: number
  /** Over all passes of the reduction. */
  readonly states: number
  readonly steps: number
  readonly passes: number
  /** Local states of the driver and of the device, and how often real code ran to find them. */
  readonly localStates: readonly [number, number]
  readonly runs: number
  /** The verdict, the figures, and the table of the schedule that fails. */
  toString(): string
}

/** Explores everything that `target` can do under `options.model`; throws `VirtioError` when it cannot be explored. */
export function exploreInterleavings(target: InterleavingTarget, options: InterleavingOptions): InterleavingReport {
  const { limit = 1_000_000, model } = options
  const world = createWorld(target, options, limit)
  const { search, sides } = world
  search.run(world.initial)

  const found = search.failure
  const reason = search.limitReached
    ? `more than ${limit} states`
    : search.endless !== null
      ? `the ${SIDE_NAMES[search.endless]} does more than ${options.maxSteps ?? DEFAULT_MAX_STEPS} accesses in one run`
      : null
  const { executions, pruned, states, steps, passes } = search.counts
  const localStates = [sides[DRIVER].states, sides[DEVICE].states] as const
  const runs = sides[DRIVER].runs + sides[DEVICE].runs
  const verdict = found !== null ? 'fail' : reason !== null ? 'incomplete' : 'pass'
  const { shorten = 200_000 } = options
  const shown = found && shorten > 0 ? fewestSwitches(search, world.model, world.initial, found, shorten) : found
  const failure = shown === null ? null : replayed(world, shown)
  const figures =
    `${executions} executions, ${pruned} pruned, ${states} states, ${steps} steps in ${passes} passes; ` +
    `${localStates[0]} + ${localStates[1]} local states by ${runs} runs`
  return {
    target: target.name,
    model,
    verdict,
    reason,
    failure,
    executions,
    pruned,
    states,
    steps,
    passes,
    localStates,
    runs,
    toString: () =>
      [
        `${target.name}, ${model}: ${verdict}${reason === null ? '' : `, ${reason}`} (${figures})`,
        ...(failure === null
          ? []
          : [`${failure.kind}: ${failure.message}`, failure.table, `replay: ${failure.schedule}`]),
      ].join('\n'),
  }
}

/** What happened when one schedule was followed. */
export interface InterleavingReplay {
  readonly rows: readonly ScheduleRow[]
  readonly table: string
  /** What is wrong at its end; null when nothing is. */
  readonly failure: InterleavingFailure | null
}

/** Follows one schedule, as a report printed it. Throws `VirtioError` INVALID_SCHEDULE when it is not one of `target`. */
export function replayInterleaving(
  target: InterleavingTarget,
  schedule: string,
  options: Omit<InterleavingOptions, 'model'> = {},
): InterleavingReplay {
  checkText('schedule', schedule)
  const [model, text = ''] = schedule.split(':')
  const world = createWorld(target, { ...options, model: model as MemoryModelName }, 0)
  const steps = decodeSchedule(text)
  const { search, model: memory, initial, describe } = world
  const { rows, final, fault } = replaySchedule(search, memory, initial, steps, describe)
  const last = steps.at(-1)?.side
  const found =
    fault !== null && last !== undefined
      ? { kind: 'race' as const, side: last, cause: fault, steps }
      : search.verdictOf(final)
  const failure = found === null ? null : replayed(world, { ...found, steps })
  return { rows, table: failure?.table ?? drawSchedule(rows, endings(final)), failure }
}

interface World<State> {
  readonly name: MemoryModelName
  readonly model: MemoryModel<State>
  readonly initial: State
  readonly sides: readonly [SideCode, SideCode]
  readonly search: InterleavingSearch<State>
  readonly describe: (offset: number, bytes: number) => string
}

const DEFAULT_MAX_STEPS = 1000

function createWorld(target: InterleavingTarget, options: InterleavingOptions, limit: number): World<unknown> {
  checkInteger('limit', options.limit ?? 1, 1, MAX_U32, 'states')
  checkInteger('maxSteps', options.maxSteps ?? 1, 1, MAX_U32, 'accesses')
  checkInteger('shorten', options.shorten ?? 0, 0, MAX_U32, 'states')
  checkPowerOfTwo('lineBytes', options.lineBytes ?? 64, 4, 64, 'bytes')
  const { base = 0x1000, memoryBytes } = target
  if (!(memoryBytes > 0 && memoryBytes % 64 === 0 && base % 64 === 0)) {
    throw new VirtioError('INVALID_OPTION', `memoryBytes ${memoryBytes} and base ${base} must be multiples of 64`)
  }
  const { model: name, maxSteps = DEFAULT_MAX_STEPS, reduction = 'persistent-sets' } = options
  const model = modelOf(target, options)
  const coherent = name !== 'non-coherent'
  const driver = new SideRunner(target.driver, base, new Uint8Array(memoryBytes), coherent)
  const device = new SideRunner(target.device, base, driver.image.slice(), coherent)
  const initial = model.initial(device.image.slice())
  const sides = [new SideCode(DRIVER, driver.run, maxSteps), new SideCode(DEVICE, device.run, maxSteps)] as const
  const check = (a: unknown, b: unknown): void => target.check?.(a, b)
  const search = new InterleavingSearch(sides, model, { limit, reduction, check })
  const describe = (offset: number, bytes: number): string =>
    target.describe?.(base + offset, bytes) ?? `0x${(base + offset).toString(16)}`
  return { name, model, initial, sides, search, describe }
}

function replayed(world: World<unknown>, found: SearchFailure): InterleavingFailure {
  const { search, model, initial, describe } = world
  const { rows, final } = replaySchedule(search, model, initial, found.steps, describe)
  const message = messageOf(found, rows)
  return {
    kind: found.kind,
    side: found.side === null ? null : SIDE_NAMES[found.side],
    message,
    schedule: `${world.name}:${encodeSchedule(found.steps)}`,
    rows,
    table: drawSchedule(rows, endings(final)),
  }
}

function messageOf({ kind, side, cause }: SearchFailure, rows: readonly ScheduleRow[]): string {
  const who = side === null ? 'both' : `the ${SIDE_NAMES[side]}`
  if (kind === 'sleeps-for-ever') return `${who} sleeps, and nobody will wake it`
  if (kind === 'race') return `${who}, ${rows.at(-1)?.access}: ${cause}`
  return `${who}: ${cause instanceof Error ? cause.message : String(cause)}`
}

/** Where each side stands, after the last step. */
function endings({ local }: WorldState<unknown>): string[] {
  return [DRIVER, DEVICE].map((side) => {
    const { end, access, notes, result } = local[side]
    const said = notes.map((note) => `-- ${note}; `).join('')
    const state =
      end === 'threw'
        ? `threw ${result}`
        : end === 'done'
          ? 'has ended'
          : access?.kind === 'wait'
            ? 'sleeps'
            : `is about to ${access?.kind ?? 'go on without end'}`
    return `${SIDE_NAMES[side].padEnd(8)} ${said}${state}`
  })
}

function modelOf(target: InterleavingTarget, { model, lineBytes = 64 }: InterleavingOptions): MemoryModel<unknown> {
  const { base = 0x1000 } = target
  if (!Number.isInteger(lineBytes) || lineBytes < 4 || lineBytes > 64 || (lineBytes & (lineBytes - 1)) !== 0) {
    throw new VirtioError('INVALID_OPTION', `lineBytes is a power of two from 4 to 64, not ${lineBytes}`)
  }
  switch (model) {
    case 'sc':
    case 'tso':
      return new StoreOrder(model === 'tso') as MemoryModel<unknown>
    case 'weak':
      return new WeakMemory((offset) => target.mayRace?.(base + offset) ?? true) as MemoryModel<unknown>
    case 'non-coherent':
      return new NonCoherentCaches(lineBytes) as MemoryModel<unknown>
    default:
      throw new VirtioError(
        'INVALID_OPTION',
        `model is one of ${MEMORY_MODELS.join(', ')}, not ${JSON.stringify(model)}`,
      )
  }
}
