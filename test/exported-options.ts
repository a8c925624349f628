/** Every option of the package, from its exported types: what the tests that walk them must know of. */
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import manifest from '../package.json' with { type: 'json' }

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Parameters of these types are options; others are data (a scenario, a saved state, a ring) with checks of their own. */
const OPTIONS_TYPE = /(Options|Config|Spec|Declaration)\b/

/** Data with checks of their own: what is in them is not walked. */
const DATA: ReadonlySet<string> = new Set(['BoardProfile'])
/** Made by other functions of the package only, whose options are walked. */
const NO_OPTIONS: ReadonlySet<string> = new Set(['DriverCore'])

export interface ExportedOption {
  /** `startDriver indirectLength`; of a nested one `Device config.limit`, and of the elements of an array `SharedMemoryTransport grants[].address`. */
  readonly name: string
  /**
   * The types of values that are right, as far as types say: `number`, `string`, `boolean`, `function`, `array`, `bigint`, `instance` (of
   * a class), `object` (any with such members).
   */
  readonly kinds: readonly string[]
  /** The words that a string may be; empty for any. */
  readonly words: readonly string[]
}

export function exportedOptions(): ExportedOption[] {
  const entries = Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => `${ROOT}src/${path === '.' ? '' : `${path.slice(2)}/`}index.ts`)
  const { options } = ts.getParsedCommandLineOfConfigFile(`${ROOT}tsconfig.json`, {}, ts.sys as never)!
  const program = ts.createProgram(entries, options)
  const checker = program.getTypeChecker()
  const found = new Map<string, ExportedOption>()

  function walk(name: string, type: ts.Type, depth: number): void {
    for (const option of type.getProperties()) {
      // Of an error of the language.
      if (option.name === 'cause') continue
      const optionType = checker.getNonNullableType(checker.getTypeOfSymbol(option))
      add(`${name}${depth === 0 ? ' ' : '.'}${option.name}`, optionType, depth)
    }
  }

  function add(name: string, type: ts.Type, depth: number): void {
    const parts = type.isUnion() ? type.types : [type]
    const kinds = [...new Set(parts.map(kindOf))].sort()
    const words = parts.flatMap((part) => (part.isStringLiteral() ? [part.value] : []))
    if (!found.has(name)) found.set(name, { name, kinds, words })
    if (depth >= 2) return
    for (const part of parts) {
      const element = checker.isArrayLikeType(part) ? checker.getIndexTypeOfType(part, ts.IndexKind.Number) : undefined
      if (element !== undefined) add(`${name}[]`, checker.getNonNullableType(element), depth + 1)
      else if (isPlain(part)) walk(name, part, depth + 1)
    }
  }

  /** Our own interfaces; no class, no function, nothing of the language. */
  function isPlain(type: ts.Type): boolean {
    if (DATA.has(type.getSymbol()?.name ?? '') || kindOf(type) !== 'object' || type.getCallSignatures().length > 0)
      return false
    const declarations = type.getSymbol()?.declarations ?? []
    return declarations.some(
      (each) => ts.isInterfaceDeclaration(each) && each.getSourceFile().fileName.includes('/src/'),
    )
      ? type.getProperties().every((each) => (each.flags & ts.SymbolFlags.Method) === 0)
      : false
  }

  function kindOf(type: ts.Type): string {
    const { flags } = type
    if (flags & ts.TypeFlags.NumberLike) return 'number'
    if (flags & ts.TypeFlags.StringLike) return 'string'
    if (flags & ts.TypeFlags.BooleanLike) return 'boolean'
    if (flags & ts.TypeFlags.BigIntLike) return 'bigint'
    if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return 'any'
    if (flags & ts.TypeFlags.TypeParameter) return kindOf(checker.getBaseConstraintOfType(type) ?? type)
    if (checker.isArrayLikeType(type) || type.getSymbol()?.name === 'ArrayLike') return 'array'
    if (type.getCallSignatures().length > 0) return 'function'
    const declarations = type.getSymbol()?.declarations ?? []
    const isInstance = (each: ts.Declaration) =>
      ts.isClassDeclaration(each) ||
      (ts.isInterfaceDeclaration(each) && !each.getSourceFile().fileName.includes('/src/'))
    return declarations.some(isInstance) ? 'instance' : 'object'
  }

  for (const entry of entries) {
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)!)!)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if ((symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class | ts.SymbolFlags.Variable)) === 0) continue
      const type = checker.getTypeOfSymbol(symbol)
      for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
        for (const parameter of signature.parameters) {
          const optionsType = checker.getNonNullableType(checker.getTypeOfSymbol(parameter))
          if (checker.isArrayLikeType(optionsType)) continue
          if (!OPTIONS_TYPE.test(checker.typeToString(optionsType))) continue
          if (!NO_OPTIONS.has(symbol.name)) walk(symbol.name, optionsType, 0)
        }
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
