/** What a campaign came to: figures, the worst, and a table of what was covered. */
import type { Record as CaseRecord } from './examine.ts'
import type { Comparison } from './try-case.ts'

/** Of flows drawn without overload, so many must have a bound: otherwise "no bound" would hold every promise. */
export const LEAST_BOUNDED = 0.6

export class Summary {
  cases = 0
  bounds = 0
  runs = 0
  /** Drawn without overload, and those of them that have a bound. */
  flows = 0
  boundedFlows = 0
  nearest: { readonly index: number; readonly comparison: Comparison } | null = null
  readonly failures: CaseRecord[] = []
  /** By option, then value: cases. */
  readonly covered = new Map<string, Map<string, number>>()

  add(record: CaseRecord): void {
    this.cases++
    this.bounds += record.bounds
    this.runs += record.runs
    if (!record.overload) {
      this.flows += record.flows
      this.boundedFlows += record.boundedFlows
    }
    if (record.exceeded.length > 0 || record.crashed !== null) this.failures.push(record)
    const { nearest } = record
    if (nearest !== null && nearest.observedNs <= nearest.boundNs && isNearer(nearest, record.index, this.nearest)) {
      this.nearest = { index: record.index, comparison: nearest }
    }
    for (const [option, value] of record.ingredients) {
      const values = this.covered.get(option) ?? new Map<string, number>()
      values.set(value, (values.get(value) ?? 0) + 1)
      this.covered.set(option, values)
    }
  }

  get exceeded(): number {
    return this.failures.reduce((sum, { exceeded }) => sum + exceeded.length, 0)
  }

  get crashed(): number {
    return this.failures.filter(({ crashed }) => crashed !== null).length
  }

  get boundedShare(): number {
    return this.flows === 0 ? 0 : this.boundedFlows / this.flows
  }

  get holds(): boolean {
    return this.failures.length === 0 && this.boundedShare >= LEAST_BOUNDED
  }
}

/** The same whichever process was quicker. */
function isNearer({ observedNs, boundNs }: Comparison, index: number, known: Summary['nearest']): boolean {
  if (known === null) return true
  const [left, right] = [observedNs * known.comparison.boundNs, known.comparison.observedNs * boundNs]
  return left > right || (left === right && index < known.index)
}

export function formatCovered({ covered }: Summary): string {
  const width = Math.max(...[...covered.keys()].map((option) => option.length))
  const byName = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true })
  return [...covered]
    .map(([option, values]) => {
      const counts = [...values].sort(([a], [b]) => byName(a, b)).map(([value, count]) => `${value} ${count}`)
      return `  ${option.padEnd(width)}  ${counts.join(' · ')}`
    })
    .join('\n')
}
