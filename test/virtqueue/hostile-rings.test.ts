/**
 * Our queues under fire: 40 000 hostile rings a run, over every policy, feature and kind of memory. Nothing escapes, nothing
 * outside RAM is read or written, every walk ends, and each case is a typed violation or exactly the chain that the
 * specification finds. HOSTILE_RINGS asks for more; a failure prints its seed and case.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { GuestMemory } from '../../src/memory/index.ts'
import { runHostileDevice, runHostileRings, writeDescriptor } from '../../src/testing/index.ts'
import {
  DescriptorChain,
  layoutSplitQueue,
  SplitDeviceQueue,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  type Violation,
  type ViolationPolicy,
} from '../../src/virtqueue/index.ts'
import { ownDevice, ownDriver } from '../testing/own-queue-targets.ts'

const SEED = Number(process.env.HOSTILE_SEED ?? 20260802)
const RINGS = Number(process.env.HOSTILE_RINGS ?? 40_000)

const BOOLEANS = [false, true]
const POLICIES: readonly ViolationPolicy[] = ['reject', 'latch', 'needs-reset']
const CONFIGURATIONS = POLICIES.flatMap((policy) =>
  BOOLEANS.flatMap((eventIdx) =>
    BOOLEANS.flatMap((indirect) => BOOLEANS.map((shared) => ({ policy, eventIdx, indirect, shared }))),
  ),
)
const RINGS_EACH = Math.ceil(RINGS / CONFIGURATIONS.length)
const TIMEOUT_MS = 30_000 + RINGS

const clauses = new Set(
  ['clauses.csv', 'clauses_implied.csv'].flatMap((file) =>
    readFileSync(new URL(`../data/${file}`, import.meta.url), 'utf8')
      .split('\n')
      .map((line) => line.slice(0, line.indexOf(','))),
  ),
)

describe('SplitDeviceQueue', () => {
  it.each(CONFIGURATIONS)(
    'VQS-AVL-DRV-01, VQS-FRM-DRV-01, VQS-IND-DRV-02, IMP-VQS-05: refuses or equals the specification, $policy, eventIdx $eventIdx, indirect $indirect, shared $shared',
    ({ policy, eventIdx, indirect, shared }) => {
      const unknown = new Set<string>()
      const report = ({ clause }: Violation) => {
        if (!clauses.has(clause)) unknown.add(clause)
      }
      const target = ownDevice({ policy, report })
      const { rings, chains, faults } = runHostileRings(target, {
        seed: SEED,
        rings: RINGS_EACH,
        eventIdx,
        indirect,
        shared,
      })
      expect(rings).toBe(RINGS_EACH)
      expect([...unknown]).toEqual([])
      // Both kinds of answer, and plenty of each.
      expect(chains).toBeGreaterThan(rings)
      expect(Object.values(faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(rings / 2)
    },
    TIMEOUT_MS,
  )
})

describe('a loop', () => {
  // A table at an odd address is read entry by entry through GuestMemory, where reads can be counted.
  it.each([1, 2, 8, 256])(
    'VQS-IND-DRV-03: in a table of %i entries costs at most size + 1 reads (museum 4, 5)',
    (size) => {
      for (const period of new Set([1, 2, size])) {
        if (period > size) continue
        const memory = GuestMemory.ofSize(0x4000, 0x1000)
        const layout = layoutSplitQueue(size, 0x1000)
        const table = 0x3001
        const loop = { address: 0x1000, length: 1, flags: VIRTQ_DESC_F_NEXT }
        for (let i = 0; i < size; i++) writeDescriptor(memory, table, i, { ...loop, next: (i + 1) % period })
        const reference = { address: table, length: 16 * size, flags: VIRTQ_DESC_F_INDIRECT, next: 0 }
        writeDescriptor(memory, layout.descriptorArea, 0, reference)
        memory.writeU16(layout.driverArea + 2, 1)
        const queue = new SplitDeviceQueue(memory, { size, ...layout, indirect: true })
        const reads = vi.spyOn(memory, 'read')
        expect(queue.popAvailable(new DescriptorChain())).toBe(false)
        expect(queue.violation?.rule).toBe('chain-too-long')
        expect(reads.mock.calls.length).toBeGreaterThan(0)
        expect(reads.mock.calls.length).toBeLessThanOrEqual(size + 1)
      }
    },
  )
})

describe('SplitDriverQueue', () => {
  it.each(BOOLEANS.flatMap((eventIdx) => BOOLEANS.map((indirect) => ({ eventIdx, indirect }))))(
    'IMP-VQS-03, IMP-VQS-04: believes no lie about what was used, %j',
    (features) => {
      const rings = Math.ceil(RINGS / 10)
      const { completions } = runHostileDevice(ownDriver, { seed: SEED, rings, ...features })
      expect(completions).toBeGreaterThan(rings)
    },
    TIMEOUT_MS,
  )
})
