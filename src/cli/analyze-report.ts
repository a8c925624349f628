/** What an analysis found: as an object for programs, and as tables for people. Everything here is bounded, nothing simulated. */
import {
  ANALYSES,
  type BoardProfile,
  type FlowPrediction,
  overloadLines,
  type PredictedSensitivity,
  type Prediction,
  predictionAssumptions,
  type UntrustedFlow,
} from '../platform-zcu102/index.ts'
import { formatTime, type Scenario } from '../scenario/index.ts'
import { type Reasons, reasonLines, reasonsObject } from './analyze-head.ts'
import { oneLine } from './escape.ts'
import { count, milliseconds } from './report-parts.ts'
import { type ReportSection, renderSections } from './report-section.ts'
import { type Cell, counted } from './table.ts'
import type { Paint } from './terminal.ts'

export interface Analysis extends Reasons {
  readonly title: string
  readonly scenario: Scenario
  readonly profile: BoardProfile
  /** By flow: whatever VMs do that are neither its ends nor trusted. */
  readonly untrusted: readonly UntrustedFlow[]
  /** Where the priorities come from. */
  readonly priorities: string
  readonly sensitivity: PredictedSensitivity
  /** Under the other scheduler. */
  readonly other: Prediction
  readonly freed: { readonly cores: number; readonly breakEven: number | null } | null
}

/** The object of `--json`. */
export function analysisObject(analysis: Analysis) {
  const { scenario, profile, prediction, untrusted, priorities, sensitivity, other, freed } = analysis
  const { scheduler, design, pinned, schedulable, chains, tasks, cores, lockHoldNs, obstacles, utilization } =
    prediction
  return {
    scheduler,
    design,
    platform: profile.name,
    pinned,
    priorities: scheduler === 'fp' ? priorities : null,
    flows: prediction.flows.map((flow, i) => ({
      name: flow.name,
      deadlineNs: flow.deadlineNs,
      bounds: flow.bounds,
      endToEndNs: flow.endToEndNs,
      schedulable: flow.schedulable,
      rank: scheduler === 'fp' ? flow.rank : null,
      terms: flow.terms,
      parts: flow.parts,
      window: flow.window,
      drainedNs: flow.drainedNs,
      untrusted: untrustedObject(untrusted[i]!),
      slackNs: slackOf(flow),
      largestLengthBytes: sensitivity.largestLengthBytes[i] ?? null,
      lengthsThatFit: sensitivity.lengthsThatFit[i] ?? [],
    })),
    schedulable,
    untrusted: pinned ? null : untrustedSummary(untrusted),
    sensitivity: {
      lengthPermille: sensitivity.lengthPermille,
      permilleThatFit: sensitivity.permilleThatFit,
      failsFirst: sensitivity.failsFirst,
      smallestBudgetNs: sensitivity.smallestBudgetNs,
    },
    otherScheduler: { scheduler: other.scheduler, schedulable: other.schedulable },
    chains,
    tasks,
    cores: cores.map(({ core, vms, stolenRate, stolenWithin }) => ({
      core,
      vms,
      stolenRate,
      stolenNs: Object.fromEntries(WINDOWS.map((windowNs) => [formatTime(windowNs), stolenWithin(windowNs)])),
    })),
    lockHoldNs,
    freed,
    overload: overloadLines(utilization),
    utilization,
    obstacles,
    ...reasonsObject(analysis),
    assumptions: predictionAssumptions(scenario, prediction, profile),
  }
}

function untrustedObject({ against, endToEndNs, price, schedulable, obstacle }: UntrustedFlow) {
  return { against, endToEndNs, price, schedulable, obstacle: obstacle === '' ? null : obstacle }
}

/** Whatever VMs do that are neither trusted nor an end of the flow; no statement about chains and tasks. */
function untrustedSummary(untrusted: readonly UntrustedFlow[]) {
  const prices = untrusted.map(({ price }) => price)
  return {
    schedulable: untrusted.every(({ schedulable }) => schedulable),
    highestPrice: prices.includes(null) ? null : Math.max(...prices.map((price) => price!)),
  }
}

/** For which stolen time is shown. */
const WINDOWS = [100_000, 1_000_000, 10_000_000]

export function renderAnalysis(analysis: Analysis, paint: Paint): string {
  const { pinned, utilization } = analysis.prediction
  const overload = overloadLines(utilization).map((line) => `${paint(line, 'bad')}\n`)
  const head = `${overload.join('')}${paint(headingOf(analysis), 'strong')}\n${verdict(analysis, paint)}${pinned ? '' : untrustedVerdict(analysis, paint)}`
  const reasons = reasonLines(analysis, paint).map((line) => `${line}\n`)
  return [head + reasons.join(''), ...renderSections(analysisSections(analysis), paint)].join('\n')
}

/** What stands above everything else. */
export function headingOf({ prediction, priorities, profile, scenario, title }: Analysis): string {
  const under = prediction.scheduler === 'edf' ? 'earliest deadline first' : `fixed priority, ${priorities}`
  return `${title}: ${counted(scenario.vms.length, 'VM')}, ${counted(scenario.flows.length, 'flow')} on ${profile.name}, ${prediction.design} broker, ${under}; bounds, nothing simulated`
}

/** The verdicts, in a sentence each. */
export function verdictLines(analysis: Analysis): string[] {
  const plain: Paint = (text) => text
  const { pinned } = analysis.prediction
  return [verdict(analysis, plain), ...(pinned ? [] : [untrustedVerdict(analysis, plain)])].map((line) => line.trim())
}

/** Every table, with what is said below it. */
export function analysisSections(analysis: Analysis): ReportSection[] {
  const { scenario, profile, prediction, other, freed } = analysis
  const { design, pinned, obstacles } = prediction
  return [
    { title: 'Bounds in ms: the DMA stage by analysis, and end to end with A4', rows: boundRows(prediction) },
    {
      title: pinned
        ? 'What the A4 bounds are made of, in ms (overheads pinned: the DMA stage alone has a verdict)'
        : 'What the A4 bounds are made of, in ms, stage by stage',
      rows: termRows(prediction),
    },
    ...(pinned
      ? []
      : [
          {
            title:
              'The same as one window, in which nothing is charged twice; end to end is the shorter one of the two sums, or the drain where that is less',
            rows: windowRows(prediction),
          },
        ]),
    { title: 'What breaks first, and what would fit', rows: sensitivityRows(analysis), lines: whatFits(analysis) },
    ...(pinned
      ? []
      : [
          {
            title:
              'Whatever VMs do that are not trusted and not an end of the flow: end to end in ms, and as a multiple of the bound above',
            rows: untrustedRows(analysis),
            lines: untrustedObstacles(analysis),
            listed: true,
          },
        ]),
    ...(prediction.chains.length > 0 ? [{ title: 'Chains, ms', rows: chainRows(prediction) }] : []),
    {
      title: 'Most that EL2 takes from each core, ms',
      rows: coreRows(prediction),
      lines: freedLines(design, freed),
    },
    { title: 'What is asked for in the long run, of the time there is', rows: useRows(prediction) },
    ...(prediction.tasks.length > 0
      ? [{ title: 'Guest tasks under stolen time, ms', rows: taskRows(prediction) }]
      : []),
    ...(obstacles.length > 0 ? [{ title: 'Why there are flows without a bound', lines: obstacles, listed: true }] : []),
    {
      title: null,
      lines: [`Under ${other.scheduler === 'edf' ? 'EDF' : 'fixed priority'} instead: ${verdicts(other)}.`],
    },
    {
      title: 'Assumptions',
      lines: predictionAssumptions(scenario, prediction, profile).map(oneLine),
      listed: true,
    },
  ]
}

function verdict({ prediction }: Analysis, paint: Paint): string {
  const late = [
    ...prediction.flows.filter(({ schedulable }) => !schedulable.A4).map(({ name }) => `flow ${name}`),
    ...prediction.chains.filter(({ schedulable }) => !schedulable).map(({ name }) => `chain ${name}`),
    ...prediction.tasks.filter(({ schedulable }) => !schedulable).map(({ vm, name }) => `task ${name} of ${vm}`),
  ]
  if (late.length === 0) return `${paint('Every deadline is met', 'good')} (A4; ${verdicts(prediction)}).\n`
  return `${paint(`Not shown to meet their deadlines: ${late.join(', ')}`, 'bad')} (A4; ${verdicts(prediction)}).\n`
}

function untrustedVerdict({ untrusted }: Analysis, paint: Paint): string {
  if (untrusted.every(({ against }) => against.length === 0)) {
    return 'Whatever other VMs do: nothing is claimed, because all are trusted, or share a core with an end of each flow.\n'
  }
  const late = untrusted.filter(({ schedulable }) => !schedulable).map(({ name }) => `flow ${name}`)
  const priced = untrusted
    .filter(({ price }) => price !== null)
    .map(({ name, price }) => `${name} ${price!.toFixed(2)}`)
  const prices =
    priced.length === 0 ? '' : ` Price, in bounds of guests that keep to their flows: ${priced.join(', ')}.`
  const found =
    late.length === 0
      ? paint('every flow still meets its deadline', 'good')
      : paint(`not shown to meet their deadlines: ${late.join(', ')}`, 'bad')
  return `Whatever VMs do that are not trusted: ${found}.${prices}\n`
}

function verdicts({ schedulable }: Prediction): string {
  return ANALYSES.map((name) => `${name} ${schedulable[name] ? 'accepts' : 'refuses'}`).join(', ')
}

function boundRows({ flows, scheduler }: Prediction): Cell[][] {
  const head = ['flow', ...(scheduler === 'fp' ? ['priority'] : []), 'A0', 'A3', 'A4', 'end to end', 'deadline', '']
  return [
    head,
    ...flows.map((flow): Cell[] => [
      flow.name,
      ...(scheduler === 'fp' ? [String(flow.rank)] : []),
      ...ANALYSES.map((name) => bound(flow.bounds[name], flow.schedulable[name])),
      bound(flow.endToEndNs, flow.schedulable.A4),
      milliseconds(flow.deadlineNs),
      flow.schedulable.A4 ? { text: 'meets it', tone: 'good' } : { text: 'may be late', tone: 'bad' },
    ]),
  ]
}

function untrustedRows({ prediction, untrusted }: Analysis): Cell[][] {
  return [
    ['flow', 'whatever these do', 'end to end', 'price', 'deadline', ''],
    ...untrusted.map(({ against, endToEndNs, name, price, schedulable }, i): Cell[] => [
      name,
      against.join(', ') || 'none: trusted, or on the core of an end',
      bound(endToEndNs, schedulable),
      price === null ? '' : price.toFixed(2),
      milliseconds(prediction.flows[i]!.deadlineNs),
      schedulable ? { text: 'meets it', tone: 'good' } : { text: 'may be late', tone: 'bad' },
    ]),
  ]
}

function untrustedObstacles({ untrusted }: Analysis): string[] {
  const why = untrusted.filter(({ obstacle }) => obstacle !== '')
  return why.map(({ name, obstacle }) => oneLine(`${name}: ${obstacle}`))
}

/** The terms add up to the bound stage by stage, less the release of a message that is not the first of its busy period. */
function termRows({ flows }: Prediction): Cell[][] {
  const head = [
    'flow',
    'jitter',
    'send, trap',
    'own copy',
    'others',
    'blocking',
    'software',
    'no budget',
    'interrupt, read',
    'earlier',
    'sum',
  ]
  return [
    head,
    ...flows.map((flow): Cell[] => {
      const { terms, parts } = flow
      const a4 = terms.A4
      if (a4 === null || parts === null) return [flow.name, ...head.slice(1).map(() => 'none')]
      const sumNs = parts.beforeNs + parts.stageNs + parts.afterNs
      const jitterNs = a4.jitterNs - parts.beforeNs
      const listed = a4.ownWorkNs + a4.interferenceNs + a4.blockingNs + a4.overheadNs + a4.supplyNs
      const earlierNs = sumNs - jitterNs - parts.beforeNs - listed - parts.afterNs
      return [
        flow.name,
        ...[
          jitterNs,
          parts.beforeNs,
          a4.ownWorkNs,
          a4.interferenceNs,
          a4.blockingNs,
          a4.overheadNs,
          a4.supplyNs,
          parts.afterNs,
          earlierNs,
          sumNs,
        ].map(milliseconds),
      ]
    }),
  ]
}

function windowRows({ flows }: Prediction): Cell[][] {
  const head = [
    'flow',
    'jitter, early',
    'own copy',
    'others',
    'blocking',
    'software',
    'guests',
    'no budget',
    'signals',
    'sum',
    'drain',
  ]
  return [
    head,
    ...flows.map(({ name, window, drainedNs }): Cell[] => {
      const drained = drainedNs === null ? 'none' : milliseconds(drainedNs)
      if (window === null) return [name, ...head.slice(2).map(() => 'none'), drained]
      const { startNs, ownWorkNs, interferenceNs, blockingNs, softwareNs, guestsNs, supplyNs, signalNs, totalNs } =
        window
      const terms = [startNs, ownWorkNs, interferenceNs, blockingNs, softwareNs, guestsNs, supplyNs, signalNs, totalNs]
      return [name, ...terms.map(milliseconds), drained]
    }),
  ]
}

function sensitivityRows({ scenario, prediction, sensitivity }: Analysis): Cell[][] {
  return [
    ['flow', 'slack, ms', 'message, bytes', 'longest that fits'],
    ...prediction.flows.map((flow, i): Cell[] => {
      const slackNs = slackOf(flow)
      const length = sensitivity.largestLengthBytes[i]
      return [
        flow.name,
        slackNs === null ? 'none' : { text: milliseconds(slackNs), tone: slackNs < 0 ? 'bad' : undefined },
        count(scenario.flows[i]!.lengthBytes),
        length === null || length === undefined ? 'none' : count(length),
      ]
    }),
  ]
}

/** Which way the pages of a message go, for people. */
const WAYS = { copied: 'copied', tried: 'moved as far as they can be', moved: 'moved' } as const

function whatFits({ scenario, sensitivity }: Analysis): string[] {
  const { lengthPermille, lengthsThatFit, permilleThatFit, failsFirst, smallestBudgetNs } = sensitivity
  const first = `${failsFirst.join(', ') || 'a chain of waiting'} ${failsFirst.length > 1 ? 'fail' : 'fails'} first`
  const lines: string[] = []
  lengthsThatFit.forEach((ranges, i) => {
    // One range from the shortest message on is in the table.
    if (ranges.length === 0 || (ranges.length === 1 && ranges[0]!.from === 1)) return
    const listed = ranges.map(({ from, to, pages }) => `${count(from)} to ${count(to)} bytes (pages ${WAYS[pages]})`)
    lines.push(`${scenario.flows[i]!.name} fits with ${listed.join(', and with ')}.`)
  })
  const factor = (permille: number) => (permille / 1000).toFixed(3)
  const one = permilleThatFit.length === 1 && permilleThatFit[0]!.from === 1
  const factors = permilleThatFit.map(({ from, to }) => `${factor(from)} to ${factor(to)}`).join(', and times ')
  lines.push(
    lengthPermille === 0
      ? 'No factor on all messages makes it fit.'
      : `All messages times ${one ? factor(lengthPermille) : factors} fit; beyond ${factor(lengthPermille)}, ${first}.`,
  )
  const { regulator } = scenario.broker
  if (regulator.kind === 'budget') {
    lines.push(
      smallestBudgetNs === null
        ? `No budget in a period of ${formatTime(regulator.periodNs)} is enough.`
        : `The smallest budget that is enough: ${formatTime(smallestBudgetNs)} of ${formatTime(regulator.periodNs)} (now ${formatTime(regulator.budgetNs)}).`,
    )
  }
  return lines
}

function chainRows({ chains }: Prediction): Cell[][] {
  return [
    ['chain', 'flows', 'end to end', 'deadline', ''],
    ...chains.map((chain): Cell[] => [
      chain.name,
      chain.flows.join(' > '),
      bound(chain.endToEndNs, chain.schedulable),
      milliseconds(chain.deadlineNs),
      chain.schedulable ? { text: 'meets it', tone: 'good' } : { text: 'may be late', tone: 'bad' },
    ]),
  ]
}

function coreRows({ cores, lockHoldNs }: Prediction): Cell[][] {
  const rows: Cell[][] = [
    ['core', 'VMs', ...WINDOWS.map((windowNs) => `in ${formatTime(windowNs)}`), 'in the long run'],
    ...cores.map(({ core, vms, stolenRate, stolenWithin }): Cell[] => [
      String(core),
      vms.join(', '),
      ...WINDOWS.map((windowNs) => milliseconds(stolenWithin(windowNs))),
      stolenRate === null ? 'none' : `${(100 * stolenRate).toFixed(2)} %`,
    ]),
  ]
  if (lockHoldNs !== null) rows.push(['lock', 'held at once', milliseconds(lockHoldNs)])
  return rows
}

function useRows({ utilization }: Prediction): Cell[][] {
  const share = (used: number): Cell => ({
    text: `${(100 * used).toFixed(2)} %`,
    tone: used > 1 + 1e-9 ? 'bad' : undefined,
  })
  return [
    ['resource', 'at best costs', 'at worst costs'],
    ...utilization.map(({ name, best, worst }): Cell[] => [name, share(best), share(worst)]),
  ]
}

function freedLines(design: Prediction['design'], freed: Analysis['freed']): string[] {
  if (freed === null) return []
  const even = freed.breakEven === null ? 'at any rate' : `up to ${freed.breakEven.toFixed(2)} times these messages`
  const who = design === 'floating' ? 'Floating gains' : 'Floating would gain'
  return [
    `${who} ${freed.cores.toFixed(2)} cores over the dedicated broker at these bounds, and is worth a core ${even}.`,
  ]
}

function taskRows({ tasks }: Prediction): Cell[][] {
  return [
    ['task', 'VM', 'response', 'own', 'other tasks', 'stolen, drivers', 'deadline', ''],
    ...tasks.map((task): Cell[] => [
      task.name,
      task.vm,
      bound(task.responseNs, task.schedulable),
      ...(task.terms === null
        ? ['none', 'none', 'none']
        : [task.terms.ownNs, task.terms.interferenceNs, task.terms.stolenNs].map(milliseconds)),
      milliseconds(task.deadlineNs),
      task.schedulable ? { text: 'meets it', tone: 'good' } : { text: 'may be late', tone: 'bad' },
    ]),
  ]
}

function slackOf({ deadlineNs, endToEndNs, bounds }: FlowPrediction): number | null {
  const responseNs = endToEndNs ?? bounds.A4
  return responseNs === null ? null : deadlineNs - responseNs
}

function bound(timeNs: number | null, meets: boolean): Cell {
  if (timeNs === null) return { text: 'none', tone: 'bad' }
  return { text: milliseconds(timeNs), tone: meets ? undefined : 'bad' }
}
