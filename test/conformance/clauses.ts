/**
 * The clauses of the map, and what is known of those without a test: open, with the feature under which they would apply, or not
 * applicable, for a reason that a test checks.
 */
import { readCsv } from './read-csv.ts'

/** One row of the map. */
export interface Clause {
  readonly id: string
  readonly section: string
  readonly side: string
  /** MUST, SHOULD, MAY; IMPLIED where no sentence says so. */
  readonly level: string
  readonly paraphrase: string
}

export const LEVELS = ['MUST', 'SHOULD', 'MAY', 'IMPLIED'] as const

/** Chapters 2, 3 and 6 (basic facilities, initialisation, reserved feature bits), of chapter 4 MMIO, of chapter 5 the devices that are there. */
export const CLAUSES: readonly Clause[] = [
  ...readCsv('clauses.csv')
    .filter((row) => /^([236]\b|4\.2\b|5\.4\b|5\.10\b)/.test(row.section_path!))
    .map((row) => ({
      id: row.id!,
      section: row.section_path!.split(' ')[0]!,
      side: row.side!,
      level: row.level!,
      paraphrase: row.paraphrase!,
    })),
  ...readCsv('clauses_implied.csv').map((row) => ({
    id: row.id!,
    section: row.section!,
    side: row.side!,
    level: 'IMPLIED',
    paraphrase: row.paraphrase!,
  })),
]

/**
 * Clauses that would apply if the package had a feature, a bit of the framework. What applies and is not followed has the note
 * `deviation: ...`; its feature may be `none`.
 */
export interface Open {
  readonly prefix: string
  readonly feature: string
  readonly note: string
}

/**
 * Clauses whose condition cannot come about here. `check` says what the test of the map looks at: `bit NAME` (no side offers or accepts
 * it), `sources REGEX` (nothing in `src` matches), or `test ID` (the tests of another clause show it).
 */
export interface NotApplicable {
  readonly prefix: string
  readonly check: string
  readonly reason: string
}

export const OPEN = readCsv('clauses_open.csv') as unknown as readonly Open[]
export const NOT_APPLICABLE = readCsv('clauses_not_applicable.csv') as unknown as readonly NotApplicable[]

/** The longest prefix counts: a family may have exceptions. */
function longest<T extends { readonly prefix: string }>(rows: readonly T[], id: string): T | null {
  const fitting = rows.filter(({ prefix }) => id.startsWith(prefix))
  return fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0] ?? null
}

export const openOf = ({ id }: Clause): Open | null => longest(OPEN, id)
export const notApplicableOf = ({ id }: Clause): NotApplicable | null => longest(NOT_APPLICABLE, id)

/** `VQS-NTF-DRV-07` is of VQS-NTF, `IMP-VQS-01` of IMP-VQS. */
export function familyOf({ id }: Clause): string {
  return id.startsWith('IMP-') ? id.slice(0, id.lastIndexOf('-')) : id.replace(/-(DRV|DEV|ANY)-\d+$/, '')
}
