/** A hostile guest beside two honest ones: it loses its own queues, and nobody else notices. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { type DesignResult, type Intruder, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'

const SCENARIO = parseScenario(`
duration: 50ms
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: planner, core: 1, cid: 4 }
  - { name: intruder, core: 2, cid: 5 }
flows:
  - { name: frames, from: camera, to: planner, period: 5ms, length: 300000 }
  - { name: commands, from: planner, to: camera, period: 1ms, length: 5000 }
  - { name: noise, from: intruder, to: planner, period: 100us, length: 4096 }
  - { name: bait, from: camera, to: intruder, period: 10ms, length: 65536 }
`)
const INTRUDER = 2
const BOTH_QUEUES = 3

function attack(seed: number, design: 'dedicated' | 'floating', transfer: 'copy' | 'remap' | 'lend'): DesignResult {
  const random = new Random(seed)
  const intruder: Intruder = {
    vm: INTRUDER,
    act(memory) {
      // Rings, tables and headers lie at the front of its RAM; values are small, huge or near what was there.
      const { base } = memory.regions[0]!
      for (let writes = random.between(1, 40); writes > 0; writes--) {
        const address = base + 2 * random.between(0, 0x10000)
        const value = random.pick([
          random.between(0, 600),
          random.u32() & 0xffff,
          memory.readU16(address) + random.between(-2, 2),
        ])
        memory.writeU16(address, value & 0xffff)
      }
      return BOTH_QUEUES
    },
  }
  const scenario = { ...SCENARIO, seed, broker: { ...SCENARIO.broker, transfer } }
  return simulate(scenario, { design, payload: () => null, intruder })
}

describe.each(['dedicated', 'floating'] as const)('%s', (design) => {
  it.each(design === 'floating' ? (['copy', 'remap', 'lend'] as const) : (['copy'] as const))(
    'honest flows keep payloads and deadlines while pages are to %s',
    (transfer) => {
      let violations = 0
      for (let seed = 1; seed <= 20; seed++) {
        const { flows, payloadMismatches, violations: seen } = attack(seed, design, transfer)
        violations += seen
        expect(payloadMismatches, `seed ${seed}`).toBe(0)
        for (const [name, messages] of [
          ['frames', 10],
          ['commands', 50],
        ] as const) {
          expect({ name, ...flows[name] }, `seed ${seed}`).toMatchObject({
            messages,
            delivered: messages,
            deadlineMisses: 0,
          })
        }
      }
      expect(violations).toBeGreaterThan(20)
    },
  )
})
