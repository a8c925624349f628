/** The parts one by one: states, pins, colours, spare pages, policy. */
import { describe, expect, it } from 'vitest'
import { SegmentList } from '../../src/memory/index.ts'
import { PlatformCapability, type PlatformPort } from '../../src/platform/index.ts'
import {
  ColorPolicy,
  FrameLedger,
  PageState,
  PageStock,
  TransferPolicy,
  TransferWay,
} from '../../src/zero-copy/index.ts'

const PAGE = 4096

/** Physical, and the address in the guest where that is another. */
type Extent = readonly [offset: number, length: number, address?: number]

function extents(...list: readonly Extent[]): SegmentList {
  const segments = new SegmentList()
  for (const [offset, length, address = offset] of list) segments.append(0, offset, address, length)
  return segments
}

describe('FrameLedger', () => {
  it('a frame may move while exactly one thing holds it', () => {
    const ledger = new FrameLedger()
    const message = extents([PAGE, 2 * PAGE])
    const buffer = extents([2 * PAGE + 100, 10])
    expect([ledger.stateOf(1), ledger.isMovable(1)]).toEqual([PageState.owned, false])
    ledger.retain(message)
    expect([1, 2, 3].map((frame) => ledger.isMovable(frame))).toEqual([true, true, false])
    ledger.retain(buffer)
    expect([ledger.pins(2), ledger.isMovable(2), ledger.isMovable(1)]).toEqual([2, false, true])
    ledger.release(message)
    expect([ledger.isMovable(2), ledger.isMovable(1)]).toEqual([true, false])
  })

  it('one message that names a page twice holds it twice', () => {
    const ledger = new FrameLedger()
    ledger.retain(extents([PAGE, PAGE], [PAGE, PAGE]))
    expect([ledger.pins(1), ledger.isMovable(1)]).toEqual([2, false])
  })

  it('counts frames far behind those it has room for', () => {
    const ledger = new FrameLedger()
    const far = extents([5_000 * PAGE - 1, 2])
    ledger.retain(far)
    expect([4998, 4999, 5000, 5001].map((frame) => ledger.pins(frame))).toEqual([0, 1, 1, 0])
    ledger.move(5000, PageState.inFlight)
    expect(ledger.stateOf(5000)).toBe(PageState.inFlight)
  })

  it('refuses what the diagram does not have', () => {
    const ledger = new FrameLedger()
    expect(() => ledger.move(1, PageState.inFlight)).toThrow(/frame 1 cannot go from owned to inFlight/)
    ledger.retain(extents([PAGE, PAGE]))
    ledger.move(1, PageState.lent)
    expect(() => ledger.move(1, PageState.offered)).toThrow(/from lent to offered/)
    ledger.move(1, PageState.returned)
    ledger.move(1, PageState.owned)
    expect(ledger.stateOf(1)).toBe(PageState.offered)
    expect(() => ledger.release(extents([3 * PAGE, 1]))).toThrow(/frame 3 released more often than pinned/)
  })
})

describe('ColorPolicy', () => {
  /** Four colours. */
  const port = { frameColor: (frame: number) => frame % 4 } as PlatformPort
  const vms = [[0], [1, 2]]

  it.each([
    ['accept', [], [true, true, true, true]],
    ['refuse', [], [true, false, false, false]],
    ['pool', [3], [true, false, false, true]],
  ] as const)('%s: which colours a VM of colour 0 may get', (mode, pool, admitted) => {
    const policy = new ColorPolicy({ mode, vms, pool })
    expect([0, 1, 2, 3].map((frame) => policy.admits(port, 0, frame))).toEqual(admitted)
    expect([0, 1, 2, 3].map((frame) => policy.fits(port, 0, frame))).toEqual([true, false, false, mode === 'pool'])
    expect([0, 1, 2, 3].map((frame) => policy.isPool(port, frame))).toEqual([false, false, false, mode === 'pool'])
  })
})

describe('PageStock', () => {
  it('gives clean pages for dirty ones, and is as large as before', () => {
    const scrubbed: number[] = []
    const ledger = new FrameLedger()
    const stock = new PageStock(
      { scrubFrame: (frame: number) => void scrubbed.push(frame) } as unknown as PlatformPort,
      ledger,
      [7, 8],
    )
    const dirty = extents([PAGE, 3 * PAGE])
    ledger.retain(dirty)
    for (const frame of [1, 2, 3]) ledger.move(frame, PageState.inFlight)
    expect([stock.swap(1), stock.swap(2), stock.swap(3)]).toEqual([8, 7, -1])
    expect([stock.clean, stock.stale, scrubbed]).toEqual([0, 2, []])
    stock.tidy(1)
    expect([stock.clean, stock.stale, scrubbed]).toEqual([1, 1, [2]])
    stock.tidy(16)
    expect([stock.clean, stock.stale, scrubbed]).toEqual([2, 0, [2, 1]])
    expect(ledger.stateOf(1)).toBe(PageState.spare)
  })
})

describe('TransferPolicy', () => {
  const both = PlatformCapability.remap | PlatformCapability.lend

  it.each([
    ['copy', both, TransferWay.copy],
    ['remap', both, TransferWay.exchange],
    ['auto', both, TransferWay.exchange],
    ['lend', both, TransferWay.lend],
    ['lend', PlatformCapability.remap, TransferWay.copy],
    ['remap', PlatformCapability.dmaChaining, TransferWay.copy],
  ] as const)('%s on a platform with capabilities %i', (mode, capabilities, way) => {
    expect(new TransferPolicy(mode).wayOn(capabilities)).toBe(way)
  })

  it('counts whole pages, wherever the message begins', () => {
    const fits = (pages: number, ...list: readonly Extent[]) =>
      new TransferPolicy('remap', { thresholdBytes: pages * PAGE }).fits(extents(...list))
    expect(fits(1, [0, PAGE])).toBe(true)
    expect(fits(1, [0, PAGE - 1])).toBe(false)
    expect(fits(1, [1, PAGE])).toBe(false)
    expect(fits(2, [100, 3 * PAGE])).toBe(true)
    expect(fits(3, [100, 3 * PAGE])).toBe(false)
    // Where the bytes are in physical memory does not matter.
    expect(fits(2, [100, PAGE, 0], [900, PAGE, 8 * PAGE])).toBe(true)
  })

  it('leaves scattered buffers to the DMA', () => {
    const policy = new TransferPolicy('remap')
    const half = PAGE / 2
    expect(policy.fits(extents([0, PAGE], [3 * PAGE, half], [5 * PAGE, half], [7 * PAGE, half]))).toBe(true)
    expect(policy.fits(extents([0, PAGE], ...[3, 5, 7, 9].map((page) => [page * PAGE, half] as const)))).toBe(false)
  })

  it('leaves pages with bytes strewn between them to the DMA: each run of these would take a receive buffer', () => {
    const policy = new TransferPolicy('remap')
    // Whole pages, and single bytes where letters say so.
    const strewn = (order: string) =>
      policy.fits(extents(...[...order].map((part, i) => [2 * i * PAGE, part === 'p' ? PAGE : 1] as const)))
    // ceil(bytes / PAGE) + 1 receive buffers.
    for (const order of ['p', 'pb', 'bp', 'bpb', 'bbpp', 'pbbp', 'bpbpb', 'bppppb']) {
      const buffers = order
        .replaceAll('p', ' p ')
        .split(' ')
        .filter((part) => part !== '').length
      const needed = [...order].filter((part) => part === 'p').length + (order.includes('b') ? 1 : 0)
      expect([order, strewn(order)]).toEqual([order, buffers <= needed + 1])
    }
    expect(strewn('bpbp')).toBe(true)
    expect(strewn('bpbpb')).toBe(false)
    expect(strewn('pbpbpb')).toBe(false)
    // A head and a tail of one message that begins anywhere.
    expect(policy.fits(extents([100, 5 * PAGE]))).toBe(true)
  })

  it('auto starts where a refilled TLB is paid for', () => {
    expect([10, 11].map((pages) => new TransferPolicy('auto').fits(extents([0, pages * PAGE])))).toEqual([false, true])
    expect(new TransferPolicy('auto', { thresholdBytes: 2 * PAGE }).fits(extents([0, 2 * PAGE]))).toBe(true)
  })
})
