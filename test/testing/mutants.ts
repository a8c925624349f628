/** Mistakes that somebody could make in our queues, each a piece of source and what stands there instead. */

export interface Mutant {
  /** In src/virtqueue. */
  readonly file: string
  readonly what: string
  readonly from: string
  readonly to: string
}

const of = (file: string, list: readonly (readonly [what: string, from: string, to: string])[]): Mutant[] =>
  list.map(([what, from, to]) => ({ file, what, from, to }))

export const MUTANTS: readonly Mutant[] = [
  ...of('split-device-queue.ts', [
    ['the slot is found modulo size - 1', '2 + (this.#next & this.#mask)', '2 + (this.#next % (this.#mask || 1))'],
    ['a head equal to the size is taken', 'if (head >= this.size) return', 'if (head > this.size) return'],
    [
      'a head in flight is taken again',
      'if (this.#writable[head]! >= 0) return',
      'if (this.#writable[head]! > 1e9) return',
    ],
    ['writable bytes are forgotten', 'this.#writable[head] = chain.writableBytes', 'this.#writable[head] = 0'],
    [
      'the available counter turns one too early',
      'this.#next = (this.#next + 1) & 0xffff\n        this.inFlight++',
      'this.#next = (this.#next + 1) % 0xffff\n        this.inFlight++',
    ],
    [
      'the available counter stands still',
      'this.#next = (this.#next + 1) & 0xffff\n        this.inFlight++',
      'this.inFlight++',
    ],
    ['a chain stays in flight after it was returned', 'writable[id] = -1\n', '\n'],
    [
      'the used length is what could have been written',
      'this.#stage(id, writtenBytes)',
      'this.#stage(id, writable[id]!)',
    ],
    [
      'the used element is one slot off',
      'const word = 1 + ((this.#usedNext & this.#mask) << 1)',
      'const word = 1 + (((this.#usedNext + 1) & this.#mask) << 1)',
    ],
    [
      'id and length are swapped',
      'this.#usedElements[word] = id\n    this.#usedElements[word + 1] = writtenBytes',
      'this.#usedElements[word] = writtenBytes\n    this.#usedElements[word + 1] = id',
    ],
    [
      'the used counter turns one too early',
      'this.#usedNext = (this.#usedNext + 1) & 0xffff',
      'this.#usedNext = (this.#usedNext + 1) % 0xffff',
    ],
    [
      'publish shows one element too few',
      'this.#signals.publish(this.#usedNext, count)',
      'this.#signals.publish((this.#usedNext - 1) & 0xffff, count)',
    ],
    [
      'publish counts one element only',
      'this.#signals.publish(this.#usedNext, count)',
      'this.#signals.publish(this.#usedNext, 1)',
    ],
    [
      'idx may run ahead by one more than the ring holds',
      'if (waiting > this.size ||',
      'if (waiting > this.size + 1 ||',
    ],
    ['idx may run ahead as far as it likes', 'if (waiting > this.size || waiting < known) {', 'if (waiting < 0) {'],
    [
      'what arrived while notifications were enabled is not seen',
      'this.#signals.enable(this.#next)\n    if (this.onWrite !== null) this.#tellSignals()\n    return this.availableCount() > 0',
      'this.#signals.enable(this.#next)\n    if (this.onWrite !== null) this.#tellSignals()\n    return false',
    ],
    [
      'the event is the entry after the next',
      'this.#signals.enable(this.#next)',
      'this.#signals.enable(this.#next + 1)',
    ],
    [
      'reset keeps what is in flight',
      'this.#writable.fill(NOT_IN_FLIGHT)\n    this.violation = null',
      'this.violation = null',
    ],
    ['reset keeps the counters', 'this.#moveTo(0, 0)', ''],
    ['a saved queue forgets what is in flight', 'this.#writable[id] = writableBytes', 'this.#writable[id] = -1'],
    ['a refused chain is not returned', 'this.#stage(head, 0)', ''],
    [
      'a refused chain is looked at again',
      'this.#next = (this.#next + 1) & 0xffff\n    this.#stage(head, 0)',
      'this.#stage(head, 0)',
    ],
  ]),
  ...of('chain-walker.ts', [
    ['a table and a next', "if ((control & NEXT) !== 0) return this.#stop(index, 'indirect-with-next')", ''],
    ['next may be the size of the table', 'if (index >= entries) {', 'if (index > entries) {'],
    ['a chain may be one longer than the queue', 'if (budget === 0) return', 'if (budget === -1) return'],
    ['loops are followed', "if (budget === 0) return this.#stop(index, 'chain-too-long')", ''],
    ['a readable buffer may follow a writable one', "return this.#stop(index, 'readable-after-writable')", ''],
    [
      'the last byte of a buffer may be outside',
      'position > windowBytes - bytes) break',
      'position > windowBytes - bytes + 1) break',
    ],
    ['the high word of an address means nothing', '(high | 0) !== windowHigh || position < 0', 'position < 0'],
    ['tables without the feature', "if (!this.#indirect) return this.#stop(index, 'indirect-not-negotiated')", ''],
    ['tables inside tables', "if (inTable) return this.#stop(index, 'indirect-nested')", ''],
    [
      'a chain may be of any size',
      'Math.min(limits.maxChainBytes ?? MAX_CHAIN_BYTES, MAX_CHAIN_BYTES)',
      'Number.POSITIVE_INFINITY',
    ],
    [
      'readable and writable are mixed up',
      'chain.readableCount = readableCount < 0 ? count : readableCount',
      'chain.readableCount = readableCount < 0 ? 0 : readableCount',
    ],
    [
      'empty buffers count as buffers',
      'if (bytes !== 0) {\n          region[count]',
      'if (bytes !== 0 || count === 0) {\n          region[count]',
    ],
  ]),
  ...of('indirect-table.ts', [
    ['a table of a broken length', '(bytes & (DESCRIPTOR_BYTES - 1)) !== 0', '(bytes & 7) !== 0'],
    ['a table longer than the queue', 'if (entries > queueSize) return', 'if (entries > 2 * queueSize) return'],
    ['a table at an odd address is read in place', '(offset & 3) !== 0 || ', ''],
  ]),
  ...of('ring-signals.ts', [
    [
      'EVENT_IDX reads the flags',
      'if (!this.#eventIdx) return (loadOrdered(this.#peer, FLAGS',
      'if (this.#eventIdx || !this.#eventIdx) return (loadOrdered(this.#peer, FLAGS',
    ],
    [
      'the event index is never moved on',
      'this.event = event\n    storeOrdered(this.#own, this.#ownEvent, event, this.#ownOrdered)',
      'this.event = event',
    ],
    ['the batch is one too long for its event', 'this.#published - count)', 'this.#published - count - 1)'],
    ['silence is not asked for', 'this.#own[FLAGS] = QUIET', 'void 0'],
    ['asked once, told twice', 'this.unsignalled = 0\n    if (!this.#eventIdx)', 'if (!this.#eventIdx)'],
  ]),
  ...of('split-driver-queue.ts', [
    ['a full ring overwrites', 'if (slots > this.freeDescriptors || ', 'if ('],
    [
      'the last free descriptor is never used',
      'if (slots > this.freeDescriptors || ',
      'if (slots >= this.freeDescriptors || ',
    ],
    ['the last descriptor continues', '(i + 1 < slots ? VIRTQ_DESC_F_NEXT : 0)', 'VIRTQ_DESC_F_NEXT'],
    ['all buffers are readable', '(i < readableCount ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < slots', '0 | (i + 1 < slots'],
    ['an indirect entry links to itself', 'flags, entry + 1)', 'flags, entry)'],
    [
      'the table is one entry short',
      'store(this.#descriptors, tail << 2, table, inTable * DESCRIPTOR_BYTES,',
      'store(this.#descriptors, tail << 2, table, (inTable - 1) * DESCRIPTOR_BYTES,',
    ],
    [
      'the head goes into the wrong slot',
      'this.#available[2 + (this.#availableNext & this.#mask)] = head',
      'this.#available[2 + ((this.#availableNext + 1) & this.#mask)] = head',
    ],
    ['any id is believed', 'if (slots === 0 || this.#addedAs[id]! >= this.#published) {', 'if (slots < 0) {'],
    [
      'an id is cut to 16 bits',
      'const id = this.#usedElements[word]!',
      'const id = this.#usedElements[word]! & 0xffff',
    ],
    ['any length is believed', 'if (writtenBytes > this.#writable[id]!) {', 'if (writtenBytes > 2 ** 33) {'],
    ['a chain can come back twice', 'this.#slots[id] = 0\n    this.#link', 'this.#link'],
    [
      'only the head of a chain is freed',
      'this.#link[this.#tail[id]!] = this.#firstFree',
      'this.#link[id] = this.#firstFree',
    ],
    [
      'the free list is read from the ring',
      'this.#firstFree = slot\n    this.freeDescriptors -= slots',
      'this.#firstFree = this.#descriptors[(head << 2) + 3]! >>> 16\n    this.freeDescriptors -= slots',
    ],
    ['used idx may leap', 'if (waiting > published || waiting < known) {', 'if (waiting < 0) {'],
    [
      'descriptors are lost on the way back',
      'this.freeDescriptors += slots\n    this.outstanding--',
      'this.freeDescriptors += 1\n    this.outstanding--',
    ],
  ]),
]
