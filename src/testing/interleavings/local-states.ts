/**
 * One side's code, as the tree of everything it can be made to do.
 *
 * Synchronous code cannot be suspended before an access. But it is deterministic: what it does next follows from the values
 * that it has read. So a local state is the list of those values, and the access after it is found by running the side from
 * its start, answering each read from the list, and abandoning it at the first read that the list does not answer. Every
 * local state is kept, so that real code runs once for each, however many schedules pass through it.
 */
import { VirtioError } from '../../internal/error.ts'
import { silence } from '../answers.ts'
import { type Access, returnsValue, SIDE_NAMES, type Side, sameAccess } from './access.ts'

export class LocalState {
  readonly id: number
  readonly parent: LocalState | null
  /** Accesses done before. */
  readonly depth: number
  /** Next access; null when the side has ended. */
  readonly access: Access | null
  /** How it ended: `threw` is a verdict, `endless` is a program that has more steps than may be followed. */
  readonly end: 'done' | 'threw' | 'endless' | null
  /** What the side returned, or threw. */
  readonly result: unknown
  /** What the side said since the access before. */
  readonly notes: readonly string[]
  /** After the access, by the value it gave; 0 where none is given. */
  readonly children = new Map<number, LocalState>()

  constructor(
    id: number,
    parent: LocalState | null,
    access: Access | null,
    end: LocalState['end'],
    result: unknown,
    notes: readonly string[],
  ) {
    this.id = id
    this.parent = parent
    this.depth = parent === null ? 0 : parent.depth + 1
    this.access = access
    this.end = end
    this.result = result
    this.notes = notes
  }
}

/** Thrown through the side's code to leave it; whoever catches it meets it again at the next access. */
class Abandoned extends Error {}

/** Runs one side from the start. `perform` answers each access, and throws to leave; `note` is what the side says. */
export type RunSide = (perform: (access: Access) => number, note: (text: string) => void) => unknown

export class SideCode {
  readonly side: Side
  readonly root: LocalState
  /** Local states found, and how often the real code ran to find them. */
  states = 0
  runs = 0
  readonly #run: RunSide
  readonly #maxSteps: number

  constructor(side: Side, run: RunSide, maxSteps: number) {
    this.side = side
    this.#run = run
    this.#maxSteps = maxSteps
    this.root = this.#extend(null, 0)
  }

  /** The local state after `state`'s access gave `value`. */
  after(state: LocalState, value: number): LocalState {
    return state.children.get(value) ?? this.#extend(state, value)
  }

  /** Runs the side along the path to the new state, and beyond it while nothing has to be answered. Returns the new state. */
  #extend(from: LocalState | null, value: number): LocalState {
    const path = pathTo(from)
    const values = answers(path, value)
    let position = 0
    let notes: string[] = []
    let last = from
    let first: LocalState | null = null
    let abandoned = false

    const append = (access: Access | null, end: LocalState['end'], result: unknown): LocalState => {
      const state = new LocalState(this.states++, last, access, end, result, notes)
      last?.children.set(first === null ? value : 0, state)
      first ??= state
      last = state
      notes = []
      return state
    }
    const leave = (): never => {
      abandoned = true
      throw new Abandoned('the run ends here')
    }
    const perform = (access: Access): number => {
      if (abandoned) return leave()
      const known = path[position]
      if (known !== undefined) {
        if (!sameAccess(known.access!, access)) throw this.#differs(position, known.access!, access)
        notes = []
        return values[position++]!
      }
      if (last !== null && last.depth + 1 >= this.#maxSteps) {
        append(null, 'endless', undefined)
        return leave()
      }
      append(access, null, undefined)
      // A side that sleeps may never be woken: what it would do then is found out when it is.
      return returnsValue(access) || access.kind === 'wait' ? leave() : 0
    }

    this.runs++
    try {
      const result = this.#run(perform, (text) => notes.push(text))
      const isAsync = typeof (result as { then?: unknown } | null | undefined)?.then === 'function'
      if (isAsync) silence(result as object)
      if (!abandoned && position === path.length) {
        if (isAsync)
          append(
            null,
            'threw',
            new Error(`the ${SIDE_NAMES[this.side]} is async: a side runs to its end, and answers then`),
          )
        else append(null, 'done', result)
      }
      // Whatever an async side does later is no part of any run.
      abandoned = true
    } catch (error) {
      if (error instanceof VirtioError && ENGINE_CODES.has(error.code)) throw error
      if (!abandoned && position === path.length) append(null, 'threw', error)
    }
    if (first === null) throw this.#differs(position, path[position]!.access!, null)
    return first
  }

  #differs(position: number, before: Access, now: Access | null): VirtioError {
    return new VirtioError(
      'NONDETERMINISTIC_TARGET',
      `the ${SIDE_NAMES[this.side]} did something else when it was run again: access ${position} was ` +
        `${JSON.stringify(before)}, now it is ${JSON.stringify(now)}; it must depend on nothing but the values it reads`,
    )
  }
}

/** Mistakes in how a target is attached: they end the exploration, and are no verdict on the target. */
const ENGINE_CODES = new Set([
  'NONDETERMINISTIC_TARGET',
  'UNSEEN_ACCESS',
  'UNSUPPORTED_VIEW',
  'MISALIGNED_ACCESS',
  'INVALID_PROGRAM',
])

/** From the root to `state`, both included. */
export function pathTo(state: LocalState | null): LocalState[] {
  const path: LocalState[] = []
  for (let at = state; at !== null; at = at.parent) path.push(at)
  return path.reverse()
}

/** What each access of a path answered; the last one's answer is `value`. */
function answers(path: readonly LocalState[], value: number): number[] {
  return path.map((state, i) => {
    const next = path[i + 1]
    if (next === undefined) return value
    for (const [answer, child] of state.children) if (child === next) return answer
    throw new Error('a local state is a child of its parent')
  })
}
