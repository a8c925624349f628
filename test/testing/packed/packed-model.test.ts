/**
 * The packed ring's peers against its specification; as many steps as asked for: `MODEL_STEPS=1000000 MODEL_SEED=7 npx vitest run
 * --project unit test/testing/packed/packed-model.test.ts`.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  queueCommands,
  referenceModel,
  referencePackedDevice,
  referencePackedDriver,
} from '../../../src/testing/index.ts'

const SEED = Number(process.env.MODEL_SEED ?? 20_261_123)
const STEPS = Number(process.env.MODEL_STEPS ?? 50_000)
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

  it('equal it over a long run', () => {
    let steps = 0
    let spentMs = 0
    for (let turn = 0; steps < STEPS; turn++) {
      const arbitrary = queueCommands({ ring: 'packed', minCommands: 80 })
      const programs = fc.sample(arbitrary, { seed: (SEED + turn) | 0, numRuns: 200 })
      const began = performance.now()
      for (const program of programs) {
        expect(referenceModel.compare(PEERS, program)).toBe(true)
        steps += program.commands.length
      }
      spentMs += performance.now() - began
    }
    if (process.env.MODEL_STEPS) {
      console.log(`${steps} steps from seed ${SEED}, ${Math.round((1000 * steps) / spentMs)} a second`)
    }
  }, 3_600_000)
})
