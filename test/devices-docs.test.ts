/** What `docs/devices.md` shows is what runs: every snippet is a file of `examples/devices`, or of `examples`. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const DOCS = readFileSync(new URL('../docs/devices.md', import.meta.url), 'utf8')
const folder = new URL('../examples/devices/', import.meta.url)
const names = readdirSync(folder)

it('every snippet is an example, and every example is shown', () => {
  const blocks = [...DOCS.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code)
  const texts = names.map((name) => readFileSync(new URL(name, folder), 'utf8'))
  for (const block of blocks) expect(texts).toContain(block)
  expect(blocks.toSorted()).toEqual(texts.toSorted())
})

it.each(names)('examples/devices/%s runs', async (name) => {
  await import(new URL(name, folder).href)
})
