/**
 * Random programs on both sides of our own queues, as many steps as asked for: `MODEL_STEPS=10000000 MODEL_SEED=7 npx vitest run
 * --project unit test/testing/model-campaign.test.ts`.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { queueCommands, referenceModel } from '../../src/testing/index.ts'
import { ownDevice, ownDriver } from './own-queue-targets.ts'

const STEPS = Number(process.env.MODEL_STEPS ?? 100_000)
const SEED = Number(process.env.MODEL_SEED ?? 20_261_123)
const PROGRAMS_A_TURN = 500

it('IMP-VQS-01: our queues equal the specification over a long run', () => {
  const sides = { device: ownDevice(), driver: ownDriver }
  let steps = 0
  let spentMs = 0
  for (let turn = 0; steps < STEPS; turn++) {
    const programs = fc.sample(queueCommands({ ring: 'split', minCommands: 80 }), {
      seed: SEED + turn,
      numRuns: PROGRAMS_A_TURN,
    })
    const began = performance.now()
    for (const program of programs) {
      expect(referenceModel.compare(sides, program)).toBe(true)
      steps += program.commands.length
    }
    spentMs += performance.now() - began
  }
  if (process.env.MODEL_STEPS) {
    console.log(`${steps} steps from seed ${SEED}, ${Math.round((1000 * steps) / spentMs)} a second`)
  }
}, 3_600_000)
