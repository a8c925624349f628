/** The sources of `src/virtqueue`, in whatever folder of it they are: a file is known by its name alone. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../src/virtqueue', import.meta.url))
const NAMES: readonly string[] = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .sort()

/** Relative to the repository: `src/virtqueue/split/ring-signals.ts`, and all others. */
export const QUEUE_SOURCES: readonly string[] = NAMES.map((name) => `src/virtqueue/${name}`)

/** `src/virtqueue/split/ring-signals.ts` of `ring-signals.ts`; an error unless there is exactly one. */
export function queueSourcePath(file: string): string {
  const found = QUEUE_SOURCES.filter((path) => path.endsWith(`/${file}`))
  if (found.length !== 1) throw new Error(`${found.length} files of src/virtqueue are called ${file}`)
  return found[0]!
}

/** The text of `ring-signals.ts`. */
export function queueSource(file: string): string {
  return readFileSync(join(FOLDER, '../..', queueSourcePath(file)), 'utf8')
}
