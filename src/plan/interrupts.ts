/** Which ways to do without an interrupt a design uses. */
import { INTERRUPT_PRESETS, type InterruptSpec, type Scenario } from '../scenario/index.ts'
import type { Design } from './design.ts'

/** The dedicated broker does what that of RTSS 2021 does, unless a scenario sets the switches one by one. */
export function interruptsOf({ broker }: Scenario, design: Design): InterruptSpec {
  const { interrupts } = broker
  return design === 'floating' || interrupts.preset === 'custom' ? interrupts : INTERRUPT_PRESETS.plain
}
