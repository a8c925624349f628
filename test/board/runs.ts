/** Runs of one scenario on the simulated board and on QEMU's. */
import { fileURLToPath } from 'node:url'
import { type QemuResult, simulateOnQemu } from '../../src/platform-qemu/index.ts'
import { type Design, type DesignResult, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

export const AGENT = fileURLToPath(new URL('../../agent', import.meta.url))

/** How a message can go. */
export const WAYS: readonly { readonly design: Design; readonly transfer: string; readonly what: string }[] = [
  { design: 'dedicated', transfer: 'copy', what: 'dedicated, copied' },
  { design: 'floating', transfer: 'copy', what: 'floating, copied' },
  { design: 'floating', transfer: 'remap', what: 'floating, exchanged' },
  { design: 'floating', transfer: 'lend', what: 'floating, lent' },
]

/** One message of so many pieces. */
export const oneMessage = (pieces: number, transfer: string): Scenario =>
  parseScenario(`
duration: 100ms
broker: { transfer: ${transfer} }
vms:
  - { name: a, cid: 3, core: 0, ram: 32MiB }
  - { name: b, cid: 4, core: 1, ram: 32MiB }
flows:
  - { name: f, from: a, to: b, period: 100ms, length: ${4 * pieces}KiB }
`)

export async function onBoth(
  scenario: Scenario,
  design: Design,
): Promise<{ readonly board: DesignResult; readonly onQemu: QemuResult }> {
  const board = simulate(scenario, { design, payload: () => null })
  return { board, onQemu: await simulateOnQemu(scenario, { design, sources: AGENT }) }
}
