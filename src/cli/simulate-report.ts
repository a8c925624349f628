/** What a simulation found: as an object for programs, and as tables for people. */
import type { BoardProfile, Design, DesignResult, ResponseTimes } from '../platform-zcu102/index.ts'
import { type Scenario, vmOnDedicatedCore } from '../scenario/index.ts'
import { assumptionSection, count, milliseconds, simulatedHead, simulatedHeading } from './report-parts.ts'
import { type ReportSection, renderSections } from './report-section.ts'
import type { Cell } from './table.ts'
import type { Paint } from './terminal.ts'

export interface DesignRun {
  readonly design: Design
  readonly result: DesignResult
  /** By name: what no message may take longer than, ns; null: there is no bound. */
  readonly bounds: Readonly<Record<'flows' | 'chains', ReadonlyMap<string, number | null>>>
  readonly wallMs: number
}

/** What took longer than its bound, as it goes into a message. */
export function exceededBounds({ design, result, bounds }: DesignRun): string[] {
  return (['flows', 'chains'] as const).flatMap((kind) =>
    Object.entries(result[kind]).flatMap(([name, { responseTimeNs }]) => {
      const boundNs = bounds[kind].get(name) ?? null
      if (!exceeds(responseTimeNs, boundNs)) return []
      return [`${design}: ${kind.slice(0, -1)} ${name} took ${responseTimeNs!.max} ns, its bound is ${boundNs} ns`]
    }),
  )
}

function exceeds(times: ResponseTimes | null, boundNs: number | null): boolean {
  return times !== null && boundNs !== null && times.max > boundNs
}

function withBounds({ result, bounds }: DesignRun): DesignResult {
  const add = (kind: 'flows' | 'chains') =>
    Object.fromEntries(
      Object.entries(result[kind]).map(([name, found]) => [
        name,
        { ...found, boundNs: bounds[kind].get(name) ?? null },
      ]),
    )
  return { ...result, flows: add('flows'), chains: add('chains') }
}

/** The object of `--json`. */
export function reportObject(
  scenario: Scenario,
  profile: BoardProfile,
  runs: readonly DesignRun[],
  assumptions: readonly string[],
) {
  return {
    ...simulatedHead(scenario, profile, assumptions),
    designs: Object.fromEntries(runs.map((run) => [run.design, withBounds(run)])),
  }
}

export function renderReport(
  title: string,
  scenario: Scenario,
  runs: readonly DesignRun[],
  assumptions: readonly string[],
  paint: Paint,
): string {
  const heading = `${paint(simulatedHeading(title, scenario), 'strong')}\n`
  return [heading, ...renderSections(simulationSections(scenario, runs, assumptions), paint)].join('\n')
}

/** Every table, with what is said below it. */
export function simulationSections(
  scenario: Scenario,
  runs: readonly DesignRun[],
  assumptions: readonly string[],
): ReportSection[] {
  const sections: ReportSection[] = [
    { title: null, rows: [['', ...runs.map(({ design }) => design)], ...totals(scenario, runs)] },
    {
      title: 'Response times in ms, simulated, and their bounds',
      rows: responseTimes('flow', scenario.flows, runs),
    },
  ]
  if (scenario.chains.length > 0) {
    sections.push({
      title: 'From end to end in ms, simulated, and bounds',
      rows: responseTimes('chain', scenario.chains, runs),
    })
  }
  const dedicated = runs.find(({ design }) => design === 'dedicated')
  const floating = runs.find(({ design }) => design === 'floating')
  if (dedicated && floating) {
    sections.push({
      title: 'Floating against dedicated (less is better)',
      rows: gainRows(scenario, dedicated.result, floating.result),
      headless: true,
      indent: '  ',
    })
  }
  const interference = runs.flatMap((run) => colorLines(run).map((line) => `  ${run.design}: ${line}`))
  if (interference.length > 0) sections.push({ title: 'Cache partitions that are not kept apart', lines: interference })
  sections.push({ title: null, lines: provenance(scenario, runs) }, assumptionSection(assumptions))
  return sections
}

function totals(scenario: Scenario, runs: readonly DesignRun[]): Cell[][] {
  const row = (label: string, cell: (result: DesignResult) => Cell): Cell[] => [
    label,
    ...runs.map((run) => cell(run.result)),
  ]
  const cores = [...new Set(runs.flatMap(({ result }) => Object.keys(result.stolenNsByCore)))]
    .map(Number)
    .sort((a, b) => a - b)
  const guest = vmOnDedicatedCore(scenario)
  const vmsOn = (core: number) => scenario.vms.filter((vm) => vm.core === core).map(({ name }) => `, ${name}`)
  return [
    row('messages sent', (result) => count(result.messagesSent)),
    row('messages delivered', (result) => count(result.messagesDelivered)),
    row('bytes delivered', (result) => count(result.bytesDelivered)),
    row('payload mismatches', (result) => mustBeZero(result.payloadMismatches)),
    row('violations', (result) => mustBeZero(result.violations)),
    row('deadline misses', (result) => mustBeZero(result.deadlineMisses)),
    row('cross-core IPIs', (result) => count(result.crossCoreIpis)),
    row('interrupts taken by VM cores', (result) => count(result.vmInterrupts)),
    row('exits on VM cores', (result) => count(result.vmExits)),
    ...(scenario.broker.transfer === 'copy'
      ? []
      : [
          row('pages exchanged', (result) => count(result.pagesRemapped)),
          row('pages lent', (result) => count(result.pagesLent)),
          row('pages that came with a foreign colour', (result) => count(result.foreignColorPages)),
          row('messages copied because a page could not move', (result) => count(result.copyFallbacks)),
        ]),
    ...cores.map((core) =>
      row(`stolen from core ${core}${vmsOn(core).join('')}`, (result) =>
        timeAndShare(result.stolenNsByCore[core] ?? 0, result.simulatedNs),
      ),
    ),
    ...memguardRows(scenario, cores, row),
    row('broker works on its own core', (result) =>
      result.brokerCoreBusyNs === null ? 'has none' : timeAndShare(result.brokerCoreBusyNs, result.simulatedNs),
    ),
    row('core free for other work', (result) =>
      !result.freedCore ? 'none' : guest ? `taken by ${guest.name}` : `core ${scenario.broker.dedicatedCore}`,
    ),
  ]
}

/** Only where MemGuard is in use. */
function memguardRows(
  { vms }: Scenario,
  cores: readonly number[],
  row: (label: string, cell: (result: DesignResult) => Cell) => Cell[],
): Cell[][] {
  if (vms.every(({ memguard }) => memguard === null)) return []
  return [
    ...cores.map((core) =>
      row(`throttled by MemGuard: core ${core}`, ({ throttledNsByCore, simulatedNs }) =>
        timeAndShare(throttledNsByCore[core] ?? 0, simulatedNs),
      ),
    ),
    row('interrupts of MemGuard', (result) => count(result.memguardInterrupts)),
    row('DMA completions that waited for a throttled core', (result) => count(result.delayedCompletions)),
    row('longest wait of a DMA completion, ms', (result) => milliseconds(result.longestCompletionDelayNs)),
  ]
}

function responseTimes(
  what: 'flow' | 'chain',
  specs: readonly { readonly name: string; readonly deadlineNs: number }[],
  runs: readonly DesignRun[],
): Cell[][] {
  const rows: Cell[][] = [[what, 'design', 'delivered', 'min', 'p50', 'p99', 'max', 'bound', 'deadline', 'misses']]
  for (const { name, deadlineNs } of specs) {
    for (const { design, result, bounds } of runs) {
      const found = result[`${what}s`][name]
      if (!found) continue
      const times = found.responseTimeNs
      const figures = (['min', 'p50', 'p99', 'max'] as const).map((key) => (times ? milliseconds(times[key]) : '-'))
      const boundNs = bounds[`${what}s`].get(name) ?? null
      const bound = boundNs === null ? 'none' : milliseconds(boundNs)
      rows.push([
        name,
        design,
        `${count(found.delivered)}/${count(found.messages)}`,
        ...figures,
        exceeds(times, boundNs) ? { text: bound, tone: 'bad' } : bound,
        milliseconds(deadlineNs),
        mustBeZero(found.deadlineMisses),
      ])
    }
  }
  return rows
}

/** What changes from the dedicated to the floating broker; less is better in every row. */
function gainRows(scenario: Scenario, dedicated: DesignResult, floating: DesignResult): Cell[][] {
  const rows: Cell[][] = [
    change('cross-core IPIs', dedicated.crossCoreIpis, floating.crossCoreIpis, count),
    change('interrupts taken by VM cores', dedicated.vmInterrupts, floating.vmInterrupts, count),
    change('exits on VM cores', dedicated.vmExits, floating.vmExits, count),
    change(
      'time stolen from VM cores, ms',
      stolenFromVms(scenario, dedicated),
      stolenFromVms(scenario, floating),
      milliseconds,
    ),
  ]
  for (const { name } of scenario.flows) {
    const before = dedicated.flows[name]?.responseTimeNs
    const after = floating.flows[name]?.responseTimeNs
    if (!before || !after) continue
    const row = (what: string, key: keyof ResponseTimes) =>
      change(`${name}, ${what} response, ms`, before[key], after[key], milliseconds)
    rows.push(row('median', 'p50'), row('largest', 'max'))
  }
  if (floating.freedCore && !dedicated.freedCore) {
    const core = scenario.broker.dedicatedCore
    rows.push(['cores that guests cannot use', '1', '->', '0', { text: `core ${core} is free`, tone: 'good' }])
  }
  return rows
}

function stolenFromVms(scenario: Scenario, result: DesignResult): number {
  const cores = new Set(scenario.vms.map(({ core }) => core))
  return [...cores].reduce((sum, core) => sum + (result.stolenNsByCore[core] ?? 0), 0)
}

function change(label: string, before: number, after: number, show: (value: number) => string): Cell[] {
  const tone = after < before ? 'good' : after > before ? 'bad' : undefined
  return [label, show(before), '->', show(after), { text: percentChange(before, after), tone }]
}

function percentChange(before: number, after: number): string {
  if (before === after) return 'no change'
  if (before === 0) return 'more'
  const percent = ((after - before) / before) * 100
  return `${percent > 0 ? '+' : ''}${percent.toFixed(1)} %`
}

/** Which VMs can evict each other's lines from the shared cache, and whose pages are why. */
function colorLines({ result }: DesignRun): string[] {
  const { shared, vms } = result.colors
  return [
    ...shared.map(
      ({ vms: [a, b], colors, pages }) =>
        `${a} and ${b} share page colour${colors.length > 1 ? 's' : ''} ${ranges(colors)}: ${count(pages[0])} and ${count(pages[1])} pages`,
    ),
    ...Object.entries(vms)
      .filter(([, { foreignPages }]) => foreignPages > 0)
      .map(([name, { foreignPages }]) => `${name} ended with ${count(foreignPages)} pages of foreign colours`),
  ]
}

/** `0-3, 7` */
function ranges(ascending: readonly number[]): string {
  const parts: [number, number][] = []
  for (const value of ascending) {
    const last = parts.at(-1)
    if (last && value === last[1] + 1) last[1] = value
    else parts.push([value, value])
  }
  return parts.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')
}

/** What is needed to get the same figures again, and how far to trust them. */
function provenance(scenario: Scenario, runs: readonly DesignRun[]): string[] {
  const lines = [`seed ${scenario.seed}, costs ${COSTS[scenario.costs]}, platform ${scenario.platform}`]
  for (const { design, result, wallMs } of runs) {
    const speed = wallMs > 0 ? ` (${(result.simulatedNs / 1e6 / wallMs).toFixed(2)} x real time)` : ''
    lines.push(
      `${design}: ${milliseconds(result.simulatedNs)} ms simulated in ${wallMs.toFixed(0)} ms${speed}, ` +
        `${count(result.events)} events, trace hash ${result.traceHash}`,
    )
  }
  return lines
}

const COSTS: Readonly<Record<Scenario['costs'], string>> = {
  best: 'at their best',
  typical: 'as they typically are',
  worst: 'at their worst',
  random: 'drawn between best and worst',
}

function mustBeZero(value: number): Cell {
  return value === 0 ? '0' : { text: count(value), tone: 'bad' }
}

function timeAndShare(ns: number, totalNs: number): string {
  return `${milliseconds(ns)} ms ${((ns / totalNs) * 100).toFixed(2).padStart(6)} %`
}
