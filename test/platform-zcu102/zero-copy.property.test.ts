/** Whole machines with random scenarios that move pages: everything arrives, and every VM ends with its own number of pages. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { profileOf } from '../../src/platform-zcu102/index.ts'
import { Machine } from '../../src/platform-zcu102/machine.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'

const RUNS = Number(process.env.VIRTIO_SDK_ZERO_COPY_MACHINES ?? 40)

const scenarios = fc
  .record({
    seed: fc.nat(1_000_000),
    buffers: fc.tuple(...[0, 1, 2].map(() => fc.constantFrom('page-aligned', 'page-aligned', 'unaligned'))),
    lengths: fc.tuple(
      ...[0, 1, 2].map(() =>
        fc.oneof(
          fc.integer({ min: 1, max: 300_000 }),
          fc.nat(70).map((n) => (n + 1) * 4096),
        ),
      ),
    ),
    transfer: fc.constantFrom('remap', 'lend', 'auto'),
    colors: fc.constantFrom(
      { colorPolicy: 'accept', poolColors: 0, sparePages: 0 } as const,
      { colorPolicy: 'refuse', poolColors: 0, sparePages: 0 } as const,
      { colorPolicy: 'pool', poolColors: 2, sparePages: 0 } as const,
      { colorPolicy: 'pool', poolColors: 2, sparePages: 30 } as const,
      { colorPolicy: 'pool', poolColors: 2, sparePages: 512 } as const,
    ),
    threshold: fc.constantFrom(1, 4, 20),
    interrupts: fc.constantFrom('minimum', 'plain'),
    scheduler: fc.constantFrom('edf', 'fp'),
  })
  .map(({ seed, buffers, lengths, transfer, colors, threshold, interrupts, scheduler }): Scenario => {
    const { broker, ...rest } = parseScenario(`
seed: ${seed}
duration: 30ms
vms:
  - { name: a, core: 0, cid: 3, buffers: ${buffers[0]} }
  - { name: b, core: 1, cid: 4, buffers: ${buffers[1]} }
  - { name: c, core: 2, cid: 5, buffers: ${buffers[2]} }
flows:
  - { name: ab, from: a, to: b, period: 5ms, length: ${lengths[0]} }
  - { name: bc, from: b, to: c, period: 3ms, length: ${lengths[1]}, jitter: 500us }
  - { name: ca, from: c, to: a, period: 4ms, length: ${lengths[2]} }
broker: { regulator: { kind: none }, transfer: ${transfer}, remapThreshold: ${threshold * 4096}, interrupts: ${interrupts}, scheduler: ${scheduler} }
`)
    return { ...rest, broker: { ...broker, ...colors } }
  })

it('random scenarios', () => {
  fc.assert(
    fc.property(scenarios, (scenario) => {
      const machine = new Machine(scenario, {
        design: 'floating',
        profile: profileOf('zcu102'),
        payload: () => null,
        trace: new TraceRecorder({ limit: 0 }),
      })
      machine.start()
      for (let ms = 1; machine.run(ms * 1e6) && ms < 400; ms++);
      for (const ledger of machine.ledgers) {
        expect(ledger.delivered).toBe(ledger.result().messages)
        expect(ledger.mismatches).toBe(0)
      }
      expect(machine.violations).toBe(0)
      const { spareFrames, stage2 } = machine.memory
      const frames = [...stage2.flatMap((table) => [...table.frames])]
      expect(frames).not.toContain(-1)
      // With the broker's spare pages: each VM has as many pages as it had, and no frame twice.
      expect(new Set(frames).size).toBe(frames.length)
      expect(stage2.every((table) => table.readOnly.every((flag) => flag === 0))).toBe(true)
      expect(spareFrames.length).toBe(scenario.broker.sparePages)
      const { foreignPages } = machine.zeroCopyCounts()
      if (scenario.broker.colorPolicy !== 'accept') {
        expect(foreignPages).toBe(0)
        for (const vm of Object.values(machine.memory.colorReport().vms)) expect(vm.foreignPages).toBe(0)
      }
    }),
    { seed: 1, numRuns: RUNS, endOnFailure: true },
  )
})
