/** Queue reset, clean-up, and what drivers and devices do with a whole queue: faults of `src/virtio` and `src/transport`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const DEVICE = [
  ...mutantsOf(
    'src/virtio/device.ts',
    [
      'VQRST-DEV-01',
      'deferred requests are kept over a queue reset',
      'this.#queues[index]?.start(null)\n    const place',
      'const place',
    ],
    [
      'VQS-NTF-DEV-11',
      'a device does not look at a queue for a kick that it asked not to have',
      'this.#want(index)\n    return this.onPoll()',
      'if (this.#queues[index]?.ring?.saveState().notificationsEnabled === false) return false\n    this.#want(index)\n    return this.onPoll()',
    ],
  ),
  ...mutantsOf('src/virtio/device-queue.ts', [
    'RESET-DEV-02',
    'a deferred request still writes to memory after a reset',
    'this.#requests?.revoke()',
    '',
  ]),
  ...mutantsOf(
    'src/virtio/queue-registers.ts',
    [
      'VQRST-DEV-02',
      'a queue reset leaves the size as it was',
      'this.size = this.sizeMax\n    this.addressWords.fill(0)',
      'this.addressWords.fill(0)',
    ],
    [
      'VQRST-DEV-03',
      'a queue that is enabled again has its largest size',
      'size: this.size,\n        descriptorArea',
      'size: this.sizeMax,\n        descriptorArea',
    ],
  ),
]

const DRIVER = [
  ...mutantsOf(
    'src/virtio/driver.ts',
    [
      'VQRST-DRV-01',
      'the driver does not wait until the queue reset is confirmed',
      'if (!this.transport.resetQueue(index)) return false',
      'this.transport.resetQueue(index)',
    ],
    [
      'VQRST-DRV-03',
      'a queue is enabled again without its addresses',
      'this.transport.setupQueue(index, place.addresses)',
      '',
    ],
    [
      'VQS-NTF-DRV-05',
      'a driver closes at an interrupt without a reason',
      'const reasons = this.transport.takeInterrupts()',
      'const reasons = this.transport.takeInterrupts()\n    if (reasons === 0) this.close()',
    ],
    [
      'VQS-NTF-DRV-05',
      'a driver closes at an interrupt that brings nothing',
      'if (queue.onUsed === null) queue.reap()\n',
      'if (queue.onUsed === null) {\n      if (queue.reap() === 0) this.close()\n    }\n',
    ],
    [
      'CLEAN-DRV-02',
      'memory is freed though the device did not reset',
      'if (this.transport.readStatus() !== 0) return\n',
      '',
    ],
  ),
  ...mutantsOf(
    'src/virtio/driver-queue.ts',
    [
      'STATUS-DRV-04',
      'a call in flight ends as if the device had answered nothing',
      '...this.#waiting.splice(0)]) call.fail(error)',
      '...this.#waiting.splice(0)]) call.succeed(new Uint8Array(0))',
    ],
    [
      'VQRST-DRV-02',
      'the buffers of calls are not freed by a queue reset',
      'this.releaseBuffers()\n    this.ring.reset()',
      'this.ring.reset()',
    ],
    [
      'CLEAN-DRV-02',
      'the buffers of calls are freed when the device is given up',
      'this.#completions.fill(undefined)\n    // A device',
      'this.#completions.fill(undefined)\n    this.releaseBuffers()\n    // A device',
    ],
    [
      'VQS-USED-DRV-01 VQS-USED-DRV-02 VQS-USED-DEV-03 RNG-DRV-02',
      'an answer is as long as the room for it',
      'const bytes = new Uint8Array(writtenBytes)',
      'const bytes = new Uint8Array(call.replyBytes)',
    ],
    [
      'RNG-DRV-01',
      'the room for an answer is device-readable',
      'if (replyBytes > 0) buffers.addWritable(end, replyBytes)',
      'if (replyBytes > 0) buffers.addReadable(end, replyBytes)',
    ],
  ),
  ...mutantsOf('src/virtio/pending-call.ts', [
    'VQS-FRM-DRV-02 RNG-DRV-01',
    'an empty part of a call takes a descriptor',
    'readable.filter((part) => part.length > 0)',
    'readable.filter((part) => part.length >= 0)',
  ]),
]

const TRANSPORT = mutantsOf(
  'src/transport/shared-memory.ts',
  [
    'VQRST-DRV-01',
    'resetQueue of the transport always says true',
    'return !this.registers.queueEnabled',
    'return true',
  ],
  [
    'RFB-DRV-04',
    'buffers come from anywhere in memory, granted or not',
    'this.#allocator = options.allocator ?? heapOf(this.memory)',
    'this.#allocator = heapOf(this.memory)',
  ],
)

const ENTROPY = mutantsOf(
  'src/virtio/devices/entropy.ts',
  ['RNG-DRV-01', 'the source is asked for a buffer that is not writable', 'if (wanted === 0) continue', ''],
  ['RNG-DEV-01', 'a completion may deliver nothing', 'filled, 1, wanted)', 'filled, 0, wanted)'],
  ['RNG-DEV-02', 'a delivery is whole, or a fault', 'filled, 1, wanted)', 'filled, wanted, wanted)'],
)

export const QUEUE_MUTANTS: readonly Mutant[] = [...DEVICE, ...DRIVER, ...TRANSPORT, ...ENTROPY]
