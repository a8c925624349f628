/** On memory that nothing keeps coherent, each step of the maintenance around our queues is needed, and so are lines of one's own. */
import { describe, expect, it } from 'vitest'
import { exploreInterleavings, replayInterleaving, ringExchange } from '../../../src/testing/index.ts'
import { ownDevice, ownDriver } from '../own-queue-targets.ts'
import {
  cachedDevice,
  cachedDriver,
  DEVICE_MAINTENANCE,
  DRIVER_MAINTENANCE,
  type Maintenance,
} from './cached-queue-targets.ts'
import { EXCHANGES, type NamedExchange } from './exchanges.ts'

const model = 'non-coherent'
const TWO = 'two requests, one at a time, EVENT_IDX'
const exchange = (name: string): NamedExchange => EXCHANGES.find((one) => one.name === name)!

/** Where the damage shows; else the first exchange does. */
const SHOWN_BY: Partial<Record<Maintenance, string>> = {
  'driver: clean tables before idx': 'an indirect table, flags',
  'device: invalidate tables after idx': 'an indirect table, flags',
  'driver: invalidate the device area before the look at the suppression state': TWO,
  'device: invalidate the driver area before the look at the suppression state': TWO,
  'driver: clean the event': TWO,
  'device: clean the event': TWO,
  'driver: invalidate the device area after the event': TWO,
  'device: invalidate the driver area after the event': TWO,
}

describe('without one step of the maintenance', () => {
  const steps = [
    ...DRIVER_MAINTENANCE.map((step) => [step, { driver: cachedDriver(step), device: cachedDevice() }] as const),
    ...DEVICE_MAINTENANCE.map((step) => [step, { driver: cachedDriver(), device: cachedDevice(step) }] as const),
  ]
  it.each(steps)('%s', (step, sides) => {
    const target = ringExchange(sides, exchange(SHOWN_BY[step] ?? 'one request, flags'))
    const report = exploreInterleavings(target, { model })
    if (process.env.INTERLEAVINGS) console.log(`${step}; ${report}`)
    expect(report.verdict, String(report)).toBe('fail')
    expect(replayInterleaving(target, report.failure!.schedule).failure).toEqual(report.failure)
  })
})

it('without any maintenance nothing arrives', () => {
  const target = ringExchange({ driver: ownDriver, device: ownDevice() }, exchange('one request, flags'))
  expect(exploreInterleavings(target, { model }).failure?.kind).toBe('sleeps-for-ever')
})

it('areas that share a cache line destroy each other, with all the maintenance there is', () => {
  const adjacent = { ...exchange('one request, flags'), adjacent: true }
  const report = exploreInterleavings(ringExchange({ driver: cachedDriver(), device: cachedDevice() }, adjacent), {
    model,
  })
  expect(report.failure).toMatchObject({ kind: 'race', message: expect.stringContaining('this cache line') })
})

it('a ring that spans several lines needs a look at idx apart from the elements', () => {
  const sides = { driver: cachedDriver(), device: cachedDevice() }
  const report = exploreInterleavings(ringExchange(sides, exchange('one request, flags')), { model, lineBytes: 8 })
  expect(report.verdict, String(report)).toBe('fail')
})
