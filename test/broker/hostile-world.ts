/** A broker with three guests of which one may be hostile, for attacks step by step. */
import { World, type WorldOptions } from '../zero-copy/world.ts'

export const [BORROWER, THIRD, LENDER] = [0, 1, 2] as const
/** A page of the first transmit slot. */
export const SENT = 20

export function newWorld(options: Partial<WorldOptions> = {}): World {
  const world = new World({
    seed: 12,
    transfer: 'lend',
    colors: 'accept',
    thresholdPages: 1,
    flushPages: 64,
    lentPages: 512,
    chaining: true,
    hostile: BORROWER,
    aligned: [true, true, true],
    ...options,
  })
  for (const guest of world.guests) guest.peers = world.guests
  return world
}

export const settle = (world: World) => {
  for (const core of [0, 1, 2]) world.finishSteps(core)
}

/** Until nothing is under way. */
export const drain = (world: World) => {
  for (let turns = 0; turns < 2 || !world.dmaIdle(); turns++) {
    settle(world)
    world.endDma()
    // What was left to a guest goes on.
    for (const core of [0, 1, 2]) world.resume(core)
  }
  settle(world)
}
