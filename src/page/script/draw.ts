/** One chart to one SVG, with Observable Plot. Colours are CSS variables, so that light, dark and print need no redrawing. */
import * as Plot from '@observablehq/plot'
import { type Axis, type Chart, categoriesOf, type Point, type Series } from '../chart.ts'
import { labels, type Measure, words } from './labels.ts'
import { decades, fittingTicks, shown, valuesOf } from './ticks.ts'

const CATEGORY_PX = 22
const FONT_PX = 11.5

const LINE_PX = 13.5
/** Columns of facets are not drawn narrower. */
const NARROWEST_PX = 92

const color = (series: Series) => `var(--${series.color})`

/**
 * One SVG, or several below each other where columns of facets would be too narrow side by side. No label reaches outside of `width`,
 * however narrow: what is too long is broken into lines, and gets the room for them.
 */
export function draw(chart: Chart, width: number, measure: Measure): unknown[] {
  const columns = chart.columns ?? []
  const needed = Math.max(
    NARROWEST_PX,
    ...columns.flatMap((name) => words(name).map((word) => 8 + measure(word.trimEnd(), FONT_PX + 0.5, 600))),
  )
  const fitting = Math.max(1, Math.floor((width - marginsOf(chart, width, measure)) / needed))
  const parts = Math.ceil(columns.length / fitting)
  if (parts <= 1) return [drawOne(chart, chart, width, measure, columns.length)]
  const each = Math.ceil(columns.length / parts)
  return Array.from({ length: parts }, (_, part) => {
    const own = columns.slice(part * each, (part + 1) * each)
    const points = chart.points.filter(({ column }) => column !== undefined && own.includes(column))
    return drawOne({ ...chart, columns: own, points }, chart, width, measure, each)
  })
}

const isCategorical = ({ kind }: Chart) => kind === 'dots' || kind === 'bars' || kind === 'boxes'

function marginLeftOf(chart: Chart, width: number, measure: Measure): number {
  if (!isCategorical(chart)) return 62
  const longest = Math.max(0, ...categoriesOf(chart).map((text) => measure(text, FONT_PX, 400)))
  return Math.min(width * 0.4, 18 + longest)
}

function marginsOf(chart: Chart, width: number, measure: Measure): number {
  return marginLeftOf(chart, width, measure) + ((chart.rows ?? []).length > 0 ? 34 : 14)
}

/** `whole`: the chart that this is a part of; axes, categories and the width of a column, of so many side by side, are the same in all parts. */
function drawOne(chart: Chart, whole: Chart, width: number, measure: Measure, sideBySide: number): unknown {
  const categorical = isCategorical(chart)
  const categories = categorical ? categoriesOf(whole) : []
  const rows = chart.rows ?? []
  const columns = chart.columns ?? []
  const plain = (text: string) => measure(text, FONT_PX, 400)
  const bold = (text: string) => measure(text, FONT_PX + 0.5, 600)
  const marginLeft = marginLeftOf(whole, width, measure)
  const names = labels(categories, marginLeft - 14, plain)
  const perRow = categorical
    ? Math.max(3, categories.length) * (categoryPx(chart) + (names.lines - 1) * LINE_PX)
    : (chart.heightPx ?? 260)
  const rowNames = labels(rows, perRow, bold)
  const edge = rows.length > 0 ? 34 + (rowNames.lines - 1) * LINE_PX : 14
  const columnPx = (width - marginLeft - edge) / Math.max(1, sideBySide)
  const marginRight = edge + columnPx * (sideBySide - columns.length)
  const columnNames = labels(columns, columnPx - 4, bold)
  const marginTop = columns.length > 0 ? 30 + (columnNames.lines - 1) * LINE_PX : 14
  const xName = labels([chart.x.label], width - marginLeft - marginRight, plain)
  const marginBottom = 44 + (xName.lines - 1) * LINE_PX
  const shared = (axis: 'x' | 'y'): [number, number] | undefined => {
    const values = valuesOf(whole, axis)
    return chart === whole || values.length === 0 ? undefined : [Math.min(...values), Math.max(...values)]
  }
  const xTicks = fittingTicks(chart.x, valuesOf(whole, 'x'), columnPx * (sideBySide > 0 ? 0.9 : 1), plain)
  const x = scale({ ...chart.x, ticks: xTicks }, 0, valuesOf(whole, 'x'), false, shared('x'))
  return Plot.plot({
    width,
    height: perRow * Math.max(1, rows.length) + marginTop + marginBottom,
    marginLeft,
    marginRight,
    marginTop,
    marginBottom,
    style: {
      background: 'none',
      color: 'currentColor',
      fontSize: `${FONT_PX}px`,
      fontFamily: 'inherit',
      overflow: 'visible',
    },
    x: { ...x, label: xName.of(chart.x.label), labelOffset: marginBottom - 6, ...(categorical && { inset: 9 }) },
    y: categorical
      ? { type: 'band', domain: categories, label: null, tickSize: 0, padding: 0.25 }
      : {
          ...scale(chart.y, 5, valuesOf(whole, 'y'), true, shared('y')),
          grid: true,
          labelOffset: 56,
          nice: chart.y.domain === undefined,
        },
    ...(columns.length > 0 && { fx: { domain: columns as string[], label: null, padding: 0.1 } }),
    ...(rows.length > 0 && { fy: { domain: rows as string[], label: null, padding: 0.09 } }),
    marks: [
      ...(columns.length > 0
        ? [
            Plot.axisFx({
              anchor: 'top',
              label: null,
              tickFormat: columnNames.of,
              fontWeight: 600,
              fontSize: FONT_PX + 0.5,
            }),
          ]
        : []),
      ...(rows.length > 0
        ? [
            Plot.axisFy({
              anchor: 'right',
              label: null,
              tickFormat: rowNames.of,
              fontWeight: 600,
              tickRotate: 90,
              dx: 8,
              textAnchor: 'middle',
            }),
          ]
        : []),
      ...(categorical ? [Plot.axisY({ label: null, tickSize: 0, tickFormat: names.of, fontSize: FONT_PX })] : []),
      Plot.frame({ stroke: 'var(--rule)' }),
      ...(categorical
        ? [Plot.gridX({ strokeOpacity: 0.12, ...(x.ticks !== undefined && { ticks: x.ticks as number[] }) })]
        : []),
      ...rules(chart),
      ...chart.series.flatMap((series) => marksOf(chart, series)),
      Plot.tip(
        chart.points,
        Plot.pointer({
          x: 'x',
          y: 'y',
          ...facets(chart),
          title: (point: Point) => tipOf(chart, point),
          fill: 'var(--paper)',
          stroke: 'var(--rule)',
          fontSize: FONT_PX,
        }),
      ),
    ],
  })
}

/** The entry of a legend. */
export function key(series: Series, kind: Chart['kind']): unknown {
  const line = kind === 'lines' || kind === 'steps'
  const filled = kind === 'bars' || kind === 'boxes'
  const ends = [
    [0, 0.5],
    [1, 0.5],
  ]
  return Plot.plot({
    width: line ? 34 : 16,
    height: 12,
    margin: line ? 1 : 2,
    axis: null,
    x: { domain: [0, 1] },
    y: { domain: [0, 1] },
    style: { background: 'none', overflow: 'visible' },
    marks: filled
      ? [Plot.rect([0], { x1: 0, x2: 1, y1: 0, y2: 1, ...filling(series) })]
      : [
          ...(line ? [Plot.line(ends, stroke(series))] : []),
          ...(kind === 'steps' ? [] : [Plot.dot([[0.5, 0.5]], marker(series, 3.6))]),
        ],
  })
}

/** Several series of a category lie on one line; bars and boxes of several lie side by side in it. */
function categoryPx(chart: Chart): number {
  return chart.kind === 'dots' ? CATEGORY_PX : CATEGORY_PX + 4
}

function scale(
  axis: Axis,
  count: number,
  values: readonly number[],
  nice: boolean,
  shared?: [number, number],
): Plot.ScaleOptions {
  const { label, domain, format = 'number', scale = 'linear' } = axis
  return {
    type: scale === 'log2' || scale === 'log10' ? 'log' : scale,
    ...(scale === 'log2' && { base: 2 }),
    ...(domain ? { domain: [...domain] } : shared !== undefined && { domain: shared }),
    label,
    labelAnchor: 'center',
    labelArrow: 'none',
    ticks: axis.ticks !== undefined ? [...axis.ticks] : scale === 'log10' ? decades(values, nice) : count,
    tickSize: 4,
    tickFormat: (value: number) => shown(value, format),
  }
}

function facets(chart: Chart) {
  return { ...(chart.columns && { fx: 'column' }), ...(chart.rows && { fy: 'row' }) }
}

const stroke = (series: Series) => ({
  stroke: color(series),
  strokeWidth: 1.7,
  ...(series.dash !== null && { strokeDasharray: series.dash }),
})
const marker = (series: Series, r: number) => ({
  symbol: series.symbol,
  r,
  stroke: series.hollow ? color(series) : 'var(--paper)',
  strokeWidth: series.hollow ? 1.4 : 0.7,
  fill: series.hollow ? 'var(--paper)' : color(series),
})
const filling = (series: Series) => ({
  fill: series.hollow ? 'var(--paper)' : color(series),
  stroke: color(series),
  strokeWidth: 1.3,
})

/** The table of a chart has what an axis cannot show. */
function isDrawable({ scale }: Axis, value: number | string): boolean {
  if (typeof value === 'string') return true
  return Number.isFinite(value) && (value > 0 || (scale !== 'log2' && scale !== 'log10'))
}

function marksOf(chart: Chart, series: Series): Plot.Markish[] {
  const points = chart.points.filter(
    (point) => point.series === series.key && isDrawable(chart.x, point.x) && isDrawable(chart.y, point.y),
  )
  if (points.length === 0) return []
  const at = { x: 'x', y: 'y', ...facets(chart) }
  const between = points.filter(
    ({ low, high }) => Number.isFinite(low ?? Number.NaN) && Number.isFinite(high ?? Number.NaN),
  )
  switch (chart.kind) {
    case 'lines':
      return [
        ...(between.length > 0
          ? [
              Plot.areaY(between, {
                x: 'x',
                y1: 'low',
                y2: 'high',
                ...facets(chart),
                fill: color(series),
                fillOpacity: 0.16,
              }),
            ]
          : []),
        Plot.line(points, { ...at, ...stroke(series) }),
        Plot.dot(points, { ...at, ...marker(series, 2.6) }),
      ]
    case 'steps':
      return [Plot.line(points, { ...at, ...stroke(series) })]
    case 'dots':
      return [
        ...(between.length > 0
          ? [
              Plot.ruleY(between, {
                y: 'y',
                x1: 'low',
                x2: 'high',
                ...facets(chart),
                stroke: color(series),
                strokeWidth: 1.4,
              }),
            ]
          : []),
        Plot.dot(points, { ...at, ...marker(series, 4) }),
      ]
    case 'bars':
      return [
        Plot.barX(points, {
          x1: (point: Point) => point.from ?? 0,
          x2: 'x',
          y: 'y',
          ...facets(chart),
          ...filling(series),
        }),
      ]
    case 'boxes':
      return [
        Plot.ruleY(between, {
          y: 'y',
          x1: 'low',
          x2: 'high',
          ...facets(chart),
          stroke: color(series),
          strokeWidth: 1.3,
        }),
        Plot.barX(points, {
          x1: 'from',
          x2: 'to',
          y: 'y',
          ...facets(chart),
          fill: color(series),
          fillOpacity: 0.28,
          stroke: color(series),
        }),
        Plot.tickX(points, { ...at, stroke: color(series), strokeWidth: 2.6 }),
        Plot.dot(
          points.filter(({ mean }) => mean !== undefined),
          {
            x: 'mean',
            y: 'y',
            ...facets(chart),
            symbol: 'diamond',
            r: 3.2,
            fill: 'var(--paper)',
            stroke: color(series),
            strokeWidth: 1.4,
          },
        ),
      ]
  }
}

function rules({ rules = [] }: Chart): Plot.Markish[] {
  const look = {
    stroke: 'currentColor',
    strokeOpacity: 0.55,
    strokeDasharray: '1 3',
    strokeLinecap: 'round' as const,
    strokeWidth: 1.4,
  }
  return rules.map(({ axis, at }) => (axis === 'x' ? Plot.ruleX([at], look) : Plot.ruleY([at], look)))
}

function tipOf(chart: Chart, point: Point): string {
  const name = chart.series.find(({ key }) => key === point.series)?.label ?? point.series
  const y = typeof point.y === 'number' ? `${chart.y.label}: ${shown(point.y, chart.y.format)}` : point.y
  const around =
    point.low === undefined || point.low === null || point.high === undefined || point.high === null
      ? ''
      : ` [${shown(point.low, (chart.kind === 'lines' ? chart.y : chart.x).format)}, ${shown(point.high, (chart.kind === 'lines' ? chart.y : chart.x).format)}]`
  const x = `${chart.x.label}: ${shown(point.x, chart.x.format)}`
  const lines = typeof point.y === 'number' ? [x, y + around] : [y, x + around]
  const place = [point.row, point.column].filter((text) => text !== undefined).join(', ')
  return [name, ...(place === '' ? [] : [place]), ...lines].join('\n')
}
