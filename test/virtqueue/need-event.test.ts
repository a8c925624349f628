import { describe, expect, it } from 'vitest'
import { needEvent } from '../../src/internal/u16.ts'

/**
 * The definition, without arithmetic on distances: walk from `oldIndex` to `newIndex`, one element at a time, and look whether
 * the element that the peer waits for is among those passed.
 */
function passes(event: number, newIndex: number, oldIndex: number): boolean {
  for (let index = oldIndex; index !== newIndex; index = (index + 1) & 0xffff) if (index === event) return true
  return false
}

describe('IMP-VQS-08: needEvent', () => {
  it('equals the walk for every distance from the old index, and every event at the borders of the walk', () => {
    // Both are invariant under adding a constant to all three indices (next test), so the old index may be fixed.
    let failures = 0
    for (let distance = 0; distance <= 0xffff; distance++) {
      // Only an event at or next to an end of [old, new) can tell a wrong formula: in between, membership does not change.
      for (const event of [0, 1, distance - 2, distance - 1, distance, distance + 1, 0x7fff, 0x8000, 0xfffe, 0xffff]) {
        const wrapped = event & 0xffff
        if (needEvent(wrapped, distance, 0) !== wrapped < distance) failures++
      }
    }
    expect(failures).toBe(0)
  })

  it('equals the walk for all 2^24 triples of a window across the wrap, literally', () => {
    // Indices within 256 of each other around 65535: every event, new and old of it.
    let failures = 0
    for (let old = 0; old < 256; old++) {
      for (let event = 0; event < 256; event++) {
        for (let distance = 0; distance < 256; distance++) {
          const [a, b] = [(0xff80 + old) & 0xffff, (0xff80 + event) & 0xffff]
          const offset = (b - a) & 0xffff
          if (needEvent(b, (a + distance) & 0xffff, a) !== offset < distance) failures++
        }
      }
    }
    expect(failures).toBe(0)
  })

  it('agrees with the walk itself on small and huge steps, and with its shifts', () => {
    const points = [0, 1, 2, 0x7fff, 0x8000, 0xfffd, 0xfffe, 0xffff]
    for (const oldIndex of points) {
      for (const newIndex of points) {
        for (const event of points) {
          const expected = passes(event, newIndex, oldIndex)
          for (const shift of [0, 1, 3, 0x1234, 0x7fff, 0xffff]) {
            const [e, n, o] = [event, newIndex, oldIndex].map((index) => (index + shift) & 0xffff) as [
              number,
              number,
              number,
            ]
            expect(needEvent(e, n, o), `${event} ${newIndex} ${oldIndex} + ${shift}`).toBe(expected)
          }
        }
      }
    }
  })
})
