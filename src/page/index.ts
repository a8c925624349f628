/** Pages of HTML that need nothing but themselves: style, tables, charts and the script that draws them. Knows no data. */
export { type Axis, type Chart, categoriesOf, type Point, type Rule, type Series, SYMBOLS } from './chart.ts'
export { type PageParts, pageHtml } from './document.ts'
export { type Figure, figureHtml, type Provenance } from './figure.ts'
export { bytes, count, duration, figure, fixed, percent, type Rounding, signed } from './format.ts'
export { escaped, list, paragraphs, scriptJson, type Table, table } from './html.ts'
export { seriesOf } from './palette.ts'
