/** docs/architecture.md says of every room what its first line says, and what the rule of imports says. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { MAY_IMPORT } from './rooms.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
/** Room, job, imports. */
const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (.+?) \| (.*?) ?\|$/gm)]
const rooms = Object.keys(MAY_IMPORT).filter((room) => room !== '')

describe('docs/architecture.md', () => {
  it('has a row for every room, in the order of the rule', () => {
    expect(rows.map(([, room]) => room)).toEqual(rooms)
  })

  it.each(rows.map(([, room, job, imports]) => ({ room: room!, job: job!, imports: imports! })))(
    'says what $room does and may import',
    ({ room, job, imports }) => {
      expect(imports).toBe((MAY_IMPORT[room] ?? []).map((other) => `\`${other}\``).join(' '))
      const index = join(ROOT, 'src', room, 'index.ts')
      if (existsSync(index)) expect(job).toBe(jobIn(readFileSync(index, 'utf8')))
    },
  )
})

/** The first comment of a room, without where it is public and where more stands. */
function jobIn(text: string): string {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? ''
  const words = comment
    .replaceAll(/^\s*\*/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return words.replace(/ Public as [\s\S]*$/, '').replace(/ See docs\/\S+$/, '')
}
