/**
 * A driver that makes each chain available again as soon as the device has returned it, as one on another core can: the ring never
 * runs empty, and a device that drains until it does never comes back.
 */
import {
  availElementAt,
  availIdxAt,
  type SplitRing,
  usedElementAt,
  usedIdxAt,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  writeDescriptor,
} from '../format/split/split-ring-format.ts'
import { RAM } from './honest-bring-up.ts'
import type { PortStage } from './port-stage.ts'

/** The buffers of a chain: one for the device to read, one for it to write, or one of each. */
export type RepostedChain = 'readable' | 'writable' | 'both'

/** Chains that one access may serve beyond those that were waiting: as many as the largest ring holds. */
const REPOSTS_MAX = 32_768
/** Where every buffer is: behind all rings. */
const BUFFER = RAM.base + RAM.bytes - 0x100

export class RepostingDriver {
  readonly #stage: PortStage
  readonly #rings: readonly SplitRing[]
  readonly #usedIdx: number[]
  #reposts = 0

  /** Fills `rings` with chains of buffers of `lengthBytes`. The stage's `beforeRead` is this driver's from here on. */
  constructor(stage: PortStage, rings: readonly SplitRing[], chain: RepostedChain, lengthBytes: number) {
    this.#stage = stage
    this.#rings = rings
    this.#usedIdx = rings.map(() => 0)
    for (const ring of rings) this.#fill(ring, chain, lengthBytes)
    stage.ram.beforeRead = () => this.#repost()
  }

  /** An access, during which the driver reposts; fails when only the end of the reposts ended it. */
  during(access: () => void): void {
    this.#reposts = 0
    access()
    if (this.#reposts < REPOSTS_MAX) return
    this.#stage.fail(`served ${REPOSTS_MAX} chains that were reposted during one access: its turn has no bound`)
  }

  #fill(ring: SplitRing, chain: RepostedChain, length: number): void {
    const { memory } = this.#stage.ram
    const isPair = chain === 'both' && ring.size > 1
    const writable = { address: BUFFER, length, flags: VIRTQ_DESC_F_WRITE, next: 0 }
    let count = 0
    for (let head = 0; head < ring.size; head += isPair ? 2 : 1) {
      const flags = isPair ? VIRTQ_DESC_F_NEXT : 0
      const first = chain === 'writable' ? writable : { address: BUFFER + 0x80, length, flags, next: head + 1 }
      writeDescriptor(memory, ring.descriptorArea, head, first)
      if (isPair) writeDescriptor(memory, ring.descriptorArea, head + 1, writable)
      memory.writeU16(availElementAt(ring, count++), head)
    }
    memory.writeU16(availIdxAt(ring), count)
  }

  /** Before any read of the device: what it has returned by now is available again. */
  #repost(): void {
    const { memory } = this.#stage.ram
    this.#rings.forEach((ring, queue) => {
      const usedIdx = memory.readU16(usedIdxAt(ring))
      while (this.#usedIdx[queue] !== usedIdx && this.#reposts < REPOSTS_MAX) {
        const head = memory.readU32(usedElementAt(ring, this.#usedIdx[queue]!)) & 0xffff
        const availIdx = memory.readU16(availIdxAt(ring))
        memory.writeU16(availElementAt(ring, availIdx), head)
        memory.writeU16(availIdxAt(ring), (availIdx + 1) & 0xffff)
        this.#usedIdx[queue] = (this.#usedIdx[queue]! + 1) & 0xffff
        this.#reposts++
      }
    })
  }
}
