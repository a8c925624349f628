/** The documented small configurations: what is said over a ring of one to four entries, and how each side goes to sleep. */
import { type DriverAction, type RingExchange, STANDARD_EXCHANGES } from '../../../src/testing/index.ts'

export interface NamedExchange extends RingExchange {
  readonly name: string
  /** Not in every test run, and not with caches; see `npm run interleavings`. */
  readonly large?: boolean
  /** In every test run only between our own two sides, and under weak, which allows what sc and tso allow. */
  readonly medium?: boolean
  /** Goes to sleep as our queues can, and neither the plain reference nor explicit cache maintenance around them. */
  readonly ownSleep?: boolean
}

const add = (readable = 1, writable = 0): DriverAction => ({ op: 'add', readable, writable })
const send = (readable = 1, writable = 0): DriverAction[] => [
  add(readable, writable),
  { op: 'publish' },
  { op: 'kick' },
]
const batch = (...adds: DriverAction[]): DriverAction[] => [...adds, { op: 'publish' }, { op: 'kick' }]

/** One that the museum shows as well. */
function standard(id: string): NamedExchange {
  const { name, size, startIndex, driver, device, large } = STANDARD_EXCHANGES.find((one) => one.id === id)!
  return { name, size, driver, device, ...(startIndex !== undefined && { startIndex }), ...(large && { large }) }
}

const BASIC: readonly NamedExchange[] = [
  standard('one'),
  { ...standard('asleep'), medium: true },
  standard('batch'),
  { ...standard('again'), medium: true },
  {
    name: 'a chain of three in a ring of four',
    size: 4,
    driver: [...send(2, 1), { op: 'drain' }],
    device: [{ op: 'serve', count: 1 }],
  },
  { ...standard('silent'), medium: true },
  {
    name: 'asleep after an empty look, on both sides',
    size: 2,
    ownSleep: true,
    driver: [...send(), ...send(), { op: 'drain', sleep: 'pop' }],
    device: [{ op: 'serve', count: 2, sleep: 'pop' }],
  },
  { ...standard('wrap'), medium: true },
  {
    name: 'a reset',
    medium: true,
    size: 2,
    driver: [...send(), { op: 'reset' }],
    device: [{ op: 'serve' }],
  },
  standard('reset'),
  {
    name: 'a reset with a batch on its way',
    size: 2,
    large: true,
    driver: [...batch(add(), add()), { op: 'reset' }, ...send(1, 1), { op: 'drain' }],
    device: [{ op: 'serve', batch: 2 }],
  },
  {
    name: 'three requests through a ring of two',
    size: 2,
    large: true,
    driver: [...send(1, 1), ...send(), ...send(), { op: 'drain' }],
    device: [{ op: 'serve', count: 3 }],
  },
  {
    name: 'four requests in two batches through a ring of four',
    size: 4,
    large: true,
    driver: [...batch(add(), add()), ...batch(add(), add()), { op: 'drain' }],
    device: [{ op: 'serve', count: 4, batch: 2 }],
  },
]

const EVENT_IDX_ONLY: readonly NamedExchange[] = [{ ...standard('delay'), ownSleep: true }]

const INDIRECT_ONLY: readonly NamedExchange[] = [
  {
    name: 'an indirect table',
    size: 2,
    driver: [{ op: 'add', readable: 1, writable: 1, direct: 0 }, { op: 'publish' }, { op: 'kick' }, { op: 'drain' }],
    device: [{ op: 'serve', count: 1 }],
  },
  { ...standard('table'), medium: true },
]

/** Every exchange with its features spelled out, in its name too. */
export const EXCHANGES: readonly NamedExchange[] = [
  ...BASIC.flatMap((exchange) => [named(exchange, false, false), named(exchange, true, false)]),
  ...EVENT_IDX_ONLY.map((exchange) => named(exchange, true, false)),
  ...INDIRECT_ONLY.flatMap((exchange) => [named(exchange, false, true), named(exchange, true, true)]),
]

function named(exchange: NamedExchange, eventIdx: boolean, indirect: boolean): NamedExchange {
  const features = eventIdx ? 'EVENT_IDX' : 'flags'
  return { ...exchange, name: `${exchange.name}, ${features}`, eventIdx, indirect }
}
