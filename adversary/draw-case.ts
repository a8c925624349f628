/**
 * Scenarios that aim at what bounds are composed of: messages that overlap (deadlines to four periods, jitter to two and a half), resources
 * that run out (small queues, little credit, slow refills, throttled receivers), cores that are shared, flows that release each other,
 * overload; under every regulator, scheduler, way of transfer, interrupt technique, way to live with MemGuard, and placement.
 */
import { Random } from '../src/internal/random.ts'
import type { CostOpName } from '../src/platform/index.ts'
import { zcu102 } from '../src/platform-zcu102/index.ts'
import type { Case, FlowEntry, ScenarioFile, VmEntry } from './case.ts'
import { type CostKind, drawCosts, logUniform } from './draw-costs.ts'

export interface DrawnCase extends Case {
  readonly costs: CostKind
  /** More is asked for than there is: of such scenarios flows need not have bounds. */
  readonly overload: boolean
}

/** What is made scarce in a scenario, or goes beyond what is usual. */
interface Shape {
  /** The first flow has a long period and most of the load; it is often the most urgent. */
  readonly bulk: boolean
  /** Jitter may exceed periods. */
  readonly late: boolean
  /** Deadlines may be up to a hundred periods. */
  readonly patient: boolean
  readonly credit: 'plenty' | 'updates' | 'little'
  /** A core sleeps for several periods of the flows at a time. */
  readonly starves: boolean
  /** Cores have budgets of cache refills that last for most of a period. */
  readonly throttled: boolean
}

const VMS = [2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8]
/** Share of its period that a computation takes, on an average. */
const COMPUTED = 0.05
const CORES = 4
const MAX_BYTES = 128 * 1024
/** Polls that a scenario may ask for, of all VMs. */
const MOST_POLLS = 10_000_000
/** Messages of a run, about. */
const MESSAGES = 100

/** The `index`-th case of a seed: the same for ever, whichever process draws it. */
export function drawCase(seed: number, index: number): DrawnCase {
  const random = new Random(seed, index)
  const bulk = random.chance(0.3)
  const shape: Shape = {
    bulk,
    late: random.chance(0.3),
    patient: random.chance(bulk ? 0.4 : 0.1),
    credit: random.chance(0.06) ? 'little' : random.chance(0.3) ? 'updates' : 'plenty',
    starves: random.chance(0.08),
    throttled: random.chance(0.2),
  }
  const placement = random.pick(['floating', 'floating', 'dedicated'] as const)
  const regulator = drawRegulator(random)
  const broker = drawBroker(random, placement, regulator)
  const moves = placement === 'floating' && broker.transfer !== 'copy'
  const costs = drawCosts(random, { moves, looks: shape.starves || shape.throttled })
  const costNs = (op: CostOpName) => (costs.calibration?.costsNs[op] ?? zcu102.costsNs[op].value)[2]
  const overload = random.chance(0.15)
  const load = overload
    ? 0.95 + 1.5 * random.unit()
    : costs.kind === 'ones'
      ? 0.95 * random.unit()
      : 0.05 + 0.5 * random.unit()
  const vms = drawVms(random, broker)
  const flows = drawFlows(random, vms, shape)
  const loads = flows.map((_, i) => -Math.log(1 - random.unit()) * (shape.bulk && i === 0 ? 4 * flows.length : 1))
  const total = loads.reduce((sum, share) => sum + share, 0)
  const rate = supplyOf(regulator)
  for (const [i, flow] of flows.entries()) {
    const bytes = Math.floor(load * (0.3 + 0.6 * random.unit()) * (loads[i]! / total) * rate * flow.period)
    const isBulk = shape.bulk && i === 0
    flow.length = !isBulk && random.chance(0.2) ? random.between(1, 300) : Math.max(1, Math.min(MAX_BYTES, bytes))
  }
  const awake = throttle(random, vms, flows, shape)
  stretch(flows, broker, vms, costNs, rate, load * awake)
  for (const flow of flows) drawTimes(random, flow, flows.length, shape)
  addTasks(random, vms, flows)
  const periods = flows.map(({ period }) => period)
  const perNs = periods.reduce((sum, period) => sum + 1 / period, 0)
  const duration = Math.ceil(
    Math.max(4 * Math.min(...periods), Math.min(3 * Math.max(...periods), (3 * MESSAGES) / perNs), MESSAGES / perNs),
  )
  const interrupts = Object(broker.interrupts) as { polling?: number }
  // As many as a scenario may ask for.
  if (interrupts.polling !== undefined) {
    interrupts.polling = Math.max(interrupts.polling, Math.ceil((duration * vms.length) / MOST_POLLS))
  }
  const scenario: ScenarioFile = {
    seed: random.between(0, 1_000_000),
    duration,
    costs: costs.kind === 'board' ? random.pick(['worst', 'worst', 'random', 'best'] as const) : 'worst',
    vms,
    flows,
    ...chainsOf(flows),
    // Drawn last: what came before stays what it was.
    broker: random.chance(0.3) ? { ...broker, tolerance: Math.round(logUniform(random, 50_000, 5_000_000)) } : broker,
  }
  return { scenario, calibration: costs.calibration, attack: null, costs: costs.kind, overload }
}

type Regulator = Record<string, unknown> & { kind: string }

function drawRegulator(random: Random): Regulator {
  const kind = random.pick(['none', 'none', 'rate', 'bucket', 'budget', 'budget', 'budget'] as const)
  if (kind === 'none') return { kind }
  const bytesPerNs = random.pick([0.1, 0.1, 0.25, 0.5])
  if (kind === 'rate') return { kind, bytesPerNs }
  if (kind === 'bucket') return { kind, bytesPerNs, burst: random.pick([65_536, 65_536, 131_072, 1_048_576]) }
  const period = random.pick([20_000, 100_000, 100_000, 1_000_000])
  return { kind, budget: Math.floor(period * random.pick([0.1, 0.3, 0.5, 0.7, 1])), period }
}

/** Bytes a ns in the long run. */
function supplyOf(regulator: Regulator): number {
  const { kind, bytesPerNs, budget, period } = regulator
  if (kind === 'none') return 1
  return kind === 'budget' ? Number(budget) / Number(period) : Number(bytesPerNs)
}

function drawBroker(random: Random, placement: 'floating' | 'dedicated', regulator: Regulator): ScenarioFile['broker'] {
  const chunk = random.pick([4096, 4096, 4096, 512, 1024, 2048, 16_384, 65_536])
  const transfer = chunk === 4096 ? random.pick(['copy', 'copy', 'copy', 'remap', 'lend', 'auto'] as const) : 'copy'
  const colorPolicy =
    transfer === 'copy' ? 'accept' : random.pick(['accept', 'accept', 'accept', 'accept', 'pool', 'refuse'] as const)
  return {
    placement,
    ...(placement === 'dedicated' && random.chance(0.2) && { dedicatedCore: random.between(0, 2) }),
    scheduler: random.pick(['edf', 'fp'] as const),
    chunk,
    ...(regulator.kind !== 'none' && { regulator }),
    transfer,
    ...(transfer !== 'copy' && random.chance(0.6) && { remapThreshold: random.pick([4096, 8192, 20_000, 45_056]) }),
    ...(transfer !== 'copy' && random.chance(0.3) && { flushPages: random.between(2, 20) }),
    ...(transfer === 'lend' && random.chance(0.3) && { lentPages: random.between(1, 100) }),
    ...(colorPolicy !== 'accept' && { colorPolicy }),
    memguard: random.pick(['service', 'interruptible', 'retarget', 'accept'] as const),
    interrupts: drawInterrupts(random),
    chaining: random.pick(['adaptive', 'adaptive', 'piece'] as const),
  }
}

function drawInterrupts(random: Random): unknown {
  const shape = random.between(0, 9)
  if (shape < 3) return 'minimum'
  if (shape < 4) return 'plain'
  const flag = () => random.chance(0.5)
  const switches = { eventIdx: flag(), lazyReclaim: flag(), suppressRefill: flag(), waitForShort: flag() }
  if (shape < 6) return { ...switches, polling: Math.round(logUniform(random, 10_000, 300_000)) }
  if (shape < 8)
    return {
      ...switches,
      coalesce: { count: random.between(2, 8), delay: Math.round(logUniform(random, 2000, 500_000)) },
    }
  return switches
}

function drawVms(random: Random, { placement, dedicatedCore = CORES - 1 }: ScenarioFile['broker']): VmEntry[] {
  const count = random.pick(VMS)
  const cores = placement === 'dedicated' ? CORES - 1 : CORES
  const share = random.chance(0.25)
  const scarce = random.chance(0.1)
  const unaligned = random.chance(0.15)
  // The dedicated broker's core is left to it.
  const coreOf = (place: number) => (placement === 'dedicated' && place >= dedicatedCore ? place + 1 : place)
  return Array.from({ length: count }, (_, i) => ({
    name: `v${i}`,
    core: coreOf(share && random.chance(0.5) ? random.between(0, 1) : i % cores),
    cid: 3 + i,
    ...(scarce && random.chance(0.6) && { queue: 2 ** random.between(3, 8) }),
    ...(unaligned && random.chance(0.5) && { buffers: 'unaligned' as const }),
  }))
}

/** Their ends, who releases them, and periods; lengths and other times come later. */
function drawFlows(random: Random, vms: readonly VmEntry[], { bulk }: Shape): FlowEntry[] {
  const count = random.pick([1, 2, 2, 3, 3, 4, 4, 5, 6, 8])
  const chained = random.chance(0.3)
  const flows: FlowEntry[] = []
  const vm = () => random.between(0, vms.length - 1)
  for (let i = 0; i < count; i++) {
    const parent = chained && i > 0 && random.chance(0.6) ? flows[random.between(0, i - 1)]! : null
    const from = parent === null ? vm() : Number(parent.to.slice(1))
    const to = (from + random.between(1, vms.length - 1)) % vms.length
    const ends = { name: `f${i}`, from: `v${from}`, to: `v${to}`, length: 1, payload: 'none' as const }
    if (parent === null) {
      const usual = bulk ? logUniform(random, 30_000, 200_000) : logUniform(random, 30_000, 2_000_000)
      const period = Math.round(bulk && i === 0 ? logUniform(random, 1_000_000, 6_000_000) : usual)
      flows.push({ ...ends, period })
    } else flows.push({ ...ends, period: parent.period, after: parent.name, compute: random.chance(0.4) ? 0 : -1 })
  }
  return flows
}

/** Software takes its share of the load too: periods grow until both fit in it. */
function stretch(
  flows: FlowEntry[],
  broker: ScenarioFile['broker'],
  vms: readonly VmEntry[],
  costNs: (op: CostOpName) => number,
  rate: number,
  load: number,
): void {
  let used = 0
  for (const flow of flows) {
    used +=
      (flow.length / rate + softwareNs(flow, broker, vms, costNs, rate)) / flow.period +
      (flow.compute === -1 ? COMPUTED : 0)
  }
  const { polling } = Object(broker.interrupts) as { polling?: number }
  const polls = polling === undefined ? 0 : (vms.length * (costNs('guestIsr') + 200)) / polling
  if (polls > 0.3 && polling !== undefined) Object(broker.interrupts).polling = Math.round((polling * polls) / 0.3)
  const factor = used / load
  if (factor <= 1) return
  for (const flow of flows) flow.period = Math.ceil(flow.period * factor)
}

/** About what a message costs, all cores together. */
function softwareNs(
  { length }: FlowEntry,
  broker: ScenarioFile['broker'],
  vms: readonly VmEntry[],
  costNs: (op: CostOpName) => number,
  rate: number,
): number {
  const pieceBytes = Math.min(4096, Number(broker.chunk))
  const pieces = Math.ceil(length / pieceBytes)
  const chains = broker.chaining === 'adaptive' && broker.placement === 'floating'
  const transfers = chains ? Math.ceil(pieces / 17) : pieces
  const descriptors = vms.some(({ buffers }) => buffers === 'unaligned') ? 3 : 1
  const lockNs = costNs('lockCriticalSection') * (1 + new Set(vms.map(({ core }) => core)).size)
  const tellNs = costNs('irqEntryAck') + costNs('injectListRegister') + costNs('guestIsr')
  const messageNs =
    2 * costNs('mmioTrap') +
    4 * lockNs +
    3 * costNs('fetchDescriptor') +
    costNs('guestSend') +
    2 * tellNs +
    2 * costNs('sgi')
  const pieceNs =
    costNs('fetchDescriptor') +
    (descriptors * costNs('dmaPerDescriptor')) / Math.min(1, rate) +
    costNs('usedRing') +
    lockNs / 8
  const transferNs =
    costNs('pick') + costNs('dmaSetup') + costNs('irqEntryAck') + 3 * lockNs + tellNs + costNs('mmioTrap')
  const pages = broker.transfer === 'copy' || broker.placement === 'dedicated' ? 0 : Math.floor(length / 4096)
  const pageNs = 6 * costNs('pteUpdate') + 4 * costNs('tlbInvalidate') + 128 * costNs('cacheCleanPerLine') + lockNs
  const runsNs =
    pages === 0
      ? 0
      : 4 * costNs('smmuInvalidate') + 256 * costNs('copyPerLine') + 4 * costNs('irqEntryAck') + 2 * costNs('tlbRefill')
  return messageNs + pieces * pieceNs + transfers * transferNs + pages * pageNs + runsNs
}

/** Deadlines, jitter, priorities, credit, computations. */
function drawTimes(random: Random, flow: FlowEntry, flows: number, shape: Shape): void {
  const { period } = flow
  const deadline = random.between(0, 3)
  if (shape.patient && random.chance(0.7)) flow.deadline = Math.ceil(period * logUniform(random, 4, 100))
  else if (deadline === 1) flow.deadline = Math.ceil(period * (0.1 + 0.9 * random.unit()))
  else if (deadline > 1) flow.deadline = Math.ceil(period * (1 + 3 * random.unit()))
  if (flow.after === undefined) {
    const most = random.pick(shape.late ? [0.5, 1, 2.5, 2.5] : [0, 0, 0.3, 1])
    const jitter = Math.min(Math.floor(period * most * random.unit()), (flow.deadline ?? period) - 1)
    if (jitter > 0) flow.jitter = jitter
  } else if (flow.compute === -1) flow.compute = Math.floor(period * 2 * COMPUTED * random.unit())
  if (shape.bulk && flow.name === 'f0' && random.chance(0.6)) flow.priority = 0
  else if (random.chance(0.4)) flow.priority = random.between(0, flows)
  if (shape.credit === 'little' && random.chance(0.5)) flow.credit = flow.length * random.between(1, 11)
  else if (shape.credit !== 'plenty' && random.chance(0.5)) flow.credit = flow.length * random.between(12, 40)
}

/**
 * Some cores get a budget of cache refills: some of them one that lasts for a small part of a long period. Returns the smallest share of
 * its time that a core then has, at most 1.
 */
function throttle(
  random: Random,
  vms: readonly VmEntry[],
  flows: readonly FlowEntry[],
  { starves, throttled }: Shape,
): number {
  let awake = 1
  if (!starves && !throttled) return awake
  const longest = Math.max(...flows.map((flow) => flow.period))
  for (let core = 0; core < CORES; core++) {
    if (random.chance(0.5)) continue
    const period =
      Math.round(starves ? longest * (0.5 + 4 * random.unit()) : logUniform(random, 50_000, 1_000_000)) + 70_000
    const share = starves ? 0.05 + 0.5 * random.unit() : 0.6 + 0.5 * random.unit()
    const refillsPerUs = random.between(1, 10)
    const memguard = { refills: Math.max(1, Math.floor((period * share * refillsPerUs) / 1000)), period }
    for (const vm of vms) if (vm.core === core) Object.assign(vm, { refillsPerUs, memguard })
    if (vms.some((vm) => vm.core === core)) awake = Math.min(awake, share)
  }
  return awake
}

function addTasks(random: Random, vms: readonly VmEntry[], flows: readonly FlowEntry[]): void {
  if (!random.chance(0.3)) return
  const longest = Math.max(...flows.map((flow) => flow.period))
  for (const vm of vms) {
    if (random.chance(0.5)) continue
    vm.tasks = Array.from({ length: random.between(1, 2) }, (_, i) => {
      const period = Math.ceil(longest * (0.2 + random.unit()))
      return { name: `t${i}`, period, wcet: Math.ceil(period * 0.3 * random.unit()), deadline: 2 * period }
    })
  }
}

/** A chain for each flow that comes after others and that none comes after; and one for a part of it. */
function chainsOf(flows: readonly FlowEntry[]): Pick<ScenarioFile, 'chains'> {
  const chains: NonNullable<ScenarioFile['chains']> = []
  for (const last of flows) {
    if (last.after === undefined || flows.some(({ after }) => after === last.name)) continue
    const path: FlowEntry[] = []
    for (let flow: FlowEntry | undefined = last; flow; flow = flows.find(({ name }) => name === path[0]?.after))
      path.unshift(flow)
    chains.push({
      name: `c${chains.length}`,
      flows: path.map(({ name }) => name),
      deadline: path.reduce((sum, flow) => sum + (flow.deadline ?? flow.period), 0),
    })
  }
  return chains.length === 0 ? {} : { chains }
}
