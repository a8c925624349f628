/** One case of a seed from beginning to end, and what the summary wants to know of it. */

import { Random } from '../src/internal/random.ts'
import type { Case } from './case.ts'
import { type DrawnCase, drawCase } from './draw-case.ts'
import { type Comparison, tryCase } from './try-case.ts'

/** Attacks are drawn from another stream than the scenarios. */
const ATTACK_STREAM = 1_000_000_007

export interface Record {
  readonly index: number
  readonly overload: boolean
  readonly flows: number
  readonly boundedFlows: number
  /** Compared bounds: windows no longer than themselves are not among them. */
  readonly bounds: number
  readonly runs: number
  /** The bound of a response that was approached most. */
  readonly nearest: Comparison | null
  readonly exceeded: readonly Comparison[]
  /** What was thrown: no scenario is drawn that may be refused. */
  readonly crashed: string | null
  /** What it is made of: option and value. */
  readonly ingredients: readonly (readonly [option: string, value: string])[]
}

export function examine(seed: number, index: number): Record {
  const found = drawCase(seed, index)
  return {
    ...examineCase(found, new Random(seed, ATTACK_STREAM + index)),
    index,
    overload: found.overload,
    ingredients: ingredientsOf(found),
  }
}

type Examined = Omit<Record, 'index' | 'overload' | 'ingredients'>

export function examineCase(found: Case, random: Random): Examined {
  const nothing = {
    flows: 0,
    boundedFlows: 0,
    bounds: 0,
    runs: 0,
    nearest: null,
    exceeded: [],
    crashed: null,
  }
  try {
    const { comparisons, flows, boundedFlows, runs } = tryCase(found, random)
    const share = ({ observedNs, boundNs }: Comparison) => observedNs / boundNs
    const responses = comparisons.filter(({ kind }) => kind === 'response')
    return {
      flows,
      boundedFlows,
      bounds: comparisons.filter(({ kind }) => kind !== 'window').length,
      runs,
      nearest: responses.reduce<Comparison | null>(
        (most, next) => (most && share(most) >= share(next) ? most : next),
        null,
      ),
      exceeded: comparisons.filter(({ observedNs, boundNs }) => observedNs > boundNs),
      crashed: null,
    }
  } catch (error) {
    return { ...nothing, crashed: error instanceof Error ? error.message : String(error) }
  }
}

/** Whether a bound of the kind is exceeded. */
export function exceeds(found: Case, kind: Comparison['kind']): boolean {
  return examineCase(found, new Random(0)).exceeded.some((comparison) => comparison.kind === kind)
}

/** Whether the same is thrown, whatever the figures in it. */
export function crashesBy(found: Case, message: string): boolean {
  const { crashed } = examineCase(found, new Random(0))
  return crashed !== null && withoutFigures(crashed) === withoutFigures(message)
}

function withoutFigures(message: string): string {
  return message.replaceAll(/[a-z]?\d+(\.\d+)?/g, '#')
}

/** Every option that a case can have, for a table of what was covered. */
export function ingredientsOf({
  scenario,
  calibration,
  costs,
  overload,
}: DrawnCase): [option: string, value: string][] {
  const { broker, flows, vms, chains } = scenario
  const { interrupts } = broker
  const technique = typeof interrupts === 'string' ? interrupts : Object.keys(Object(interrupts))
  const most = (of: (flow: (typeof flows)[number]) => number) => Math.max(...flows.map(of))
  const steps = (value: number, ...limits: number[]) => {
    const limit = limits.find((candidate) => value <= candidate)
    return limit === undefined ? `> ${limits.at(-1)}` : `<= ${limit}`
  }
  const some = (any: boolean) => (any ? 'yes' : 'no')
  const follows = flows.filter(({ after }) => after !== undefined)
  const fansOut = follows.some((flow) => follows.some((other) => other !== flow && other.after === flow.after))
  return [
    ['placement', broker.placement],
    ['scheduler', broker.scheduler],
    ['regulator', (broker.regulator as { kind: string } | undefined)?.kind ?? 'none'],
    ['transfer', String(broker.transfer)],
    ['chunk', String(broker.chunk)],
    ['chaining', String(broker.chaining)],
    ['colorPolicy', String(broker.colorPolicy ?? 'accept')],
    ['memguard', vms.some(({ memguard }) => memguard) ? String(broker.memguard) : 'none'],
    [
      'interrupts',
      technique.includes('polling')
        ? 'polling'
        : technique.includes('coalesce')
          ? 'coalesce'
          : typeof technique === 'string'
            ? technique
            : 'switches',
    ],
    ['VMs', String(vms.length)],
    ['shared cores', some(new Set(vms.map(({ core }) => core)).size < vms.length)],
    ['buffers', vms.some(({ buffers }) => buffers) ? 'unaligned' : 'page-aligned'],
    ['small queue', some(vms.some(({ queue }) => queue !== undefined))],
    ['own tolerance', some(broker.tolerance !== undefined)],
    ['flows', String(flows.length)],
    ['chains', chains === undefined ? 'none' : fansOut ? 'fan-out' : 'line'],
    [
      'deadline / period',
      steps(
        most(({ deadline, period }) => (deadline ?? period) / period),
        1,
        2,
        4,
      ),
    ],
    [
      'jitter / period',
      steps(
        most(({ jitter, period }) => (jitter ?? 0) / period),
        0,
        0.5,
        1,
        2.5,
      ),
    ],
    [
      'credit / length',
      flows.some(({ credit }) => credit !== undefined)
        ? steps(Math.min(...flows.map(({ credit, length }) => (credit ?? Infinity) / length)), 11, 40)
        : 'plenty',
    ],
    ['tasks', some(vms.some(({ tasks }) => tasks))],
    ['costs', costs],
    ['prefetched pieces', some((calibration?.dmaPrefetchedPieces ?? 0) > 0)],
    ['overload', some(overload)],
  ]
}
