/** Somebody else's queue, with memory of its own, through the programs of the kit. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DeviceQueueTarget, queueCommands, referenceModel } from '../../src/testing/index.ts'
import { v86Device } from './v86-target.ts'

let v86: Awaited<ReturnType<typeof v86Device>>
beforeAll(async () => {
  v86 = await v86Device()
})
afterAll(() => v86.close())

const programs = queueCommands({ ring: 'split', eventIdx: false, minCommands: 10 })

it("v86's queue answers honest programs as the specification does, over its own RAM", () => {
  fc.assert(
    fc.property(programs, (program) => referenceModel.compare(v86.target, program)),
    { seed: 86, numRuns: 300 },
  )
})

it('and is found out when it does not', () => {
  const wrong: DeviceQueueTarget = {
    ...v86.target,
    create(memory, ring) {
      const queue = v86.target.create(memory, ring)
      return { ...queue, complete: (id, writtenBytes) => queue.complete(id, writtenBytes + 1) }
    },
  }
  const property = fc.property(programs, (program) => referenceModel.compare(wrong, program))
  expect(fc.check(property, { seed: 86, numRuns: 300 }).errorInstance).toMatchObject({ name: 'QueueMismatch' })
})
