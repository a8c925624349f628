/** What an analysis says before its tables: how much is asked for, what fails first and why, and what would fit. */
import type { Dominance, FittingChanges, Prediction, Without } from '../platform-zcu102/index.ts'
import { oneLine } from './escape.ts'
import { milliseconds } from './report-parts.ts'
import type { Paint } from './terminal.ts'

/** What these lines are made of. */
export interface Reasons {
  readonly prediction: Prediction
  readonly dominance: Dominance
  readonly change: FittingChanges
  /** Of costs by name: what each is the cost of. */
  readonly meanings: Readonly<Record<string, string>>
}

/** The keys of `--json`. */
export function reasonsObject({ dominance, change }: Reasons) {
  return {
    dominance,
    change: {
      ...change,
      changes: change.changes.map(({ kind, what, set, prediction: { flows, chains, tasks } }) => ({
        kind,
        what,
        set,
        flows: flows.map(({ name, deadlineNs, endToEndNs }) => ({ name, deadlineNs, endToEndNs })),
        chains,
        tasks: tasks.map(({ vm, name, deadlineNs, responseNs }) => ({ vm, name, deadlineNs, responseNs })),
      })),
    },
  }
}

/** One line each, all of them without an end of line. */
export function reasonLines(reasons: Reasons, paint: Paint): string[] {
  return [utilizationLine(reasons.prediction), dominanceLine(reasons), ...changeLines(reasons.change, paint)]
}

function utilizationLine({ utilization }: Prediction): string {
  const shares = utilization.map(({ name, worst }) => `${name} ${Math.ceil(100 * worst - 1e-9)} %`)
  return `Utilisation at worst costs: ${shares.join(', ')}.`
}

function dominanceLine({ change, dominance, meanings }: Reasons): string {
  const { of, boundNs, deadlineNs, flows, costs } = dominance
  const who = /^(?:chain|task) /.test(of) ? of : `flow ${of}`
  const has = boundNs === null ? 'no bound' : `${milliseconds(boundNs)} ms`
  const first = `${change.fits ? 'Would fail first' : 'Fails first'}: ${oneLine(who)}, ${has} of ${milliseconds(deadlineNs)} ms.`
  const [flow] = flows
  const [cost] = costs
  const by =
    flow === undefined
      ? ' No other flow by itself dominates it.'
      : ` Of the flows ${oneLine(flow.name)} dominates it: ${less(flow, 'with messages of a byte')}.`
  const most =
    cost === undefined
      ? ' No cost by itself does.'
      : ` Of the costs it is ${costWords(cost.name, meanings)}: ${less(cost, 'without it')}.`
  return first + by + most
}

function less({ boundNs }: Without, how: string): string {
  return `${how} ${boundNs === null ? 'there is none' : `${milliseconds(boundNs)} ms`}`
}

const COSTS: Readonly<Record<string, string>> = {
  copying: 'the copying of the DMA',
  regulator: "waiting for the DMA's regulator",
  memguard: "waiting for MemGuard's budgets",
}

/** What a cost of `Dominance` is called. */
export function costWords(name: string, meanings: Readonly<Record<string, string>>): string {
  return COSTS[name] ?? `${name}${meanings[name] === undefined ? '' : ` (${meanings[name]})`}`
}

function changeLines({ changes, complete, fits, predictions }: FittingChanges, paint: Paint): string[] {
  if (fits) return []
  const [smallest, ...others] = changes
  if (smallest === undefined) {
    const tried = complete ? `${predictions} were tried` : `${predictions} were tried, and there are more`
    return [paint(`No single change that fits was found: ${tried}.`, 'bad')]
  }
  const { prediction, set, what } = smallest
  const chains = prediction.chains.map(
    ({ name, endToEndNs, deadlineNs }) =>
      `chain ${name} ${milliseconds(endToEndNs!)} of ${milliseconds(deadlineNs)} ms`,
  )
  return [
    `${paint(`The smallest change that fits: ${oneLine(what)}`, 'good')}${chains.length > 0 ? `; then ${chains.join(', ')}` : ''}.`,
    `  ${set.map((change) => `--set ${change}`).join(' ')}`,
    ...others.map((other) => `Or: ${oneLine(other.what)}; ${other.set.map((change) => `--set ${change}`).join(' ')}`),
  ]
}
