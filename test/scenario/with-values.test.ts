import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseScenario, withValues } from '../../src/scenario/index.ts'

const TEXT = `# kept
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: log, from: a, to: b, period: 10ms, length: 1KiB }   # kept as well
  - { name: log.small, from: b, to: a, period: 1ms, length: 64 }
`
const changed = (...changes: string[]) => parseScenario(withValues(TEXT, changes))

describe('withValues', () => {
  it('changes a value of the entry with that name, or at that place', () => {
    expect(changed('flows.log.length=64KiB').flows.map(({ lengthBytes }) => lengthBytes)).toEqual([65536, 64])
    expect(changed('flows.1.length=65').flows.map(({ lengthBytes }) => lengthBytes)).toEqual([1024, 65])
  })

  it('takes the longest name that fits, since names have dots', () => {
    expect(changed('flows.log.small.length=65').flows.map(({ lengthBytes }) => lengthBytes)).toEqual([1024, 65])
  })

  it('adds what is not there, in mappings that are not there either', () => {
    const { broker, seed } = changed(
      'seed=7',
      'broker.regulator={ kind: budget, budget: 1ms, period: 2ms }',
      'broker.chunk=512',
    )
    expect({ seed, chunk: broker.chunkBytes, regulator: broker.regulator }).toEqual({
      seed: 7,
      chunk: 512,
      regulator: { kind: 'budget', budgetNs: 1_000_000, periodNs: 2_000_000 },
    })
  })

  it('makes changes one after the other', () => {
    expect(changed('seed=7', 'seed=8').seed).toBe(8)
  })

  it('keeps comments, and JSON JSON', () => {
    expect(withValues(TEXT, ['seed=7'])).toContain('# kept as well')
    const json = JSON.stringify({ vms: [], flows: [{ name: 'f', length: 1 }] })
    expect(JSON.parse(withValues(json, ['flows.f.length=64KiB'], { path: 'a.json' }))).toEqual({
      vms: [],
      flows: [{ name: 'f', length: '64KiB' }],
    })
  })

  it('gives back what is no scenario as it is, for its reader to tell the mistake', () => {
    for (const text of ['a: [', '3', '']) expect(withValues(text, ['seed=7'])).toBe(text)
    expect(withValues(TEXT, [])).toBe(TEXT)
  })

  it.each([
    ['seed', 'is no change; write PATH=VALUE, e.g. flows.log.length=64KiB'],
    ['=3', 'is no change; write PATH=VALUE, e.g. flows.log.length=64KiB'],
    ['flows.lgo.length=3', 'names lgo, which is not in flows; did you mean log?'],
    ['flows.2.length=3', 'names 2, which is not in flows; use one of log, log.small'],
    ['flows.log.length.more=3', 'leads into flows.0.length, which is 1KiB'],
    ['seed=[', 'has a value that is no YAML: '],
    ['broker..chunk=512', 'has an empty key'],
  ])('refuses %s', (change, why) => {
    expect(() => withValues(TEXT, [change])).toThrow(
      expect.objectContaining({ code: 'BAD_PATH', message: expect.stringContaining(`${change} ${why}`) }),
    )
  })

  it('refuses to change what an alias stands for, which is in several places', () => {
    const text = 'vms: [&v { name: a }, *v]'
    expect(() => withValues(text, ['vms.1.core=3'])).toThrow(
      'vms.1.core=3 leads to vms.1, which is an alias in the file',
    )
    expect(withValues(text, ['vms.a.core=3'])).toContain('core: 3')
  })

  it('refuses what is no text', () => {
    expect(() => withValues(TEXT, [3 as unknown as string])).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    )
    expect(() => withValues(3 as unknown as string, [])).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  it('throws nothing but VirtioErrors, and what it changes reads back', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z.0-9 ]{1,12}$/), fc.string({ maxLength: 12 }), (path, value) => {
        let text: string
        try {
          text = withValues(TEXT, [`${path}=${value}`])
        } catch (error) {
          expect(error).toMatchObject({ name: 'VirtioError' })
          return
        }
        expect(withValues(text, [`${path}=${value}`])).toBe(text)
      }),
      { numRuns: 500 },
    )
  })
})
