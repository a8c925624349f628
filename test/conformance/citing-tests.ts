/**
 * The tests that cite clauses: by their own names or by those of the `describe` around them. A test that is skipped does not count.
 * Names that a program makes (templates, variables, conditions to run) are known to vitest alone: it collects those files.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import ts from 'typescript'

export interface CitingTest {
  /** From the folder `test`. */
  readonly file: string
  /** With the names of the `describe` around it. */
  readonly name: string
}

export const CLAUSE_ID = /\b(?:IMP-[A-Z]+-\d{2}|[A-Z]+(?:-[A-Z]+)*-(?:DRV|DEV|ANY)-\d{2})\b/g

/** Whether a name cites a clause: INIT-DRV-01 is not cited by MMIO-INIT-DRV-01. */
export function cites(name: string, id: string): boolean {
  return new RegExp(`(?<![\\w-])${id}(?!\\d)`).test(name)
}

/** Tests of these are of the testing kit: they say what it holds other queues to. The others, of the models too, run the product. */
export const isOfKit = (file: string): boolean => /^testing\/(?!reference-model\.|model-campaign\.)/.test(file)

/** All tests under `folder` whose full names cite a clause. Throws `Error` when vitest cannot collect a file. */
export function citingTests(root: string): CitingTest[] {
  const folder = join(root, 'test')
  const found: CitingTest[] = []
  const computed: string[] = []
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = file.replaceAll('\\', '/')
    // Tests of the repository itself cite clauses as examples.
    if (!path.endsWith('.test.ts') || /^(conformance\/|architecture\.)/.test(path)) continue
    const text = readFileSync(join(folder, file), 'utf8')
    if (text.search(CLAUSE_ID) < 0 && !text.includes('VIOLATION_CLAUSES')) continue
    const names = writtenNames(text)
    if (names === null) computed.push(path)
    else for (const name of names) found.push({ file: path, name })
  }
  found.push(...collected(root, computed))
  return found.filter(({ name }) => name.search(CLAUSE_ID) >= 0)
}

/** The names as they stand in a file; null when one of them, or whether it runs, is not written down. */
export function writtenNames(text: string): string[] | null {
  const tree = ts.createSourceFile('tests.ts', text, ts.ScriptTarget.Latest, true)
  const names: string[] = []
  let isComplete = true
  const visit = (node: ts.Node, around: readonly string[]): void => {
    const call = ts.isCallExpression(node) ? /^(it|test|describe)\b([^(]*)/.exec(node.expression.getText()) : null
    if (call === null || !ts.isCallExpression(node) || isTable(node)) {
      ts.forEachChild(node, (child) => visit(child, around))
      return
    }
    const [, kind, modifiers] = call as unknown as [string, string, string]
    if (/\.(skip|todo)\b/.test(modifiers)) return
    const name = node.arguments[0]
    const isRow = node.expression.getText().search(CLAUSE_ID) >= 0
    if (isRow || /\.(skipIf|runIf)\b/.test(modifiers) || name === undefined || !ts.isStringLiteralLike(name)) {
      isComplete = false
      return
    }
    const all = [...around, name.text]
    if (kind !== 'describe') names.push(all.join(' > '))
    else for (const rest of node.arguments.slice(1)) visit(rest, all)
  }
  visit(tree, [])
  return isComplete ? names : null
}

/** `it.each(rows)` and `it.skipIf(condition)`, which are called with the name next. */
function isTable({ parent, expression }: ts.CallExpression): boolean {
  return (
    /\.(each|for|skipIf|runIf)$/.test(expression.getText()) &&
    ts.isCallExpression(parent) &&
    parent.expression !== undefined
  )
}

function collected(root: string, files: readonly string[]): CitingTest[] {
  if (files.length === 0) return []
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  try {
    const list = join(folder, 'tests.json')
    const vitest = join(root, 'node_modules/vitest/vitest.mjs')
    const paths = files.map((file) => `test/${file}`)
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('VITEST')))
    const run = spawnSync(process.execPath, [vitest, 'list', '--project', 'unit', `--json=${list}`, ...paths], {
      cwd: root,
      env: { ...env, NODE_ENV: 'test' },
      encoding: 'utf8',
    })
    if (run.status !== 0) throw new Error(`vitest cannot collect ${files.join(', ')}: ${run.stderr}`)
    const tests = JSON.parse(readFileSync(list, 'utf8')) as { name: string; file: string }[]
    return tests.map(({ name, file }) => ({ file: relative(join(root, 'test'), file).replaceAll('\\', '/'), name }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
