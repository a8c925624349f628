/** Numbers for readers; a number is never parted from its unit. */

const SPACE = '\u00a0'

/** Three significant digits, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return grouped(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

function grouped(value: number): string {
  if (Math.abs(value) < 10_000) return String(value)
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f')
}

export function percent(share: number, digits = 0): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)}${SPACE}%` : '–'
}

export function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}

export function bytes(count: number): string {
  if (count >= 1 << 20) return `${figure(count / (1 << 20))}${SPACE}MiB`
  if (count >= 1024) return `${figure(count / 1024)}${SPACE}KiB`
  return `${figure(count)}${SPACE}B`
}

export function duration(ns: number): string {
  if (!Number.isFinite(ns)) return '–'
  if (Math.abs(ns) >= 1e6) return `${figure(ns / 1e6)}${SPACE}ms`
  if (Math.abs(ns) >= 1000) return `${figure(ns / 1000)}${SPACE}µs`
  return `${figure(ns)}${SPACE}ns`
}

/** `1 message`, `2 messages`. */
export function count(n: number, noun: string): string {
  return `${figure(n)} ${noun}${n === 1 ? '' : 's'}`
}
