/** The clauses, as the project keeps them: comma-separated, quoted where a comma or a quote is inside. */
import { readFileSync } from 'node:fs'

export function readCsv(file: string): Record<string, string>[] {
  const text = readFileSync(new URL(`../data/${file}`, import.meta.url), 'utf8')
  const [head, ...rows] = text
    .trim()
    .split('\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
      ),
    )
  return rows.map((values) => Object.fromEntries(head!.map((key, i) => [key, values[i] ?? ''])))
}
