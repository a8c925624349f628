/**
 * A few requests over a small split ring, as a program for each side: what `exploreInterleavings` is given for a virtqueue.
 * The queues are attached as everywhere in the kit (`DriverQueueTarget`, `DeviceQueueTarget`); the side that is not attached is
 * played by a plain one that orders every access. Payloads carry the number of their request, so that a stale descriptor, an
 * element read too early, or a buffer used again too soon is a wrong number.
 */
import { VirtioError } from '../../internal/error.ts'
import { ReferenceDevice, ReferenceDriver } from '../format/split/reference-peers.ts'
import { availEventAt, availIdxAt, type SplitRing, usedEventAt, usedIdxAt } from '../format/split/split-ring-format.ts'
import type {
  DeviceQueueTarget,
  DeviceQueueUnderTest,
  DriverQueueTarget,
  DriverQueueUnderTest,
  DriverRing,
} from '../queue-targets.ts'
import { type DeviceAction, DeviceScript } from './device-script.ts'
import { type DriverAction, DriverScript } from './driver-script.ts'
import { ExchangeLayout } from './exchange-layout.ts'
import type { InterleavingTarget } from './explore-interleavings.ts'
import type { ExploredSide } from './explored-side.ts'
import { OrderedMemory } from './ordered-memory.ts'

/** An exchange over a split ring: its shape, and what each side does. */
export interface RingExchange {
  /** Entries: a power of two. 2..4 is what can be explored. */
  readonly size: number
  readonly eventIdx?: boolean
  readonly indirect?: boolean
  /** Where all indices begin; needs `createAt` of what is attached. Default 0. */
  readonly startIndex?: number
  readonly driver: readonly DriverAction[]
  readonly device: readonly DeviceAction[]
  /** The areas of the ring follow each other as closely as their alignment allows, instead of on cache lines of their own. */
  readonly adjacent?: boolean
}

/** For queues that need more than memory: cache maintenance around their operations, orders of another language. */
export type AttachDriver = (side: ExploredSide, ring: DriverRing, index: number) => DriverQueueUnderTest
/** Makes the device under test for one exploration. */
export type AttachDevice = (side: ExploredSide, ring: SplitRing, index: number) => DeviceQueueUnderTest

/** Who is under test; the other side is the reference. */
export interface ExchangeSides {
  readonly driver?: DriverQueueTarget | AttachDriver
  readonly device?: DeviceQueueTarget | AttachDevice
}

/** Throws `VirtioError` INVALID_PROGRAM when the actions do not fit what is attached. */
export function ringExchange(sides: ExchangeSides, exchange: RingExchange): InterleavingTarget {
  const layout = new ExchangeLayout(
    exchange.size,
    exchange.eventIdx ?? false,
    exchange.indirect ?? false,
    exchange.adjacent,
  )
  const { startIndex = 0 } = exchange
  const shapes = exchange.driver.filter((action) => action.op === 'add')
  const resets = exchange.driver.filter(({ op }) => op === 'reset').length
  const attachDriver = driverOf(sides.driver)
  const attachDevice = deviceOf(sides.device)
  return {
    name: `${nameOf(sides.driver)} / ${nameOf(sides.device)}`,
    memoryBytes: layout.memoryBytes,
    base: layout.base,
    driver(side) {
      for (const fieldAt of [availIdxAt, usedIdxAt, usedEventAt, availEventAt]) {
        side.store(fieldAt(layout.ring), 2, startIndex, 'unordered')
      }
      const queue = attachDriver(side, layout.ring, startIndex)
      return () => new DriverScript(side, queue, layout).run(exchange.driver)
    },
    device(side) {
      const queue = attachDevice(side, layout.ring, startIndex)
      return () => new DeviceScript(side, queue, layout, shapes, resets).run(exchange.device)
    },
    check: checkExchange,
    describe: (address) => layout.describe(address),
    mayRace: (address) => layout.isSignal(address),
  }
}

/** What came back is what was served, in that order. */
export function checkExchange(returned: unknown, served: unknown): void {
  const [back, given] = [returned, served] as [readonly number[], readonly number[]]
  if (back.length > given.length || back.some((request, i) => given[i] !== request)) {
    throw new Error(`the driver got back requests ${back.join(', ')}, the device served ${given.join(', ')}`)
  }
}

export function nameOf(side: { readonly name: string } | undefined): string {
  if (side === undefined) return 'ordered reference'
  return side.name === '' ? 'attached' : side.name
}

function driverOf(target: DriverQueueTarget | AttachDriver | undefined): AttachDriver {
  if (target === undefined) return (side, ring, index) => new ReferenceDriver(new OrderedMemory(side), ring, index)
  if (typeof target === 'function') return target
  return ({ memory }, ring, index) =>
    index === 0 ? target.create(memory, ring) : at(target).createAt!(memory, ring, index)
}

function deviceOf(target: DeviceQueueTarget | AttachDevice | undefined): AttachDevice {
  if (target === undefined) return (side, ring, index) => new ReferenceDevice(new OrderedMemory(side), ring, index)
  if (typeof target === 'function') return target
  return ({ memory }, ring, index) =>
    index === 0 ? target.create(memory, ring) : at(target).createAt!(memory, ring, index)
}

function at<T extends { readonly name: string; readonly createAt?: unknown }>(target: T): T {
  if (target.createAt !== undefined) return target
  throw new VirtioError('INVALID_PROGRAM', `${target.name} has no createAt: leave startIndex out`)
}
