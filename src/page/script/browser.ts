/** The little of a browser that the report's script uses. The rest of the package must not see any of it, so there is no lib "dom". */

export interface PageElement {
  textContent: string | null
  readonly clientWidth: number
  readonly dataset: Readonly<Record<string, string>>
  append(...nodes: unknown[]): void
  replaceChildren(...nodes: unknown[]): void
  setAttribute(name: string, value: string): void
  getAttribute(name: string): string | null
  removeAttribute(name: string): void
  querySelector(selector: string): PageElement | null
  querySelectorAll(selector: string): Iterable<PageElement>
}

export interface PageDocument extends Pick<PageElement, 'querySelector' | 'querySelectorAll'> {
  readonly documentElement: PageElement
  createElement(name: string): PageElement
}

export interface PageCanvas extends PageElement {
  getContext(kind: '2d'): { font: string; measureText(text: string): { readonly width: number } }
}

export interface SizeObserver {
  observe(element: PageElement): void
}
