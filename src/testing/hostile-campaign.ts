/** Hostile cases one after another: what the campaigns of both sides and both formats share. */
interface Report<Rule extends string> {
  rings: number
  readonly faults: { [rule in Rule]?: number }
}

/** Runs case by case, and counts them in `report`. */
export function runCases<R extends Report<string>>(
  { first = 0, rings }: { readonly rings: number; readonly first?: number },
  report: R,
  run: (number: number) => void,
): R {
  for (let number = first; number < first + rings; number++) {
    run(number)
    report.rings++
  }
  return report
}

/** Counts what was refused by the specification's first name for it. */
export function countFault<Rule extends string>({ faults }: Report<Rule>, rule: Rule): void {
  faults[rule] = (faults[rule] ?? 0) + 1
}
