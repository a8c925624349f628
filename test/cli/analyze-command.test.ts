/** `analyze`: what it prints, the object that programs read, and its exit codes. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from './fake.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'analyze-'))

function scenario(name: string, text: string): string {
  const path = join(FOLDER, name)
  writeFileSync(path, text)
  return path
}

const FLOWS = scenario(
  'flows.yaml',
  `
vms:
  - { name: a, core: 0, cid: 3, tasks: [{ name: loop, period: 10ms, wcet: 2ms }] }
  - { name: b, core: 1, cid: 4 }
flows:
  - { name: short, from: a, to: b, period: 5ms, length: 4KiB }
  - { name: long, from: b, to: a, period: 20ms, length: 256KiB }
broker: { regulator: { kind: budget, budget: 500us, period: 1ms } }
`,
)
const GOLDEN = scenario(
  'golden.yaml',
  `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f0, from: a, to: b, period: 5ms, length: 65536 }
  - { name: f1, from: a, to: b, period: 10ms, length: 614400 }
  - { name: f2, from: a, to: b, period: 20ms, length: 1048576 }
  - { name: f3, from: b, to: a, period: 50ms, length: 4194304 }
  - { name: f4, from: b, to: a, period: 100ms, length: 6220800 }
broker: { scheduler: fp, regulator: { kind: budget, budget: 500us, period: 1ms } }
overrides: { dmaBytesPerNs: 1.0, chunkOverheadNs: [3000, 3000], messageOverheadNs: 1000 }
`,
)

const analyze = (...args: string[]) => run(['analyze', ...args], FLOWS)
const object = async (...args: string[]) => JSON.parse((await analyze(...args, '--json')).stdout)

describe('analyze --json', () => {
  it('has the keys that others rely on', async () => {
    const found = await object(GOLDEN)
    expect(found.scheduler).toBe('fp')
    expect(found.schedulable).toEqual({ A0: true, A3: true, A4: true })
    expect(found.flows.map(({ bounds }: { bounds: { A4: number } }) => bounds.A4)).toEqual([
      260727, 1460127, 3545703, 13447479, 29588767,
    ])
    for (const flow of found.flows) {
      expect(flow).toMatchObject({
        name: expect.any(String),
        deadlineNs: expect.any(Number),
        endToEndNs: expect.any(Number),
        schedulable: { A0: true, A3: true, A4: true },
      })
      expect(flow.endToEndNs).toBeGreaterThanOrEqual(flow.bounds.A4)
    }
    expect((await object(GOLDEN, '--scheduler', 'edf')).schedulable).toEqual({ A0: true, A3: true, A4: true })
  })

  it('has terms that add up to the end-to-end bound', async () => {
    for (const scheduler of ['fp', 'edf']) {
      for (const { endToEndNs, parts, terms, window, drainedNs } of (await object(FLOWS, '--scheduler', scheduler))
        .flows) {
        const { ownWorkNs, interferenceNs, blockingNs, overheadNs, supplyNs, jitterNs, releaseNs } = terms.A4
        const stageNs = ownWorkNs + interferenceNs + blockingNs + overheadNs + supplyNs + jitterNs - releaseNs
        expect(parts.beforeNs + parts.stageNs + parts.afterNs).toBe(stageNs + parts.afterNs)
        const { totalNs, startNs, softwareNs, guestsNs, signalNs, ...copying } = window
        const copyingNs = copying.ownWorkNs + copying.interferenceNs + copying.blockingNs + copying.supplyNs
        expect(startNs + softwareNs + guestsNs + signalNs + copyingNs).toBe(totalNs)
        expect(endToEndNs).toBe(Math.min(stageNs + parts.afterNs, totalNs, drainedNs))
      }
    }
  })

  it('finds lengths and budgets at the border between fitting and not', async () => {
    const { flows, sensitivity } = await object(FLOWS)
    const codeWith = async (change: (text: string) => string) =>
      (await analyze(scenario('changed.yaml', change(CHANGEABLE)), '--quiet')).code
    const budget = (ns: number) => (text: string) => text.replace('budget: 500us', `budget: ${ns}`)
    expect(await codeWith(budget(sensitivity.smallestBudgetNs))).toBe(0)
    expect(await codeWith(budget(sensitivity.smallestBudgetNs - 1))).toBe(1)
    const length = (bytes: number) => (text: string) => text.replace('256KiB', String(bytes))
    expect(await codeWith(length(flows[1].largestLengthBytes))).toBe(0)
    expect(await codeWith(length(flows[1].largestLengthBytes + 1))).toBe(1)
  })

  it('analyses guest tasks under stolen time', async () => {
    const [task] = (await object(FLOWS)).tasks
    expect(task).toMatchObject({ vm: 'a', name: 'loop', deadlineNs: 10_000_000, schedulable: true })
    expect(task.responseNs).toBeGreaterThan(2_000_000)
  })
})

const CHANGEABLE = `
vms:
  - { name: a, core: 0, cid: 3, tasks: [{ name: loop, period: 10ms, wcet: 2ms }] }
  - { name: b, core: 1, cid: 4 }
flows:
  - { name: short, from: a, to: b, period: 5ms, length: 4KiB }
  - { name: long, from: b, to: a, period: 20ms, length: 256KiB }
broker: { regulator: { kind: budget, budget: 500us, period: 1ms } }
`

describe('analyze of more than there is', () => {
  const overload = (flow: string) =>
    scenario(
      'overload.yaml',
      `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f, from: a, to: b, ${flow} }
`,
    )

  it.each([
    ['period: 1ms, length: 4MiB', 'overload: 420 % of the DMA'],
    ['period: 10us, deadline: 10ms, length: 16KiB', 'overload: 165 % of the DMA'],
  ])('%s: says so in its first line', async (flow, line) => {
    const path = overload(flow)
    const { code, stdout } = await analyze(path)
    expect(code).toBe(1)
    expect(stdout.split('\n')[0]).toBe(line)
    expect((await object(path)).overload[0]).toBe(line)
  })

  it('has no such line where nothing is overloaded, and every share in a table', async () => {
    const { overload: lines, utilization } = await object(FLOWS)
    expect(lines).toEqual([])
    expect(utilization.map(({ name }: { name: string }) => name)).toEqual([
      'the DMA',
      'the budget of the DMA',
      'core 0',
      'core 1',
    ])
    const { stdout } = await analyze()
    expect(stdout).toContain('What is asked for in the long run')
    expect(stdout.split('\n')[0]).toContain('2 VMs, 2 flows')
  })
})

describe('analyze before its tables', () => {
  it('says how much is asked for, what would fail first and why', async () => {
    const { stdout } = await analyze()
    const lines = stdout.split('\n')
    expect(lines[3]).toMatch(/^Utilisation at worst costs: the DMA \d+ %, the budget of the DMA \d+ %, core 0 \d+ %, /)
    expect(lines[4]).toMatch(/^Would fail first: flow short, .* Of the flows long dominates it: .* Of the costs it is /)
    expect(lines[5]).toBe('')
    const { change, dominance } = await object()
    expect(change).toEqual({ fits: true, changes: [], predictions: 1, complete: true })
    expect(dominance).toMatchObject({ of: 'short', flows: [{ name: 'long' }] })
  })

  it('says which change fits, and it does', async () => {
    const [{ endToEndNs }] = (await object()).flows
    const tight = CHANGEABLE.replace('period: 5ms', `period: 5ms, deadline: ${endToEndNs - 1}`)
    const late = scenario('late-bulk.yaml', tight)
    const { code, stdout } = await analyze(late)
    expect(code).toBe(1)
    const at = stdout.split('\n').findIndex((line) => line.startsWith('The smallest change that fits: '))
    expect(at).toBe(5)
    const set = stdout.split('\n')[at + 1]!.trim().split(' ')
    expect((await analyze(late, ...set, '--quiet')).code).toBe(0)
    const { change } = await object(late)
    expect(set).toEqual(change.changes[0].set.flatMap((one: string) => ['--set', one]))
    expect(change.changes[0].flows.map(({ name }: { name: string }) => name)).toEqual(['short', 'long'])
  })

  it('says so where nothing that was tried fits', async () => {
    const none = scenario('none.yaml', CHANGEABLE.replace('period: 20ms', 'period: 100us, deadline: 100us'))
    const { stdout } = await analyze(none)
    expect(stdout).toMatch(/\nNo single change that fits was found: \d+ were tried\.\n/)
    expect((await object(none)).change).toMatchObject({ fits: false, changes: [] })
  })
})

describe('analyze', () => {
  it('prints bounds, terms, what would fit, stolen time and assumptions', async () => {
    const { code, stdout, stderr } = await analyze()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const part of [
      'Every deadline is met',
      'end to end',
      'slack',
      'smallest budget',
      'EL2',
      'loop',
      'Assumptions',
    ])
      expect(stdout).toContain(part)
  })

  it('says what holds whatever other VMs do, at which price, and what exit code and the other verdict do not depend on', async () => {
    const three = CHANGEABLE.replace('flows:', '  - { name: c, core: 2, cid: 5 }\nflows:').replace(
      'broker:',
      '  - { name: noise, from: c, to: a, period: 10ms, length: 4KiB }\nbroker:',
    )
    const path = scenario('three.yaml', three)
    const { stdout } = await analyze(path)
    expect(stdout.split('\n')[1]).toMatch(/^Every deadline is met/)
    expect(stdout.split('\n')[2]).toMatch(
      /^Whatever VMs do that are not trusted: every flow still meets its deadline\. Price, .*: short \d\.\d\d, long \d\.\d\d, noise \d\.\d\d\.$/,
    )
    const { untrusted, flows } = await object(path)
    const prices = flows.map((flow: { untrusted: { price: number } }) => flow.untrusted.price)
    expect(untrusted).toEqual({ schedulable: true, highestPrice: Math.max(...prices) })

    const late = scenario(
      'three-late.yaml',
      three.replace('period: 5ms,', `period: 5ms, deadline: ${flows[0].endToEndNs},`),
    )
    const { code, stdout: refused } = await analyze(late)
    expect(code).toBe(0)
    expect(refused.split('\n')[2]).toContain('not shown to meet their deadlines: flow short.')
    const { stdout: alone } = await analyze(GOLDEN, '--json')
    expect(JSON.parse(alone).untrusted).toBeNull()
    expect((await analyze()).stdout.split('\n')[2]).toMatch(/nothing is claimed/)
  })

  it('exits with 1 and names the flow that may be late', async () => {
    const late = scenario('late.yaml', CHANGEABLE.replace('period: 5ms', 'period: 5ms, deadline: 60us'))
    const { code, stdout } = await analyze(late)
    expect(code).toBe(1)
    expect(stdout).toContain('flow short')
  })

  it('assigns priorities as asked', async () => {
    for (const how of ['dm', 'optimal', 'levels=1', 'levels=2']) {
      const { code, stdout } = await analyze('--priorities', how, '--json')
      expect({ how, code }).toEqual({ how, code: 0 })
      expect(JSON.parse(stdout).scheduler).toBe('fp')
    }
    const ranks = (await object('--priorities', 'levels=1')).flows.map(({ rank }: { rank: number }) => rank)
    expect(ranks).toEqual([0, 0])
  })

  it('refuses what it does not know, and files that are not there', async () => {
    for (const args of [
      ['--scheduler', 'rr'],
      ['--design', 'both'],
      ['--priorities', 'levels=0'],
      ['--priorities', 'levels=99999999999999999999'],
      ['--priorities', 'dm', '--scheduler', 'edf'],
      ['nowhere.yaml'],
    ]) {
      const { code, stderr } = await analyze(...args)
      expect({ args, code }).toEqual({ args, code: 2 })
      expect(stderr).not.toBe('')
    }
  })
})

it('does not call a VM trusted that is only left out because it shares a core with an end of the flow', async () => {
  const path = scenario(
    'shared.yaml',
    `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: neighbour, core: 1, cid: 5 }]
flows: [{ name: f, from: a, to: b, period: 5ms, length: 4KiB }, { name: g, from: a, to: neighbour, period: 5ms, length: 4KiB }]
`,
  )
  const { stdout } = await run(['analyze', path], path)
  expect(stdout).toMatch(/^f +none: trusted, or on the core of an end /m)
  expect(stdout).not.toContain('all are trusted  ')
  expect(stdout).toContain('share core 1 without time slices')
})
