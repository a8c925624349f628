import { type GuestMemory, SegmentList } from '../memory/index.ts'

const before = new SegmentList()

/**
 * Finds extents anew after pages behind them may have changed. They may become more; returns how many the first `leading` are now.
 * -1: a page of them is mapped nowhere at the moment, being on its way from or to another VM; nothing has changed then.
 */
export function translateAgain(memory: GuestMemory, segments: SegmentList, leading: number): number {
  copyExtents(segments, before)
  segments.clear()
  let leads = 0
  for (let i = 0; i < before.count; i++) {
    if (!memory.translate(before.address[i]!, before.length[i]!, segments)) {
      copyExtents(before, segments)
      return -1
    }
    if (i < leading) leads = segments.count
  }
  return leads
}

function copyExtents(from: SegmentList, to: SegmentList): void {
  to.clear()
  for (let i = 0; i < from.count; i++) to.append(from.region[i]!, from.offset[i]!, from.address[i]!, from.length[i]!)
}
