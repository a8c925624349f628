/** The table of docs/platforms.md. `npm run test:board -- -u` writes it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { onBoth, oneMessage, WAYS } from './runs.ts'

const PAGE = fileURLToPath(new URL('../../docs/platforms.md', import.meta.url))
const [BEGIN, END] = ['<!-- qemu-counts -->', '<!-- /qemu-counts -->']
const COLUMNS = [
  'ipis',
  'interrupts',
  'exits',
  'listRegisters',
  'transfers',
  'descriptors',
  'tableWrites',
  'invalidations',
] as const

it('the table of counts is that of this run', async () => {
  const rows = [
    '| pieces | broker | IPIs | interrupts | exits | list registers | DMA transfers | descriptors | stage-2 entries | invalidations |',
    `|---|---|${'---|'.repeat(COLUMNS.length)}`,
  ]
  for (const pieces of [1, 2, 3, 17, 100, 1000]) {
    for (const { design, transfer, what } of WAYS) {
      const { onQemu } = await onBoth(oneMessage(pieces, transfer), design)
      const cells = COLUMNS.map((column) => onQemu.counts[column])
      rows.push(`| ${pieces} | ${what} | ${cells.join(' | ')} |`)
    }
  }
  const page = readFileSync(PAGE, 'utf8')
  const [head, rest] = page.split(BEGIN) as [string, string]
  const [, tail] = rest.split(END) as [string, string]
  const expected = `${head}${BEGIN}\n${rows.join('\n')}\n${END}${tail}`
  const isUpdate = (expect.getState() as unknown as { snapshotState: { _updateSnapshot: string } }).snapshotState
    ._updateSnapshot
  if (isUpdate === 'all') writeFileSync(PAGE, expected)
  else expect(page).toBe(expected)
})
