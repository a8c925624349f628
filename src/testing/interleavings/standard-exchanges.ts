/**
 * The exchanges that find what random programs do not: both sides at once, asleep, silent, across the wrap, reset, a ring of one used again. The
 * museum shows them to every target (exhibits 32 and 58 to 63); `exploreInterleavings` takes them with other limits and models.
 */
import type { DeviceAction } from './device-script.ts'
import type { DriverAction } from './driver-script.ts'
import type { MemoryModelName } from './explore-interleavings.ts'

/** One of `STANDARD_EXCHANGES`, of either ring format: what `ringExchange` and `packedExchange` take. */
export interface StandardExchange {
  /** In a museum's `replay` code. */
  readonly id: string
  readonly name: string
  /** Of the museum. */
  readonly exhibit: number
  /** The weakest memory under which every order is tried in so little time. */
  readonly model: MemoryModelName
  readonly formats: readonly ('split' | 'packed')[]
  readonly size: number
  readonly indirect?: boolean
  /** Of a split ring; needs `createAt`. */
  readonly startIndex?: number
  readonly driver: readonly DriverAction[]
  readonly device: readonly DeviceAction[]
  /** Only for a side that sleeps in this way: `pop` for `rearmsWhenEmpty`, `delay` for `delayNotifications`. */
  readonly only?: { readonly side: 'device' | 'driver'; readonly sleep: 'pop' | 'delay' }
  /** Has more orders than are tried in the museum. */
  readonly large?: boolean
}

const add = (readable = 1, writable = 0): DriverAction => ({ op: 'add', readable, writable })
const batch = (...adds: DriverAction[]): DriverAction[] => [...adds, { op: 'publish' }, { op: 'kick' }]
const send = (readable = 1, writable = 0): DriverAction[] => batch(add(readable, writable))
const drain: DriverAction = { op: 'drain' }

const BOTH = ['split', 'packed'] as const
const SPLIT = ['split'] as const

/** In the order of their exhibits. */
export const STANDARD_EXCHANGES: readonly StandardExchange[] = [
  {
    id: 'asleep',
    name: 'two requests, one at a time',
    exhibit: 32,
    model: 'tso',
    formats: BOTH,
    size: 2,
    driver: [...send(), ...send(), drain],
    device: [{ op: 'serve', count: 2 }],
  },
  {
    id: 'silent',
    name: 'silence while at work, on both sides',
    exhibit: 32,
    model: 'tso',
    formats: BOTH,
    size: 2,
    driver: [{ op: 'quiet' }, ...send(), ...send(), drain],
    device: [{ op: 'serve', count: 2, quiet: true }],
  },
  {
    id: 'one',
    name: 'one request',
    exhibit: 58,
    model: 'weak',
    formats: BOTH,
    size: 2,
    driver: [...send(1, 1), drain],
    device: [{ op: 'serve', count: 1 }],
  },
  {
    id: 'batch',
    name: 'a batch of two, completed in reverse',
    exhibit: 58,
    model: 'weak',
    formats: BOTH,
    size: 2,
    driver: [...batch(add(), add()), drain],
    device: [{ op: 'serve', count: 2, batch: 2, order: 'lifo' }],
  },
  {
    id: 'again',
    name: 'a ring of one, used again',
    exhibit: 59,
    model: 'sc',
    formats: BOTH,
    size: 1,
    driver: [...send(), ...send(0, 1), drain],
    device: [{ op: 'serve', count: 2 }],
  },
  {
    id: 'table',
    name: 'an indirect table, used again',
    exhibit: 59,
    model: 'sc',
    formats: SPLIT,
    size: 1,
    indirect: true,
    driver: [
      ...batch({ op: 'add', readable: 1, direct: 0 }),
      ...batch({ op: 'add', readable: 0, writable: 1, direct: 0 }),
      drain,
    ],
    device: [{ op: 'serve', count: 2 }],
  },
  {
    id: 'wrap',
    name: 'indices across 65535',
    exhibit: 60,
    model: 'sc',
    formats: SPLIT,
    size: 2,
    startIndex: 0xffff,
    driver: [...send(), ...send(), drain],
    device: [{ op: 'serve', count: 2 }],
  },
  {
    id: 'reset',
    name: 'a reset and another request',
    exhibit: 61,
    model: 'sc',
    formats: SPLIT,
    size: 2,
    large: true,
    driver: [...send(), { op: 'reset' }, ...send(), drain],
    device: [{ op: 'serve' }],
  },
  {
    id: 'reset-batch',
    name: 'a reset with a batch on its way, in silence',
    exhibit: 61,
    model: 'sc',
    formats: SPLIT,
    size: 2,
    large: true,
    driver: [{ op: 'quiet' }, ...batch(add(), add()), { op: 'reset' }, ...send(1, 1), drain],
    device: [{ op: 'serve', batch: 2, quiet: true }],
  },
  {
    id: 'pop-device',
    name: 'a device that is asleep after an empty look',
    exhibit: 62,
    model: 'tso',
    formats: BOTH,
    size: 2,
    only: { side: 'device', sleep: 'pop' },
    driver: [...send(), ...send(), drain],
    device: [{ op: 'serve', count: 2, sleep: 'pop' }],
  },
  {
    id: 'pop-driver',
    name: 'a driver that is asleep after an empty look',
    exhibit: 62,
    model: 'tso',
    formats: BOTH,
    size: 2,
    only: { side: 'driver', sleep: 'pop' },
    driver: [...send(), ...send(), { op: 'drain', sleep: 'pop' }],
    device: [{ op: 'serve', count: 2 }],
  },
  {
    id: 'delay',
    name: 'one notification for two completions',
    exhibit: 63,
    model: 'tso',
    formats: SPLIT,
    size: 2,
    only: { side: 'driver', sleep: 'delay' },
    driver: [{ op: 'quiet' }, ...batch(add(), add()), { op: 'drain', sleep: 'delay' }],
    device: [{ op: 'serve', count: 2 }],
  },
]
