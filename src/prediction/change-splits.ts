/** Long messages as several shorter ones that come so much more often: in what is copied without a break, others wait less. */
import { type FlowSpec, formatTime, type Scenario } from '../scenario/index.ts'
import type { Candidate } from './change-candidates.ts'

/** Of a message or of a budget: below that what is done once in each period would matter. */
export const LEAST_PERIOD_NS = 100_000

/** So many flows at most are split together. */
const MOST_SPLIT = 6
const MOST_PARTS = 500
/** From one length of the parts that is tried to the next. */
const NEXT_LENGTH = 0.85

/**
 * Messages of the longest flows as several that come so much more often: one flow, then the two longest, and so on, each into parts as long as
 * possible. Messages that others come after, or that come after others, stay whole.
 */
export function* splits(scenario: Scenario): Iterable<Candidate> {
  const { broker, flows } = scenario
  const isChained = ({ after, name }: FlowSpec) => after !== null || flows.some((other) => other.after === name)
  const bulk = flows
    .filter((flow) => !isChained(flow) && flow.lengthBytes > broker.chunkBytes)
    .sort((a, b) => b.lengthBytes - a.lengthBytes)
    .slice(0, MOST_SPLIT)
  const groups = bulk.flatMap((_, i) => (i === 0 ? bulk.map((flow) => [flow]) : [bulk.slice(0, i + 1)]))
  for (const group of groups) {
    const lengths = [...new Set(group.flatMap((flow) => partsOf(flow).map((part) => part.lengthBytes)))].sort(
      (a, b) => b - a,
    )
    let last = Number.POSITIVE_INFINITY
    for (const length of lengths) {
      if (length > last * NEXT_LENGTH) continue
      const parts = group.map((flow) => partsOf(flow).find(({ lengthBytes }) => lengthBytes <= length))
      if (parts.some((part) => part === undefined)) break
      last = length
      yield splitInto(scenario, group, parts as Part[])
    }
  }
}

interface Part {
  readonly count: number
  readonly lengthBytes: number
  readonly periodNs: number
  readonly deadlineNs: number
}

/** From few to many: counts that leave a period of whole microseconds, if the flow has one. The last part is due when the message was. */
function partsOf(flow: FlowSpec): Part[] {
  const whole = flow.periodNs % 1000 === 0 ? 1000 : 1
  const parts: Part[] = []
  for (let count = 2; count <= MOST_PARTS && count <= flow.lengthBytes; count++) {
    if (flow.periodNs % (count * whole) !== 0) continue
    const periodNs = flow.periodNs / count
    const deadlineNs = flow.deadlineNs - (count - 1) * periodNs
    if (deadlineNs <= flow.jitterNs || deadlineNs <= 0 || periodNs < LEAST_PERIOD_NS) break
    parts.push({ count, periodNs, deadlineNs, lengthBytes: Math.ceil(flow.lengthBytes / count) })
  }
  return parts
}

function splitInto(scenario: Scenario, group: readonly FlowSpec[], parts: readonly Part[]): Candidate {
  const partOf = (name: string) => parts[group.findIndex((flow) => flow.name === name)]
  return {
    what: `split ${group
      .map(
        ({ name }, i) =>
          `${name} into ${parts[i]!.count} messages of ${bytes(parts[i]!.lengthBytes)} every ${formatTime(parts[i]!.periodNs)}`,
      )
      .join(' and ')}`,
    set: group.flatMap(({ name, deadlineNs, periodNs }, i) => [
      `flows.${name}.length=${parts[i]!.lengthBytes}`,
      `flows.${name}.period=${formatTime(parts[i]!.periodNs)}`,
      // Where it is the period, by default or as written, it stays so.
      ...(deadlineNs === periodNs
        ? [`flows.${name}.deadline=null`]
        : [`flows.${name}.deadline=${formatTime(parts[i]!.deadlineNs)}`]),
    ]),
    scenario: {
      ...scenario,
      flows: scenario.flows.map((flow) => {
        const part = partOf(flow.name)
        if (part === undefined) return flow
        const { deadlineNs, lengthBytes, periodNs } = part
        return { ...flow, deadlineNs, lengthBytes, periodNs }
      }),
    },
  }
}

/** In KiB where that is whole. */
export function bytes(count: number): string {
  return count % 1024 === 0 ? `${count / 1024} KiB` : `${count} bytes`
}
