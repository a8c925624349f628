/**
 * One mapping of a scenario, key by key. Every key is read on its own, so that one mistake does not hide the next, and what
 * could be read takes part in the checks of meaning that follow.
 */
import type { z } from 'zod'
import { oneOf } from '../internal/suggest.ts'
import { show } from './fields.ts'
import type { InputIssue } from './input-error.ts'
import type { Path, SourceText } from './source-text.ts'

export type Shape = Readonly<Record<string, z.ZodType>>
export type Fields<S extends Shape> = { [K in keyof S]: z.output<S[K]> }

/** Collects what is wrong, with its place in the text. */
export class Report {
  readonly issues: InputIssue[] = []
  readonly #source: SourceText

  constructor(source: SourceText) {
    this.#source = source
  }

  /** `message` is the whole sentence. */
  value(path: Path, value: unknown, message: string, fix: string): void {
    this.issues.push({ path: formatPath(path), ...this.#source.place(path), value, message, fix })
  }

  key(path: Path, message: string, fix: string): void {
    this.issues.push({ path: formatPath(path), ...this.#source.keyPlace(path), value: path.at(-1), message, fix })
  }
}

/** The keys of `raw` that fit; the others are reported, and are missing in the result. */
export function readFields<S extends Shape>(shape: S, raw: unknown, path: Path, report: Report): Partial<Fields<S>> {
  const fields: Partial<Fields<S>> = {}
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    const message = raw === undefined || raw === null ? 'is missing' : `${show(raw)} is not a mapping`
    report.value(path, raw, message, `write keys and values: ${Object.keys(shape).slice(0, 3).join(', ')}, …`)
    return fields
  }
  const source = raw as Record<string, unknown>
  for (const key of Object.keys(source)) {
    if (!Object.hasOwn(shape, key)) report.key([...path, key], 'unknown key', oneOf(key, Object.keys(shape)))
  }
  for (const key of Object.keys(shape) as (keyof S & string)[]) {
    const value = Object.hasOwn(source, key) ? source[key] : undefined
    const result = shape[key]!.safeParse(value)
    if (result.success) fields[key] = result.data as Fields<S>[typeof key]
    else for (const issue of result.error.issues) reportZod([...path, key], value, issue, report)
  }
  return fields
}

/** `raw` if it fits; undefined, and reported, if not. */
export function readValue<T>(type: z.ZodType<T>, raw: unknown, path: Path, report: Report): T | undefined {
  const result = type.safeParse(raw)
  if (result.success) return result.data
  for (const issue of result.error.issues) reportZod(path, raw, issue, report)
  return undefined
}

/** The elements of the list `raw`, from `least` to `limit` of them; none when it is not such a list. */
export function readList(
  raw: unknown,
  what: string,
  path: Path,
  limit: number,
  report: Report,
  least: 0 | 1 = 1,
): readonly unknown[] {
  if (!Array.isArray(raw) || raw.length < least) {
    const message =
      raw === undefined || raw === null ? 'is missing' : Array.isArray(raw) ? 'is empty' : `${show(raw)} is not a list`
    report.value(path, raw, message, `list at least one ${what}`)
    return []
  }
  if (raw.length <= limit) return raw
  report.value(path, raw, `has ${raw.length} entries`, `list at most ${limit}`)
  return []
}

function reportZod(path: Path, value: unknown, issue: z.core.$ZodIssue, report: Report): void {
  const inner = issue.path.filter((step) => typeof step !== 'symbol')
  if (issue.code === 'custom') {
    const at = inner.reduce<unknown>((outer, step) => (outer as Record<string | number, unknown>)?.[step], value)
    report.value([...path, ...inner], at, issue.message, String(issue.params?.fix))
  } else {
    report.value([...path, ...inner], value, `${show(value)} does not fit`, issue.message)
  }
}

export function formatPath(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[\w-]+$/.test(step)) text += `[${JSON.stringify(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}
