import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventKernel, PreemptiveCores, type TraceNames, TraceRecorder, writeChromeTrace } from '../../src/sim/index.ts'

interface TraceEvent {
  readonly ph: string
  readonly name: string
  readonly cat?: string
  readonly ts?: number
  readonly dur?: number
  readonly pid: number
  readonly tid?: number
  readonly id?: string
  readonly args?: Readonly<Record<string, unknown>>
}

interface TraceFile {
  readonly displayTimeUnit: string
  readonly otherData: Readonly<Record<string, unknown>>
  readonly traceEvents: readonly TraceEvent[]
}

const KINDS = ['trap', 'message', 'budget', 'wake']
const NAMES: TraceNames = {
  groups: [
    { group: 1, name: 'cores' },
    { group: 2, name: 'flows "quoted"' },
  ],
  tracks: [
    { track: 10, group: 2, name: 'flow 0' },
    { track: 0, group: 1, name: 'core 0' },
    { track: 1, name: 'core 1' },
  ],
  name: (kind) => KINDS[kind] ?? `kind ${kind}`,
  args: (kind, a, b): Record<string, number> => (kind === 1 ? { flow: a, sequence: b } : { cause: a }),
}

function written(recorder: TraceRecorder, names = NAMES): TraceFile {
  return JSON.parse([...writeChromeTrace(recorder, names)].join('')) as TraceFile
}

const rowsOf = (file: TraceFile) => file.traceEvents.filter(({ ph }) => ph !== 'M')
const ns = (microseconds = 0) => Math.round(microseconds * 1000)

/** What a viewer needs: order, spans that nest, and an end for every beginning. */
function expectWellFormed(file: TraceFile): void {
  const lastTs = new Map<string, number>()
  const open = new Map<string, number>()
  const spans = new Map<string, number[]>()
  for (const event of rowsOf(file)) {
    const track = `${event.pid}/${event.tid}`
    expect(event.ts).toBeGreaterThanOrEqual(lastTs.get(track) ?? 0)
    lastTs.set(track, event.ts!)
    if (event.ph === 'X') {
      const ends = spans.get(track) ?? []
      const [startNs, endNs] = [ns(event.ts), ns(event.ts) + ns(event.dur)]
      while (ends.length > 0 && ends.at(-1)! <= startNs) ends.pop()
      if (ends.length > 0) expect(endNs).toBeLessThanOrEqual(ends.at(-1)!)
      ends.push(endNs)
      spans.set(track, ends)
    } else if (event.ph === 'b' || event.ph === 'e') {
      const key = `${event.pid} ${event.cat} ${event.name} ${event.id}`
      const depth = (open.get(key) ?? 0) + (event.ph === 'b' ? 1 : -1)
      expect(depth === 0 || depth === 1).toBe(true)
      open.set(key, depth)
    }
  }
  expect([...open.values()].every((depth) => depth === 0)).toBe(true)
}

describe('writeChromeTrace', () => {
  it('writes each form as the format wants it', () => {
    const recorder = new TraceRecorder()
    recorder.span(0, 0, 1_234_567, 89, 4, 9)
    recorder.instant(3, 1, 2_000_000, 4, 9)
    recorder.begin(1, 10, 2_000_001, 5, 6)
    recorder.end(1, 10, 3_000_010, 5, 6)
    recorder.counter(2, 1, 4_000_000, -7)
    recorder.flowStart(3, 0, 5_000_000, 4, 2)
    recorder.flowEnd(3, 1, 5_000_100, 4, 2)
    recorder.instant(99, 77, 6_000_000, 0, 0)
    const file = written(recorder)
    expect(file.displayTimeUnit).toBe('ns')
    expect(file.otherData).toEqual({ traceHash: recorder.hash, rows: 8, droppedRows: 0 })
    const on = (tid: number) => ({ pid: tid === 10 ? 2 : 1, tid })
    const trap = { name: 'trap', cat: 'kind 0', args: { cause: 4 } }
    const wake = { name: 'wake', cat: 'kind 3', args: { cause: 4 } }
    const message = { name: 'message', cat: 'kind 1', args: { flow: 5, sequence: 6 }, id: '5.6' }
    expect(file.traceEvents).toEqual([
      { ph: 'M', name: 'process_name', pid: 1, args: { name: 'cores' } },
      { ph: 'M', name: 'process_sort_index', pid: 1, args: { sort_index: 0 } },
      { ph: 'M', name: 'process_name', pid: 2, args: { name: 'flows "quoted"' } },
      { ph: 'M', name: 'process_sort_index', pid: 2, args: { sort_index: 1 } },
      { ph: 'M', name: 'thread_name', ...on(10), args: { name: 'flow 0' } },
      { ph: 'M', name: 'thread_sort_index', ...on(10), args: { sort_index: 0 } },
      { ph: 'M', name: 'thread_name', ...on(0), args: { name: 'core 0' } },
      { ph: 'M', name: 'thread_sort_index', ...on(0), args: { sort_index: 1 } },
      { ph: 'M', name: 'thread_name', ...on(1), args: { name: 'core 1' } },
      { ph: 'M', name: 'thread_sort_index', ...on(1), args: { sort_index: 2 } },
      { ph: 'X', ts: 1234.567, dur: 0.089, ...on(0), ...trap },
      { ph: 'i', s: 't', ts: 2000, ...on(1), ...wake },
      { ph: 'b', ts: 2000.001, ...on(10), ...message },
      { ph: 'e', ts: 3000.01, ...on(10), ...message },
      { ph: 'C', ts: 4000, ...on(1), name: 'budget, core 1', args: { value: -7 } },
      { ph: 's', id: '4.2', ts: 5000, ...on(0), ...wake },
      { ph: 'f', bp: 'e', id: '4.2', ts: 5000.1, ...on(1), ...wake },
      { ph: 'i', s: 't', ts: 6000, ...on(77), name: 'kind 99', cat: 'kind 99', args: { cause: 0 } },
    ])
  })

  it('keeps nanoseconds exact up to 2^53', () => {
    const recorder = new TraceRecorder()
    recorder.instant(0, 0, Number.MAX_SAFE_INTEGER, 0, 0)
    recorder.instant(0, 0, 1, 0, 0)
    const text = [...writeChromeTrace(recorder, NAMES)].join('')
    expect(text).toContain('"ts":9007199254740.991,')
    expect(text).toContain('"ts":0.001,')
  })

  it('orders rows by time, and ends what was begun, whatever is recorded in whatever order and window', () => {
    const row = fc.record({
      form: fc.constantFrom('instant' as const, 'begin' as const, 'end' as const),
      track: fc.nat(2),
      timeNs: fc.nat(50),
      a: fc.nat(1),
      b: fc.nat(1),
    })
    fc.assert(
      fc.property(fc.array(row), fc.nat(50), fc.nat(50), (rows, fromNs, lengthNs) => {
        const recorder = new TraceRecorder({ window: { fromNs, toNs: fromNs + lengthNs }, limit: 50 })
        for (const { form, track, timeNs, a, b } of rows) recorder[form](1, track, timeNs, a, b)
        expectWellFormed(written(recorder))
      }),
    )
  })

  it('leaves out an end without a beginning, and marks a lifetime that has no end', () => {
    const recorder = new TraceRecorder()
    recorder.end(1, 10, 1000, 0, 0)
    recorder.begin(1, 10, 2000, 0, 1)
    recorder.instant(0, 0, 9000, 0, 0)
    const events = rowsOf(written(recorder)).filter(({ id }) => id !== undefined)
    expect(events.map(({ ph, id, ts, args }) => [ph, id, ts, args?.unfinished])).toEqual([
      ['b', '0.1', 2, undefined],
      ['e', '0.1', 9, 'yes'],
    ])
  })

  it('puts an end on the track of its beginning, where viewers look for it', () => {
    const recorder = new TraceRecorder()
    recorder.begin(1, 0, 1000, 0, 0)
    recorder.end(1, 10, 2000, 0, 0)
    expect(rowsOf(written(recorder)).map(({ pid, tid }) => [pid, tid])).toEqual([
      [1, 0],
      [1, 0],
    ])
  })

  it('draws the longer of two spans that begin together first', () => {
    const recorder = new TraceRecorder()
    recorder.span(3, 0, 1000, 10, 0, 0)
    recorder.span(0, 0, 1000, 500, 0, 0)
    const file = written(recorder)
    expect(rowsOf(file).map(({ name }) => name)).toEqual(['trap', 'wake'])
    expectWellFormed(file)
  })

  it('says how many rows the limit dropped', () => {
    const recorder = new TraceRecorder({ limit: 2 })
    for (let i = 0; i < 5; i++) recorder.instant(0, 0, i, 0, 0)
    const file = written(recorder)
    expect(file.otherData.droppedRows).toBe(3)
    expect(file.traceEvents.at(-1)!.name).toMatch(/^3 later rows were dropped/)
  })

  it('writes an empty trace', () => {
    expect(written(new TraceRecorder(), { ...NAMES, groups: [], tracks: [] }).traceEvents).toEqual([])
  })

  it('yields pieces of bounded length', () => {
    const recorder = new TraceRecorder()
    for (let i = 0; i < 5000; i++) recorder.span(0, i % 2, 10 * i, 5, i, 0)
    const pieces = [...writeChromeTrace(recorder, NAMES)]
    expect(pieces.length).toBeGreaterThan(5)
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(70_000)
    expect(JSON.parse(pieces.join('')).traceEvents).toHaveLength(5010)
  })

  it('shows cores whose spans nest: activities that hypervisor sections interrupt', () => {
    const kernel = new EventKernel()
    const cores = new PreemptiveCores(kernel, 2, 1, 0)
    const recorder = new TraceRecorder()
    const startedNs = new Map<number, number>()
    for (let i = 0; i < 200; i++) kernel.schedule(37 * i, 1, 2 + (i % 3), i % 2, i)
    while (kernel.next()) {
      const { kind, a: core, now } = kernel
      if (kind === 1) {
        cores.finish(core)
        const begun = startedNs.get(cores.finishedA)!
        recorder.begin(1, core, begun, 0, cores.finishedA)
        recorder.end(1, core, now, 0, cores.finishedA)
      } else if (kind === 2) {
        startedNs.set(kernel.b, now)
        cores.enqueue(core, 0, 60, 0, kernel.b)
      } else if (kind === 3 && cores.enter(core)) {
        recorder.span(0, core, now, 20, 0, 0)
        recorder.span(3, core, now + 5, 10, 0, 0)
        kernel.schedule(now + 20, 1, 5, core, 0)
      } else if (kind === 5) {
        cores.leave(core)
      }
    }
    const file = written(recorder)
    expect(rowsOf(file).length).toBeGreaterThan(200)
    expectWellFormed(file)
  })
})
