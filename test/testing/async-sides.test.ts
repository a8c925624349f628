/** A side that is async, or throws, is a verdict: nobody would wait for what it does later. */
import { expect, it } from 'vitest'
import type { FuzzTarget } from '../../src/testing/fuzz.ts'
import {
  exploreInterleavings,
  fuzz,
  type InterleavingTarget,
  packedExchange,
  ReferenceDevice,
  referenceDevice,
  referencePackedDevice,
  ringExchange,
  runMuseum,
} from '../../src/testing/index.ts'

const SEND = [{ op: 'add' }, { op: 'publish' }, { op: 'kick' }, { op: 'drain' }] as const
const EXCHANGE = { size: 2, driver: SEND, device: [{ op: 'serve', count: 1 }] } as const

/** The device, one of whose calls is async and throws. */
const asyncCall = <Device extends object>(device: Device, call: string): Device =>
  Object.assign(device, {
    async [call]() {
      throw new Error('later')
    },
  })

const explored: readonly [string, InterleavingTarget][] = ['take', 'complete', 'publish', 'wantsNotification'].flatMap(
  (call) => [
    [
      `${call} of a split device`,
      ringExchange({ device: (side, ring) => asyncCall(new ReferenceDevice(side.memory, ring), call) }, EXCHANGE),
    ] as const,
    [
      `${call} of a packed device`,
      packedExchange(
        { device: (side, ring) => asyncCall(referencePackedDevice.create(side.memory, ring), call) },
        EXCHANGE,
      ),
    ] as const,
  ],
) as [string, InterleavingTarget][]

it.each(explored)('%s', (_name, target) => {
  const report = exploreInterleavings(target, { model: 'sc' })
  expect(report).toMatchObject({ verdict: 'fail', failure: { kind: 'threw', side: 'device' } })
  expect(report.failure!.message).toContain('answered a promise; every call of a queue is synchronous')
})

it.each([true, false])('a side that is an async function, and throws: %s', (throws) => {
  const target: InterleavingTarget = {
    name: 'async',
    memoryBytes: 64,
    driver: (side) => async () => {
      side.load(0x1000, 2, 'seq-cst')
      if (throws) throw new Error('later')
    },
    device: () => () => {},
  }
  const report = exploreInterleavings(target, { model: 'sc' })
  expect(report).toMatchObject({ verdict: 'fail', failure: { kind: 'threw', side: 'driver' } })
  expect(report.failure!.message).toContain('is async')
})

it.each(['complete', 'publish', 'wantsNotification', 'reset'])('the museum and fuzz blame an async %s', (call) => {
  const target: FuzzTarget = {
    ...referenceDevice,
    createAt: undefined as never,
    create: (...given: Parameters<typeof referenceDevice.create>) => asyncCall(new ReferenceDevice(...given), call),
  }
  const wrong = runMuseum(target, { exhibits: [15, 18, 28, 35] }).results.filter(({ verdict }) => verdict === 'FAIL')
  expect(wrong.map(({ detail }) => detail).join()).toContain(`${call} answered a promise`)
  for (const { finding } of fuzz(target, 1)) expect(finding?.message).toContain('answered a promise')
})
