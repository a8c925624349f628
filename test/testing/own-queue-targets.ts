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
  PackedDeviceTarget,
  PackedDriverTarget,
  PackedFeature,
  SavedDeviceQueue,
  SplitRing,
  TakenChain,
  TargetFault,
  DriverRing as TargetRing,
  UsedElement,
} from '../../src/testing/index.ts'
import {
  BufferList,
  DescriptorChain,
  type DeviceRing,
  type DeviceRingState,
  type DriverRing,
  type DriverRingConfig,
  type DriverRingState,
  PackedDeviceQueue,
  PackedDriverQueue,
  RequestQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
  type SplitDriverState,
  UsedBuffer,
  type Violation,
  type ViolationPolicy,
  type ViolationRule,
} from '../../src/virtqueue/index.ts'
import { cachedDevice, cachedDriver } from './interleavings/cached-queue-targets.ts'

export interface OwnDeviceOptions {
  readonly policy?: ViolationPolicy
  /** Sees every violation. */
  readonly report?: (violation: Violation) => void
}

export function ownDevice({ policy = 'needs-reset', report = () => {} }: OwnDeviceOptions = {}): DeviceQueueTarget {
  const create = (memory: GuestMemory, ring: SplitRing) =>
    new OwnDevice(memory, (onViolation) => new SplitDeviceQueue(memory, { ...ring, policy, onViolation }), report)
  return {
    side: 'device',
    name: `SplitDeviceQueue (${policy})`,
    rearmsWhenEmpty: true,
    create,
    createAt(memory, ring, index) {
      const device = create(memory, ring)
      device.restore({ nextAvailable: index, usedIndex: index, inFlight: [] })
      return device
    },
    createCached: (memory, ring, caches) => cachedDevice()(withMemory(memory, caches), ring),
  }
}

export const ownDriver: DriverQueueTarget = {
  side: 'driver',
  name: 'SplitDriverQueue',
  rearmsWhenEmpty: true,
  create: (memory, ring) => new OwnDriver(ring, (config, state) => new SplitDriverQueue(memory, config, state)),
  createAt: (memory, ring, index) =>
    new OwnDriver(
      ring,
      (config, state) => new SplitDriverQueue(memory, config, state),
      index === 0 ? undefined : stateAt(ring.size, index),
    ),
  createCached: (memory, ring, caches) => cachedDriver()(withMemory(memory, caches), ring),
}

/** IN_ORDER is not there: a driver of ours expects a used descriptor for each chain. */
const PACKED_LACKS: readonly PackedFeature[] = ['inOrder']

/** Not broken rules of a packed ring, but what a device may refuse (VQP-SG-DEV-02): the kit has no names for them there. */
const LIMITS: ReadonlySet<ViolationRule> = new Set(['chain-too-large', 'indirect-too-long'])

export function ownPackedDevice({
  policy = 'needs-reset',
  report = () => {},
}: OwnDeviceOptions = {}): PackedDeviceTarget {
  return {
    side: 'device',
    format: 'packed',
    name: `PackedDeviceQueue (${policy})`,
    rearmsWhenEmpty: true,
    lacks: PACKED_LACKS,
    create: (memory, ring) =>
      new OwnDevice(
        memory,
        (onViolation) => new PackedDeviceQueue(memory, { ...ring, policy, onViolation }),
        report,
        (rule) => (LIMITS.has(rule) ? `limit of the device: ${rule}` : rule),
      ),
  }
}

export const ownPackedDriver: PackedDriverTarget = {
  side: 'driver',
  format: 'packed',
  name: 'PackedDriverQueue',
  rearmsWhenEmpty: true,
  lacks: PACKED_LACKS,
  create: (memory, ring) => new OwnDriver(ring, (config, state) => new PackedDriverQueue(memory, config, state)),
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
  readonly #create: () => DeviceRing
  #queue: DeviceRing
  /** The next to fill; those in flight, by id; and those that may be filled again. */
  #chain = new DescriptorChain()
  readonly #inFlight = new Map<number, DescriptorChain>()
  readonly #spare: DescriptorChain[] = []
  /** What `take` has not reported: one `popAvailable` may reject several chains before it fills one. */
  readonly #results: (TakenChain | TargetFault)[] = []

  constructor(
    memory: GuestMemory,
    create: (onViolation: (violation: Violation) => void) => DeviceRing,
    report: (violation: Violation) => void,
    ruleName: (rule: ViolationRule) => string = (rule) => rule,
  ) {
    this.#memory = memory
    this.#create = () =>
      create((violation) => {
        report(violation)
        const returned = this.#queue.violation === null
        this.#results.push({ kind: 'fault', id: violation.head, rule: ruleName(violation.rule), returned })
      })
    this.#queue = this.#create()
  }

  take(): TakenChain | TargetFault | null {
    if (this.#results.length === 0 && this.#queue.popAvailable(this.#chain)) this.#results.push(this.#taken())
    return this.#results.shift() ?? null
  }

  complete(id: number, writtenBytes: number): void {
    this.#queue.addUsed(id, writtenBytes)
    const chain = this.#inFlight.get(id)
    if (chain !== undefined) this.#spare.push(chain)
    this.#inFlight.delete(id)
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
    this.#inFlight.clear()
    this.#results.length = 0
  }

  reload(): void {
    const state = JSON.stringify(this.#queue.saveState())
    this.#queue = this.#create()
    this.#queue.restoreState(JSON.parse(state))
  }

  restore({ nextAvailable, usedIndex, inFlight }: SavedDeviceQueue): void {
    const state = { ...this.#queue.saveState(), nextAvailable, nextUsed: usedIndex, inFlight }
    this.#queue.restoreState(state as DeviceRingState)
  }

  turn(): boolean {
    const requests = new RequestQueue(this.#queue)
    for (const _ of requests.drain(TURN));
    return requests.waiting > 0
  }

  /** Ranges are read from the live chain whenever they are looked at: they must not follow what memory says now. */
  #taken(): TakenChain {
    const chain = this.#chain
    const { id, segmentCount, readableCount } = chain
    this.#checkSegments(chain)
    this.#inFlight.set(id, chain)
    this.#chain = this.#spare.pop() ?? new DescriptorChain()
    const ranges = (from: number, to: number) => rangesOf(chain, from, to)
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

  /** A segment's offset is where its address really is, all of it, and the walk kept its bound. */
  #checkSegments({ segmentCount, region, offset, address, length, descriptorCount }: DescriptorChain): void {
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

function rangesOf({ address, length }: DescriptorChain, from: number, to: number): ByteRange[] {
  return Array.from({ length: to - from }, (_, i) => ({ address: address[from + i]!, length: length[from + i]! }))
}

class OwnDriver implements DriverQueueUnderTest {
  readonly #create: (state?: DriverRingState) => DriverRing
  #queue: DriverRing
  readonly #buffers = new BufferList()
  readonly #used = new UsedBuffer()
  readonly #faults: TargetFault[] = []

  constructor(
    ring: TargetRing,
    create: (config: DriverRingConfig, state?: DriverRingState) => DriverRing,
    state?: DriverRingState,
  ) {
    const { tableArea, tableLength, ...location } = ring
    const onViolation = ({ head, rule }: Violation) =>
      this.#faults.push({ kind: 'fault', id: head, rule, returned: false })
    const config = { ...location, indirectArea: tableArea, indirectLength: tableLength, onViolation }
    this.#create = (saved) => create(config, saved)
    this.#queue = this.#create(state)
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
    this.#queue = this.#create(JSON.parse(state))
  }
}

function stateAt(size: number, index: number): SplitDriverState {
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
