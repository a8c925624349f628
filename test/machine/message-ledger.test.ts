/** Ledgers that share a log: each tells of its own messages only, in whatever order those of all flows come and go. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { FlowLedger } from '../../src/machine/message-ledger.ts'
import { MessageLog } from '../../src/machine/message-log.ts'

describe('ledgers', () => {
  it('share a log as if each had its own', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed)
      const log = new MessageLog()
      const pairs = Array.from({ length: 7 }, () => {
        const deadlineNs = random.between(0, 300)
        return [new FlowLedger(deadlineNs, log), new FlowLedger(deadlineNs)] as const
      })
      const unsent = pairs.map(() => 0)
      for (let now = 0; now < 3000; now++) {
        const flow = random.between(0, pairs.length - 1)
        const digest = String(random.between(0, 1))
        const act = random.between(0, 2)
        if (act === 0) unsent[flow]!++
        if (act === 1 && unsent[flow]!-- === 0) {
          unsent[flow] = 0
          continue
        }
        const answers = pairs[flow]!.map((ledger) =>
          act === 0 ? ledger.release(now) : act === 1 ? ledger.send(digest) : ledger.deliver(now, digest),
        )
        expect(answers[0], `seed ${seed}, ${now}`).toBe(answers[1])
        // Asked in between, the log sorts what it has so far.
        if (random.chance(0.01)) expect(pairs[flow]![0].result()).toEqual(pairs[flow]![1].result())
      }
      for (const [shared, own] of pairs) {
        expect(shared.result()).toEqual(own.result())
        expect(shared.mismatches).toBe(own.mismatches)
        expect(shared.lastResponseNs).toBe(own.lastResponseNs)
      }
    }
  })

  it('tell response times by nearest rank, and count what never arrived as late', () => {
    const ledger = new FlowLedger(50)
    for (let k = 0; k < 100; k++) {
      expect(ledger.release(1000 * k)).toBe(k)
      ledger.send('')
    }
    for (let k = 0; k < 99; k++) expect(ledger.deliver(1000 * k + ((37 * k) % 99) + 1, '')).toBe(k)
    expect(ledger.result()).toEqual({
      messages: 100,
      delivered: 99,
      deadlineMisses: 49 + 1,
      responseTimeNs: { min: 1, p50: 50, p99: 99, max: 99 },
    })
    expect(new FlowLedger(50, new MessageLog()).result().responseTimeNs).toBeNull()
  })

  it('give each message its own digest, also when one arrives before it was sent', () => {
    const ledger = new FlowLedger(50)
    ledger.release(0)
    ledger.release(1)
    expect(ledger.deliver(2, 'first')).toBe(0)
    expect(ledger.mismatches).toBe(1)
    ledger.send('first')
    ledger.send('second')
    expect(ledger.deliver(3, 'second')).toBe(1)
    expect(ledger.mismatches).toBe(1)
    // One that nobody released.
    expect(ledger.deliver(4, '')).toBe(-1)
    expect(ledger.mismatches).toBe(2)
    expect(() => ledger.send('')).toThrow('after it was released')
    ledger.release(10)
    expect(() => ledger.release(9)).toThrow('in order')
  })
})
