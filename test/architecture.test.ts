/** The rules of the house that a machine can check: who imports whom, what is banned, and that cited clauses exist. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { MAY_IMPORT } from './rooms.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** fast-check above all: users may not have it. */
const USERS_OF: Readonly<Record<string, readonly string[]>> = {
  'fast-check': ['testing'],
  cac: ['cli'],
  yaml: ['scenario'],
  zod: ['scenario', 'jailhouse'],
  tinypool: ['cli'],
  'simple-statistics': ['evaluation'],
  koffi: ['native'],
  '@observablehq/plot': ['page'],
  v86: ['linux'],
  d3: ['evaluation'],
}

/** Rooms that run in Node only, and may use what it has: processes, files, time. */
const NODE_ONLY = ['cli', 'native', 'platform-qemu', 'node', 'linux']

/** Built into the page of the report, so that users need not install it. */
const BUNDLED = ['@observablehq/plot']

/** Time and chance come in as arguments. */
const BANNED = new Set(['Date', 'performance', 'process', 'console', 'crypto', 'require'])
/** The user owns the loop: nothing waits by itself, except for a device that resets slowly, and for what has to follow a turn. */
const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'])
const MAY_WAIT = [
  'src/virtio/connect.ts',
  'src/transport/shared-memory.ts',
  'src/transport/device-host.ts',
  'src/transport/register-transport.ts',
  'src/transport/interrupt-line.ts',
]
/** What nobody listens for is printed, in one place. */
const MAY_PRINT = ['src/internal/report-error.ts']

const MAX_LINES = 450

interface Source {
  /** Relative to the repository. */
  readonly path: string
  readonly text: string
  readonly tree: ts.SourceFile
}

function sources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => posix.join(folder, path.replaceAll('\\', '/')))
    .sort()
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8')
      return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) }
    })
}

interface Import {
  readonly specifier: string
  readonly typesOnly: boolean
}

function importsOf({ tree }: Source): Import[] {
  const imports: Import[] = []
  visit(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (!node.moduleSpecifier) return
      const clause = ts.isImportDeclaration(node) ? node.importClause : undefined
      const bindings = ts.isImportDeclaration(node) ? clause?.namedBindings : node.exportClause
      const named = bindings && (ts.isNamedImports(bindings) || ts.isNamedExports(bindings)) ? bindings.elements : []
      const allTypes = named.length > 0 && !clause?.name && [...named].every((element) => element.isTypeOnly)
      const whole = ts.isImportDeclaration(node) ? clause?.phaseModifier === ts.SyntaxKind.TypeKeyword : node.isTypeOnly
      imports.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, typesOnly: whole || allTypes })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      // What is not a literal is a module of the user's.
      const [specifier] = node.arguments
      if (specifier && ts.isStringLiteral(specifier)) imports.push({ specifier: specifier.text, typesOnly: false })
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push({ specifier: (node.argument.literal as ts.StringLiteral).text, typesOnly: true })
    }
  })
  return imports
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node)
  ts.forEachChild(node, (child) => visit(child, see))
}

/** `src/broker/relay.ts` is in `broker`, `src/index.ts` in ``. */
function folderOf(path: string): string {
  const parts = path.split('/')
  return parts.length > 2 ? parts[1]! : ''
}

const src = sources('src')
const where = ({ path, tree }: Source, node: ts.Node) =>
  `${path}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`

describe('imports', () => {
  it('every folder has its place in the table', () => {
    expect([...new Set(src.map(({ path }) => folderOf(path)))].filter((folder) => !(folder in MAY_IMPORT))).toEqual([])
  })

  it('go strictly downward', () => {
    const wrong: string[] = []
    for (const source of src) {
      const folder = folderOf(source.path)
      for (const { specifier, typesOnly } of importsOf(source)) {
        if (!specifier.startsWith('.')) continue
        const target = folderOf(posix.join(posix.dirname(source.path), specifier))
        if (target === folder) continue
        const allowed = MAY_IMPORT[folder]?.includes(target)
        const typesFromMemory = folder !== 'platform' || target !== 'memory' || typesOnly
        if (!allowed || !typesFromMemory) wrong.push(`${source.path} imports ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('make no circle of files, types apart', () => {
    const graph = new Map(
      src.map((source) => [
        source.path,
        importsOf(source).flatMap(({ specifier, typesOnly }) =>
          specifier.startsWith('.') && !typesOnly ? posix.join(posix.dirname(source.path), specifier) : [],
        ),
      ]),
    )
    const done = new Set<string>()
    const circles: string[] = []
    const walk = (path: string, above: readonly string[]): void => {
      if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(' -> '))
      if (done.has(path) || above.includes(path)) return
      for (const next of graph.get(path) ?? []) walk(next, [...above, path])
      done.add(path)
    }
    for (const path of graph.keys()) walk(path, [])
    expect(circles).toEqual([])
  })

  it('name no class of a ring format above the virtqueues: there the facade is used', () => {
    const classes = /^(Split|Packed)(Device|Driver)Queue$|^layout(Split|Packed)Queue$/
    // The kit holds queues of each format against their specification; the index hands out what users build their own device on.
    const above = src.filter(({ path }) => !/^src\/(virtqueue|testing)\/|^src\/index\.ts$/.test(path))
    const wrong: string[] = []
    for (const source of above) {
      visit(source.tree, (node) => {
        if (ts.isIdentifier(node) && classes.test(node.text)) wrong.push(`${where(source, node)} ${node.text}`)
      })
    }
    expect(wrong).toEqual([])
  })

  it('name files with their ending, and packages that users get', () => {
    const installed = Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    })
    const wrong: string[] = []
    for (const source of src) {
      for (const { specifier, typesOnly } of importsOf(source)) {
        if (specifier.startsWith('.')) {
          if (!/\.(ts|json)$/.test(specifier)) wrong.push(`${source.path} imports ${specifier}`)
        } else if (specifier.startsWith('node:')) {
          if (!NODE_ONLY.includes(folderOf(source.path)) && !typesOnly)
            wrong.push(`${source.path} imports ${specifier}`)
        } else if (BUNDLED.includes(specifier)) {
          if (!source.path.startsWith('src/page/script/')) wrong.push(`${source.path} imports ${specifier}`)
        } else if (!installed.includes(specifier) && !(typesOnly && specifier in manifest.devDependencies)) {
          wrong.push(`${source.path} imports ${specifier}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('keep every dependency to the folder that needs it', () => {
    const wrong: string[] = []
    for (const source of src) {
      for (const { specifier } of importsOf(source)) {
        const users = USERS_OF[specifier]
        if (users && !users.includes(folderOf(source.path))) wrong.push(`${source.path} imports ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

describe('sources', () => {
  it('take time and chance as arguments', () => {
    const wrong: string[] = []
    for (const source of src) {
      if (NODE_ONLY.includes(folderOf(source.path))) continue
      const own = declaredIn(source)
      visit(source.tree, (node) => {
        if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random')
          wrong.push(`${where(source, node)} Math.random`)
        if (!ts.isIdentifier(node) || own.has(node.text) || isMemberName(node)) return
        const timer = TIMERS.has(node.text) && !MAY_WAIT.includes(source.path)
        const prints = node.text === 'console' && MAY_PRINT.includes(source.path)
        if ((BANNED.has(node.text) && !prints) || timer) wrong.push(`${where(source, node)} ${node.text}`)
      })
    }
    expect(wrong).toEqual([])
  })

  it('are erasable: no enum, no namespace, no parameter properties', () => {
    const wrong: string[] = []
    for (const source of src) {
      visit(source.tree, (node) => {
        const property = ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent)
        if (ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node) || property) {
          if (!source.path.endsWith('.d.ts')) wrong.push(where(source, node))
        }
      })
    }
    expect(wrong).toEqual([])
  })

  it(`fit into the head: at most ${MAX_LINES} lines`, () => {
    const long = [...src, ...sources('test')].filter(({ text }) => text.split('\n').length - 1 > MAX_LINES)
    expect(long.map(({ path }) => path)).toEqual([])
  })
})

describe('clauses', () => {
  it('that are cited exist', () => {
    const known = new Set(['clauses.csv', 'clauses_implied.csv'].flatMap(clauseIds))
    const unknown: string[] = []
    for (const { path, text } of [...src, ...sources('test')]) {
      for (const [id] of text.matchAll(CLAUSE)) if (!known.has(id)) unknown.push(`${path} cites ${id}`)
    }
    expect(unknown).toEqual([])
    expect([...known].filter((id) => id.replace(CLAUSE, '') !== '')).toEqual([])
  })
})

/** `VQS-DESC-DEV-01`, `IMP-VQS-03`: families in capitals, then two or three digits. */
const CLAUSE = /\b[A-Z][A-Z0-9]*(?:-[A-Z][A-Z0-9]*)+-\d{2,3}\b/g

function clauseIds(file: string): string[] {
  const lines = readFileSync(join(ROOT, 'test/data', file), 'utf8')
    .trim()
    .split('\n')
  return lines.slice(1).map((line) => line.slice(0, line.indexOf(',')))
}

/** Names of variables, parameters, functions and imports: a `process` of a trace is not Node's. */
function declaredIn({ tree }: Source): Set<string> {
  const names = new Set<string>()
  visit(tree, (node) => {
    const declares =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node)
    if ((declares || ts.isImportSpecifier(node)) && node.name && ts.isIdentifier(node.name)) names.add(node.name.text)
  })
  return names
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  if (ts.isPropertyAssignment(parent)) return parent.name === node
  return ts.isMethodDeclaration(parent) || ts.isPropertyDeclaration(parent) || ts.isPropertySignature(parent)
}
