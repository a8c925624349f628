/**
 * A scenario's text with other values, as `--set flows.log.length=64KiB` says it: what to try before it is written down. A path names keys, and of
 * a list the entry with that name, or its place from 0.
 */
import { type Document, isAlias, isCollection, isMap, isScalar, isSeq, type Node, parseDocument, stringify } from 'yaml'
import { checkArray, checkText } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { oneOf } from '../internal/suggest.ts'
import { formatOf, type ParseOptions } from './read-input.ts'

/**
 * `source` with each of `changes`, `PATH=VALUE`, made one after the other; VALUE is YAML, so `[0, 1]` and `{ kind: none }` will do. Text that has
 * mistakes already comes back as it is: whoever parses it tells them. The result is YAML, also of JSON. Throws `VirtioError` BAD_PATH for a
 * path that leads nowhere; whether a key or a value is allowed is for `parseScenario` to say.
 */
export function withValues(source: string, changes: readonly string[], options: ParseOptions = {}): string {
  if (source !== '') checkText('source', source)
  checkArray('changes', changes, 'an array of texts, each PATH=VALUE')
  const format = formatOf(options)
  if (changes.length === 0) return source
  const document = parseDocument(source, { logLevel: 'error' })
  if (document.errors.length > 0 || !isMap(document.contents)) return source
  for (const change of changes) makeChange(document, change)
  return format === 'json' ? JSON.stringify(document.toJS()) : document.toString({ lineWidth: 0 })
}

function makeChange(document: Document, change: string): void {
  checkText('change', change)
  const split = change.indexOf('=')
  if (split < 1) throw bad(change, 'is no change; write PATH=VALUE, e.g. flows.log.length=64KiB')
  const [path, text] = [change.slice(0, split), change.slice(split + 1)]
  const value = readValue(text, change)
  const keys: (string | number)[] = []
  let node: unknown = document.contents
  for (let rest = path; rest !== ''; ) {
    if (isAlias(node))
      throw bad(change, `leads to ${keys.join('.')}, which is an alias in the file; write it out there`)
    const [key, length] = isSeq(node) ? entryOf(node.items, rest, change, keys.join('.')) : keyOf(rest)
    if (node !== undefined && !isCollection(node))
      throw bad(change, `leads into ${keys.join('.')}, which is ${shown(node)}`)
    if (key === '') throw bad(change, 'has an empty key')
    keys.push(key)
    node = isMap(node) || isSeq(node) ? node.get(key, true) : undefined
    rest = rest.slice(length)
  }
  document.setIn(keys, document.createNode(value))
}

function readValue(text: string, change: string): unknown {
  try {
    const document = parseDocument(text, { logLevel: 'error' })
    const [error] = document.errors
    if (error !== undefined) throw error
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw bad(change, `has a value that is no YAML: ${why}`)
  }
}

function keyOf(rest: string): [key: string, length: number] {
  const end = rest.indexOf('.')
  return end < 0 ? [rest, rest.length] : [rest.slice(0, end), end + 1]
}

/** The entry of a list that `rest` begins with. Names may have dots in them: the longest that fits is meant. */
function entryOf(items: readonly unknown[], rest: string, change: string, list: string): [key: number, length: number] {
  const names = items.map((item) => (isMap(item) ? String(item.get('name') ?? '') : ''))
  const fitting = names.filter((name) => name !== '' && (rest === name || rest.startsWith(`${name}.`)))
  const [longest] = fitting.sort((a, b) => b.length - a.length)
  if (longest !== undefined) return [names.indexOf(longest), longest.length + 1]
  const [key, length] = keyOf(rest)
  const place = /^\d+$/.test(key) ? Number(key) : -1
  if (place >= 0 && place < items.length) return [place, length]
  const known = names.filter((name) => name !== '')
  throw bad(
    change,
    `names ${key}, which is not in ${list}; ${known.length > 0 ? oneOf(key, known) : `it has ${items.length} entries`}`,
  )
}

function shown(node: unknown): string {
  return isScalar(node) ? stringify(node.value).trim() : String((node as Node).toJSON?.() ?? node)
}

function bad(change: string, why: string): VirtioError {
  return new VirtioError('BAD_PATH', `${change} ${why}`)
}
