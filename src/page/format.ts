/** Numbers for readers; a number is never parted from its unit. */

const SPACE = '\u00a0'

/** What is said to be "at least" goes down, what is "at most" goes up: a rounded figure must not claim more than the data. */
export type Rounding = 'nearest' | 'down' | 'up'

/** To so many decimals; what is off by the noise of binary fractions only is not moved. */
function rounded(value: number, decimals: number, rounding: Rounding): number {
  const scaled = Number((value * 10 ** decimals).toPrecision(13))
  const whole = rounding === 'down' ? Math.floor(scaled) : rounding === 'up' ? Math.ceil(scaled) : Math.round(scaled)
  return whole / 10 ** decimals
}

/** Three significant digits, thousands apart. */
export function figure(value: number, rounding: Rounding = 'nearest'): string {
  if (!Number.isFinite(value)) return '–'
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return grouped(rounded(value, 0, rounding))
  const decimals = 2 - Math.floor(Math.log10(Math.abs(value)))
  return String(Number(rounded(value, decimals, rounding).toPrecision(12)))
}

function grouped(value: number): string {
  if (Math.abs(value) < 10_000) return String(value)
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f')
}

export function percent(share: number, digits = 0, rounding: Rounding = 'nearest'): string {
  return Number.isFinite(share) ? `${fixed(100 * share, digits, rounding)}${SPACE}%` : '–'
}

export function fixed(value: number, digits: number, rounding: Rounding = 'nearest'): string {
  if (!Number.isFinite(value)) return '–'
  const text = rounded(value, digits, rounding).toFixed(digits)
  return Number(text) === 0 ? text.replace('-', '') : text
}

/** With its sign: +0.12, −0.03, 0.00. */
export function signed(value: number, digits: number): string {
  const text = fixed(Math.abs(value), digits)
  return text === '–' || Number(text) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`
}

export function bytes(count: number): string {
  if (count >= 1 << 20) return `${figure(count / (1 << 20))}${SPACE}MiB`
  if (count >= 1024) return `${figure(count / 1024)}${SPACE}KiB`
  return `${figure(count)}${SPACE}B`
}

export function duration(ns: number, rounding: Rounding = 'nearest'): string {
  if (!Number.isFinite(ns)) return '–'
  if (Math.abs(ns) >= 1e6) return `${figure(ns / 1e6, rounding)}${SPACE}ms`
  if (Math.abs(ns) >= 1000) return `${figure(ns / 1000, rounding)}${SPACE}µs`
  return `${figure(ns, rounding)}${SPACE}ns`
}

/** `1 message`, `2 messages`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${figure(n)} ${n === 1 ? noun : plural}`
}
