import { dirichletRescale, drawFlows, type FlowSetParameters, seedOf, uunifast } from 'virtio-sdk/evaluation'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
const mean = (values: readonly number[]) => sum(values) / values.length

describe('UUniFast', () => {
  it('adds up, and every place has the distribution of a uniform point of the simplex', () => {
    const random = new Random(1)
    const draws = Array.from({ length: 20_000 }, () => uunifast(random, 5, 0.8))
    for (const draw of draws) expect(sum(draw)).toBeCloseTo(0.8, 12)
    for (let place = 0; place < 5; place++) {
      const values = draws.map((draw) => draw[place]! / 0.8)
      // Beta(1, n-1): mean 1/n, and P(x > 1/2) = (1/2)^(n-1).
      expect(mean(values)).toBeCloseTo(0.2, 2)
      expect(mean(values.map((value) => Number(value > 0.5)))).toBeCloseTo(0.5 ** 4, 2)
    }
  })
})

describe('Dirichlet-rescale', () => {
  it.each([
    ['wide bounds', [0, 0, 0, 0], [0.6, 0.6, 0.5, 0.4], 0.9],
    ['bounds near the sum', [0, 0, 0, 0], [0.3, 0.3, 0.3, 0.2], 1],
    ['lower bounds too', [0.1, 0.05, 0, 0.2], [0.4, 0.9, 0.3, 0.5], 0.7],
    ['one bound that binds', [0, 0, 0, 0], [0.01, 1, 1, 1], 1],
  ])('%s: within them, and its means are those of rejection sampling', (_, low, high, total) => {
    const random = new Random(2)
    const draws = Array.from({ length: 4_000 }, () => dirichletRescale(random, total, low, high))
    for (const draw of draws) {
      expect(sum(draw)).toBeCloseTo(total, 9)
      draw.forEach((value, i) => {
        expect(value).toBeGreaterThan(low[i]! - 1e-9)
        expect(value).toBeLessThan(high[i]! + 1e-9)
      })
    }
    const accepted: number[][] = []
    while (accepted.length < 3000) {
      const draw = uunifast(random, 4, total - sum(low)).map((value, i) => value + low[i]!)
      if (draw.every((value, i) => value <= high[i]!)) accepted.push(draw)
    }
    for (let place = 0; place < 4; place++) {
      const difference = mean(draws.map((draw) => draw[place]!)) - mean(accepted.map((draw) => draw[place]!))
      expect(Math.abs(difference)).toBeLessThan(0.02 * total)
    }
  })

  it('refuses bounds that no vector meets', () => {
    expect(() => dirichletRescale(new Random(1), 1, [0, 0], [0.4, 0.5])).toThrow('adds up to 1')
    expect(() => dirichletRescale(new Random(1), 1, [0.6, 0.5], [0.9, 0.9])).toThrow('adds up to 1')
  })
})

describe('flow sets', () => {
  const parameters: FlowSetParameters = {
    generator: 'uunifast',
    deadlines: 'implicit',
    flows: 8,
    utilization: 0.6,
    dmaBytesPerNs: 1,
    budgetShare: 0.5,
  }

  it.each(['uunifast', 'drs'] as const)(
    '%s: the demanded utilisation, periods log-uniform over 2..100 ms',
    (generator) => {
      const logs: number[] = []
      for (let seed = 0; seed < 500; seed++) {
        const flows = drawFlows({ ...parameters, generator }, seed)
        const demanded = sum(flows.map(({ lengthBytes, periodNs }) => lengthBytes / periodNs / 0.5))
        expect(demanded).toBeGreaterThan(0.599)
        expect(demanded).toBeLessThan(0.6 + (8 * 64) / 2_000_000 / 0.5)
        for (const { periodNs, deadlineNs, lengthBytes } of flows) {
          expect(deadlineNs).toBe(periodNs)
          expect(lengthBytes).toBeGreaterThanOrEqual(64)
          logs.push(Math.log(periodNs / 2_000_000) / Math.log(50))
        }
      }
      expect(Math.min(...logs)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...logs)).toBeLessThanOrEqual(1)
      expect(mean(logs)).toBeCloseTo(0.5, 1)
      expect(mean(logs.map((log) => Number(log < 0.25)))).toBeCloseTo(0.25, 1)
    },
  )

  it('constrained deadlines leave the message at least half of its slack', () => {
    for (let seed = 0; seed < 200; seed++) {
      for (const { periodNs, deadlineNs, lengthBytes } of drawFlows(
        { ...parameters, deadlines: 'constrained' },
        seed,
      )) {
        expect(deadlineNs).toBeLessThanOrEqual(periodNs)
        expect(deadlineNs).toBeGreaterThanOrEqual(Math.floor((periodNs + lengthBytes / 0.5) / 2))
      }
    }
  })

  it('a seed is a set, and the load does not depend on the design', () => {
    expect(drawFlows(parameters, 7)).toEqual(drawFlows(parameters, 7))
    expect(drawFlows(parameters, 7)).not.toEqual(drawFlows(parameters, 8))
  })
})

describe('seeds', () => {
  it('of different samples differ, and are exact integers', () => {
    const seeds = new Set<number>()
    for (let point = 0; point < 100; point++)
      for (let index = 0; index < 1000; index++) seeds.add(seedOf(1, 'curve', point, index))
    expect(seeds.size).toBe(100_000)
    for (const seed of seeds) expect(Number.isSafeInteger(seed)).toBe(true)
  })

  it('depend on every part of the path and on all of the campaign seed', () => {
    const all = [
      seedOf(1, 'ab', 'c', 1),
      seedOf(1, 'a', 'bc', 1),
      seedOf(1, 'ab', 'c', 2),
      seedOf(2, 'ab', 'c', 1),
      seedOf(2 ** 40 + 1, 'ab', 'c', 1),
      seedOf(1, 'ab', 'c', 2 ** 40 + 1),
    ]
    expect(new Set(all).size).toBe(all.length)
  })
})
