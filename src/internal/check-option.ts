/**
 * Options are checked where they enter, all with the same words: which option, what it may be, what it was. A wrong one is a
 * `VirtioError` with the code INVALID_OPTION. An option that was left out has its default before it gets here.
 */
import { VirtioError } from './error.ts'
import { oneOf } from './suggest.ts'

/** Largest le16, le32 and exact Number: the usual upper ends of a range. */
export const MAX_U16 = 0xffff
export const MAX_U32 = 0xffff_ffff
export const MAX_SAFE = Number.MAX_SAFE_INTEGER

/** An integer from `least` to `most`, both included. `unit` is for the message: bytes, ns, entries. */
export function checkInteger(
  name: string,
  value: unknown,
  least: number,
  most: number = MAX_SAFE,
  unit = '',
): asserts value is number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return
  refuseOption(name, value, `an integer ${range(least, most)}${inUnit(unit)}`)
}

/** A finite number from `least` to `most`, both included; it may have a fraction. */
export function checkNumber(
  name: string,
  value: unknown,
  least: number,
  most: number = MAX_SAFE,
  unit = '',
): asserts value is number {
  if (Number.isFinite(value) && (value as number) >= least && (value as number) <= most) return
  refuseOption(name, value, `a number ${range(least, most)}${inUnit(unit)}`)
}

/** How much of something to take, in bytes: a whole number, or Infinity for all of it. Quick. */
export function checkLength(length: number): void {
  if (length >>> 0 === length) return
  if (length !== Number.POSITIVE_INFINITY) checkInteger('length', length, 0, MAX_SAFE, 'bytes')
}

/** A power of two from `least` to `most`. */
export function checkPowerOfTwo(name: string, value: unknown, least: number, most: number, unit = ''): void {
  const isOne = Number.isInteger(value) && Number.isInteger(Math.log2(value as number))
  if (isOne && (value as number) >= least && (value as number) <= most) return
  refuseOption(name, value, `a power of two ${range(least, most)}${inUnit(unit)}`)
}

export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') refuseOption(name, value, 'true or false')
}

/** Options that are true or false, or left out. */
export function checkFlags<T extends object>(options: T, ...names: readonly (keyof T & string)[]): void {
  for (const name of names) if (options[name] !== undefined) checkBoolean(name, options[name])
}

// biome-ignore lint/complexity/noBannedTypes: any function at all, whatever it takes
export function checkFunction(name: string, value: unknown): asserts value is Function {
  if (typeof value !== 'function') refuseOption(name, value, 'a function')
}

/** Bytes as everything here takes them; a `Buffer` is one. */
export function checkBytes(name: string, value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) checkKind(name, value, ['Uint8Array'])
}

/** A value of a class of the language, `Int32Array`. Also of another realm, where `instanceof` would fail. */
export function checkKind(name: string, value: unknown, kinds: readonly string[]): void {
  if (!kinds.includes(kindOf(value))) refuseOption(name, value, kinds.map(withArticle).join(' or '))
}

/** Text that is not empty. */
export function checkText(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') refuseOption(name, value, 'a string that is not empty')
}

/** `what` for the message: `an array of MemoryGrant`. */
export function checkArray(name: string, value: unknown, what = 'an array'): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) refuseOption(name, value, what)
}

/** Something with members: no primitive, no null, no array, no function. */
export function checkObject(name: string, value: unknown, what = 'an object'): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuseOption(name, value, what)
}

/** An object with these methods: an instance of the class, or something that does for one. */
export function checkMethods(name: string, value: unknown, what: string, methods: readonly string[]): void {
  checkObject(name, value, what)
  const members = value as Readonly<Record<string, unknown>>
  const missing = methods.filter((method) => typeof members[method] !== 'function')
  if (missing.length > 0) refuseOption(name, value, `${what}, with ${missing.map((each) => `${each}()`).join(', ')}`)
}

/** A GuestMemory, by its methods: a program may have two copies of this package. */
export function checkMemory(name: string, value: unknown): void {
  checkMethods(name, value, 'a GuestMemory', ['translate', 'regionAt', 'observe'])
}

/** An AbortSignal, of whatever realm. */
export function checkSignal(name: string, value: unknown): asserts value is AbortSignal {
  const signal = value as AbortSignal | null | undefined
  const isOne = typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function'
  if (!isOne) refuseOption(name, value, 'an AbortSignal')
}

/** One of a few words; a word that is nearly one of them is suggested. */
export function checkWord<T extends string>(name: string, value: unknown, words: readonly T[]): asserts value is T {
  if (!words.includes(value as T)) refuseOption(name, value, `one of ${words.join(', ')}`, oneOf(value, words))
}

/** For a rule that no other function here has: `should` completes "NAME must be". */
export function refuseOption(name: string, value: unknown, should: string, hint = ''): never {
  const suggestion = hint.startsWith('did you mean') ? `; ${hint}` : ''
  throw new VirtioError('INVALID_OPTION', `${name} must be ${should}, not ${shown(value)}${suggestion}`)
}

function range(least: number, most: number): string {
  return most === MAX_SAFE ? `from ${least} to 2^53 - 1` : `from ${least} to ${most}`
}

function inUnit(unit: string): string {
  return unit === '' ? '' : ` (${unit})`
}

/** A value as messages show it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return withArticle(kindOf(value))
  return typeof value === 'bigint' ? `${value}n` : String(value)
}

/** What a value was made as: Array, Uint8Array, Promise; Object for what says nothing of itself. */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

function withArticle(kind: string): string {
  const noun = kind === 'Object' || kind === 'Array' ? kind.toLowerCase() : kind
  return `${/^[AEIOaeio]/.test(noun) ? 'an' : 'a'} ${noun}`
}
