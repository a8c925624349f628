/**
 * A trace as Chrome trace-event JSON, which Perfetto and chrome://tracing open: spans as complete events, instants, and
 * lifetimes as async begin/end pairs. In pieces, so that a long trace needs no giant string.
 */
import { TraceForm, type TraceRecorder } from './trace-recorder.ts'

export interface TraceNames {
  /** Tracks in the order in which they are shown. */
  readonly tracks: readonly { readonly track: number; readonly name: string }[]
  /** What a record is called, and what its two numbers mean. */
  name(kind: number, a: number, b: number): string
  args(kind: number, a: number, b: number): Readonly<Record<string, number | string>>
}

const EVENTS_A_PIECE = 1000

/** Times in the file are microseconds with the nanoseconds as a fraction. What the limit kept out is told under `otherData`. */
export function* writeChromeTrace(recorder: TraceRecorder, names: TraceNames): Generator<string, void, undefined> {
  const events: string[] = []
  names.tracks.forEach(({ track, name }, index) => {
    events.push(JSON.stringify({ ph: 'M', name: 'thread_name', pid: 1, tid: track, args: { name } }))
    events.push(JSON.stringify({ ph: 'M', name: 'thread_sort_index', pid: 1, tid: track, args: { sort_index: index } }))
  })
  recorder.forEach((form, kind, track, startNs, durationNs, a, b) => {
    const event = { name: names.name(kind, a, b), pid: 1, tid: track, ts: startNs / 1000, args: names.args(kind, a, b) }
    if (form === TraceForm.span) events.push(JSON.stringify({ ph: 'X', ...event, dur: durationNs / 1000 }))
    else if (form === TraceForm.instant) events.push(JSON.stringify({ ph: 'i', s: 't', ...event }))
    else {
      const ph = form === TraceForm.begin ? 'b' : 'e'
      events.push(JSON.stringify({ ph, cat: 'message', id: `${a}.${b}`, ...event }))
    }
  })
  const other = { traceHash: recorder.hash, droppedRecords: recorder.dropped }
  yield `{"displayTimeUnit":"ns","otherData":${JSON.stringify(other)},"traceEvents":[`
  for (let i = 0; i < events.length; i += EVENTS_A_PIECE) {
    yield `${i === 0 ? '' : ','}\n${events.slice(i, i + EVENTS_A_PIECE).join(',\n')}`
  }
  yield '\n]}\n'
}
