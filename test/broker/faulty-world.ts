/** The world of three guests over a broker with a fault in it: a bundle of its own. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { type Fault, withFault } from '../../adversary/power/faults.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export async function worldWith(fault: Fault): Promise<typeof import('../zero-copy/world.ts')> {
  const changed = withFault(fault)
  const sources = new Map([...changed].map(([file, contents]) => [resolve(ROOT, file), contents]))
  // Inside of the repository, where the test runner is found.
  const outfile = join(ROOT, 'out', 'faulty-worlds', `${fault.name.replaceAll(' ', '-')}.mjs`)
  mkdirSync(join(ROOT, 'out', 'faulty-worlds'), { recursive: true })
  await build({
    entryPoints: [join(ROOT, 'test/zero-copy/world.ts')],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    plugins: [
      {
        name: 'fault',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const contents = sources.get(path)
            return contents === undefined ? null : { contents, loader: 'ts' }
          })
        },
      },
    ],
  })
  return import(/* @vite-ignore */ pathToFileURL(outfile).href)
}
