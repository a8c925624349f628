/** Two Linux guests, and between them the broker: what one sends over vsock the other gets, whole, and two runs are equal. */
import { describe, expect, it } from 'vitest'
import { exchangeInPair, type PairExchange, type Placement } from '../../src/linux/index.ts'
import { imagesOrNull } from './images.ts'

const images = imagesOrNull()
const BYTES = 1 << 20

async function exchange(placement: Placement): Promise<PairExchange> {
  const result = await exchangeInPair(images!, placement, BYTES)
  expect(result).toMatchObject({ placement, bytes: BYTES, dmaBytes: BYTES, refused: 0, violations: [] })
  expect(result.sha256[0]).toMatch(/^[0-9a-f]{64}$/)
  expect(result.sha256[1]).toBe(result.sha256[0])
  return result
}

describe.skipIf(images === null)('two Linux guests', () => {
  it('exchange a MiB through the floating broker, copied once, without an IPI, and the same way twice', async () => {
    const first = await exchange('floating')
    expect(first.ipis).toBe(0)
    expect(await exchange('floating')).toEqual(first)
  }, 400_000)

  it('exchange it through the dedicated broker, which is woken by IPIs', async () => {
    expect((await exchange('dedicated')).ipis).toBeGreaterThan(0)
  }, 200_000)
})
