/** Device side: the far ends of what is legal. Addresses, sizes, counters and bits that few drivers ever show, and resets. */
import { mustInterrupt, mustKick } from '../format/split/reference-split-ring.ts'
import { availFlagsAt, usedEventAt } from '../format/split/split-ring-format.ts'
import type { DeviceExhibit } from './device-chains.ts'
import { type DeviceStage, HIGH, INDIRECT, NEXT, readable, type StageOptions, WRITE, writable } from './device-stage.ts'
import { ExhibitFailure, NotShown } from './exhibit.ts'
import { openedWithin } from './stage.ts'

/** Without EVENT_IDX and, if the target has it, with. */
const eitherWay = (open: (options?: StageOptions) => DeviceStage): boolean[] =>
  open().target.lacks?.includes('eventIdx') ? [false] : [false, true]

/** Whose calls are slow need not make hundreds of thousands more than the exhibits before. */
function refuseSlow(exhibitMs: number | undefined): void {
  if (exhibitMs !== undefined)
    throw new NotShown('its calls are slow: no turn of the counter but those of 33, 34 and 37')
}

/** All but the bits that mean something in a descriptor of a split ring. */
const RESERVED = 0xfff8

export const DEVICE_LIMITS: readonly DeviceExhibit[] = [
  {
    number: 49,
    side: 'device',
    title: 'buffers and tables above 4 GiB',
    clauses: ['IMP-VQS-09', 'IMP-VQS-05'],
    seenIn: [],
    play(open) {
      const { target, ring } = open()
      if (target.ownMemory !== undefined) throw new NotShown('the target brought memory of its own, below 4 GiB')
      const segments = [readable(HIGH.base + 0x100, 16), writable(HIGH.base + 0x200, 32)]
      const direct = open()
      // One below first: its high word must not serve for the next.
      const mixed = [readable(direct.heap, 16), writable(HIGH.base + 0x200, 32)]
      for (const chain of [segments, mixed]) {
        direct.chain(0, chain)
        direct.offer(0)
        direct.served(0, chain)
        direct.returns(0, 32)
      }
      if (!ring.indirect) return undefined
      for (const table of [direct.heap, HIGH.base + 0x1000]) {
        const stage = open()
        stage.chain(0, segments, table)
        stage.descriptor(2, table, 32, INDIRECT)
        stage.offer(2)
        stage.served(2, segments)
        stage.returns(2, 32)
      }
      return undefined
    },
  },
  {
    number: 50,
    side: 'device',
    title: 'a reset forgets silence, event index, counters and what was completed: twice, and work after it',
    clauses: ['VQRST-DEV-02', 'VQS-NTF-DEV-09'],
    seenIn: [],
    play(open) {
      for (const eventIdx of eitherWay(open)) {
        for (const on of [false, true]) {
          const stage = open({ eventIdx })
          for (let turn = 0; turn < 2; turn++) {
            works(stage, 0, 3)
            stage.setNotifications(on)
            // One is held, one completed, and one published without a question, when the reset comes.
            for (const head of [5, 6, 7]) {
              stage.chain(head, [writable(stage.heap, 16)])
              stage.offer(head)
              stage.take()
            }
            stage.complete(5, 1)
            stage.publish()
            stage.complete(6, 1)
            stage.reset()
            stage.clearRings()
            if (stage.take() !== null) throw new ExhibitFailure('took a chain from a ring that was zeroed')
            if (stage.wantsNotification()) throw new ExhibitFailure('an interrupt for what was before the reset')
            works(stage, 0, 2)
            stage.reset()
            stage.clearRings()
          }
        }
      }
      return undefined
    },
  },
  {
    number: 51,
    side: 'device',
    title: 'rings of every legal size, 1 to 32768, filled to the last entry',
    clauses: ['VQS-AVL-DRV-01', 'IMP-VQS-01'],
    seenIn: [],
    long: true,
    play(open) {
      const slow = open().target.exhibitMs !== undefined
      for (let size = 1; size <= 32768; size *= 2) {
        const stage = openedWithin(() => open({ size, long: true, bytes: 32 * size + 0x2000 }))
        if (stage === null) return size === 1 ? 'REJECT' : undefined
        const segments = [writable(stage.heap, 16)]
        for (let head = 0; head < size; head++) stage.chain(head, segments)
        for (let head = 0; head < size; head++) stage.offer(head)
        // Whether a full ring is refused shows at the first.
        const count = slow ? Math.min(size, 16) : size
        for (let head = 0; head < count; head++) stage.served(head, segments)
        if (count === size && stage.take() !== null) {
          throw new ExhibitFailure(`took more than the ${size} chains of a full ring`)
        }
        for (let head = 0; head < count; head++) stage.complete(head, head & 15)
        stage.publish()
        if (stage.usedIdx !== count) throw new ExhibitFailure(`used idx is ${stage.usedIdx}, not ${count}`)
        for (let head = 0; head < count; head++) {
          const { id, length } = stage.used(head)
          if (id !== head || length !== (head & 15))
            throw new ExhibitFailure(`used element ${head} of ${size} is wrong`)
        }
      }
      return undefined
    },
  },
  {
    number: 52,
    side: 'device',
    title: 'used_event at every offset from batches of 1 to 3 across 65535: one interrupt when it is passed, else none',
    clauses: ['VQS-NTF-DEV-04', 'VQS-NTF-DEV-05', 'IMP-VQS-08'],
    seenIn: ['cartesi#301'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      const { target } = open()
      if (target.createAt === undefined) {
        refuseSlow(target.exhibitMs)
        // The long way round, once for each kind of crossing that an arithmetic without the wrap gets wrong.
        for (const [batch, event] of [
          [2, 0xffff],
          [3, 0],
          [1, 0xffff],
        ] as const) {
          const from = batch === 3 ? 0xfffe : 0xffff
          const stage = open({ eventIdx: true, long: true, size: 256 })
          travel(stage, from)
          asks(stage, from, batch, event)
        }
        return undefined
      }
      for (let batch = 1; batch <= 3; batch++) {
        for (let from = 0xfffb; from <= 0x1_0002; from++) {
          for (let offset = -3; offset <= batch + 2; offset++) {
            const index = from & 0xffff
            const stage = open({ eventIdx: true, long: true, index })
            asks(stage, index, batch, (from + offset) & 0xffff)
          }
        }
      }
      return undefined
    },
  },
  {
    number: 54,
    side: 'device',
    title: 'reserved bits of available flags and of descriptors mean nothing',
    clauses: ['VQS-NTF-DEV-01', 'VQS-NTF-DEV-05'],
    seenIn: [],
    play(open) {
      for (const eventIdx of eitherWay(open)) {
        for (const flags of [0, 1, 2, 0x8000, 0xfffe, 0xffff]) {
          const stage = open({ eventIdx })
          stage.ram.memory.writeU16(availFlagsAt(stage.ring), flags)
          works(stage, 0, 2)
        }
      }
      const stage = open()
      stage.descriptor(0, stage.heap, 16, RESERVED | NEXT, 1)
      stage.descriptor(1, stage.heap + 0x100, 8, RESERVED | WRITE, 0xffff)
      stage.offer(0)
      stage.served(0, [readable(stage.heap, 16), writable(stage.heap + 0x100, 8)])
      stage.returns(0, 8)
      return undefined
    },
  },
  {
    number: 57,
    side: 'device',
    title: '65536 chains and more come back between two questions: the driver is interrupted all the same',
    clauses: ['VQS-NTF-DEV-02', 'VQS-NTF-DEV-04', 'IMP-VQS-08'],
    seenIn: [],
    long: true,
    play(open) {
      refuseSlow(open().target.exhibitMs)
      for (const eventIdx of eitherWay(open)) {
        const stage = open({ eventIdx, long: true, size: 256 })
        stage.ram.memory.writeU16(usedEventAt(stage.ring), 0x100)
        const count = eventIdx ? 0x1_0001 : 0x1_0000
        travel(stage, count)
        if (!stage.wantsNotification()) {
          throw new ExhibitFailure(`no interrupt for ${count} chains, ${eventIdx ? 'EVENT_IDX' : 'flags'}`)
        }
        if (stage.wantsNotification()) throw new ExhibitFailure('an interrupt for nothing')
      }
      return undefined
    },
  },
]

/** Chains one by one from used index `from` on, each with kicks and interrupts as they are due. */
function works(stage: DeviceStage, from: number, count: number): void {
  const { ring, ram } = stage
  const segments = [writable(stage.heap, 16)]
  for (let index = from; index < from + count; index++) {
    stage.setNotifications(true)
    stage.chain(index, segments)
    stage.offer(index)
    if (stage.canAsk && !mustKick(ram.memory, ring, index, index + 1)) {
      throw new ExhibitFailure(`asked for kicks, and gets none for chain ${index}`)
    }
    stage.served(index, segments)
    ram.memory.writeU16(usedEventAt(ring), index)
    stage.returns(index, 16)
    const due = mustInterrupt(ram.memory, ring, index, index + 1)
    if (stage.wantsNotification() !== due) throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt for chain ${index}`)
  }
}

/** `count` chains come back, and nobody asks whether the driver is to be told. */
function travel(stage: DeviceStage, count: number): void {
  const { size } = stage.ring
  const segments = [writable(stage.heap, 16)]
  for (let head = 0; head < size; head++) stage.chain(head, segments)
  for (let left = count; left > 0; left -= size) {
    const batch = Math.min(size, left)
    for (let head = 0; head < batch; head++) stage.offer(head)
    for (let head = 0; head < batch; head++) stage.take()
    for (let head = 0; head < batch; head++) stage.complete(head, 0)
    stage.publish()
  }
  if (stage.usedIdx !== (count & 0xffff)) throw new ExhibitFailure(`used idx is ${stage.usedIdx} after ${count} chains`)
}

/** One batch comes back at used index `from` while the driver waits for `event`. */
function asks(stage: DeviceStage, from: number, batch: number, event: number): void {
  // What came before was told.
  stage.wantsNotification()
  const segments = [writable(stage.heap, 16)]
  for (let head = 0; head < batch; head++) {
    stage.chain(head, segments)
    stage.offer(head)
    stage.served(head, segments)
  }
  stage.ram.memory.writeU16(usedEventAt(stage.ring), event)
  for (let head = 0; head < batch; head++) stage.complete(head, 16)
  stage.publish()
  const to = (from + batch) & 0xffff
  const due = mustInterrupt(stage.ram.memory, stage.ring, from, to)
  if (stage.wantsNotification() === due) return
  throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt for used idx ${from} -> ${to} with used_event ${event}`)
}
