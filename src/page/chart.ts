/**
 * A chart as data: what is drawn, not how. Sections build it from rows, the page's script draws it, a table says the same in
 * figures. Everything in it is JSON.
 */

export interface Axis {
  /** With its unit. */
  readonly label: string
  /** `symlog`: linear below 1, so that 0 has a place. */
  readonly scale?: 'linear' | 'log2' | 'log10' | 'symlog'
  readonly ticks?: readonly number[]
  readonly domain?: readonly [number, number]
  /** Of the ticks and tips: `bytes` are 64 B … 4 MiB, `percent` is a share. */
  readonly format?: 'number' | 'percent' | 'bytes'
}

export const SYMBOLS = ['circle', 'triangle', 'square', 'diamond', 'star', 'cross'] as const

/** How one design, analysis or option looks in every chart: told apart by colour, and without colour by dash and symbol. */
export interface Series {
  readonly key: string
  readonly label: string
  /** Name of a CSS variable, which differs in light and dark. */
  readonly color: string
  readonly dash: string | null
  readonly symbol: (typeof SYMBOLS)[number]
  /** Bars only: outlined instead of filled. */
  readonly hollow?: boolean
}

export interface Point {
  readonly series: string
  /** A category of bars and boxes, else a number. */
  readonly x: number
  readonly y: number | string
  /** Interval around y of lines, around x of dots; whiskers of boxes. */
  readonly low?: number | null
  readonly high?: number | null
  /** Bars start here instead of at 0. Boxes: quartiles from `from` to `to`, median at x, mean at `mean`. */
  readonly from?: number
  readonly to?: number
  readonly mean?: number
  /** Facets. */
  readonly column?: string
  readonly row?: string
}

export interface Rule {
  readonly axis: 'x' | 'y'
  readonly at: number
  readonly label: string
}

/**
 * `lines`: y over x with markers. `steps`: a cumulative distribution, without. `dots`: x per category of y. `bars`: the same as
 * bars. `boxes`: a distribution per category.
 */
export interface Chart {
  readonly kind: 'lines' | 'steps' | 'dots' | 'bars' | 'boxes'
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  readonly points: readonly Point[]
  /** Facets in their order. */
  readonly columns?: readonly string[]
  readonly rows?: readonly string[]
  /** Of lines: height of one row of facets. Categories make their own height. */
  readonly heightPx?: number
  readonly rules?: readonly Rule[]
}

/** Categories of y in the order of the points. */
export function categoriesOf({ points }: Chart): string[] {
  return [...new Set(points.map(({ y }) => String(y)))]
}
