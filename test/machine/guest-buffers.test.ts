/** Both kinds of driver, on either side, under every way to move a message: what arrives is what was sent. */
import { describe, expect, it } from 'vitest'
import { type DesignResult, simulate, zcu102 } from '../../src/platform-zcu102/index.ts'
import { type BrokerSpec, parseScenario, type VmSpec } from '../../src/scenario/index.ts'

const PAGE = 4096
/** Sent as pages behind the 44 bytes of a header: the rest of that page and a tail are left over. */
const PAGES = 40
const LENGTH = PAGES * PAGE + 777

function run(sender: VmSpec['buffers'], receiver: VmSpec['buffers'], broker: Partial<BrokerSpec>): DesignResult {
  const scenario = parseScenario(`
duration: 60ms
vms:
  - { name: sender, core: 0, cid: 3, buffers: ${sender} }
  - { name: receiver, core: 1, cid: 4, buffers: ${receiver} }
flows:
  - { name: big, from: sender, to: receiver, period: 5ms, length: ${LENGTH} }
  - { name: back, from: receiver, to: sender, period: 3ms, length: 9000 }
  - { name: small, from: sender, to: receiver, period: 1ms, length: 100 }
broker: { regulator: { kind: none } }
`)
  const result = simulate(
    { ...scenario, broker: { ...scenario.broker, ...broker } },
    { design: 'floating', payload: () => null },
  )
  expect(result).toMatchObject({
    messagesDelivered: result.messagesSent,
    payloadMismatches: 0,
    violations: 0,
    deadlineMisses: 0,
  })
  return result
}

const BIG_MESSAGES = 12

describe.each(['remap', 'lend'] as const)('%s', (transfer) => {
  const moved = (result: DesignResult) => (transfer === 'remap' ? result.pagesRemapped : result.pagesLent)

  it('aligned at both ends: whole pages are moved, the tail is copied, the DMA is for short messages', () => {
    const result = run('page-aligned', 'page-aligned', { transfer })
    // Of a message of 9000 bytes two pages.
    expect(moved(result)).toBe(BIG_MESSAGES * PAGES + 20 * 2)
    expect(result).toMatchObject({ dmaTransfers: 60, copyFallbacks: 0, pagesRevoked: 0 })
  })

  it('a sender that is not aligned: the pages in the middle are moved, head and tail are copied', () => {
    const result = run('unaligned', 'page-aligned', { transfer })
    // The buffers begin anywhere, so some lose one page more to head and tail than others; none more than one.
    expect(moved(result)).toBeGreaterThanOrEqual(BIG_MESSAGES * (PAGES - 1))
    expect(moved(result)).toBeLessThanOrEqual(BIG_MESSAGES * PAGES)
    expect(result.copyFallbacks).toBe(20) // `back`, whose receiver is the one that is not aligned
  })

  it('a receiver that is not aligned: everything is copied by the DMA, and nothing is lost', () => {
    const result = run('page-aligned', 'unaligned', { transfer })
    expect(result.copyFallbacks).toBe(BIG_MESSAGES)
    expect(moved(result)).toBeLessThanOrEqual(20 * 2) // only of `back`
  })

  it('a threshold leaves shorter messages to the DMA', () => {
    const result = run('page-aligned', 'page-aligned', { transfer, remapThresholdBytes: 3 * PAGE })
    expect(moved(result)).toBe(BIG_MESSAGES * PAGES)
    expect(result.copyFallbacks).toBe(0)
    expect(result.dmaTransfers).toBeGreaterThanOrEqual(60 + 20)
  })

  it('colours that do not fit: refused and copied, accepted and counted, or never foreign in a pool', () => {
    const refused = run('page-aligned', 'page-aligned', { transfer, colorPolicy: 'refuse' })
    expect(refused).toMatchObject({ foreignColorPages: 0, copyFallbacks: BIG_MESSAGES + 20 })
    expect(moved(refused)).toBe(0)

    const accepted = run('page-aligned', 'page-aligned', { transfer, colorPolicy: 'accept' })
    expect(accepted.foreignColorPages).toBeGreaterThan(BIG_MESSAGES * PAGES - 1)

    const pooled = run('page-aligned', 'page-aligned', { transfer, colorPolicy: 'pool', poolColors: 2 })
    expect(moved(pooled)).toBe(BIG_MESSAGES * PAGES + 20 * 2)
    expect(pooled).toMatchObject({ foreignColorPages: 0, copyFallbacks: 0 })
    expect(pooled.colors).toMatchObject({ pool: [14, 15], shared: [] })
    for (const vm of Object.values(pooled.colors.vms)) expect(vm).toMatchObject({ foreignPages: 0 })
  })
})

describe('limits of a scenario', () => {
  it('flushPages: below it translations go one by one, and no guest refills its TLB', () => {
    const flushed = run('page-aligned', 'page-aligned', { transfer: 'remap', flushPages: PAGES })
    const single = run('page-aligned', 'page-aligned', { transfer: 'remap', flushPages: PAGES + 1 })
    expect(flushed.tlbRefillNs).toBeGreaterThan(0)
    expect(single.tlbRefillNs).toBe(0)
    expect(single.pagesRemapped).toBe(flushed.pagesRemapped)
  })

  it('lentPages: what a VM may not borrow any more is copied', () => {
    const { pagesLent, copyFallbacks } = run('page-aligned', 'page-aligned', { transfer: 'lend', lentPages: 10 })
    expect(pagesLent).toBe(BIG_MESSAGES * 10 + 20 * 2)
    expect(copyFallbacks).toBe(BIG_MESSAGES)
  })

  it('sparePages: with them nobody waits for scrubbing', () => {
    const pool = { transfer: 'remap', colorPolicy: 'pool', poolColors: 2 } as const
    const [without, withThem] = [0, 2 * PAGES].map((sparePages) =>
      run('page-aligned', 'page-aligned', { ...pool, sparePages }),
    )
    expect(without!.pagesRemapped).toBe(withThem!.pagesRemapped)
    const scrubNs = PAGES * 64 * zcu102.costsNs.cacheCleanPerLine.value[0]
    const median = (result: DesignResult) => result.flows.big!.responseTimeNs!.p50
    expect(median(without!) - median(withThem!)).toBeGreaterThan(scrubNs / 2)
  })
})

it('buffers that are not aligned cost the DMA more descriptors where RAM is coloured', () => {
  const aligned = run('page-aligned', 'page-aligned', { transfer: 'copy' })
  const unaligned = run('unaligned', 'unaligned', { transfer: 'copy' })
  const pieces = BIG_MESSAGES * (PAGES + 1) + 20 * 3 + 60
  expect(aligned.dmaDescriptors).toBe(pieces)
  // Most pieces cross a page at either end; with 8 of 16 colours, 7 of 8 such borders lie in one physical run.
  expect(unaligned.dmaDescriptors).toBeGreaterThan(pieces * 1.1)
  expect(unaligned.dmaDescriptors).toBeLessThan(pieces * 1.5)
})
