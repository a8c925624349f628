/**
 * A fault that a real virtqueue once had, and what a correct one does in its place. Each exhibit is a small play for one side
 * of the ring; what it comes to is a verdict.
 */
import type { PackedFeature, TargetLack } from '../queue-targets.ts'

/**
 * PASS: handled as required. REJECT: refused, and a reset brings the queue back. WEDGED: refused, and only a new queue works.
 * FAIL: crash, endless loop, access out of bounds, a completion lost or forged. SKIP: the target lacks what is shown.
 */
export const VERDICTS = ['PASS', 'REJECT', 'WEDGED', 'FAIL', 'SKIP'] as const
/** One of `VERDICTS`. */
export type Verdict = (typeof VERDICTS)[number]

export interface Exhibit<Stage> {
  /** Of the museum; several plays may show the same fault. */
  readonly number: number
  readonly side: 'device' | 'driver'
  readonly title: string
  /** Clauses that the fault breaks. */
  readonly clauses: readonly string[]
  /** Public reports of it. */
  readonly seenIn: readonly string[]
  readonly needs?: readonly Need[]
  /** Makes so many calls that they are bounded all together, not one by one. */
  readonly long?: boolean
  /** Runs in memories of the explorer's own: there are no reads to count. */
  readonly explored?: boolean
  /** Returns a verdict, with what else there is to say; nothing for PASS; or throws `ExhibitFailure`. */
  play(stage: Stage): Verdict | { readonly verdict: Verdict; readonly detail: string } | undefined
}

/** What an exhibit cannot be shown without. `watched`: the target's accesses can be seen one by one. `caches`: `createCached`. */
export type Need = TargetLack | PackedFeature | 'watched' | 'caches'

/** The target did what it must not; `cause` is what it threw, or how it was found out that it does not end. */
export class ExhibitFailure extends Error {
  override readonly name = 'ExhibitFailure'
  /** What shows the one schedule again. Empty: the exhibit itself does. */
  readonly replay: string

  constructor(message: string, options: ErrorOptions & { readonly replay?: string } = {}) {
    super(message, options)
    this.replay = options.replay ?? ''
  }
}

/** The exhibit cannot be shown to this target: SKIP, with the reason. */
export class NotShown extends Error {
  override readonly name = 'NotShown'
}

/** What an exhibit came to. */
export interface ExhibitResult {
  readonly number: number
  readonly side: 'device' | 'driver'
  readonly title: string
  readonly verdict: Verdict
  /** What went wrong, why it was skipped, or of what passed what was not tried; else empty. */
  readonly detail: string
  /** What `replayExhibit` and `museum --replay` show again: the number of the exhibit, or a code with one schedule of it. */
  readonly replay: string
  readonly clauses: readonly string[]
  /** Most reads of the ring's memory in one call, null where they cannot be counted. */
  readonly reads: number | null
}

/** What the museum came to for one target. */
export interface MuseumReport {
  readonly target: string
  readonly results: readonly ExhibitResult[]
  readonly counts: Readonly<Record<Verdict, number>>
  /** What these results do not say, because the target gives no way to ask it. */
  readonly notes: readonly string[]
  /** Nothing is FAIL or WEDGED. */
  readonly passed: boolean
}
