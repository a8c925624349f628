/** A driver resets its device while the DMA moves bytes from or to its VM: the reset ends when those have stopped. */
import { describe, expect, it } from 'vitest'
import type { GuestMemory } from '../../src/memory/index.ts'
import { type Design, type Intruder, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'

const KICK_RESET = 4
const TICK_US = 20

/** The VM that leaves sends and receives long messages, and looks after itself every 20 us. */
const SCENARIO = parseScenario(`
duration: 20ms
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: leaver, core: 1, cid: 4 }
  - { name: planner, core: 2, cid: 5 }
flows:
  - { name: toLeaver, from: camera, to: leaver, period: 4ms, length: 1MiB }
  - { name: fromLeaver, from: leaver, to: planner, period: 4ms, offset: 2ms, length: 1MiB }
  - { name: commands, from: planner, to: camera, period: 1ms, length: 5000 }
  - { name: frames, from: camera, to: planner, period: 5ms, length: 100000 }
  - { name: ticks, from: leaver, to: planner, period: ${TICK_US}us, length: 1 }
`)
const LEAVER = 1

/** All pages of the VM, wherever they lie, and nobody else's. */
function bytesOf(memory: GuestMemory): Uint8Array {
  const { base, size } = memory.regions[0]!
  const bytes = new Uint8Array(size)
  memory.read(base, bytes)
  return bytes
}

function leaveAt(afterUs: number, design: Design, transfer: 'copy' | 'remap' | 'lend') {
  const statuses: number[] = []
  let calls = 0
  let ram: GuestMemory | null = null
  let atReset: Uint8Array | null = null
  const intruder: Intruder = {
    vm: LEAVER,
    act(memory, behave) {
      ram = memory
      // Interrupts come in between, so this is soon after that time, not exactly then.
      if (calls++ < afterUs / TICK_US) return behave()
      return statuses.at(-1) === 0 ? 0 : KICK_RESET
    },
    onStatus(status, memory) {
      statuses.push(status)
      if (status === 0) atReset = bytesOf(memory)
    },
  }
  const scenario = { ...SCENARIO, broker: { ...SCENARIO.broker, transfer } }
  const result = simulate(scenario, { design, payload: () => null, intruder })
  return { statuses, result, untouched: Buffer.compare(atReset!, bytesOf(ram!)) === 0 }
}

describe.each(['dedicated', 'floating'] as const)('%s', (design) => {
  it.each([
    ['a receiver', 500],
    ['a sender', 2500],
  ])('%s is reset in the middle of a transfer: the status reads 0 once the DMA has stopped', (_, afterUs) => {
    const { statuses, untouched, result } = leaveAt(afterUs, design, 'copy')
    // DRIVER_OK and all before it, for at least one read: the piece under way.
    expect(statuses[0]).toBe(15)
    expect(statuses.at(-1)).toBe(0)
    expect(statuses.length).toBeLessThan(5)
    expect(untouched).toBe(true)
    expect(result.payloadMismatches).toBe(0)
    for (const flow of ['commands', 'frames']) {
      const { messages, delivered, deadlineMisses } = result.flows[flow]!
      expect({ flow, delivered, deadlineMisses }).toEqual({ flow, delivered: messages, deadlineMisses: 0 })
    }
  })
})

it.each(['remap', 'lend'] as const)('a VM with pages that are to %s leaves too, and keeps its own', (transfer) => {
  for (const afterUs of [300, 900, 2100, 2700]) {
    const { statuses, untouched, result } = leaveAt(afterUs, 'floating', transfer)
    expect(statuses.at(-1)).toBe(0)
    expect(untouched).toBe(true)
    expect(result.flows.commands).toMatchObject({ delivered: 20 })
  }
})
