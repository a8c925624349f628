/** Two Linux guests, and between them the broker: what one sends over vsock the other gets, whole. */
import { describe, expect, it } from 'vitest'
import { GuestPair } from '../../src/linux/index.ts'
import { imagesOrNull } from './images.ts'

const images = imagesOrNull()

describe.skipIf(images === null)('two Linux guests', () => {
  it('exchange a MiB through the floating broker, copied once, with equal sha256', async () => {
    const pair = await GuestPair.boot(images!, 'floating')
    const [sent, received] = await pair.run(
      'dd if=/dev/urandom of=/tmp/f bs=64k count=16 2>/dev/null; sha256sum < /tmp/f; vsock connect 4 5000 < /tmp/f',
      'vsock listen 5000 < /dev/null | sha256sum',
    )
    expect([sent.status, received.status]).toEqual([0, 0])
    expect(received.output).toMatch(/^[0-9a-f]{64} {2}-\n$/)
    expect(sent.output.endsWith(received.output)).toBe(true)
    expect(pair.counts.dmaBytes).toBe(1 << 20)
    expect([pair.refused, pair.violations]).toEqual([[], []])
    expect(pair.registers.map(({ status }) => status)).toEqual([15, 15])
  }, 170_000)
})
