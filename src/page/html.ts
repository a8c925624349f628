/** Text to HTML. Everything that comes from data goes through `escaped`. */
import { figure } from './format.ts'

/** Rows of figures and texts below a head; a figure is rounded, null is a dash. */
export interface Table {
  readonly head: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!)
}

/** JSON for a script element: nothing in it can end the element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}

/** A column is one of numbers when all of its cells are. */
export function table({ head, rows }: Table, className = ''): string {
  const numeric = head.map((_, column) => rows.every((row) => typeof row[column] !== 'string'))
  const cell = (tag: 'td' | 'th', value: string | number | null, column: number) => {
    const text = value === null ? '–' : typeof value === 'number' ? figure(value) : value
    const attributes = `${tag === 'th' ? ' scope="col"' : ''}${numeric[column] ? ' class="number"' : ''}`
    return `<${tag}${attributes}>${escaped(text)}</${tag}>`
  }
  const line = (tag: 'td' | 'th', cells: readonly (string | number | null)[]) =>
    `<tr>${cells.map((value, column) => cell(tag, value, column)).join('')}</tr>`
  return `<table${className && ` class="${className}"`}><thead>${line('th', head)}</thead><tbody>${rows
    .map((row) => line('td', row))
    .join('')}</tbody></table>`
}

export function paragraphs(texts: readonly string[]): string {
  return texts.map((text) => `<p>${escaped(text)}</p>`).join('')
}

export function list(texts: readonly string[]): string {
  return `<ul class="plain">${texts.map((text) => `<li>${escaped(text)}</li>`).join('')}</ul>`
}
