import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChainReader, ChainWriter, DescriptorChain } from '../../src/virtqueue/index.ts'
import { BUFFERS, NEXT, RawRing, WRITE } from './raw-ring.ts'

const SIZE = 1024
const READABLE = BUFFERS
const WRITABLE = BUFFERS + 0x1000

/** A chain over `bytes` and then `room` writable bytes, both cut into descriptors of the given lengths, cyclically. */
function chainOf(
  bytes: Uint8Array,
  room: number,
  lengths: readonly number[],
): { ring: RawRing; chain: DescriptorChain } {
  const ring = new RawRing(SIZE)
  ring.memory.write(READABLE, bytes)
  const parts: { address: number; length: number; flags: number }[] = []
  for (const [start, total, flags] of [
    [READABLE, bytes.length, 0],
    [WRITABLE, room, WRITE],
  ] as const) {
    for (let at = 0; at < total; at += parts.at(-1)!.length) {
      const length = Math.min(lengths[parts.length % lengths.length]!, total - at)
      parts.push({ address: start + at, length, flags })
    }
  }
  if (parts.length === 0) parts.push({ address: READABLE, length: 0, flags: 0 })
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1
    ring.descriptor(i, { ...part, flags: part.flags | (last ? 0 : NEXT), next: last ? 0 : i + 1 })
  }
  const chain = new DescriptorChain()
  const queue = ring.offer(0).device()
  if (!queue.popAvailable(chain)) throw new Error(queue.violation?.message)
  return { ring, chain }
}

function open(chain: DescriptorChain): { reader: ChainReader; writer: ChainWriter } {
  const reader = new ChainReader()
  const writer = new ChainWriter()
  reader.attach(chain)
  writer.attach(chain)
  return { reader, writer }
}

const LENGTHS = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 })

describe('framing', () => {
  it('VQS-FRM-DEV-01, museum 15: a header cut at every byte reads the same', () => {
    const bytes = Uint8Array.from({ length: 17 }, (_, i) => 0xf0 + i)
    for (let first = 0; first <= 17; first++) {
      for (let second = 1; second <= 17; second++) {
        const { reader } = open(chainOf(bytes, 0, [first === 0 ? 17 : first, second]).chain)
        expect([reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.u16(), reader.remaining]).toEqual([
          0xf0,
          0xf2f1,
          0xf6f5_f4f3,
          0xfefd_fcfb_faf9_f8f7n,
          0x00ff,
          0,
        ])
        expect(reader.overrun).toBe(false)
      }
    }
  })

  it('VQS-FRM-DEV-01: any reads and writes give what they give on one contiguous buffer', () => {
    const step = fc.tuple(fc.constantFrom('u8', 'u16', 'u32', 'u64', 'bytes', 'skip', 'copy'), fc.nat(60))
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(300),
        LENGTHS,
        fc.array(step, { maxLength: 30 }),
        (bytes, room, lengths, steps) => {
          const outcomes = [[1000], lengths].map((cuts) => {
            const { ring, chain } = chainOf(bytes, room, cuts)
            const { reader, writer } = open(chain)
            const log: unknown[] = []
            for (const [kind, n] of steps) {
              if (kind === 'u8') writer.u8(reader.u8())
              else if (kind === 'u16') writer.u16(reader.u16() + 1)
              else if (kind === 'u32') writer.u32(reader.u32() - 1)
              else if (kind === 'u64') writer.u64(reader.u64())
              else if (kind === 'bytes') writer.bytes(reader.bytes(n))
              else if (kind === 'copy') log.push(writer.copyFrom(reader, n))
              else {
                reader.skip(n)
                writer.skip(n)
              }
              log.push(reader.remaining, writer.remaining, writer.written, reader.overrun, writer.overrun)
            }
            const reply = new Uint8Array(room + 8)
            ring.memory.read(WRITABLE, reply)
            return { log, reply: Buffer.from(reply).toString('hex') }
          })
          expect(outcomes[1]).toEqual(outcomes[0])
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('the ends', () => {
  it('VQS-DESC-DEV-01, VQS-DESC-DEV-02: the writer never reaches the readable part, nor the reader the writable one', () => {
    const { ring, chain } = chainOf(new Uint8Array(40).fill(0x11), 24, [7, 3])
    ring.memory.fill(WRITABLE, 24, 0x22)
    const { reader, writer } = open(chain)
    expect(reader.bytes(100)).toEqual(new Uint8Array(40).fill(0x11))
    writer.fill(0x33, 100)
    const bytes = new Uint8Array(41)
    ring.memory.read(READABLE, bytes)
    expect([...bytes]).toEqual([...new Uint8Array(40).fill(0x11), 0])
    expect([writer.written, ring.memory.readU8(WRITABLE + 23), ring.memory.readU8(WRITABLE + 24)]).toEqual([
      24, 0x33, 0,
    ])
  })

  it('museum 14: reading past the end gives zeros and says so', () => {
    const { reader } = open(chainOf(Uint8Array.of(1, 2, 3), 0, [2]).chain)
    expect(reader.u32()).toBe(0x03_0201)
    expect([reader.overrun, reader.remaining, reader.u8(), reader.u64()]).toEqual([true, 0, 0, 0n])
    expect([reader.bytes(4).length, reader.into(new Uint8Array(3))]).toEqual([0, 0])
  })

  it('writing past the end is dropped, counted to the capacity only, and touches nothing behind', () => {
    const { ring, chain } = chainOf(new Uint8Array(0), 6, [4, 2])
    const { writer } = open(chain)
    ring.memory.fill(WRITABLE, 16, 0xee)
    writer.u32(0x0403_0201)
    writer.u32(0x0807_0605)
    expect([writer.written, writer.remaining, writer.overrun]).toEqual([6, 0, true])
    writer.bytes(new Uint8Array(5))
    writer.fill(1, 3)
    const bytes = new Uint8Array(8)
    ring.memory.read(WRITABLE, bytes)
    expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6, 0xee, 0xee])
  })

  it('VQS-USED-DEV-02: skipping writes zeros, so that the counted bytes have no gap', () => {
    const { ring, chain } = chainOf(new Uint8Array(0), 8, [3])
    ring.memory.fill(WRITABLE, 8, 0xee)
    const { writer } = open(chain)
    writer.skip(5)
    writer.u8(7)
    const bytes = new Uint8Array(8)
    ring.memory.read(WRITABLE, bytes)
    expect([[...bytes], writer.written]).toEqual([[0, 0, 0, 0, 0, 7, 0xee, 0xee], 6])
  })

  it('copies say which side ended', () => {
    const short = open(chainOf(Uint8Array.of(1, 2), 8, [1]).chain)
    expect([short.writer.copyFrom(short.reader, 4), short.reader.overrun, short.writer.overrun]).toEqual([
      2,
      true,
      false,
    ])
    const narrow = open(chainOf(Uint8Array.of(1, 2, 3, 4), 2, [3]).chain)
    expect([narrow.writer.copyFrom(narrow.reader), narrow.reader.overrun, narrow.writer.overrun]).toEqual([
      2,
      false,
      true,
    ])
  })

  it('starts over with each chain', () => {
    const { reader, writer } = open(chainOf(Uint8Array.of(1), 1, [1]).chain)
    reader.u32()
    writer.u32(0)
    const { chain } = chainOf(Uint8Array.of(5, 6, 7), 4, [2])
    reader.attach(chain)
    writer.attach(chain)
    expect([reader.overrun, writer.overrun, reader.bytes(), writer.written]).toEqual([
      false,
      false,
      Uint8Array.of(5, 6, 7),
      0,
    ])
    expect(reader.remaining).toBe(0)
    const target = new Uint8Array(2)
    reader.attach(chain)
    expect([reader.into(target), [...target]]).toEqual([2, [5, 6]])
  })
})
