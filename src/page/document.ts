/** A whole page: one file that loads nothing, with the charts as data and the script that draws them. */
import type { Chart } from './chart.ts'
import { escaped, scriptJson } from './html.ts'
import { STYLE } from './style.ts'

/** Nothing is fetched, whoever opens it. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

/** What a page is made of. */
export interface PageParts {
  /** Plain text. */
  readonly title: string
  /** Of the body, HTML. */
  readonly content: string
  /** By id of their figure. */
  readonly charts: Readonly<Record<string, Chart>>
  /** The built `script/main.ts`. */
  readonly script: string
}

/** The HTML of a page. */
export function pageHtml({ title, content, charts, script }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
${content}
<script type="application/json" id="charts">${scriptJson(charts)}</script>
<script>${script.replaceAll('</script', '<\\/script')}</script>
</body>
</html>
`
}
