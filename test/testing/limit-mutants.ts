/**
 * Mistakes at the far ends of what is legal, a class a group, and the exhibit of the museum that finds each. `docs/mutation.md`
 * has the table.
 */
import type { Mutant } from './mutants.ts'
import type { PackedMutant } from './packed/packed-mutants.ts'

interface Found {
  /** What somebody forgot. */
  readonly kind: string
  /** Of the museum: it alone is shown. */
  readonly exhibit: number
  readonly side: 'device' | 'driver'
}

export type LimitMutant = Mutant & Found
export type PackedLimitMutant = PackedMutant & Found

type Row = readonly [side: 'device' | 'driver', file: string, what: string, from: string, to: string]

const of = (kind: string, exhibit: number, rows: readonly Row[]): (Found & Mutant)[] =>
  rows.map(([side, file, what, from, to]) => ({ kind, exhibit, side, file, what, from, to }))

const DEVICE = 'split-device-queue.ts'
const DRIVER = 'split-driver-queue.ts'
const SIGNALS = 'ring-signals.ts'

/** Of a file that both sides share, one mutant a side. */
const both = (...row: readonly [file: string, what: string, from: string, to: string]): Row[] => [
  ['device', ...row],
  ['driver', ...row],
]

export const LIMIT_MUTANTS: readonly LimitMutant[] = [
  ...of('addresses above 4 GiB', 49, [
    ['device', 'chain-walker.ts', 'of a buffer', '(high | 0) !== windowHigh || position < 0', 'position < 0'],
    ['device', 'indirect-table.ts', 'of a table', 'le64ToNumber(low, high)', 'le64ToNumber(low, 0)'],
    ['driver', DRIVER, 'of a buffer', 'table[word + 1] = address / 0x1_0000_0000', 'table[word + 1] = 0'],
    [
      'driver',
      DRIVER,
      'of a buffer in a table only',
      'tail * words + (entry << 2), buffers.address[i]!,',
      'tail * words + (entry << 2), buffers.address[i]! >>> 0,',
    ],
  ]),
  ...of('what survives a reset', 50, [
    ['device', DEVICE, 'how far the driver had published', 'this.#seen = nextAvailable\n', '\n'],
    ['device', DEVICE, 'the used counter', 'this.#moveTo(0, 0)', 'this.#moveTo(0, this.#usedNext)'],
    ['device', DEVICE, 'the available counter', 'this.#moveTo(0, 0)', 'this.#moveTo(this.#next, 0)'],
    [
      'device',
      DEVICE,
      'what nobody was told of',
      'this.#signals.restore(0, 0, true, -1)',
      'this.#signals.restore(0, this.#signals.unsignalled, true, -1)',
    ],
    ['driver', DRIVER, 'how far the device had used', 'this.#usedSeen = 0\n', '\n'],
    [
      'driver',
      DRIVER,
      'what was staged',
      'this.#added = 0\n    this.#published = 0\n    this.#availableNext = 0',
      'this.#availableNext = 0',
    ],
    ['driver', DRIVER, 'the available counter', 'this.#availableNext = 0\n', '\n'],
    [
      'driver',
      DRIVER,
      'how many descriptors are free',
      'this.freeDescriptors = this.size\n    this.outstanding = 0',
      'this.outstanding = 0',
    ],
    [
      'driver',
      DRIVER,
      'what nobody was told of',
      'this.#signals.restore(0, 0, true, 0)',
      'this.#signals.restore(0, this.#signals.unsignalled, true, 0)',
    ],
  ]),
  ...of('full rings of every size', 51, [
    ['device', DEVICE, 'a full ring of 32768 is refused', 'if (waiting > this.size ||', 'if (waiting > 32767 ||'],
    [
      'device',
      DEVICE,
      'the distance has a sign',
      'const waiting = (index - this.#next) & 0xffff',
      'const waiting = ((index - this.#next) << 16) >> 16',
    ],
    [
      'driver',
      DRIVER,
      'a full ring of 32768 is refused',
      'if (slots > this.freeDescriptors ||',
      'if (slots > this.freeDescriptors || this.outstanding === 32767 ||',
    ],
    [
      'driver',
      DRIVER,
      'the distance has a sign',
      'const waiting = (index - this.#usedNext) & 0xffff',
      'const waiting = ((index - this.#usedNext) << 16) >> 16',
    ],
  ]),
  ...of('event arithmetic across the wrap', 52, [
    ...both(
      SIGNALS,
      'the event is compared without the wrap',
      'return needEvent(event, this.#published, this.#published - count)',
      'return event >= ((this.#published - count) & 0xffff) && event < this.#published',
    ),
    ...both(
      SIGNALS,
      'the batch is one too short for its event',
      'return needEvent(event, this.#published, this.#published - count)',
      'return needEvent(event, this.#published, this.#published - count + 1)',
    ),
    ...both(
      SIGNALS,
      'the entry behind the batch counts',
      'return needEvent(event, this.#published, this.#published - count)',
      'return needEvent(event, this.#published + 1, this.#published - count)',
    ),
  ]),
  ...of('chains that were staged and not published', 53, [
    ['driver', DRIVER, 'come back all the same', ' || this.#addedAs[id]! >= this.#published', ''],
  ]),
  ...of('reserved values', 54, [
    ...both(
      SIGNALS,
      'a reserved bit of the flags asks for silence',
      'this.#peerOrdered) & QUIET) === 0',
      'this.#peerOrdered) & 0xffff) === 0',
    ),
  ]),
  ...of('one notification for several chains', 56, [
    [
      'driver',
      SIGNALS,
      'comes one late',
      'this.enable((next + count - 1) & 0xffff)',
      'this.enable((next + count) & 0xffff)',
    ],
  ]),
  ...of('more than 65535 publications between two questions', 57, [
    ...both(SIGNALS, 'the distance is believed', 'if (count > 0xffff) return true', ''),
    ...both(
      SIGNALS,
      'they are counted modulo 2^16',
      'this.unsignalled += count',
      'this.unsignalled = (this.unsignalled + count) & 0xffff',
    ),
  ]),
]

const FORMAT = 'packed-ring-format.ts'
const RULES = 'reference-packed-ring.ts'
const PEERS = 'reference-packed-peers.ts'

export const PACKED_LIMIT_MUTANTS: readonly PackedLimitMutant[] = [
  ...of('heads known by one mark', 55, [
    [
      'device',
      FORMAT,
      'available is known by AVAIL alone',
      '(flags & MARK) === availableFlags(wrap)',
      '(flags & VIRTQ_DESC_F_AVAIL) === (availableFlags(wrap) & VIRTQ_DESC_F_AVAIL)',
    ],
    [
      'device',
      FORMAT,
      'available is known by USED alone',
      '(flags & MARK) === availableFlags(wrap)',
      '(flags & VIRTQ_DESC_F_USED) === (availableFlags(wrap) & VIRTQ_DESC_F_USED)',
    ],
    [
      'driver',
      FORMAT,
      'used is known by AVAIL alone',
      '(flags & MARK) === usedFlags(wrap)',
      '(flags & VIRTQ_DESC_F_AVAIL) === (usedFlags(wrap) & VIRTQ_DESC_F_AVAIL)',
    ],
    [
      'driver',
      FORMAT,
      'used is known by two marks that agree',
      '(flags & MARK) === usedFlags(wrap)',
      '((flags & MARK) === MARK || (flags & MARK) === 0)',
    ],
  ]),
  ...of('reserved values', 54, [
    ...both(
      RULES,
      'the reserved event flag asks for silence',
      'flags === RING_EVENT_FLAGS_DISABLE || count === 0',
      'flags === RING_EVENT_FLAGS_DISABLE || flags === 3 || count === 0',
    ),
    ...both(
      FORMAT,
      'reserved bits of the event flags mean something',
      'memory.readU16(area + 2) & 3',
      'memory.readU16(area + 2)',
    ),
  ]),
  ...of('full rings of every size', 51, [
    ...both(FORMAT, 'the turn ends at slot 16384', 'next < size ?', 'next < Math.min(size, 16384) ?'),
    ...both(
      FORMAT,
      'the turn ends where a power of two does',
      'next < size ?',
      'next < 2 ** Math.ceil(Math.log2(size)) ?',
    ),
  ]),
  ...of('what survives a reset', 50, [
    [
      'device',
      PEERS,
      'what nobody was told of',
      'this.#available = this.#used = this.#notified = RING_START\n    this.#unnotified = 0\n',
      'this.#available = this.#used = this.#notified = RING_START\n',
    ],
    ['device', PEERS, 'what is in flight', 'reset(): void {\n    this.#inFlight.clear()', 'reset(): void {'],
    [
      'driver',
      PEERS,
      'what nobody was told of',
      'this.#unkicked = this.#unpublished = 0\n    this.#broken',
      'this.#unpublished = 0\n    this.#broken',
    ],
  ]),
]
