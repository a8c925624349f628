/**
 * Single changes of a scenario that may make it fit, kind by kind, the smallest of each kind first. Each is a scenario and the same in words and as
 * `PATH=VALUE`, so that whoever wrote the scenario can make it.
 *
 * Kinds come in the order of what they take: settings of the broker, then shares of the DMA or RAM, then a core, then other guests, and at last
 * the requirements.
 */
import type { BoardProfile } from '../boards/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import type { Design } from '../plan/index.ts'
import { formatTime, type RegulatorSpec, type Scenario, vmOnDedicatedCore } from '../scenario/index.ts'
import { bytes, LEAST_PERIOD_NS, splits } from './change-splits.ts'
import type { Prediction } from './predict.ts'

/** What one change is about. */
export const CHANGE_KINDS = [
  'priorities',
  'chunk',
  'transfer',
  'buffers',
  'budget',
  'placement',
  'split',
  'deadline',
] as const
/** One of `CHANGE_KINDS`. */
export type ChangeKind = (typeof CHANGE_KINDS)[number]

/** A scenario to judge. What is left out is as it was asked for. */
export interface Candidate {
  readonly what: string
  readonly set: readonly string[]
  readonly scenario: Scenario
  readonly design?: Design
  readonly scheduler?: 'fp' | 'edf'
  /** null: those of the scenario. */
  readonly ranks?: readonly number[] | null
}

/** Those that need no prediction to be made. */
export function* candidatesOf(
  kind: ChangeKind,
  scenario: Scenario,
  design: Design,
  profile: BoardProfile,
): Iterable<Candidate> {
  switch (kind) {
    case 'priorities':
      return yield* scheduling(scenario)
    case 'chunk':
      return yield* chunks(scenario)
    case 'transfer':
      return yield* transfers(scenario)
    case 'buffers':
      return yield* buffers(scenario)
    case 'budget':
      return yield* budgets(scenario)
    case 'placement':
      return yield* placements(scenario, design, profile)
    case 'split':
      return yield* splits(scenario)
    case 'deadline':
  }
}

type Broker = Partial<Scenario['broker']>

function withBroker(scenario: Scenario, broker: Broker): Scenario {
  return { ...scenario, broker: { ...scenario.broker, ...broker } }
}

/** The other scheduler, and priorities by deadline where the scenario gives others. */
function* scheduling(scenario: Scenario): Iterable<Candidate> {
  const { scheduler } = scenario.broker
  const given = scenario.flows.filter(({ priority }) => priority !== null)
  const monotonic: Scenario = {
    ...withBroker(scenario, { scheduler: 'fp' }),
    flows: scenario.flows.map((flow) => ({ ...flow, priority: null })),
  }
  const byDeadline: Candidate = {
    what: 'fixed priorities, deadline-monotonic',
    set: [
      ...(scheduler === 'fp' ? [] : ['broker.scheduler=fp']),
      ...given.map(({ name }) => `flows.${name}.priority=null`),
    ],
    scenario: monotonic,
    scheduler: 'fp',
    ranks: null,
  }
  const earliest: Candidate = {
    what: 'earliest deadline first',
    set: ['broker.scheduler=edf'],
    scenario: withBroker(scenario, { scheduler: 'edf' }),
    scheduler: 'edf',
  }
  if (byDeadline.set.length > 0) yield byDeadline
  if (scheduler === 'fp') yield earliest
}

/** By ranks, 0 the most urgent. */
export function prioritiesFrom(scenario: Scenario, ranks: readonly number[]): Candidate {
  const { flows, broker } = scenario
  const order = flows.map(({ name }, i) => [ranks[i]!, name] as const).sort(([a], [b]) => a - b)
  return {
    what: `fixed priorities by Audsley's method: ${order.map(([, name]) => name).join(', ')}`,
    set: [
      ...(broker.scheduler === 'fp' ? [] : ['broker.scheduler=fp']),
      ...flows.map(({ name }, i) => `flows.${name}.priority=${ranks[i]}`),
    ],
    scenario: {
      ...withBroker(scenario, { scheduler: 'fp' }),
      flows: flows.map((flow, i) => ({ ...flow, priority: ranks[i]! })),
    },
    scheduler: 'fp',
    ranks: null,
  }
}

const LEAST_CHUNK = 512
const MOST_CHUNK = 65536

/** The nearest first. */
function* chunks(scenario: Scenario): Iterable<Candidate> {
  const { chunkBytes: own, transfer } = scenario.broker
  // Pages move whole.
  if (transfer !== 'copy') return
  for (let factor = 2; own * factor <= MOST_CHUNK || own / factor >= LEAST_CHUNK; factor *= 2) {
    for (const chunkBytes of [own * factor, own / factor]) {
      if (chunkBytes < LEAST_CHUNK || chunkBytes > MOST_CHUNK) continue
      yield {
        what: `chunks of ${bytes(chunkBytes)}`,
        set: [`broker.chunk=${chunkBytes}`],
        scenario: withBroker(scenario, { chunkBytes }),
      }
    }
  }
}

function* transfers(scenario: Scenario): Iterable<Candidate> {
  const { transfer: own, chunkBytes } = scenario.broker
  for (const transfer of ['copy', 'auto', 'remap', 'lend'] as const) {
    if (transfer === own) continue
    const pages = transfer !== 'copy' && chunkBytes !== PAGE_SIZE
    // Keys that say how pages change owners are refused where none does so.
    const reset: Broker =
      own === 'copy' ? {} : { remapThresholdBytes: null, lentPages: 512, flushPages: 64, sparePages: 0, poolColors: 0 }
    if (own !== 'copy' && scenario.broker.colorPolicy === 'pool') continue
    yield {
      what: `transfer: ${transfer}${pages ? `, chunks of ${bytes(PAGE_SIZE)}` : ''}`,
      set: [
        `broker.transfer=${transfer}`,
        ...(pages ? [`broker.chunk=${PAGE_SIZE}`] : []),
        ...(own === 'copy' ? [] : RESET_PAGES.map((key) => `broker.${key}=null`)),
      ],
      scenario: withBroker(scenario, { ...reset, transfer, ...(pages ? { chunkBytes: PAGE_SIZE } : {}) }),
    }
  }
}

const RESET_PAGES = ['remapThreshold', 'lentPages', 'flushPages', 'sparePages', 'poolColors']

/** Queues, credit, RAM and pages that keep messages waiting for one another. */
function* buffers(scenario: Scenario): Iterable<Candidate> {
  const { broker, flows, vms } = scenario
  const withVm = (name: string, change: Partial<Scenario['vms'][number]>): Scenario => ({
    ...scenario,
    vms: vms.map((vm) => (vm.name === name ? { ...vm, ...change } : vm)),
  })
  const limited = vms.filter(({ queueSize }) => queueSize !== null)
  for (const { name, queueSize } of limited) {
    for (let size = 2 * queueSize!; size <= MOST_QUEUE; size *= 2) {
      yield {
        what: `a queue of ${size} for ${name}`,
        set: [`vms.${name}.queue=${size}`],
        scenario: withVm(name, { queueSize: size }),
      }
    }
  }
  if (limited.length > 1)
    yield {
      what: 'queues as long as the VMs need',
      set: limited.map(({ name }) => `vms.${name}.queue=null`),
      scenario: { ...scenario, vms: vms.map((vm) => ({ ...vm, queueSize: null })) },
    }
  for (const { name, creditBytes, lengthBytes } of flows) {
    if (creditBytes >= CREDIT_MESSAGES * lengthBytes) continue
    const enough = CREDIT_MESSAGES * lengthBytes
    yield {
      what: `${bytes(enough)} of credit for ${name}`,
      set: [`flows.${name}.credit=${enough}`],
      scenario: {
        ...scenario,
        flows: flows.map((flow) => (flow.name === name ? { ...flow, creditBytes: enough } : flow)),
      },
    }
  }
  if (broker.transfer === 'copy') return
  for (const { name, buffers: layout } of vms) {
    if (layout === 'page-aligned') continue
    yield {
      what: `page-aligned buffers for ${name}`,
      set: [`vms.${name}.buffers=page-aligned`],
      scenario: withVm(name, { buffers: 'page-aligned' }),
    }
  }
  const counts =
    broker.transfer === 'lend' ? (['lentPages'] as const) : broker.sparePages > 0 ? (['sparePages'] as const) : []
  for (const key of counts) {
    for (let factor = 2; factor <= 64; factor *= 2) {
      const pages = broker[key] * factor
      if (pages > MOST_PAGES) break
      yield {
        what: `${pages} ${key === 'lentPages' ? 'pages that may be lent' : 'spare pages'}`,
        set: [`broker.${key}=${pages}`],
        scenario: withBroker(scenario, { [key]: pages }),
      }
    }
  }
}

const MOST_QUEUE = 32768
const MOST_PAGES = 2 ** 18
/** More than are under way at once, by some. */
const CREDIT_MESSAGES = 16

/** The same share in other periods, then larger shares, then none of it. */
function* budgets(scenario: Scenario): Iterable<Candidate> {
  const { regulator } = scenario.broker
  const candidate = (what: string, set: readonly string[], changed: RegulatorSpec): Candidate => ({
    what,
    set,
    scenario: withBroker(scenario, { regulator: changed }),
  })
  if (regulator.kind === 'budget') {
    const budget = (budgetNs: number, periodNs: number) =>
      candidate(
        `a budget of ${formatTime(budgetNs)} every ${formatTime(periodNs)}`,
        [
          `broker.regulator.budget=${formatTime(budgetNs)}`,
          ...(periodNs === regulator.periodNs ? [] : [`broker.regulator.period=${formatTime(periodNs)}`]),
        ],
        { ...regulator, budgetNs, periodNs },
      )
    for (const part of [2, 4, 5, 8, 10, 20]) {
      if (
        regulator.budgetNs % part === 0 &&
        regulator.periodNs % part === 0 &&
        regulator.periodNs / part >= LEAST_PERIOD_NS
      )
        yield budget(regulator.budgetNs / part, regulator.periodNs / part)
      yield budget(regulator.budgetNs * part, regulator.periodNs * part)
    }
    // In steps of a fiftieth of the period: shares that a person would write.
    for (let step = 1; step < BUDGET_STEPS; step++) {
      const budgetNs = Math.round((regulator.periodNs * step) / BUDGET_STEPS)
      if (budgetNs > regulator.budgetNs) yield budget(budgetNs, regulator.periodNs)
    }
  }
  if (regulator.kind === 'bucket' || regulator.kind === 'rate') {
    for (const factor of [1.1, 1.25, 1.5, 2, 3, 4, 8]) {
      const bytesPerNs = Number((regulator.bytesPerNs * factor).toPrecision(3))
      yield candidate(`a rate of ${bytesPerNs} bytes/ns`, [`broker.regulator.bytesPerNs=${bytesPerNs}`], {
        ...regulator,
        bytesPerNs,
      })
    }
  }
  if (regulator.kind !== 'none') yield candidate('no regulator', ['broker.regulator=none'], { kind: 'none' })
  yield* refills(scenario)
}

/** More of MemGuard's budget for one core, then for all. */
function* refills({ vms, ...others }: Scenario): Iterable<Candidate> {
  const guarded = vms.filter(({ memguard }) => memguard !== null)
  const cores = [...new Set(guarded.map(({ core }) => core))].sort((a, b) => a - b)
  const more = (on: readonly number[], factor: number): Candidate => {
    const changed = vms.map((vm) =>
      vm.memguard === null || !on.includes(vm.core)
        ? vm
        : { ...vm, memguard: { ...vm.memguard, refills: Math.min(MOST_REFILLS, vm.memguard.refills * factor) } },
    )
    const told = changed.filter(({ core, memguard }) => memguard !== null && on.includes(core))
    return {
      what: `${factor} times the MemGuard budget of core${on.length > 1 ? 's' : ''} ${on.join(', ')}`,
      set: told.map(({ name, memguard }) => `vms.${name}.memguard.refills=${memguard!.refills}`),
      scenario: { ...others, vms: changed },
    }
  }
  for (const factor of [2, 4, 8, 16]) {
    for (const core of cores) yield more([core], factor)
    if (cores.length > 1) yield more(cores, factor)
  }
}

const MOST_REFILLS = 2 ** 32 - 1

const BUDGET_STEPS = 50

function* placements(scenario: Scenario, design: Design, profile: BoardProfile): Iterable<Candidate> {
  const { dedicatedCore } = scenario.broker
  const other = design === 'floating' ? 'dedicated' : 'floating'
  if (other === 'dedicated' && (vmOnDedicatedCore(scenario) !== null || dedicatedCore >= profile.cores.value)) return
  yield {
    what: `a ${other} broker${other === 'dedicated' ? ` on core ${dedicatedCore}` : ''}`,
    set: [`broker.placement=${other}`],
    scenario: withBroker(scenario, { placement: other }),
    design: other,
  }
}

/** A deadline of whole tens of microseconds. */
const DEADLINE_STEP_NS = 10_000

/**
 * Deadlines of all that is late under `prediction`, of `before`, no less than what is bounded; null: something late has no bound. Of `scenario`, in
 * which `before` may have changed deadlines already.
 */
export function deadlinesFrom(scenario: Scenario, before: Scenario, prediction: Prediction): Candidate | null {
  const due = (boundNs: number) => Math.ceil(boundNs / DEADLINE_STEP_NS) * DEADLINE_STEP_NS
  const boundOf = ({ endToEndNs, bounds }: Prediction['flows'][number]) => (prediction.pinned ? bounds.A4 : endToEndNs)
  const late = {
    flows: prediction.flows.filter(({ schedulable }) => !schedulable.A4),
    chains: prediction.chains.filter(({ schedulable }) => !schedulable),
    tasks: prediction.tasks.filter(({ schedulable }) => !schedulable),
  }
  const boundsNs = [
    ...late.flows.map(boundOf),
    ...late.chains.map(({ endToEndNs }) => endToEndNs),
    ...late.tasks.map(({ responseNs }) => responseNs),
  ]
  if (boundsNs.length === 0 || boundsNs.includes(null)) return null
  const flows = before.flows.map((flow) => {
    const found = late.flows.find(({ name }) => name === flow.name)
    return found === undefined ? flow : { ...flow, deadlineNs: due(boundOf(found)!) }
  })
  const chains = before.chains.map((chain) => {
    const found = late.chains.find(({ name }) => name === chain.name)
    return found === undefined ? chain : { ...chain, deadlineNs: due(found.endToEndNs!) }
  })
  const vms = before.vms.map((vm) => ({
    ...vm,
    tasks: vm.tasks.map((task) => {
      const found = late.tasks.find((one) => one.vm === vm.name && one.name === task.name)
      return found === undefined ? task : { ...task, deadlineNs: due(found.responseNs!) }
    }),
  }))
  const changes = [
    ...flows.flatMap((flow, i) => changed('flows', flow, scenario.flows[i]!)),
    ...chains.flatMap((chain, i) => changed('chains', chain, scenario.chains[i]!)),
    ...vms.flatMap(({ name, tasks }, v) =>
      tasks.flatMap((task, i) => changed(`vms.${name}.tasks`, task, scenario.vms[v]!.tasks[i]!)),
    ),
  ]
  return {
    what: `later deadlines: ${changes.map(([, name, dueNs]) => `${name} ${formatTime(dueNs)}`).join(', ')}`,
    set: changes.map(([list, name, dueNs]) => `${list}.${name}.deadline=${formatTime(dueNs)}`),
    scenario: { ...scenario, flows, chains, vms },
  }
}

interface Due {
  readonly name: string
  readonly deadlineNs: number
}

function changed(list: string, now: Due, then: Due): [list: string, name: string, deadlineNs: number][] {
  return now.deadlineNs === then.deadlineNs ? [] : [[list, now.name, now.deadlineNs]]
}
