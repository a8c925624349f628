import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GuestMemory } from '../../../src/memory/index.ts'
import { ChainReader, ChainWriter, DescriptorChain } from '../../../src/virtqueue/index.ts'
import { BUFFERS, NEXT, RawRing, WRITE } from '../split/raw-ring.ts'

const SIZE = 1024
const READABLE = BUFFERS
const SPAN = 0x1000
const WRITABLE = READABLE + SPAN

function bytesOf(memory: GuestMemory, address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  memory.read(address, bytes)
  return bytes
}

/**
 * A chain over `bytes` and then `room` writable bytes, both cut into descriptors of the given lengths, cyclically. No two of
 * them touch. `written` gathers the bytes of the writable ones; `spilled` says whether a byte changed that is in none.
 */
function chainOf(bytes: Uint8Array, room: number, lengths: readonly number[]) {
  const ring = new RawRing(SIZE)
  const { memory } = ring
  memory.fill(READABLE, 2 * SPAN, 0xee)
  const parts: { address: number; length: number; flags: number }[] = []
  for (const [start, total, flags] of [
    [READABLE, bytes.length, 0],
    [WRITABLE, room, WRITE],
  ] as const) {
    let address = start
    for (let at = 0; at < total; at += parts.at(-1)!.length) {
      const length = Math.min(lengths[parts.length % lengths.length]!, total - at)
      parts.push({ address, length, flags })
      if (flags === 0) memory.write(address, bytes.subarray(at, at + length))
      address += length + 1
    }
  }
  const before = bytesOf(memory, READABLE, 2 * SPAN)
  if (parts.length === 0) parts.push({ address: READABLE, length: 0, flags: 0 })
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1
    ring.descriptor(i, { ...part, flags: part.flags | (last ? 0 : NEXT), next: last ? 0 : i + 1 })
  }
  const chain = new DescriptorChain()
  const queue = ring.offer(0).device()
  if (!queue.popAvailable(chain)) throw new Error(queue.violation?.message)
  const writable = parts.filter(({ flags }) => flags === WRITE)
  const written = () => writable.flatMap(({ address, length }) => [...bytesOf(memory, address, length)])
  const spilled = () => {
    for (const { address, length } of writable) before.set(bytesOf(memory, address, length), address - READABLE)
    return Buffer.compare(before, bytesOf(memory, READABLE, 2 * SPAN)) !== 0
  }
  return { chain, written, spilled }
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
            const { chain, written, spilled } = chainOf(bytes, room, cuts)
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
            expect(spilled()).toBe(false)
            return { log, reply: written() }
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
    const { chain, written, spilled } = chainOf(new Uint8Array(40).fill(0x11), 24, [7, 3])
    const { reader, writer } = open(chain)
    expect(reader.bytes(100)).toEqual(new Uint8Array(40).fill(0x11))
    writer.fill(0x33, 100)
    expect([writer.written, written(), spilled()]).toEqual([24, new Array(24).fill(0x33), false])
  })

  it('museum 14: reading past the end gives zeros and says so', () => {
    const { reader } = open(chainOf(Uint8Array.of(1, 2, 3), 0, [2]).chain)
    expect(reader.u32()).toBe(0x03_0201)
    expect([reader.overrun, reader.remaining, reader.u8(), reader.u64()]).toEqual([true, 0, 0, 0n])
    expect([reader.bytes(4).length, reader.into(new Uint8Array(3))]).toEqual([0, 0])
  })

  it('writing past the end is dropped, counted to the capacity only, and touches nothing behind', () => {
    const { chain, written, spilled } = chainOf(new Uint8Array(0), 6, [4, 2])
    const { writer } = open(chain)
    writer.u32(0x0403_0201)
    writer.u32(0x0807_0605)
    expect([writer.written, writer.remaining, writer.overrun]).toEqual([6, 0, true])
    writer.bytes(new Uint8Array(5))
    writer.fill(1, 3)
    expect([written(), spilled()]).toEqual([[1, 2, 3, 4, 5, 6], false])
  })

  it('VQS-USED-DEV-02: skipping writes zeros, so that the counted bytes have no gap', () => {
    const { chain, written } = chainOf(new Uint8Array(0), 8, [3])
    const { writer } = open(chain)
    writer.skip(5)
    writer.u8(7)
    expect([written(), writer.written]).toEqual([[0, 0, 0, 0, 0, 7, 0xee, 0xee], 6])
  })

  it('an overrun is one byte too many, whichever call asks for it', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4)
    const reads: ((reader: ChainReader, n: number) => unknown)[] = [
      (reader, n) => reader.bytes(n),
      (reader, n) => reader.into(new Uint8Array(n)),
      (reader, n) => reader.skip(n),
    ]
    const writes: ((writer: ChainWriter, n: number) => unknown)[] = [
      (writer, n) => writer.bytes(new Uint8Array(n)),
      (writer, n) => writer.fill(1, n),
      (writer, n) => writer.skip(n),
    ]
    for (const extra of [0, 1]) {
      for (const read of reads) {
        const { reader } = open(chainOf(bytes, 0, [3]).chain)
        read(reader, 4 + extra)
        expect([reader.overrun, reader.remaining], `${read}`).toEqual([extra === 1, 0])
      }
      for (const write of writes) {
        const { writer } = open(chainOf(bytes, 5, [2]).chain)
        write(writer, 5 + extra)
        expect([writer.overrun, writer.remaining], `${write}`).toEqual([extra === 1, 0])
      }
      const { reader, writer } = open(chainOf(bytes, 4, [3]).chain)
      expect(writer.copyFrom(reader, 4 + extra)).toBe(4)
      expect([reader.overrun, writer.overrun]).toEqual([extra === 1, false])
    }
    expect([new ChainReader().overrun, new ChainWriter().overrun]).toEqual([false, false])
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
