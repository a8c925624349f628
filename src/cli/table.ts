/** Aligned columns of text: the first to the left, the others to the right, colour outside the padding. */
import { oneLine } from './escape.ts'
import type { Paint, Tone } from './terminal.ts'

export type Cell = string | { readonly text: string; readonly tone: Tone | undefined }

/** One line a row, each ending in a newline. Rows may be short. */
export function renderTable(rows: readonly (readonly Cell[])[], paint: Paint, indent = ''): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, textOf(cell).length)
    })
  }
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => {
      const text = textOf(cell)
      const padding = ' '.repeat(widths[column]! - text.length)
      const painted = typeof cell === 'string' ? text : paint(text, cell.tone)
      return column === 0 ? painted + padding : padding + painted
    })
    return `${indent}${cells.join('  ')}`.trimEnd()
  })
  return `${lines.join('\n')}\n`
}

/** `1 flow`, `2 flows`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function textOf(cell: Cell): string {
  return oneLine(typeof cell === 'string' ? cell : cell.text)
}
