/**
 * Times and sizes as people write them: `5ms`, `1.5us`, `64KiB`, or a bare number of nanoseconds or bytes. Exact: what is
 * not a whole number of the small unit is refused, never rounded.
 */

/** Why a value was refused, and what to write instead. Reads as `<value> <message>; <fix>`. */
export interface Refusal {
  readonly message: string
  readonly fix: string
}

interface Dimension {
  readonly what: string
  readonly small: string
  readonly units: ReadonlyMap<string, number>
  readonly fix: string
  /** Spellings that mean different things to different people. */
  readonly ambiguous: ReadonlyMap<string, string>
}

const TIME: Dimension = {
  what: 'a time',
  small: 'ns',
  units: new Map([
    ['ns', 1],
    ['µs', 1e3],
    ['us', 1e3],
    ['ms', 1e6],
    ['s', 1e9],
  ]),
  fix: 'write a number with ns, us, ms or s, e.g. 5ms',
  ambiguous: new Map(),
}

const SIZE: Dimension = {
  what: 'a size',
  small: 'bytes',
  units: new Map([
    ['B', 1],
    ['KiB', 2 ** 10],
    ['MiB', 2 ** 20],
    ['GiB', 2 ** 30],
  ]),
  fix: 'write a number with B, KiB, MiB or GiB, e.g. 64KiB',
  ambiguous: new Map([
    ['kb', 'KiB'],
    ['mb', 'MiB'],
    ['gb', 'GiB'],
    ['k', 'KiB'],
    ['m', 'MiB'],
    ['g', 'GiB'],
  ]),
}

/** Nanoseconds, or why not. */
export function parseTime(value: unknown): number | Refusal {
  return parseQuantity(value, TIME)
}

/** Bytes, or why not. */
export function parseSize(value: unknown): number | Refusal {
  return parseQuantity(value, SIZE)
}

const QUANTITY = /^(\d{1,16})(?:\.(\d{1,12}))?\s*([A-Za-zµ]+)$/

function parseQuantity(value: unknown, dimension: Dimension): number | Refusal {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return value
    return { message: `is not a whole number of ${dimension.small} from 0 to 2^53`, fix: dimension.fix }
  }
  const parts = typeof value === 'string' ? QUANTITY.exec(value.trim()) : null
  if (!parts) return { message: `is not ${dimension.what}`, fix: dimension.fix }
  const [, whole = '', fraction = '', unit = ''] = parts
  const factor = dimension.units.get(unit)
  if (factor === undefined) {
    const binary = dimension.ambiguous.get(unit.toLowerCase())
    if (!binary) return { message: `is not ${dimension.what}`, fix: dimension.fix }
    const bytes = dimension.units.get(binary)
    return {
      message: `could mean 1000 or 1024: ${unit} is ambiguous`,
      fix: `write ${binary} (${bytes} bytes) or bytes`,
    }
  }
  // Through integers: 0.1 ms is exactly 100 000 ns, whatever 0.1 is in binary.
  const scaled = BigInt(whole + fraction) * BigInt(factor)
  const divisor = 10n ** BigInt(fraction.length)
  if (scaled % divisor !== 0n) {
    return { message: `is not a whole number of ${dimension.small}`, fix: `${dimension.small} is the smallest unit` }
  }
  const result = Number(scaled / divisor)
  if (Number.isSafeInteger(result)) return result
  return { message: `is more than 2^53 ${dimension.small}`, fix: dimension.fix }
}

/** Nanoseconds as `parseTime` reads them, in the largest unit that stays whole. */
export function formatTime(ns: number): string {
  for (const [unit, factor] of [...TIME.units].reverse()) {
    if (ns >= factor && ns % factor === 0) return `${ns / factor}${unit}`
  }
  return `${ns}ns`
}
