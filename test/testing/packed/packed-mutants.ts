/** Mistakes that somebody could make in a packed queue: a piece of the reference peers' source, and what stands there instead. */

export interface PackedMutant {
  readonly side: 'device' | 'driver'
  /** In src/testing/format/packed. */
  readonly file: string
  readonly what: string
  readonly from: string
  readonly to: string
}

const of = (
  side: 'device' | 'driver',
  file: string,
  list: readonly (readonly [what: string, from: string, to: string])[],
): PackedMutant[] => list.map(([what, from, to]) => ({ side, file, what, from, to }))

const FORMAT = 'packed-ring-format.ts'
const RULES = 'reference-packed-ring.ts'
const PEERS = 'reference-packed-peers.ts'

export const PACKED_MUTANTS: readonly PackedMutant[] = [
  ...of('device', FORMAT, [
    ['the wrap bit is never flipped', 'wrap: wrap === 1 ? 0 : 1 }', 'wrap }'],
    ['the turn ends one slot too late', 'next < size ?', 'next <= size ?'],
    ['used is marked by USED alone', 'VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0)', 'VIRTQ_DESC_F_USED : 0)'],
    [
      'the event is armed without its wrap bit',
      'memory.writeU16(area, slot | (wrap << 15))',
      'memory.writeU16(area, slot)',
    ],
  ]),
  ...of('driver', FORMAT, [
    ['the wrap bit is never flipped', 'wrap: wrap === 1 ? 0 : 1 }', 'wrap }'],
    [
      'the counter starts at 0',
      'RING_START: RingPosition = { slot: 0, wrap: 1 }',
      'RING_START: RingPosition = { slot: 0, wrap: 0 }',
    ],
    ['available is marked by AVAIL alone', '? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)', '? VIRTQ_DESC_F_AVAIL : 0)'],
    [
      'used is known by USED alone',
      '(flags & MARK) === usedFlags(wrap)',
      '(flags & VIRTQ_DESC_F_USED) === (usedFlags(wrap) & VIRTQ_DESC_F_USED)',
    ],
  ]),
  ...of('device', RULES, [
    ['the id is the first element’s', 'list.at(-1)?.id ?? -1', 'list[0]?.id ?? -1'],
    ['a list may reach into what the device holds', "if (list.length >= free) broken.push('slot-in-flight')", ''],
    ['nothing bounds a list', 'if (broken.length > 0) break\n', 'broken.length = 0\n    if (list.length > 99) break\n'],
    [
      'an id that is out is taken again',
      "if (broken.length === 0 && inFlight.has(id)) broken.push('id-in-flight')",
      '',
    ],
    [
      'a readable buffer may follow a writable one',
      "if (!isWritable && sawWritable) broken.push('readable-after-writable')",
      '',
    ],
    ['buffers may be anywhere', 'if (length > 0 && !memory.contains(address, length))', 'if (length < 0)'],
    ['tables may be anywhere', "if (!memory.contains(address, length)) broken.push('indirect-outside-memory')", ''],
    ['tables without the feature', "if (!ring.indirect) broken.push('indirect-not-negotiated')", ''],
    ['tables at the end of lists', "if (list.length > 1) broken.push('indirect-in-list')", ''],
    [
      'a table of no entries, or of a broken number',
      "if (length === 0 || length % DESCRIPTOR_BYTES !== 0) broken.push('indirect-length')",
      '',
    ],
    [
      'a table ends where NEXT does',
      'overlooked }, entries, broken)',
      'overlooked }, entries.slice(0, 1 + entries.findIndex(({ flags }) => !(flags & VIRTQ_DESC_F_NEXT))), broken)',
    ],
    [
      'the event is compared without its wrap bit',
      'position.slot === slot && position.wrap === wrap',
      'position.slot === slot',
    ],
    [
      'the event is compared with the last slot only',
      'for (let passed = 0; passed < count; passed++)',
      'for (let passed = count - 1; passed < count; passed++)',
    ],
    [
      'the event counts for nothing',
      'if (flags !== RING_EVENT_FLAGS_DESC || !ring.eventIdx) return true',
      'if (flags !== 9) return true',
    ],
    ['silence is not heard', 'flags === RING_EVENT_FLAGS_DISABLE || count === 0', 'count === 0'],
  ]),
  ...of('driver', RULES, [
    [
      'any id is believed',
      "return fault(-1, 0, ['used-id-not-outstanding'])",
      "return { kind: 'used', id, writtenBytes: 0, skipped: [], slots: 1 }",
    ],
    ['any length is believed', 'if (writtenBytes > buffer.writableBytes)', 'if (writtenBytes < 0)'],
    ['the length counts without WRITE', 'flags & VIRTQ_DESC_F_WRITE ? length : 0', 'length'],
    [
      'of a batch only the last comes back',
      'const earlier = ring.inOrder ? ',
      'const earlier = ring.inOrder && !ring ? ',
    ],
    ['of a batch nothing was written', 'writtenBytes: writableBytes }))', 'writtenBytes: 0 }))'],
    [
      'the event is compared without its wrap bit',
      'position.slot === slot && position.wrap === wrap',
      'position.slot === slot',
    ],
  ]),
  ...of('device', PEERS, [
    [
      'a broken list is taken after all, once it was blamed',
      'this.#broken = true\n      return asTargetFault(answer)\n    }\n    this.#available',
      'return asTargetFault(answer)\n    }\n    this.#available',
    ],
    ['silence is never asked for', 'flags: on ? wanted : RING_EVENT_FLAGS_DISABLE })', 'flags: wanted })'],
    [
      'a used buffer says one byte more',
      'slot, { length: writtenBytes, id })',
      'slot, { length: writtenBytes + 1, id })',
    ],
    [
      'completions are shown one publication late',
      'for (const { id, writtenBytes, slots } of this.#batches()) {',
      'for (const { id, writtenBytes, slots } of this.#batches().slice(0, -1)) {',
    ],
    [
      'used buffers are shown in the turn before',
      'const flags = usedFlags(wrap) |',
      'const flags = usedFlags(1 - wrap) |',
    ],
    ['it moves on by one slot for a list that it took', 'this.#available, answer.slots)', 'this.#available, 1)'],
    [
      'it moves on by one slot for a list that it used',
      'this.#used = advance(this.#ring, this.#used, slots)',
      'this.#used = advance(this.#ring, this.#used, 1)',
    ],
    [
      'flags are written before id and length',
      'const { slot, wrap } = this.#used\n      writeUsed',
      'const { slot, wrap } = this.#used\n      writeFlags(this.#memory, this.#ring.descriptorArea, slot, usedFlags(wrap))\n      writeUsed',
    ],
    ['what was written is not said', '(writtenBytes > 0 ? VIRTQ_DESC_F_WRITE : 0)', '0'],
    ['slots are counted as buffers for the event', 'this.#unnotified += slots', 'this.#unnotified++'],
    [
      'only the last buffer of a publication counts for the event',
      'this.#unnotified += slots',
      'this.#unnotified = slots',
    ],
    [
      'asked once, told twice',
      'this.#notified = this.#used\n    this.#unnotified = 0\n    return wants',
      'return wants',
    ],
    [
      'a batch skips what was not written to the full',
      'this.#ring.inOrder && writtenBytes === writableBytes && i',
      'this.#ring.inOrder && i',
    ],
    ['a batch moves on by its last list only', 'slots: skipped + slots })', 'slots })'],
    ['what arrived meanwhile is not seen', 'return on && isAvailable(', 'return !on && isAvailable('],
    [
      'the event stands still',
      'writeWish(this.#memory, this.#ring, this.#ring.deviceArea, on, this.#available)',
      'writeWish(this.#memory, this.#ring, this.#ring.deviceArea, on, RING_START)',
    ],
    [
      'a reset keeps the counters',
      'this.#available = this.#used = this.#notified = RING_START\n    this.#unnotified',
      'this.#unnotified',
    ],
    [
      'the chain in hand is read again',
      'this.#inFlight.set(answer.id, answer)\n    return answer',
      `this.#inFlight.set(answer.id, answer)
    const [memory, ring, at, table] = [this.#memory, this.#ring, this.#used, this.#ring.descriptorArea]
    const length = memory.readU32(table + 16 * at.slot + 8)
    return { ...answer, get writable() { return memory.readU32(table + 16 * at.slot + 8) === length ? answer.writable : [] } }`,
    ],
  ]),
  ...of('driver', PEERS, [
    [
      'of readable buffers the first is writable',
      'range, flags: 0 })),',
      'range, flags: range === readable[0] ? VIRTQ_DESC_F_WRITE : 0 })),',
    ],
    [
      'a list is published when it is added',
      'this.#unpublished += slots\n    return id',
      'this.#unpublished += slots\n    this.publish()\n    return id',
    ],
    [
      'a table is as long as its entries are many',
      'length: buffers.length * DESCRIPTOR_BYTES, flags',
      'length: buffers.length, flags',
    ],
    ['an id is given to two lists', 'const id = this.#freeIds.pop()', 'const id = this.#freeIds.at(-1)'],
    [
      'of a batch the second is forgotten',
      'for (const { id, writtenBytes } of [...answer.skipped, answer]) {',
      'for (const { id, writtenBytes } of [...answer.skipped.slice(0, 1), answer]) {',
    ],
    ['a full ring is overwritten', 'if (slots > size - slotsOf(this.#outstanding.values())) return -1', ''],
    ['the last free slot is never used', 'if (slots > size - slotsOf', 'if (slots >= size - slotsOf'],
    ['the id stands in the first element', 'id: last ? id : 0', 'id: i === 0 ? id : 0'],
    ['the last element continues', '(last ? 0 : VIRTQ_DESC_F_NEXT)', 'VIRTQ_DESC_F_NEXT'],
    [
      'a list keeps the marks of its head behind the end of the ring',
      'availableFlags(wrap)\n      if',
      'availableFlags(this.#published.wrap)\n      if',
    ],
    [
      'the head is shown first',
      'if (this.#hidden === null) this.#hidden = { slot, flags: marked }\n      else writeFlags',
      'this.#hidden ??= { slot, flags: marked }\n      writeFlags',
    ],
    [
      'the head’s flags come before the rest',
      'list.forEach(({ address, length, flags }, i) => {\n      const last',
      'writeFlags(this.#memory, descriptorArea, this.#available.slot, list[0]!.flags | (list.length > 1 ? VIRTQ_DESC_F_NEXT : 0) | availableFlags(this.#available.wrap))\n    list.forEach(({ address, length, flags }, i) => {\n      const last',
    ],
    ['lists are counted instead of slots', 'this.#unpublished += slots', 'this.#unpublished++'],
    ['a kick is asked for again', 'this.#kicked = this.#published\n    this.#unkicked = 0', ''],
    [
      'it moves on by one slot for each id',
      'this.#used = advance(this.#ring, this.#used, answer.slots)',
      'this.#used = advance(this.#ring, this.#used, 1)',
    ],
    ['a table belongs to a slot', 'this.#ring.tableArea + id * ', 'this.#ring.tableArea + this.#available.slot * '],
    [
      'entries of a table continue',
      'writeFlags(this.#memory, table, i, flags) //',
      'writeFlags(this.#memory, table, i, flags | VIRTQ_DESC_F_NEXT) //',
    ],
    ['an id is lost on its way back', 'this.#freeIds.push(element.id)', ''],
    [
      'what came back meanwhile is not seen',
      'return on && (this.#arrived.length > 0 || isUsed(',
      'return !on && (this.#arrived.length > 0 || isUsed(',
    ],
    ['a reset keeps the counters', 'this.#available = this.#used = this.#published = this.#kicked = RING_START', ''],
  ]),
]
