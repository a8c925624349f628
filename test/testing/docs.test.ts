/** What `docs/testing.md` shows is what runs. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const docs = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8')

it('docs/testing.md attaches a queue as in attach-your-queue.ts, which passes', async () => {
  expect(docs).toContain(readFileSync(new URL('attach-your-queue.ts', import.meta.url), 'utf8'))
  await import('./attach-your-queue.ts')
})

it('and scripts a hostile driver as in script-a-peer.ts, which passes', async () => {
  expect(docs).toContain(readFileSync(new URL('script-a-peer.ts', import.meta.url), 'utf8'))
  await import('./script-a-peer.ts')
})
