/** Driver side of the packed ring: the end of the ring, what is shown and believed when, armed events. */
import {
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  type RingPosition,
} from '../format/packed/packed-ring-format.ts'
import { mustKickPacked } from '../format/packed/reference-packed-ring.ts'
import { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '../format/split/split-ring-format.ts'
import { worst } from './device-chains.ts'
import { type Exhibit, ExhibitFailure } from './exhibit.ts'
import { afterStore, type PackedStageOptions, slots, touchesFlags } from './packed-device-stage.ts'
import type { PackedDriverStage } from './packed-driver-stage.ts'

export type PackedDriverExhibit = Exhibit<(options?: PackedStageOptions) => PackedDriverStage>

export const PACKED_DRIVER_EXHIBITS: readonly PackedDriverExhibit[] = [
  {
    number: 38,
    side: 'driver',
    title: 'a list ends with the last slot, goes on behind it, is the whole ring; the ring is of any size',
    clauses: ['IMP-VQP-01', 'IMP-VQP-02', 'IMP-VQP-05', 'IMP-VQP-15'],
    seenIn: ['openvmm#3990', 'openvmm#2983'],
    play(open) {
      for (const size of [1, 3, 4, 5, 8]) {
        const stage = open({ size })
        for (let round = 0; round < 2 * size; round++) {
          for (let length = 1; length <= size; length++) comesBack(stage, length)
          comesBack(stage, 1)
        }
      }
      return undefined
    },
  },
  {
    number: 38,
    side: 'driver',
    title: 'lists come back in another order than they went: each id frees the slots of its own list',
    clauses: ['IMP-VQP-06', 'IMP-VQP-07', 'VQP-DRV-02'],
    seenIn: ['openvmm#2983'],
    play(open) {
      const stage = open({ size: 7 })
      for (let turn = 0; turn < 10; turn++) {
        const ids = [2, 1, 3].map((length) => stage.add(slots(length)))
        const orders = [
          [2, 0, 1],
          [1, 2, 0],
          [2, 1, 0],
        ]
        for (const which of orders[turn % 3]!) {
          stage.use(ids[which]!, 16)
          stage.reaped(ids[which]!, 16)
          stage.idle()
        }
      }
      return undefined
    },
  },
  {
    number: 38,
    side: 'driver',
    title: 'a full ring pushes back, and takes what fits when a list came back',
    clauses: ['VQP-SG-DRV-05', 'VQP-DRV-02'],
    seenIn: [],
    play(open) {
      const stage = open({ size: 5 })
      for (let turn = 0; turn < 4; turn++) {
        const ids = [stage.add(slots(3)), stage.add(slots(1))]
        if (stage.addQuietly(slots(2)) !== -1) throw new ExhibitFailure('added two slots where one was free')
        stage.use(ids[1]!, 16)
        stage.reaped(ids[1]!, 16)
        ids[1] = stage.add(slots(2))
        for (const id of ids) {
          stage.use(id, 16)
          stage.reaped(id, 16)
        }
      }
      return undefined
    },
  },
  {
    number: 39,
    side: 'driver',
    title: 'a list becomes visible only behind all of its elements, its head last',
    clauses: ['VQP-SG-DRV-06', 'VQP-DRV-07'],
    seenIn: ['kvm-host#50'],
    needs: ['watched'],
    play(open) {
      const stage = open({ size: 4 })
      for (let turn = 0; turn < 5; turn++) {
        // Only then is its id known, and whether what was visible was all of it.
        const seen: ReturnType<typeof stage.answer>[] = []
        stage.ram.beforeWrite = (address, bytes, value) => {
          const answer = afterStore(stage.ram, address, bytes, value, () => stage.answer())
          if (answer.kind !== 'nothing') seen.push(answer)
        }
        const id = stage.addQuietly(slots(3))
        stage.ram.beforeWrite = null
        if (!seen.every((answer) => stage.isShown(answer, id, slots(3)))) {
          throw new ExhibitFailure('a list was available before all of it was there')
        }
        stage.shows(id, slots(3))
        stage.use(id, 16)
        stage.reaped(id, 16)
      }
      return undefined
    },
  },
  {
    number: 39,
    side: 'driver',
    title: 'id and length are read behind the flags',
    clauses: ['IMP-VQP-03'],
    seenIn: ['kvm-host#50'],
    needs: ['watched'],
    play(open) {
      const stage = open({ size: 4 })
      const ids = [stage.add(slots(1)), stage.add(slots(2))]
      // The device marks the second one used at the very moment at which the driver looks.
      stage.ram.beforeRead = (address, bytes) => {
        if (!touchesFlags(stage.ring, { slot: 0, wrap: 1 }, address, bytes)) return
        stage.ram.beforeRead = null
        stage.use(ids[1]!, 7)
      }
      stage.reaped(ids[1]!, 7)
      return undefined
    },
  },
  {
    number: 39,
    side: 'driver',
    title: 'a used descriptor with NEXT, or with a length and no WRITE, means what it means without',
    clauses: ['IMP-VQP-07', 'IMP-VQP-08'],
    seenIn: ['kvm-host#50'],
    play(open) {
      const stage = open({ size: 5 })
      for (let turn = 0; turn < 6; turn++) {
        const ids = [stage.add(slots(3)), stage.add(slots(1))]
        stage.use(ids[1]!, 5, { flags: VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT })
        stage.use(ids[0]!, 9, { flags: 0 })
        stage.reaped(ids[1]!, 5)
        stage.reaped(ids[0]!, 0)
        stage.idle()
      }
      return undefined
    },
  },
  {
    number: 39,
    side: 'driver',
    title: 'the id is of no buffer that is out, or came back already; the length is more than was writable',
    clauses: ['IMP-VQP-06', 'IMP-VQP-08'],
    seenIn: ['kvm-host#50'],
    play: (open) =>
      worst(
        ['unknown', 'again', 'long'].map((what) => {
          const stage = open({ size: 4 })
          const [first, second] = [stage.add(slots(1)), stage.add(slots(2))]
          if (what === 'long') stage.use(first, 17)
          else if (what === 'unknown') stage.use(first, 1, { named: (Math.max(first, second) + 1) & 0xffff })
          else {
            stage.use(first, 16)
            stage.reaped(first, 16)
            stage.use(second, 1, { named: first })
          }
          return stage.refused()
        }),
      ),
  },
  {
    number: 39,
    side: 'driver',
    title: 'in order, one used descriptor stands for all lists up to its id',
    clauses: ['IMP-VQP-11'],
    seenIn: [],
    needs: ['inOrder'],
    play(open) {
      const stage = open({ size: 7, inOrder: true })
      for (let turn = 0; turn < 8; turn++) {
        const ids = [2, 1, 3].map((length) => stage.add(slots(length)))
        const bytes = ids.map((id) => stage.out.get(id)!.writableBytes)
        const [last, skipped] = [ids[2]!, ids.slice(0, 2)]
        stage.useBatch(skipped, last, 5)
        skipped.forEach((id, i) => void stage.reaped(id, bytes[i]!))
        stage.reaped(last, 5)
        stage.idle()
      }
      return undefined
    },
  },
  {
    number: 40,
    side: 'driver',
    title: 'lists of several slots pass an armed event, around the end of the ring too: one kick, and none otherwise',
    clauses: ['IMP-VQP-13', 'IMP-VQP-14', 'VQP-KICK-DRV-01'],
    seenIn: ['openvmm#4267'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      for (const size of [4, 7]) {
        const stage = open({ size, eventIdx: true, long: true })
        for (let at = 0; at < 2 * size; at++) {
          const event: RingPosition = { slot: at % size, wrap: at < size ? 1 : 0 }
          for (let length = 1; length <= size; length++) passes(stage, event, length)
        }
      }
      return undefined
    },
  },
  {
    number: 40,
    side: 'driver',
    title: 'the device wants every kick, or none: the armed slot means nothing then',
    clauses: ['IMP-VQP-13', 'VQP-KICK-DEV-01'],
    seenIn: ['openvmm#4267'],
    play(open) {
      for (const [flags, due] of [
        [RING_EVENT_FLAGS_ENABLE, true],
        [RING_EVENT_FLAGS_DISABLE, false],
      ] as const) {
        const stage = open({ size: 3 })
        for (let turn = 0; turn < 7; turn++) {
          stage.askAt({ slot: turn % 3, wrap: 1, flags })
          const id = stage.add(slots(1))
          if (stage.wantsNotification() !== due)
            throw new ExhibitFailure(`${due ? 'no' : 'a'} kick with flags ${flags}`)
          stage.use(id, 16)
          stage.reaped(id, 16)
        }
        if (stage.wantsNotification()) throw new ExhibitFailure('a kick for nothing')
      }
      return undefined
    },
  },
]

function comesBack(stage: PackedDriverStage, length: number): void {
  const id = stage.add(slots(length))
  stage.idle()
  stage.use(id, 16)
  stage.reaped(id, 16)
  stage.idle()
}

/** A list of `length` slots is shown while the device waits at `event`. */
function passes(stage: PackedDriverStage, event: RingPosition, length: number): void {
  stage.askAt({ ...event, flags: RING_EVENT_FLAGS_DESC })
  const from = stage.position
  const id = stage.add(slots(length))
  const due = mustKickPacked(stage.ram.memory, stage.ring, from, length)
  if (stage.wantsNotification() !== due) {
    const where = `slot ${from.slot}, wrap ${from.wrap}, with an event at ${event.slot}, wrap ${event.wrap}`
    throw new ExhibitFailure(`${due ? 'no' : 'a'} kick for ${length} slots from ${where}`)
  }
  stage.use(id, 16)
  stage.reaped(id, 16)
}
