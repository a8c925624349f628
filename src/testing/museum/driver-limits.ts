/** Driver side: the far ends of what is legal, resets, and what a device says of chains that it was not shown. */
import { addedOf } from '../answers.ts'
import { type ByteRange, mustInterrupt, mustKick, nextAvailable } from '../format/split/reference-split-ring.ts'
import { availEventAt, usedFlagsAt } from '../format/split/split-ring-format.ts'
import { HIGH } from './device-stage.ts'
import type { DriverExhibit } from './driver-exhibits.ts'
import type { DriverStage, DriverStageOptions } from './driver-stage.ts'
import { ExhibitFailure, NotShown } from './exhibit.ts'
import { openedWithin } from './stage.ts'

const eitherWay = (open: (options?: DriverStageOptions) => DriverStage): boolean[] =>
  open().target.lacks?.includes('eventIdx') ? [false] : [false, true]

export const DRIVER_LIMITS: readonly DriverExhibit[] = [
  {
    number: 49,
    side: 'driver',
    title: 'buffers above 4 GiB, in the ring and in a table',
    clauses: ['IMP-VQS-09', 'IMP-VQS-05'],
    seenIn: [],
    play(open) {
      const { target } = open()
      if (target.ownMemory !== undefined) throw new NotShown('the target brought memory of its own, below 4 GiB')
      const readable: ByteRange[] = [{ address: HIGH.base + 0x100, length: 16 }]
      const writable: ByteRange[] = [{ address: HIGH.base + 0x200, length: 32 }]
      const indirect = !target.lacks?.includes('indirect')
      for (const direct of indirect ? [2, 1, 0] : [2]) {
        const stage = open({ indirect })
        const head = stage.call('add', (driver) => addedOf(driver.add(readable, writable, direct)))
        stage.publish()
        const due = nextAvailable(stage.ram.memory, stage.ring, 0, new Set())
        const [read, write] = due.kind === 'chain' ? [due.readable[0], due.writable[0]] : []
        if (due.kind !== 'chain' || due.id !== head || read?.address !== readable[0]!.address) {
          throw new ExhibitFailure(`the readable buffer above 4 GiB does not stand in the chain, ${direct} of 2 direct`)
        }
        if (write?.address !== writable[0]!.address) {
          throw new ExhibitFailure(`the writable buffer above 4 GiB does not stand in the chain, ${direct} of 2 direct`)
        }
        stage.use(head, 32)
        stage.reaped(head, 32)
      }
      return undefined
    },
  },
  {
    number: 50,
    side: 'driver',
    title: 'a reset forgets silence, event index, counters and what was staged: twice, and work after it',
    clauses: ['VQRST-DRV-01', 'VQS-NTF-DRV-03'],
    seenIn: [],
    play(open) {
      for (const eventIdx of eitherWay(open)) {
        for (const on of [false, true]) {
          const stage = open({ eventIdx })
          for (let turn = 0; turn < 2; turn++) {
            works(stage, 3)
            stage.setNotifications(on)
            stage.add([], [16])
            // Staged and never published.
            stage.call('add', (driver) => addedOf(driver.add([], [{ address: stage.data, length: 4 }], 1)))
            stage.reset()
            if (stage.reap() !== null) throw new ExhibitFailure('reaped a chain from a ring that was zeroed')
            if (stage.wantsNotification()) throw new ExhibitFailure('a kick for what was before the reset')
            works(stage, 2)
            stage.reset()
          }
        }
      }
      return undefined
    },
  },
  {
    number: 51,
    side: 'driver',
    title: 'rings of every legal size, 1 to 32768, filled to the last entry',
    clauses: ['VQS-AVL-DRV-01', 'IMP-VQS-01'],
    seenIn: [],
    long: true,
    play(open) {
      for (let size = 1; size <= 32768; size *= 2) {
        const stage = openedWithin(() => open({ size, long: true }))
        if (stage === null) return size === 1 ? 'REJECT' : undefined
        const heads = new Uint8Array(size)
        for (let i = 0; i < size; i++) {
          const head = stage.addQuietly([], [16])
          if (head === -1) throw new ExhibitFailure(`found no room for chain ${i} of ${size}`)
          if (!(head < size) || heads[head]! > 0) throw new ExhibitFailure(`gave out head ${head} twice, size ${size}`)
          heads[head] = 1
        }
        if (stage.addQuietly([], [16]) !== -1) throw new ExhibitFailure(`added a chain to a full ring of ${size}`)
        if (stage.availIdx !== size) throw new ExhibitFailure(`available idx is ${stage.availIdx}, not ${size}`)
        for (let head = size - 1; head >= 0; head--) stage.use(head, head & 15)
        for (let head = size - 1; head >= 0; head--) stage.reaped(head, head & 15)
      }
      return undefined
    },
  },
  {
    number: 52,
    side: 'driver',
    title: 'avail_event at every offset from batches of 1 to 3 across 65535: one kick when it is passed, else none',
    clauses: ['VQS-NTF-DRV-10', 'IMP-VQS-08'],
    seenIn: ['cartesi#301'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      if (open().target.createAt === undefined) {
        // The long way round, once for each kind of crossing that an arithmetic without the wrap gets wrong.
        for (const [from, batch, event] of [
          [0xffff, 2, 0xffff],
          [0xfffe, 3, 0],
          [0xffff, 1, 0xffff],
        ] as const) {
          const stage = open({ eventIdx: true, long: true })
          travel(stage, from)
          asks(stage, from, batch, event)
        }
        return undefined
      }
      for (let batch = 1; batch <= 3; batch++) {
        for (let from = 0xfffb; from <= 0x1_0002; from++) {
          for (let offset = -3; offset <= batch + 2; offset++) {
            const index = from & 0xffff
            asks(open({ eventIdx: true, long: true, index }), index, batch, (from + offset) & 0xffff)
          }
        }
      }
      return undefined
    },
  },
  {
    number: 53,
    side: 'driver',
    title: 'the device returns a chain that was added and not published',
    clauses: ['IMP-VQS-03'],
    seenIn: [],
    play(open) {
      const stage = open()
      const { data } = stage
      // One that is out, so that the device may return something.
      const out = stage.add([], [16])
      const publishes = stage.call('publish', (driver) => driver.publish !== undefined)
      if (!publishes) throw new NotShown('the target publishes in add')
      const staged = stage.call('add', (driver) => addedOf(driver.add([], [{ address: data, length: 4 }], 1)))
      if (staged === -1 || staged === out) throw new ExhibitFailure(`add returned ${staged}`)
      stage.use(staged, 4)
      return stage.refused()
    },
  },
  {
    number: 54,
    side: 'driver',
    title: 'reserved bits of used flags mean nothing',
    clauses: ['VQS-NTF-DRV-07', 'VQS-NTF-DRV-10'],
    seenIn: [],
    play(open) {
      for (const eventIdx of eitherWay(open)) {
        for (const flags of [0, 1, 2, 0x8000, 0xfffe, 0xffff]) {
          const stage = open({ eventIdx })
          stage.ram.memory.writeU16(usedFlagsAt(stage.ring), flags)
          works(stage, 2)
        }
      }
      return undefined
    },
  },
  {
    number: 56,
    side: 'driver',
    title: 'one interrupt is asked for after so many chains: not later, also around 65535',
    clauses: ['VQS-NTF-DRV-03'],
    seenIn: [],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      const { target } = open()
      if (!open({ eventIdx: true }).call('delayNotifications', (driver) => driver.delayNotifications !== undefined)) {
        throw new NotShown('the target cannot delay notifications')
      }
      for (const from of target.createAt ? [0, 0xfffd, 0xfffe, 0xffff] : [0]) {
        for (let count = 1; count <= 4; count++) delays(open({ eventIdx: true, index: from }), from, count)
      }
      return undefined
    },
  },
  {
    number: 57,
    side: 'driver',
    title: '65536 chains and more become available between two questions: the device is kicked all the same',
    clauses: ['VQS-NTF-DRV-07', 'VQS-NTF-DRV-10', 'IMP-VQS-08'],
    seenIn: [],
    long: true,
    play(open) {
      for (const eventIdx of eitherWay(open)) {
        const stage = open({ eventIdx, long: true })
        stage.setAvailEvent(0x100)
        const count = eventIdx ? 0x1_0001 : 0x1_0000
        travel(stage, count)
        if (!stage.wantsNotification()) {
          throw new ExhibitFailure(`no kick for ${count} chains, ${eventIdx ? 'EVENT_IDX' : 'flags'}`)
        }
        if (stage.wantsNotification()) throw new ExhibitFailure('a kick for nothing')
      }
      return undefined
    },
  },
]

/** Chains one by one over a ring whose counters are at 0, each with kicks and interrupts as they are due. */
function works(stage: DriverStage, count: number): void {
  const { ring, ram } = stage
  for (let index = 0; index < count; index++) {
    ram.memory.writeU16(availEventAt(ring), index)
    const head = stage.add([2], [16])
    const seen = nextAvailable(ram.memory, ring, index, new Set())
    if (seen.kind !== 'chain' || seen.id !== head) throw new ExhibitFailure(`chain ${index} is not in its slot`)
    const kick = mustKick(ram.memory, ring, index, index + 1)
    if (stage.wantsNotification() !== kick) throw new ExhibitFailure(`${kick ? 'no' : 'a'} kick for chain ${index}`)
    stage.setNotifications(true)
    stage.use(head, 16)
    if (stage.canAsk && !mustInterrupt(ram.memory, ring, index, index + 1)) {
      throw new ExhibitFailure(`asked for interrupts, and gets none for chain ${index}`)
    }
    stage.reaped(head, 16)
  }
}

/** `count` chains come and go, and nobody asks whether the device is to be told. */
function travel(stage: DriverStage, count: number): void {
  for (let i = 0; i < count; i++) {
    const head = stage.add([], [16])
    stage.use(head, 0)
    stage.reaped(head, 0)
  }
}

/** One batch is published at available index `from` while the device waits for `event`. */
function asks(stage: DriverStage, from: number, batch: number, event: number): void {
  // What came before was told.
  stage.wantsNotification()
  stage.setAvailEvent(event)
  for (let i = 0; i < batch; i++) stage.add([], [16])
  const to = (from + batch) & 0xffff
  const due = mustKick(stage.ram.memory, stage.ring, from, to)
  if (stage.wantsNotification() === due) return
  throw new ExhibitFailure(`${due ? 'no' : 'a'} kick for idx ${from} -> ${to} with avail_event ${event}`)
}

/** When `count` chains have come back, the interrupt is due. */
function delays(stage: DriverStage, from: number, count: number): void {
  const heads = stage.fill()
  if (stage.call('delayNotifications', (driver) => driver.delayNotifications?.(count))) {
    throw new ExhibitFailure('said that chains are back, and none is')
  }
  for (const head of heads.slice(0, count)) stage.use(head, 16)
  const to = (from + count) & 0xffff
  if (!mustInterrupt(stage.ram.memory, stage.ring, from, to)) {
    throw new ExhibitFailure(`no interrupt when ${count} chains came back: used_event is ${stage.usedEvent}`)
  }
  for (const head of heads.slice(0, count)) stage.reaped(head, 16)
}
