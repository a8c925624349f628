/**
 * A machine without speed, to race everybody against everybody: guests, broker steps, the DMA and timers run in any order that
 * the hardware allows, drawn from a seed, and whoever touches the indices, flags or event fields of a ring may be overtaken by
 * what other cores do just before. Nothing is ever late here, so what does not arrive would wait for ever.
 */
import type { Broker } from '../../src/broker/index.ts'
import { Random } from '../../src/internal/random.ts'
import { type GuestProgram, Kick } from '../../src/machine/guest.ts'
import { MachineMemory } from '../../src/machine/machine-memory.ts'
import type { FlowLedger } from '../../src/machine/message-ledger.ts'
import { PayloadSource } from '../../src/machine/payload.ts'
import { Software } from '../../src/machine/software.ts'
import { BUFFERS_PER_FLOW, receiveBuffersOf } from '../../src/plan/guest-queues.ts'
import {
  BrokerCause,
  type DmaList,
  NO_INTERRUPT,
  PlatformCapability,
  type PlatformPort,
  StepResult,
} from '../../src/platform/index.ts'
import { zcu102 } from '../../src/platform-zcu102/index.ts'
import type { Scenario } from '../../src/scenario/index.ts'
import { TicketLock } from '../../src/sim/index.ts'

const CORES = 4
/** Beyond the broker's causes: an IPI that asks a core to inject a virtual interrupt. */
const INJECT = 4
/** Actions in which the others come to rest, mostly. */
const EVERYTHING = 300
const PAYLOAD = Uint8Array.from({ length: 251 }, (_, i) => i)

interface CoreState {
  inEl2: boolean
  /** Between two steps of the broker, with more to do; or spinning; or handed the lock. */
  unfinished: boolean
  spins: boolean
  granted: boolean
  /** Bits of causes. */
  pending: number
  timerNs: number
  readonly injections: Set<number>
}

interface VmState {
  readonly core: number
  /** Kicks that the guest's code has decided on and not yet written: they come first. */
  readonly doorbells: number[]
  interrupted: boolean
  wantsToSend: boolean
}

export class RacingMachine implements PlatformPort {
  readonly capabilities = PlatformCapability.dmaChaining
  readonly ledgers: readonly FlowLedger[]
  violations = 0
  /** How often somebody was overtaken at a ring. */
  races = 0
  readonly #random: Random
  readonly #scenario: Scenario
  readonly #memory: MachineMemory
  readonly #broker: Broker
  readonly #guests: readonly GuestProgram[]
  readonly #cores: readonly CoreState[]
  readonly #vms: readonly VmState[]
  readonly #lock = new TicketLock(CORES)
  /** By flow: its sender, and the messages that it has still to release. */
  readonly #sources: readonly number[]
  readonly #releases: number[]
  #nowNs = 0
  /** Cores whose code runs now: one, or two while it is overtaken. */
  readonly #active = new Set<number>()
  #list: DmaList | null = null
  #dmaCore = 0
  #dmaStartNs = 0
  #dmaEndNs = 0
  #acceptedPieces = 0
  #movedPieces = 0

  constructor(scenario: Scenario, design: 'dedicated' | 'floating', messagesPerFlow: number) {
    const { flows, vms } = scenario
    this.#random = new Random(scenario.seed, 9)
    this.#scenario = scenario
    this.#memory = new MachineMemory(scenario, zcu102)
    this.#cores = Array.from({ length: CORES }, () => ({
      inEl2: false,
      unfinished: false,
      spins: false,
      granted: false,
      pending: 0,
      timerNs: Number.POSITIVE_INFINITY,
      injections: new Set<number>(),
    }))
    this.#vms = vms.map(({ core }) => ({ core, doorbells: [], interrupted: false, wantsToSend: false }))
    this.#releases = flows.map(() => messagesPerFlow)
    const software = new Software(scenario, {
      design,
      profile: zcu102,
      port: this,
      memory: this.#memory,
      host: { now: () => this.#nowNs, onDelivered: () => {} },
      payload: () => new PayloadSource(PAYLOAD),
      keepsBytes: false,
      onViolation: () => this.violations++,
    })
    this.#broker = software.broker
    this.#guests = software.guests
    this.#sources = software.sources
    this.ledgers = software.ledgers
  }

  // ---- running

  /** Runs until nobody can do anything. False: it is still busy after `limit` actions. */
  run(limit: number): boolean {
    this.#guests.forEach((guest, vm) => {
      this.#kick(vm, guest.start(receiveBuffersOf(this.#scenario, vm)))
    })
    let idlePolls = 0
    for (let actions = 0; actions < limit; actions++) {
      if (this.#act()) idlePolls = 0
      else if (this.#scenario.broker.interrupts.pollingNs === 0 || this.#allArrived() || idlePolls++ > 20) return true
      else for (let vm = 0; vm < this.#vms.length; vm++) this.#runGuest(vm, () => this.#guests[vm]!.handleInterrupt())
    }
    return false
  }

  #allArrived(): boolean {
    return (
      this.ledgers.every(({ delivered, released }) => delivered === released) && this.#releases.every((n) => n === 0)
    )
  }

  /** Somebody whose core is free does something. False: there is nothing to do, now or later. */
  #act(): boolean {
    const possible: (() => void)[] = []
    this.#vms.forEach((vm, index) => {
      if (this.#active.has(vm.core) || this.#cores[vm.core]!.inEl2) return
      const guest = this.#guests[index]!
      if (vm.doorbells.length > 0) possible.push(() => this.#trap(index))
      else if (vm.interrupted) possible.push(() => this.#interruptHandler(index))
      else if (vm.wantsToSend) possible.push(() => this.#sender(index))
      if (this.#scenario.broker.interrupts.pollingNs > 0 && vm.doorbells.length === 0 && this.#random.chance(0.2)) {
        possible.push(() => this.#runGuest(index, () => guest.handleInterrupt()))
      }
    })
    this.#releases.forEach((left, flow) => {
      const vm = this.#sources[flow]!
      const { core } = this.#vms[vm]!
      // Most often once its connection is up: what is released before goes as one burst.
      const isTime = this.#random.chance(this.#guests[vm]!.ready ? 0.3 : 0.003)
      if (left > 0 && isTime && !this.#active.has(core)) possible.push(() => this.#release(flow))
    })
    this.#cores.forEach((core, index) => {
      if (this.#active.has(index) || (core.spins && !core.granted)) return
      if (core.pending !== 0 || core.inEl2) possible.push(() => this.#stepCore(index))
      if (core.timerNs <= this.#nowNs) possible.push(() => this.#fireTimer(core))
    })
    if (this.#list !== null) possible.push(() => this.#endDma())
    if (possible.length === 0) return this.#active.size === 0 && this.#passTime()
    this.#nowNs += this.#random.between(0, 2000)
    this.#random.pick(possible)()
    return true
  }

  #passTime(): boolean {
    if (this.#active.size === 0 && this.#releases.some((left) => left > 0)) return true
    const nextNs = Math.min(...this.#cores.map(({ timerNs }) => timerNs))
    if (nextNs === Number.POSITIVE_INFINITY) return false
    this.#nowNs = Math.max(this.#nowNs, nextNs)
    return true
  }

  /**
   * Called where a ring's shared words are touched: others may be quicker. `arms`: where a side asks to be woken. What that must not
   * miss is mostly the last thing that happens, so all of it may happen just before.
   */
  overtake(arms: boolean): void {
    if (this.#active.size !== 1 || !this.#random.chance(0.2)) return
    this.races++
    if (arms && this.#random.chance(0.5)) {
      for (let actions = 0; actions < EVERYTHING && (this.#act() || this.#passTime()); actions++);
      return
    }
    const stamina = this.#random.pick([0.5, 0.97])
    do this.#act()
    while (this.#random.chance(stamina))
  }

  /** One or several at once: more than a sender has buffers for, or just so many that it does not wait yet. */
  #release(flow: number): void {
    const vm = this.#sources[flow]!
    const left = this.#releases[flow]!
    const most = this.#random.chance(0.3) ? Math.min(left, BUFFERS_PER_FLOW) : this.#random.between(1, left)
    for (let count = most; count > 0; count--) {
      this.#releases[flow]!--
      this.ledgers[flow]!.release(this.#nowNs)
      this.#guests[vm]!.release(flow)
    }
    this.#vms[vm]!.wantsToSend = true
  }

  // ---- guests

  #sender(vm: number): void {
    this.#vms[vm]!.wantsToSend = false
    this.#runGuest(vm, () => this.#guests[vm]!.send())
  }

  #interruptHandler(vm: number): void {
    this.#vms[vm]!.interrupted = false
    this.#runGuest(vm, () => this.#guests[vm]!.handleInterrupt())
  }

  #runGuest(vm: number, code: () => number): void {
    const { core } = this.#vms[vm]!
    this.#active.add(core)
    const kicks = code()
    this.#active.delete(core)
    this.#kick(vm, kicks)
  }

  #kick(vm: number, kicks: number): void {
    if (kicks & Kick.receive) this.#vms[vm]!.doorbells.push(2 * vm)
    if (kicks & Kick.transmit) this.#vms[vm]!.doorbells.push(2 * vm + 1)
  }

  // ---- cores in EL2

  #trap(vm: number): void {
    const { core, doorbells } = this.#vms[vm]!
    const doorbell = doorbells.shift()!
    this.#cores[core]!.inEl2 = true
    this.#step(core, () => this.#broker.enter(core, BrokerCause.doorbell, doorbell))
  }

  #step(index: number, code: () => number): void {
    const core = this.#cores[index]!
    core.unfinished = false
    this.#active.add(index)
    const result = code()
    this.#active.delete(index)
    core.spins = result === StepResult.waitLock
    core.unfinished = result === StepResult.more
  }

  /** What a core does between two steps, or when an interrupt comes: the handed lock, interrupts, unfinished work, the guest. */
  #stepCore(index: number): void {
    const core = this.#cores[index]!
    if (core.granted) {
      core.granted = false
      this.#step(index, () => this.#broker.resume(index))
    } else if (core.pending !== 0) {
      core.inEl2 = true
      const cause = 31 - Math.clz32(core.pending & -core.pending)
      core.pending &= core.pending - 1
      if (cause === INJECT) this.#inject(core)
      else this.#step(index, () => this.#broker.enter(index, cause, 0))
    } else if (core.unfinished) this.#step(index, () => this.#broker.resume(index))
    else core.inEl2 = false
  }

  #inject(core: CoreState): void {
    for (const vm of core.injections) this.#vms[vm]!.interrupted = true
    core.injections.clear()
  }

  #fireTimer(core: CoreState): void {
    core.timerNs = Number.POSITIVE_INFINITY
    core.pending |= 1 << BrokerCause.timer
  }

  // ---- the port

  now(): number {
    return this.#nowNs
  }

  charge(): void {
    this.#nowNs += this.#random.between(0, 300)
  }

  acquireLock(core: number): boolean {
    return this.#lock.acquire(core)
  }

  releaseLock(core: number): void {
    const next = this.#lock.release(core)
    if (next >= 0) this.#cores[next]!.granted = true
  }

  interruptGuest(fromCore: number, vm: number): void {
    const { core } = this.#vms[vm]!
    if (core === fromCore) {
      this.#vms[vm]!.interrupted = true
      return
    }
    this.#cores[core]!.injections.add(vm)
    this.#cores[core]!.pending |= 1 << INJECT
  }

  sendIpi(_fromCore: number, toCore: number): void {
    this.#cores[toCore]!.pending |= 1 << BrokerCause.ipi
  }

  setTimer(core: number, timeNs: number): void {
    this.#cores[core]!.timerNs = timeNs
  }

  dmaBusyNs(bytes: number): number {
    return bytes
  }

  dmaStart(list: DmaList, interruptCore: number): void {
    this.#list = list
    this.#dmaCore = interruptCore
    this.#dmaStartNs = this.#nowNs
    this.#acceptedPieces = list.pieceCount
  }

  dmaExtend(list: DmaList): boolean {
    if (this.#list === null) return false
    this.#acceptedPieces = list.pieceCount
    return true
  }

  dmaPause(): boolean {
    if (this.#list === null || this.#acceptedPieces === 1) return false
    this.#acceptedPieces = this.#random.between(1, this.#acceptedPieces)
    return true
  }

  dmaIdle(): boolean {
    return this.#list === null
  }

  dmaCompletedPieces(): number {
    return this.#movedPieces
  }

  /** As if all pieces arrived with the last. */
  dmaPieceEndNs(): number {
    return this.#dmaEndNs
  }

  #endDma(): void {
    const list = this.#list!
    this.#list = null
    this.#movedPieces = this.#acceptedPieces
    let bytes = 0
    for (let i = 0; i < list.entryCount && list.piece[i]! < this.#movedPieces; i++) {
      this.#memory.dram.move(list.source[i]!, list.destination[i]!, list.bytes[i]!)
      bytes += list.bytes[i]!
    }
    this.#nowNs = Math.max(this.#nowNs, this.#dmaStartNs + bytes)
    this.#dmaEndNs = this.#nowNs
    if (this.#dmaCore !== NO_INTERRUPT) this.#cores[this.#dmaCore]!.pending |= 1 << BrokerCause.dmaInterrupt
  }

  // Nothing is remapped: the capability is missing. So no work is long.

  yieldToGuest(): boolean {
    return false
  }

  stage2Unmap = nothingIsRemapped
  stage2Map = nothingIsRemapped
  stage2Protect = nothingIsRemapped
  tlbInvalidate = nothingIsRemapped
  tlbInvalidateAll = nothingIsRemapped
  smmuInvalidate = nothingIsRemapped
  scrubFrame = nothingIsRemapped
  copyFrame = nothingIsRemapped
  frameColor = nothingIsRemapped
}

function nothingIsRemapped(): never {
  throw new Error('the broker remaps without the capability')
}
