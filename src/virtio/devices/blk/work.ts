/** What a back-end does for one request: step after step, each at once or later. */
import { isPromise } from '../../../internal/watch-promise.ts'
import type { BlkBackend } from './backend.ts'
import { SECTOR_BYTES, VIRTIO_BLK_S_OK, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_SECURE_ERASE } from './contract.ts'
import type { BlkRange, Refusal } from './ranges.ts'

/** Bytes that a back-end is given at once. */
export const PIECE_BYTES = 256 * 1024

/** The status of a request, now or later; or why nothing is done. */
export type Work = number | PromiseLike<number> | Refusal

/** One call of the back-end: what it answered, and what follows when that is done. */
export type Step = () => { readonly answer: void | PromiseLike<void>; readonly end?: () => void }

/** Steps in their order; the first that fails ends them. */
export class Job {
  readonly #steps: Iterator<Step>
  #last: Step | null

  /** `last` comes behind all others. */
  constructor(steps: Iterable<Step>, last: Step | null = null) {
    this.#steps = steps[Symbol.iterator]()
    this.#last = last
  }

  /** OK, at once when every step is done at once. Throws what a step throws; a promise rejects with it. */
  run(): number | Promise<number> {
    for (let step = this.#next(); step !== null; step = this.#next()) {
      const { answer, end } = step()
      if (isPromise(answer)) {
        return Promise.resolve(answer).then(() => {
          end?.()
          return this.run()
        })
      }
      end?.()
    }
    return VIRTIO_BLK_S_OK
  }

  #next(): Step | null {
    const { done, value } = this.#steps.next()
    if (done !== true) return value
    const last = this.#last
    this.#last = null
    return last
  }
}

/** DISCARD, WRITE_ZEROES or SECURE_ERASE of these ranges, which are within the disk. */
export function jobOfRanges(
  backend: BlkBackend,
  type: number,
  ranges: readonly BlkRange[],
  discardAlignment: number,
  last: Step | null,
): Job {
  const steps = function* (): Generator<Step> {
    for (const { sector, sectors, mayUnmap } of ranges) {
      if (type === VIRTIO_BLK_T_DISCARD) {
        // BLK-OP-DEV-07: it may, so it does where units are whole.
        const first = Math.ceil(sector / discardAlignment) * discardAlignment
        const end = Math.floor((sector + sectors) / discardAlignment) * discardAlignment
        if (end > first) yield () => ({ answer: backend.discard!(first, end - first) })
      } else if (sectors === 0) continue
      else if (type === VIRTIO_BLK_T_SECURE_ERASE) yield () => ({ answer: backend.secureErase!(sector, sectors) })
      else yield* zeroing(backend, sector, sectors, mayUnmap)
    }
  }
  return new Job(steps(), last)
}

/** BLK-OP-DEV-09 */
function* zeroing(backend: BlkBackend, sector: number, sectors: number, mayUnmap: boolean): Generator<Step> {
  const { bytes } = backend
  if (bytes !== undefined) {
    yield () => ({ answer: void bytes.fill(0, sector * SECTOR_BYTES, (sector + sectors) * SECTOR_BYTES) })
    return
  }
  if (backend.writeZeroes !== undefined) {
    yield () => ({ answer: backend.writeZeroes!(sector, sectors, mayUnmap) })
    return
  }
  const zeros = new Uint8Array(Math.min(PIECE_BYTES, sectors * SECTOR_BYTES))
  for (let done = 0; done < sectors; done += PIECE_BYTES / SECTOR_BYTES) {
    const length = Math.min(zeros.length, (sectors - done) * SECTOR_BYTES)
    yield () => ({ answer: backend.write!(sector + done, zeros.subarray(0, length)) })
  }
}
