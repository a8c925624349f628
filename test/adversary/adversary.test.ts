/** The adversary itself: what it draws is the same for ever, can run, leaves nothing out; and what it finds can be run again. */
import { describe, expect, it } from 'vitest'
import { formatCase, inputsOf, parseCase } from '../../adversary/case.ts'
import { drawCase } from '../../adversary/draw-case.ts'
import { examine, examineCase, ingredientsOf } from '../../adversary/examine.ts'
import { shrink } from '../../adversary/shrink.ts'
import { Summary } from '../../adversary/summary.ts'
import { tryCase } from '../../adversary/try-case.ts'
import { Random } from '../../src/internal/random.ts'

const SEED = 7

describe('what is drawn', () => {
  it('is the same whenever it is drawn, and differs by index and by seed', () => {
    expect(drawCase(SEED, 3)).toEqual(drawCase(SEED, 3))
    expect(drawCase(SEED, 3)).not.toEqual(drawCase(SEED, 4))
    expect(drawCase(SEED, 3)).not.toEqual(drawCase(SEED + 1, 3))
  })

  it('is a scenario and a calibration that can be read', () => {
    for (let index = 0; index < 200; index++) {
      const found = drawCase(SEED, index)
      const { scenario, profile } = inputsOf(found)
      expect(scenario.flows).toHaveLength(found.scenario.flows.length)
      if (found.calibration !== null) expect(profile.costsNs.usedRing.status).toBe('MEASURED')
    }
  })

  it('covers every option', () => {
    const covered = new Map<string, Set<string>>()
    for (let index = 0; index < 600; index++) {
      for (const [option, value] of ingredientsOf(drawCase(SEED, index))) {
        covered.set(option, (covered.get(option) ?? new Set()).add(value))
      }
    }
    const values = (option: string) =>
      [...covered.get(option)!].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    expect(values('placement')).toEqual(['dedicated', 'floating'])
    expect(values('scheduler')).toEqual(['edf', 'fp'])
    expect(values('regulator')).toEqual(['bucket', 'budget', 'none', 'rate'])
    expect(values('transfer')).toEqual(['auto', 'copy', 'lend', 'remap'])
    expect(values('chunk')).toEqual(['512', '1024', '2048', '4096', '16384', '65536'])
    expect(values('chaining')).toEqual(['adaptive', 'piece'])
    expect(values('colorPolicy')).toEqual(['accept', 'pool', 'refuse'])
    expect(values('memguard')).toEqual(['accept', 'interruptible', 'none', 'retarget', 'service'])
    expect(values('interrupts')).toEqual(['coalesce', 'minimum', 'plain', 'polling', 'switches'])
    expect(values('VMs')).toEqual(['2', '3', '4', '5', '6', '7', '8'])
    expect(values('buffers')).toEqual(['page-aligned', 'unaligned'])
    expect(values('chains')).toEqual(['fan-out', 'line', 'none'])
    expect(values('deadline / period')).toEqual(['<= 1', '<= 2', '<= 4', '> 4'])
    expect(values('jitter / period')).toEqual(['<= 0', '<= 0.5', '<= 1', '<= 2.5'])
    expect(values('credit / length')).toEqual(['<= 11', '<= 40', 'plenty'])
    expect(values('costs')).toEqual(['board', 'ones', 'random', 'ranges', 'spike', 'spikes', 'worst'])
    for (const option of ['shared cores', 'small queue', 'tasks', 'prefetched pieces', 'overload']) {
      expect({ option, values: values(option) }).toEqual({ option, values: ['no', 'yes'] })
    }
  })

  it('has one dear action among cheap ones, of every kind', () => {
    const dear = new Set<string>()
    for (let index = 0; index < 600; index++) {
      const { calibration, costs } = drawCase(SEED, index)
      if (costs !== 'spike') continue
      const spikes = Object.entries(calibration!.costsNs).filter(([, triple]) => triple[2] > 1)
      for (const [op] of spikes) dear.add(op)
      expect(spikes.length).toBeLessThanOrEqual(1)
    }
    expect(dear.size).toBeGreaterThanOrEqual(18)
  })
})

describe('what is found', () => {
  it('is the same whenever a case is examined', () => {
    for (let index = 0; index < 4; index++) expect(examine(SEED, index)).toEqual(examine(SEED, index))
  })

  it('comes near to its bounds', () => {
    const summary = new Summary()
    for (let index = 0; index < 12; index++) summary.add(examine(SEED, index))
    const { boundNs, observedNs } = summary.nearest!.comparison
    expect(observedNs / boundNs).toBeGreaterThan(0.9)
    expect(summary.bounds).toBeGreaterThan(40)
  })

  it('can be written down and run again', () => {
    const drawn = drawCase(SEED, 2)
    const { comparisons } = tryCase(drawn, new Random(1))
    const worst = comparisons[0]!
    const text = formatCase({ scenario: drawn.scenario, calibration: drawn.calibration, attack: worst.attack })
    const again = tryCase(parseCase(text), new Random(2))
    expect(again.runs).toBe(1)
    expect(again.comparisons).toContainEqual(worst)
  })

  it('shrinks to what matters', () => {
    const drawn = drawCase(SEED, 2)
    const attack = tryCase(drawn, new Random(1)).comparisons[0]!.attack
    const small = shrink({ scenario: drawn.scenario, calibration: drawn.calibration, attack }, (candidate) => {
      const { refused, crashed, flows } = examineCase(candidate, new Random(0))
      return refused === null && crashed === null && flows > 0
    })
    expect(small.scenario.flows).toHaveLength(1)
    expect(small.scenario.vms).toHaveLength(2)
    expect(Object.keys(small.scenario.broker).sort()).toEqual(['placement', 'scheduler'])
    expect(small.attack!.offsetsNs).toHaveLength(1)
  })

  it('says what is no case', () => {
    expect(() => parseCase('vms: []')).toThrow('keys scenario, calibration and attack')
    expect(() => parseCase('{')).toThrow('one YAML document')
  })
})
