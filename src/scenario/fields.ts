/** The kinds of value that a scenario's keys take, as zod types whose refusals say what to write instead. */
import { z } from 'zod'
import { oneOf } from '../internal/suggest.ts'
import { isPowerOfTwo } from '../internal/u16.ts'
import { parseSize, parseTime, type Refusal } from './units.ts'

/** A type from a function that returns the normalised value or a refusal. */
function field<R>(fix: string, read: (raw: unknown) => R) {
  return z.unknown().transform((raw, context): Exclude<R, Refusal> => {
    const missing = raw === undefined || raw === null
    const result = missing ? { message: 'is missing', fix } : read(raw)
    if (!isRefusal(result)) return result as Exclude<R, Refusal>
    const message = missing ? result.message : `${show(raw)} ${result.message}`
    context.addIssue({ code: 'custom', message, params: { fix: result.fix } })
    return z.NEVER
  })
}

function isRefusal(result: unknown): result is Refusal {
  return typeof result === 'object' && result !== null && 'fix' in result
}

/** A value as it goes into a sentence: short, on one line, whatever it is. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}

function numberBetween(value: number | Refusal, low: number, high: number, unit: string): number | Refusal {
  if (typeof value !== 'number' || (value >= low && value <= high)) return value
  const range = high === Number.MAX_SAFE_INTEGER ? `at least ${low}` : `${low} to ${high}`
  return { message: value < low ? 'is too small' : 'is too large', fix: `it is ${range} ${unit}`.trim() }
}

/** Nanoseconds. */
export function time(low: number, high = Number.MAX_SAFE_INTEGER) {
  return field('write a time, e.g. 5ms', (raw) => numberBetween(parseTime(raw), low, high, 'ns'))
}

/** Bytes. */
export function size(low: number, high: number, multiple = 1) {
  return field('write a size, e.g. 64KiB', (raw) => {
    const bytes = numberBetween(parseSize(raw), low, high, 'bytes')
    if (typeof bytes !== 'number' || bytes % multiple === 0) return bytes
    return { message: `is not a multiple of ${multiple} bytes`, fix: 'round it to whole pages' }
  })
}

/** Bytes, a power of two. */
export function powerOfTwoSize(low: number, high: number) {
  return field(`write a power of two from ${low} to ${high}`, (raw) => powerOfTwo(parseSize(raw), low, high, ' bytes'))
}

export function powerOfTwoInteger(low: number, high: number) {
  return field(`write a power of two from ${low} to ${high}`, (raw) => powerOfTwo(wholeNumber(raw), low, high, ''))
}

function powerOfTwo(value: number | Refusal, low: number, high: number, unit: string): number | Refusal {
  if (typeof value !== 'number' || (isPowerOfTwo(value) && value >= low && value <= high)) return value
  return { message: `is not a power of two from ${low} to ${high}${unit}`, fix: `e.g. ${Math.min(4096, high)}` }
}

function wholeNumber(raw: unknown): number | Refusal {
  if (typeof raw === 'number' && Number.isSafeInteger(raw)) return raw
  const quoted = typeof raw === 'string' && /^\d+$/.test(raw)
  return { message: 'is not a whole number', fix: quoted ? 'remove the quotes' : 'write digits only' }
}

export function integer(low: number, high: number) {
  return field(`write a whole number from ${low} to ${high}`, (raw) => numberBetween(wholeNumber(raw), low, high, ''))
}

/** A positive, finite number: a rate. */
export function rate() {
  return field('write bytes per ns, e.g. 0.5', (raw) =>
    typeof raw === 'number' && raw > 0 && raw <= 1e6
      ? raw
      : { message: 'is not a rate', fix: 'write bytes per ns, above 0 and at most 1e6, e.g. 0.5' },
  )
}

/** A number that need not be whole. */
export function amount(low: number, high: number, unit: string) {
  return field(`write a number of ${unit}`, (raw) =>
    typeof raw === 'number' && raw >= low && raw <= high
      ? raw
      : { message: `is not a number of ${unit}`, fix: `write a number from ${low} to ${high}` },
  )
}

export function flag() {
  return field('write true or false', (raw) =>
    typeof raw === 'boolean' ? raw : { message: 'is neither true nor false', fix: 'write true or false' },
  )
}

/** Whole numbers as a list or as a range: `[0, 1, 5]`, `0-3`. Given in ascending order. */
export function numberSet(high: number, what: string) {
  const fix = `write a list or a range, e.g. [0, 1] or 0-3`
  return field(fix, (raw) => {
    const range = typeof raw === 'string' ? /^(\d{1,4})\s*-\s*(\d{1,4})$/.exec(raw.trim()) : null
    const from = Number(range?.[1])
    const to = Number(range?.[2])
    if (range && from > to) return { message: 'runs backwards', fix: `write ${to}-${from}` }
    if (range && to > high) return { message: 'goes too far', fix: `${what} are 0 to ${high}` }
    if (range) return Array.from({ length: to - from + 1 }, (_, i) => from + i)
    if (!Array.isArray(raw)) return { message: `is no set of ${what}`, fix }
    if (raw.length === 0) return { message: 'is empty', fix: `list at least one of the ${what}` }
    const wrong = raw.find((item) => !Number.isSafeInteger(item) || item < 0 || item > high)
    if (wrong !== undefined)
      return { message: `contains ${show(wrong)}`, fix: `${what} are whole numbers from 0 to ${high}` }
    const twice = raw.find((item, i) => raw.indexOf(item) < i)
    if (twice !== undefined) return { message: `contains ${twice} twice`, fix: 'name each once' }
    return (raw as number[]).toSorted((a, b) => a - b)
  })
}

/** What flows and VMs are called; safe as the name of a file and as a key. */
export function name() {
  return field('write a name', (raw) => {
    if (typeof raw === 'string' && /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(raw)) return raw
    return { message: 'is not a name', fix: 'use a letter, then up to 63 letters, digits, and _ . -' }
  })
}

/** Any text that is not empty, or one that fits `pattern`. */
export function text(fix: string, pattern = /\S/) {
  return field(fix, (raw) => {
    if (typeof raw !== 'string') return { message: 'is not text', fix }
    return pattern.test(raw) ? raw : { message: raw.trim() === '' ? 'is empty' : 'does not fit', fix }
  })
}

export function choice<const T extends string>(...choices: readonly T[]) {
  return field(`use one of ${choices.join(', ')}`, (raw) => {
    const found = choices.find((candidate) => candidate === raw)
    return found ?? { message: 'is not known here', fix: oneOf(raw, choices) }
  })
}

/** `file:PATH`, `random` or `none`. */
export function payload() {
  return field('use file:PATH, random or none', (raw) => {
    if (raw === 'random' || raw === 'none') return { kind: raw } as const
    if (typeof raw === 'string' && /^file:./.test(raw)) return { kind: 'file', path: raw.slice(5) } as const
    return { message: 'is not a payload', fix: 'use file:PATH, random or none' }
  })
}

/** Three times in ns, none smaller than the one before. */
export function bestTypicalWorst() {
  const fix = 'write [best, typical, worst], e.g. [300ns, 500ns, 2us]'
  return field(fix, (raw): readonly [number, number, number] | Refusal => {
    if (!Array.isArray(raw) || raw.length !== 3) return { message: 'is not three times', fix }
    const times = raw.map(parseTime)
    const wrong = times.findIndex((time) => typeof time !== 'number')
    if (wrong >= 0) {
      const refusal = times[wrong] as Refusal
      return { message: `contains ${show(raw[wrong])}, which ${refusal.message}`, fix: refusal.fix }
    }
    const [best, typical, worst] = times as [number, number, number]
    if (best <= typical && typical <= worst) return [best, typical, worst]
    return { message: `of ${best}, ${typical} and ${worst} ns is out of order`, fix: 'write best <= typical <= worst' }
  })
}

/** A key whose value is read later. */
export function anything() {
  return z.unknown()
}

/** `file:PATH`. */
export function file() {
  return field('write file:PATH', (raw) =>
    typeof raw === 'string' && /^file:./.test(raw) ? raw : { message: 'is not a file', fix: 'write file:PATH' },
  )
}

/** A key that may be left out or empty, which gives null. */
export function nullable<T extends z.ZodType>(type: T) {
  return type.nullish().transform((value) => value ?? null)
}
