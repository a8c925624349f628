/** One line on stderr that tells how far a run is: only for a person, and only when the run is long enough to wonder. */
import { oneLine } from './escape.ts'
import { ERASE_LINE, type Terminal } from './terminal.ts'

const FIRST_AFTER_MS = 1000
const THEN_EVERY_MS = 100

export interface Progress {
  update(label: string, done: number, total: number): void
  /** Removes the line. */
  clear(): void
}

export function progress(terminal: Terminal, wanted: boolean): Progress {
  if (!wanted || !terminal.stderr.isTTY) return { update() {}, clear() {} }
  let next = terminal.now() + FIRST_AFTER_MS
  let shown = false
  return {
    update(label, done, total) {
      const now = terminal.now()
      if (now < next) return
      next = now + THEN_EVERY_MS
      shown = true
      const share = total > 0 ? Math.min(1, done / total) : 1
      const bar = '#'.repeat(Math.floor(share * 30)).padEnd(30, '.')
      terminal.stderr.write(`${ERASE_LINE}${oneLine(label)} [${bar}] ${Math.floor(share * 100)} %`)
    },
    clear() {
      if (shown) terminal.stderr.write(ERASE_LINE)
      shown = false
    },
  }
}
