/** Every example runs: here against the sources, in `test/package` against what is published. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { simulate } from '../src/platform-zcu102/index.ts'
import { parseScenario, vmOnDedicatedCore } from '../src/scenario/index.ts'

const folder = new URL('../examples/', import.meta.url)
const examples = readdirSync(folder).filter((name) => name.endsWith('.ts'))

it.each(examples)('examples/%s', async (name) => {
  await import(new URL(name, folder).href)
})

it('the code in the README is that of examples', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const texts = examples.map((name) => readFileSync(new URL(name, folder), 'utf8'))
  const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code)
  expect(blocks.length).toBeGreaterThan(1)
  for (const block of blocks) expect(texts).toContain(block)
})

describe('scenarios', () => {
  const scenarios = readdirSync(new URL('scenarios/', folder))

  it.each(scenarios)('%s keeps its deadlines and its bytes, from end to end', (name) => {
    const text = readFileSync(new URL(`scenarios/${name}`, folder), 'utf8')
    const scenario = { ...parseScenario(text, { path: name }), durationNs: 200_000_000 }
    const result = simulate(scenario, { design: 'floating', payload: () => null })
    expect(result).toMatchObject({ deadlineMisses: 0, payloadMismatches: 0, violations: 0 })
    expect(result.messagesDelivered).toBe(result.messagesSent)
    for (const [chain, { flows, deadlineNs }] of scenario.chains.map((chain) => [chain.name, chain] as const)) {
      const { messages, delivered, deadlineMisses, responseTimeNs } = result.chains[chain]!
      expect({ delivered, deadlineMisses }).toEqual({ delivered: messages, deadlineMisses: 0 })
      expect(messages).toBe(result.flows[flows[0]!]!.messages)
      const computeNs = scenario.flows.reduce(
        (sum, { name, computeNs }) => sum + (flows.includes(name) ? computeNs : 0),
        0,
      )
      const hopsNs = flows.reduce((sum, flow) => sum + result.flows[flow]!.responseTimeNs!.min, 0)
      expect(responseTimeNs!.min).toBeGreaterThanOrEqual(computeNs + hopsNs)
      expect(responseTimeNs!.max).toBeLessThanOrEqual(deadlineNs)
    }
    const dedicated = () => simulate(scenario, { design: 'dedicated', payload: () => null })
    if (vmOnDedicatedCore(scenario))
      expect(dedicated).toThrow(/which the dedicated broker takes; move it, or simulate the/)
    else expect(dedicated()).toMatchObject({ deadlineMisses: 0, payloadMismatches: 0, violations: 0 })
  })
})
