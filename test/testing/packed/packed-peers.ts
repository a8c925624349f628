/** The reference peers of a packed ring, from their sources with one place changed. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { PackedDeviceTarget, PackedDriverTarget } from '../../../src/testing/index.ts'
import type { PackedMutant } from './packed-mutants.ts'

interface Peers {
  readonly referencePackedDevice: PackedDeviceTarget
  readonly referencePackedDriver: PackedDriverTarget
}

/** The peers with one place changed. */
export async function packedPeersOf({ file, from, to }: PackedMutant): Promise<Peers> {
  const { outputFiles } = await build({
    entryPoints: [
      fileURLToPath(new URL('../../../src/testing/format/packed/reference-packed-peers.ts', import.meta.url)),
    ],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutant',
        setup({ onLoad }) {
          onLoad({ filter: /src\/testing\/format\/packed\/[\w-]+\.ts$/ }, ({ path }) => {
            const text = packedSource(basename(path))
            const changed = basename(path) === file ? text.replace(from, () => to) : text
            return { contents: changed, loader: 'ts' }
          })
        },
      },
    ],
  })
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`)
}

export function packedSource(file: string): string {
  return readFileSync(new URL(`../../../src/testing/format/packed/${file}`, import.meta.url), 'utf8')
}
