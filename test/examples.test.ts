/** Every example runs: here against the sources, in `test/package` against what is published. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const folder = new URL('../examples/', import.meta.url)
const examples = readdirSync(folder).filter((name) => name.endsWith('.ts'))

it.each(examples)('examples/%s', async (name) => {
  await import(new URL(name, folder).href)
})

it('the device in the README is the one of examples/custom-device.ts', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  expect(readme).toContain(readFileSync(new URL('custom-device.ts', folder), 'utf8'))
})
