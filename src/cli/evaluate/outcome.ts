/** The end of a run or of a merge: report, manifest, and what to tell. */
import { join } from 'node:path'
import type { Manifest, RenderReport } from '../../evaluation/index.ts'
import { shownPath, writeWhole } from '../output-files.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal } from '../terminal.ts'
import type { ResultFolder, WrittenTable } from './folder.ts'

export function finishFolder(
  folder: ResultFolder,
  manifest: Manifest,
  tables: readonly WrittenTable[],
  terminal: Terminal,
  { quiet, wallMs }: { readonly quiet: boolean; readonly wallMs: number },
  renderReport?: RenderReport,
): number {
  const whole = manifest.shard.count === 1
  if (whole && renderReport !== undefined) {
    const rows = new Map(tables.map((table) => [table.table, table.rows]))
    writeWhole(join(folder.path, 'report.html'), renderReport({ manifest, rows }))
  }
  folder.finish(manifest)

  const refuted = tables.reduce((sum, { entry }) => sum + entry.refuted, 0)
  if (refuted > 0) {
    const examples = tables.flatMap(({ refutations }) => refutations)
    terminal.stderr.write(
      `${refuted} rows refute what they should show:\n${examples.map((text) => `  ${text}\n`).join('')}`,
    )
  }
  if (!quiet) {
    const paint = painter(terminal.stdout, terminal.env)
    const shown = shownPath(folder.path, terminal.cwd)
    for (const { entry, headline } of tables) {
      terminal.stdout.write(`${paint(entry.title, 'strong')}: ${entry.rows} rows in ${join(shown, entry.file)}\n`)
      for (const line of headline) terminal.stdout.write(`  ${line}\n`)
    }
    const what = whole && renderReport !== undefined ? join(shown, 'report.html') : join(shown, 'manifest.json')
    terminal.stdout.write(`${what} written after ${(wallMs / 1000).toFixed(1)} s\n`)
  }
  return refuted > 0 ? EXIT_NEGATIVE : EXIT_OK
}
