import { expect, it } from 'vitest'
import { LeastKeys } from '../../src/internal/least-keys.ts'
import { Random } from '../../src/internal/random.ts'

it('answers as a scan does, for every size', () => {
  for (const size of [0, 1, 2, 3, 5, 8, 13, 64, 100]) {
    const random = new Random(size)
    const keys = new LeastKeys(size)
    const plain = new Array<number>(size).fill(Number.POSITIVE_INFINITY)
    expect([keys.least, keys.firstBelow(5)]).toEqual([Number.POSITIVE_INFINITY, -1])
    for (let step = 0; step < 500 && size > 0; step++) {
      const index = random.between(0, size - 1)
      const key = random.chance(0.4) ? Number.POSITIVE_INFINITY : random.between(-3, 20)
      keys.set(index, key)
      plain[index] = key
      const [limit, from] = [random.between(-4, 21), random.between(0, size)]
      expect(keys.get(index)).toBe(key)
      expect(keys.least).toBe(Math.min(...plain))
      if (keys.least < Number.POSITIVE_INFINITY) expect(keys.leastIndex).toBe(plain.indexOf(keys.least))
      expect(keys.firstBelow(limit, from)).toBe(plain.findIndex((other, at) => at >= from && other < limit))
    }
  }
})
