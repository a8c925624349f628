/** What `docs/interleavings.md` shows is what runs, and what it says of the mutants is what is tested. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { KILLED } from './killed.ts'

const docs = readFileSync(new URL('../../../docs/interleavings.md', import.meta.url), 'utf8')

it.each(['explore-your-queue.ts', 'mailbox.ts'])('shows %s, which passes', async (name) => {
  expect(docs).toContain(readFileSync(new URL(name, import.meta.url), 'utf8'))
  await import(`./${name}`)
})

it('lists every ordering, with the model under which it is missed', () => {
  for (const [name, [model, exchange]] of Object.entries(KILLED))
    expect(docs).toContain(`| ${name} | ${model} | ${exchange} |`)
})
