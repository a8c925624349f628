/**
 * The schedule of a failure that is easiest to read. A depth-first search stops at the first that fails, which goes back and
 * forth for no reason; this one looks for failures of the same kind with as few changes between the sides as possible [after
 * Musuvathi, Qadeer 2007, *Iterative context bounding for systematic testing of multithreaded programs*, PLDI], and among those
 * for the shortest. Real faults need few changes, so it ends soon.
 */
import { DEVICE, DRIVER, type Side } from './access.ts'
import type { MemoryModel } from './model.ts'
import type { InterleavingSearch, ScheduleStep, SearchFailure, WorldState } from './search.ts'

interface Node<State> {
  readonly state: WorldState<State>
  readonly parent: Node<State> | null
  readonly step: ScheduleStep | null
  /** Set when the step is a fault by itself: there is no state behind it. */
  readonly fault?: string | undefined
}

/** `found` itself, when more than `limit` states are looked at first. */
export function fewestSwitches<State>(
  search: InterleavingSearch<State>,
  model: MemoryModel<State>,
  initial: State,
  found: SearchFailure,
  limit: number,
): SearchFailure {
  const seen = new Set<string>()
  // By changes of side (an effect that is not the plain one counts as another), then by length.
  const waiting: Node<State>[][][] = [[[{ state: search.start(initial), parent: null, step: null }]]]
  const worst = switchesOf(found.steps)
  for (let switches = 0; switches <= worst; switches++) {
    const byLength = waiting[switches] ?? []
    for (let length = 0; length < byLength.length; length++) {
      for (const node of byLength[length] ?? []) {
        const { state, fault } = node
        if (fault !== undefined) return { kind: 'race', side: node.step!.side, cause: fault, steps: stepsTo(node) }
        const key = keyOf(model, node)
        if (seen.has(key)) continue
        seen.add(key)
        if (seen.size > limit) return found
        const verdict = search.verdictOf(state)
        if (verdict?.kind === found.kind) return { ...verdict, steps: stepsTo(node) }
        if (verdict !== null) continue
        for (const side of [DRIVER, DEVICE] as const) {
          for (const [choice, effect] of search.effects(state, side).entries()) {
            if (effect.fault !== undefined && found.kind !== 'race') continue
            const step = { side, choice }
            const cost = switches + costOf(step, node.step)
            if (cost > worst) continue
            const next = { state: effect.state, parent: node, step, fault: effect.fault }
            waiting[cost] ??= []
            waiting[cost][length + 1] ??= []
            waiting[cost][length + 1]!.push(next)
          }
        }
      }
    }
    // What was waiting here is done with.
    waiting[switches] = []
  }
  return found
}

/** Changes between the sides, and effects that are not the plain one. */
function switchesOf(steps: readonly ScheduleStep[]): number {
  return steps.reduce((sum, step, i) => sum + costOf(step, steps[i - 1] ?? null), 0)
}

function costOf({ side, choice }: ScheduleStep, before: ScheduleStep | null): number {
  return (before !== null && before.side !== side ? 1 : 0) + (choice === 0 ? 0 : 1)
}

function keyOf<State>(model: MemoryModel<State>, { state, step }: Node<State>): string {
  const { local, memory, pending } = state
  const last: Side | '' = step?.side ?? ''
  return `${local[0].id},${local[1].id},${pending[0]},${pending[1]},${last},${model.key(memory)}`
}

function stepsTo<State>(node: Node<State>): ScheduleStep[] {
  const steps: ScheduleStep[] = []
  for (let at: Node<State> | null = node; at?.step != null; at = at.parent) steps.push(at.step)
  return steps.reverse()
}
