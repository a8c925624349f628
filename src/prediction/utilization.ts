/**
 * What share of each resource the scenario asks for in the long run, before any bound is looked for: the DMA, its budget, every core,
 * and every MemGuard's budget. More than all of one means that some flow has no bound, so it is what is said first.
 *
 * `best` is what is surely asked for: of the DMA the copying, and what passes between two pieces at best costs; of a core what its
 * guests send and compute. `worst` counts what the bounds count, at worst costs, which may be more than there ever is.
 */
import { TIGHTNESS } from '../analysis/index.ts'
import { CostOp } from '../platform/index.ts'
import { CoreLoad, LONG_NS } from './cores.ts'
import { besideDmaNs, flowSetOf, modelOf, softwareWithin } from './dma.ts'
import { driversWithin } from './path.ts'
import { type SoftwareCosts, softwareOf, type UnderWay } from './software.ts'
import { type System, sendsWithin } from './system.ts'

/** Shares of the resource's own time: 1 is all of it. */
export interface ResourceUse {
  /** `the DMA`, `the budget of the DMA`, `core 1`, `the MemGuard budget of core 1`. */
  readonly name: string
  /** With all that its regulator and the broker's software keep from copying, as the bounds have it; and without. */
  readonly worst: number
  readonly best: number
}

/** Rates do not depend on how long messages are under way: as if each were over at once, and its loan when it is due. */
export const IN_TIME: UnderWay = {
  messages: () => 1,
  handedBackNs: () => 0,
  loanSpanNs: (flow) => flow.periodNs,
  starves: () => false,
  waits: () => false,
  early: () => false,
}

/** Above that it is more than all; sums of shares are off by less. */
const ALL = 1 + 1e-9

/** The DMA, then its budget, then the cores in order, each before its MemGuard budget. */
export function utilizationOf(system: System): readonly ResourceUse[] {
  const { cores, flows, regulator, scenario, throttles } = system
  const still = flows.map(() => 0)
  const software = softwareOf(system, IN_TIME)
  const everything = softwareWithin(system, software, still)
  const copied = flows.filter(({ pages }) => pages !== 'moved')
  const copying = sum(copied.map(({ workNs, periodNs }) => workNs / periodNs))
  const between = sum(copied.map(({ pieces, periodNs }) => (pieces * software.bestAfterChoiceNs) / periodNs))
  const uses: ResourceUse[] = [{ name: 'the DMA', worst: demandOf(system, software, still), best: copying + between }]
  if (regulator.kind === 'budget') {
    const share = copying * (regulator.periodNs / regulator.budgetNs)
    uses.push({ name: 'the budget of the DMA', worst: share, best: share })
  }
  for (const core of cores) {
    const tasks = scenario.vms.filter((vm) => vm.core === core).flatMap((vm) => vm.tasks)
    const computed = flows.filter((flow) => flow.sourceCore === core && flow.after >= 0)
    const own =
      sum(tasks.map(({ wcetNs, periodNs }) => wcetNs / periodNs)) +
      sum(computed.map(({ computeNs, periodNs }) => computeNs / periodNs))
    const guests = own + driversWithin(system, software, core, LONG_NS, still) / LONG_NS
    const worst = guests + new CoreLoad(system, core, software, still, everything).rate
    // Its guests surely send, and compute; how many interrupts they take, and what EL2 does where, depends on the run.
    const best = own + (sendsWithin(system, core, LONG_NS, still) * system.best(CostOp.guestSend)) / LONG_NS
    uses.push({ name: `core ${core}`, worst, best })
    const throttle = throttles.get(core)
    if (throttle === undefined) continue
    const awake = 1 - throttle.throttledNs / throttle.periodNs
    uses.push({ name: `the MemGuard budget of core ${core}`, worst: guests / awake, best: best / awake })
  }
  return uses
}

/** What overloads come first: one line each, `overload: 420 % of the DMA`. None where nothing is asked for more than it has. */
export function overloadLines(utilization: readonly ResourceUse[]): readonly string[] {
  const surely = utilization.filter(({ best }) => best > ALL).sort((a, b) => b.best - a.best)
  const atWorst = utilization.filter(({ best, worst }) => worst > ALL && best <= ALL).sort((a, b) => b.worst - a.worst)
  return [
    ...surely.map(({ name, best }) => `overload: ${percent(best)} of ${name}`),
    ...atWorst.map(({ name, worst }) => `overload at worst costs: ${percent(worst)} of ${name}`),
  ]
}

/** Whole per cent, from 200 on in tens, and never 100 for what is more. */
function percent(share: number): string {
  if (share >= 2) return `${10 * Math.round(10 * share)} %`
  return share < 1.01 ? 'more than 100 %' : `${Math.round(100 * share)} %`
}

/** Of the DMA's time, at worst costs, with the supply that leaves more: above 1 the theorems give no bound to the least urgent flow. */
function demandOf(system: System, software: SoftwareCosts, still: readonly number[]): number {
  const set = flowSetOf(system, software, still)
  const { total, periodNs, workNs, overheadNs, supply, delayedSupply } = modelOf(
    system,
    set,
    software,
    still,
    TIGHTNESS.A4,
  )
  let work = 0
  let overhead = 0
  for (let i = 0; i < total; i++) {
    work += workNs[i]! / periodNs[i]!
    overhead += overheadNs[i]! / periodNs[i]!
  }
  const beside = sum(system.flows.map((flow) => besideDmaNs(system, software, flow) / flow.periodNs))
  overhead -= Math.max(0, beside)
  const plain = work * supply.stretch + overhead
  return delayedSupply === null ? plain : Math.min(plain, (work + overhead) * delayedSupply.stretch)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
