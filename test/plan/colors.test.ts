import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Dram, Stage2Table } from '../../src/machine/stage2.ts'
import { ColoredFrames, planColors } from '../../src/plan/colors.ts'
import { simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

const PAGE = 4096
const wish = (colors: readonly number[] | null, name = 'vm') => ({ name, colors })

describe('planColors', () => {
  it('gives VMs without a wish disjoint adjacent shares, and the pool the last colours', () => {
    expect(planColors(16, [wish(null), wish(null), wish(null)], 1)).toEqual({
      colors: 16,
      vms: [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8, 9],
        [10, 11, 12, 13, 14],
      ],
      pool: [15],
    })
    expect(planColors(16, [wish([1, 0]), wish(null), wish(null)], 0).vms).toEqual([
      [0, 1],
      [2, 3, 4, 5, 6, 7, 8],
      [9, 10, 11, 12, 13, 14, 15],
    ])
  })

  it('never shares a colour that it need not share', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 12 }), (colors, vms) => {
        const plan = planColors(
          colors,
          Array.from({ length: vms }, () => wish(null)),
          0,
        )
        const all = plan.vms.flat()
        expect(plan.vms.every((own) => own.length > 0)).toBe(true)
        expect(new Set(all).size).toBe(vms <= colors ? all.length : colors)
      }),
      { seed: 1 },
    )
  })

  it('refuses colours that the board has not, or that are the pool’s', () => {
    expect(() => planColors(16, [wish([16], 'camera')], 0)).toThrow(/VM camera has page colour 16.*0 to 15/)
    expect(() => planColors(16, [wish([15], 'camera')], 1)).toThrow(/0 to 14; the last 1 are the exchange pool/)
    expect(() => planColors(16, [wish(null)], 16)).toThrow(/leave at least one/)
  })
})

describe('ColoredFrames', () => {
  it('hands out each frame number once, of the colours asked for, ascending', () => {
    const frames = new ColoredFrames(4, 12)
    expect([1, 2, 3, 4, 5, 6].map(() => frames.take([0, 1]))).toEqual([0, 1, 4, 5, 8, 9])
    expect([1, 2].map(() => frames.take([3]))).toEqual([3, 7])
    expect(() => frames.take([0, 1])).toThrow(/2 of 4 page colours does not fit a board of 12 pages/)
  })
})

describe('Dram', () => {
  it('RAM of k of 16 colours lies in physical runs of k pages at most', () => {
    for (let k = 1; k <= 16; k++) {
      const pages = 64
      const dram = new Dram(2 * pages * PAGE, 16)
      const colors = Array.from({ length: k }, (_, color) => color)
      const table = new Stage2Table(dram, 0, [{ bytes: pages * PAGE, colors }])
      new Stage2Table(dram, 0, [{ bytes: pages * PAGE, colors: [15] }])
      let run = 1
      for (let page = 1; page < pages; page++) {
        const follows = dram.addressOf(table.frames[page]!) === dram.addressOf(table.frames[page - 1]!) + PAGE
        run = follows ? run + 1 : 1
        expect(run).toBeLessThanOrEqual(k === 16 ? pages : k)
      }
      const pagesByColor = table.pagesByColor(dram)
      expect(pagesByColor.subarray(k).every((n) => n === 0)).toBe(true)
      // One extent of all pages: a descriptor for every run.
      expect(dram.physicalPieces(0, 0, pages * PAGE)).toBe(k === 16 ? 1 : Math.ceil(pages / k))
    }
  })

  it('counts a descriptor for every physical run on either side', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(15), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(15), { minLength: 1, maxLength: 5 }),
        fc.nat(3 * PAGE),
        fc.nat(3 * PAGE),
        fc.integer({ min: 1, max: 5 * PAGE }),
        (from, to, a, b, length) => {
          const dram = new Dram(16 * PAGE, 16)
          dram.takeFrames(8, [...new Set(from)])
          dram.takeFrames(8, [...new Set(to)])
          const source = a
          const destination = 8 * PAGE + b
          const physical = (at: number) => dram.addressOf(Math.floor(at / PAGE)) + (at % PAGE)
          let runs = 1
          for (let i = 1; i < length; i++) {
            const broken = (start: number) => physical(start + i) !== physical(start + i - 1) + 1
            if (broken(source) || broken(destination)) runs++
          }
          expect(dram.physicalPieces(source, destination, length)).toBe(runs)
        },
      ),
      { seed: 2, numRuns: 60 },
    )
  })
})

const scenario = (vms: string): Scenario =>
  parseScenario(`
costs: typical
duration: 40ms
vms:
${vms}
flows:
  - { name: a, from: sender, to: receiver, period: 10ms, length: 40960 }
  - { name: b, from: sender, to: other, period: 10ms, length: 8192 }
broker: { regulator: { kind: none } }
`)

describe('a machine', () => {
  it('keeps VMs apart by default, and says who shares what otherwise', () => {
    const apart = scenario(`
  - { name: sender, core: 0, cid: 3 }
  - { name: receiver, core: 1, cid: 4 }
  - { name: other, core: 2, cid: 5 }`)
    const { colors } = simulate(apart, { design: 'floating', payload: () => null })
    expect(colors.shared).toEqual([])
    expect(Object.values(colors.vms).map((vm) => vm.colors.length)).toEqual([6, 5, 5])
    expect(Object.values(colors.vms).map((vm) => vm.longestRunPages)).toEqual([6, 5, 5])
    expect(Object.values(colors.vms).map((vm) => vm.foreignPages)).toEqual([0, 0, 0])

    const together = scenario(`
  - { name: sender, core: 0, cid: 3, colors: 0-3 }
  - { name: receiver, core: 1, cid: 4, colors: 2-5 }
  - { name: other, core: 2, cid: 5, colors: 12-15 }`)
    const { shared } = simulate(together, { design: 'floating', payload: () => null }).colors
    expect(shared.map(({ vms, colors }) => ({ vms, colors }))).toEqual([
      { vms: ['sender', 'receiver'], colors: [2, 3] },
    ])
    for (const { pages } of shared) expect(Math.min(...pages)).toBeGreaterThan(100)
  })
})
