import { expect, it } from 'vitest'
import { fuzz, referenceDevice, referenceDriver, replay } from '../../src/testing/index.ts'
import { CallTimeout } from '../../src/testing/museum/bounded-call.ts'

it('a queue that hangs is a finding, and not called again and again to make it smaller', () => {
  let calls = 0
  const target = {
    ...referenceDriver,
    createAt: undefined,
    create(): never {
      calls++
      throw new CallTimeout('still running after 5000 ms')
    },
  }
  const [progress] = fuzz(target, 1)
  // With the ring that it hung on.
  expect(progress!.finding?.message).toMatch(
    /^still running after 5000 ms: .*create does not come back\n.*split ring of \d+/s,
  )
  expect(calls).toBe(3)
})

it('what is found is the smallest that failed, and fails again', () => {
  const lossy = {
    ...referenceDevice,
    createAt: undefined,
    create(...given: Parameters<typeof referenceDevice.create>) {
      const queue = referenceDevice.create(...given)
      return Object.assign(queue, { wantsNotification: () => false })
    },
  }
  const finding = [...fuzz(lossy, 1)].at(-1)!.finding!
  expect(finding.message).toContain('no interrupt for')
  if (finding.case.kind !== 'program') throw new Error(`found by ${finding.case.kind}`)
  const { commands, ...ring } = finding.case.program
  expect(commands.map(({ op }) => op)).toEqual(['add', 'publish', 'take', 'use', 'publishUsed', 'needsInterrupt'])
  expect(replay(lossy, finding.case)).toEqual(finding)
  const fewer = { ...ring, commands: commands.slice(1) } as typeof finding.case.program
  expect(replay(lossy, { kind: 'program', program: fewer })).toBeNull()
})
