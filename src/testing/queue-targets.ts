/**
 * How a queue, whoever wrote it, is attached to the kit: two small interfaces, one a side of the ring. A queue written in
 * another language, or one with a callback style, is wrapped until it fits; the reference model sees nothing else of it
 * but the bytes in memory. `docs/testing.md` has a ten-line example.
 */
import type { GuestMemory } from '../memory/index.ts'
import type { PackedRing } from './format/packed/packed-ring-format.ts'
import type { ByteRange } from './format/split/reference-split-ring.ts'
import type { SplitRing } from './format/split/split-ring-format.ts'

/** A chain as the target understood it. Ranges are guest-physical; how they are cut does not matter. */
export interface TakenChain {
  readonly kind: 'chain'
  readonly id: number
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
}

/** The target noticed that its peer broke the rules. */
export interface TargetFault {
  readonly kind: 'fault'
  /** The head it blames, -1 when none can be. */
  readonly id: number
  /** The target's own name for it; compared when it is one of `RingRule`, shown otherwise. */
  readonly rule: string
  /** True: it gave the head back unused and goes on. False: the queue is broken until it is reset. */
  readonly returned: boolean
}

/** What a snapshot, or the record of a device that went away, says of a device queue. */
export interface SavedDeviceQueue {
  /** Index into the available ring of the next chain to take. */
  readonly nextAvailable: number
  readonly usedIndex: number
  /** Heads that were taken and not completed. */
  readonly inFlight: readonly { readonly id: number; readonly writableBytes: number }[]
}

/** Cache maintenance by guest-physical address, for memory that nothing keeps coherent. */
export interface CacheMaintenance {
  clean(address: number, bytes: number): void
  invalidate(address: number, bytes: number): void
}

/** `concurrency`: the target never runs at the same time as its peer, so it orders no accesses. */
export type TargetLack = 'eventIdx' | 'indirect' | 'concurrency'

/** The device side of a queue, as tests call it: one object a ring. */
export interface DeviceQueueUnderTest {
  /** The next available chain, or null. A broken queue answers null or its fault, again and again. */
  take(): TakenChain | TargetFault | null
  /** Returns a chain in flight. The driver may see it from now on, and sees it after `publish` at the latest. */
  complete(id: number, writtenBytes: number): void
  publish?(): void
  /** Must the driver be interrupted for what was published since this was asked last? */
  wantsNotification(): boolean
  /** Back to the state of a new queue. The ring is zeroed afterwards, before it is used again. */
  reset(): void
  /** Asks for kicks, or for silence. When asked for kicks: true if chains wait already, so that the device looks again. */
  setNotifications?(on: boolean): boolean
  /** Saves the state, throws the queue away and goes on with a new one restored from it. */
  reload?(): void
  /**
   * Asked of a new queue only: takes over a saved state. Throws for what no queue of its size can be in. One whose support is
   * not known before it is asked throws `VirtioError` UNSUPPORTED.
   */
  restore?(saved: SavedDeviceQueue): void
  /**
   * One turn of the device: takes what waits, completes it with no byte written and publishes, up to the device's own bound.
   * True: more waits, give it another turn.
   */
  turn?(): boolean
}

/** A device queue to be tested: its name, what it lacks, and a function that sets one up over a ring. */
export interface DeviceQueueTarget {
  readonly side: 'device'
  readonly format?: 'split'
  readonly name: string
  /** Tolerates interrupts that the driver asked not to get: they are against a SHOULD only (VQS-NTF-DEV-06). */
  readonly mayNotifyNeedlessly?: boolean
  /**
   * The only memory that the target can see, such as the RAM of an emulator: one region, from address 0, at least 32 MiB. Its
   * accesses cannot be watched. Without it the kit makes memories of its own.
   */
  readonly ownMemory?: GuestMemory
  /** What the target does not implement: exhibits that need it are left out, other rings come without it. */
  readonly lacks?: readonly TargetLack[]
  /** A look that finds nothing asks for notifications again and looks once more, so that the side may sleep right after it. */
  readonly rearmsWhenEmpty?: boolean
  /** What a long exhibit of the museum may take, for a target whose calls are slow. Default 10 s. */
  readonly exhibitMs?: number
  create(memory: GuestMemory, ring: SplitRing): DeviceQueueUnderTest
  /** A queue whose two indices are at `index` already, nothing in flight; lets a short program cross 2^16. */
  createAt?(memory: GuestMemory, ring: SplitRing, index: number): DeviceQueueUnderTest
  /** A queue with the maintenance that memory without coherent caches needs around its operations. */
  createCached?(memory: GuestMemory, ring: SplitRing, caches: CacheMaintenance): DeviceQueueUnderTest
}

/** The driver owns more memory than the ring: an indirect table of `tableLength` descriptors for each ring slot, at `tableArea`. */
export interface DriverRing extends SplitRing {
  readonly tableArea: number
  readonly tableLength: number
}

/** A used element as the driver under test understood it. */
export interface UsedElement {
  readonly kind: 'used'
  readonly id: number
  readonly writtenBytes: number
}

/** The driver side of a queue, as tests call it: one object a ring. */
export interface DriverQueueUnderTest {
  /**
   * Adds a chain and returns its head, or -1 when there is no room. The first `direct` buffers are wanted in the ring and the
   * rest in an indirect table, when the ring has that feature; a target that cannot may cut otherwise.
   */
  add(readable: readonly ByteRange[], writable: readonly ByteRange[], direct: number): number
  /** A target without it publishes in `add`. */
  publish?(): void
  /** Must the device be kicked for what was published since this was asked last? */
  wantsNotification(): boolean
  /** The next used element, or null. A broken queue answers null or its fault, again and again. */
  reap(): UsedElement | TargetFault | null
  /** Back to the state of a new queue, over a zeroed ring. */
  reset(): void
  /** Asks for interrupts, or for silence. When asked for interrupts: true if used elements wait already. */
  setNotifications?(on: boolean): boolean
  /** Asks for one interrupt when `count` more chains came back; true if so many have already. */
  delayNotifications?(count: number): boolean
  reload?(): void
}

/** A driver queue to be tested: its name, what it lacks, and a function that sets one up over a ring. */
export interface DriverQueueTarget {
  readonly side: 'driver'
  readonly format?: 'split'
  readonly name: string
  /** Tolerates kicks that the device asked not to get: they are against a SHOULD only (VQS-NTF-DRV-12). */
  readonly mayNotifyNeedlessly?: boolean
  /**
   * The only memory that the target can see, such as the RAM of an emulator: one region, from address 0, at least 32 MiB. Its
   * accesses cannot be watched. Without it the kit makes memories of its own.
   */
  readonly ownMemory?: GuestMemory
  /** What the target does not implement: exhibits that need it are left out, other rings come without it. */
  readonly lacks?: readonly TargetLack[]
  /** A look that finds nothing asks for notifications again and looks once more, so that the side may sleep right after it. */
  readonly rearmsWhenEmpty?: boolean
  create(memory: GuestMemory, ring: DriverRing): DriverQueueUnderTest
  createAt?(memory: GuestMemory, ring: DriverRing, index: number): DriverQueueUnderTest
  /** A queue with the maintenance that memory without coherent caches needs around its operations. */
  createCached?(memory: GuestMemory, ring: DriverRing, caches: CacheMaintenance): DriverQueueUnderTest
}

/**
 * A packed ring's sides are the same two interfaces. An id is a buffer id, any 16 bits; `direct` is the number of buffers, all in
 * the ring, or less: then all are wanted in one table (VQP-IND-DRV-04). A queue that shows several completions, or several
 * chains, at once may do so with one descriptor where IN_ORDER allows it (IMP-VQP-11).
 *
 * `wantsNotification` is asked at least once in a turn of the ring: positions cannot tell two turns from none.
 */
export interface PackedDeviceTarget {
  readonly side: 'device'
  readonly format: 'packed'
  readonly name: string
  /** Tolerates interrupts that the driver asked not to get. */
  readonly mayNotifyNeedlessly?: boolean
  /** What the target does not implement: exhibits that need it are left out, other rings come without it. */
  readonly lacks?: readonly (PackedFeature | 'concurrency')[]
  /** A look that finds nothing asks for notifications again and looks once more, so that the side may sleep right after it. */
  readonly rearmsWhenEmpty?: boolean
  readonly exhibitMs?: number
  create(memory: GuestMemory, ring: PackedRing): DeviceQueueUnderTest
}

/** An indirect table of `tableLength` descriptors for each id below the ring's size, at `tableArea`. */
export interface PackedDriverRing extends PackedRing {
  readonly tableArea: number
  readonly tableLength: number
}

/** The same for the driver side of a packed ring. */
export interface PackedDriverTarget {
  readonly side: 'driver'
  readonly format: 'packed'
  readonly name: string
  /** Tolerates kicks that the device asked not to get. */
  readonly mayNotifyNeedlessly?: boolean
  /** What the target does not implement: exhibits that need it are left out, other rings come without it. */
  readonly lacks?: readonly (PackedFeature | 'concurrency')[]
  /** A look that finds nothing asks for notifications again and looks once more, so that the side may sleep right after it. */
  readonly rearmsWhenEmpty?: boolean
  readonly exhibitMs?: number
  create(memory: GuestMemory, ring: PackedDriverRing): DriverQueueUnderTest
}

/** A feature that shapes a packed ring. */
export type PackedFeature = 'eventIdx' | 'indirect' | 'inOrder'
