/** Every name that the package exports says what it is: the API reference is made of these comments (`npm run docs`). */
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import typedoc from '../typedoc.json' with { type: 'json' }

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** `src/index.ts`, `src/virtqueue/index.ts`, … */
const ENTRIES = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => posix.join('src', path, 'index.ts'))

interface Exported {
  readonly entry: string
  readonly name: string
  readonly comment: string
}

/** What the entries export, each with the comment at its declaration. */
function exported(entries: readonly string[]): Exported[] {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  const program = ts.createProgram(
    entries.map((entry) => `${ROOT}${entry}`),
    options,
  )
  const checker = program.getTypeChecker()
  return entries.flatMap((entry) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(`${ROOT}${entry}`)!)!
    return checker.getExportsOfModule(module).map((symbol) => {
      const meant = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      const comment = ts.displayPartsToString(meant.getDocumentationComment(checker)).trim()
      return { entry, name: symbol.name, comment }
    })
  })
}

describe('exports', () => {
  const all = exported(ENTRIES)

  it('have a doc comment each', () => {
    expect(all.length).toBeGreaterThan(800)
    expect(all.filter(({ comment }) => comment === '').map(({ entry, name }) => `${entry}: ${name}`)).toEqual([])
  })

  it('are all in the API reference', () => {
    const patterns = typedoc.entryPoints.map((pattern) => new RegExp(`^${pattern.replace('*', '[^/]+')}$`))
    expect(ENTRIES.filter((entry) => !patterns.some((pattern) => pattern.test(entry)))).toEqual([])
  })
})
