/**
 * Which values of one knob fit: probes over its whole range, and between two neighbouring probes that differ the exact border. A verdict
 * says by how much deadlines are met or missed; from that the next value is guessed, so that a border takes few verdicts. Guesses only
 * choose what is asked next: a border is one between two neighbouring values that were both judged.
 */
import type { Verdict } from './verdict.ts'

/** What fits is all from one value to another, both included. */
export interface FittingRange {
  readonly from: number
  readonly to: number
}

/** Does a value fit? `like`: the verdict of one with as much of everything or less that fits; `suspect`: the flow that was late last. */
export type JudgeValue = (value: number, like: Verdict | null, suspect: number) => Verdict

/** What is known of a value that is searched. */
export interface Knob {
  /** In which direction there is more of everything. Default: upwards. */
  readonly load?: 'upwards' | 'downwards'
  /** Borders are often one above a multiple of that. Default 1. */
  readonly grain?: number
}

/** From one probe to the next. */
const PROBE_FACTOR = 8

/**
 * The parts of [low, high] in each of which `keyOf` is one string. Each part of the key must change in one direction only, so that two
 * equal keys have no other between them.
 */
export function classesOf(low: number, high: number, keyOf: (value: number) => string): FittingRange[] {
  const keys = new Map<number, string>()
  const keyAt = (value: number) => {
    const known = keys.get(value) ?? keyOf(value)
    keys.set(value, known)
    return known
  }
  const classes: FittingRange[] = []
  for (let from = low; from <= high; ) {
    let [same, other] = [from, high + 1]
    if (keyAt(high) === keyAt(from)) same = high
    while (other - same > 1) {
      const middle = same + Math.floor((other - same) / 2)
      if (keyAt(middle) === keyAt(from)) same = middle
      else other = middle
    }
    classes.push({ from, to: same })
    from = same + 1
  }
  return classes
}

/**
 * The values of a range that fit, as far as probes show: both ends, `present`, and every eight-fold and eighth of it. Borders between
 * neighbouring probes that differ are exact.
 */
export function fittingIn(
  { from: low, to: high }: FittingRange,
  present: number,
  judge: JudgeValue,
  { load = 'upwards', grain = 1 }: Knob = {},
): FittingRange[] {
  const start = Math.min(high, Math.max(low, present))
  const probes = new Set([low, start, high])
  for (let value = start * PROBE_FACTOR; value < high; value *= PROBE_FACTOR) probes.add(value)
  for (let value = Math.floor(start / PROBE_FACTOR); value > low; value = Math.floor(value / PROBE_FACTOR)) {
    probes.add(value)
  }
  const points = [...probes].sort((a, b) => (load === 'upwards' ? a - b : b - a))
  const known = new Judged(judge, load)
  const verdicts = points.map((value) => known.judge(value))
  if (load === 'downwards') {
    points.reverse()
    verdicts.reverse()
  }
  const ranges: FittingRange[] = []
  let from: number | null = verdicts[0]!.fits ? points[0]! : null
  for (let k = 1; k < points.length; k++) {
    if (verdicts[k]!.fits === verdicts[k - 1]!.fits) continue
    const border = borderBetween(points[k - 1]!, points[k]!, known, grain)
    if (from === null) from = border
    else {
      ranges.push({ from, to: border - 1 })
      from = null
    }
  }
  if (from !== null) ranges.push({ from, to: high })
  return ranges
}

/** Verdicts of one search, each from the nearest known one that fits and has less of everything. */
class Judged {
  readonly #judge: JudgeValue
  readonly #sign: 1 | -1
  readonly #known = new Map<number, Verdict>()
  #suspect = 0

  constructor(judge: JudgeValue, load: 'upwards' | 'downwards') {
    this.#judge = judge
    this.#sign = load === 'upwards' ? 1 : -1
  }

  judge(value: number): Verdict {
    const known = this.#known.get(value)
    if (known !== undefined) return known
    const like = this.before(value)
    const verdict = this.#judge(value, like === null ? null : this.#known.get(like)!, this.#suspect)
    if (verdict.lateFlow >= 0) this.#suspect = verdict.lateFlow
    this.#known.set(value, verdict)
    return verdict
  }

  /** The nearest value that was found to fit and has less of everything, `least` away or more; null: there is none. */
  before(value: number, least = 1): number | null {
    let nearest: number | null = null
    for (const [other, { fits }] of this.#known) {
      const less = fits && this.#sign * (value - other) >= least
      if (less && (nearest === null || this.#sign * other > this.#sign * nearest)) nearest = other
    }
    return nearest
  }
}

/**
 * The upper of two neighbouring values in [low, high] that have different verdicts, as `low` and `high` have; if there is one border
 * between those, it is that one. `grain`: most borders are one above a multiple of that, since a piece more is more software.
 */
function borderBetween(low: number, high: number, known: Judged, grain: number): number {
  const range = new Bracket(low, high, known)
  if (grain > 1) {
    // Between which of its multiples?
    while (range.multiplesInside(grain) > 0) range.judge(range.multipleNear(range.guess(), grain))
    if (range.low % grain === 0 && range.width > 1) range.judge(range.low + 1)
  }
  while (range.width > 1) range.judge(range.guess())
  return range.high
}

/** A line is drawn through points that are not too near to one another: counted in ns, times are not quite on it. */
const FAR = 8
/** Where so many times as much is lost as on a line there is a jump. */
const STEEP = 4

/** So many guesses in a row may leave more than half of the bracket. */
const MOST_SLOW = 3

/** Two values with different verdicts, and what is between them. */
class Bracket {
  low: number
  high: number
  readonly #known: Judged
  readonly #lowFits: boolean
  #slow = 0

  constructor(low: number, high: number, known: Judged) {
    this.low = low
    this.high = high
    this.#known = known
    this.#lowFits = known.judge(low).fits
  }

  get width(): number {
    return this.high - this.low
  }

  multiplesInside(grain: number): number {
    return Math.ceil(this.high / grain) - 1 - Math.floor(this.low / grain)
  }

  /** The multiple inside that is nearest to a value, of which there must be one. */
  multipleNear(value: number, grain: number): number {
    const first = (Math.floor(this.low / grain) + 1) * grain
    const last = (Math.ceil(this.high / grain) - 1) * grain
    return Math.min(last, Math.max(first, Math.round(value / grain) * grain))
  }

  judge(value: number): void {
    const before = this.width
    const { fits } = this.#known.judge(value)
    if (fits === this.#lowFits) this.low = value
    else this.high = value
    this.#slow = this.width > before / 2 ? this.#slow + 1 : 0
  }

  /** The value inside that is worth being judged next. */
  guess(): number {
    const [fit, unfit] = this.#lowFits ? [this.low, this.high] : [this.high, this.low]
    const share = this.#slow < MOST_SLOW ? this.#shareThatFits(fit, unfit) : 1 / 2
    const value = fit + (unfit - fit) * (share >= 0 && share <= 1 ? share : 1 / 2)
    const inside = this.#lowFits ? Math.floor(value) : Math.ceil(value)
    return Math.min(this.high - 1, Math.max(this.low + 1, inside))
  }

  /** How much of the way from `fit` to `unfit` fits, by straight lines through what is known; a half where there are none, or a jump. */
  #shareThatFits(fit: number, unfit: number): number {
    const { slackNs } = this.#known.judge(fit)
    const { lateFlow, latenessNs } = this.#known.judge(unfit)
    const before = this.#known.before(fit, Math.abs(unfit - fit) / FAR) ?? this.#known.before(fit)
    const lossesNs = before === null ? [] : this.#lossesNs(before, fit, unfit)
    const spareNs = slackNs[lateFlow]
    const lostNs = spareNs === undefined ? Number.POSITIVE_INFINITY : spareNs + latenessNs
    if (lostNs <= STEEP * (lossesNs[lateFlow] ?? 0)) return spareNs! / lostNs
    const onwards = Math.min(...slackNs.map((nowNs, i) => (lossesNs[i]! > 0 ? nowNs / lossesNs[i]! : 1)), 1)
    return onwards < 1 ? onwards : 1 / 2
  }

  /** By flow, what of its slack would be lost from `fit` to `unfit` if it went on as from `before` to `fit`. */
  #lossesNs(before: number, fit: number, unfit: number): number[] {
    const { slackNs } = this.#known.judge(fit)
    const { slackNs: slackBeforeNs } = this.#known.judge(before)
    return slackNs.map((nowNs, i) => (slackBeforeNs[i]! - nowNs) * Math.abs((unfit - fit) / (fit - before)))
  }
}
