/** A page that two messages name: it stays where it is while one of them is still to be read. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { FrameLedger, PageState } from '../../src/zero-copy/index.ts'
import { privateByte } from './byte-classes.ts'
import { PRIVATE_PAGES } from './model-guest.ts'
import { PAGE } from './stage-two-model.ts'
import { threeGuests } from './three-guests.ts'
import type { World } from './world.ts'

const HOSTILE = 2
const NAMED = 20

afterEach(() => {
  vi.restoreAllMocks()
})

/**
 * The hostile guest sends a page to VM 0, and bytes of the same page to VM 1. While the DMA reads these, VM 0 uses the page
 * that it received, if it has one, for secrets.
 */
function nameTwice(): World {
  const world = threeGuests({ transfer: 'remap', hostile: HOSTILE })
  world.guests[HOSTILE]!.stage(1, [[NAMED * PAGE + 8, 100]])
  world.guests[HOSTILE]!.sendPages(0, [NAMED])
  for (const core of [0, 1, 2]) world.finishSteps(core)
  for (let i = 0; i < PAGE; i++)
    world.guests[0]!.memory.writeU8(0x10_0000 + PRIVATE_PAGES * PAGE + i, privateByte(0, i))
  for (let i = 0; i < 4; i++) {
    world.endDma()
    for (const core of [0, 1, 2]) world.finishSteps(core)
  }
  return world
}

describe('a page that is named twice', () => {
  it('is copied, and nobody reads what its new owner would have written', () => {
    const world = nameTwice()
    world.checkVisible()
    expect(world.zeroCopy!.counters).toMatchObject({ pagesExchanged: 0, fallbacks: 1 })
  })

  it('would leak if nobody counted: the test above can fail', () => {
    vi.spyOn(FrameLedger.prototype, 'isMovable').mockImplementation(function (this: FrameLedger, frame) {
      return this.stateOf(frame) === PageState.offered
    })
    expect(() => nameTwice().checkVisible()).toThrow(/the DMA reads frame/)
  })
})
