/** The entropy device (virtio 1.4 §5.4): fills device-writable buffers with bytes of an injected source. */
import { assert } from '../../internal/assert.ts'
import { checkFunction, checkPowerOfTwo } from '../../internal/check-option.ts'
import { defineDevice } from '../define-device.ts'
import { VIRTIO_ID_RNG } from '../device-ids.ts'

/** One completion delivers at most this much; a shorter delivery than asked for is allowed (RNG-DEV-02). */
const CHUNK_BYTES = 4096

/** What an entropy device is made of. */
export interface EntropyOptions {
  /**
   * Fills the front of `target` and returns how many bytes, at least 1 (RNG-DEV-01). A real device takes
   * `crypto.getRandomValues`, a reproducible simulation a seeded generator.
   */
  readonly source: (target: Uint8Array) => number
  /** Entries of the queue: a power of two, 1 to 32768. Default 64. */
  readonly queueSize?: number
}

/** The contract of every entropy device: one queue, `requests`. */
export type EntropyContract = ReturnType<typeof entropyDevice>['contract']

/** Declares an entropy device; `create()` makes one. Throws `VirtioError` INVALID_OPTION. */
export function entropyDevice(options: EntropyOptions) {
  const { source, queueSize = 64 } = options
  checkFunction('source', source)
  checkPowerOfTwo('queueSize', queueSize, 1, 32768, 'entries')
  const chunk = new Uint8Array(CHUNK_BYTES)
  return defineDevice({
    id: VIRTIO_ID_RNG,
    queues: [{ name: 'requests', size: queueSize }],
    requests(queue) {
      for (const { writer } of queue.drain(16)) {
        const wanted = Math.min(writer.remaining, CHUNK_BYTES)
        if (wanted === 0) continue
        const filled = source(chunk.subarray(0, wanted))
        const isCount = Number.isInteger(filled) && filled >= 1 && filled <= wanted
        assert(isCount, 'an entropy source delivers at least one byte and at most what fits')
        writer.bytes(chunk.subarray(0, filled))
      }
    },
  })
}
