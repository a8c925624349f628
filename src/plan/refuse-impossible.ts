/** What a board cannot do for a scenario under one design, found before anything is built. */
import { VirtioError } from '../internal/error.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import type { Scenario } from '../scenario/index.ts'
import type { Design } from './design.ts'

/** Throws `VirtioError` UNSUPPORTED or BAD_CORE. */
export function refuseImpossible(scenario: Scenario, design: Design, coreCount: number): void {
  const { broker, vms } = scenario
  if (broker.transfer !== 'copy' && broker.chunkBytes !== PAGE_SIZE) {
    throw new VirtioError('UNSUPPORTED', `transfer "${broker.transfer}" moves pages: chunk must be ${PAGE_SIZE}`)
  }
  for (const { name, core } of vms) {
    if (core >= coreCount) {
      throw new VirtioError('BAD_CORE', `VM ${name} is on core ${core}; the board has cores 0 to ${coreCount - 1}`)
    }
    if (design === 'dedicated' && core === broker.dedicatedCore) {
      throw new VirtioError(
        'BAD_CORE',
        `VM ${name} is on core ${core}, which the dedicated broker takes; move it, or simulate the floating design only`,
      )
    }
  }
  if (design === 'dedicated' && broker.dedicatedCore >= coreCount) {
    throw new VirtioError(
      'BAD_CORE',
      `dedicatedCore is ${broker.dedicatedCore}; the board has cores 0 to ${coreCount - 1}`,
    )
  }
}
