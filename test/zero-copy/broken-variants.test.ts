/** The power of the property tests: each of these faults is one that they must find, and do. */
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Loans, PageExchange } from '../../src/zero-copy/index.ts'
import { commandLists, runWorld, type Setting, seeds } from './run-world.ts'
import type { Fault } from './world.ts'

/** Lists of commands tried before a fault counts as not found. */
const TRIES = 120

afterEach(() => {
  vi.restoreAllMocks()
})

/** What the first run that fails says. */
function found(setting: Omit<Setting, 'seed' | 'commands'>): string {
  for (const [seed, commands] of fc.sample(fc.tuple(seeds, commandLists), { seed: 5, numRuns: TRIES })) {
    try {
      runWorld({ ...setting, seed, commands })
    } catch (error) {
      return (error as Error).message
    }
  }
  return 'nothing'
}

describe('a platform that', () => {
  it.each<[Fault, Setting['transfer'], RegExp]>([
    ['skip-scrub', 'remap', /sees byte/],
    ['forget-tlb', 'remap', /TLB|cache still has/],
    ['forget-flush', 'remap', /TLB|cache still has/],
    ['forget-smmu', 'remap', /SMMU|cache still has/],
    ['map-before-unmap', 'remap', /still write|mapped already/],
    ['lend-writable', 'lend', /still write|still read/],
    ['skip-revocation-copy', 'lend', /byte|is incomplete|comes next/],
  ])('%s', (fault, transfer, how) => {
    expect(found({ fault, transfer })).toMatch(how)
  })
})

describe('a broker that', () => {
  it('invalidates nothing', () => {
    vi.spyOn(PageExchange.prototype, 'invalidate').mockImplementation((run, limit) => {
      const count = Math.min(limit, run.taken - run.invalidated)
      run.invalidated += count
      return count
    })
    expect(found({ transfer: 'remap' })).toMatch(/TLB|SMMU|cache still has/)
  })

  it('does not see that a borrower gave pages back', () => {
    vi.spyOn(Loans.prototype, 'noteBorrowed').mockReturnValue(0)
    expect(found({ transfer: 'lend' })).not.toBe('nothing')
  })

  it('never revokes what is due', () => {
    vi.spyOn(Loans.prototype, 'revokeDue').mockImplementation(() => {})
    expect(found({ transfer: 'lend', hostile: 2 })).not.toBe('nothing')
  })

  it('leaves pages behind when a VM is reset in the middle', () => {
    vi.spyOn(PageExchange.prototype, 'undo').mockReturnValue(0)
    expect(found({ transfer: 'remap', resets: true })).not.toBe('nothing')
  })

  it('forgets loans when a VM is reset', () => {
    vi.spyOn(Loans.prototype, 'revokeOf').mockReturnValue(true)
    expect(found({ transfer: 'lend', resets: true })).not.toBe('nothing')
  })
})
