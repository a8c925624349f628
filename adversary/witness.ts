/** What a run did, seen from outside: when messages were released and read, and when EL2 had the cores. */
import { TraceKind, Track } from '../src/platform-zcu102/trace-names.ts'
import { TraceRecorder } from '../src/sim/index.ts'

const CORES = 64
const FIRST_FLOW = Track.flow(0)

/** Spans of time in their order, none of which touches the next. */
export class Intervals {
  readonly startNs: number[] = []
  readonly endNs: number[] = []
  /** Of the first ones together. */
  readonly sumNs: number[] = [0]

  add(fromNs: number, toNs: number): void {
    if (toNs <= fromNs) return
    if (this.endNs.at(-1) === fromNs) {
      this.endNs[this.endNs.length - 1] = toNs
      this.sumNs[this.sumNs.length - 1]! += toNs - fromNs
      return
    }
    this.startNs.push(fromNs)
    this.endNs.push(toNs)
    this.sumNs.push(this.sumNs.at(-1)! + toNs - fromNs)
  }

  clear(): void {
    this.startNs.length = 0
    this.endNs.length = 0
    this.sumNs.length = 1
  }
}

/** Time that EL2 took from a core; what MemGuard throttled it for in between is left out. */
class Stolen {
  readonly intervals = new Intervals()
  /** Throttled spans of the section that is under way. */
  readonly #throttled: [fromNs: number, toNs: number][] = []

  throttled(fromNs: number, toNs: number): void {
    this.#throttled.push([fromNs, toNs])
  }

  section(fromNs: number, toNs: number): void {
    let atNs = fromNs
    for (const [from, to] of this.#throttled) {
      if (to <= atNs || from >= toNs) continue
      this.intervals.add(atNs, from)
      atNs = Math.max(atNs, to)
    }
    this.#throttled.length = 0
    this.intervals.add(atNs, toNs)
  }

  clear(): void {
    this.intervals.clear()
    this.#throttled.length = 0
  }
}

export class Witness extends TraceRecorder {
  /** By flow, then by message: from the start of the simulation, ns. */
  readonly releasedNs: number[][]
  readonly readNs: number[][]
  readonly #stolen: readonly Stolen[] = Array.from({ length: CORES }, () => new Stolen())

  constructor(flows: number) {
    super({ keep: false, hash: false })
    this.releasedNs = Array.from({ length: flows }, () => [])
    this.readNs = Array.from({ length: flows }, () => [])
  }

  /** What EL2 took from a core. */
  stolen(core: number): Intervals {
    return this.#stolen[core]!.intervals
  }

  /** Forgets what EL2 did while connections were set up. */
  start(): void {
    for (const stolen of this.#stolen) stolen.clear()
  }

  override span(kind: number, track: number, startNs: number, durationNs: number): void {
    if (track >= CORES) return
    if (kind === TraceKind.throttled) this.#stolen[track]!.throttled(startNs, startNs + durationNs)
    else this.#stolen[track]!.section(startNs, startNs + durationNs)
  }

  override instant(): void {}

  override counter(): void {}

  override begin(kind: number, track: number, timeNs: number, flow: number, sequence: number): void {
    if (kind === TraceKind.message && track >= FIRST_FLOW) this.releasedNs[flow]![sequence] = timeNs
  }

  override end(kind: number, track: number, timeNs: number, flow: number, sequence: number): void {
    if (kind === TraceKind.message && track >= FIRST_FLOW) this.readNs[flow]![sequence] = timeNs
  }
}
