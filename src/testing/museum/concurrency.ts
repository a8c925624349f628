/**
 * Both sides: what only shows while the peer runs at the same time. The target meets a plain peer in every order in which
 * their accesses can take effect (`docs/interleavings.md`), under the weakest memory that the fault needs.
 */

import { VirtioError } from '../../internal/error.ts'
import { inWords } from '../../internal/in-words.ts'
import {
  exploreInterleavings,
  type InterleavingReport,
  type MemoryModelName,
} from '../interleavings/explore-interleavings.ts'
import { type ExchangeSides, type RingExchange, ringExchange } from '../interleavings/ring-exchange.ts'
import type { DeviceQueueTarget, DriverQueueTarget } from '../queue-targets.ts'
import type { DeviceExhibit } from './device-chains.ts'
import type { DriverExhibit } from './driver-exhibits.ts'
import { ExhibitFailure, NotShown } from './exhibit.ts'

const SEND: RingExchange['driver'] = [{ op: 'add' }, { op: 'publish' }, { op: 'kick' }]

/** Both sides fall asleep, and must be woken by what the other does meanwhile. */
const WAKE_UPS: readonly RingExchange[] = [
  { size: 2, driver: [...SEND, ...SEND, { op: 'drain' }], device: [{ op: 'serve', count: 2 }] },
  {
    size: 2,
    driver: [{ op: 'quiet' }, ...SEND, ...SEND, { op: 'drain' }],
    device: [{ op: 'serve', count: 2, quiet: true }],
  },
]

/** The one descriptor, and its line, changes hands twice. */
const USED_AGAIN: RingExchange = { size: 1, driver: [...SEND, ...SEND], device: [{ op: 'serve', count: 2 }] }

const FENCE = {
  number: 32,
  seenIn: ['cloud-hypervisor#2179', 'acrn#2733'],
  needs: ['watched', 'concurrency'],
  long: true,
} as const

const DIRTY_LINE = {
  number: 48,
  seenIn: ['open-amp#465', 'open-amp#679'],
  needs: ['watched', 'concurrency', 'caches'],
  long: true,
} as const

export const CONCURRENCY_OF_DEVICES: readonly DeviceExhibit[] = [
  {
    ...FENCE,
    side: 'device',
    title: 'it asks for kicks and looks again without a full fence between: nobody sleeps for ever (TSO)',
    clauses: ['VQS-NTF-DEV-09', 'VQS-KICK-DRV-01'],
    play: (open) => noLostWakeUp(open().target, (device) => ({ device })),
  },
  {
    ...DIRTY_LINE,
    side: 'device',
    title: 'a descriptor is used again while a dirty line of the device is pending (non-coherent caches)',
    clauses: ['IMP-VQS-02', 'IMP-VQS-09'],
    play(open) {
      const { target } = open()
      everyOrder({ device: (side, ring) => target.createCached!(side.memory, ring, side) }, USED_AGAIN, 'non-coherent')
      return undefined
    },
  },
]

export const CONCURRENCY_OF_DRIVERS: readonly DriverExhibit[] = [
  {
    ...FENCE,
    side: 'driver',
    title: 'it asks for interrupts and looks again without a full fence between: nobody sleeps for ever (TSO)',
    clauses: ['VQS-NTF-DRV-03', 'VQS-KICK-DRV-01'],
    play: (open) => noLostWakeUp(open().target, (driver) => ({ driver })),
  },
  {
    ...DIRTY_LINE,
    side: 'driver',
    title: 'a descriptor is used again while a dirty line of the driver is pending (non-coherent caches)',
    clauses: ['IMP-VQS-02', 'IMP-VQS-09'],
    play(open) {
      const { target } = open()
      everyOrder({ driver: (side, ring) => target.createCached!(side.memory, ring, side) }, USED_AGAIN, 'non-coherent')
      return undefined
    },
  },
]

function noLostWakeUp<T extends DeviceQueueTarget | DriverQueueTarget>(
  target: T,
  sides: (target: T) => ExchangeSides,
): undefined {
  for (const eventIdx of target.lacks?.includes('eventIdx') ? [false] : [false, true]) {
    for (const exchange of WAKE_UPS) everyOrder(sides(target), { ...exchange, eventIdx }, 'tso')
  }
}

/** Throws `ExhibitFailure` for the first schedule that goes wrong. */
function everyOrder(sides: ExchangeSides, exchange: RingExchange, model: MemoryModelName): void {
  let report: InterleavingReport
  try {
    report = exploreInterleavings(ringExchange(sides, exchange), { model })
  } catch (error) {
    // The target cannot be explored, such as one without `setNotifications`, or with views of its own.
    if (error instanceof VirtioError) throw new NotShown(error.message)
    throw new ExhibitFailure(`threw ${inWords(error)}`)
  }
  if (report.verdict === 'incomplete') throw new NotShown(`cannot be explored: ${report.reason}`)
  if (report.failure !== null) {
    const { kind, message, schedule } = report.failure
    const features = exchange.eventIdx ? 'EVENT_IDX' : 'flags'
    throw new ExhibitFailure(`${features}, ${model}: ${kind}: ${message}; replay: ${schedule}`)
  }
}
