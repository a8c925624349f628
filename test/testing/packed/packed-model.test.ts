/** The packed ring's peers against its specification. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  queueCommands,
  referenceModel,
  referencePackedDevice,
  referencePackedDriver,
} from '../../../src/testing/index.ts'

const SEED = 20260801
const PEERS = { device: referencePackedDevice, driver: referencePackedDriver }

describe('the reference peers of a packed ring', () => {
  it.each([
    { eventIdx: false, indirect: false, inOrder: false },
    { eventIdx: true, indirect: false, inOrder: false },
    { eventIdx: false, indirect: true, inOrder: false },
    { eventIdx: true, indirect: true, inOrder: false },
    { eventIdx: false, indirect: false, inOrder: true },
    { eventIdx: true, indirect: true, inOrder: true },
  ])('equal the specification with %j', (features) => {
    const property = fc.property(queueCommands({ ring: 'packed', ...features }), (program) =>
      referenceModel.compare(PEERS, program),
    )
    fc.assert(property, { seed: SEED, numRuns: 300 })
  })

  it('equal it over thousands of commands', () => {
    const long = queueCommands({ ring: 'packed', minCommands: 4000, maxCommands: 5000 })
    const property = fc.property(long, (program) => referenceModel.compare(PEERS, program))
    expect(fc.check(property, { seed: SEED, numRuns: 4 }).failed).toBe(false)
  })
})
