/** Reads sentences of the report, and holds their figures against numbers. Knows nothing of how the report computes or formats them. */
import { expect } from 'vitest'

export type Rounding = 'nearest' | 'down' | 'up'

/** Without the spaces that keep numbers together. */
export function plain(text: string): string {
  return text.replaceAll('\u202f', '').replaceAll('\u00a0', ' ')
}

/** The groups of a pattern that the whole text must have. */
export function reads(text: string, pattern: RegExp): string[] {
  const found = new RegExp(`^(?:${pattern.source})$`, pattern.flags).exec(text)
  expect(found, `${JSON.stringify(text)} reads as ${pattern}`).not.toBeNull()
  return found!.slice(1)
}

function within(shown: number, value: number, unit: number, rounding: Rounding, text: string): void {
  const off = (shown - value) / unit
  const [least, most] = rounding === 'nearest' ? [-0.5, 0.5] : rounding === 'down' ? [-1, 0] : [0, 1]
  expect(off >= least - 1e-6 && off <= most + 1e-6, `${text} for ${value}, rounded ${rounding}`).toBe(true)
}

const parsed = (text: string) => Number(text.replace('−', '-').replace('+', ''))

/** With so many decimals. */
export function isFixed(text: string, value: number, digits: number, rounding: Rounding = 'nearest'): void {
  if (!Number.isFinite(value)) {
    expect(text).toBe('–')
    return
  }
  expect(text).toMatch(new RegExp(`^[+−]?\\d+${digits > 0 ? `\\.\\d{${digits}}` : ''}$`))
  within(parsed(text), value, 10 ** -digits, rounding, text)
}

/** An integer is exact, anything else has three digits. */
export function isFigure(text: string, value: number, rounding: Rounding = 'nearest'): void {
  if (!Number.isFinite(value)) {
    expect(text).toBe('–')
    return
  }
  if (Number.isInteger(value)) {
    expect(text).toBe(String(value))
    return
  }
  const unit = Math.abs(value) >= 1000 ? 1 : 10 ** (Math.floor(Math.log10(Math.abs(value))) - 2)
  within(parsed(text), value, unit, rounding, text)
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, µs: 1e3, ms: 1e6 }

export function isDuration(text: string, ns: number, rounding: Rounding = 'nearest'): void {
  if (!Number.isFinite(ns)) {
    expect(text).toBe('–')
    return
  }
  const [shown, unit] = text.split(' ') as [string, string]
  expect(unit).toBe(Math.abs(ns) >= 1e6 ? 'ms' : Math.abs(ns) >= 1e3 ? 'µs' : 'ns')
  isFigure(shown, ns / UNITS[unit]!, rounding)
}

export function isPercent(text: string, share: number, digits: number): void {
  if (!Number.isFinite(share)) {
    expect(text).toBe('–')
    return
  }
  isFixed(text.replace(/ %$/, ''), 100 * share, digits)
  expect(text).toMatch(/ %$/)
}

/** `64 B`, `4 KiB`, `1 MiB`. */
export function bytesOf(text: string): number {
  const [shown, unit] = text.split(' ') as [string, string]
  return Number(shown) * { B: 1, KiB: 1024, MiB: 1024 ** 2 }[unit as 'B']!
}

/** `1 set`, `2 sets`. */
export function isCount(text: string, n: number, noun: string, plural = `${noun}s`): void {
  expect(text).toBe(`${n} ${n === 1 ? noun : plural}`)
}
