/** Packed peers that lie, against the specification's peers: these answer rightly, and every rule is broken. */
import { describe, expect, it } from 'vitest'
import {
  PACKED_RING_RULES,
  referencePackedDevice,
  referencePackedDriver,
  runHostilePackedDevice,
  runHostilePackedRings,
} from '../../../src/testing/index.ts'

const RINGS = Number(process.env.HOSTILE_RINGS ?? 4_000)
const SEED = Number(process.env.HOSTILE_SEED ?? 20_261_123)
const FEATURES = [
  { eventIdx: false, indirect: false, inOrder: false },
  { eventIdx: true, indirect: true, inOrder: false },
  { eventIdx: true, indirect: true, inOrder: true },
]
const ruleNames = (of: (rule: string) => boolean) => Object.keys(PACKED_RING_RULES).filter(of).sort()

describe('hostile packed rings', () => {
  it('are refused where they are wrong, and served where they are right, by the reference device', () => {
    const broken = new Set<string>()
    for (const features of FEATURES) {
      const report = runHostilePackedRings(referencePackedDevice, { seed: SEED, rings: RINGS / 4, ...features })
      expect(report.buffers).toBeGreaterThan(report.rings)
      for (const rule of Object.keys(report.faults)) broken.add(rule)
    }
    expect([...broken].sort()).toEqual(
      ruleNames((rule) => !/^used-|^indirect-entry-flags$|^list-not-available$/.test(rule)),
    )
  }, 3_600_000)

  it('of a device that lies are believed only where they are true, by the reference driver', () => {
    const broken = new Set<string>()
    for (const features of FEATURES) {
      const report = runHostilePackedDevice(referencePackedDriver, {
        seed: SEED,
        rings: Math.ceil(RINGS / 12),
        ...features,
      })
      expect(report.buffers).toBeGreaterThan(report.rings)
      for (const rule of Object.keys(report.faults)) broken.add(rule)
    }
    expect([...broken].sort()).toEqual(ruleNames((rule) => rule.startsWith('used-')))
  }, 3_600_000)
})
