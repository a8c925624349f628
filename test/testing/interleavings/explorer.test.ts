/** What a user of the explorer relies on: verdicts, limits, replay, and that nothing of the target escapes it. */
import { describe, expect, it } from 'vitest'
import {
  type DeviceQueueTarget,
  type ExploredSide,
  exploreInterleavings,
  type InterleavingTarget,
  MEMORY_MODELS,
  ReferenceDevice,
  replayInterleaving,
  ringExchange,
} from '../../../src/testing/index.ts'
import { ownDevice, ownDriver } from '../own-queue-targets.ts'
import { EXCHANGES } from './exchanges.ts'
import { litmus, type Program, X, Y } from './litmus.ts'

const exchange = (name: string) => EXCHANGES.find((one) => one.name === name)!
const nothing: Program = () => null
const explore = (driver: Program, device: Program = nothing) =>
  exploreInterleavings(litmus(driver, device), { model: 'sc' })

describe('verdicts', () => {
  it('a lost notification is a side that sleeps for ever', () => {
    // Looks, and then sleeps: the peer's word may come in between, and only the flag that it left before is seen.
    const report = explore(
      (side) => {
        side.store(X, 2, 1, 'seq-cst')
        if (side.load(Y, 2, 'seq-cst') === 1) side.notify()
      },
      (side) => {
        if (side.load(X, 2, 'seq-cst') === 1) return
        side.store(Y, 2, 1, 'seq-cst')
        side.wait()
      },
    )
    expect(report).toMatchObject({ verdict: 'fail', failure: { kind: 'sleeps-for-ever', side: 'device' } })
  })

  it('a notification that came first is not lost, and two are one', () => {
    const twice: Program = (side) => {
      side.notify()
      side.notify()
    }
    expect(explore(twice, (side) => side.wait()).verdict).toBe('pass')
    const both: Program = (side) => {
      side.wait()
      side.wait()
    }
    expect(explore(twice, both).failure).toMatchObject({ kind: 'sleeps-for-ever', side: 'device' })
  })

  it('a server may rest when the peer has ended or rests', () => {
    const serve: Program = (side) => {
      for (;;) side.wait(true)
    }
    expect(explore((side) => side.notify(), serve).verdict).toBe('pass')
    expect(
      explore(
        (side) => side.notify(),
        (side) => [side.wait(true), side.wait(true)],
      ).verdict,
    ).toBe('pass')
    expect(
      explore(
        (side) => side.wait(),
        (side) => side.wait(true),
      ).failure?.side,
    ).toBe('driver')
  })

  it('what a side throws, and what the outcome check throws, fails', () => {
    const racy: Program = (side) => {
      if (side.load(X, 2, 'seq-cst') === 1) throw new Error('seen')
    }
    const report = explore((side) => side.store(X, 2, 1, 'seq-cst'), racy)
    expect(report.failure).toMatchObject({ kind: 'threw', side: 'device', message: 'the device: seen' })
    const check = (_: unknown, seen: unknown): void => {
      if (seen === 1) throw new Error('no good')
    }
    const target = litmus(
      (side) => side.store(X, 2, 1, 'seq-cst'),
      (side) => side.load(X, 2, 'seq-cst'),
      check,
    )
    expect(exploreInterleavings(target, { model: 'sc' }).failure).toMatchObject({
      kind: 'outcome',
      message: 'both: no good',
    })
  })

  it('a data race is a fault under weak only, and only where none may be', () => {
    const target: InterleavingTarget = {
      ...litmus(
        (side) => side.store(X, 2, 1, 'unordered'),
        (side) => side.load(X, 2, 'unordered'),
      ),
      mayRace: (address) => address === Y,
    }
    expect(exploreInterleavings(target, { model: 'weak' }).failure?.kind).toBe('race')
    expect(exploreInterleavings(target, { model: 'tso' }).verdict).toBe('pass')
    expect(exploreInterleavings({ ...target, mayRace: () => true }, { model: 'weak' }).verdict).toBe('pass')
  })

  it('are incomplete at a limit, and never by silence', () => {
    const target = ringExchange({ driver: ownDriver, device: ownDevice() }, exchange('one request, flags'))
    const report = exploreInterleavings(target, { model: 'sc', limit: 100 })
    expect(report).toMatchObject({ verdict: 'incomplete', reason: 'more than 100 states', failure: null })
    const poll: Program = (side) => {
      while (side.load(X, 2, 'seq-cst') === 0);
    }
    const polling = exploreInterleavings(
      litmus(poll, (side) => side.store(X, 2, 1, 'seq-cst')),
      { model: 'sc', maxSteps: 50 },
    )
    expect(polling).toMatchObject({
      verdict: 'incomplete',
      reason: expect.stringContaining('the driver does more than 50'),
    })
  })
})

describe('a schedule', () => {
  const target = ringExchange(
    { driver: ownDriver, device: completesTwice() },
    exchange('two requests, one at a time, flags'),
  )

  it('is printed as a table, and replayed from a string', () => {
    const report = exploreInterleavings(target, { model: 'weak' })
    const failure = report.failure!
    expect(String(report)).toContain(`replay: ${failure.schedule}`)
    expect(failure.table).toMatch(/ {3}driver {3}-- add request 1\n +0 {2}driver {3}store buffer 0 +1\n/)
    expect(failure.table).toMatch(/driver {3}store avail\.idx \(seq-cst\) +1\n/)
    const replay = replayInterleaving(target, failure.schedule)
    expect(replay.failure).toEqual(failure)
    expect(replay.rows).toEqual(failure.rows)
  })

  it('can be followed a part of the way', () => {
    const { failure, table } = replayInterleaving(target, 'sc:d7v2')
    expect(failure).toBeNull()
    expect(table.split('\n')).toHaveLength(9 + 3 + 2)
  })

  it('of another program, or none, is refused', () => {
    expect(() => replayInterleaving(target, 'sc:d7v2000')).toThrow(/step \d+ of the schedule is not possible/)
    expect(() => replayInterleaving(target, 'sc:x7')).toThrow('is not like')
    expect(() => replayInterleaving(target, 'd7')).toThrow('model is one of sc, tso, weak, non-coherent, not "d7"')
  })
})

describe('broken queues', () => {
  it('that complete a chain twice are found', () => {
    const sides = { driver: ownDriver, device: completesTwice() }
    const report = exploreInterleavings(ringExchange(sides, exchange('two requests, one at a time, flags')), {
      model: 'sc',
    })
    expect(report.failure).toMatchObject({ kind: 'threw', side: 'driver' })
    expect(report.failure!.message).toMatch(/used-index-jump|used-id-not-outstanding/)
  })

  it('that return a chain before they have read it are found: its buffer is used again too soon', () => {
    const early: DeviceQueueTarget = {
      side: 'device',
      name: 'completes when it takes',
      create(memory, ring) {
        const device = new ReferenceDevice(memory, ring)
        return {
          take() {
            const chain = device.take()
            if (chain?.kind === 'chain') {
              device.complete(chain.id, 0)
              device.publish()
            }
            return chain
          },
          complete: () => {},
          wantsNotification: () => device.wantsNotification(),
          setNotifications: (on) => device.setNotifications(on),
          reset: () => device.reset(),
        }
      },
    }
    const send = [{ op: 'add' }, { op: 'publish' }, { op: 'kick' }] as const
    const program = {
      size: 1,
      driver: [...send, ...send, ...send, { op: 'drain' }] as const,
      device: [{ op: 'serve', count: 3 }] as const,
    }
    const report = exploreInterleavings(ringExchange({ driver: ownDriver, device: early }, program), { model: 'sc' })
    expect(report.failure?.message).toBe('the device: head 0 is request 3, after request 0')
  })

  it('that have no ordering at all are found: the plain reference over plain memory', () => {
    const device: DeviceQueueTarget = {
      side: 'device',
      name: 'unordered',
      create: (memory, ring) => new ReferenceDevice(memory, ring),
    }
    const one = exchange('one request, flags')
    for (const model of ['tso', 'weak'] as const) {
      const report = exploreInterleavings(ringExchange({ driver: ownDriver, device }, one), { model })
      expect(report.verdict, String(report)).toBe('fail')
    }
    // Ordered, which is what a missing side is played by, it passes.
    for (const model of MEMORY_MODELS) {
      expect(exploreInterleavings(ringExchange({}, one), { model }).verdict).toBe('pass')
    }
  })
})

describe('nothing escapes', () => {
  it('views of every kind are seen, with the values of the language', () => {
    const seen: unknown[] = []
    const report = explore((side) => {
      const { buffer } = side.memory.regions[0]!.u8
      const bytes = new Uint8Array(buffer, 4, 8)
      const view = new DataView(buffer)
      bytes.set([1, 2, 3, 255])
      bytes.copyWithin(4, 0, 2)
      const words = new Int16Array(buffer, 4)
      words[3] = -2
      view.setUint32(16, 0x01020304, true)
      view.setUint16(21, 0xabcd)
      view.setBigUint64(24, 0x0102030405060708n, true)
      side.memory.writeU32(X + 40, 0xfffffffe)
      seen.push(
        [...bytes.subarray(1, 5)],
        words[1],
        words[3],
        Array.from(words.slice(0, 2)),
        bytes instanceof Uint8Array,
        bytes.length,
        new Uint8Array(buffer, 16, 4).join(),
        view.getUint16(21),
        view.getInt16(21),
        view.getBigUint64(24, true),
        side.memory.readU32(X + 40),
        Atomics.sub(new Int32Array(buffer), 10, 1),
        Atomics.compareExchange(new Int32Array(buffer), 10, -3, 9),
        Atomics.load(new Uint32Array(buffer), 10),
        new Uint8Array(3).length,
      )
    })
    expect(report.verdict, String(report)).toBe('pass')
    // Every access runs the side again.
    expect(seen.slice(-15)).toEqual([
      [2, 3, 255, 1],
      -253,
      -2,
      [513, -253],
      true,
      8,
      '4,3,2,1',
      0xabcd,
      0xabcd - 0x10000,
      0x0102030405060708n,
      0xfffffffe,
      -2,
      -3,
      9,
      3,
    ])
  })

  it('the world is as before afterwards', () => {
    const { load } = Atomics
    const { Uint16Array: before } = globalThis
    expect(explore((side) => side.load(X, 2, 'acquire')).verdict).toBe('pass')
    expect(Atomics.load).toBe(load)
    expect(globalThis.Uint16Array).toBe(before)
  })

  it('a view that was made before is refused', () => {
    let kept: Uint8Array | null = null
    const target: InterleavingTarget = {
      ...litmus(nothing, nothing),
      driver: (side) => {
        kept ??= Buffer.from(side.memory.regions[0]!.u8.buffer)
        return () => kept!.fill(1)
      },
    }
    expect(() => exploreInterleavings(target, { model: 'sc' })).toThrow('was written through a view that was not made')
  })

  it('floating-point views, other DataView methods, and Atomics.wait are refused', () => {
    expect(() => explore((side) => new Float64Array(side.memory.regions[0]!.u8.buffer))).toThrow('a Float64Array of')
    expect(() => explore((side) => new DataView(side.memory.regions[0]!.u8.buffer).getFloat32(0))).toThrow('getFloat32')
    expect(() => explore((side) => Atomics.wait(side.memory.regions[0]!.u32 as never, 0, 0))).toThrow('use wait()')
    expect(() => explore((side) => side.load(X + 1, 2, 'acquire'))).toThrow('is not the address of 2 aligned bytes')
  })

  it('a side that depends on anything else is refused', () => {
    let runs = 0
    const moody = (side: ExploredSide): void => {
      side.load(runs++ % 2 === 0 ? X : Y, 2, 'acquire')
      side.load(X, 2, 'acquire')
    }
    expect(() => explore(moody)).toThrow('did something else when it was run again')
    let tired = 0
    const lazy = (side: ExploredSide): void => {
      if (tired++ < 2) side.load(X, 2, 'acquire')
    }
    expect(() => explore(lazy, (side) => side.store(X, 2, 1, 'release'))).toThrow('did something else')
  })

  it('a side that swallows what ends its run stays ended', () => {
    const swallows: Program = (side) => {
      for (let i = 0; i < 3; i++) {
        try {
          side.load(X, 2, 'acquire')
        } catch {}
      }
    }
    const report = explore(swallows, (side) => side.store(X, 2, 1, 'release'))
    expect(report).toMatchObject({ verdict: 'pass', localStates: [1 + 2 + 3 + 4, 2] })
  })

  it('wrong options are refused', () => {
    const target = litmus(nothing, nothing)
    expect(() => exploreInterleavings({ ...target, memoryBytes: 100 }, { model: 'sc' })).toThrow('multiples of 64')
    expect(() => exploreInterleavings(target, { model: 'non-coherent', lineBytes: 48 })).toThrow('a power of two')
    expect(() => exploreInterleavings(target, { model: 'arm' as never })).toThrow('model is one of')
    expect(() => ringExchange({}, { size: 3, driver: [], device: [] })).toThrow('1, 2, 4, 8 or 16 entries')
  })
})

/** Says that a chain is used, and a moment later that it is used. */
function completesTwice(): DeviceQueueTarget {
  return {
    side: 'device',
    name: 'completes twice',
    create(memory, ring) {
      const device = new ReferenceDevice(memory, ring)
      const usedIdx = ring.deviceArea + 2
      return {
        take: () => device.take(),
        complete: (id, writtenBytes) => device.complete(id, writtenBytes),
        publish() {
          device.publish()
          const index = memory.readU16(usedIdx)
          memory.writeU32(ring.deviceArea + 4 + 8 * (index % ring.size), 0)
          memory.writeU16(usedIdx, index + 1)
        },
        wantsNotification: () => device.wantsNotification(),
        setNotifications: (on) => device.setNotifications(on),
        reset: () => device.reset(),
      }
    },
  }
}
