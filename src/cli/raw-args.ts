/**
 * Arguments as they were written. The parser of the command line makes a number of all that looks like one: `--out 007` would write
 * to the folder `7`, and `--out ''` to `0`. Until it has parsed, values are kept from it by a mark.
 */

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
