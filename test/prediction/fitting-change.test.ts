/** What dominates a bound, and which single change fits: each holds when it is made and predicted anew, from the text as from the object. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { builtInProfile } from '../../src/boards/index.ts'
import { CHANGE_KINDS, fittingChanges, predict, predictedDominance } from '../../src/platform-zcu102/index.ts'
import { candidatesOf } from '../../src/prediction/change-candidates.ts'
import { everythingFits } from '../../src/prediction/predict.ts'
import { parseScenario, withValues } from '../../src/scenario/index.ts'

const CASES = fileURLToPath(new URL('bound-cases', import.meta.url))
const read = (name: string) => readFileSync(join(CASES, name), 'utf8')
const CAMERA = read('camera-chain.yaml')
const OPTIONS = { design: 'floating' } as const

/** Each kind has something to change here. */
const RICH = `
vms:
  - { name: a, core: 0, cid: 3, queue: 256, memguard: { refills: 1000, period: 1ms }, buffers: unaligned }
  - { name: b, core: 1, cid: 4, queue: 64, memguard: { refills: 2000, period: 1ms } }
flows:
  - { name: urgent, from: a, to: b, period: 5ms, length: 4KiB, priority: 1, credit: 16KiB }
  - { name: bulk, from: b, to: a, period: 100ms, length: 1MiB, priority: 0, credit: 2MiB }
`
const TRANSFERS = ['copy', 'lend', 'auto, colorPolicy: pool']

describe('fittingChanges', () => {
  it('splits the two bulk flows of a camera chain, which is the only kind of change that fits', () => {
    const { changes, complete, fits, predictions } = fittingChanges(parseScenario(CAMERA), OPTIONS)
    expect({ complete, fits }).toEqual({ complete: true, fits: false })
    expect(predictions).toBeLessThan(600)
    expect(changes.map(({ kind }) => kind)).toEqual(['split'])
    const [split] = changes
    expect(split!.what).toMatch(/^split recording into \d+ messages of .* and mapdata into \d+ messages of /)
    const made = parseScenario(withValues(CAMERA, split!.set))
    expect(made).toEqual(split!.scenario)
    const prediction = predict(made, OPTIONS)
    expect(everythingFits(prediction)).toBe(true)
    expect(prediction.chains[0]!.endToEndNs).toBeLessThanOrEqual(24_000_000)
    // As much in as long, or a little more.
    for (const { name, lengthBytes, periodNs } of parseScenario(CAMERA).flows) {
      const part = made.flows.find((flow) => flow.name === name)!
      expect(part.lengthBytes / part.periodNs).toBeGreaterThanOrEqual(lengthBytes / periodNs)
    }
  })

  it('finds changes that fit, as the object and as what --set makes of the text', () => {
    let found = 0
    for (const name of readdirSync(CASES)) {
      const text = read(name)
      const scenario = parseScenario(text)
      const { broker } = scenario
      const { changes, fits } = fittingChanges(scenario, { design: broker.placement })
      expect({ name, fits }).toEqual({ name, fits: everythingFits(predict(scenario, { design: broker.placement })) })
      if (fits) expect(changes).toEqual([])
      for (const { kind, prediction, scenario: changed, set } of changes) {
        const made = parseScenario(withValues(text, set))
        expect({ name, kind, made }).toEqual({ name, kind, made: changed })
        expect({ name, kind, fits: everythingFits(prediction) }).toEqual({ name, kind, fits: true })
        found++
      }
    }
    expect(found).toBeGreaterThan(4)
  })

  it('makes each candidate of text as of the object, and calls none a scenario that is refused', () => {
    const kinds = new Set<string>()
    for (const transfer of TRANSFERS) {
      for (const broker of [
        'scheduler: fp, regulator: { kind: budget, budget: 200us, period: 1ms }',
        'scheduler: edf, regulator: { kind: bucket, bytesPerNs: 0.5, burst: 64KiB }',
        'scheduler: edf, regulator: { kind: rate, bytesPerNs: 0.5 }',
      ]) {
        const text = `${RICH}broker: { transfer: ${transfer}, ${broker} }\n`
        const scenario = parseScenario(text)
        for (const kind of CHANGE_KINDS) {
          for (const { scenario: changed, set, what } of candidatesOf(
            kind,
            scenario,
            'floating',
            builtInProfile(scenario),
          )) {
            kinds.add(kind)
            expect({ what, made: parseScenario(withValues(text, set)) }).toEqual({ what, made: changed })
            expect({ what, changed }).not.toEqual({ what, changed: scenario })
          }
        }
      }
    }
    expect([...kinds].sort()).toEqual(CHANGE_KINDS.filter((kind) => kind !== 'deadline').sort())
  })

  it('gives later deadlines and other priorities where these alone are in the way', () => {
    const text = (priorities: readonly number[], deadline: string) => `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f, from: a, to: b, period: 20ms, deadline: ${deadline}, length: 64KiB, priority: ${priorities[0]} }
  - { name: g, from: a, to: b, period: 100ms, length: 2MiB, priority: ${priorities[1]} }
broker: { scheduler: fp }
overrides: { dmaBytesPerNs: 1.0, chunkOverheadNs: [3000, 3000], messageOverheadNs: 1000 }
`
    const ranked = fittingChanges(parseScenario(text([1, 0], '1ms')), OPTIONS)
    expect(ranked.changes[0]).toMatchObject({
      kind: 'priorities',
      set: ['flows.f.priority=null', 'flows.g.priority=null'],
    })
    const late = fittingChanges(parseScenario(text([0, 1], '50us')), OPTIONS)
    expect(late.changes.find(({ kind }) => kind === 'deadline')!.set).toEqual([
      expect.stringMatching(/^flows\.f\.deadline=\d+us$/),
    ])
  })

  it('asks for no more predictions than it may, and stops when it is told to', () => {
    const camera = parseScenario(CAMERA)
    const few = fittingChanges(camera, { ...OPTIONS, most: 30 })
    expect(few).toMatchObject({ complete: false, changes: [] })
    expect(few.predictions).toBeLessThanOrEqual(30)
    const asked: number[] = []
    const stopped = fittingChanges(camera, { ...OPTIONS, goesOn: (done) => asked.push(done) < 5 })
    expect(stopped).toMatchObject({ complete: false, predictions: asked.at(-1) })
    expect(asked).toHaveLength(5)
    expect(asked).toEqual([...asked].sort((a, b) => a - b))
  })
})

describe('predictedDominance', () => {
  it('names the flow without which a bound is least, whatever its terms are called', () => {
    const camera = parseScenario(CAMERA)
    const tried: number[] = []
    const { of, flows, costs, boundNs } = predictedDominance(camera, OPTIONS, 'chain reaction', (done) =>
      tried.push(done),
    )
    expect(of).toBe('chain reaction')
    expect(['recording', 'mapdata']).toContain(flows[0]!.name)
    expect(tried).toEqual(tried.map((_, i) => i))
    const without = {
      ...camera,
      flows: camera.flows.map((flow) => (flow.name === flows[0]!.name ? { ...flow, lengthBytes: 1 } : flow)),
    }
    expect(predict(without, OPTIONS).chains[0]!.endToEndNs).toBe(flows[0]!.boundNs)
    for (const list of [flows, costs]) {
      const bounds = list.map((one) => one.boundNs!)
      expect(bounds).toEqual([...bounds].sort((a, b) => a - b))
      expect(Math.max(...bounds)).toBeLessThan(boundNs!)
    }
  })

  it('looks at what needs most of its deadline, and finds what leaves a flow without a bound', () => {
    const log = predictedDominance(parseScenario(read('log.yaml')), OPTIONS)
    expect(log).toMatchObject({ boundNs: null, flows: [{ name: 'images' }] })
    const starved = predictedDominance(parseScenario(read('starve.yaml')), { design: 'floating' })
    expect(starved).toMatchObject({ of: 'bulk', boundNs: null, costs: [{ name: 'memguard' }] })
  })

  it('refuses a name that is not there', () => {
    expect(() => predictedDominance(parseScenario(CAMERA), OPTIONS, 'chain reacton')).toThrow(
      /did you mean chain reaction/,
    )
  })
})
