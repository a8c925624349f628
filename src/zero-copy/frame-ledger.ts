/**
 * The state of every frame, and how many things of the broker's hold it: queued messages, receive buffers, rings. A frame
 * may leave its owner only while exactly one thing holds it, the message or buffer that moves it; otherwise a page that a
 * guest names twice would be moved under a transfer that still reads or writes it, and one VM would see bytes of another.
 */
import { assert } from '../internal/assert.ts'
import { PAGE_SIZE, type SegmentList } from '../memory/index.ts'
import { assertTransition, PageState } from './page-state.ts'

/** The state of every page frame, and how many things of the broker's hold it. */
export class FrameLedger {
  #pins = new Int32Array(1024)
  /** `owned` stands for `offered` too: which of the two it is follows from the pins. */
  #states = new Uint8Array(1024)

  /** Pins every frame that the segments touch. Their `offset` is physical (page-mapped memory). */
  retain(segments: SegmentList): void {
    this.#each(segments, 1)
  }

  /** Takes back what `retain` did, of all frames but those that were let go of already. */
  release(segments: SegmentList, letGo: readonly number[] = []): void {
    for (const frame of letGo) this.#pin(frame, 1)
    this.#each(segments, -1)
  }

  /** One of the frames that are retained is not held any more. */
  letGo(frame: number): void {
    this.#pin(frame, -1)
  }

  #pin(frame: number, step: 1 | -1): void {
    this.#pins[frame]! += step
    if (this.#pins[frame]! < 0) assert(false, `frame ${frame} released more often than pinned`)
  }

  pins(frame: number): number {
    return this.#pins[frame] ?? 0
  }

  stateOf(frame: number): PageState {
    const state = (this.#states[frame] ?? PageState.owned) as PageState
    return state === PageState.owned && this.pins(frame) > 0 ? PageState.offered : state
  }

  /** One thing holds the frame, so that thing may move it. */
  isMovable(frame: number): boolean {
    return this.stateOf(frame) === PageState.offered && this.pins(frame) === 1
  }

  /** The frame becomes `state`. Back at an owner it is offered or owned, as its pins say. */
  move(frame: number, state: PageState): void {
    assertTransition(frame, this.stateOf(frame), state)
    this.#reserve(frame)
    this.#states[frame] = state === PageState.offered ? PageState.owned : state
  }

  /** A frame of the exchange pool from the start: nobody had it before. */
  adopt(frame: number): void {
    if (this.stateOf(frame) !== PageState.owned) assert(false, `frame ${frame} is somebody's`)
    this.#reserve(frame)
    this.#states[frame] = PageState.spare
  }

  #each(segments: SegmentList, step: 1 | -1): void {
    for (let i = 0; i < segments.count; i++) {
      const first = Math.floor(segments.offset[i]! / PAGE_SIZE)
      const last = Math.floor((segments.offset[i]! + segments.length[i]! - 1) / PAGE_SIZE)
      this.#reserve(last)
      for (let frame = first; frame <= last; frame++) this.#pin(frame, step)
    }
  }

  #reserve(frame: number): void {
    if (frame < this.#pins.length) return
    const size = 2 ** Math.ceil(Math.log2(frame + 1))
    const [pins, states] = [this.#pins, this.#states]
    this.#pins = new Int32Array(size)
    this.#pins.set(pins)
    this.#states = new Uint8Array(size)
    this.#states.set(states)
  }
}
