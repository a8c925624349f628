/** What `docs/testing.md` shows is what `attach-your-queue.ts` runs. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('docs/testing.md attaches a queue as in attach-your-queue.ts, which passes', async () => {
  const docs = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8')
  expect(docs).toContain(readFileSync(new URL('attach-your-queue.ts', import.meta.url), 'utf8'))
  await import('./attach-your-queue.ts')
})
