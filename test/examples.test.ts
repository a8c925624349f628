/** Every example runs: here against the sources, in `test/package` against what is published. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const folder = new URL('../examples/', import.meta.url)
const examples = readdirSync(folder).filter((name) => name.endsWith('.ts'))

it.each(examples)('examples/%s', async (name) => {
  await import(new URL(name, folder).href)
})

it('the code in the README is that of examples', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const texts = examples.map((name) => readFileSync(new URL(name, folder), 'utf8'))
  const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code)
  expect(blocks.length).toBeGreaterThan(1)
  for (const block of blocks) expect(texts).toContain(block)
})
