import { COST_OPS, type CostOpName } from './cost-op.ts'

/** How often each action is taken on some way: as a broker announces it, or a machine has charged it. */
export type Charges = Partial<Readonly<Record<CostOpName, number>>>

/** How often each action is done in all parts together. */
export function sumCharges(...parts: readonly Charges[]): Charges {
  const sum: Partial<Record<CostOpName, number>> = {}
  for (const part of parts) {
    for (const op of COST_OPS) if (part[op] !== undefined) sum[op] = (sum[op] ?? 0) + part[op]
  }
  return sum
}

/** Every action `count` times as often. */
export function timesCharges(count: number, charges: Charges): Charges {
  return Object.fromEntries(Object.entries(charges).map(([op, times]) => [op, count * times]))
}

/** Time of all of them one after another, at `costNs` each. */
export function chargedNs(charges: Charges, costNs: (op: CostOpName) => number): number {
  let sumNs = 0
  for (const op of COST_OPS) {
    const times = charges[op]
    if (times !== undefined && times > 0) sumNs += times * costNs(op)
  }
  return sumNs
}
