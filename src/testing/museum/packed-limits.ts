/** Both sides of a packed ring: marks that say nothing by themselves, reserved values, every size, and resets. */
import {
  RING_EVENT_FLAGS_DISABLE,
  usedFlags,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
  writeContents,
  writeFlags,
} from '../format/packed/packed-ring-format.ts'
import { mustInterruptPacked, mustKickPacked } from '../format/packed/reference-packed-ring.ts'
import { VIRTQ_DESC_F_WRITE } from '../format/split/split-ring-format.ts'
import { ExhibitFailure } from './exhibit.ts'
import type { PackedDeviceExhibit } from './packed-device-exhibits.ts'
import { type Lengths, type PackedDeviceStage, slots } from './packed-device-stage.ts'
import type { PackedDriverExhibit } from './packed-driver-exhibits.ts'
import type { PackedDriverStage } from './packed-driver-stage.ts'
import { openedWithin } from './stage.ts'

/** Small ones, odd ones, and the largest. */
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 16, 100, 255, 256, 1000, 32768]

/** So many writable buffers of one byte. */
const ones = (count: number): Lengths => ({ readable: [], writable: new Array<number>(count).fill(1) })

/** Lengths of lists that fill a ring: at most 32, the last one of a slot or more. */
function fullRing(size: number): number[] {
  const length = Math.ceil(size / 32)
  const lists = new Array<number>(Math.floor(size / length)).fill(length)
  return size % length === 0 ? lists : [...lists, size % length]
}

/** Both marks, one of them, none. */
const MARKS = [0, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED, VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED]

/** Bits of an event structure's flags that mean nothing. */
const RESERVED = 0xfffc

const RESERVED_FLAGS = 3

export const PACKED_DEVICE_LIMITS: readonly PackedDeviceExhibit[] = [
  {
    number: 50,
    side: 'device',
    title: 'a reset forgets silence, armed events, counters and what was completed: twice, and work after it',
    clauses: ['VQRST-DEV-02', 'IMP-VQP-01'],
    seenIn: [],
    play(open) {
      for (const on of [false, true]) {
        const stage = open({ size: 5 })
        for (let turn = 0; turn < 2; turn++) {
          deviceWorks(stage, 7)
          stage.setNotifications(on)
          for (const id of [21, 22]) {
            stage.offer(id, slots(2))
            stage.served(id)
          }
          stage.complete(21, 1)
          stage.publish()
          stage.reset()
          stage.idle()
          if (stage.wantsNotification()) throw new ExhibitFailure('an interrupt for what was before the reset')
          deviceWorks(stage, 2)
          stage.reset()
        }
      }
      return undefined
    },
  },
  {
    number: 51,
    side: 'device',
    title: 'rings of any legal size, 1 to 32768, filled to the last slot, over the end too',
    clauses: ['IMP-VQP-15', 'IMP-VQP-01'],
    seenIn: [],
    long: true,
    play(open) {
      const slow = open().target.exhibitMs !== undefined
      for (const size of SIZES) {
        if (slow && size > 1000) continue
        const stage = openedWithin(() => open({ size, long: true, bytes: 16 * size + 0x8000 }))
        if (stage === null) return size === 1 ? 'REJECT' : undefined
        // The first moves all others on, so that the last of them goes on behind the end.
        for (const lists of [[1], fullRing(size)]) {
          for (const [id, length] of lists.entries()) stage.offer(id, ones(length))
          for (const id of lists.keys()) stage.served(id)
          stage.idle()
          for (const id of lists.keys()) stage.returns(id, 1)
        }
      }
      return undefined
    },
  },
  {
    number: 54,
    side: 'device',
    title: 'reserved event flags ask for silence least of all, and reserved bits mean nothing',
    clauses: ['IMP-VQP-13'],
    seenIn: [],
    play(open) {
      for (const flags of [RESERVED_FLAGS, RESERVED, RESERVED | RESERVED_FLAGS, RESERVED | RING_EVENT_FLAGS_DISABLE]) {
        const stage = open({ size: 3 })
        for (let id = 0; id < 4; id++) {
          stage.askAt({ slot: 1, wrap: 1, flags })
          stage.offer(id, slots(1))
          stage.served(id)
          const from = stage.used
          stage.returns(id, 16)
          const due = mustInterruptPacked(stage.ram.memory, stage.ring, from, 1)
          if (stage.wantsNotification() !== due)
            throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt with flags ${flags}`)
        }
      }
      return undefined
    },
  },
  {
    number: 55,
    side: 'device',
    title: 'a head is known by both marks: neither AVAIL nor USED alone says that it is available',
    clauses: ['VQP-DEV-06', 'IMP-VQP-02'],
    seenIn: [],
    play(open) {
      // In the first turn and, behind three lists of one slot, in the second.
      for (const before of [0, 3]) {
        const stage = open({ size: 3 })
        for (let id = 0; id < before; id++) {
          stage.offer(id, slots(1))
          stage.served(id)
          stage.returns(id, 16)
        }
        const { slot, wrap } = stage.position
        const right = wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED
        for (const marks of MARKS.filter((one) => one !== right)) {
          const { descriptorArea } = stage.ring
          writeContents(stage.ram.memory, descriptorArea, slot, { address: descriptorArea, length: 16, id: 9 })
          writeFlags(stage.ram.memory, descriptorArea, slot, VIRTQ_DESC_F_WRITE | marks)
          const answer = stage.take()
          if (answer !== null) {
            throw new ExhibitFailure(
              `took a slot with marks 0x${marks.toString(16)} where 0x${right.toString(16)} are due`,
            )
          }
        }
        stage.offer(9, slots(1))
        stage.served(9)
        stage.returns(9, 16)
      }
      return undefined
    },
  },
]

export const PACKED_DRIVER_LIMITS: readonly PackedDriverExhibit[] = [
  {
    number: 50,
    side: 'driver',
    title: 'a reset forgets silence, armed events, counters and what was staged: twice, and work after it',
    clauses: ['VQRST-DRV-01', 'IMP-VQP-01'],
    seenIn: [],
    play(open) {
      for (const on of [false, true]) {
        const stage = open({ size: 5 })
        for (let turn = 0; turn < 2; turn++) {
          driverWorks(stage, 7)
          stage.setNotifications(on)
          stage.add(slots(2))
          stage.reset()
          stage.idle()
          if (stage.wantsNotification()) throw new ExhibitFailure('a kick for what was before the reset')
          driverWorks(stage, 2)
          stage.reset()
        }
      }
      return undefined
    },
  },
  {
    number: 51,
    side: 'driver',
    title: 'rings of any legal size, 1 to 32768, filled to the last slot, over the end too',
    clauses: ['IMP-VQP-15', 'IMP-VQP-01'],
    seenIn: [],
    long: true,
    play(open) {
      for (const size of SIZES) {
        const stage = openedWithin(() => open({ size, long: true }))
        if (stage === null) return size === 1 ? 'REJECT' : undefined
        for (const lists of [[1], fullRing(size)]) {
          const ids = lists.map((length) => stage.add(ones(length)))
          if (lists.length > 1 && stage.addQuietly(ones(1)) !== -1) {
            throw new ExhibitFailure(`added to a full ring of ${size}`)
          }
          for (const id of ids) stage.use(id, 1)
          for (const id of ids) stage.reaped(id, 1)
          stage.idle()
        }
      }
      return undefined
    },
  },
  {
    number: 54,
    side: 'driver',
    title: 'reserved event flags ask for silence least of all, and reserved bits mean nothing',
    clauses: ['IMP-VQP-13'],
    seenIn: [],
    play(open) {
      for (const flags of [RESERVED_FLAGS, RESERVED, RESERVED | RESERVED_FLAGS, RESERVED | RING_EVENT_FLAGS_DISABLE]) {
        const stage = open({ size: 3 })
        for (let turn = 0; turn < 4; turn++) {
          stage.askAt({ slot: 1, wrap: 1, flags })
          const from = stage.position
          const id = stage.add(slots(1))
          const due = mustKickPacked(stage.ram.memory, stage.ring, from, 1)
          if (stage.wantsNotification() !== due)
            throw new ExhibitFailure(`${due ? 'no' : 'a'} kick with flags ${flags}`)
          stage.use(id, 16)
          stage.reaped(id, 16)
        }
      }
      return undefined
    },
  },
  {
    number: 55,
    side: 'driver',
    title: 'a used descriptor is known by both marks: neither AVAIL nor USED alone says that it is used',
    clauses: ['IMP-VQP-03'],
    seenIn: [],
    play(open) {
      for (const before of [0, 3]) {
        const stage = open({ size: 3 })
        for (let i = 0; i < before; i++) {
          const one = stage.add(slots(1))
          stage.use(one, 16)
          stage.reaped(one, 16)
        }
        const id = stage.add(slots(1))
        const { slot, wrap } = stage.used
        const right = usedFlags(wrap)
        for (const marks of MARKS.filter((one) => one !== right)) {
          writeContents(stage.ram.memory, stage.ring.descriptorArea, slot, { address: 0, length: 7, id })
          writeFlags(stage.ram.memory, stage.ring.descriptorArea, slot, VIRTQ_DESC_F_WRITE | marks)
          if (stage.reap() !== null) {
            throw new ExhibitFailure(
              `reaped a slot with marks 0x${marks.toString(16)} where 0x${right.toString(16)} are due`,
            )
          }
        }
        stage.use(id, 16)
        stage.reaped(id, 16)
      }
      return undefined
    },
  },
]

/** Lists one by one, each with kicks and interrupts as they are due. */
function deviceWorks(stage: PackedDeviceStage, count: number): void {
  for (let id = 0; id < count; id++) {
    stage.setNotifications(true)
    const at = stage.position
    stage.offer(id, slots(1))
    if (stage.canAsk && !mustKickPacked(stage.ram.memory, stage.ring, at, 1)) {
      throw new ExhibitFailure(`asked for kicks, and gets none for buffer ${id}`)
    }
    stage.served(id)
    const from = stage.used
    stage.returns(id, 16)
    const due = mustInterruptPacked(stage.ram.memory, stage.ring, from, 1)
    if (stage.wantsNotification() !== due) throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt for buffer ${id}`)
  }
}

function driverWorks(stage: PackedDriverStage, count: number): void {
  for (let turn = 0; turn < count; turn++) {
    const at = stage.position
    const id = stage.add(slots(1))
    const due = mustKickPacked(stage.ram.memory, stage.ring, at, 1)
    if (stage.wantsNotification() !== due) throw new ExhibitFailure(`${due ? 'no' : 'a'} kick for buffer ${id}`)
    stage.setNotifications(true)
    const used = stage.used
    stage.use(id, 16)
    if (stage.canAsk && !mustInterruptPacked(stage.ram.memory, stage.ring, used, 1)) {
      throw new ExhibitFailure(`asked for interrupts, and gets none for buffer ${id}`)
    }
    stage.reaped(id, 16)
  }
}
