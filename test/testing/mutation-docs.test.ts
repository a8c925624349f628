/**
 * docs/mutation.md explains every survivor of Stryker. Each row must still be found in its file; after a run (`npm run mutation`
 * names its report in MUTATION_REPORT) the rows, their counts and the score must be those of the report.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { LIMIT_MUTANTS, PACKED_LIMIT_MUTANTS } from './limit-mutants.ts'
import { MUTANTS } from './mutants.ts'
import { PACKED_MUTANTS } from './packed/packed-mutants.ts'
import { queueSource } from './queue-sources.ts'

const ROOT = new URL('../../', import.meta.url)
const docs = readFileSync(new URL('docs/mutation.md', ROOT), 'utf8')

interface Report {
  readonly files: Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>
}
interface Mutant {
  readonly status: string
  readonly location: { readonly start: Position; readonly end: Position }
}
interface Position {
  readonly line: number
  readonly column: number
}

/** `file: code` of each row, with the number of its mutants. */
function explained(): Map<string, number> {
  const rows = docs.matchAll(/^\| `([\w-]+\.ts)` \| `(.+?)` \| (\d+) \| .+ \|$/gm)
  return new Map(
    Array.from(rows, ([, file, code, count]) => [`${file}: ${code!.replaceAll('\\|', '|')}`, Number(count)]),
  )
}

/** The mutated code if it is on one line, else the line that it begins on. */
function codeOf(source: string, { location: { start, end } }: Mutant): string {
  const line = source.split('\n')[start.line - 1]!
  return start.line === end.line ? line.slice(start.column - 1, end.column - 1) : line.trim()
}

it('docs/mutation.md explains code that is there', () => {
  const rows = [...explained().keys()]
  expect(rows.length).toBeGreaterThan(10)
  for (const row of rows) {
    const [file, code] = row.split(/: (.*)/s) as [string, string]
    expect(queueSource(file), row).toContain(code)
  }
})

it('the documents say how many faults were seeded by hand', () => {
  const [split, packed] = [MUTANTS.length + LIMIT_MUTANTS.length, PACKED_MUTANTS.length + PACKED_LIMIT_MUTANTS.length]
  expect(docs).toContain(`\n${split} faults of split queues and ${packed} of packed ones, seeded by hand`)
  expect(docs).toContain(
    `\`test/testing/mutants.ts\` (${MUTANTS.length}) and \`packed/packed-mutants.ts\` (${PACKED_MUTANTS.length})`,
  )
  expect(readFileSync(new URL('docs/testing.md', ROOT), 'utf8')).toContain(`all ${split}, in [mutation.md]`)
})

const report = process.env.MUTATION_REPORT
it.runIf(report)('docs/mutation.md has the figures of the report, and explains every survivor in it', () => {
  const { files } = JSON.parse(readFileSync(new URL(report!, ROOT), 'utf8')) as Report
  const survivors = new Map<string, number>()
  const counts = { Killed: 0, Timeout: 0, Survived: 0, NoCoverage: 0, Ignored: 0 } as Record<string, number>
  for (const [path, { source, mutants }] of Object.entries(files)) {
    for (const mutant of mutants) {
      counts[mutant.status] = (counts[mutant.status] ?? 0) + 1
      if (mutant.status !== 'Survived' && mutant.status !== 'NoCoverage') continue
      const row = `${path.split('/').at(-1)}: ${codeOf(source, mutant)}`
      survivors.set(row, (survivors.get(row) ?? 0) + 1)
    }
  }
  expect(survivors).toEqual(explained())
  const { Killed, Timeout, Survived, NoCoverage, Ignored } = counts as Record<string, number>
  const detected = Killed! + Timeout!
  const total = detected + Survived! + NoCoverage!
  const figures = Array.from(docs.matchAll(/^\| .*\| (?:\*\*)?([\d.]+)(?: %\*\*)? \|$/gm), ([, figure]) =>
    Number(figure),
  )
  expect(figures).toEqual([detected, Survived, Ignored, Math.round((1000 * detected) / total) / 10])
})
