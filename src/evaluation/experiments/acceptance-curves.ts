/** Acceptance rows as curves: a share with its interval at each utilisation, and one number for the whole curve. */
import type { Row, Summary } from '../experiment.ts'
import { weightedSchedulability, wilsonInterval } from '../statistics.ts'

interface Curve {
  readonly row: Row
  readonly design: string
  /** By utilisation: sets, and of them accepted by each test. */
  readonly points: Map<number, { sets: number; readonly accepted: number[] }>
}

/**
 * Rows are grouped by the columns `parameters` and counted by the boolean columns `tests`, which are called `scheduler/analysis`.
 */
export class AcceptanceCurves<R extends Row> implements Summary<R> {
  readonly columns: Readonly<Record<string, string>>
  readonly #parameters: readonly string[]
  readonly #tests: readonly string[]
  readonly #curves = new Map<string, Curve>()

  constructor(columns: Readonly<Record<string, string>>, parameters: readonly string[], tests: readonly string[]) {
    this.#parameters = parameters
    this.#tests = tests
    this.columns = {
      ...Object.fromEntries(parameters.map((name) => [name, columns[name]!])),
      scheduler: 'fp-dm, fp-optimal or edf',
      analysis: 'A0, A3, A4 or A5',
      kind: 'point: at one utilisation; weighted: of the whole curve, each set weighted by its utilisation',
      utilization: 'as of the rows; null for a whole curve',
      sets: 'how many were drawn',
      accepted: 'how many the test accepts',
      share: 'accepted/sets, or the weighted schedulability sum(U x share)/sum(U)',
      low: 'of the 95 % interval of share: Wilson, and of a whole curve what follows from those of its points',
      high: 'of the same',
    }
  }

  add(row: R): void {
    const key = this.#parameters.map((name) => row[name]).join('|')
    let curve = this.#curves.get(key)
    if (curve === undefined) {
      const values = Object.fromEntries(this.#parameters.map((name) => [name, row[name]!]))
      curve = { row: values, design: String(row.design), points: new Map() }
      this.#curves.set(key, curve)
    }
    const utilization = Number(row.utilization)
    let point = curve.points.get(utilization)
    if (point === undefined) {
      point = { sets: 0, accepted: this.#tests.map(() => 0) }
      curve.points.set(utilization, point)
    }
    point.sets++
    for (let test = 0; test < this.#tests.length; test++) if (row[this.#tests[test]!] === true) point.accepted[test]!++
  }

  rows(): readonly Row[] {
    return [...this.#curves.values()].flatMap((curve) =>
      this.#tests.flatMap((name, test) => {
        const [scheduler, analysis] = name.split('/') as [string, string]
        const head = { ...curve.row, scheduler, analysis }
        const points = [...curve.points].sort(([a], [b]) => a - b)
        const rows: Row[] = points.map(([utilization, { sets, accepted }]) => {
          const { low, high } = wilsonInterval(accepted[test]!, sets)
          const share = accepted[test]! / sets
          return { ...head, kind: 'point', utilization, sets, accepted: accepted[test]!, share, low, high }
        })
        const sets = points.reduce((sum, [, point]) => sum + point.sets, 0)
        const accepted = points.reduce((sum, [, point]) => sum + point.accepted[test]!, 0)
        const {
          value: share,
          low,
          high,
        } = weightedSchedulability(
          points.map(([utilization, { sets, accepted }]) => ({ utilization, sets, accepted: accepted[test]! })),
        )
        rows.push({ ...head, kind: 'weighted', utilization: null, sets, accepted, share, low, high })
        return rows
      }),
    )
  }

  /** The weighted schedulability of every design, analysis by analysis. */
  headline(): readonly string[] {
    return [...this.#curves.values()].map(({ row, design, points }) => {
      const shares = this.#tests.map((name, test) => {
        const curve = [...points].map(([utilization, { sets, accepted }]) => ({
          utilization,
          sets,
          accepted: accepted[test]!,
        }))
        return `${name} ${weightedSchedulability(curve).value.toFixed(3)}`
      })
      const others = Object.entries(row).filter(([name]) => name !== 'design')
      return `${[design, ...others.map(([, value]) => value)].join(' ')}: ${shares.join(', ')}`
    })
  }
}
