/**
 * Declarations of what the package exports: the compiler checks `src` and writes one file for each of its own, and of those the ones that an entry
 * reaches go into `dist/types`, for ESM and for CJS. `dist/memory.d.ts` and its like hand them out.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import process from 'node:process'

const EMITTED = 'out/types'
/** Relative modules, as the sources name them. */
const RELATIVE = /((?:from |import\()['"])(\.{1,2}\/[^'"]+)\.ts(['"])/g
/** Its types are copied into ours, so that nobody has to install it. */
const EVENT_MAP = "import type { EventMap } from 'typed-emitter';"
const OWN_EVENT_MAP = 'type EventMap = { [event: string]: (...args: any[]) => void };'

/** Checks the sources, and writes the declarations. Returns the exit code of the compiler. */
export function writeDeclarations() {
  const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json']
  const { status } = spawnSync(process.execPath, compiler, { stdio: 'inherit' })
  if (status !== 0) return status ?? 1
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
  const entries = Object.keys(exports).filter((path) => path !== './package.json')
  const written = new Set()
  for (const path of entries) {
    const name = path === '.' ? 'index' : path.slice(2)
    const module = path === '.' ? 'index' : `${name}/index`
    const up = '../'.repeat(name.split('/').length - 1) || './'
    write(`dist/${name}.d.ts`, `export * from '${up}types/${module}.js'\n`)
    write(`dist/${name}.d.cts`, `export * from '${up}types/${module}.cjs'\n`)
    copy(module, written)
  }
  return 0
}

function copy(module, written) {
  if (written.has(module)) return
  written.add(module)
  const text = readFileSync(`${EMITTED}/${module}.d.ts`, 'utf8').replace(EVENT_MAP, OWN_EVENT_MAP)
  for (const [ending, kind] of [
    ['.d.ts', 'js'],
    ['.d.cts', 'cjs'],
  ]) {
    write(`dist/types/${module}${ending}`, text.replace(RELATIVE, `$1$2.${kind}$3`))
  }
  for (const [, , target] of text.matchAll(RELATIVE)) copy(join(dirname(module), target), written)
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
