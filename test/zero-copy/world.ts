/**
 * A broker between three guests over real virtqueues in page-mapped memory, on a platform that checks every call with the
 * model of stage 2. Guests, DMA, timer and the steps of the broker interleave as a list of commands says.
 */
import { expect } from 'vitest'
import { type BrokerFlow, FloatingBroker, NoRegulator, Relay } from '../../src/broker/index.ts'
import { Random } from '../../src/internal/random.ts'
import { GuestMemory, type RegionSpec } from '../../src/memory/index.ts'
import {
  BrokerCause,
  COST_OPS,
  CostOp,
  type DmaList,
  PlatformCapability,
  type PlatformPort,
  StepResult,
} from '../../src/platform/index.ts'
import { ColorPolicy, PageState, TransferPolicy, type ZeroCopy } from '../../src/zero-copy/index.ts'
import { MAX_VMS, maySee, privateByte } from './byte-classes.ts'
import { ModelGuest, PRIVATE_PAGES, RAM_BASE, RAM_PAGES } from './model-guest.ts'
import { NibbleRouter } from './nibble-router.ts'
import { PAGE, StageTwoModel } from './stage-two-model.ts'
import type { WorldOptions } from './world-options.ts'

export type { Fault, WorldOptions } from './world-options.ts'

const PERIOD_NS = 50_000
const SPARE_FRAMES = 3
const POOL_COLOR = MAX_VMS

/** Of all VMs, before anything is sent. */
const PRIVATE_BYTES = Uint8Array.from({ length: MAX_VMS * RAM_PAGES * PAGE }, (_, at) =>
  privateByte(Math.floor(at / (RAM_PAGES * PAGE)), at % PAGE),
)

export class World implements PlatformPort {
  readonly capabilities: number
  readonly options: WorldOptions
  readonly random: Random
  readonly bytes: Uint8Array
  readonly model: StageTwoModel
  readonly relay: Relay
  readonly broker: FloatingBroker
  readonly guests: ModelGuest[]
  /** By cost op: how often, as a platform charges it; and the most of one step under the lock. */
  readonly charges = new Float64Array(COST_OPS.length)
  readonly mostInStep = new Float64Array(COST_OPS.length)
  readonly #inStep = new Float64Array(COST_OPS.length)
  #locked = false
  readonly #colors: number[] = []
  readonly #frames: Int32Array[]
  readonly #readOnly: Uint8Array[]
  readonly #memories: GuestMemory[]
  /** By core: the broker wants to go on there. */
  readonly #unfinished = new Uint8Array(MAX_VMS)
  /** By core: the broker left it to its guest in the middle of work. */
  readonly #lent = new Uint8Array(MAX_VMS)
  readonly #timers = new Float64Array(MAX_VMS).fill(Number.POSITIVE_INFINITY)
  #time = 0
  #dma: { list: DmaList; core: number; pieces: number; paused: boolean } | null = null
  #completed = 0
  /** For the fault that maps first. */
  #lateUnmaps: (() => void)[] = []

  constructor(options: WorldOptions) {
    this.options = options
    this.capabilities =
      PlatformCapability.remap |
      PlatformCapability.lend |
      PlatformCapability.vmidInvalidate |
      (options.smmu === false ? 0 : PlatformCapability.smmu) |
      PlatformCapability.dmaChaining
    this.random = new Random(options.seed)
    const spares = options.colors === 'pool' ? SPARE_FRAMES : 0
    const { ram = new ArrayBuffer((MAX_VMS * RAM_PAGES + spares) * PAGE) } = options
    this.bytes = new Uint8Array(ram)
    this.model = new StageTwoModel(
      MAX_VMS,
      this.bytes,
      (vm, byte) => options.anyBytes === true || maySee(vm, byte, options.hostile),
      options.smmu,
    )
    this.#frames = Array.from({ length: MAX_VMS }, (_, vm) =>
      Int32Array.from({ length: RAM_PAGES }, (_, page) => vm * RAM_PAGES + page),
    )
    this.#readOnly = this.#frames.map(() => new Uint8Array(RAM_PAGES))
    this.bytes.set(PRIVATE_BYTES)
    for (let vm = 0; vm < MAX_VMS; vm++) {
      for (let page = 0; page < RAM_PAGES; page++) {
        this.model.start(vm, RAM_BASE / PAGE + page, vm * RAM_PAGES + page)
        this.#colors.push(options.colors === 'pool' && page >= PRIVATE_PAGES ? POOL_COLOR : vm)
      }
    }
    const spareFrames = Array.from({ length: spares }, (_, i) => MAX_VMS * RAM_PAGES + i)
    this.#colors.push(...spareFrames.map(() => POOL_COLOR))
    this.#memories = this.#frames.map((_, vm) =>
      vm === 0 && options.rings !== undefined
        ? new GuestMemory([
            { base: RAM_BASE, size: PRIVATE_PAGES * PAGE, buffer: options.rings },
            this.#pagesOf(vm, PRIVATE_PAGES),
          ])
        : new GuestMemory([this.#pagesOf(vm, 0)]),
    )
    const flows = Array.from({ length: MAX_VMS * MAX_VMS }, (_, i): BrokerFlow => {
      const [source, to] = [Math.floor(i / MAX_VMS), i % MAX_VMS]
      return {
        source,
        destination: to === source ? (to + 1) % MAX_VMS : to,
        periodNs: PERIOD_NS,
        deadlineNs: 10_000 * (i + 1),
        toleranceNs: options.toleranceNs ?? 1e15,
        buffers: 4,
        maximumBytes: options.maximumBytes ?? 1 << 20,
        priority: i,
      }
    })
    this.relay = new Relay(
      this,
      {
        scheduler: options.seed % 2 === 0 ? 'edf' : 'fp',
        chunkBytes: PAGE,
        chaining: options.chaining ? 'adaptive' : 'piece',
        suppressRefillKicks: options.seed % 3 !== 0,
        coalesceCount: 1,
        coalesceDelayNs: 0,
        waitForDmaNs: 0,
        coreCount: MAX_VMS,
        interruptCore: 'receiver',
        policy: new TransferPolicy(options.transfer, {
          thresholdBytes: options.thresholdPages * PAGE,
          flushPages: options.flushPages,
          lentPages: options.lentPages,
        }),
        colors: new ColorPolicy({ mode: options.colors, vms: [[0], [1], [2]], pool: spares > 0 ? [POOL_COLOR] : [] }),
        spareFrames,
        ...(options.receiveBuffers !== undefined && { receiveBuffers: [0, 1, 2].map(() => options.receiveBuffers!) }),
        cores: [0, 1, 2],
        flows,
      },
      new NibbleRouter(),
      new NoRegulator(),
    )
    this.broker = new FloatingBroker(this, this.relay, MAX_VMS)
    this.guests = this.#memories.map(
      (memory, vm) =>
        new ModelGuest(vm, memory, options.aligned[vm]!, options.hostile, (queue) => this.kick(vm, queue)),
    )
    for (const guest of this.guests) this.attach(guest)
  }

  /** Pages of a VM from `first` on, wherever stage 2 has them. */
  #pagesOf(vm: number, first: number): RegionSpec {
    return {
      base: RAM_BASE + first * PAGE,
      size: (RAM_PAGES - first) * PAGE,
      buffer: this.bytes.buffer as ArrayBuffer,
      frames: this.#frames[vm]!.subarray(first),
      readOnly: this.#readOnly[vm]!.subarray(first),
    }
  }

  get zeroCopy(): ZeroCopy<unknown> | null {
    return this.relay.zeroCopy
  }

  attach(guest: ModelGuest): void {
    this.broker.attach(guest.vm, guest.startQueues(this.options.seed % 5 < 3))
    guest.postAll()
  }

  // ---- running the broker

  kick(vm: number, queue: number): void {
    this.#enter(vm, BrokerCause.doorbell, vm * 2 + queue)
  }

  #enter(core: number, cause: number, argument: number): void {
    this.#lent[core] = 0
    this.#after(core, this.broker.enter(core, cause, argument))
  }

  #after(core: number, result: number): void {
    expect(result).not.toBe(StepResult.waitLock)
    this.#unfinished[core] = result === StepResult.more ? 1 : 0
  }

  /** One more step on a core that wants it, or that the broker has left to a guest. */
  resume(core: number): void {
    if (this.#unfinished[core] === 1) this.#after(core, this.broker.resume(core))
    else if (this.#lent[core] === 1) this.#enter(core, BrokerCause.guestIdle, 0)
  }

  /** The broker has more to do there, so no guest of the core runs. */
  isBusy(core: number): boolean {
    return this.#unfinished[core] === 1
  }

  /** A guest runs only while the broker does not, on its core. */
  finishSteps(core: number): void {
    let steps = 0
    while (this.#unfinished[core] === 1) {
      this.resume(core)
      expect(++steps, 'the broker does not come to an end').toBeLessThan(3000)
    }
  }

  /** The list ends, where a pause stops it if there was one. */
  endDma(): void {
    const dma = this.#dma
    if (dma === null) return
    this.#checkDma()
    this.#dma = null
    const { list, pieces, core } = dma
    for (let i = 0; i < list.entryCount && list.piece[i]! < pieces; i++) {
      this.bytes.copyWithin(list.destination[i]!, list.source[i]!, list.source[i]! + list.bytes[i]!)
    }
    this.#completed = pieces
    this.#enter(core, BrokerCause.dmaInterrupt, 0)
  }

  /** Whatever it has still to move lies where its two VMs may have it moved. */
  #checkDma(): void {
    if (this.#dma === null) return
    const { list, pieces } = this.#dma
    const [from, to] = [Math.floor(list.tag / MAX_VMS), list.tag % MAX_VMS]
    for (let i = 0; i < list.entryCount && list.piece[i]! < pieces; i++) {
      this.model.checkAccess(from, list.source[i]!, list.bytes[i]!, false)
      this.model.checkAccess(to, list.destination[i]!, list.bytes[i]!, true)
    }
  }

  advance(ns: number): void {
    this.#time += ns
    for (let core = 0; core < MAX_VMS; core++) {
      if (this.#timers[core]! > this.#time) continue
      this.#timers[core] = Number.POSITIVE_INFINITY
      this.#enter(core, BrokerCause.timer, 0)
    }
  }

  /** The guest's driver resets its device, and starts again. */
  reset(vm: number): void {
    this.finishSteps(vm)
    for (let calls = 0; this.broker.isAttached(vm); calls++) {
      expect(calls, 'a reset does not come to an end').toBeLessThan(500)
      // It has made the broker work for nothing, and asks again when it has rested.
      const restsUntilNs = this.relay.restsUntilNs(vm)
      if (restsUntilNs > 0) this.advance(restsUntilNs - this.#time)
      this.#enter(vm, BrokerCause.detach, vm)
      this.finishSteps(vm)
      this.endDma()
    }
    expect([...this.#frames[vm]!], 'all RAM is back').not.toContain(-1)
    expect([...this.#readOnly[vm]!], 'all RAM may be written').not.toContain(1)
    this.check()
    for (const guest of this.guests) guest.wasReset(vm)
    this.guests[vm]!.forget()
    this.attach(this.guests[vm]!)
  }

  // ---- what must hold after every step

  check(): void {
    const { zeroCopy } = this
    for (let vm = 0; vm < MAX_VMS; vm++) {
      this.model.expectEqual(vm, RAM_BASE, this.#frames[vm]!, this.#readOnly[vm]!)
    }
    if (zeroCopy === null) return
    const mappings = this.model.mappings(this.#colors.length)
    for (let frame = 0; frame < mappings.length; frame++) {
      const state: PageState = zeroCopy.ledger.stateOf(frame)
      if (allowedMappings(state).includes(mappings[frame]!)) continue
      expect.fail(`frame ${frame} in state ${state} has mappings ${mappings[frame]}\n${this.model.lastCalls()}`)
    }
  }

  /** Nobody can see a byte that was not sent to him. Rings and headers are the VM's own, and stay where they are. */
  checkVisible(): void {
    this.model.checkVisible((page) => page < RAM_BASE / PAGE + PRIVATE_PAGES)
    for (let vm = 0; vm < MAX_VMS; vm++) {
      const rings = this.#frames[vm]!.subarray(0, PRIVATE_PAGES)
      if (rings.some((frame, page) => frame !== vm * RAM_PAGES + page)) expect.fail(`VM ${vm} lost a page of its rings`)
    }
  }

  // ---- the port

  now(): number {
    return this.#time
  }

  charge(op: number, count: number): void {
    if (!(count >= 0)) expect.fail(`${count} times ${COST_OPS[op]}`)
    if (!this.#locked) expect.fail(`${COST_OPS[op]} without the lock`)
    this.#inStep[op]! += count
    this.#time += 5 * count
    this.charges[op]! += count
  }

  acquireLock(): boolean {
    expect(this.#locked).toBe(false)
    this.#locked = true
    this.#inStep.fill(0)
    return true
  }

  releaseLock(): void {
    this.#locked = false
    for (const [op, count] of this.#inStep.entries()) this.mostInStep[op] = Math.max(this.mostInStep[op]!, count)
    for (const late of this.#lateUnmaps.splice(0)) late()
    this.check()
    this.#checkDma()
  }

  interruptGuest(): void {}

  sendIpi(): void {}

  dmaBusyNs(bytes: number): number {
    return bytes
  }

  dmaStart(list: DmaList, interruptCore: number): void {
    expect(this.#dma).toBe(null)
    this.#dma = { list, core: interruptCore, pieces: list.pieceCount, paused: false }
  }

  dmaExtend(list: DmaList): boolean {
    const dma = this.#dma
    if (dma === null || dma.paused || this.random.chance(0.2)) return false
    dma.pieces = list.pieceCount
    return true
  }

  dmaPause(): boolean {
    const dma = this.#dma
    if (dma === null || dma.paused) return false
    dma.paused = true
    dma.pieces = this.random.between(1, dma.pieces)
    return true
  }

  dmaIdle(): boolean {
    return this.#dma === null
  }

  dmaCompletedPieces(): number {
    return this.#completed
  }

  dmaPieceEndNs(): number {
    return this.#time
  }

  setTimer(core: number, timeNs: number): void {
    this.#timers[core] = timeNs
  }

  yieldToGuest(core: number): boolean {
    this.#lent[core] = this.random.chance(0.3) ? 1 : 0
    return this.#lent[core] === 1
  }

  stage2Unmap(vm: number, guestAddress: number): number {
    this.charge(CostOp.pteUpdate, 1)
    const page = (guestAddress - RAM_BASE) / PAGE
    const frame = this.#frames[vm]![page]!
    const unmap = () => {
      this.model.unmap(vm, guestAddress / PAGE)
      this.#frames[vm]![page] = -1
    }
    if (this.options.fault === 'map-before-unmap' && this.random.chance(0.3)) this.#lateUnmaps.push(unmap)
    else unmap()
    return frame
  }

  stage2Map(vm: number, guestAddress: number, frame: number, writable: boolean): void {
    this.charge(CostOp.pteUpdate, 1)
    const rights = writable || this.options.fault === 'lend-writable'
    this.model.map(vm, guestAddress / PAGE, frame, rights)
    const page = (guestAddress - RAM_BASE) / PAGE
    this.#frames[vm]![page] = frame
    this.#readOnly[vm]![page] = rights ? 0 : 1
  }

  stage2Protect(vm: number, guestAddress: number, writable: boolean): void {
    this.charge(CostOp.pteUpdate, 1)
    this.model.protect(vm, guestAddress / PAGE, writable)
    this.#readOnly[vm]![(guestAddress - RAM_BASE) / PAGE] = writable ? 0 : 1
  }

  tlbInvalidate(vm: number, guestAddress: number, pages: number): void {
    this.charge(CostOp.tlbInvalidate, pages)
    if (this.options.fault !== 'forget-tlb') this.model.invalidate(vm, guestAddress / PAGE, pages)
  }

  tlbInvalidateAll(vm: number): void {
    this.charge(CostOp.tlbInvalidate, 1)
    this.charge(CostOp.tlbRefill, 1)
    if (this.options.fault !== 'forget-flush') this.model.invalidateAll(vm)
  }

  smmuInvalidate(vm: number): void {
    this.charge(CostOp.smmuInvalidate, 1)
    if (this.options.fault !== 'forget-smmu') this.model.invalidateSmmu(vm)
  }

  scrubFrame(frame: number): void {
    this.charge(CostOp.cacheCleanPerLine, PAGE / 64)
    if (this.options.fault !== 'skip-scrub') this.bytes.fill(0, frame * PAGE, (frame + 1) * PAGE)
  }

  copyFrame(from: number, to: number): void {
    this.charge(CostOp.copyPerLine, PAGE / 64)
    if (this.options.fault !== 'skip-revocation-copy') {
      this.bytes.copyWithin(to * PAGE, from * PAGE, (from + 1) * PAGE)
    }
  }

  frameColor(frame: number): number {
    return this.#colors[frame]!
  }
}

const [ONE_WRITER, ONE_READER, TWO_READERS] = [1, 16, 32]

/** How often a frame may be mapped between two steps, as `StageTwoModel.mappings` counts. */
function allowedMappings(state: PageState): readonly number[] {
  switch (state) {
    case PageState.owned:
    case PageState.offered:
      return [ONE_WRITER]
    case PageState.lent: // at its owner, and at the borrower once it has arrived
      return [ONE_READER, TWO_READERS]
    case PageState.returned:
      return []
    default:
      return [0]
  }
}
