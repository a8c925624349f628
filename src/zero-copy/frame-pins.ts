/**
 * How many things hold a physical frame: queued messages, receive buffers under way, rings. A frame may change its owner
 * only while exactly one thing holds it, the message that moves it; otherwise a page that a guest names twice would be
 * remapped under a transfer that still reads or writes it, and one VM would see bytes of another.
 */
import { assert } from '../internal/assert.ts'
import { PAGE_SIZE, type SegmentList } from '../memory/index.ts'

export class FramePins {
  readonly #counts = new Map<number, number>()

  /** Pins every frame that the segments touch. Their `offset` is physical (page-mapped memory). */
  retain(segments: SegmentList): void {
    this.#each(segments, 1)
  }

  release(segments: SegmentList): void {
    this.#each(segments, -1)
  }

  count(frame: number): number {
    return this.#counts.get(frame) ?? 0
  }

  #each(segments: SegmentList, step: 1 | -1): void {
    for (let i = 0; i < segments.count; i++) {
      const first = Math.floor(segments.offset[i]! / PAGE_SIZE)
      const last = Math.floor((segments.offset[i]! + segments.length[i]! - 1) / PAGE_SIZE)
      for (let frame = first; frame <= last; frame++) {
        const count = this.count(frame) + step
        assert(count >= 0, `frame ${frame} released more often than pinned`)
        if (count === 0) this.#counts.delete(frame)
        else this.#counts.set(frame, count)
      }
    }
  }
}
