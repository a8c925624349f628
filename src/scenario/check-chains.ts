/** Flows that release each other: whom they come `after`, that this ends, and the chains that are made of them. */
import { oneOf } from '../internal/suggest.ts'
import type { Draft, FlowFields } from './draft.ts'
import { show } from './fields.ts'
import type { Report } from './read-fields.ts'
import type { Path } from './source-text.ts'
import { formatTime } from './units.ts'

type Flow = Partial<FlowFields>

export function checkOrder(draft: Draft, report: Report): void {
  const byName = flowsByName(draft)
  draft.flows.forEach((flow, i) => {
    const path = ['flows', i]
    if (typeof flow.after === 'string') checkAfter(flow, flow.after, path, byName, report)
    else if (typeof flow.compute === 'number' && flow.after === null) {
      const fix = 'name a flow in after, or leave compute out'
      report.value(
        [...path, 'compute'],
        flow.compute,
        'a timer releases this flow: there is nothing to compute from',
        fix,
      )
    }
  })
  if (byName) checkCycles(draft, byName, report)
}

/** null: a name is broken or doubled, and flows would be reported for somebody else's mistake. */
function flowsByName({ flows }: Draft): ReadonlyMap<string, Flow> | null {
  const byName = new Map(flows.flatMap((flow) => (flow.name === undefined ? [] : [[flow.name, flow] as const])))
  return byName.size === flows.length ? byName : null
}

function checkAfter(
  flow: Flow,
  after: string,
  path: Path,
  byName: ReadonlyMap<string, Flow> | null,
  report: Report,
): void {
  if (flow.offset) {
    const message = `the arrival of ${after} releases this flow, not a timer`
    report.value([...path, 'offset'], flow.offset, message, 'use compute for the time between, or leave the offset out')
  }
  if (flow.releases) {
    const message = `the arrival of ${after} releases this flow, not a file`
    report.value([...path, 'releases'], flow.releases, message, 'leave out one of after and releases')
  }
  if (!byName) return
  const first = byName.get(after)
  if (!first) {
    report.value(
      [...path, 'after'],
      after,
      `${show(after)} is not the name of a flow`,
      oneOf(after, [...byName.keys()]),
    )
    return
  }
  if (flow.from !== undefined && first.to !== undefined && flow.from !== first.to) {
    const message = `${show(flow.from)} is not where ${after} arrives`
    report.value([...path, 'from'], flow.from, message, `write from: ${first.to}, or come after another flow`)
  }
  if (flow.period !== undefined && first.period !== undefined && flow.period !== first.period) {
    const message = `a period of ${formatTime(flow.period)} is not that of ${after}, which releases this flow`
    report.value([...path, 'period'], flow.period, message, `write period: ${formatTime(first.period)}`)
  }
}

/** Every flow has one predecessor at most, so a walk backwards ends at a timer, or goes round. Each circle is told once. */
function checkCycles({ flows }: Draft, byName: ReadonlyMap<string, Flow>, report: Report): void {
  const walked = new Set<Flow>()
  for (const start of flows) {
    const walk = new Set<Flow>()
    let flow: Flow | undefined = start
    while (flow && !walked.has(flow)) {
      walked.add(flow)
      walk.add(flow)
      flow = byName.get(flow.after ?? '')
    }
    if (!flow || !walk.has(flow)) continue
    const steps = [...walk]
    const names = [...steps.slice(steps.indexOf(flow)), flow].map(({ name }) => name).join(' after ')
    const message = `nothing starts this circle: ${names}`
    report.value(['flows', flows.indexOf(flow), 'after'], flow.after, message, 'let a timer release one of them')
  }
}

export function checkChains(draft: Draft, report: Report): void {
  const byName = flowsByName(draft)
  if (!byName) return
  draft.chains.forEach(({ flows }, i) => {
    flows.forEach((name, k) => {
      if (name === undefined) return
      const path = ['chains', i, 'flows', k]
      const flow = byName.get(name)
      const before = flows[k - 1]
      if (!flow) report.value(path, name, `${show(name)} is not the name of a flow`, oneOf(name, [...byName.keys()]))
      else if (before !== undefined && byName.has(before) && follows(flow, byName) && flow.after !== before) {
        report.value(path, name, `${name} does not come after ${before}`, `give flow ${name} the key after: ${before}`)
      }
    })
  })
}

/** Whether it says rightly which flow it comes after, or that it comes after none. */
function follows({ after }: Flow, byName: ReadonlyMap<string, Flow>): boolean {
  return after === null || (after !== undefined && byName.has(after))
}
