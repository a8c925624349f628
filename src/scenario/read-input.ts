/** A file that people write, YAML or JSON, to the value that it means, or to everything that is wrong with it at once. */
import { checkObject, checkText, checkWord } from '../internal/check-option.ts'
import { show } from './fields.ts'
import { InputError, type InputIssue } from './input-error.ts'
import { Report } from './read-fields.ts'
import { readSourceText } from './source-text.ts'

/** How to read a text: what it is called, and in which format it is. */
export interface ParseOptions {
  /** What the text is called in messages; its ending also tells the format. */
  readonly path?: string
  /** Default: `json` for a path that ends in .json, else `yaml`. */
  readonly format?: 'yaml' | 'json'
}

/** The format that a text is in. Throws `VirtioError` INVALID_OPTION. */
export function formatOf(options: ParseOptions): 'yaml' | 'json' {
  checkObject('options', options)
  if (options.path !== undefined) checkText('path', options.path)
  if (options.format !== undefined) checkWord('format', options.format, ['yaml', 'json'])
  return options.format ?? (options.path?.toLowerCase().endsWith('.json') ? 'json' : 'yaml')
}

export interface InputKind {
  /** Stable, in capitals. */
  readonly code: string
  /** What the file is when nobody gave it a name. */
  readonly name: string
  /** The keys that no such file can do without. */
  readonly keys: string
  readonly error?: (file: string, issues: readonly InputIssue[]) => InputError
}

/** `read` gets what stands in the file and reports what is wrong with it. Throws an `InputError`; reads no file itself. */
export function readInput<T>(
  source: string,
  options: ParseOptions,
  kind: InputKind,
  read: (raw: object, report: Report) => T,
): T {
  const format = formatOf(options)
  const file = options.path ?? kind.name
  const refuse = kind.error ?? ((path, issues) => new InputError(kind.code, path, issues))
  const text = readSourceText(source, format)
  if (text.errors.length > 0) throw refuse(file, text.errors)

  const report = new Report(text)
  const { value } = text
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = value === undefined || value === null ? 'the file is empty' : `${show(value)} is not a ${kind.name}`
    report.value([], value, message, `write keys and values, at least ${kind.keys}`)
    throw refuse(file, report.issues)
  }
  const result = read(value, report)
  if (report.issues.length === 0) return result
  throw refuse(
    file,
    report.issues.toSorted((a, b) => a.line - b.line || a.column - b.column),
  )
}
