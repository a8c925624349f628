/**
 * YAML or JSON text as plain values that remember where they stand. Files come from strangers: the size is bounded,
 * aliases are counted, and whatever the reader finds wrong (its own stack included) becomes an issue with a place.
 */
import { type Document, isAlias, isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { InputIssue } from './input-error.ts'

export type Path = readonly (string | number)[]

export interface Place {
  /** Both from 1. */
  readonly line: number
  readonly column: number
}

export interface SourceText {
  /** Plain objects, arrays and scalars; undefined when there are errors. */
  readonly value: unknown
  readonly errors: readonly InputIssue[]
  /** Line and column of the value at `path`, or of the innermost thing around it that exists. */
  place(path: Path): Place
  /** The same of a key. */
  keyPlace(path: Path): Place
}

const MAX_CHARACTERS = 1 << 20

/** `json` asks for strict JSON, which is otherwise read as the YAML that it is. */
export function readSourceText(text: string, format: 'yaml' | 'json'): SourceText {
  if (text.length > MAX_CHARACTERS) {
    const error = wholeFile(`${text.length} characters`, `a file has at most ${MAX_CHARACTERS}`, START)
    return { value: undefined, errors: [error], place: () => START, keyPlace: () => START }
  }
  const lines = new LineCounter()
  const position = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return line > 0 ? { line, column: col } : START
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const fix = format === 'json' ? 'correct the JSON' : 'correct the YAML'
  const lone = format === 'yaml' ? text.search(/\r(?!\n)/) : -1
  const errors: InputIssue[] = [...document.errors, ...document.warnings].map((error) =>
    wholeFile(firstLine(error.message), fix, position(error.pos[0])),
  )
  // YAML ends a line there, the reader does not: what follows a comment would be part of it.
  if (lone >= 0) {
    const message = 'a carriage return without a line feed'
    errors.unshift(wholeFile(message, 'end lines with a line feed, or with both', position(lone)))
  }
  let value: unknown
  if (errors.length === 0) {
    try {
      value = format === 'json' ? JSON.parse(text) : document.toJS({ maxAliasCount: 100 })
    } catch (error) {
      const message = firstLine(error instanceof Error ? error.message : String(error))
      const offset = Number(/ at position (\d+)/.exec(message)?.[1] ?? 0)
      errors.push(wholeFile(message, fix, position(offset)))
    }
  }
  return {
    value,
    errors,
    place: (path) => position(walk(document, path).value),
    keyPlace: (path) => position(walk(document, path).key),
  }
}

const START: Place = { line: 1, column: 1 }

function wholeFile(message: string, fix: string, place: Place): InputIssue {
  return { path: '', ...place, value: undefined, message, fix }
}

/** Offsets of the value at `path` and of its key, following aliases; of the nearest thing around it where it is missing. */
function walk(document: Document, path: Path): { value: number; key: number } {
  let node: unknown = document.contents
  let found = { value: offsetOf(node, 0), key: offsetOf(node, 0) }
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => String((item.key as { value?: unknown } | null)?.value) === String(step))
      if (!pair) break
      const key = offsetOf(pair.key, found.value)
      node = pair.value
      found = { value: offsetOf(node, key), key }
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      if (node === undefined) break
      const value = offsetOf(node, found.value)
      found = { value, key: value }
    } else break
  }
  return found
}

function offsetOf(node: unknown, fallback: number): number {
  return (node as Node | null)?.range?.[0] ?? fallback
}

/** The reader has its engine's word for what is too deep for it. */
function firstLine(text: string): string {
  if (/call stack|recursion/.test(text)) return 'lists and maps nest too deeply'
  return text.split('\n', 1)[0] ?? text
}
