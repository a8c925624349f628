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

/** A power of two from `least` to `most`. */
export function checkPowerOfTwo(name: string, value: unknown, least: number, most: number, unit = ''): void {
  const isOne = Number.isInteger(value) && Number.isInteger(Math.log2(value as number))
  if (isOne && (value as number) >= least && (value as number) <= most) return
  refuseOption(name, value, `a power of two ${range(least, most)}${inUnit(unit)}`)
}

export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') refuseOption(name, value, 'true or false')
}

// biome-ignore lint/complexity/noBannedTypes: any function at all, whatever it takes
export function checkFunction(name: string, value: unknown): asserts value is Function {
  if (typeof value !== 'function') refuseOption(name, value, 'a function')
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

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'bigint' ? `${value}n` : String(value)
}
