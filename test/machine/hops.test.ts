/** Messages that release each other. Costs are pinned to nothing, so that what is left can be worked out by hand. */
import { describe, expect, it } from 'vitest'
import { simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'

const HEAD = `
duration: 4ms
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: perception, core: 1, cid: 4 }
  - { name: planner, core: 2, cid: 5 }
overrides: { dmaBytesPerNs: 1, chunkOverheadNs: [0, 0], messageOverheadNs: 0 }
`

const run = (text: string) => simulate(parseScenario(HEAD + text), { design: 'floating', payload: () => null })

/** All times of these runs are alike. */
const always = (ns: number) => ({ min: ns, p50: ns, p99: ns, max: ns })

describe('hops', () => {
  it('a chain takes its transfers and its computations, and no more', () => {
    const { flows, chains } = run(`
flows:
  - { name: frames, from: camera, to: perception, period: 1ms, length: 40000 }
  - { name: objects, from: perception, to: planner, period: 1ms, length: 5000, after: frames, compute: 200us }
  - { name: commands, from: planner, to: camera, period: 1ms, length: 10, after: objects, compute: 30us }
chains: [{ name: loop, flows: [frames, objects, commands], deadline: 275009ns }]
`)
    expect(flows.frames).toMatchObject({ messages: 4, delivered: 4, responseTimeNs: always(40_000) })
    expect(flows.objects).toMatchObject({ messages: 4, delivered: 4, responseTimeNs: always(5000) })
    expect(flows.commands).toMatchObject({ messages: 4, delivered: 4, responseTimeNs: always(10) })
    expect(chains.loop).toEqual({
      messages: 4,
      delivered: 4,
      deadlineMisses: 4,
      responseTimeNs: always(40_000 + 200_000 + 5000 + 30_000 + 10),
    })
  })

  it('one arrival releases several flows, whose computations share a core in order', () => {
    const { flows, chains } = run(`
flows:
  - { name: frames, from: camera, to: perception, period: 1ms, length: 1000 }
  - { name: first, from: perception, to: planner, period: 1ms, length: 100, after: frames, compute: 50us }
  - { name: second, from: perception, to: camera, period: 1ms, length: 10, after: frames, compute: 20us }
chains:
  - { name: to-first, flows: [frames, first], deadline: 1ms }
  - { name: to-second, flows: [frames, second], deadline: 1ms }
`)
    expect([flows.first!.delivered, flows.second!.delivered]).toEqual([4, 4])
    expect(chains['to-first']!.responseTimeNs).toEqual(always(1000 + 50_000 + 100))
    expect(chains['to-second']!.responseTimeNs).toEqual(always(1000 + 50_000 + 20_000 + 10))
  })

  it('a computation that is longer than the period delays those after it, and nothing is lost', () => {
    const { chains } = run(`
flows:
  - { name: frames, from: camera, to: perception, period: 1ms, length: 1000 }
  - { name: objects, from: perception, to: planner, period: 1ms, length: 1000, after: frames, compute: 1500us }
chains: [{ name: chain, flows: [frames, objects], deadline: 2ms }]
`)
    const firstNs = 1000 + 1_500_000 + 1000
    expect(chains.chain).toEqual({
      messages: 4,
      delivered: 4,
      deadlineMisses: 3,
      responseTimeNs: { min: firstNs, p50: firstNs + 500_000, p99: firstNs + 1_500_000, max: firstNs + 1_500_000 },
    })
  })

  it('sending goes before computing on the same core', () => {
    const { flows } = run(`
flows:
  - { name: frames, from: camera, to: perception, period: 4ms, length: 1000 }
  - { name: objects, from: perception, to: planner, period: 4ms, length: 1000, after: frames, compute: 2ms }
  - { name: status, from: perception, to: planner, period: 1ms, offset: 500us, length: 10 }
`)
    expect(flows.status!.responseTimeNs).toEqual(always(10))
  })
})
