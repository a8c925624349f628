/**
 * A recorder's rows as Chrome trace-event JSON, which Perfetto (ui.perfetto.dev) and chrome://tracing open. Format: "Trace
 * Event Format", JSON object form: 'X' spans, 'i' instants, 'b' and 'e' what may overlap, 's' and 'f' arrows, 'C' counters, 'M'
 * names. Times there are microseconds; ours keep their nanoseconds as three decimals. In pieces, since a long trace is longer
 * than a string can be.
 */
import { type TraceColumns, TraceForm, type TraceRecorder } from './trace-recorder.ts'

/** What the numbers mean. */
export interface TraceNames {
  /** Groups of tracks (processes, in the format's words) in the order in which they are shown; may be left out. */
  readonly groups?: readonly { readonly group: number; readonly name: string }[]
  /** Tracks in the order in which they are shown. One that is not listed is shown by its number. Default group: 1. */
  readonly tracks: readonly { readonly track: number; readonly name: string; readonly group?: number }[]
  /** What a row is called. The beginning and the end of something must be called alike. A counter is asked for with (kind, 0, 0). */
  name(kind: number, a: number, b: number): string
  /** What a row's two numbers mean. */
  args(kind: number, a: number, b: number): Readonly<Record<string, number | string>>
}

const DEFAULT_GROUP = 1
/** How much text to collect before it is yielded; characters. */
const PIECE_LENGTH = 1 << 16

/**
 * Rows come in order of time; of spans that begin together the longer comes first, so that they nest. An end without its
 * beginning (outside the window, say) is left out. A beginning without its end is ended with the trace and marked unfinished.
 * What the limit kept out is told as an instant at the end and under `otherData`.
 */
export function* writeChromeTrace(recorder: TraceRecorder, names: TraceNames): Generator<string, void, undefined> {
  const { columns, count, dropped, hash } = recorder
  const other = { traceHash: hash, rows: count, droppedRows: dropped }
  let piece = `{"displayTimeUnit":"ns","otherData":${JSON.stringify(other)},"traceEvents":[\n`
  let separator = ''
  for (const event of events(columns, count, dropped, names)) {
    piece += separator + event
    separator = ',\n'
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  yield `${piece}\n]}\n`
}

function* events(columns: TraceColumns, count: number, dropped: number, names: TraceNames): Generator<string> {
  yield* nameEvents(names)
  const writer = new RowWriter(columns, names)
  /** Row of the beginning of what has no end yet. */
  const open = new Map<string, number>()
  let lastNs = 0
  for (const row of inOrder(columns, count)) {
    const form = columns.form[row]
    lastNs = Math.max(lastNs, columns.startNs[row] + columns.durationNs[row])
    if (form !== TraceForm.begin && form !== TraceForm.end) {
      yield writer.row(row)
      continue
    }
    const key = `${columns.kind[row]} ${columns.a[row]} ${columns.b[row]}`
    const begun = open.get(key)
    if (form === TraceForm.begin) {
      if (begun !== undefined) yield writer.unfinished(begun, columns.startNs[row])
      open.set(key, row)
      yield writer.row(row)
    } else if (begun !== undefined) {
      open.delete(key)
      yield writer.row(row, columns.track[begun])
    }
  }
  for (const row of open.values()) yield writer.unfinished(row, lastNs)
  if (dropped > 0) {
    const name = JSON.stringify(`${dropped} later rows were dropped: the recorder's limit was reached`)
    yield `{"ph":"i","s":"g","name":${name},"cat":"trace","ts":${microseconds(lastNs)},"pid":${DEFAULT_GROUP},"tid":0}`
  }
}

function* nameEvents({ groups = [], tracks }: TraceNames): Generator<string> {
  for (const [order, { group: pid, name }] of groups.entries()) {
    yield JSON.stringify({ ph: 'M', name: 'process_name', pid, args: { name } })
    yield JSON.stringify({ ph: 'M', name: 'process_sort_index', pid, args: { sort_index: order } })
  }
  for (const [order, { group: pid = DEFAULT_GROUP, track: tid, name }] of tracks.entries()) {
    yield JSON.stringify({ ph: 'M', name: 'thread_name', pid, tid, args: { name } })
    yield JSON.stringify({ ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: order } })
  }
}

/** Rows by start, longer first, then as recorded. */
function inOrder({ startNs, durationNs }: TraceColumns, count: number): Uint32Array {
  const rows = new Uint32Array(count)
  for (let row = 0; row < count; row++) rows[row] = row
  return rows.sort((x, y) => startNs[x] - startNs[y] || durationNs[y] - durationNs[x] || x - y)
}

/** Exact: a division by 1000 would round times from 2^53 / 1000 on. */
function microseconds(ns: number): string {
  const whole = Math.floor(ns / 1000)
  const rest = ns - whole * 1000
  return rest === 0 ? `${whole}` : `${whole}.${String(rest).padStart(3, '0')}`
}

class RowWriter {
  readonly #columns: TraceColumns
  readonly #names: TraceNames
  readonly #tracks: ReadonlyMap<number, TraceNames['tracks'][number]>

  constructor(columns: TraceColumns, names: TraceNames) {
    this.#columns = columns
    this.#names = names
    this.#tracks = new Map(names.tracks.map((track) => [track.track, track]))
  }

  /** `track`: an end is shown where its beginning is, because viewers look for it there. */
  row(row: number, track = this.#columns.track[row]): string {
    const { form, startNs, durationNs, kind, a } = this.#columns
    switch (form[row]) {
      case TraceForm.span:
        return this.#event('"ph":"X"', row, track, startNs[row], `"dur":${microseconds(durationNs[row])},`)
      case TraceForm.instant:
        return this.#event('"ph":"i","s":"t"', row, track, startNs[row])
      case TraceForm.begin:
        return this.#event(`"ph":"b",${this.#id(row)}`, row, track, startNs[row])
      case TraceForm.end:
        return this.#event(`"ph":"e",${this.#id(row)}`, row, track, startNs[row])
      case TraceForm.flowStart:
        return this.#event(`"ph":"s",${this.#id(row)}`, row, track, startNs[row])
      case TraceForm.flowEnd:
        // Binds to the span around it, not to the next one.
        return this.#event(`"ph":"f","bp":"e",${this.#id(row)}`, row, track, startNs[row])
      default: {
        // The format knows counters by process and name only, so the name carries the track.
        const where = this.#tracks.get(track)?.name ?? `track ${track}`
        const name = JSON.stringify(`${this.#names.name(kind[row], 0, 0)}, ${where}`)
        return `{"ph":"C","name":${name},${this.#where(track)},"ts":${microseconds(startNs[row])},"args":{"value":${a[row]}}}`
      }
    }
  }

  unfinished(row: number, atNs: number): string {
    return this.#event(`"ph":"e",${this.#id(row)}`, row, this.#columns.track[row], atNs, '', { unfinished: 'yes' })
  }

  #event(
    head: string,
    row: number,
    track: number,
    timeNs: number,
    duration = '',
    more?: Record<string, string>,
  ): string {
    const [kind, a, b] = [this.#columns.kind[row], this.#columns.a[row], this.#columns.b[row]]
    const name = JSON.stringify(this.#names.name(kind, a, b))
    const args = JSON.stringify({ ...this.#names.args(kind, a, b), ...more })
    const ts = microseconds(timeNs)
    return `{${head},"name":${name},"cat":"kind ${kind}",${this.#where(track)},"ts":${ts},${duration}"args":${args}}`
  }

  #id(row: number): string {
    return `"id":"${this.#columns.a[row]}.${this.#columns.b[row]}"`
  }

  #where(track: number): string {
    return `"pid":${this.#tracks.get(track)?.group ?? DEFAULT_GROUP},"tid":${track}`
  }
}
