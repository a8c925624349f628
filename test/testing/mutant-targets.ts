/** Our adapters over the sources of our queues, with one place changed. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Mutant } from './mutants.ts'
import type { ownDevice, ownDriver } from './own-queue-targets.ts'

export interface Targets {
  readonly ownDevice: typeof ownDevice
  readonly ownDriver: typeof ownDriver
}

/** Null: the original. */
export async function targetsOf(mutant: Mutant | null): Promise<Targets> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('own-queue-targets.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    external: ['fast-check'],
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutant',
        setup({ onLoad }) {
          onLoad({ filter: /src\/virtqueue\/[\w/-]+\.ts$/ }, ({ path }) => {
            const text = readFileSync(path, 'utf8')
            const changed = basename(path) === mutant?.file ? text.replace(mutant.from, () => mutant.to) : text
            return { contents: changed, loader: 'ts' }
          })
        },
      },
    ],
  })
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`)
}
