import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { chromeTrace, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'

const DEFAULT = parseScenario(readFileSync(new URL('../../examples/scenarios/default.yaml', import.meta.url), 'utf8'))
const SHORT: Scenario = { ...DEFAULT, durationNs: 100_000_000 }
const DESIGNS = ['dedicated', 'floating'] as const

describe.each(DESIGNS)('%s', (design) => {
  it('delivers every message with the bytes that were sent', () => {
    const seen = new Map<string, number>()
    const payload = Uint8Array.from({ length: 1009 }, (_, i) => i * 7)
    const result = simulate(SHORT, {
      design,
      payload: () => payload,
      onMessage: ({ flow, sequence, bytes }) => {
        expect(sequence).toBe(seen.get(flow) ?? 0)
        const start = (sequence * bytes.length) % payload.length
        const expected = Uint8Array.from(bytes, (_, i) => payload[(start + i) % payload.length]!)
        expect(Buffer.compare(bytes, expected)).toBe(0)
        seen.set(flow, sequence + 1)
      },
    })
    expect(result.messagesDelivered).toBe(result.messagesSent)
    expect(result.payloadMismatches).toBe(0)
    expect([...seen.values()].reduce((a, b) => a + b, 0)).toBe(result.messagesSent)
  })

  it('is deterministic: same seed, same result and trace; another seed, another trace', () => {
    const run = (seed: number) => simulate({ ...SHORT, seed }, { design, payload: () => null })
    expect(run(7)).toEqual(run(7))
    expect(run(7).traceHash).not.toBe(run(8).traceHash)
    const { traceHash, ...rest } = simulate({ ...SHORT, seed: 7 }, { design, payload: () => null, hashesRun: false })
    expect(traceHash).toBe('')
    expect(run(7)).toMatchObject(rest)
  })

  it.each(['edf', 'fp'] as const)('meets every deadline of the default scenario under %s', (scheduler) => {
    const scenario = { ...SHORT, broker: { ...SHORT.broker, scheduler } }
    expect(simulate(scenario, { design, payload: () => null }).deadlineMisses).toBe(0)
  })

  it('goes on through small credit windows, small queues and jitter', () => {
    const scenario: Scenario = {
      ...SHORT,
      vms: SHORT.vms.map((vm) => ({ ...vm, queueSize: 512 })),
      flows: SHORT.flows.map((flow) => ({ ...flow, creditBytes: 3 * flow.lengthBytes, jitterNs: 300_000 })),
    }
    const result = simulate(scenario, { design, payload: () => null })
    expect(result).toMatchObject({ messagesDelivered: result.messagesSent, payloadMismatches: 0, violations: 0 })
  })

  it('writes a trace that parses, with every span on a named track', () => {
    const trace = new TraceRecorder()
    simulate({ ...SHORT, durationNs: 20_000_000 }, { design, payload: () => null, trace })
    const { traceEvents } = JSON.parse([...chromeTrace(trace, SHORT)].join('')) as {
      traceEvents: { ph: string; tid: number; id?: string }[]
    }
    const named = new Set(traceEvents.filter(({ ph }) => ph === 'M').map(({ tid }) => tid))
    expect(traceEvents.filter(({ ph, tid }) => ph !== 'M' && !named.has(tid))).toEqual([])
    const count = (form: string) => traceEvents.filter(({ ph }) => ph === form).length
    expect(count('b')).toBeGreaterThan(0)
    expect(count('b')).toBe(count('e'))
  })
})

describe('floating', () => {
  it('moves page-aligned messages by remapping, with the same bytes and no DMA', () => {
    const scenario: Scenario = {
      ...SHORT,
      flows: SHORT.flows.map((flow) => ({ ...flow, lengthBytes: Math.ceil(flow.lengthBytes / 4096) * 4096 })),
      broker: { ...SHORT.broker, transfer: 'remap' },
    }
    const result = simulate(scenario, { design: 'floating', payload: () => null })
    expect(result).toMatchObject({ messagesDelivered: result.messagesSent, payloadMismatches: 0, dmaTransfers: 0 })
    expect(result.pagesRemapped).toBeGreaterThan(0)
  })

  it('a guest that was told of its message does not wait until the next chain is built', () => {
    const scenario = parseScenario(`
duration: 20ms
costs: typical
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: planner, core: 1, cid: 4 }
  - { name: logger, core: 2, cid: 5 }
flows:
  - { name: urgent, from: camera, to: planner, period: 20ms, deadline: 1ms, length: 40000 }
  - { name: bulk, from: camera, to: logger, period: 20ms, offset: 10us, length: 4MiB }
`)
    const { flows, vmInterrupts } = simulate(scenario, { design: 'floating', payload: () => null })
    // Its core chains 1024 pieces of the next message, 350 ns each: more than 350 us.
    expect(flows.urgent!.responseTimeNs!.max).toBeLessThan(60_000)
    // One for each message, and the timer with which the core goes on with its chain.
    expect(vmInterrupts).toBe(3)
  })

  it('refuses what it cannot simulate, and says what would work', () => {
    const run = (scenario: Scenario) => () => simulate(scenario, { design: 'dedicated', payload: () => null })
    expect(run({ ...SHORT, platform: 'nonesuch' })).toThrow(/use one of zcu102/)
    expect(run({ ...SHORT, vms: SHORT.vms.map((vm) => ({ ...vm, core: vm.core + 1 })) })).toThrow(/dedicated broker/)
  })
})
