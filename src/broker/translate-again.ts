import { assert } from '../internal/assert.ts'
import { type GuestMemory, SegmentList } from '../memory/index.ts'

const before = new SegmentList()

/**
 * Finds extents anew after pages behind them have changed. They may become more; returns how many the first `leading` are
 * now. Our own pages: each is mapped.
 */
export function translateAgain(memory: GuestMemory, segments: SegmentList, leading: number): number {
  before.clear()
  for (let i = 0; i < segments.count; i++) {
    before.append(segments.region[i]!, segments.offset[i]!, segments.address[i]!, segments.length[i]!)
  }
  segments.clear()
  let leads = 0
  for (let i = 0; i < before.count; i++) {
    const backed = memory.translate(before.address[i]!, before.length[i]!, segments)
    assert(backed, 'an extent that was taken stays mapped')
    if (i < leading) leads = segments.count
  }
  return leads
}
