/** What somebody wrote, in a module or by hand in a file, held against what it must be. */

import { inWords } from '../internal/in-words.ts'

/** Says what a value must be when it is not: `a whole number`; null: it is. */
export type Shape = (value: unknown) => string | null

const unless = (holds: (value: unknown) => boolean, due: string): Shape => {
  return (value) => (holds(value) ? null : due)
}

export const flag = unless((value) => typeof value === 'boolean', 'true or false')
export const text = unless((value) => typeof value === 'string', 'a text')
export const callable = unless((value) => typeof value === 'function', 'a function')

export function whole(least: number, most = Number.MAX_SAFE_INTEGER): Shape {
  const due =
    most === Number.MAX_SAFE_INTEGER ? `a whole number, ${least} or more` : `a whole number, ${least} to ${most}`
  return unless((value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most, due)
}

export function oneOf(...allowed: readonly unknown[]): Shape {
  return unless((value) => allowed.includes(value), allowed.map(found).join(' or '))
}

export function listOf(shape: Shape, what: string): Shape {
  return unless((value) => Array.isArray(value) && value.every((one) => shape(one) === null), `a list of ${what}`)
}

export const optional = (shape: Shape): Shape => {
  return (value) => (value === undefined ? null : shape(value))
}

/** An object with these fields: says which of them is wrong, and how. */
export function object(fields: Readonly<Record<string, Shape>>): Shape {
  return (value) => {
    const mistake = mistakeIn(value, fields)
    return mistake === null ? null : `an object whose fields are right: ${mistake}`
  }
}

/** The first field that is not as it must be: `size is 3; it must be ...`; null: all are. */
export function mistakeIn(value: unknown, fields: Readonly<Record<string, Shape>>): string | null {
  if (typeof value !== 'object' || value === null) return `${inWords(value)} is no object`
  for (const [name, shape] of Object.entries(fields)) {
    const field = (value as Record<string, unknown>)[name]
    const due = shape(field)
    if (due !== null) return `${name} is ${found(field)}; it must be ${due}`
  }
  return null
}

/** What a field holds; a message calls one that is not there missing. */
function found(value: unknown): string {
  return value === undefined ? 'missing' : inWords(value)
}
