/**
 * Arguments as they were written. The parser of the command line makes a number of all that looks like one: `--out 007` would write
 * to the folder `7`, and `--out ''` to `0`. Until it has parsed, values are kept from it by a mark.
 */
import { nearest } from '../internal/suggest.ts'

/** An option of some command, as the parser has it. */
export interface KnownOption {
  /** Without dashes before it, in the parser's spelling; of one letter, or more. */
  readonly names: readonly string[]
  /** It takes no value. */
  readonly isBoolean?: boolean
}

/**
 * What is wrong with the options among the arguments; null: nothing. The parser itself takes for an option what every object has
 * (`--constructor`), what leads into objects (`--a.b`), `--no-` before any name, and a value behind `=` that nobody asks for.
 */
export function mistakeInOptions(args: readonly string[], known: readonly KnownOption[]): string | null {
  const end = args.indexOf('--')
  const words = end < 0 ? args : args.slice(0, end)
  for (const [i, word] of words.entries()) {
    if (!word.startsWith('-') || /^-\d/.test(word)) continue
    const [, dashes, name, value] = /^(--?)([^=]*)(=.*)?$/s.exec(word)!
    const option = optionNamed(`${dashes}${name}`, known)
    const before = i === 0 ? undefined : optionNamed(words[i - 1]!, known)
    if (option === undefined && before !== undefined && !before.isBoolean) {
      return `${word} is no value of ${words[i - 1]}: one that begins with - is written ${words[i - 1]}=${word}`
    }
    if (word === '-') return '- is no file: standard input is not read; name a file'
    if (option === undefined) return `Unknown option \`${dashes}${name}\`${suggestion(name!, known)}`
    if (option.isBoolean && value !== undefined) return `${dashes}${name} takes no value: leave ${value} out`
  }
  return null
}

/** `--seed` or `-h`, with its dashes. */
function optionNamed(word: string, known: readonly KnownOption[]): KnownOption | undefined {
  return known.find(({ names }) => names.some((name) => word === (name.length > 1 ? `--${dashed(name)}` : `-${name}`)))
}

/** The parser calls `--keep-going` keepGoing. */
function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function suggestion(name: string, known: readonly KnownOption[]): string {
  const near = nearest(
    name,
    known.flatMap(({ names }) => names.filter(({ length }) => length > 1).map(dashed)),
  )
  return near === null ? '' : `; did you mean --${near}?`
}

/** No argument can hold it: the system ends arguments at a zero byte. */
const MARK = '\0'

/**
 * The arguments for the parser. `--sets -1` becomes `--sets=-1`: it takes what begins with a dash for an option, and the option's own
 * error says more.
 */
export function protectedArgs(args: readonly string[]): string[] {
  const kept: string[] = []
  for (const [i, arg] of args.entries()) {
    if (arg === '--') return [...kept, ...args.slice(i)]
    const before = kept.at(-1)
    const [, option, value] = /^(--[^=]+=)(.*)$/s.exec(arg) ?? []
    if (option !== undefined) kept.push(`${option}${marked(value!)}`)
    else if (/^-\d/.test(arg) && before?.startsWith('--') && !before.includes('=')) {
      kept.splice(-1, 1, `${before}=${marked(arg)}`)
    } else kept.push(marked(arg))
  }
  return kept
}

/** An empty text is a number too, for JavaScript. */
function marked(text: string): string {
  return Number.isFinite(Number(text)) ? `${MARK}${text}` : text
}

/** What the parser made of them, without the mark: texts, lists and objects of texts; `true` for an option without a value. */
export function unprotected(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(MARK) ? value.slice(MARK.length) : value
  if (Array.isArray(value)) return value.map(unprotected)
  return value
}

/** Numbers where texts are some, the texts where not: the command says what is wrong with them. */
export function numbersOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(numbersOf)
  if (typeof value !== 'string' || value.trim() === '') return value
  const number = Number(value)
  return Number.isFinite(number) ? number : value
}
