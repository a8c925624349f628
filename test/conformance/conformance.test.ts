/**
 * Every clause of the chapters that this package implements, and the tests that hold it to them. The page is generated from the
 * clauses and from the names of the tests, so it cannot go stale: `npx vitest run test/conformance -u` writes it anew.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COMMON_FEATURES, DRIVER_COMMON_FEATURES, SUPPORTED_COMMON_FEATURES } from 'virtio-sdk/virtio'
import { beforeAll, describe, expect, it } from 'vitest'
import { VIOLATION_CLAUSES } from '../../src/virtqueue/violation.ts'
import { type CitingTest, CLAUSE_ID, citingTests, writtenNames } from './citing-tests.ts'
import { CLAUSES, NOT_APPLICABLE, OPEN } from './clauses.ts'
import { MUTANTS } from './mutants/index.ts'
import { page, productTests, verdictOf } from './page.ts'
import { readCsv } from './read-csv.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
let tests: CitingTest[] = []

beforeAll(() => {
  tests = citingTests(ROOT)
}, 300_000)

const bitOf = (name: string): number | undefined => (COMMON_FEATURES as Record<string, number>)[`VIRTIO_F_${name}`]
const rowsOf = (prefix: string) => CLAUSES.filter(({ id }) => id.startsWith(prefix))

function sources(...folders: readonly string[]): [string, string][] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file): [string, string] => [`${folder}/${file}`, readFileSync(join(ROOT, folder, file), 'utf8')]),
  )
}

describe('every row of the map', () => {
  it('is tested, open with a feature, or not applicable for a reason', () => {
    expect(CLAUSES.filter((clause) => verdictOf(clause, tests) === null).map(({ id }) => id)).toEqual([])
  })

  it('has one verdict: what is said to be open, or not to apply, is not tested; and every exception is of a row', () => {
    for (const { prefix } of [...OPEN, ...NOT_APPLICABLE]) {
      expect([prefix, rowsOf(prefix).some((clause) => verdictOf(clause, tests) !== 'tested')]).toEqual([prefix, true])
    }
    const tested = CLAUSES.filter((clause) => productTests(clause, tests).length > 0).map(({ id }) => id)
    const exact = [...OPEN, ...NOT_APPLICABLE].map(({ prefix }) => prefix).filter((prefix) => tested.includes(prefix))
    expect(exact).toEqual([])
  })

  it('that is open is so for a feature that neither side offers or accepts', () => {
    for (const { feature, prefix, note } of OPEN) {
      if (feature === 'none') {
        expect([prefix, note]).toEqual([prefix, expect.stringMatching(/^deviation: /)])
        continue
      }
      const bit = bitOf(feature)
      expect([prefix, bit]).toEqual([prefix, expect.any(Number)])
      expect([prefix, SUPPORTED_COMMON_FEATURES.has(bit!), DRIVER_COMMON_FEATURES.has(bit!)]).toEqual([
        prefix,
        false,
        false,
      ])
    }
  })

  it.each(NOT_APPLICABLE.map((row) => [row.prefix, row] as const))(
    '%s is not applicable for a reason that is true',
    (_, row) => {
      const [, kind, what] = /^(\w+) (.+)$/.exec(row.check) as unknown as [string, string, string]
      if (kind === 'bit' || kind === 'offer') {
        const bit = bitOf(what)!
        expect(SUPPORTED_COMMON_FEATURES.has(bit)).toBe(false)
        if (kind === 'bit') expect(DRIVER_COMMON_FEATURES.has(bit)).toBe(false)
      } else if (kind === 'test') {
        const clause = CLAUSES.find(({ id }) => id === what)!
        expect(productTests(clause, tests)).not.toEqual([])
      } else if (kind === 'device') {
        const devices = sources('src/virtio/devices').filter(([, text]) => text.includes(what))
        expect(devices.map(([file]) => file)).toEqual([])
        // As of the devices that there are.
        expect(sources('src/virtio/devices').some(([, text]) => text.includes('VIRTIO_ID_RNG'))).toBe(true)
      } else {
        expect(kind).toBe('sources')
        const pattern = new RegExp(/^\/(.+)\/$/.exec(what)![1]!)
        const found = sources('src/virtio', 'src/transport').filter(([, text]) => pattern.test(text))
        expect(found.map(([file]) => file)).toEqual([])
      }
    },
  )
})

describe('what counts as a test', () => {
  it('names of `describe` do, what is skipped does not', () => {
    const text = `
      describe('VQS-DRV-01', () => {
        it('one', () => {})
        it.skip('two', () => {})
        it.each([1])('three %i', () => {})
        describe.skip('four', () => it('five', () => {}))
        it.todo('six')
      })`
    expect(writtenNames(text)).toEqual(['VQS-DRV-01 > one', 'VQS-DRV-01 > three %i'])
  })

  it('names that a program makes are not read from the text, but asked for', () => {
    for (const call of [
      ['it(`VQS-DRV-01 $', '{x}`, f)'].join(''),
      'it(name, f)',
      "it.skipIf(true)('VQS-DRV-01', f)",
      'describe(name, f)',
    ]) {
      expect([call, writtenNames(call)]).toEqual([call, null])
    }
    const computed = tests.filter(({ file }) => file.endsWith('violations.test.ts'))
    expect(computed.map(({ name }) => name)).toContainEqual(
      expect.stringContaining('VQS-IND-DRV-02 indirect-nested: latches'),
    )
  })

  it('every clause that a test, or a violation, cites is one', () => {
    const known = new Set([...CLAUSES.map(({ id }) => id), ...readCsv('clauses.csv').map(({ id }) => id!)])
    const cited = [
      ...tests.flatMap(({ name }) => name.match(CLAUSE_ID) ?? []),
      ...Object.values(VIOLATION_CLAUSES),
    ] as string[]
    expect([...new Set(cited)].filter((id) => !known.has(id))).toEqual([])
  })
})

describe('mutants', () => {
  it('every tested row has one, and every row of one is tested', () => {
    const tested = CLAUSES.filter((clause) => verdictOf(clause, tests) === 'tested').map(({ id }) => id)
    const proved = [...new Set(MUTANTS.flatMap(({ rows }) => rows))]
    expect(tested.filter((id) => !proved.includes(id))).toEqual([])
    expect(proved.filter((id) => !tested.includes(id))).toEqual([])
  })

  it('what they replace stands once in the sources, something else comes of it, and no two are the same', () => {
    const names = MUTANTS.map(({ name }) => name)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
    for (const { name, file, replace, by } of MUTANTS) {
      const times = readFileSync(join(ROOT, file), 'utf8').split(replace).length - 1
      expect([name, file, times]).toEqual([name, file, 1])
      expect([name, by === replace]).toEqual([name, false])
    }
  })
})

it('docs/conformance.md is what the tests are', async () => {
  await expect(page(tests)).toMatchFileSnapshot('../../docs/conformance.md')
})
