/** `virtio-sdk linux` before anything boots; `npm run test:linux` boots. */
import { describe, expect, it } from 'vitest'
import { run } from './fake.ts'

describe('linux', () => {
  it.each([
    [['--design', 'roving'], '--design roving: use both, floating or dedicated'],
    [['--bytes', '100'], '--bytes 100: write a multiple of 64KiB up to 16MiB, e.g. 4MiB'],
    [['--bytes', '1GiB'], '--bytes 1GiB: write a multiple of 64KiB up to 16MiB, e.g. 4MiB'],
    [['--bytes', 'much'], '--bytes much: write a multiple of 64KiB up to 16MiB, e.g. 4MiB'],
  ])('%j is refused', async (options, message) => {
    const { code, stderr } = await run(['linux', ...options], 'none.yaml')
    expect([code, stderr.trim()]).toEqual([2, message])
  })
})
