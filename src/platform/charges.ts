import { COST_OPS, type CostOpName } from './cost-op.ts'

/** How often each action is taken on some way: as a broker announces it, or a machine has charged it. */
export type Charges = Partial<Readonly<Record<CostOpName, number>>>

/** How often each action is done in all parts together. */
export function sumCharges(...parts: readonly Charges[]): Charges {
  const sum: Partial<Record<CostOpName, number>> = {}
  for (const part of parts) {
    for (const op in part) sum[op as CostOpName] = (sum[op as CostOpName] ?? 0) + (part[op as CostOpName] ?? 0)
  }
  return sum
}

/** Every action `count` times as often. */
export function timesCharges(count: number, charges: Charges): Charges {
  const all: Partial<Record<CostOpName, number>> = {}
  for (const op in charges) all[op as CostOpName] = count * charges[op as CostOpName]!
  return all
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
