/** What the CPU moves gives way to what the DMA moves, in one flow. */
import { expect, it } from 'vitest'
import { World } from '../zero-copy/world.ts'

it.each(['copy', 'remap'] as const)(
  '%s: a message behind one without payload is started in the same turn',
  (transfer) => {
    const world = new World({
      seed: 12,
      transfer,
      colors: 'accept',
      thresholdPages: 5,
      flushPages: 64,
      lentPages: 512,
      chaining: true,
      hostile: 2,
      aligned: [true, true, true],
    })
    world.guests[2]!.stage(1, [])
    world.guests[2]!.sendPages(1, [20])
    for (const core of [0, 1, 2]) world.finishSteps(core)
    expect(world.dmaIdle()).toBe(false)
  },
)
