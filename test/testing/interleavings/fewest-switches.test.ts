/** Counterexamples are the easiest to read: fewest changes between the sides, then the shortest. */
import { describe, expect, it } from 'vitest'
import {
  exploreInterleavings,
  type InterleavingTarget,
  type MemoryModelName,
  referenceDevice,
  referenceDriver,
  replayInterleaving,
  ringExchange,
} from '../../../src/testing/index.ts'
import { EXCHANGES } from './exchanges.ts'
import { litmus, type Program, X, Y } from './litmus.ts'

/** `d12v3d.1`: parts, and changes of side and unusual effects among them. */
function measure(schedule: string): { switches: number; steps: number } {
  const parts = [...schedule.slice(schedule.indexOf(':') + 1).matchAll(/([dv])(\.?)(\d+)/g)]
  const changes = parts.filter(([, side], i) => i > 0 && parts[i - 1]![1] !== side).length
  const unusual = parts.filter(([, , dot]) => dot === '.').length
  return { switches: changes + unusual, steps: parts.reduce((sum, [, , dot, n]) => sum + (dot ? 1 : Number(n)), 0) }
}

const both = (target: InterleavingTarget, model: MemoryModelName) => {
  const failure = (shorten: number) => exploreInterleavings(target, { model, shorten }).failure!
  const [first, shown] = [failure(0), failure(200_000)]
  expect(shown.kind).toBe(first.kind)
  expect(replayInterleaving(target, shown.schedule).failure).toEqual(shown)
  return { first: measure(first.schedule), shown: measure(shown.schedule), schedule: shown.schedule }
}

/** The device must see Y only behind X; before that there is a lot to say. */
const writer: Program = (side) => {
  for (let i = 0; i < 4; i++) side.store(X, 2, i, 'seq-cst')
  side.store(Y, 2, 1, 'seq-cst')
  side.store(X, 2, 42, 'seq-cst')
}
const reader: Program = (side) => {
  for (let i = 0; i < 3; i++) side.load(X, 2, 'seq-cst')
  if (side.load(Y, 2, 'seq-cst') === 1 && side.load(X, 2, 'seq-cst') !== 42) throw new Error('too early')
}

describe('the schedule of a failure', () => {
  it('changes sides as often as it must: once from the writer to the reader', () => {
    expect(both(litmus(writer, reader), 'sc')).toMatchObject({ shown: { switches: 1, steps: 10 }, schedule: 'sc:d5v5' })
  })

  it('is the least there is: no schedule with fewer changes fails, and none that is shorter', () => {
    const target = litmus(writer, reader)
    const { shown } = both(target, 'sc')
    const fails = (text: string): boolean => {
      try {
        return replayInterleaving(target, `sc:${text}`).failure !== null
      } catch (error) {
        // Longer than the side is.
        if ((error as { code?: unknown }).code !== 'INVALID_SCHEDULE') throw error
        return false
      }
    }
    let tried = 0
    for (let d = 0; d <= 8; d++) {
      for (let v = 0; v <= 8; v++) {
        for (const text of [`d${d}`, `v${v}`, `d${d}v${v}`, `v${v}d${d}`]) {
          if (/[dv]0/.test(text)) continue
          const { switches, steps } = measure(`sc:${text}`)
          if (switches > shown.switches || (switches === shown.switches && steps >= shown.steps)) continue
          tried++
          expect(fails(text), text).toBe(false)
        }
      }
    }
    expect(tried).toBeGreaterThan(50)
  })

  it('is never worse than the first that was met, and mostly better', () => {
    const [two, quiet] = ['two requests, one at a time, EVENT_IDX', 'silence while at work, on both sides, flags'].map(
      (name) => EXCHANGES.find((exchange) => exchange.name === name)!,
    )
    const cases: [InterleavingTarget, MemoryModelName][] = [
      [ringExchange({ device: referenceDevice }, two!), 'tso'],
      [ringExchange({ device: referenceDevice }, quiet!), 'tso'],
      [ringExchange({ driver: referenceDriver }, two!), 'non-coherent'],
      [ringExchange({ driver: referenceDriver }, quiet!), 'weak'],
      [ringExchange({ device: referenceDevice }, quiet!), 'weak'],
    ]
    const found = cases.map(([target, model]) => both(target, model))
    for (const { first, shown } of found) {
      expect(shown.switches).toBeLessThanOrEqual(first.switches)
      if (shown.switches === first.switches) expect(shown.steps).toBeLessThanOrEqual(first.steps)
    }
    expect(found.filter(({ first, shown }) => shown.switches < first.switches).length).toBeGreaterThanOrEqual(4)
  })

  it('stays the first one where looking for a better one takes too long', () => {
    const target = litmus(writer, reader)
    const [first, tired] = [0, 3].map((shorten) => exploreInterleavings(target, { model: 'sc', shorten }).failure)
    expect(tired).toEqual(first)
  })
})
