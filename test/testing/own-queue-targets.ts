/** Our own queues, attached to the testing kit as anybody's would be. */
import { assert } from '../../src/internal/assert.ts'
import { STATE_VERSION } from '../../src/internal/saved-state.ts'
import type { GuestMemory } from '../../src/memory/index.ts'
import type {
  ByteRange,
  CacheMaintenance,
  DeviceQueueTarget,
  DeviceQueueUnderTest,
  DriverQueueTarget,
  DriverQueueUnderTest,
  DriverRing,
  SavedDeviceQueue,
  SplitRing,
  TakenChain,
  TargetFault,
  UsedElement,
} from '../../src/testing/index.ts'
import {
  BufferList,
  DescriptorChain,
  type DriverRingConfig,
  type DriverRingState,
  RequestQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
  type Violation,
  type ViolationPolicy,
} from '../../src/virtqueue/index.ts'
import { cachedDevice, cachedDriver } from './interleavings/cached-queue-targets.ts'

export interface OwnDeviceOptions {
  readonly policy?: ViolationPolicy
  /** Sees every violation. */
  readonly report?: (violation: Violation) => void
}

export function ownDevice({ policy = 'needs-reset', report = () => {} }: OwnDeviceOptions = {}): DeviceQueueTarget {
  return {
    side: 'device',
    name: `SplitDeviceQueue (${policy})`,
    create: (memory, ring) => new OwnDevice(memory, ring, 0, policy, report),
    createAt: (memory, ring, index) => new OwnDevice(memory, ring, index, policy, report),
    createCached: (memory, ring, caches) => cachedDevice()(withMemory(memory, caches), ring),
  }
}

export const ownDriver: DriverQueueTarget = {
  side: 'driver',
  name: 'SplitDriverQueue',
  create: (memory, ring) => new OwnDriver(memory, ring),
  createAt: (memory, ring, index) => new OwnDriver(memory, ring, index),
  createCached: (memory, ring, caches) => cachedDriver()(withMemory(memory, caches), ring),
}

const withMemory = (memory: GuestMemory, caches: CacheMaintenance) => ({
  memory,
  clean: (address: number, bytes: number) => caches.clean(address, bytes),
  invalidate: (address: number, bytes: number) => caches.invalidate(address, bytes),
})

/** Requests that one turn of a device serves. */
const TURN = 4

class OwnDevice implements DeviceQueueUnderTest {
  readonly #memory: GuestMemory
  readonly #create: () => SplitDeviceQueue
  #queue: SplitDeviceQueue
  readonly #chain = new DescriptorChain()
  /** What `take` has not reported: one `popAvailable` may reject several chains before it fills one. */
  readonly #results: (TakenChain | TargetFault)[] = []

  constructor(
    memory: GuestMemory,
    ring: SplitRing,
    index: number,
    policy: ViolationPolicy,
    report: (violation: Violation) => void,
  ) {
    const onViolation = (violation: Violation) => {
      report(violation)
      const returned = this.#queue.violation === null
      this.#results.push({ kind: 'fault', id: violation.head, rule: violation.rule, returned })
    }
    this.#memory = memory
    this.#create = () => new SplitDeviceQueue(memory, { ...ring, policy, onViolation })
    this.#queue = this.#create()
    if (index !== 0) this.#queue.restoreState({ ...this.#queue.saveState(), nextAvailable: index, nextUsed: index })
  }

  take(): TakenChain | TargetFault | null {
    if (this.#results.length === 0 && this.#queue.popAvailable(this.#chain)) this.#results.push(this.#taken())
    return this.#results.shift() ?? null
  }

  complete(id: number, writtenBytes: number): void {
    this.#queue.addUsed(id, writtenBytes)
  }

  publish(): void {
    this.#queue.publish()
  }

  wantsNotification(): boolean {
    return this.#queue.needsNotification()
  }

  setNotifications(on: boolean): boolean {
    if (on) return this.#queue.enableNotifications()
    this.#queue.disableNotifications()
    return false
  }

  reset(): void {
    this.#queue.reset()
    this.#results.length = 0
  }

  reload(): void {
    const state = JSON.stringify(this.#queue.saveState())
    this.#queue = this.#create()
    this.#queue.restoreState(JSON.parse(state))
  }

  restore({ nextAvailable, usedIndex, inFlight }: SavedDeviceQueue): void {
    this.#queue.restoreState({ ...this.#queue.saveState(), nextAvailable, nextUsed: usedIndex, inFlight })
  }

  turn(): boolean {
    const requests = new RequestQueue(this.#queue)
    for (const _ of requests.drain(TURN));
    return requests.waiting > 0
  }

  /** Ranges are read from the live chain whenever they are looked at: they must not follow what memory says now. */
  #taken(): TakenChain {
    const { id, segmentCount, readableCount } = this.#chain
    this.#checkSegments()
    const ranges = (from: number, to: number) => this.#ranges(from, to)
    return {
      kind: 'chain',
      id,
      get readable() {
        return ranges(0, readableCount)
      },
      get writable() {
        return ranges(readableCount, segmentCount)
      },
    }
  }

  #ranges(from: number, to: number): ByteRange[] {
    const { address, length } = this.#chain
    return Array.from({ length: to - from }, (_, i) => ({ address: address[from + i]!, length: length[from + i]! }))
  }

  /** A segment's offset is where its address really is, all of it, and the walk kept its bound. */
  #checkSegments(): void {
    const { segmentCount, region, offset, address, length, descriptorCount } = this.#chain
    assert(descriptorCount <= this.#queue.size + 1, `${descriptorCount} descriptors read`)
    for (let i = 0; i < segmentCount; i++) {
      const at = address[i]!
      const holder = this.#memory.regions[region[i]!]!
      assert(holder.base <= at && at + length[i]! <= holder.end, `segment ${i} leaves its region`)
      assert(holder.offsetOf(at) === offset[i]!, `segment ${i} is not at its address`)
      assert(holder.runLength(at, offset[i]!, length[i]!) === length[i]!, `segment ${i} is not in one run`)
    }
  }
}

class OwnDriver implements DriverQueueUnderTest {
  readonly #memory: GuestMemory
  readonly #config: DriverRingConfig
  #queue: SplitDriverQueue
  readonly #buffers = new BufferList()
  readonly #used = new UsedBuffer()
  readonly #faults: TargetFault[] = []

  constructor(memory: GuestMemory, ring: DriverRing, index?: number) {
    this.#memory = memory
    const { tableArea, tableLength, ...location } = ring
    const onViolation = ({ head, rule }: Violation) =>
      this.#faults.push({ kind: 'fault', id: head, rule, returned: false })
    this.#config = { ...location, indirectArea: tableArea, indirectLength: tableLength, onViolation }
    this.#queue = new SplitDriverQueue(
      memory,
      this.#config,
      index === undefined ? undefined : stateAt(ring.size, index),
    )
  }

  add(readable: readonly ByteRange[], writable: readonly ByteRange[], direct: number): number {
    this.#buffers.clear()
    for (const { address, length } of readable) this.#buffers.addReadable(address, length)
    for (const { address, length } of writable) this.#buffers.addWritable(address, length)
    return this.#queue.add(this.#buffers, direct)
  }

  publish(): void {
    this.#queue.publish()
  }

  wantsNotification(): boolean {
    return this.#queue.needsNotification()
  }

  reap(): UsedElement | TargetFault | null {
    if (!this.#queue.popUsed(this.#used)) return this.#faults.shift() ?? null
    return { kind: 'used', id: this.#used.id, writtenBytes: this.#used.writtenBytes }
  }

  delayNotifications(count: number): boolean {
    return this.#queue.delayNotifications(count)
  }

  setNotifications(on: boolean): boolean {
    if (on) return this.#queue.enableNotifications()
    this.#queue.disableNotifications()
    return false
  }

  reset(): void {
    this.#queue.reset()
    this.#faults.length = 0
  }

  reload(): void {
    const state = JSON.stringify(this.#queue.saveState())
    this.#queue = new SplitDriverQueue(this.#memory, this.#config, JSON.parse(state))
  }
}

function stateAt(size: number, index: number): DriverRingState {
  return {
    version: STATE_VERSION,
    format: 'split',
    size,
    nextAvailable: index,
    nextUsed: index,
    unsignalled: 0,
    notificationsEnabled: true,
    event: index,
    outstanding: [],
    violation: null,
  }
}
