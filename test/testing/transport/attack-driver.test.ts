/** Hostile devices against drivers, over registers that lie. `ATTACK_CASES=20000 ATTACK_SEED=7` looks longer. */
import { describe, expect, it } from 'vitest'
import { usedIdxAt } from '../../../src/testing/format/split/split-ring-format.ts'
import {
  attackDriver,
  type DriverBehindTransport,
  type DriverQueueTarget,
  type DriverQueueUnderTest,
  referenceDriver,
} from '../../../src/testing/index.ts'
import { DRIVERS_THAT_TRUST } from '../broken-targets.ts'
import { ownDriver } from '../own-queue-targets.ts'
import { DEVICE_DRIVERS } from './device-drivers.ts'
import { behindPort, ownDriverBehindPort } from './port-drivers.ts'

const CASES = Number(process.env.ATTACK_CASES ?? 200)
const SEED = Number(process.env.ATTACK_SEED ?? 20261123)

describe('finds nothing in', () => {
  it.each([ownDriverBehindPort, behindPort(ownDriver), behindPort(referenceDriver)])('$name', (target) => {
    const report = attackDriver(target, { seed: SEED, cases: CASES })
    expect(report.cases).toBe(CASES)
    expect(Math.min(report.up, report.refused, report.lies, report.requests, report.finished)).toBeGreaterThan(
      CASES / 10,
    )
    if (process.env.ATTACK_CASES) console.log(target.name, report)
  })
})

const spoiled = (
  name: string,
  spoil: (
    queue: DriverQueueUnderTest,
    ...rest: Parameters<DriverQueueTarget['create']>
  ) => Partial<DriverQueueUnderTest>,
): DriverQueueTarget => ({
  side: 'driver',
  name,
  create(memory, ring) {
    const queue = referenceDriver.create(memory, ring)
    return {
      add: (readable, writable, direct) => queue.add(readable, writable, direct),
      publish: () => queue.publish!(),
      wantsNotification: () => queue.wantsNotification(),
      reap: () => queue.reap(),
      reset: () => queue.reset(),
      ...spoil(queue, memory, ring),
    }
  },
})

describe('the drivers of devices', () => {
  it.each(DEVICE_DRIVERS)('$name', (target) => {
    const report = attackDriver(target, { seed: SEED, cases: CASES })
    expect(report.cases).toBe(CASES)
    if (process.env.ATTACK_CASES) console.log(target.name, report)
    expect(Math.min(report.up, report.refused, report.lies, report.requests, report.finished)).toBeGreaterThan(
      CASES / 20,
    )
  })
})

describe('finds a driver that', () => {
  const wrong: readonly (readonly [string, DriverBehindTransport])[] = [
    ...DRIVERS_THAT_TRUST.map((target) => [target.name, behindPort(target)] as const),
    ['waits for ever for the end of a reset', behindPort(referenceDriver, { patient: true })],
    ['takes any size for its ring', behindPort(referenceDriver, { trustsSizes: true })],
    [
      'writes used idx back',
      behindPort(
        spoiled('writes used idx back', (queue, memory, ring) => ({
          reap() {
            memory.writeU16(usedIdxAt(ring), memory.readU16(usedIdxAt(ring)))
            return queue.reap()
          },
        })),
      ),
    ],
    [
      'finishes a request again when the ring is broken',
      behindPort(
        spoiled('finishes twice', (queue) => {
          let last: ReturnType<DriverQueueUnderTest['reap']> = null
          return {
            reap() {
              const used = queue.reap()
              if (used?.kind !== 'fault') {
                last = used ?? last
                return used
              }
              const again = last
              last = null
              return again
            },
          }
        }),
      ),
    ],
    ['sends nothing', behindPort(spoiled('sends nothing', () => ({ add: () => -1 })))],
    ['sees nothing', behindPort(spoiled('sees nothing', () => ({ reap: () => null })))],
  ]

  it.each(wrong)('%s', (_name, target) => {
    expect(() => attackDriver(target, { seed: 1, cases: 300 })).toThrow(`${target.name}: `)
  })
})
