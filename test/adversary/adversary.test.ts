/** The adversary itself: what it draws is the same for ever, can run, leaves nothing out; and what it finds can be run again. */
import { describe, expect, it } from 'vitest'
import { formatCase, inputsOf, parseCase } from '../../adversary/case.ts'
import { drawCase } from '../../adversary/draw-case.ts'
import { examine, examineCase, ingredientsOf } from '../../adversary/examine.ts'
import { shrink } from '../../adversary/shrink.ts'
import { Summary } from '../../adversary/summary.ts'
import { longestResponses } from '../../adversary/tasks.ts'
import { tryCase } from '../../adversary/try-case.ts'
import { Intervals, Witness } from '../../adversary/witness.ts'
import { Random } from '../../src/internal/random.ts'
import { Machine } from '../../src/platform-zcu102/machine.ts'

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

describe('what is seen', () => {
  it('of EL2 is what the machine counts', () => {
    for (let index = 0; index < 6; index++) {
      const { scenario, profile } = inputsOf(drawCase(SEED, index))
      const witness = new Witness(scenario.flows.length)
      const design = scenario.broker.placement
      const machine = new Machine(scenario, { design, profile, payload: () => null, trace: witness })
      machine.start()
      witness.start()
      machine.run(2 * scenario.durationNs)
      for (const core of new Set(scenario.vms.map((vm) => vm.core))) {
        const open = machine.cores.isEntered(core) ? machine.stolenNs(core) : 0
        const seenNs = witness.stolen(core).sumNs.at(-1)!
        expect({
          index,
          core,
          least: seenNs <= machine.stolenNs(core),
          most: seenNs >= machine.stolenNs(core) - open,
        }).toEqual({
          index,
          core,
          least: true,
          most: true,
        })
      }
    }
  })

  it('of tasks is their response in what is left of a core', () => {
    const busy = new Intervals()
    for (const startNs of [100, 200, 300, 400]) busy.add(startNs, startNs + 60)
    const task = (name: string, periodNs: number, wcetNs: number) => ({ name, periodNs, wcetNs })
    // 60 busy, 30 of its own; below it 60 busy, 30, 10, 60 busy, 30 of which it needs 20.
    expect(longestResponses([task('a', 1000, 30), task('b', 1000, 30)], busy, 10_000)).toEqual([90, 180])
    expect(longestResponses([task('a', 1000, 30)], busy, 150)).toEqual([0])
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
      const { crashed, flows } = examineCase(candidate, new Random(0))
      return crashed === null && flows > 0
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
