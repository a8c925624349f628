/** What a page loads: one transport and one device, bundled as its own build would, minified and compressed. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../../src/', import.meta.url))
const KB = 1000

async function gzipped(imports: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: imports, resolveDir: SRC, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  })
  return gzipSync(outputFiles[0]!.contents).length
}

it.each([
  ['MMIO and entropy', 'MmioWindow', 'entropyDevice', 25 * KB],
  ['MMIO and console', 'MmioWindow', 'ConsoleDevice', 28 * KB],
  ['PCI and blk', 'PciFunction', 'BlkDevice, MemoryDisk', 32 * KB],
  ['PCI and net', 'PciFunction', 'NetDevice', 34 * KB],
  ['PCI and vsock', 'PciFunction', 'VsockDevice', 37 * KB],
])('%s: not larger than docs/devices.md says, and nothing of Node', async (_, transport, device, most) => {
  const bytes = await gzipped(
    `import { ${transport} } from './transport/index.ts'\nimport { ${device} } from './virtio/index.ts'\nglobalThis.mine = [${transport}, ${device}]`,
  )
  if (process.env.BUNDLE_SIZES) console.log(transport, device, bytes)
  expect(bytes).toBeLessThanOrEqual(most)
  expect(bytes).toBeGreaterThan(most / 2)
})
