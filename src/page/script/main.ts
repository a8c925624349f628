/** The script of the report: draws every chart of the page, and draws it again when its width changes. Built into one file. */
import type { Chart } from '../chart.ts'
import type { PageCanvas, PageDocument, PageElement, SizeObserver } from './browser.ts'
import { draw, key } from './draw.ts'
import type { Measure } from './labels.ts'

declare const document: PageDocument
declare function getComputedStyle(element: PageElement): { readonly fontFamily: string }
declare const ResizeObserver: new (
  changed: (entries: readonly { readonly target: PageElement }[]) => void,
) => SizeObserver

const charts = JSON.parse(document.querySelector('#charts')!.textContent!) as Record<string, Chart>
const pen = (document.createElement('canvas') as PageCanvas).getContext('2d')
const family = getComputedStyle(document.documentElement.querySelector('body')!).fontFamily
const measure: Measure = (text, px, weight) => {
  pen.font = `${weight} ${px}px ${family}`
  return pen.measureText(text).width
}
/** Groups of marks have no role, so that they may have no name; the place around them has both. */
function unnamed(drawing: unknown): unknown {
  for (const mark of (drawing as PageElement).querySelectorAll('[aria-label]')) {
    mark.setAttribute('data-mark', mark.getAttribute('aria-label')!)
    mark.removeAttribute('aria-label')
  }
  return drawing
}

const drawnAt = new Map<PageElement, number>()

function show(place: PageElement): void {
  const width = Math.floor(place.clientWidth)
  if (width === 0 || drawnAt.get(place) === width) return
  drawnAt.set(place, width)
  place.replaceChildren(...draw(charts[place.dataset.chart!]!, width, measure).map(unnamed))
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) show(target)
})
for (const place of document.querySelectorAll('.chart')) {
  show(place)
  sizes.observe(place)
}
for (const place of document.querySelectorAll('.legend')) {
  for (const series of charts[place.dataset.chart!]!.series) {
    const item = document.createElement('li')
    item.append(unnamed(key(series, charts[place.dataset.chart!]!.kind)), series.label)
    place.append(item)
  }
}
document.documentElement.setAttribute('data-drawn', String(drawnAt.size))
