/**
 * Mistakes that only show at the far ends of what is legal: each is failed at the exhibit that is named for it, which is part of
 * what `runMuseum` and the command line show by default. docs/mutation.md has them in a table.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type MuseumReport, referencePackedDevice, referencePackedDriver, runMuseum } from '../../src/testing/index.ts'
import { LIMIT_MUTANTS, PACKED_LIMIT_MUTANTS } from './limit-mutants.ts'
import { targetsOf } from './mutant-targets.ts'
import { MUTANTS } from './mutants.ts'
import { PACKED_MUTANTS } from './packed/packed-mutants.ts'
import { packedPeersOf, packedSource } from './packed/packed-peers.ts'
import { queueSource } from './queue-sources.ts'

const wrong = ({ results }: MuseumReport) =>
  results.filter(({ verdict }) => verdict === 'FAIL' || verdict === 'WEDGED').map(({ number }) => number)

describe('mutants at the limits', () => {
  it('stand where their sources say', () => {
    for (const { file, what, from } of LIMIT_MUTANTS) expect(queueSource(file).split(from).length, what).toBe(2)
    for (const { file, what, from } of PACKED_LIMIT_MUTANTS) expect(packedSource(file).split(from).length, what).toBe(2)
  })

  it('and the originals pass', async () => {
    const { ownDevice, ownDriver } = await targetsOf(null)
    const shown = new Set<string>()
    for (const target of [ownDevice(), ownDriver, referencePackedDevice, referencePackedDriver]) {
      const report = runMuseum(target, { exhibits: Array.from({ length: 9 }, (_, i) => 49 + i) })
      expect(wrong(report)).toEqual([])
      for (const { number, side, detail } of report.results) {
        if (detail !== 'the target has a split ring') shown.add(`${target.format ?? 'split'} ${side} ${number}`)
      }
    }
    // Each of these exhibits has its mutants; those from 58 on have others (standard-exchanges.test.ts).
    const failed = [
      ...LIMIT_MUTANTS.map(({ side, exhibit }) => `split ${side} ${exhibit}`),
      ...PACKED_LIMIT_MUTANTS.map(({ side, exhibit }) => `packed ${side} ${exhibit}`),
    ]
    expect([...shown].sort()).toEqual([...new Set(failed)].sort())
  }, 60_000)

  it.each(LIMIT_MUTANTS)(
    '$side, $kind: $what',
    async (mutant) => {
      const { ownDevice, ownDriver } = await targetsOf(mutant)
      const target = mutant.side === 'device' ? ownDevice() : ownDriver
      expect(wrong(runMuseum(target, { exhibits: [mutant.exhibit] }))).toEqual([mutant.exhibit])
    },
    60_000,
  )

  it.each(PACKED_LIMIT_MUTANTS)(
    'packed $side, $kind: $what',
    async (mutant) => {
      const peers = await packedPeersOf(mutant)
      const target = mutant.side === 'device' ? peers.referencePackedDevice : peers.referencePackedDriver
      expect(wrong(runMuseum(target, { exhibits: [mutant.exhibit] }))).toEqual([mutant.exhibit])
    },
    60_000,
  )

  it('docs/mutation.md has them all', () => {
    const page = readFileSync(new URL('../../docs/mutation.md', import.meta.url), 'utf8')
    for (const [ring, list] of [
      ['split', LIMIT_MUTANTS],
      ['packed', PACKED_LIMIT_MUTANTS],
    ] as const) {
      for (const { kind, side, what, exhibit } of list) {
        expect(page).toContain(`| ${ring} ${side} | ${kind}: ${what} | ${exhibit} |`)
      }
    }
    expect(page).toContain(`${MUTANTS.length + LIMIT_MUTANTS.length} faults of split queues`)
    expect(page).toContain(`${PACKED_MUTANTS.length + PACKED_LIMIT_MUTANTS.length} of packed ones`)
  })
})
