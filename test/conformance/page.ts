/** `docs/conformance.md`, as the clauses, the tests and the mutants make it. */
import { type CitingTest, cites, isOfKit } from './citing-tests.ts'
import { CLAUSES, type Clause, familyOf, LEVELS, notApplicableOf, openOf } from './clauses.ts'
import { MUTANTS } from './mutants/index.ts'
import { readCsv } from './read-csv.ts'

/** Names of one file that a cell shows; the others are counted. */
const NAMES_SHOWN = 3

export type Verdict = 'tested' | 'open' | 'not applicable'

export function productTests({ id }: Clause, tests: readonly CitingTest[]): CitingTest[] {
  return tests.filter(({ file, name }) => !isOfKit(file) && cites(name, id))
}

function kitTests({ id }: Clause, tests: readonly CitingTest[]): CitingTest[] {
  return tests.filter(({ file, name }) => isOfKit(file) && cites(name, id))
}

/** Null: nothing is known of the row, which is a fault of the map. */
export function verdictOf(clause: Clause, tests: readonly CitingTest[]): Verdict | null {
  if (productTests(clause, tests).length > 0) return 'tested'
  const [open, notApplicable] = [openOf(clause), notApplicableOf(clause)]
  if (open === null && notApplicable === null) return null
  return (open?.prefix.length ?? 0) > (notApplicable?.prefix.length ?? 0) ? 'open' : 'not applicable'
}

export function page(tests: readonly CitingTest[]): string {
  const families = [...new Set(CLAUSES.map(familyOf))]
  const sections = families.map((name) => {
    const rows = CLAUSES.filter((clause) => familyOf(clause) === name).map((clause) => row(clause, tests))
    return `## ${name}\n\n| clause | | what it says | this package | the testing kit |\n|---|---|---|---|---|\n${rows.join('\n')}\n`
  })
  return `# Conformance

${LEVELS.map((level) => counted(level, tests)).join('. ')}.

Every statement of virtio 1.4 (committee specification 01) on status, features, configuration, reset, notifications and virtqueues
(chapters 2, 3 and 6), on MMIO (§4.2), on the entropy and the socket device (§5.4, §5.10), and the rules that it only implies. Paraphrased;
ids are this project's. Chapter 7 asks of each device and driver that it follows the rules of PCI, MMIO or channel I/O as well (chapter 4). **Without one of
them none conforms**: one behind \`SharedMemoryTransport\`, which is of none of these kinds, does not, whatever this page says; one behind
\`MmioWindow\` or \`PciFunction\`, or on their driver's side, does as far as the rules of that transport are kept, too. Those of PCI (§4.1) are not on
this page: ${citedOfPci(tests)}, and no mutant shows yet that these tests prove them.

- *Tested*: a test of this package that runs, and is not skipped, cites the clause in its name or in that of a \`describe\` around it. For each of
  these rows there is a mutant, a small fault put into the sources, that its tests find: ${MUTANTS.length} of them, in \`test/conformance/mutants\`.
- *Open*: it would apply with a feature that is not implemented, whose bit neither side offers or accepts. What says *deviation* applies and is
  not followed.
- *Not applicable*: its condition cannot come about here, and a test checks why.
- The testing kit's column has the tests of what [the kit](testing.md) holds other people's queues to; they say nothing about this package.

Generated: \`npx vitest run test/conformance -u\`. \`npm run conformance:power\` puts each mutant into a copy of the sources and runs the tests of
its rows, \`-- --only VQS-USED-DEV-02\` those of a row, \`-- --tenth\` a tenth by the day, as CI does. The last whole run killed 187 of 187:
147 in 920 s, the 40 of MMIO in 632 s, one at a time, on two cores that did other work as well.

${sections.join('\n')}`
}

/** PCI has no rows yet: how many of its clauses the product's tests cite all the same. */
function citedOfPci(tests: readonly CitingTest[]): string {
  const ids = readCsv('clauses.csv')
    .filter((row) => /^4\.1\b/.test(row.section_path!))
    .map((row) => row.id!)
  const cited = ids.filter((id) => tests.some(({ file, name }) => !isOfKit(file) && cites(name, id)))
  return `tests cite ${cited.length} of their ${ids.length}`
}

/** Of every level: how many of its clauses are what. */
function counted(level: string, tests: readonly CitingTest[]): string {
  const verdicts = CLAUSES.filter((clause) => clause.level === level).map((clause) => verdictOf(clause, tests))
  const count = (verdict: Verdict) => verdicts.filter((each) => each === verdict).length
  const [tested, open, other] = (['tested', 'open', 'not applicable'] as const).map(count)
  return `${level}: ${tested} tested, ${open} open, ${other} not applicable`
}

function row(clause: Clause, tests: readonly CitingTest[]): string {
  const { id, section, level, paraphrase } = clause
  const kit = listed(kitTests(clause, tests))
  return `| ${id} | ${level} ${section} | ${cell(paraphrase)} | ${verdict(clause, tests)} | ${kit} |`
}

function verdict(clause: Clause, tests: readonly CitingTest[]): string {
  const own = productTests(clause, tests)
  if (own.length > 0) return listed(own)
  if (verdictOf(clause, tests) === 'not applicable') return `not applicable: ${notApplicableOf(clause)?.reason}`
  const open = openOf(clause)
  if (open === null) return '**unknown**'
  return open.feature === 'none' ? `open, ${open.note}` : `open, with ${open.feature}: ${open.note}`
}

function listed(citing: readonly CitingTest[]): string {
  const files = [...new Set(citing.map(({ file }) => file))].sort()
  return files
    .map((file) => {
      const names = [...new Set(citing.filter((test) => test.file === file).map(({ name }) => cell(shorten(name))))]
      const more = names.length > NAMES_SHOWN ? `; and ${names.length - NAMES_SHOWN} more` : ''
      return `${file}: ${names.slice(0, NAMES_SHOWN).join('; ')}${more}`
    })
    .join('<br>')
}

/** Without the names of the \`describe\` around it, unless they cite, and without the ids at its front, which the row has. */
function shorten(full: string): string {
  const name = full.split(' > ').at(-1)!
  return name.replace(/^(?:[A-Z0-9-]+-\d{2,3}(?:, | and )?)+:? ?/, '') || name
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
