/**
 * The whole simulated machine for one scenario and one design: board, VMs with their devices, drivers and guests, the broker
 * between them, and the loop that takes events until every message has arrived.
 *
 * Connections are set up first; then the flows start together at a multiple of the regulator's period, and counting begins.
 */

import type { BoardProfile } from '../boards/index.ts'
import type { Relay } from '../broker/index.ts'
import { assert } from '../internal/assert.ts'
import { Random } from '../internal/random.ts'
import type { Delivery, FlowLedger } from '../machine/index.ts'
import {
  type GuestFlow,
  type GuestProgram,
  Hops,
  Kick,
  MachineMemory,
  type MakeGuest,
  PayloadSource,
  Software,
} from '../machine/index.ts'
import type { Design } from '../plan/index.ts'
import { dmaBytesPerNs, interruptsOf, receiveBuffersOf, refillBudgets, refuseImpossible } from '../plan/index.ts'
import { CostOp } from '../platform/index.ts'
import type { FlowSpec, InterruptSpec, ReleaseTrace, Scenario } from '../scenario/index.ts'
import { CoreLevel, EventKernel, PreemptiveCores, TicketLock, type TraceRecorder } from '../sim/index.ts'
import type { DeviceRegisters } from '../virtio/index.ts'
import { ZeroCopyCounters } from '../zero-copy/index.ts'
import { Board } from './board.ts'
import type { BoardHardware } from './board-hardware.ts'
import { CORE_DONE_EVENT, GUEST_EVENTS, MEMGUARD_EVENTS } from './board-parts.ts'
import { CostModel } from './cost-model.ts'
import { Counters } from './counters.ts'
import { Gdma } from './gdma.ts'
import { Gic } from './gic.ts'
import { attack, type Intruder } from './intruder.ts'
import { MemGuard } from './memguard.ts'
import { ReleaseTimes } from './release-times.ts'
import { TraceKind, Track } from './trace-names.ts'

export interface MachineOptions {
  readonly design: Design
  readonly profile: BoardProfile
  readonly payload: (flowName: string) => Uint8Array | null
  readonly trace: TraceRecorder
  readonly onMessage?: (message: Delivery) => void
  readonly intruder?: Intruder | readonly Intruder[]
  readonly latenessNs?: (flow: number, sequence: number) => number
  readonly releases?: (flowName: string) => ReleaseTrace | null
  /** What its RAM lies in, from the first byte on, zeroed: of a machine that is not used any more, where there are many. Default: its own. */
  readonly ram?: ArrayBuffer
  /** What does for real what the board decides. Default: nothing does. */
  readonly behind?: (memory: MachineMemory) => BehindBoard
}

/** A machine behind the board, and its guests. */
export interface BehindBoard {
  readonly hardware: BoardHardware
  readonly makeGuest: MakeGuest
  /** The flows start: what was counted before is forgotten. */
  resetCounts(): void
}

/** What a guest's core does; the activity's argument is the VM, for a kick `vm * 2 + queue`, for a computation the flow after it. */
const Activity = { send: 0, interrupt: 1, kick: 2, poll: 3, compute: 4, stall: 5, reset: 6 } as const
const RELEASE_EVENT = GUEST_EVENTS
const POLL_EVENT = GUEST_EVENTS + 1
/** Releases before anything else of the same moment, completions after the hardware. */
const RELEASE_PRIORITY = 0
const COMPLETION_PRIORITY = 2
const SETUP_LIMIT_NS = 10_000_000_000

export class Machine {
  readonly kernel = new EventKernel({ capacity: 256 })
  readonly counters: Counters
  readonly memory: MachineMemory
  readonly cores: PreemptiveCores
  readonly memguard: MemGuard
  readonly ledgers: readonly FlowLedger[]
  /** Times are counted from here: all connections are up. */
  epochNs = 0
  violations = 0
  readonly #scenario: Scenario
  readonly #options: MachineOptions
  /** By VM. */
  readonly #intruders: ReadonlyMap<number, Intruder>
  readonly #board: Board
  readonly #relay: Relay
  readonly #behind: BehindBoard | null
  readonly #costs: CostModel
  readonly #guests: readonly GuestProgram[]
  readonly #registers: readonly DeviceRegisters[]
  readonly #vmCores: readonly number[]
  readonly #gic: Gic
  /** By flow: the VM that sends it. */
  readonly #sources: readonly number[]
  readonly #releaseTimes: ReleaseTimes
  readonly #interrupts: InterruptSpec
  readonly #hops: Hops
  /** By VM: a poll waits or runs; the next one is left out then. */
  readonly #polls: Uint8Array
  /** By core: what its guests have to do with devices, as activities; not what they compute, nor refilling a TLB. */
  readonly #guestWork: Int32Array
  #undelivered = 0
  /** Messages that a timer or a computation has still to release. */
  #releasesLeft = 0
  #zeroCopyBefore: Readonly<ZeroCopyCounters> = new ZeroCopyCounters()

  constructor(scenario: Scenario, options: MachineOptions) {
    const { profile, trace } = options
    const coreCount = profile.cores.value
    refuseImpossible(scenario, options.design, coreCount)
    this.#scenario = scenario
    this.#options = options
    this.#intruders = new Map([options.intruder ?? []].flat().map((intruder) => [intruder.vm, intruder]))
    this.#vmCores = scenario.vms.map((vm) => vm.core)
    this.#releaseTimes = new ReleaseTimes(scenario, options)
    this.#interrupts = interruptsOf(scenario, options.design)

    this.counters = new Counters(coreCount)
    this.cores = new PreemptiveCores(this.kernel, coreCount, CORE_DONE_EVENT, COMPLETION_PRIORITY)
    const budgets = refillBudgets(scenario, profile)
    this.memguard = new MemGuard(this.kernel, MEMGUARD_EVENTS, scenario.broker.memguard, budgets)
    this.#gic = new Gic(coreCount, profile.listRegisters.value)
    this.#costs = new CostModel(profile, scenario.costs, scenario.overrides, new Random(scenario.seed, 1))
    this.memory = new MachineMemory(scenario, profile, options.ram)
    const { dram, stage2 } = this.memory
    this.#behind = options.behind?.(this.memory) ?? null
    this.#board = new Board(
      {
        kernel: this.kernel,
        cores: this.cores,
        lock: new TicketLock(coreCount),
        gic: this.#gic,
        dma: new Gdma(
          dmaBytesPerNs(scenario, profile),
          profile.dmaPrefetchedPieces.value,
          () => this.#costs.drawNs(CostOp.dmaPerDescriptor, 1),
          (source, destination, bytes) => dram.physicalPieces(source, destination, bytes),
        ),
        dram,
        stage2,
        vmCores: this.#vmCores,
        costs: this.#costs,
        counters: this.counters,
        memguard: this.memguard,
        trace,
        hardware: this.#behind?.hardware ?? null,
        movesBytes: scenario.flows.some((flow) => flow.payload.kind !== 'none'),
        guestsBusy: (core) => this.#guestWork[core]! > 0,
        onGuestInterrupt: (vm) => this.#enqueue(vm, CoreLevel.interrupt, CostOp.guestIsr, Activity.interrupt),
        onStatusAccess: (vm) => this.#resetDevice(vm),
        onTlbFlush: (vm) => this.#stall(vm),
      },
      coreCount,
    )
    const software = new Software(scenario, {
      design: options.design,
      profile,
      port: this.#board,
      memory: this.memory,
      host: {
        now: () => this.kernel.now,
        onDelivered: (flow, sequence, bytes) => this.#delivered(flow, sequence, bytes),
      },
      payload: (flow, index) => this.#payloadOf(flow, index),
      lengthsBytes: (flow) => this.#releaseTimes.traces[flow]?.lengthsBytes ?? null,
      keepsBytes: options.onMessage !== undefined,
      onViolation: () => this.violations++,
      ...(this.#behind !== null && { makeGuest: this.#behind.makeGuest }),
    })
    this.#board.connect(software.broker)
    this.#relay = software.relay
    this.ledgers = software.ledgers
    this.#guests = software.guests
    this.#registers = software.registers
    this.#sources = software.sources
    this.#hops = new Hops(scenario)
    this.#polls = new Uint8Array(scenario.vms.length)
    this.#guestWork = new Int32Array(coreCount)
  }

  /** The VM's core walks its page tables again. */
  #stall(vm: number): void {
    const refillNs = this.#costs.drawNs(CostOp.tlbRefill, 1)
    this.counters.tlbRefillNs += refillNs
    this.cores.enqueue(this.#vmCores[vm]!, CoreLevel.interrupt, refillNs, Activity.stall, vm)
  }

  #payloadOf({ name, payload }: FlowSpec, index: number): PayloadSource | null {
    if (payload.kind === 'none') return null
    const bytes = this.#options.payload(name)
    return bytes === null ? PayloadSource.noise(this.#scenario.seed, 16 + index) : new PayloadSource(bytes)
  }

  // ---- running

  /** Sets up all connections, then starts counting and the flows. */
  start(): void {
    this.#startPolling()
    this.#guests.forEach((guest, vm) => {
      this.#kick(vm, guest.start(receiveBuffersOf(this.#scenario, vm)))
    })
    while (this.kernel.next()) {
      this.#handle()
      // Timers that come back for ever would hide that nothing else does.
      assert(this.kernel.now < SETUP_LIMIT_NS, 'connections are established in time')
    }
    assert(this.#allReady(), 'every connection is established before the flows start')
    const regulator = this.#scenario.broker.regulator
    const period = regulator.kind === 'budget' ? regulator.periodNs : 1_000_000
    this.epochNs = (Math.floor(this.kernel.now / period) + 1) * period
    this.#scenario.flows.forEach((flow, index) => {
      if (flow.after === null) this.#scheduleRelease(index, 0)
    })
    this.#startPolling()
    this.kernel.nextUntil(this.epochNs - 1)
    this.counters.reset()
    this.#behind?.resetCounts()
    this.#costs.actions.fill(0)
    this.#zeroCopyBefore = this.#relay.zeroCopy?.counters?.snapshot() ?? new ZeroCopyCounters()
    this.cores.resetAccounting()
    this.memguard.start(this.epochNs)
  }

  #allReady(): boolean {
    return this.#guests.every((guest) => guest.ready)
  }

  /** Something has still to happen before the flows start, or before every message has arrived. */
  #unfinished(): boolean {
    return this.epochNs === 0 ? !this.#allReady() : this.#releasesLeft > 0 || this.#undelivered > 0
  }

  /** VMs that poll do so at fixed times, each in a phase of its own. */
  #startPolling(): void {
    const { pollingNs } = this.#interrupts
    if (pollingNs === 0) return
    const phases = new Random(this.#scenario.seed, 3)
    const fromNs = Math.max(this.epochNs, this.kernel.now)
    for (let vm = 0; vm < this.#guests.length; vm++) {
      this.kernel.schedule(fromNs + phases.between(0, pollingNs - 1), RELEASE_PRIORITY, POLL_EVENT, vm, 0)
    }
  }

  #poll(vm: number): void {
    if (!this.#unfinished()) return
    this.kernel.schedule(this.kernel.now + this.#interrupts.pollingNs, RELEASE_PRIORITY, POLL_EVENT, vm, 0)
    if (this.#polls[vm] === 1) return
    this.#polls[vm] = 1
    this.#enqueue(vm, CoreLevel.thread, CostOp.guestIsr, Activity.poll)
  }

  /** Takes events up to `untilNs` after the epoch. False: nothing is left to happen, every message has arrived. */
  run(untilNs: number): boolean {
    const limitNs = this.epochNs + untilNs
    while (this.#unfinished()) {
      if (!this.kernel.nextUntil(limitNs)) return this.kernel.pending > 0
      this.#handle()
    }
    this.memguard.stop()
    // What is still pending: completions on their way to senders.
    while (this.kernel.nextUntil(limitNs)) this.#handle()
    return this.kernel.pending > 0
  }

  #handle(): void {
    const { kind, a, b } = this.kernel
    if (this.#board.handle(kind, a, b)) return
    if (kind === RELEASE_EVENT) {
      this.#scheduleRelease(a, b + 1)
      this.#release(a)
    } else if (kind === POLL_EVENT) this.#poll(a)
    else {
      if (kind !== CORE_DONE_EVENT) assert(false, `an event of unknown kind ${kind}`)
      this.cores.finish(a)
      const { finishedKind } = this.cores
      if (finishedKind !== Activity.stall && finishedKind !== Activity.compute) this.#guestWork[a]!--
      this.#runGuest(a, finishedKind, this.cores.finishedA)
      this.#board.guestFinished(a)
    }
  }

  /** Release `k` of a flow, if there is one. */
  #scheduleRelease(flow: number, k: number): void {
    const atNs = this.#releaseTimes.atNs(flow, k)
    if (atNs === null) return
    this.#releasesLeft++
    this.kernel.schedule(Math.max(this.epochNs + atNs, this.kernel.now), RELEASE_PRIORITY, RELEASE_EVENT, flow, k)
  }

  /** A timer, or the computation that follows an arrival, released a message. */
  #release(flow: number): void {
    const vm = this.#sources[flow]!
    this.#releasesLeft--
    if (!this.#intruders.has(vm)) this.#undelivered++
    const { now } = this.kernel
    const sequence = this.ledgers[flow]!.release(now)
    this.#options.trace.begin(TraceKind.message, Track.flow(flow), now, flow, sequence)
    this.#hops.released(flow, now)
    this.#guests[vm]!.release(flow)
    this.#enqueue(vm, CoreLevel.thread, CostOp.guestSend, Activity.send)
  }

  #enqueue(vm: number, level: number, op: number, kind: number): void {
    this.#guestWork[this.#vmCores[vm]!]!++
    this.cores.enqueue(this.#vmCores[vm]!, level, this.#costs.drawNs(op, 1), kind, vm)
  }

  #runGuest(core: number, kind: number, argument: number): void {
    const trace = this.#options.trace
    if (kind === Activity.kick) {
      this.#board.trap(core, argument >> 1, argument & 1)
      return
    }
    if (kind === Activity.stall) return
    if (kind === Activity.reset) {
      this.#board.trapReset(core, argument)
      return
    }
    if (kind === Activity.compute) {
      this.#release(argument)
      return
    }
    const sends = kind === Activity.send
    trace.instant(sends ? TraceKind.guestSend : TraceKind.guestIsr, Track.guest(core), this.kernel.now, argument, 0)
    if (kind === Activity.interrupt) this.#gic.endOfInterrupt(core, argument)
    if (kind === Activity.poll) this.#polls[argument] = 0
    const guest = this.#guests[argument]!
    const intruder = this.#intruders.get(argument)
    if (intruder !== undefined && this.epochNs > 0) {
      const behave = () => (sends ? guest.send() : guest.handleInterrupt())
      const { memory } = this.memory.stage2[argument]!
      this.#kick(argument, attack(intruder, memory, behave, this.#registers[argument]!))
    } else this.#kick(argument, sends ? guest.send() : guest.handleInterrupt())
  }

  /** The guest's code writes its doorbells one after another, before anything else of it runs. */
  #kick(vm: number, kicks: number): void {
    const core = this.#vmCores[vm]!
    const trap = (kind: number, argument: number) => {
      this.#guestWork[core]!++
      this.cores.enqueue(core, CoreLevel.interrupt, 0, kind, argument)
    }
    if (kicks & Kick.receive) trap(Activity.kick, 2 * vm)
    if (kicks & Kick.transmit) trap(Activity.kick, 2 * vm + 1)
    if (kicks & Kick.reset) trap(Activity.reset, vm)
  }

  /** Writing 0 again while a reset is under way changes nothing. */
  #resetDevice(vm: number): void {
    const registers = this.#registers[vm]!
    registers.writeStatus(0)
    this.#intruders.get(vm)?.onStatus?.(registers.readStatus(), this.memory.stage2[vm]!.memory)
  }

  #delivered(flow: GuestFlow, sequence: number, bytes: Uint8Array): void {
    if (!this.#intruders.has(this.#sources[flow.index]!)) this.#undelivered--
    for (const next of this.#hops.arrived(flow.index, this.kernel.now)) {
      this.#releasesLeft++
      const core = this.#vmCores[this.#sources[next]!]!
      this.cores.enqueue(core, CoreLevel.computation, this.#scenario.flows[next]!.computeNs, Activity.compute, next)
    }
    this.#options.trace.end(TraceKind.message, Track.flow(flow.index), this.kernel.now, flow.index, sequence)
    this.#options.onMessage?.({
      flow: this.#scenario.flows[flow.index]!.name,
      sequence,
      bytes,
      responseNs: flow.ledger.lastResponseNs,
    })
  }

  /** By flow: what was delivered. */
  bytesDelivered(flow: number): number {
    const { delivered } = this.ledgers[flow]!
    const lengths = this.#releaseTimes.traces[flow]?.lengthsBytes ?? null
    if (lengths === null) return delivered * this.#scenario.flows[flow]!.lengthBytes
    return lengths.slice(0, delivered).reduce((sum, bytes) => sum + bytes, 0)
  }

  /** By chain. */
  get chainLedgers(): readonly FlowLedger[] {
    return this.#hops.ledgers
  }

  /** What was charged since the epoch, by cost op. */
  get actions(): Float64Array {
    return this.#costs.actions
  }

  /** What was moved without copying since the epoch. */
  zeroCopyCounts(): Readonly<ZeroCopyCounters> {
    return (this.#relay.zeroCopy?.counters ?? new ZeroCopyCounters()).since(this.#zeroCopyBefore)
  }

  /** EL2 time of a core since the epoch, ns; not that in which it was throttled, when its guest could not run anyway. */
  stolenNs(core: number): number {
    return this.cores.busyNs(core, CoreLevel.hypervisor) - this.memguard.throttledNs(core)
  }
}
