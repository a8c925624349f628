/** A recorder that also knows when each message of each flow was released, and when it had been read. */
import { type TraceOptions, TraceRecorder } from '../sim/index.ts'
import { TraceKind, Track } from './trace-names.ts'

/** Hand it to `simulate` as `trace`. */
export class MessageTimes extends TraceRecorder {
  /** By flow, then by message, ns. A message that has not been read has no entry in `readNs`. Epoch: that of the trace. */
  readonly releasedNs: readonly number[][]
  readonly readNs: readonly number[][]

  constructor(flows: number, options: TraceOptions = {}) {
    super(options)
    this.releasedNs = Array.from({ length: flows }, () => [])
    this.readNs = Array.from({ length: flows }, () => [])
  }

  override begin(kind: number, track: number, timeNs: number, flow: number, sequence: number): void {
    super.begin(kind, track, timeNs, flow, sequence)
    if (kind === TraceKind.message && track >= Track.flow(0)) this.releasedNs[flow]![sequence] = timeNs
  }

  override end(kind: number, track: number, timeNs: number, flow: number, sequence: number): void {
    super.end(kind, track, timeNs, flow, sequence)
    if (kind === TraceKind.message && track >= Track.flow(0)) this.readNs[flow]![sequence] = timeNs
  }
}
