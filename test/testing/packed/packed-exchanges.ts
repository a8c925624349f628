/** What the two sides of a packed ring do while every order of their accesses is explored. */
import type { PackedExchange } from '../../../src/testing/index.ts'

const SEND: PackedExchange['driver'] = [{ op: 'add' }, { op: 'publish' }, { op: 'kick' }]
export const EXCHANGES: readonly (PackedExchange & { readonly name: string; readonly large?: boolean })[] = [
  {
    name: 'one list of two slots',
    size: 2,
    driver: [{ op: 'add', readable: 1, writable: 1 }, { op: 'publish' }, { op: 'kick' }, { op: 'drain' }],
    device: [{ op: 'serve', count: 1 }],
  },
  {
    name: 'two requests',
    large: true,
    size: 2,
    driver: [...SEND, ...SEND, { op: 'drain' }],
    device: [{ op: 'serve', count: 2 }],
  },
  {
    name: 'one slot, used again',
    large: true,
    size: 1,
    driver: [...SEND, ...SEND, { op: 'drain' }],
    device: [{ op: 'serve', count: 2 }],
  },
  {
    name: 'a batch, completed in reverse',
    size: 3,
    driver: [
      { op: 'add' },
      { op: 'add', readable: 1, writable: 1 },
      { op: 'publish' },
      { op: 'kick' },
      { op: 'drain' },
    ],
    device: [{ op: 'serve', count: 2, batch: 2, order: 'lifo' }],
  },
  {
    name: 'silence while at work',
    large: true,
    size: 2,
    driver: [{ op: 'quiet' }, ...SEND, ...SEND, { op: 'drain' }],
    device: [{ op: 'serve', count: 2, quiet: true }],
  },
]
