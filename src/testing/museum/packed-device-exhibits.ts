/** Device side of the packed ring: the end of the ring, ids and lengths and when they become visible, armed events. */
import {
  advance,
  descriptorAt,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  type RingPosition,
} from '../format/packed/packed-ring-format.ts'
import { mustInterruptPacked } from '../format/packed/reference-packed-ring.ts'
import { VIRTQ_DESC_F_NEXT } from '../format/split/split-ring-format.ts'
import { worst } from './device-chains.ts'
import { type Exhibit, ExhibitFailure, type Verdict } from './exhibit.ts'
import {
  afterStore,
  type PackedDeviceStage,
  type PackedStageOptions,
  slots,
  touchesFlags,
} from './packed-device-stage.ts'

export type PackedDeviceExhibit = Exhibit<(options?: PackedStageOptions) => PackedDeviceStage>

export const PACKED_DEVICE_EXHIBITS: readonly PackedDeviceExhibit[] = [
  {
    number: 38,
    side: 'device',
    title: 'a list ends with the last slot, goes on behind it, is the whole ring; the ring is of any size',
    clauses: ['IMP-VQP-01', 'IMP-VQP-05', 'IMP-VQP-06', 'IMP-VQP-15'],
    seenIn: ['openvmm#3990', 'openvmm#2983'],
    play(open) {
      for (const size of [1, 3, 4, 5, 8]) {
        const stage = open({ size })
        let id = 0
        // Every length from every slot, in both turns.
        for (let round = 0; round < 2 * size; round++) {
          for (let length = 1; length <= size; length++) {
            stage.offer(++id, slots(length))
            stage.served(id)
            stage.idle()
            stage.returns(id, 16)
          }
          stage.offer(++id, slots(1))
          stage.served(id)
          stage.returns(id, 0)
        }
      }
      return undefined
    },
  },
  {
    number: 38,
    side: 'device',
    title: 'lists come back in another order than they went: each moves the used slot on by its own length',
    clauses: ['VQP-DEV-02', 'IMP-VQP-06'],
    seenIn: ['openvmm#2983'],
    play(open) {
      const stage = open({ size: 7 })
      for (let turn = 0; turn < 10; turn++) {
        for (const [id, length] of [2, 1, 3].entries()) {
          stage.offer(id, slots(length))
          stage.served(id)
        }
        for (const id of [
          [2, 0, 1],
          [1, 2, 0],
          [2, 1, 0],
        ][turn % 3]!)
          stage.returns(id, 16)
      }
      return undefined
    },
  },
  {
    number: 38,
    side: 'device',
    title: 'marks of the last turn, and slots of a list that was used, are not taken again',
    clauses: ['VQP-DEV-06', 'IMP-VQP-02'],
    seenIn: ['openvmm#2983'],
    play(open) {
      const stage = open({ size: 4 })
      // The used descriptor covers one slot of three; the others stand there as they were offered.
      for (let turn = 0; turn < 6; turn++) {
        stage.offer(turn, slots(3))
        stage.served(turn)
        stage.returns(turn, 16)
        for (let look = 0; look < 3; look++) stage.idle()
      }
      return undefined
    },
  },
  {
    number: 38,
    side: 'device',
    title: 'a list has no end, or reaches into slots that the device holds',
    clauses: ['VQP-SG-DRV-02', 'VQP-DRV-02'],
    seenIn: ['openvmm#2983'],
    play: (open) => worst([noEnd(open({ size: 4 })), reachesTooFar(open({ size: 4 }))]),
  },
  {
    number: 38,
    side: 'device',
    title: 'reset in the second turn: the wrap counters are 1 again',
    clauses: ['IMP-VQP-01', 'VQRST-DEV-02'],
    seenIn: [],
    play(open) {
      const stage = open({ size: 3 })
      for (const id of [1, 2]) {
        stage.offer(id, slots(2))
        stage.served(id)
        stage.returns(id, 16)
      }
      stage.reset()
      stage.idle()
      stage.offer(3, slots(2))
      stage.served(3)
      stage.returns(3, 16)
      return undefined
    },
  },
  {
    number: 39,
    side: 'device',
    title: "the id is the list's last element's, any 16 bits of it",
    clauses: ['IMP-VQP-04'],
    seenIn: ['kvm-host#50'],
    play(open) {
      const stage = open({ size: 5 })
      for (const id of [0, 4, 5, 0x7fff, 0x8000, 0xffff, 1]) {
        stage.offer(id, slots(3))
        stage.served(id)
        stage.returns(id, 16)
      }
      return undefined
    },
  },
  {
    number: 39,
    side: 'device',
    title: 'a used descriptor becomes visible only behind its id and length',
    clauses: ['IMP-VQP-03', 'VQP-DEV-02'],
    seenIn: ['kvm-host#50'],
    needs: ['watched'],
    play(open) {
      const stage = open({ size: 6 })
      for (let turn = 0; turn < 4; turn++) {
        const places = new Map<number, RingPosition>()
        for (const id of [11, 12]) {
          stage.offer(id, slots(2))
          stage.served(id)
          places.set(id, id === 11 ? stage.used : advance(stage.ring, stage.used, 2))
        }
        stage.ram.beforeWrite = (address, bytes, value) => {
          for (const [id, place] of places) {
            if (!touchesFlags(stage.ring, place, address, bytes)) continue
            const seen = afterStore(stage.ram, address, bytes, value, () => stage.answer(place))
            if (seen.kind === 'nothing' || (seen.kind === 'used' && seen.id === id && seen.writtenBytes === 16))
              continue
            throw new ExhibitFailure(`the flags of buffer ${id} said used before its id and length were there`)
          }
        }
        for (const id of [11, 12]) stage.complete(id, 16)
        stage.publish()
        stage.ram.beforeWrite = null
        for (const id of [11, 12]) stage.sees(id, 16)
      }
      return undefined
    },
  },
  {
    number: 39,
    side: 'device',
    title: "a list is read behind its head's flags",
    clauses: ['VQP-DEV-06', 'VQP-DRV-07'],
    seenIn: ['kvm-host#50'],
    needs: ['watched'],
    play(open) {
      const stage = open({ size: 4 })
      // The driver shows the list at the very moment at which the device looks.
      stage.ram.beforeRead = (address, bytes) => {
        if (!touchesFlags(stage.ring, { slot: 0, wrap: 1 }, address, bytes)) return
        stage.ram.beforeRead = null
        stage.offer(9, slots(2))
      }
      const early = stage.take()
      stage.ram.beforeRead = null
      // It may have looked before; what it sees now is the list as it was shown.
      if (early === null) stage.served(9)
      else stage.understood(early, 9)
      stage.returns(9, 16)
      return undefined
    },
  },
  {
    number: 39,
    side: 'device',
    title: 'WRITE in the used descriptor says that bytes were written',
    clauses: ['IMP-VQP-08'],
    seenIn: [],
    play(open) {
      const stage = open({ size: 3 })
      for (const written of [0, 1, 16, 0, 16]) {
        stage.offer(2, slots(2))
        stage.served(2)
        stage.returns(2, written)
      }
      return undefined
    },
  },
  {
    number: 40,
    side: 'device',
    title:
      'lists of several slots pass an armed event, around the end of the ring too: one interrupt, and none otherwise',
    clauses: ['IMP-VQP-13', 'IMP-VQP-14', 'VQP-KICK-DEV-01'],
    seenIn: ['openvmm#4267'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      for (const size of [4, 7]) {
        const stage = open({ size, eventIdx: true, long: true })
        const positions = Array.from(
          { length: 2 * size },
          (_, i): RingPosition => ({ slot: i % size, wrap: i < size ? 1 : 0 }),
        )
        for (const event of positions) for (let length = 1; length <= size; length++) passes(stage, event, length)
      }
      return undefined
    },
  },
  {
    number: 40,
    side: 'device',
    title: 'in order, one used descriptor for several lists passes the event between them',
    clauses: ['IMP-VQP-11', 'IMP-VQP-14'],
    seenIn: ['openvmm#4267'],
    needs: ['eventIdx', 'inOrder'],
    play(open) {
      for (let slot = 0; slot < 5; slot++) {
        const stage = open({ size: 5, eventIdx: true, inOrder: true })
        stage.askAt({ slot, wrap: 1, flags: RING_EVENT_FLAGS_DESC })
        for (const id of [1, 2]) {
          stage.offer(id, slots(2))
          stage.served(id)
          stage.complete(id, 16)
        }
        stage.publish()
        const due = mustInterruptPacked(stage.ram.memory, stage.ring, { slot: 0, wrap: 1 }, 4)
        if (stage.wantsNotification() !== due) {
          throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt for four slots with an event at ${slot}`)
        }
      }
      return undefined
    },
  },
  {
    number: 40,
    side: 'device',
    title: 'the driver wants every interrupt, or none: the armed slot means nothing then',
    clauses: ['IMP-VQP-13'],
    seenIn: ['openvmm#4267'],
    play(open) {
      for (const [flags, due] of [
        [RING_EVENT_FLAGS_ENABLE, true],
        [RING_EVENT_FLAGS_DISABLE, false],
      ] as const) {
        const stage = open({ size: 3 })
        for (let id = 0; id < 7; id++) {
          stage.askAt({ slot: id % 3, wrap: 1, flags })
          stage.offer(id, slots(1))
          stage.served(id)
          stage.returns(id, 16)
          if (stage.wantsNotification() !== due)
            throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt with flags ${flags}`)
        }
        if (stage.wantsNotification()) throw new ExhibitFailure('an interrupt for nothing')
      }
      return undefined
    },
  },
]

function noEnd(stage: PackedDeviceStage): Verdict {
  stage.offer(1, slots(4), { shown: false })
  const flagsAt = descriptorAt(stage.ring.descriptorArea, 3) + 14
  stage.ram.memory.writeU16(flagsAt, stage.ram.memory.readU16(flagsAt) | VIRTQ_DESC_F_NEXT)
  stage.show()
  return stage.refused()
}

function reachesTooFar(stage: PackedDeviceStage): Verdict {
  stage.offer(1, slots(2))
  stage.served(1)
  stage.offer(2, slots(3))
  return stage.refused()
}

/** A list of `length` slots is used while the driver waits at `event`. */
function passes(stage: PackedDeviceStage, event: RingPosition, length: number): void {
  stage.offer(length, slots(length))
  stage.served(length)
  stage.askAt({ ...event, flags: RING_EVENT_FLAGS_DESC })
  const from = stage.used
  stage.returns(length, 16)
  const due = mustInterruptPacked(stage.ram.memory, stage.ring, from, length)
  if (stage.wantsNotification() === due) return
  const where = `slot ${from.slot}, wrap ${from.wrap}, with an event at ${event.slot}, wrap ${event.wrap}`
  throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt for ${length} slots from ${where}`)
}
