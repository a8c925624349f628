/** The interrupt table of the model: what one message of n pieces costs under each design, exactly. */
import { describe, expect, it } from 'vitest'
import { type DesignResult, simulate } from '../../src/platform-zcu102/index.ts'
import { type BrokerSpec, INTERRUPT_PRESETS, parseScenario, type Scenario } from '../../src/scenario/index.ts'

const CHUNK = 4096

/** One message of n pieces from core 0 to core 1, nothing else. */
function oneMessage(pieces: number, broker: Partial<BrokerSpec>): Scenario {
  const scenario = parseScenario(`
costs: typical
duration: 50ms
vms:
  - { name: sender, core: 0, cid: 3 }
  - { name: receiver, core: 1, cid: 4 }
flows:
  - { name: only, from: sender, to: receiver, period: 50ms, length: ${pieces * CHUNK - 1}, payload: random }
broker: { regulator: { kind: none } }
`)
  return { ...scenario, broker: { ...scenario.broker, ...broker } }
}

function run(pieces: number, design: 'dedicated' | 'floating', broker: Partial<BrokerSpec> = {}): DesignResult {
  const result = simulate(oneMessage(pieces, broker), { design, payload: () => null })
  expect(result).toMatchObject({ messagesSent: 1, messagesDelivered: 1, payloadMismatches: 0, violations: 0 })
  return result
}

describe.each([1, 2, 3, 17, 100, 1000])('a message of %i pieces', (n) => {
  it('dedicated: n + 2 IPIs between cores, n + 1 interrupts and 2 + 2n exits on VM cores', () => {
    const { crossCoreIpis, vmInterrupts, vmExits } = run(n, 'dedicated')
    expect({ crossCoreIpis, vmInterrupts, vmExits }).toEqual({
      crossCoreIpis: n + 2,
      vmInterrupts: n + 1,
      vmExits: 2 + 2 * n,
    })
  })

  it('floating, plain: 1 IPI to the sender that asks for it, n + 1 interrupts, 1 + 2n exits and that of the IPI', () => {
    const { crossCoreIpis, vmInterrupts, vmExits } = run(n, 'floating', {
      interrupts: INTERRUPT_PRESETS.plain,
      chaining: 'piece',
    })
    expect({ crossCoreIpis, vmInterrupts, vmExits }).toEqual({
      crossCoreIpis: 1,
      vmInterrupts: n + 1,
      vmExits: 1 + 2 * n + 1,
    })
  })

  it('floating, minimum: no IPI, 1 interrupt, 2 exits', () => {
    const { crossCoreIpis, vmInterrupts, vmExits } = run(n, 'floating')
    expect({ crossCoreIpis, vmInterrupts, vmExits }).toEqual({ crossCoreIpis: 0, vmInterrupts: 1, vmExits: 2 })
  })
})
