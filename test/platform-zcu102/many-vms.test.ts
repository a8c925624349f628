/** As many VMs as a scenario may have, on the cores of one board. */
import { expect, it } from 'vitest'
import { simulate } from '../../src/platform-zcu102/index.ts'
import { Track } from '../../src/platform-zcu102/trace-names.ts'
import { parseScenario } from '../../src/scenario/index.ts'

const VMS = 64
const CORES = 3

/** Every VM sends to the one half a round further, which is on another core: interrupts of all of them arrive by IPI. */
const SCENARIO = parseScenario(
  JSON.stringify({
    duration: '40ms',
    vms: Array.from({ length: VMS }, (_, vm) => ({ name: `vm${vm}`, core: vm % CORES, cid: 3 + vm, ram: '1536KiB' })),
    flows: Array.from({ length: VMS }, (_, vm) => ({
      name: `flow${vm}`,
      from: `vm${vm}`,
      to: `vm${(vm + VMS / 2) % VMS}`,
      period: '20ms',
      length: 5000,
    })),
    broker: { interrupts: 'plain' },
  }),
)

it.each(['dedicated', 'floating'] as const)('64 VMs, %s: each is interrupted for its own messages', (design) => {
  const result = simulate(SCENARIO, { design, payload: () => null })
  expect(result).toMatchObject({
    messagesSent: 2 * VMS,
    messagesDelivered: 2 * VMS,
    payloadMismatches: 0,
    violations: 0,
  })
  expect(result.crossCoreIpis).toBeGreaterThanOrEqual(2 * VMS)
})

it('in a trace every core, every guest core, the DMA and every flow has a track of its own', () => {
  const cores = Array.from({ length: 64 }, (_, core) => core)
  const flows = Array.from({ length: 1024 }, (_, flow) => flow)
  const tracks = [...cores.map(Track.core), ...cores.map(Track.guest), Track.dma, ...flows.map(Track.flow)]
  expect(new Set(tracks).size).toBe(tracks.length)
})

it('a loop of runs keeps none of its machines, though it never waits', () => {
  const scenario = parseScenario(
    `duration: 1ms
vms: [{ name: a, core: 0, cid: 3, ram: 16MiB }, { name: b, core: 1, cid: 4, ram: 16MiB }]
flows: [{ name: f, from: a, to: b, period: 1ms, length: 100 }]
`,
  )
  for (let run = 0; run < 24; run++) simulate(scenario, { design: 'floating', payload: () => null })
  // 24 machines of 32 MiB each; how many of them are garbage that waits to be collected is up to the engine.
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(12 * 2 ** 25)
})
