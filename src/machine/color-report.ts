/** Whose RAM has which page colours at the end of a run, and which VMs can evict each other's cache lines because of it. */
import { PAGE_SIZE } from '../memory/index.ts'
import type { ColorPlan } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import type { Dram, Stage2Table } from './stage2.ts'

/** Who had pages of which cache colours at the end of a run. */
export interface ColorReport {
  /** Page colours of the board. */
  readonly colors: number
  /** Reserved for pages that change owners; all VMs share them, by intention. */
  readonly pool: readonly number[]
  readonly vms: Readonly<Record<string, VmColors>>
  /** Pairs of VMs on different cores that have pages of the same colour, the pool's apart. */
  readonly shared: readonly SharedColors[]
}

/** Pages of a VM by cache colour, at the end of a run. */
export interface VmColors {
  /** Its partition. */
  readonly colors: readonly number[]
  readonly pages: number
  /** Pages of the pool's colours, and of colours that are neither the pool's nor its own. */
  readonly poolPages: number
  readonly foreignPages: number
  /** Longest run of its guest pages that is one run of physical memory too. */
  readonly longestRunPages: number
}

/** Two VMs that share page colours. */
export interface SharedColors {
  readonly vms: readonly [string, string]
  readonly colors: readonly number[]
  /** Pages of these colours that each of the two has. */
  readonly pages: readonly [number, number]
}

export function reportColors(
  scenario: Scenario,
  plan: ColorPlan,
  dram: Dram,
  stage2: readonly Stage2Table[],
): ColorReport {
  const { vms } = scenario
  const pages = stage2.map((table) => table.pagesByColor(dram))
  const isPool = (color: number) => plan.pool.includes(color)
  const ofVm = (vm: number): VmColors => {
    const count = (chosen: (color: number) => boolean) =>
      pages[vm]!.reduce((sum, n, color) => (chosen(color) ? sum + n : sum), 0)
    const own = plan.vms[vm]!
    return {
      colors: own,
      pages: count(() => true),
      poolPages: count(isPool),
      foreignPages: count((color) => !isPool(color) && !own.includes(color)),
      longestRunPages: longestRun(dram, stage2[vm]!),
    }
  }
  const shared: SharedColors[] = []
  for (const [a, { core, name }] of vms.entries()) {
    for (const [b, other] of vms.entries()) {
      if (b <= a || other.core === core) continue
      const colors = [...pages[a]!.keys()].filter((c) => !isPool(c) && pages[a]![c]! > 0 && pages[b]![c]! > 0)
      const sum = (vm: number) => colors.reduce((total, color) => total + pages[vm]![color]!, 0)
      if (colors.length > 0) shared.push({ vms: [name, other.name], colors, pages: [sum(a), sum(b)] })
    }
  }
  return {
    colors: plan.colors,
    pool: plan.pool,
    vms: Object.fromEntries(vms.map(({ name }, vm) => [name, ofVm(vm)])),
    shared,
  }
}

function longestRun(dram: Dram, table: Stage2Table): number {
  let longest = 0
  let run = 0
  for (const [page, frame] of table.frames.entries()) {
    const follows = run > 0 && dram.addressOf(frame) === dram.addressOf(table.frames[page - 1]!) + PAGE_SIZE
    run = follows ? run + 1 : 1
    longest = Math.max(longest, run)
  }
  return longest
}
