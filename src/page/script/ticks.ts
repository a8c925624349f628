/** What an axis has to hold, which ticks it has room for, and how they read. */
import type { Axis, Chart } from '../chart.ts'

const TICK_GAP_PX = 7

/** All numbers that an axis has to hold, rules included; a logarithmic one holds nothing that is not positive. */
export function valuesOf(chart: Chart, axis: 'x' | 'y'): number[] {
  const around = (chart.kind === 'lines' || chart.kind === 'steps') === (axis === 'y')
  const { scale } = chart[axis]
  const drawable = scale === 'log2' || scale === 'log10' ? (value: number) => value > 0 : () => true
  const values = chart.points.flatMap((point) => [
    point[axis],
    ...(around ? [point.low, point.high, point.from, point.to] : []),
  ])
  const rules = (chart.rules ?? []).filter((rule) => rule.axis === axis).map(({ at }) => at)
  return [...values, ...rules].filter(
    (value): value is number => typeof value === 'number' && Number.isFinite(value) && drawable(value),
  )
}

/**
 * Whole decades, or 1, 2 and 5 of each where there are few: a logarithmic axis with every digit is a grey wall. A `nice` axis
 * reaches to the decades around its values.
 */
export function decades(values: readonly number[], nice: boolean): number[] {
  if (values.length === 0) return []
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const digits = high / low > 30 ? [1] : [1, 2, 5]
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of digits) ticks.push(digit * 10 ** power)
  }
  return nice ? ticks : ticks.filter((tick) => tick >= low && tick <= high)
}

/** Of the ticks of a horizontal axis those whose labels have room, beside each other and beside the axis of the next column. */
export function fittingTicks(
  axis: Axis,
  values: readonly number[],
  px: number,
  measured: (text: string) => number,
): number[] {
  const [low, high] = axis.domain ?? [Math.min(...values), Math.max(...values)]
  const log = axis.scale === 'log2' || axis.scale === 'log10'
  const share = (value: number) =>
    log ? Math.log(value / low) / Math.log(high / low) : (value - low) / Math.max(Number.MIN_VALUE, high - low)
  const label = (tick: number) => measured(shown(tick, axis.format))
  const widest = Math.max(...[low, high].map(label))
  const possible = axis.ticks ?? (log ? decades(values, false) : evenTicks(low, high, Math.floor(px / (widest + 14))))
  const kept: number[] = []
  const apart = (a: number, b: number) => (share(b) - share(a)) * px - (label(a) + label(b)) / 2
  for (const tick of possible.filter((tick) => tick >= low && tick <= high)) {
    if (kept.length === 0 || apart(kept[kept.length - 1]!, tick) >= TICK_GAP_PX) kept.push(tick)
  }
  const [first, last] = [kept[0], kept[kept.length - 1]]
  if (kept.length > 1 && px / 0.9 + apart(last!, first!) < TICK_GAP_PX) kept.pop()
  return kept
}

/** Multiples of 1, 2 or 5 in a decade, at most about so many. */
function evenTicks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low]
  const rough = (high - low) / Math.max(1, count)
  const decade = 10 ** Math.floor(Math.log10(rough))
  const step = decade * ([1, 2, 5].find((factor) => factor * decade >= rough) ?? 10)
  const first = Math.ceil(low / step - 1e-9)
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  )
}

export function shown(value: number, format: Axis['format']): string {
  if (format === 'percent') return `${Number((100 * value).toFixed(1))} %`
  if (format === 'bytes') {
    if (value >= 1 << 20) return `${short(value / (1 << 20))} Mi`
    return value >= 1024 ? `${short(value / 1024)} Ki` : short(value)
  }
  return short(value)
}

function short(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))} M`
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(4))} k`
  return String(Number(value.toPrecision(4)))
}
