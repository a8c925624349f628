/** The packed virtqueue: faults of `src/virtqueue/packed`. */
import { type Mutant, mutantsOf } from './mutant.ts'

const WRITES = 'if (i === 0) {\n        this.#halves[8 * slot + 6] = id\n        firstFlags = flags\n      } else'

const DRIVER = mutantsOf(
  'src/virtqueue/packed/packed-driver-queue.ts',
  [
    'VQP-SG-DRV-03',
    'readable and writable change places in a list',
    '(i < buffers.readableCount ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < count',
    '(i < buffers.readableCount ? VIRTQ_DESC_F_WRITE : 0) | (i + 1 < count',
  ],
  [
    'VQP-SG-DRV-02',
    'a list may be longer than the ring',
    'if (count === 0 || count > this.size || direct >>> 0 !== direct',
    'if (count === 0 || direct >>> 0 !== direct',
  ],
  [
    'VQP-SG-DRV-05',
    'a list is written that does not fit',
    'if (slots > this.freeDescriptors || this.violation !== null) return -1',
    'if (this.violation !== null) return -1',
  ],
  [
    'VQP-SG-DRV-06 VQP-DRV-07',
    'the head is marked before the rest of its list',
    'this.#firstFlags = marked\n    } else',
    'this.#firstFlags = marked\n      this.#halves[8 * slot + 7] = marked\n    } else',
  ],
  [
    'VQP-DRV-06',
    'each list is published as it is added',
    'this.#addedAs[id] = this.#added++\n    this.outstanding++\n    return id',
    'this.#addedAs[id] = this.#added++\n    this.outstanding++\n    this.publish()\n    return id',
  ],
  [
    'VQP-DRV-03',
    'a descriptor is written once more after it was made available',
    'this.#publishedPlace = this.#availablePlace\n',
    'this.#descriptors[4 * (this.#publishedPlace & 0x7fff) + 2]! += 1\n    this.#publishedPlace = this.#availablePlace\n',
  ],
  [
    'VQP-DRV-02 VQP-DEV-03',
    'a slot is taken back without its mark',
    'if ((flags & OWNER_MASK) !== this.#usedMark) {\n      if (this.violation !== null',
    'if (this.outstanding === 0) {\n      if (this.violation !== null',
  ],
  [
    'VQP-DRV-08',
    'enabling notifications of a packed ring does not look again',
    'this.#events.enable(this.#usedPlace)\n    return (this.#usedFlags() & OWNER_MASK) === this.#usedMark',
    'this.#events.enable(this.#usedPlace)\n    return false',
  ],
  [
    'VQP-SG-DRV-04 IMP-VQP-07',
    'one slot is given back for each list',
    'this.#setUsed(placeAfter(this.#usedPlace, slots, this.size))',
    'this.#setUsed(placeAfter(this.#usedPlace, 1, this.size))',
  ],
  [
    'VQP-IND-DRV-02',
    'entries of a table continue',
    'this.#tables[id * words + (i << 2) + 3] = flags << 16',
    'this.#tables[id * words + (i << 2) + 3] = (flags | 1) << 16',
  ],
  [
    'VQP-IND-DRV-03',
    'a table may be longer than the queue',
    'this.#tableEntries = Math.min(indirectLength, size)',
    'this.#tableEntries = indirectLength',
  ],
  [
    'IMP-VQP-05',
    'a list keeps the marks of its head behind the end of the ring',
    'const marked = flags | availableMark(place >>> 15)',
    'const marked = flags | availableMark(this.#publishedPlace >>> 15)',
  ],
  [
    'IMP-VQP-08',
    'the length counts without WRITE',
    '(flags & VIRTQ_DESC_F_WRITE) !== 0 ? this.#descriptors[4 * this.#used + 2]! : 0',
    'this.#descriptors[4 * this.#used + 2]!',
  ],
)

const DEVICE = mutantsOf(
  'src/virtqueue/packed/packed-device-queue.ts',
  [
    'VQP-DEV-01',
    'it moves on by one slot for each list',
    'this.#heldSlots += slots\n    this.#setNext(placeAfter(this.#nextPlace, slots, this.size))',
    'this.#heldSlots += slots\n    this.#setNext(placeAfter(this.#nextPlace, 1, this.size))',
  ],
  [
    'VQP-DEV-02',
    'what is completed last is shown first',
    'const id = this.#stagedIds[i]!',
    'const id = this.#stagedIds[count - 1 - i]!',
  ],
  [
    'VQP-DEV-06',
    'any mark that is not 0 makes a slot available',
    'if ((flags & OWNER_MASK) !== this.#nextMark) {\n        if (!this.#rearm())',
    'if ((flags & OWNER_MASK) === 0) {\n        if (!this.#rearm())',
  ],
  [
    'VQP-DEV-07',
    'a slot is written once more after it was marked used',
    'this.#usedPlace = place\n    this.#events.published(place, slots)',
    'this.#descriptors[4 * (first & 0x7fff) + 2] = 0\n    this.#usedPlace = place\n    this.#events.published(place, slots)',
  ],
  [
    'VQP-DRV-05',
    'a look at an empty ring breaks it',
    'if (!this.#rearm()) return false',
    "if (!this.#rearm()) return this.#breakRing('id-in-flight', -1, chain)",
  ],
  [
    'IMP-VQP-03',
    'used is marked by USED alone',
    'const flags = usedMark(place >>> 15) | (writtenBytes',
    'const flags = 0x8000 | (writtenBytes',
  ],
  [
    'IMP-VQP-06',
    'used descriptors follow one another, however long their lists were',
    'place = placeAfter(place, length, this.size)',
    'place = placeAfter(place, 1, this.size)',
  ],
  [
    'IMP-VQP-12',
    'of several used descriptors the first is marked first',
    WRITES,
    WRITES.replace('firstFlags = flags', 'firstFlags = flags\n        this.#halves[8 * slot + 7] = flags'),
  ],
)

const WALKER = mutantsOf(
  'src/virtqueue/packed/packed-chain-walker.ts',
  [
    'VQP-IND-DRV-01',
    'a table is followed without INDIRECT_DESC',
    'if (!this.#indirect) rule =',
    'if (size < 0) rule =',
  ],
  [
    'VQP-IND-DRV-04',
    'a table may stand in a list',
    'else if (slots > 1 || (flags & NEXT) !== 0) rule =',
    'else if (size < 0) rule =',
  ],
  [
    'VQP-SG-DRV-01',
    'a chain may have any number of bytes',
    "if (totalBytes > this.#maxChainBytes) return 'chain-too-large'",
    "if (totalBytes < 0) return 'chain-too-large'",
  ],
  ['VQP-SG-DEV-02', 'a list may have any number of buffers', "if (slots > most) rule ??= 'chain-too-long'", ''],
  [
    'VQP-SG-DEV-01',
    'a list goes on at slot 1',
    'at = at + 1 === size ? 0 : at + 1',
    'at = at + 1 === size ? 1 : at + 1',
  ],
  [
    'VQP-DEV-08',
    'a list is lost whose rest is not marked',
    'if (slots > 0) flags = control >>> 16',
    "if (slots > 0) flags = control >>> 16\n      if (slots > 0 && (flags & 0x8080) === 0) return this.#lose(at, 'chain-too-long')",
  ],
  [
    'VQP-DEV-04',
    'what may be written begins with what may be read',
    'chain.readableCount = readableCount < 0 ? segments.count : readableCount',
    'chain.readableCount = 0',
  ],
  [
    'VQP-DEV-05',
    'what may be read ends with what may be written',
    'chain.readableCount = readableCount < 0 ? segments.count : readableCount\n    chain.readableBytes = totalBytes - writableBytes',
    'chain.readableCount = segments.count\n    chain.readableBytes = totalBytes',
  ],
  [
    'IMP-VQP-04',
    'the id is the first element’s',
    'this.id = control & 0xffff',
    'this.id = ring[(slot << 2) + 3]! & 0xffff',
  ],
  [
    'IMP-VQP-09',
    'NEXT in a table makes an entry writable',
    'if ((words[word + 3]! & (WRITE << 16)) !== 0) {',
    'if ((words[word + 3]! & ((WRITE | NEXT) << 16)) !== 0) {',
  ],
  [
    'IMP-VQP-10',
    'entries of a table overlap',
    'const word = piecewise ? 0 : firstWord + (index << 2)',
    'const word = piecewise ? 0 : firstWord + (index << 1)',
  ],
)

const EVENTS = mutantsOf(
  'src/virtqueue/packed/packed-events.ts',
  [
    'VQP-KICK-DRV-01',
    'the event structure is read without order',
    'const flags = loadOrdered(this.#peer, FLAGS, this.#peerOrdered) & 3',
    'const flags = this.#peer[FLAGS]! & 3',
  ],
  ['VQP-KICK-DEV-01 IMP-VQP-13', 'silence is not heard', 'if (flags === RING_EVENT_FLAGS_DISABLE) return false', ''],
  [
    'IMP-VQP-14',
    'the place is compared without its wrap bit',
    'const behind = slotsBetween(event, this.#published, this.#size)',
    'const behind = (this.#published & 0x7fff) - (event & 0x7fff)',
  ],
)

const LAYOUT = mutantsOf(
  'src/virtqueue/packed/packed-layout.ts',
  ['VQP-DRV-01', 'the ring may lie at any multiple of 4', 'size, alignment: 16 }', 'size, alignment: 4 }'],
  [
    'IMP-VQP-01',
    'the wrap bit is never flipped',
    '(slot - size) | (~place & WRAP_BIT)',
    '(slot - size) | (place & WRAP_BIT)',
  ],
  [
    'IMP-VQP-02',
    'available is marked by AVAIL alone',
    'return wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED',
    'return wrap === 1 ? VIRTQ_DESC_F_AVAIL : 0',
  ],
  [
    'IMP-VQP-15',
    'a size is a power of two',
    'size < 1 || size > MAX_QUEUE_SIZE',
    'size < 1 || (size & (size - 1)) !== 0 || size > MAX_QUEUE_SIZE',
  ],
)

export const PACKED_MUTANTS: readonly Mutant[] = [...DRIVER, ...DEVICE, ...WALKER, ...EVENTS, ...LAYOUT]
