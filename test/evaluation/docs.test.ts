/** The data dictionary of docs/evaluation.md is what the experiments say of themselves. `UPDATE_DOCS=1` writes it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { DEFAULT_CAMPAIGN, EXPERIMENTS } from 'virtio-sdk/evaluation'
import { zcu102 } from 'virtio-sdk/platform-zcu102'
import { expect, it } from 'vitest'

const PATH = new URL('../../docs/evaluation.md', import.meta.url)
const BEGIN = '<!-- dictionary: written by test/evaluation/docs.test.ts -->\n'
const END = '<!-- end of dictionary -->'

function table(file: string, columns: Readonly<Record<string, string>>): string {
  const rows = Object.entries(columns).map(([name, meaning]) => `| \`${name}\` | ${meaning} |\n`)
  return `\`data/${file}.ndjson\`\n\n| column | |\n|---|---|\n${rows.join('')}\n`
}

function dictionary(): string {
  return EXPERIMENTS.map(({ name, title, columns, assumptions, summarize }) => {
    const assumed = assumptions.map((text) => `- ${text}\n`).join('')
    const summary = summarize === undefined ? '' : table(`${name}-summary`, summarize().columns)
    return `### ${name}: ${title}\n\n${assumed}\n${table(name, columns)}${summary}`
  }).join('')
}

it('docs/evaluation.md has the dictionary of every experiment', () => {
  const text = readFileSync(PATH, 'utf8')
  const begin = text.indexOf(BEGIN) + BEGIN.length
  const written = `${text.slice(0, begin)}\n${dictionary()}${text.slice(text.indexOf(END))}`
  if (process.env.UPDATE_DOCS) writeFileSync(PATH, written)
  else expect(text).toBe(written)
})

it('docs/evaluation.md: the interrupted run has as many units as its command makes', () => {
  const text = readFileSync(PATH, 'utf8')
  const [, done, all, points, sets] =
    /interrupted; (\d+) of (\d+) units are done and kept\. To go on:\n {2}virtio-sdk evaluate --points (\d+) --sets (\d+) --out mine --resume\n/
      .exec(text)!
      .map(Number)
  const units = EXPERIMENTS.flatMap((experiment) =>
    experiment.units({ ...DEFAULT_CAMPAIGN, points: points!, sets: sets! }, zcu102),
  )
  expect(all).toBe(units.length)
  expect(done).toBeLessThan(all!)
})
