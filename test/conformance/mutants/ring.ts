/** The split virtqueue: faults of `src/virtqueue`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const FLAG = '(loadOrdered(this.#peer, FLAGS, this.#peerOrdered) & QUIET)'

const DRIVER = mutantsOf(
  'src/virtqueue/split/split-driver-queue.ts',
  [
    'VQS-ANY-01',
    'each chain is published as it is added',
    'this.#availableNext = (this.#availableNext + 1) & 0xffff\n    return head',
    'this.#availableNext = (this.#availableNext + 1) & 0xffff\n    this.publish()\n    return head',
  ],
  [
    'VQS-FRM-DRV-01',
    'readable and writable change places in a chain',
    '(i < readableCount ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < slots',
    '(i < readableCount ? VIRTQ_DESC_F_WRITE : 0) | (i + 1 < slots',
  ],
  [
    'VQS-DESC-DRV-01',
    'a chain may have 2^32 bytes and more',
    'if (bytes > MAX_CHAIN_BYTES) assert',
    'if (bytes < 0) assert',
  ],
  [
    'VQS-IND-DRV-01',
    'a table is used without INDIRECT_DESC',
    'if (inTable > 0 && (!this.indirect || inTable',
    'if (inTable > 0 && (inTable',
  ],
  [
    'VQS-IND-DRV-04',
    'a reference to a table has NEXT',
    'VIRTQ_DESC_F_INDIRECT, 0)',
    'VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT, 0)',
  ],
  [
    'VQS-AVL-DRV-02',
    'one chain alone is not published',
    'if (count === 0) return\n    this.#published = this.#added',
    'if (count < 2) return\n    this.#published = this.#added',
  ],
  [
    'VQS-AVL-DRV-03',
    'of a batch one chain is shown',
    'this.#signals.publish(this.#availableNext, count)',
    'this.#signals.publish((this.#availableNext - count + 1) & 0xffff, 1)',
  ],
  ['VQS-NTF-DRV-06', 'the used ring is not zeroed', 'this.#used.fill(0)', ''],
  [
    'VQS-USED-DRV-03',
    'enabling notifications does not look again',
    'this.#signals.enable(this.#usedNext)\n    return this.#usedCount() > 0',
    'this.#signals.enable(this.#usedNext)\n    return false',
  ],
  [
    'CLEAN-DRV-01',
    'the next chain takes the descriptors of the one before',
    'this.#firstFree = slot\n    this.freeDescriptors',
    'this.freeDescriptors',
  ],
  ['RFB-DRV-05', 'an address is off by 16', 'table[word] = address\n', 'table[word] = address + 16\n'],
  [
    'IMP-VQS-01',
    'the available ring begins at 1',
    'this.#availableNext = 0\n    this.#usedNext = 0',
    'this.#availableNext = 1\n    this.#usedNext = 0',
  ],
  ['IMP-VQS-03', 'a head may come back twice', 'this.#slots[id] = 0\n', '\n'],
)

const DEVICE = [
  ...mutantsOf(
    'src/virtqueue/split/split-device-queue.ts',
    [
      'VQS-AVL-DRV-01',
      'idx may go back, as far as it was not served',
      'if (waiting > this.size || waiting < known) {',
      'if (waiting > this.size) {',
    ],
    [
      'VQS-AVL-DEV-01',
      'a device waits until two chains are there',
      'if (this.availableCount() > 0) return true',
      'if (this.availableCount() > 1) return true',
    ],
    [
      'VQS-USED-DEV-01',
      'a length is stored after the index',
      'this.#usedElements[word + 1] = writtenBytes',
      'queueMicrotask(() => {\n      this.#usedElements[word + 1] = writtenBytes\n    })',
    ],
    [
      'IMP-VQS-04',
      'a device says that it wrote more than there is room',
      'if (!(writtenBytes <= writable[id]!)',
      'if (!(0 <= writable[id]!)',
    ],
    [
      'IMP-VQS-09',
      'a head may be offered again before it came back',
      "if (this.#writable[head]! >= 0) return this.#breakRing('head-in-flight', head)\n",
      '',
    ],
  ),
  ...mutantsOf(
    'src/virtqueue/split/chain-walker.ts',
    [
      'VQS-FRM-DEV-02',
      'the limit of a device on the bytes of a chain does nothing',
      'Math.min(limits.maxChainBytes ?? MAX_CHAIN_BYTES, MAX_CHAIN_BYTES)',
      'MAX_CHAIN_BYTES',
    ],
    [
      'VQS-DESC-DEV-04',
      'a descriptor is cleared once it was read',
      'control = table[word + 3]!',
      'control = table[word + 3]!\n        table[word + 3] = 0',
    ],
    [
      'VQS-IND-DEV-01',
      'WRITE on a reference to a table is refused',
      "if ((control & NEXT) !== 0) return this.#stop(index, 'indirect-with-next')",
      "if ((control & (NEXT | WRITE)) !== 0) return this.#stop(index, 'indirect-with-next')",
    ],
    [
      'VQS-IND-DRV-02',
      'a reference in a table ends the chain',
      "if (inTable) return this.#stop(index, 'indirect-nested')\n",
      'if (inTable) break\n',
    ],
    [
      'VQS-IND-DRV-03',
      'a chain may be one descriptor longer than the queue',
      'let budget = most',
      'let budget = most + 1',
    ],
    [
      'VQS-IND-DEV-02',
      'a table must be alone in its chain',
      "if (inTable) return this.#stop(index, 'indirect-nested')\n",
      "if (inTable || budget < most) return this.#stop(index, 'indirect-nested')\n",
    ],
  ),
  ...mutantsOf('src/virtqueue/chain/indirect-table.ts', [
    'IMP-VQS-05',
    'a table may be empty',
    'if (bytes === 0 || (bytes',
    'if ((bytes',
  ]),
  ...mutantsOf(
    'src/virtqueue/chain/chain-stream.ts',
    [
      'VQS-FRM-DEV-01',
      'a number is read from one descriptor only',
      'if (cursor.limit - at < 4) return this.#number(4)\n',
      '',
    ],
    [
      'VQS-DESC-DEV-01',
      'a writer begins with the readable part',
      'chain.segments, chain.readableCount, chain.writableBytes)',
      'chain.segments, 0, chain.writableBytes)',
    ],
    [
      'VQS-DESC-DEV-02',
      'a reader goes on into the writable part',
      'chain.segments, 0, chain.readableBytes)',
      'chain.segments, 0, chain.readableBytes + chain.writableBytes)',
    ],
    [
      'VQS-USED-DEV-02',
      'the written length is the room',
      'return this.#capacity - this.cursor.remaining',
      'return this.#capacity',
    ],
    ['VQS-USED-DEV-02', 'what is skipped is not written', 'this.fill(0, length)', 'this.cursor.skip(length)'],
  ),
]

const SIGNALS = mutantsOf(
  'src/virtqueue/split/ring-signals.ts',
  [
    'VQS-AVL-DRV-04 VQS-USED-DEV-01 RFB-DRV-08',
    'idx is a plain store',
    'storeOrdered(this.#own, INDEX, index, this.#ownOrdered)',
    'this.#own[INDEX] = index',
  ],
  [
    'VQS-NTF-DRV-01 VQS-NTF-DEV-07',
    'silence is asked for with all bits of flags',
    '} else this.#own[FLAGS] = QUIET',
    '} else this.#own[FLAGS] = 0xffff',
  ],
  ['VQS-NTF-DRV-02 VQS-NTF-DEV-08 VQS-KICK-DEV-01', 'silence is not asked for', '} else this.#own[FLAGS] = QUIET', '}'],
  [
    'VQS-NTF-DRV-03 VQS-NTF-DEV-09',
    'with EVENT_IDX flags say silence as well',
    'this.#own[this.#ownEvent] = this.event\n',
    'this.#own[this.#ownEvent] = this.event\n      this.#own[FLAGS] = QUIET\n',
  ],
  ['VQS-NTF-DRV-04', 'a delay is none', 'this.enable((next + count - 1) & 0xffff)', 'this.enable(next)'],
  ['VQS-NTF-DEV-10', 'with EVENT_IDX silence is not asked for', 'this.#own[this.#ownEvent] = this.event\n', '\n'],
  [
    'VQS-NTF-DEV-01 VQS-NTF-DRV-07',
    'the event field counts without EVENT_IDX',
    'if (!this.#eventIdx) return (',
    'if (this.unsignalled < 0) return (',
  ],
  ['VQS-NTF-DEV-02 VQS-NTF-DRV-08', 'the flag of the peer does not silence', `return ${FLAG} === 0`, 'return true'],
  ['VQS-NTF-DEV-03 VQS-NTF-DRV-09', 'without EVENT_IDX nobody is notified', `return ${FLAG} === 0`, 'return false'],
  [
    'VQS-NTF-DEV-04 VQS-NTF-DRV-10',
    'with EVENT_IDX the flag silences as well',
    'if (count > 0xffff) return true',
    `if (${FLAG} !== 0) return false\n    if (count > 0xffff) return true`,
  ],
  [
    'VQS-NTF-DEV-05',
    'of a batch only the last element is compared',
    'return needEvent(event, this.#published, this.#published - count)',
    'return needEvent(event, this.#published, this.#published - 1)',
  ],
  [
    'VQS-NTF-DRV-11',
    'a notification comes one element late',
    'return needEvent(event, this.#published',
    'return needEvent(event + 1, this.#published',
  ],
  [
    'VQS-NTF-DEV-06 VQS-NTF-DRV-12',
    'with EVENT_IDX each batch notifies',
    'return needEvent(event, this.#published, this.#published - count)',
    'return event >= 0',
  ],
  [
    'VQS-KICK-DRV-01 RFB-DRV-08',
    'the event field is a plain load',
    'loadOrdered(this.#peer, this.#peerEvent, this.#peerOrdered)',
    'this.#peer[this.#peerEvent]!',
  ],
  [
    'VQS-KICK-DRV-01',
    'the flags are a plain load',
    `return ${FLAG} === 0`,
    'return (this.#peer[FLAGS]! & QUIET) === 0',
  ],
)

const LAYOUT = [
  ...mutantsOf(
    'src/virtqueue/split/split-layout.ts',
    [
      'VQS-DRV-01',
      'a descriptor table may lie at a multiple of 8',
      'descriptorArea: { bytes: DESCRIPTOR_BYTES * size, alignment: 16 }',
      'descriptorArea: { bytes: DESCRIPTOR_BYTES * size, alignment: 8 }',
    ],
    [
      'IMP-VQS-02',
      'a queue may have 65536 entries',
      'if (!isPowerOfTwo(size) || size > MAX_QUEUE_SIZE) {',
      'if (!isPowerOfTwo(size) || size > 65536) {',
    ],
  ),
  ...mutantsOf('src/internal/u16.ts', [
    'IMP-VQS-08',
    'an event that was not passed yet counts as passed',
    '& U16_MASK) < ((newIndex',
    '& U16_MASK) <= ((newIndex',
  ]),
]

export const RING_MUTANTS: readonly Mutant[] = [...DRIVER, ...DEVICE, ...SIGNALS, ...LAYOUT]
