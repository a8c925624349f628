/** The proof that the kit can see: every mutant of our own queues is found by it, without a test of ours. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { type FuzzTarget, fuzz } from '../../src/testing/fuzz.ts'
import { runMuseum } from '../../src/testing/index.ts'
import { MUTANTS, type Mutant } from './mutants.ts'
import type { ownDevice, ownDriver } from './own-queue-targets.ts'

const TURNS = 4
/** Those of the museum that take many calls have their own test. */
const QUICK_EXHIBITS = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20, 28, 29, 35, 36, 42, 43, 44, 45,
]

interface Targets {
  ownDevice: typeof ownDevice
  ownDriver: typeof ownDriver
}

describe('mutants of our queues', () => {
  it('there are enough of them, each where its source says', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(40)
    for (const { file, what, from } of MUTANTS) expect(source(file).split(from).length, what).toBe(2)
  })

  it('the kit finds nothing in the original', async () => {
    expect(found(await targetsOf(null))).toBeNull()
  }, 60_000)

  it.each(MUTANTS)(
    '$file: $what',
    async (mutant) => {
      expect(found(await targetsOf(mutant), mutant.file)).not.toBeNull()
    },
    60_000,
  )
})

/** What the kit says is wrong, or null. Only the sides that the file is of. */
function found({ ownDevice, ownDriver }: Targets, file = ''): string | null {
  const devices = file.includes('driver') ? [] : [ownDevice(), ownDevice({ policy: 'reject' })]
  const drivers = /driver|signals|^$/.test(file) ? [ownDriver] : []
  const targets: FuzzTarget[] = [...devices, ...drivers]
  for (const target of targets) {
    let turn = 0
    for (const { finding } of fuzz(target, 1)) {
      if (finding !== null) return finding.message
      if (++turn === TURNS) break
    }
  }
  for (const target of targets) {
    const wrong = runMuseum(target, { exhibits: QUICK_EXHIBITS }).results.find(
      ({ verdict }) => verdict === 'FAIL' || verdict === 'WEDGED',
    )
    if (wrong) return `${wrong.number} ${wrong.detail}`
  }
  return null
}

/** Our adapters over the sources with one place changed. */
async function targetsOf(mutant: Mutant | null): Promise<Targets> {
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
          onLoad({ filter: /src\/virtqueue\/[\w-]+\.ts$/ }, ({ path }) => {
            const text = source(basename(path))
            const changed = basename(path) === mutant?.file ? text.replace(mutant.from, () => mutant.to) : text
            return { contents: changed, loader: 'ts' }
          })
        },
      },
    ],
  })
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`)
}

function source(file: string): string {
  return readFileSync(new URL(`../../src/virtqueue/${file}`, import.meta.url), 'utf8')
}
