/** One self-contained page of a command's findings: what is said first, figures, and every table that the terminal shows. */
import { escaped, type Figure, figureHtml, list, pageHtml, paragraphs } from '../page/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { destination, mustBeOutput, writeWhole } from './output-files.ts'
import type { ReportSection } from './report-section.ts'
import type { Cell } from './table.ts'
import type { Terminal } from './terminal.ts'
import { inputsOf } from './trace-files.ts'

/** What a page has. Texts are plain. */
export interface PageOfFindings {
  readonly title: string
  /** What the figures are of: bounded, simulated, under which design. */
  readonly lead: string
  /** Of how many VMs and flows, on which board, from which version. */
  readonly meta: readonly string[]
  readonly verdicts: readonly PageVerdict[]
  /** Below the verdicts, a paragraph each; what is between backquotes is code. */
  readonly reasons?: readonly string[]
  readonly figures: readonly Figure[]
  readonly sections: readonly ReportSection[]
}

export interface PageVerdict {
  readonly claim: string
  readonly holds: boolean
  readonly evidence: string
}

/** What `--html` says, checked before anything runs; null: no page is asked for. Throws `UsageError`. */
export function pageFileOf(flag: unknown, scenarios: readonly ScenarioFile[], terminal: Terminal): string | null {
  const path = destination('--html', flag, terminal)
  if (path === null) return null
  mustBeOutput(
    path,
    scenarios.flatMap(({ scenario, path }) => inputsOf(scenario, path, terminal.cwd)),
  )
  return path
}

/** A scenario and the file that it comes from, which a page must not replace. */
export interface ScenarioFile {
  readonly scenario: Scenario
  readonly path: string
}

/** What a page needs of the program. */
export interface PageTools {
  readonly version: string
  readonly pageScript: () => string
}

export function writePage(path: string, page: PageOfFindings, { pageScript }: PageTools): void {
  writeWhole(path, renderPage(page, pageScript()))
}

export function renderPage(page: PageOfFindings, script: string): string {
  const { title, lead, meta, verdicts, reasons = [], figures, sections } = page
  const charts = Object.fromEntries(figures.map(({ id, chart }) => [id, chart]))
  const content = `<header>
<h1>${escaped(title)}</h1>
<p class="lead">${escaped(lead)}</p>
${list(meta).replace('class="plain"', 'class="meta"')}
</header>
<main>
<section id="verdicts">
<h2>Verdicts</h2>
${verdictsHtml(verdicts)}
${reasons.map((text) => `<p class="note">${withCode(text)}</p>`).join('\n')}
</section>
<section id="figures">
<h2>Figures</h2>
<div class="figures">${figures.map((one, i) => figureHtml(one, i + 1)).join('')}</div>
</section>
<section id="tables">
<h2>Tables</h2>
${sections.map(sectionHtml).join('\n')}
</section>
</main>
<footer>Charts by Observable Plot (ISC licence, © Observable, Inc.) and D3 (ISC licence, © Mike Bostock), which are part of this page. The page loads nothing.</footer>`
  return pageHtml({ title, content, charts, script })
}

function verdictsHtml(verdicts: readonly PageVerdict[]): string {
  const rows = verdicts.map(({ claim, evidence, holds }) => {
    const [look, text] = holds ? ['yes', 'holds'] : ['no', 'does not hold']
    return `<tr><td class="${look}">${text}</td><td>${escaped(claim)}</td><td>${escaped(evidence)}</td></tr>`
  })
  return `<table class="verdicts"><thead><tr><th scope="col">Verdict</th><th scope="col">Claim</th><th scope="col">Evidence</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function withCode(text: string): string {
  return text
    .split('`')
    .map((part, i) => (i % 2 === 1 ? `<code>${escaped(part)}</code>` : escaped(part)))
    .join('')
}

function sectionHtml({ headless = false, lines = [], listed = false, rows, title }: ReportSection): string {
  const head = title === null ? '' : `<h3>${escaped(title)}</h3>`
  const name = title ?? 'Table'
  const body =
    rows === undefined
      ? ''
      : `<div class="scroll all" tabindex="0" role="region" aria-label="${escaped(name)}">${headless ? cellTable([], rows) : cellTable(rows[0] ?? [], rows.slice(1))}</div>`
  const said = lines.map((line) => line.trim())
  return `${head}${body}${listed && said.length > 0 ? list(said) : paragraphs(said)}`
}

/** The first column is named by its row; all others are figures or words, to the right as in the terminal. */
function cellTable(head: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const textOf = (cell: Cell) => (typeof cell === 'string' ? cell : cell.text)
  const first = head.map((cell, column) => {
    const text = textOf(cell)
    if (text === '') return '<td></td>'
    return `<th scope="col"${column === 0 ? '' : ' class="number"'}>${escaped(text)}</th>`
  })
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => {
      const text = escaped(textOf(cell))
      if (column === 0) return `<th scope="row">${text}</th>`
      const tone = typeof cell === 'string' || cell.tone === undefined ? '' : ` ${cell.tone}`
      return `<td class="number${tone}">${text}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  return `<table>${first.length === 0 ? '' : `<thead><tr>${first.join('')}</tr></thead>`}<tbody>${lines.join('')}</tbody></table>`
}
