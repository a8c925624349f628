/**
 * Zero-copy by exchange: the sender's page goes to the receiver, and the receiver's clean page goes back, so that both
 * keep their amount of memory. Order matters: a page is unmapped, and every translation of it invalidated, before anybody
 * else can see it; the page that goes back is scrubbed first. At any obstacle nothing changes, and the caller copies.
 */
import { PAGE_SIZE, type SegmentList } from '../memory/index.ts'
import type { PlatformPort } from '../platform/index.ts'
import type { FramePins } from './frame-pins.ts'

/** One side: a VM, and the extents it gave to the broker. */
export interface PageSide {
  readonly vm: number
  readonly segments: SegmentList
}

export class PageExchange {
  readonly #port: PlatformPort
  readonly #pins: FramePins

  constructor(port: PlatformPort, pins: FramePins) {
    this.#port = port
    this.#pins = pins
  }

  /**
   * Exchanges one page: byte `fromOffset` of segment `fromSegment` is where the sender's page starts, `headerBytes` into
   * the receiver's buffer the receiver's. Returns the bytes that changed owners: one page, or 0 when either side is not
   * exactly one whole page or something else holds it.
   */
  exchangePage(from: PageSide, fromSegment: number, fromOffset: number, to: PageSide, headerBytes: number): number {
    let skip = headerBytes
    let target = 0
    while (target < to.segments.count && skip >= to.segments.length[target]!) skip -= to.segments.length[target++]!
    if (target >= to.segments.count || to.segments.length[target]! - skip < PAGE_SIZE) return 0
    const source = from.segments
    if (source.length[fromSegment]! - fromOffset < PAGE_SIZE) return 0

    const sourceAddress = source.address[fromSegment]! + fromOffset
    const targetAddress = to.segments.address[target]! + skip
    if (sourceAddress % PAGE_SIZE !== 0 || targetAddress % PAGE_SIZE !== 0) return 0
    const sourceFrame = (source.offset[fromSegment]! + fromOffset) / PAGE_SIZE
    const targetFrame = (to.segments.offset[target]! + skip) / PAGE_SIZE
    if (this.#pins.count(sourceFrame) !== 1 || this.#pins.count(targetFrame) !== 1) return 0

    const port = this.#port
    port.stage2Unmap(from.vm, sourceAddress)
    port.stage2Unmap(to.vm, targetAddress)
    port.tlbInvalidate(from.vm, sourceAddress, 1)
    port.tlbInvalidate(to.vm, targetAddress, 1)
    port.scrubFrame(targetFrame)
    port.stage2Map(to.vm, targetAddress, sourceFrame)
    port.stage2Map(from.vm, sourceAddress, targetFrame)
    return PAGE_SIZE
  }
}
