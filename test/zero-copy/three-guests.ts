/** The world of tests that go step by step. */
import { World, type WorldOptions } from './world.ts'

/** Three guests, one of which may be hostile, over a broker that lends every page unless a test says otherwise. */
export function threeGuests(options: Partial<WorldOptions> = {}, Class: typeof World = World): World {
  const world = new Class({
    seed: 12,
    transfer: 'lend',
    colors: 'accept',
    thresholdPages: 1,
    flushPages: 64,
    lentPages: 512,
    chaining: true,
    hostile: 0,
    aligned: [true, true, true],
    ...options,
  })
  for (const guest of world.guests) guest.peers = world.guests
  return world
}
