import { describe, expect, it } from 'vitest'
import {
  type DeviceQueueTarget,
  type DriverQueueTarget,
  type ExhibitResult,
  museumJUnit,
  museumTable,
  referenceDevice,
  referenceDriver,
  runMuseum,
} from '../../src/testing/index.ts'
import * as sideBySide from './broken-side-by-side.ts'
import * as broken from './broken-targets.ts'
import { ownDevice, ownDriver } from './own-queue-targets.ts'

/** A hundred thousand calls each. */
const LONG_EXHIBITS = [13, 33, 34, 37]
/** The far ends of what is legal: test/testing/limit-mutants.test.ts has somebody who fails each. */
const FIRST_LIMIT = 49
const SHORT_EXHIBITS = Array.from({ length: 48 }, (_, i) => i + 1).filter((number) => !LONG_EXHIBITS.includes(number))
const key = ({ side, title }: ExhibitResult) => `${side}: ${title}`

/** Shown to others: test/testing/packed/packed-mutants.test.ts. */
const PACKED = 'the target has a split ring'

describe('the bug museum', () => {
  it.each<DeviceQueueTarget | DriverQueueTarget>([
    ownDevice({ policy: 'needs-reset' }),
    ownDriver,
    referenceDevice,
    referenceDriver,
    sideBySide.ORDERED_DEVICE,
    sideBySide.ORDERED_DRIVER,
  ])('every exhibit: $name', (target) => {
    const report = runMuseum(target)
    expect(museumTable(report)).not.toMatch(/FAIL|WEDGED/)
    expect(report.passed).toBe(true)
    expect(report.results.length).toBe(target.side === 'device' ? 51 + 16 : 28 + 14)
  })

  it.each(['reject', 'latch'] as const)('what a policy makes a difference to: %s', (policy) => {
    const report = runMuseum(ownDevice({ policy }), { exhibits: SHORT_EXHIBITS.filter((number) => number < 32) })
    expect(museumTable(report)).not.toMatch(/FAIL|WEDGED/)
    expect(report.results.length).toBe(31)
  })

  it('shows every exhibit to a target that fails it, and finds something wrong with each that trusts its peer', () => {
    const unseen = new Map<string, number>()
    const refusing = (): never => {
      throw new Error('no')
    }
    for (const target of [referenceDevice, referenceDriver])
      for (const one of runMuseum({ ...target, create: refusing }).results)
        if (one.detail !== PACKED && one.number < FIRST_LIMIT) unseen.set(key(one), one.number)
    const failures = (target: DeviceQueueTarget | DriverQueueTarget, exhibits: readonly number[]) =>
      runMuseum(target, { exhibits }).results.filter(({ verdict }) => verdict === 'FAIL' || verdict === 'WEDGED')
    for (const target of [
      // Wrong with anybody, and so in nearly every exhibit: the long ones are then over.
      broken.DEVICES_WRONG_WITH_HONEST_DRIVERS[0]!,
      ...broken.DEVICES_WRONG_WITH_HONEST_DRIVERS.filter(({ name }) => /never|loses/.test(name)),
      ...broken.DRIVERS_WRONG_WITH_HONEST_DEVICES.filter(({ name }) =>
        /loses|after|never|forgets|add/.test(name),
      ).reverse(),
      ...broken.DEVICES_THAT_TRUST,
      ...broken.DRIVERS_THAT_TRUST,
      broken.DEVICE_WITH_ANY_RING,
      ...broken.DEVICES_WRONG_IN_THEIR_STATE,
      ...sideBySide.WRONG_SIDE_BY_SIDE,
    ]) {
      const missing = failures(target, [...unseen.values()])
      for (const result of missing) unseen.delete(key(result))
      // What others failed is long enough without being shown again to everybody.
      if (missing.length > 0) continue
      const failed = [SHORT_EXHIBITS, LONG_EXHIBITS].some((exhibits) => failures(target, exhibits).length > 0)
      expect(failed, target.name).toBe(true)
    }
    expect([...unseen.keys()]).toEqual([])
  }, 120_000)

  it('is a table, and JUnit XML that escapes what it must', () => {
    const target = { ...referenceDevice, name: 'a "queue" <of & mine>', lacks: ['eventIdx'] } as const
    const report = runMuseum(
      {
        ...target,
        create: () => {
          throw new Error('a < b')
        },
      },
      { exhibits: [2, 33] },
    )
    expect(museumTable(report)).toMatchInlineSnapshot(`
      "a "queue" <of & mine>
         2  FAIL    a ring entry names a head beyond the table
                    IMP-VQS-02
        33  SKIP    the event index moves on for ever: no stall within two turns of the
                    counter
      1 FAIL, 1 SKIP
        2 a ring entry names a head beyond the table: create threw Error: a < b
        33 skipped: the target lacks: eventIdx
      "
    `)
    expect(museumJUnit([report])).toMatchInlineSnapshot(`
      "<?xml version="1.0" encoding="UTF-8"?>
      <testsuites>
        <testsuite name="a &quot;queue&quot; &lt;of &amp; mine&gt;" tests="2" failures="1" skipped="1">
          <testcase classname="a &quot;queue&quot; &lt;of &amp; mine&gt;" name="2 a ring entry names a head beyond the table [IMP-VQS-02]"><failure type="FAIL" message="create threw Error: a &lt; b"/></testcase>
          <testcase classname="a &quot;queue&quot; &lt;of &amp; mine&gt;" name="33 the event index moves on for ever: no stall within two turns of the counter [VQS-NTF-DEV-09 VQS-NTF-DRV-10]"><skipped message="the target lacks: eventIdx"/></testcase>
        </testsuite>
      </testsuites>
      "
    `)
  })

  it('ends a target that does not', () => {
    const endless = (): never => {
      for (;;);
    }
    const target = { ...referenceDevice, create: () => ({ ...referenceDevice.create, take: endless, reset: endless }) }
    const report = runMuseum(target as unknown as DeviceQueueTarget, { exhibits: [1, 37], exhibitMs: 200 })
    expect(report.results.map(({ detail }) => detail)).toEqual([
      'take does not end: still running after 1000 ms',
      'still running after 200 ms',
    ])
  })
})
