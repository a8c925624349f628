import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TraceForm, type TraceOptions, TraceRecorder } from '../../src/sim/index.ts'

const int32 = fc.integer()
const integer = fc.maxSafeInteger()
const timeNs = fc.maxSafeNat()
const span = fc.tuple(int32, int32, timeNs, fc.nat(1e9), integer, integer)

function recorded(
  spans: readonly (readonly [number, number, number, number, number, number])[],
  options?: TraceOptions,
) {
  const recorder = new TraceRecorder(options)
  for (const row of spans) recorder.span(...row)
  return recorder
}

describe('TraceRecorder', () => {
  it('keeps rows of every form as they were given', () => {
    const recorder = new TraceRecorder()
    recorder.span(1, 2, 2 ** 52, 4, -5, 2 ** 40)
    recorder.instant(1, 2, 3, 4, 5)
    recorder.begin(1, 2, 3, 4, 5)
    recorder.end(1, 2, 3, 4, 5)
    recorder.counter(1, 2, 3, -4)
    recorder.flowStart(1, 2, 3, 4, 5)
    recorder.flowEnd(1, 2, 3, 4, 5)
    const { form, kind, track, startNs, durationNs, a, b } = recorder.columns
    const rows = Array.from({ length: recorder.count }, (_, row) =>
      [form, kind, track, startNs, durationNs, a, b].map((column) => column[row]),
    )
    expect(rows).toEqual([
      [TraceForm.span, 1, 2, 2 ** 52, 4, -5, 2 ** 40],
      [TraceForm.instant, 1, 2, 3, 0, 4, 5],
      [TraceForm.begin, 1, 2, 3, 0, 4, 5],
      [TraceForm.end, 1, 2, 3, 0, 4, 5],
      [TraceForm.counter, 1, 2, 3, 0, -4, 0],
      [TraceForm.flowStart, 1, 2, 3, 0, 4, 5],
      [TraceForm.flowEnd, 1, 2, 3, 0, 4, 5],
    ])
  })

  it('grows, and keeps what it had', () => {
    const recorder = new TraceRecorder()
    for (let i = 0; i < 10_000; i++) recorder.instant(i, -i, 3 * i, i, ~i)
    const { kind, track, startNs, b } = recorder.columns
    for (let i = 0; i < 10_000; i++) {
      if (kind[i] !== i || track[i] !== -i || startNs[i] !== 3 * i || b[i] !== ~i) throw new Error(`row ${i}`)
    }
    expect([recorder.count, recorder.recorded, recorder.dropped]).toEqual([10_000, 10_000, 0])
  })

  it('hashes the same rows to the same 16 digits, whatever is kept', () => {
    fc.assert(
      fc.property(fc.array(span), (spans) => {
        const { hash } = recorded(spans)
        expect(hash).toMatch(/^[0-9a-f]{16}$/)
        expect(recorded(spans, { keep: false }).hash).toBe(hash)
        expect(recorded(spans, { limit: 1 }).hash).toBe(hash)
        expect(recorded(spans, { window: { fromNs: 10, toNs: 20 } }).hash).toBe(hash)
      }),
    )
  })

  it('hashes rows that differ in one number, in order, or in count to different digits', () => {
    fc.assert(
      fc.property(fc.array(span, { minLength: 2 }), fc.nat(), fc.nat(5), fc.nat(52), (spans, row, field, bit) => {
        const changed = spans.map((values) => [...values] as typeof values)
        const target = changed[row % spans.length]!
        const value = target[field]!
        // One bit of the number, within what the field may hold.
        const mask = 2 ** (field < 2 ? bit % 31 : field === 3 ? bit % 29 : bit)
        target[field] = Math.floor(value / mask) % 2 === 0 ? value + mask : value - mask
        fc.pre(Number.isSafeInteger(target[field]) && (field > 1 || (target[field]! | 0) === target[field]))
        fc.pre(field !== 3 || target[field]! >= 0)
        const { hash } = recorded(spans)
        expect(recorded(changed).hash).not.toBe(hash)
        expect(recorded(spans.slice(1)).hash).not.toBe(hash)
        const swapped = [spans[1]!, spans[0]!, ...spans.slice(2)]
        if (String(spans[0]) !== String(spans[1])) expect(recorded(swapped).hash).not.toBe(hash)
      }),
    )
  })

  it('tells the forms apart, and zeros from nothing', () => {
    const hashes = [
      (recorder: TraceRecorder) => recorder.instant(0, 0, 0, 0, 0),
      (recorder: TraceRecorder) => recorder.begin(0, 0, 0, 0, 0),
      (recorder: TraceRecorder) => recorder.end(0, 0, 0, 0, 0),
      (recorder: TraceRecorder) => recorder.span(0, 0, 0, 0, 0, 0),
      () => {},
    ].map((record) => {
      const recorder = new TraceRecorder()
      record(recorder)
      return recorder.hash
    })
    expect(new Set(hashes).size).toBe(hashes.length)
  })

  it('does not hash alike what 300 000 small rows can bring', () => {
    const hashes = new Set<string>()
    for (let kind = 0; kind < 30; kind++) {
      for (let time = 0; time < 100; time++) {
        for (let a = 0; a < 100; a++) {
          const recorder = new TraceRecorder({ keep: false })
          recorder.instant(kind, 0, time, a, 0)
          hashes.add(recorder.hash)
        }
      }
    }
    expect(hashes.size).toBe(300_000)
  })

  it('keeps rows without a hash where none is wanted', () => {
    const recorder = new TraceRecorder({ hash: false })
    recorder.span(1, 2, 3, 4, 5, 6)
    expect([recorder.hash, recorder.count, recorder.recorded]).toEqual(['', 1, 1])
  })

  it('is known: a change of the hash function would make all published hashes stale', () => {
    const recorder = new TraceRecorder()
    recorder.span(1, 2, 3, 4, 5, 6)
    recorder.counter(7, 8, 2 ** 40, -9)
    expect(recorder.hash).toMatchInlineSnapshot(`"63a9cb6cdc658a97"`)
  })

  it('counts what the limit keeps out', () => {
    const recorder = new TraceRecorder({ limit: 3 })
    for (let i = 0; i < 10; i++) recorder.instant(i, 0, i, 0, 0)
    expect([recorder.count, recorder.recorded, recorder.dropped]).toEqual([3, 10, 7])
    expect([...recorder.columns.kind.subarray(0, 3)]).toEqual([0, 1, 2])
  })

  it('keeps what touches the window, and drops nothing that lies outside', () => {
    const recorder = new TraceRecorder({ window: { fromNs: 100, toNs: 200 }, limit: 3 })
    recorder.span(1, 0, 50, 49, 0, 0)
    recorder.span(2, 0, 50, 50, 0, 0)
    recorder.span(3, 0, 0, 1000, 0, 0)
    recorder.instant(4, 0, 200, 0, 0)
    recorder.instant(5, 0, 201, 0, 0)
    expect([...recorder.columns.kind.subarray(0, recorder.count)]).toEqual([2, 3, 4])
    expect([recorder.recorded, recorder.dropped]).toEqual([5, 0])
  })

  it('keeps nothing, and drops nothing, when told to keep nothing', () => {
    const recorder = recorded([[1, 2, 3, 4, 5, 6]], { keep: false })
    expect([recorder.count, recorder.recorded, recorder.dropped]).toEqual([0, 1, 0])
  })

  it('stops misuse', () => {
    expect(() => new TraceRecorder({ limit: -1 })).toThrow('limit must be an integer from 0 to 2^53 - 1 (rows), not -1')
    expect(() => new TraceRecorder().span(0, 0, 10, -1, 0, 0)).toThrow(/duration/)
  })
})
