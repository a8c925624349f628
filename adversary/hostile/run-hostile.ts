/** One run: honest VMs with their flows, one or two hostile ones beside them, and what was broken. */
import { Random } from '../../src/internal/random.ts'
import { leastRamOf } from '../../src/machine/vm.ts'
import { CALLING_PORT, LISTENING_PORT } from '../../src/machine/vsock-router.ts'
import { COST_OPS } from '../../src/platform/index.ts'
import {
  type BoardProfile,
  type Intruder,
  type Prediction,
  predict,
  predictUntrusted,
  zcu102,
} from '../../src/platform-zcu102/index.ts'
import { Machine } from '../../src/platform-zcu102/machine.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import {
  Accomplices,
  HOSTILE_STRATEGIES,
  HostileGuest,
  type HostilePeer,
  type HostileStrategyName,
} from '../../src/testing/hostile-guest/index.ts'
import { Witness } from '../witness.ts'
import { type Break, type BreakKind, IsolationChecker } from './isolation-checker.ts'

export interface HostileRun {
  readonly index: number
  readonly strategies: readonly HostileStrategyName[]
  readonly resets: number
  readonly turns: number
  /** Honest flows that have a bound whatever others do, and holds of the lock; largest observed / bound among them. */
  readonly bounds: number
  readonly nearest: number
  /** The same of flows that have none, against their bound beside honest guests. */
  readonly beside: number
  readonly nearestBeside: number
  readonly breaks: readonly Break[]
  readonly ingredients: readonly (readonly [option: string, value: string])[]
}

/** So many runs have one scenario, under different attacks. */
const RUNS_A_SCENARIO = 25
const DURATION_NS = 4_000_000
/** From then on hostile guests do nothing, and honest ones have so long for what is under way. */
const QUIET_NS = 3_400_000
const DRAINED_NS = 12_000_000
const NOISE_BYTES = 2 ** 18
/** Machines follow each other in it: with RAM of its own for each, a third of a run would go by with making and collecting that. */
const RAM = new ArrayBuffer(32 * 1024 * 1024)

const TRANSFERS = ['copy', 'remap', 'lend', 'auto'] as const
const REGULATORS = [
  'none',
  '{ kind: rate, bytesPerNs: 0.5 }',
  '{ kind: bucket, bytesPerNs: 0.5, burst: 64KiB }',
  '{ kind: budget, budget: 50us, period: 100us }',
]

/** A share of the board's typical costs, at most: so honest flows have bounds beside hostile ones that have many turns. */
function profileOf(share: number): BoardProfile {
  const costs = COST_OPS.map((op) => {
    const { value, ...fact } = zcu102.costsNs[op]
    const [best, worst] = [0, 1].map((i) => Math.round(value[i]! * share))
    return [op, { ...fact, value: [best, worst, worst] }]
  })
  return { ...zcu102, costsNs: Object.fromEntries(costs) as unknown as BoardProfile['costsNs'] }
}

interface Arena {
  readonly scenario: Scenario
  readonly profile: BoardProfile
  readonly prediction: Prediction
  /** By flow: its bound whatever hostile VMs do. */
  readonly boundsNs: readonly (number | null)[]
  readonly hostile: readonly number[]
  readonly ingredients: readonly (readonly [string, string])[]
}

/** Honest VMs have no RAM that they do not need: all of it that they do not write is filled with secrets, and searched, in each run. */
function leastBytes(scenario: Scenario, vm: number): number {
  const { privateBytes, payloadBytes } = leastRamOf(scenario, vm)
  return privateBytes + payloadBytes
}

/** Payload of a flow: the same noise for all runs, each of which begins elsewhere in it. */
const noiseOf = new Map<string, Uint8Array>()
function noise(flow: string, index: number): Uint8Array {
  let bytes = noiseOf.get(flow)
  if (bytes === undefined) {
    const random = new Random(noiseOf.size, 0x0153)
    bytes = Uint8Array.from({ length: NOISE_BYTES }, () => random.u32())
    noiseOf.set(flow, bytes)
  }
  return bytes.subarray((index * 769) % (NOISE_BYTES / 2))
}

let known: { readonly key: string; readonly arena: Arena } | null = null

/** The scenario of a run. Runs that share one are next to each other. */
export function arenaOf(seed: number, index: number): Arena {
  const number = Math.floor(index / RUNS_A_SCENARIO)
  const key = `${seed} ${number}`
  if (known?.key !== key) known = { key, arena: drawArena(new Random(seed, number)) }
  return known.arena
}

function drawArena(random: Random): Arena {
  const transfer = random.pick(TRANSFERS)
  const placement = transfer === 'copy' ? random.pick(['floating', 'dedicated'] as const) : 'floating'
  const scheduler = random.pick(['edf', 'fp'] as const)
  const regulator = random.pick(REGULATORS)
  const interrupts = random.pick([
    'minimum',
    'minimum',
    'plain',
    '{ eventIdx: false }',
    '{ coalesce: { count: 3, delay: 50us } }',
  ])
  const profile = profileOf(random.pick([0.1, 0.1, 0.2, 0.3]))
  const collude = random.chance(0.35)
  const memguard = random.chance(0.15)
  const budget = memguard ? ', refillsPerUs: 5, memguard: { refills: 2000, period: 500us }' : ''
  const queue = () => (random.chance(0.6) ? `, queue: ${2 ** random.between(3, 8)}` : '')
  const pages = random.between(1, 10)
  // Lent pages that are sent on are copied four a step: what is longer is held between steps.
  const longer = transfer === 'lend' && random.chance(0.6)
  const noiseBytes = longer ? 4096 * random.between(5, 8) : random.pick([4096, 16_384, 32_768])
  const baitBytes = longer
    ? 4096 * random.between(5, 8)
    : random.pick([300, 2000, 4096 * random.between(1, 8), 4096 * random.between(5, 8)])
  const drawn = parseScenario(`
duration: ${DURATION_NS}
costs: ${random.pick(['worst', 'random'])}
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: planner, core: 1, cid: 4${random.chance(0.25) ? `, queue: ${2 ** random.between(3, 6)}` : ''} }
  - { name: mallory, core: 2, cid: 5${queue()}${budget} }
${collude ? `  - { name: trudy, core: 2, cid: 6${queue()}${budget} }` : ''}
flows:
  - { name: frames, from: camera, to: planner, period: 700us, deadline: 2ms, length: ${4096 * pages + (random.chance(0.3) ? random.between(1, 4000) : 0)} }
  - { name: commands, from: planner, to: camera, period: 400us, deadline: 1200us, length: ${random.between(1, 5000)} }
  - { name: noise, from: mallory, to: planner, period: ${random.between(100, 250)}us, deadline: 2ms, length: ${noiseBytes} }
  - { name: bait, from: camera, to: mallory, period: 300us, deadline: 3ms, length: ${baitBytes} }
${
  collude
    ? `  - { name: gift, from: trudy, to: mallory, period: ${random.between(150, 300)}us, deadline: 3ms, length: 8KiB }
  - { name: favour, from: mallory, to: trudy, period: ${random.between(150, 300)}us, deadline: 3ms, length: 8KiB }`
    : ''
}
broker:
  placement: ${placement}
  scheduler: ${scheduler}
  regulator: ${regulator}
  transfer: ${transfer}
${transfer === 'copy' ? '' : '  remapThreshold: 4096'}
${transfer === 'lend' ? `  lentPages: ${random.pick([16, 64, 512])}` : ''}
${transfer !== 'copy' && random.chance(0.25) ? '  colorPolicy: pool' : ''}
  interrupts: ${interrupts}
  memguard: ${random.pick(['service', 'interruptible', 'retarget', 'accept'])}
  chaining: ${random.pick(['adaptive', 'piece'])}
`)
  const hostile = drawn.vms.flatMap(({ name }, vm) => (name === 'mallory' || name === 'trudy' ? [vm] : []))
  const scenario = {
    ...drawn,
    vms: drawn.vms.map((vm, i) => (hostile.includes(i) ? vm : { ...vm, ramBytes: leastBytes(drawn, i) })),
  }
  const prediction = predict(scenario, { design: placement, profile })
  const untrusted = predictUntrusted(scenario, prediction, { design: placement, profile })
  return {
    scenario,
    profile,
    prediction,
    boundsNs: untrusted.map(({ endToEndNs }) => endToEndNs),
    hostile,
    ingredients: [
      ['placement', placement],
      ['scheduler', scheduler],
      ['transfer', transfer],
      ['regulator', scenario.broker.regulator.kind],
      ['hostile', collude ? 'two' : 'one'],
      ['memguard', memguard ? 'yes' : 'no'],
    ],
  }
}

/** `strategies`: of every hostile guest; default: drawn. */
export function runHostile(seed: number, index: number, strategies?: readonly HostileStrategyName[]): HostileRun {
  const { scenario: shared, prediction, boundsNs, profile, hostile, ingredients } = arenaOf(seed, index)
  const scenario: Scenario = { ...shared, seed: index }
  const accomplices = new Accomplices()
  const guests = hostile.map(
    (vm, i) =>
      new HostileGuest({
        seed: 2 ** 20 * seed + 2 * index + i,
        cid: scenario.vms[vm]!.cid,
        peers: peersOf(scenario, vm),
        accomplices,
        strategies: strategies ?? drawStrategies(new Random(2 ** 20 * seed + 2 * index + i, 0x57a7), scenario),
      }),
  )
  const witness = new Witness(scenario.flows.length)
  const machine: Machine = new Machine(scenario, {
    design: scenario.broker.placement,
    profile,
    payload: (name) => noise(name, index),
    ram: RAM,
    trace: witness,
    intruder: hostile.map((vm, i) => intruderOf(vm, guests[i]!, () => machine.kernel.now - machine.epochNs < QUIET_NS)),
  })
  const checker = new IsolationChecker(machine, scenario, new Set(hostile))
  try {
    machine.start()
    witness.start()
    checker.watch()
    machine.run(DURATION_NS)
    machine.run(DRAINED_NS)
    checkHonest(checker, machine, scenario, hostile)
  } catch (error) {
    checker.note('crash', error instanceof Error ? error.message : String(error))
  }
  checker.finish()
  const compared = checkTimes(checker, machine, scenario, hostile, { boundsNs, prediction }, witness)
  return {
    index,
    strategies: [...new Set(guests.flatMap((guest) => guest.strategies))],
    resets: guests.reduce((sum, guest) => sum + guest.resets, 0),
    turns: accomplices.turns,
    ...compared,
    breaks: checker.breaks,
    ingredients,
  }
}

/** Three of all; where pages are lent, one of them often sends these on. */
function drawStrategies(random: Random, { broker: { transfer } }: Scenario): HostileStrategyName[] {
  const drawn = [0, 0, 0].map(() => random.pick(HOSTILE_STRATEGIES))
  if (transfer === 'lend' && random.chance(0.4)) drawn[random.between(0, 2)] = 'borrowed'
  return drawn
}

function intruderOf(vm: number, guest: HostileGuest, acts: () => boolean): Intruder {
  return {
    vm,
    act: (memory, _, registers) => (acts() ? guest.turn(memory, registers) : 0),
    onStatus: (status) => guest.resetRead(status),
  }
}

/** Its own connections, those on which it sends first, and those of others. */
function peersOf({ flows, vms }: Scenario, vm: number): HostilePeer[] {
  const cidOf = (name: string) => vms.find((other) => other.name === name)!.cid
  const { name } = vms[vm]!
  const peers = flows.map(({ from, to, lengthBytes }, flow) => {
    const [calling, listening] = [CALLING_PORT + flow, LISTENING_PORT + flow]
    const outgoing = { cid: cidOf(to), localPort: calling, peerPort: listening, longestBytes: lengthBytes }
    const incoming = { cid: cidOf(from), localPort: listening, peerPort: calling, longestBytes: 0 }
    return { rank: from === name ? 0 : to === name ? 1 : 2, peer: to === name ? incoming : outgoing }
  })
  return peers.sort((a, b) => a.rank - b.rank).map(({ peer }) => peer)
}

function honestFlows({ flows, vms }: Scenario, hostile: readonly number[]): number[] {
  const isHostile = (name: string) => hostile.some((vm) => vms[vm]!.name === name)
  return flows.flatMap(({ from, to }, flow) => (isHostile(from) || isHostile(to) ? [] : [flow]))
}

function checkHonest(
  checker: IsolationChecker,
  machine: Machine,
  scenario: Scenario,
  hostile: readonly number[],
): void {
  for (const flow of honestFlows(scenario, hostile)) {
    const { delivered, mismatches, released } = machine.ledgers[flow]!
    const { name } = scenario.flows[flow]!
    if (delivered < released)
      checker.note('lost', `${released - delivered} of ${released} messages of ${name} never arrived`)
    if (mismatches > 0) checker.note('corrupt', `${mismatches} messages of ${name} arrived with other bytes`)
  }
}

/** The bounds are those of the scenario as declared, whatever hostile guests do. */
function checkTimes(
  checker: IsolationChecker,
  machine: Machine,
  scenario: Scenario,
  hostile: readonly number[],
  { boundsNs, prediction }: Pick<Arena, 'boundsNs' | 'prediction'>,
  { readNs, releasedNs }: Witness,
): Pick<HostileRun, 'bounds' | 'nearest' | 'beside' | 'nearestBeside'> {
  let [bounds, nearest, beside, nearestBeside] = [0, 0, 0, 0]
  const compare = (kind: BreakKind, what: string, observedNs: number, boundNs: number | null) => {
    if (boundNs === null || boundNs === Number.POSITIVE_INFINITY) return
    if (kind === 'slow') {
      beside++
      nearestBeside = Math.max(nearestBeside, observedNs / boundNs)
    } else {
      bounds++
      nearest = Math.max(nearest, observedNs / boundNs)
    }
    if (observedNs > boundNs) checker.note(kind, `${what}: ${observedNs} ns, bound ${boundNs} ns`)
  }
  for (const flow of honestFlows(scenario, hostile)) {
    let longestNs = 0
    releasedNs[flow]!.forEach((atNs, sequence) => {
      longestNs = Math.max(longestNs, (readNs[flow]![sequence] ?? machine.kernel.now) - atNs)
    })
    const what = `response of ${scenario.flows[flow]!.name}`
    if (boundsNs[flow] !== null) compare('late', what, longestNs, boundsNs[flow]!)
    else compare('slow', what, longestNs, prediction.flows[flow]!.endToEndNs)
  }
  compare('hold', 'longest hold of the lock', machine.counters.longestLockHoldNs, prediction.lockHoldNs)
  return { bounds, nearest, beside, nearestBeside }
}
