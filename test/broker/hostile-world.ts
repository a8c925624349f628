/** Who is who among three guests of a broker, and how it goes on, for attacks step by step. */
import type { World } from '../zero-copy/world.ts'

export const [BORROWER, THIRD, LENDER] = [0, 1, 2] as const
/** A page of the first transmit slot. */
export const SENT = 20

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
