/** A titled table with what is said below it: as text for the terminal, and as HTML for a page. */
import { type Cell, renderTable } from './table.ts'
import type { Paint } from './terminal.ts'

export interface ReportSection {
  /** null: it follows what is above. */
  readonly title: string | null
  /** The first row is the head, unless there is none. Left out: there are only lines. */
  readonly rows?: readonly (readonly Cell[])[]
  readonly headless?: boolean
  /** One sentence each. */
  readonly lines?: readonly string[]
  /** Of the table in text. */
  readonly indent?: string
  /** Lines are a list. */
  readonly listed?: boolean
}

export function renderSections(sections: readonly ReportSection[], paint: Paint): string[] {
  return sections.map(({ indent = '', lines = [], listed = false, rows, title }) => {
    const head = title === null ? '' : `${paint(title, 'strong')}\n`
    const body = lines.map((line) => `${listed ? '  - ' : ''}${line}\n`).join('')
    return head + (rows === undefined ? '' : renderTable(rows, paint, indent)) + body
  })
}
