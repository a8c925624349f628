/** A chart with what it shows, where its figures come from, and the same as a table. */
import type { Chart } from './chart.ts'
import { escaped, type Table, table } from './html.ts'

/** Where figures come from: nothing may be shown without. */
export type Provenance = 'bounded' | 'simulated' | 'bounded over simulated' | 'computed'

export interface Figure {
  readonly id: string
  /** A sentence that states what is to be seen. */
  readonly finding: string
  readonly provenance: Provenance
  /** What is plotted, its parameters, and how many samples there are. */
  readonly caption: string
  /** Where the data lies, relative to the page; left out where the page has it all. */
  readonly file?: string
  readonly chart: Chart
  readonly table: Table
  /** Takes half of the width where there is room. */
  readonly half?: boolean
}

/** `number`: of the figure, from 1. The page's script draws the chart of this id. */
export function figureHtml(
  { id, finding, provenance, caption, file, chart, table: data, half }: Figure,
  number: number,
): string {
  const label = `${finding}. ${chart.y.label} over ${chart.x.label}; the figures are in the table below.`
  return `
<figure id="${id}"${half ? ' class="half"' : ''}>
<h3><b>Figure ${number}</b>${escaped(finding)}</h3>
${chart.series.length > 1 ? `<ul class="legend" data-chart="${id}"></ul>` : ''}
<div class="chart" data-chart="${id}" role="img" aria-label="${escaped(label)}"></div>
<figcaption><span class="origin">${escaped(provenance)}</span> ${escaped(caption)}${file === undefined ? '' : ` Data: <code>${escaped(file)}</code>`}</figcaption>
<details class="figure-data"><summary>Data of figure ${number}</summary><div class="scroll">${table(data)}</div></details>
</figure>`
}
