/** A schedule as a string that can be pasted into a test, and as a table that can be read. */
import { VirtioError } from '../../internal/error.ts'
import { type Access, DEVICE, DRIVER, other, SIDE_NAMES } from './access.ts'
import type { MemoryModel } from './model.ts'
import type { InterleavingSearch, ScheduleStep, WorldState } from './search.ts'

const LETTERS = ['d', 'v'] as const

/** `d12v3d.1`: twelve steps of the driver, three of the device, one of the driver whose second possible effect is taken. */
export function encodeSchedule(steps: readonly ScheduleStep[]): string {
  let text = ''
  for (let i = 0; i < steps.length; ) {
    const { side, choice } = steps[i]!
    let run = 1
    if (choice === 0) while (steps[i + run]?.side === side && steps[i + run]!.choice === 0) run++
    text += choice === 0 ? `${LETTERS[side]}${run}` : `${LETTERS[side]}.${choice}`
    i += run
  }
  return text
}

/** Throws `VirtioError` INVALID_SCHEDULE. */
export function decodeSchedule(text: string): ScheduleStep[] {
  const steps: ScheduleStep[] = []
  if (!/^([dv]\.?\d+)*$/.test(text)) {
    throw new VirtioError('INVALID_SCHEDULE', `schedule ${JSON.stringify(text)} is not like "d12v3d.1"`)
  }
  for (const [, letter, dot, number] of text.matchAll(/([dv])(\.?)(\d+)/g)) {
    const side = letter === 'd' ? DRIVER : DEVICE
    if (dot === '.') steps.push({ side, choice: Number(number) })
    else for (let i = 0; i < Number(number); i++) steps.push({ side, choice: 0 })
  }
  return steps
}

/** One access of a schedule. */
export interface ScheduleRow {
  readonly step: number
  readonly side: string
  /** What was done: `load avail.idx`. */
  readonly access: string
  /** What was stored or loaded; of a stale load also what was there already. */
  readonly value: string
  /** What the side said before the access. */
  readonly notes: readonly string[]
}

export interface Replayed<State> {
  readonly rows: readonly ScheduleRow[]
  readonly final: WorldState<State>
  /** Set when the last step's access was a fault by itself. */
  readonly fault: string | null
}

/** Follows a schedule. Throws `VirtioError` INVALID_SCHEDULE when a step of it is not possible. */
export function replaySchedule<State>(
  search: InterleavingSearch<State>,
  model: MemoryModel<State>,
  initial: State,
  steps: readonly ScheduleStep[],
  describe: (address: number, bytes: number) => string,
): Replayed<State> {
  let state = search.start(initial)
  let fault: string | null = null
  const rows: ScheduleRow[] = []
  for (const [step, { side, choice }] of steps.entries()) {
    const local = state.local[side]
    const effect = search.effects(state, side)[choice]
    if (effect === undefined) throw impossible(step)
    const { access, notes } = local
    const value = valueText(access!, effect.value, model.finally(state.memory))
    rows.push({ step, side: SIDE_NAMES[side], access: accessText(access!, side, describe), value, notes })
    state = effect.state
    fault = effect.fault ?? null
  }
  return { rows, final: state, fault }
}

function impossible(step: number): VirtioError {
  return new VirtioError('INVALID_SCHEDULE', `step ${step} of the schedule is not possible: is it of another program?`)
}

function accessText(access: Access, side: 0 | 1, describe: (address: number, bytes: number) => string): string {
  switch (access.kind) {
    case 'load':
    case 'store':
      return `${access.kind} ${describe(access.address, access.bytes)}${access.order === 'unordered' ? '' : ` (${access.order})`}`
    case 'update':
      return `${access.operation} ${describe(access.address, access.bytes)} (seq-cst)`
    case 'fence':
      return `${access.order} fence`
    case 'clean':
    case 'invalidate':
      return `${access.kind} ${describe(access.address, access.bytes)} + ${access.bytes}`
    case 'notify':
      return `notify the ${SIDE_NAMES[other(side)]}`
    case 'wait':
      return 'woken'
  }
}

function valueText(access: Access, value: number, bytes: Uint8Array): string {
  if (access.kind === 'store') return String(access.value)
  if (access.kind !== 'load' && access.kind !== 'update') return ''
  let newest = 0
  for (let i = access.bytes - 1; i >= 0; i--) newest = newest * 256 + bytes[access.address + i]!
  return newest === value ? String(value) : `${value} (stored is ${newest})`
}

/** One line a step; what a side said stands above what it did next. */
export function drawSchedule(rows: readonly ScheduleRow[], ends: readonly string[]): string {
  const lines: string[] = []
  const width = Math.max(0, ...rows.map(({ access }) => access.length))
  for (const { step, side, access, value, notes } of rows) {
    for (const note of notes) lines.push(`      ${side.padEnd(8)} -- ${note}`)
    lines.push(`${String(step).padStart(4)}  ${side.padEnd(8)} ${access.padEnd(width)} ${value}`.trimEnd())
  }
  return [...lines, ...ends.map((end) => `      ${end}`)].join('\n')
}
