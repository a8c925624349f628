/** Which flow goes first under fixed priority: the same for the broker and for its analysis. */
import type { FlowSpec } from '../scenario/index.ts'

/** Ranks, smaller is more urgent: as given, else deadline-monotonic: place by deadline, ties by order. */
export function prioritiesOf(flows: readonly FlowSpec[]): number[] {
  const byDeadline = flows.map((_, index) => index).sort((a, b) => flows[a]!.deadlineNs - flows[b]!.deadlineNs || a - b)
  return flows.map((flow, index) => flow.priority ?? byDeadline.indexOf(index))
}
