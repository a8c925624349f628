/** The RAM of a machine: how much each VM gets, of which page colours, and the stage-2 tables over it. */

import type { BoardProfile } from '../boards/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { type ColorPlan, planColors } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { ColorPolicy } from '../zero-copy/index.ts'
import { type ColorReport, reportColors } from './color-report.ts'
import { Dram, Stage2Table } from './stage2.ts'
import { type GuestRam, guestRamOf, ramAreas } from './vm.ts'

const GUEST_RAM_BASE = 0x4000_0000

export class MachineMemory {
  readonly dram: Dram
  readonly colors: ColorPlan
  /** By VM. */
  readonly ram: readonly GuestRam[]
  readonly stage2: readonly Stage2Table[]
  readonly colorPolicy: ColorPolicy
  /** Frames of the exchange pool that no VM has. */
  readonly spareFrames: readonly number[]
  readonly #scenario: Scenario

  /** Throws `VirtioError` BAD_COLORS, TOO_LITTLE_RAM, TOO_MUCH_RAM. */
  constructor(scenario: Scenario, profile: BoardProfile, ram: ArrayBuffer | null = null) {
    const { broker, vms } = scenario
    this.#scenario = scenario
    this.ram = vms.map((_, vm) => guestRamOf(scenario, vm))
    this.colors = planColors(profile.pageColors.value, vms, broker.transfer === 'copy' ? 0 : broker.poolColors)
    const { colors, pool } = this.colors
    const spares = pool.length > 0 ? broker.sparePages : 0
    const bytes = this.ram.reduce((sum, { privateBytes, payloadBytes }) => sum + privateBytes + payloadBytes, 0)
    this.dram = new Dram(bytes + spares * PAGE_SIZE, colors, ram)
    this.stage2 = this.ram.map(
      (ram, vm) => new Stage2Table(this.dram, GUEST_RAM_BASE, ramAreas(ram, this.colors.vms[vm]!, pool)),
    )
    const firstSpare = spares === 0 ? 0 : this.dram.takeFrames(spares, pool)
    this.spareFrames = Array.from({ length: spares }, (_, i) => firstSpare + i)
    this.colorPolicy = new ColorPolicy({ mode: broker.colorPolicy, vms: this.colors.vms, pool })
  }

  /** Whose RAM has which page colours, as things stand. */
  colorReport(): ColorReport {
    return reportColors(this.#scenario, this.colors, this.dram, this.stage2)
  }
}
