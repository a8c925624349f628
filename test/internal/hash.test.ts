import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StreamHash } from '../../src/internal/hash.ts'

function hashOf(...parts: Uint8Array[]): string {
  const hash = new StreamHash()
  for (const part of parts) hash.update(part)
  return hash.digest()
}

describe('StreamHash', () => {
  it('depends on the bytes, not on how they are split or aligned', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200)), fc.nat(3), (bytes, cuts, shift) => {
        const shifted = new Uint8Array(bytes.length + shift).subarray(shift)
        shifted.set(bytes)
        const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
        const parts = borders.slice(1).map((border, i) => shifted.subarray(borders[i], border))
        expect(hashOf(...parts)).toBe(hashOf(bytes))
        const buffers = parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.length))
        expect(hashOf(...buffers)).toBe(hashOf(bytes))
      }),
    )
  })

  it('sees every changed bit and every lost or added byte of a message', () => {
    const bytes = Uint8Array.from({ length: 67 }, (_, i) => i * 37)
    const seen = new Set([hashOf(bytes)])
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = bytes.slice()
      changed[bit >> 3]! ^= 1 << (bit & 7)
      seen.add(hashOf(changed))
    }
    for (let length = 0; length < bytes.length; length++) seen.add(hashOf(bytes.subarray(0, length)))
    seen.add(hashOf(bytes, new Uint8Array(1)))
    expect(seen.size).toBe(1 + 8 * 67 + 67 + 1)
  })
})
