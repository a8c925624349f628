/** Targets in JavaScript answer and throw anything: a finding that says what was answered, never a mistake of the kit. */
import { describe, expect, it } from 'vitest'
import type { FuzzTarget } from '../../src/testing/fuzz.ts'
import { fuzz, referenceDevice, referenceDriver, runMuseum } from '../../src/testing/index.ts'

type Calls = Record<string, (...args: unknown[]) => unknown>

/** The reference, but for one call. */
function oddTarget(reference: FuzzTarget, call: string, action: () => unknown): FuzzTarget {
  const create = (...args: unknown[]) => {
    const queue = (reference.create as unknown as (...given: unknown[]) => Calls)(...args)
    return new Proxy(queue, {
      get(target, name) {
        const own = target[String(name)]
        if (name === call) return action
        return typeof own === 'function' ? own.bind(target) : own
      },
    })
  }
  return { side: reference.side, name: 'odd', create } as unknown as FuzzTarget
}

function said(target: FuzzTarget): string[] {
  const report = runMuseum(target, { exhibits: target.side === 'device' ? [1, 10] : [33, 36] })
  const [failed] = report.results.filter(({ verdict }) => verdict === 'FAIL')
  for (const { finding, programs } of fuzz(target, 1)) {
    if (finding !== null) return [failed?.detail ?? 'no exhibit fails', finding.message]
    if (programs > 400) break
  }
  return [failed?.detail ?? 'no exhibit fails', 'nothing found']
}

/** Throws when it is to be made a text. */
const SHY = {
  toJSON() {
    throw null
  },
}

const odd: readonly [words: string, value: unknown][] = [
  ['undefined', undefined],
  ['5.5', 5.5],
  ['text', 'text'],
  ['{}', {}],
  ['Symbol(odd)', Symbol('odd')],
  ['a function', () => 1],
  ['{}', Promise.resolve(null)],
  ['{"kind":"chain"}', { kind: 'chain' }],
  ['{"kind":"used","id":1}', { kind: 'used', id: 1 }],
  ['{"kind":"fault","id":1}', { kind: 'fault', id: 1 }],
  ['"readable":[5]', { kind: 'chain', id: 0, readable: [5], writable: [] }],
  ['an object', SHY],
]

describe('what is no answer', () => {
  const calls: readonly [FuzzTarget, string][] = [
    [referenceDevice, 'take'],
    [referenceDriver, 'reap'],
    [referenceDriver, 'add'],
  ]
  const cases = calls.flatMap(([target, call]) => odd.map(([words, value]) => [call, words, target, value] as const))

  it.each(cases)('%s answers %s', (call, words, target, value) => {
    for (const text of said(oddTarget(target, call, () => value))) {
      expect(text).toContain(`${call} answered `)
      expect(text).toContain(`${words}`)
      expect(text).toContain('; it must answer ')
    }
  })
})

describe('what is no error', () => {
  it.each([
    ['null', null],
    ['undefined', undefined],
    ['Symbol(odd)', Symbol('odd')],
    ['an object', SHY],
  ])('take and reap throw %s', (words, thrown) => {
    for (const [target, call] of [
      [referenceDevice, 'take'],
      [referenceDriver, 'reap'],
    ] as const) {
      const action = () => {
        throw thrown
      }
      for (const text of said(oddTarget(target, call, action))) expect(text).toContain(`threw ${words}`)
    }
  })
})

describe('a fault that comes once', () => {
  /** Fails in its `failsAt`th call of `take`. */
  function fickle(failsAt: number) {
    let calls = 0
    const target: FuzzTarget = {
      ...referenceDevice,
      create(...args: Parameters<typeof referenceDevice.create>) {
        const queue = referenceDevice.create(...args)
        const take = queue.take.bind(queue)
        queue.take = () => {
          if (++calls === failsAt) throw new Error('this once')
          return take()
        }
        return queue
      },
    }
    return { target, calls: () => calls }
  }
  const firstTurn = (target: FuzzTarget) => fuzz(target, 1).next().value!.finding

  it('is a finding that says that it does not come again', () => {
    const counted = fickle(Number.POSITIVE_INFINITY)
    expect(firstTurn(counted.target)).toBeNull()
    // The last call of a turn is in its rings.
    const finding = firstTurn(fickle(counted.calls()).target)
    expect(finding?.message).toMatch(/^once, in rings 0 to 499 after each other, and not when each ran alone: /)
    expect(finding?.message).toContain('this once')
    expect(finding?.case).toMatchObject({ kind: 'hostile', number: 0 })
  })
})
