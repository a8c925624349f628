/** What the sides of a packed ring refuse, each with its clause, and our own mistakes. */
import { describe, expect, it } from 'vitest'
import {
  type BufferList,
  PACKED_VIOLATION_CLAUSES,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  type Violation,
} from '../../../src/virtqueue/index.ts'
import { ASSERTION, list, type Options, reap, ringOf, take } from './packed-rings.ts'

describe('violations', () => {
  it.each(['reject', 'latch', 'needs-reset'] as const)(
    'VQP-SG-DRV-03: a readable buffer behind a writable one, under policy %s, and its clause is named',
    (policy) => {
      const seen: Violation[] = []
      const ring = ringOf(4, { policy, onViolation: (violation) => seen.push(violation) })
      const id = ring.driver.add(list(1, 1))
      ring.driver.add(list(1, 0))
      ring.driver.publish()
      // The second of the list is writable; the first becomes so, and the second no more.
      ring.memory.writeU16(ring.at(0) + 14, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_AVAIL)
      ring.memory.writeU16(ring.at(1) + 14, VIRTQ_DESC_F_AVAIL)
      const chains = take(ring)
      expect(seen).toEqual([
        expect.objectContaining({ rule: 'readable-after-writable', clause: 'VQP-SG-DRV-03', head: id }),
      ])
      expect(chains.length).toBe(policy === 'reject' ? 1 : 0)
      expect([ring.device.rejections, ring.device.violation === null]).toEqual(
        policy === 'reject' ? [1, true] : [0, false],
      )
      ring.device.publish()
      expect(reap(ring)).toEqual(policy === 'reject' ? [[id, 0]] : [])
      ring.device.reset()
      expect([ring.device.violation, ring.device.rejections, ring.device.generation]).toEqual([null, 0, 1])
    },
  )

  it('VQP-SG-DEV-02, VQP-SG-DRV-01: a device may limit the bytes and the buffers of a chain', () => {
    const rule = (options: Options, buffers: BufferList, direct?: number) => {
      const ring = ringOf(8, { ...options, policy: 'reject' })
      ring.driver.add(buffers, direct)
      ring.driver.publish()
      take(ring)
      return ring.device.lastRejection?.rule ?? null
    }
    expect(rule({ maxChainBytes: 31 }, list(1, 1))).toBe('chain-too-large')
    expect(PACKED_VIOLATION_CLAUSES['chain-too-large']).toBe('VQP-SG-DRV-01')
    expect(rule({ maxChainBytes: 32 }, list(1, 1))).toBeNull()
    expect(rule({ maxChainBuffers: 1 }, list(1, 1))).toBe('chain-too-long')
    expect(rule({ maxChainBuffers: 2 }, list(1, 1))).toBeNull()
    expect(rule({ maxChainBuffers: 2, indirect: true }, list(2, 1), 0)).toBe('indirect-too-long')
    expect(rule({ maxChainBuffers: 3, indirect: true }, list(2, 1), 0)).toBeNull()
  })

  it('IMP-VQP-08: a length that is too large breaks the driver side, or is clamped', () => {
    for (const usedLength of ['reject', 'clamp'] as const) {
      const seen: string[] = []
      const ring = ringOf(2, { usedLength, onViolation: ({ rule, clause }) => seen.push(`${rule} ${clause}`) })
      ring.driver.add(list(0, 1))
      ring.driver.publish()
      ring.device.addUsed(take(ring)[0]!.id, 16)
      ring.device.publish()
      ring.memory.writeU32(ring.at(0) + 8, 17)
      expect([reap(ring), seen]).toEqual([
        usedLength === 'clamp' ? [[0, 16]] : [],
        ['used-length-too-large IMP-VQP-08'],
      ])
      expect(ring.driver.add(list(0, 1))).toBe(usedLength === 'clamp' ? 0 : -1)
    }
  })

  it('our own mistakes assert, and leave the ring as it was (museum 20)', () => {
    const ring = ringOf(2)
    const id = ring.driver.add(list(0, 1))
    ring.driver.publish()
    take(ring)
    for (const [wrong, bytes] of [
      [id + 1, 0],
      [id, 17],
      [id, -1],
      [id, 0.5],
      [70_000, 0],
    ] as const) {
      expect(() => ring.device.addUsed(wrong, bytes), `${wrong} ${bytes}`).toThrow(ASSERTION)
    }
    ring.device.addUsed(id, 3)
    expect(() => ring.device.addUsed(id, 3)).toThrow(ASSERTION)
    expect([
      ring.device.writableBytesOf(id),
      ring.device.writableBytesOf(70_000),
      ring.driver.writableBytesOf(id),
    ]).toEqual([-1, -1, 16])
    ring.device.publish()
    expect(reap(ring)).toEqual([[id, 3]])
    expect(() => ring.driver.add(list(3, 0))).toThrow(ASSERTION)
    expect(() => ring.driver.add(list(0, 0))).toThrow(ASSERTION)
    expect(() => ring.driver.add(list(2, 0), 1)).toThrow('INDIRECT_DESC was not negotiated (VQP-IND-DRV-01)')
    expect(() => ringOf(16, { indirect: true }).driver.add(list(9, 0), 0)).toThrow('has 8 entries, 9 are needed')
  })
})
