/**
 * Records against an independent implementation of the same idea: whatever fields are declared, `buffer-layout` reads from our
 * bytes what was written, and we read what it wrote. It needs Node's `Buffer`, so it is an oracle here and no part of the package.
 */
import { blob, u8 as layoutU8, u16 as layoutU16, u32 as layoutU32, nu64, struct } from 'buffer-layout'
import fc from 'fast-check'
import { bytes, ConfigLayout, u8, u16, u32, u64 } from 'virtio-sdk/virtio'
import { expect, it } from 'vitest'

/** A kind of field: how we declare it, how the oracle does, and which values it has. */
const KINDS = [
  { own: u8, oracle: layoutU8, values: fc.integer({ min: 0, max: 0xff }) },
  { own: u16, oracle: layoutU16, values: fc.integer({ min: 0, max: 0xffff }) },
  { own: u32, oracle: layoutU32, values: fc.integer({ min: 0, max: 0xffff_ffff }) },
  { own: u64, oracle: nu64, values: fc.maxSafeNat() },
  {
    own: (name: string) => bytes(name, 5),
    oracle: (name: string) => blob(5, name),
    values: fc.uint8Array({ minLength: 5, maxLength: 5 }),
  },
]

const fieldsWithValues = fc.array(
  fc
    .constantFrom(...KINDS)
    .chain((kind) => fc.record({ kind: fc.constant(kind), value: kind.values as fc.Arbitrary<number | Uint8Array> })),
  { minLength: 1, maxLength: 12 },
)

it('buffer-layout reads what we write, and we read what it writes', () => {
  fc.assert(
    fc.property(fieldsWithValues, (drawn) => {
      const name = (index: number) => `field${index}`
      const own = new ConfigLayout(Object.fromEntries(drawn.map(({ kind }, i) => [name(i), kind.own(name(i))])))
      const oracle = struct(drawn.map(({ kind }, i) => kind.oracle(name(i))))
      const values = Object.fromEntries(drawn.map(({ value }, i) => [name(i), value]))
      expect(own.lengthBytes).toBe(oracle.span)

      const ours = new Uint8Array(own.lengthBytes)
      own.encode(values, ours)
      const plain = (record: Record<string, unknown>) =>
        Object.fromEntries(
          Object.entries(record).map(([key, value]) => [key, value instanceof Uint8Array ? [...value] : value]),
        )
      expect(plain(oracle.decode(Buffer.from(ours)))).toEqual(plain(values))

      const theirs = Buffer.alloc(oracle.span)
      oracle.encode(
        Object.fromEntries(
          Object.entries(values).map(([key, value]) => [key, value instanceof Uint8Array ? Buffer.from(value) : value]),
        ),
        theirs,
      )
      expect(plain(own.decode(new Uint8Array(theirs)))).toEqual(plain(values))
      expect([...ours]).toEqual([...theirs])
    }),
    { numRuns: 300 },
  )
})
