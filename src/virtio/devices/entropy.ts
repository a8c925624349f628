/** The entropy device (virtio 1.4 §5.4): fills device-writable buffers with bytes of an injected source. */
import { checkFunction, checkInteger, checkObject, checkPowerOfTwo } from '../../internal/check-option.ts'
import { watchPromise } from '../../internal/watch-promise.ts'
import { defineDevice } from '../define-device.ts'
import { VIRTIO_ID_RNG } from '../device-ids.ts'

/** One completion delivers at most this much; a shorter delivery than asked for is allowed (RNG-DEV-02). */
const CHUNK_BYTES = 4096

/** What an entropy device is made of. */
export interface EntropyOptions {
  /**
   * Fills the front of `target` and returns how many bytes, at least 1 (RNG-DEV-01). A real device takes
   * `crypto.getRandomValues`, a reproducible simulation a seeded generator. One that throws, or delivers nothing, is a fault of the
   * device, which then needs a reset.
   */
  readonly source: (target: Uint8Array) => number
  /** Entries of the queue: a power of two, 1 to 32768. Default 64. */
  readonly queueSize?: number
}

/** The contract of every entropy device: one queue, `requests`. */
export type EntropyContract = ReturnType<typeof entropyDevice>['contract']

/** Declares an entropy device; `create()` makes one. Throws `VirtioError` INVALID_OPTION. */
export function entropyDevice(options: EntropyOptions) {
  checkObject('options', options)
  const { source, queueSize = 64 } = options
  checkFunction('source', source)
  checkPowerOfTwo('queueSize', queueSize, 1, 32768, 'entries')
  const chunk = new Uint8Array(CHUNK_BYTES)
  return defineDevice({
    id: VIRTIO_ID_RNG,
    queues: [{ name: 'requests', size: queueSize }],
    requests(queue, { needsReset }) {
      for (const { writer } of queue.drain(16)) {
        const wanted = Math.min(writer.remaining, CHUNK_BYTES)
        if (wanted === 0) continue
        try {
          const filled = source(chunk.subarray(0, wanted))
          // Of an `async` source nothing can be waited for: that it is one is told below.
          watchPromise(filled, () => {})
          checkInteger('the bytes of an entropy source', filled, 1, wanted)
          writer.bytes(chunk.subarray(0, filled))
        } catch (error) {
          // RNG-DEV-01: an answer without a byte is none, whatever the policy is.
          needsReset(error)
          throw error
        }
      }
    },
  })
}
