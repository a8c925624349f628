/**
 * Every clause of the chapters that this package implements, and the tests that hold it to them. The page is generated from the
 * clauses and from the names of the tests, so it cannot go stale: `npx vitest run test/conformance -u` writes it anew.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { readCsv } from './read-csv.ts'

const TEST_FOLDER = fileURLToPath(new URL('..', import.meta.url))

interface Clause {
  readonly id: string
  readonly section: string
  readonly side: string
  /** MUST, SHOULD, MAY; IMPLIED where no sentence says so. */
  readonly level: string
  readonly paraphrase: string
}

interface CitingTest {
  readonly file: string
  readonly name: string
}

/** Chapters 2, 3 and 6 (basic facilities, initialisation, reserved feature bits), and of chapter 5 the devices that are there. */
const clauses: Clause[] = [
  ...readCsv('clauses.csv')
    .filter((row) => /^([236]\b|5\.4\b|5\.10\b)/.test(row.section_path!))
    .map((row) => ({
      id: row.id!,
      section: row.section_path!.split(' ')[0]!,
      side: row.side!,
      level: row.level!,
      paraphrase: row.paraphrase!,
    })),
  ...readCsv('clauses_implied.csv').map((row) => ({
    id: row.id!,
    section: row.section!,
    side: row.side!,
    level: 'IMPLIED',
    paraphrase: row.paraphrase!,
  })),
]
const reasons = readCsv('clauses_not_applicable.csv') as { prefix: string; reason: string }[]
const tests = citingTests()

/** Of the kit alone: it holds others to what no queue of this package does. */
const KIT_ONLY = 'testing/packed/'

/** INIT-DRV-01 is not cited by MMIO-INIT-DRV-01. */
const cites = (name: string, id: string): boolean => new RegExp(`(?<![\\w-])${id}(?!\\d)`).test(name)
const reasonOf = ({ id }: Clause): string | null => reasons.find(({ prefix }) => id.startsWith(prefix))?.reason ?? null
const citing = ({ id }: Clause): CitingTest[] => tests.filter(({ name }) => cites(name, id))
const testsOf = (clause: Clause): CitingTest[] => citing(clause).filter(({ file }) => !file.startsWith(KIT_ONLY))
const kitTestsOf = (clause: Clause): CitingTest[] => citing(clause).filter(({ file }) => file.startsWith(KIT_ONLY))
const open = clauses.filter((clause) => testsOf(clause).length === 0 && reasonOf(clause) === null)

describe('conformance', () => {
  it('no MUST of an implemented feature is without a test', () => {
    expect(open.filter(({ level }) => level === 'MUST' || level === 'IMPLIED').map(({ id }) => id)).toEqual([])
  })

  it('what is said not to apply is not tested, and exists', () => {
    const tested = clauses.filter((clause) => reasonOf(clause) !== null && testsOf(clause).length > 0)
    expect(tested.map(({ id }) => id)).toEqual([])
    const idle = reasons.filter(({ prefix }) => !clauses.some(({ id }) => id.startsWith(prefix)))
    expect(idle).toEqual([])
  })

  it('docs/conformance.md is what the tests are', async () => {
    await expect(page()).toMatchFileSnapshot('../../docs/conformance.md')
  })
})

function page(): string {
  const count = (level: string, of: (clause: Clause) => boolean) =>
    clauses.filter((clause) => clause.level === level && of(clause)).length
  const summary = ['MUST', 'SHOULD', 'MAY', 'IMPLIED'].map((level) => {
    const tested = count(level, (clause) => testsOf(clause).length > 0)
    const excused = count(level, (clause) => testsOf(clause).length === 0 && reasonOf(clause) !== null)
    return `| ${level} | ${tested} | ${excused} | ${count(level, (clause) => open.includes(clause))} |`
  })
  const families = [...new Set(clauses.map(family))]
  const sections = families.map((name) => {
    const rows = clauses.filter((clause) => family(clause) === name).map(row)
    return `## ${name}\n\n| clause | | what it says | |\n|---|---|---|---|\n${rows.join('\n')}\n`
  })
  return `# Conformance

Every statement of virtio 1.4 (committee specification 01) on status, features, configuration, reset, notifications and split
virtqueues (chapters 2, 3 and 6), on the entropy and the socket device (§5.4, §5.10), and the rules that it only implies, with
the tests that cite them. Paraphrased; ids are this project's. Generated from the names of the tests: \`npx vitest run test/conformance -u\`.

| level | tested | does not apply | open |
|---|---|---|---|
${summary.join('\n')}

${sections.join('\n')}`
}

/** \`VQS-NTF-DRV-07\` is of VQS-NTF, \`IMP-VQS-01\` of IMP-VQS. */
function family({ id }: Clause): string {
  return id.startsWith('IMP-') ? id.slice(0, id.lastIndexOf('-')) : id.replace(/-(DRV|DEV|ANY)-\d+$/, '')
}

function row(clause: Clause): string {
  const { id, section, level, paraphrase } = clause
  return `| ${id} | ${level} ${section} | ${cell(paraphrase)} | ${verdict(clause)} |`
}

function verdict(clause: Clause): string {
  const own = testsOf(clause)
  if (own.length > 0) return listed(own)
  const reason = reasonOf(clause)
  if (reason === null) return '**open**'
  const kit = kitTestsOf(clause)
  return `does not apply: ${reason}${kit.length > 0 ? `; the testing kit holds other queues to it: ${listed(kit)}` : ''}`
}

function listed(citing: readonly CitingTest[]): string {
  const files = [...new Set(citing.map(({ file }) => file))]
  return files
    .map(
      (file) =>
        `${file}: ${citing
          .filter((test) => test.file === file)
          .map(({ name }) => cell(shorten(name)))
          .join('; ')}`,
    )
    .join('<br>')
}

/** Without the ids at its front, which the row has. */
function shorten(name: string): string {
  return name.replace(/^(?:[A-Z0-9-]+-\d{2,3}(?:, | and | \.\. )?)+:? ?/, '') || name
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

/** Names of all tests, as far as they are written down: a template's holes are left open. */
function citingTests(): CitingTest[] {
  const found: CitingTest[] = []
  for (const file of readdirSync(TEST_FOLDER, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.test.ts')) continue
    const text = readFileSync(join(TEST_FOLDER, file), 'utf8')
    const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && /^(it|test)\b/.test(node.expression.getText())) {
        const name = node.arguments[0]
        if (name && (ts.isStringLiteralLike(name) || ts.isTemplateExpression(name))) {
          const written = ts.isStringLiteralLike(name) ? name.text : name.getText().slice(1, -1)
          for (const one of expanded(written)) found.push({ file: file.replaceAll('\\', '/'), name: one })
        }
      }
      ts.forEachChild(node, visit)
    }
    visit(tree)
  }
  return found
}

/** \`VQS-NTF-DEV-01 .. -03\` names three clauses. */
function expanded(name: string): string[] {
  const range = /([A-Z-]+-)(\d{2}) \.\. (?:\1|-)?(\d{2})/.exec(name)
  if (!range) return [name]
  const [all, family, from, to] = range as unknown as [string, string, string, string]
  const ids = Array.from(
    { length: Number(to) - Number(from) + 1 },
    (_, i) => `${family}${String(Number(from) + i).padStart(2, '0')}`,
  )
  return [name.replace(all, ids.join(', '))]
}
