/** The proof that the kit can see packed queues: every mutant of the reference peers is found, and the peers themselves pass. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ExhibitResult,
  type PackedDeviceTarget,
  type PackedDriverTarget,
  QueueMismatch,
  queueCommands,
  referenceModel,
  referencePackedDevice,
  referencePackedDriver,
  runHostilePackedDevice,
  runHostilePackedRings,
  runMuseum,
} from '../../../src/testing/index.ts'
import { PACKED_MUTANTS, type PackedMutant } from './packed-mutants.ts'

interface Peers {
  referencePackedDevice: PackedDeviceTarget
  referencePackedDriver: PackedDriverTarget
}

describe('mutants of packed queues', () => {
  it('there are enough of them, each where its source says', () => {
    expect(PACKED_MUTANTS.length).toBe(57)
    for (const { file, what, from } of PACKED_MUTANTS) expect(source(file).split(from).length, what).toBe(2)
  })

  it.each([referencePackedDevice, referencePackedDriver])('the kit finds nothing in the $name', (target) => {
    expect(found(target)).toBeNull()
  })

  it.each(PACKED_MUTANTS)(
    'the $side: $what',
    async (mutant) => {
      const peers = await peersOf(mutant)
      expect(found(mutant.side === 'device' ? peers.referencePackedDevice : peers.referencePackedDriver)).not.toBeNull()
    },
    60_000,
  )

  it('and every exhibit of the packed ring is failed by one of them', () => {
    const titles = [referencePackedDevice, referencePackedDriver].flatMap((target) =>
      runMuseum(target).results.map(key),
    )
    expect(titles.filter((title) => !failed.has(title))).toEqual([])
  })
})

/** Exhibits that somebody failed. */
const failed = new Set<string>()
const key = ({ side, title }: ExhibitResult) => `${side}: ${title}`

const EITHER = [false, true]
const FEATURES = EITHER.flatMap((eventIdx) =>
  EITHER.flatMap((indirect) => EITHER.map((inOrder) => ({ eventIdx, indirect, inOrder }))),
)
const PROGRAMS = fc.sample(queueCommands({ ring: 'packed', minCommands: 40 }), { seed: 1, numRuns: 250 })

/** What the kit says is wrong, or null: the museum, then programs, then hostile rings. */
function found(target: PackedDeviceTarget | PackedDriverTarget): string | null {
  const [wrong, ...more] = runMuseum(target).results.filter(({ verdict }) => verdict === 'FAIL' || verdict === 'WEDGED')
  for (const one of [wrong, ...more]) if (one) failed.add(key(one))
  if (wrong) return `${wrong.number} ${wrong.detail}`
  try {
    for (const program of PROGRAMS) referenceModel.compare(target, program)
    for (const features of FEATURES) {
      const options = { seed: 1, rings: 200, ...features }
      if (target.side === 'device') runHostilePackedRings(target, options)
      else runHostilePackedDevice(target, options)
    }
    return null
  } catch (error) {
    if (error instanceof QueueMismatch) return error.message
    throw error
  }
}

/** The peers with one place changed. */
async function peersOf({ file, from, to }: PackedMutant): Promise<Peers> {
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
            const text = source(basename(path))
            const changed = basename(path) === file ? text.replace(from, () => to) : text
            return { contents: changed, loader: 'ts' }
          })
        },
      },
    ],
  })
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`)
}

function source(file: string): string {
  return readFileSync(new URL(`../../../src/testing/format/packed/${file}`, import.meta.url), 'utf8')
}
