/** Driver side: devices that lie about what they used, and the driver's own bookkeeping. */
import { mustInterrupt, mustKick, nextAvailable } from '../format/split/reference-split-ring.ts'
import { availElementAt, availIdxAt, descriptorAreaBytes, usedIdxAt } from '../format/split/split-ring-format.ts'
import { worst } from './device-chains.ts'
import type { DriverStage, DriverStageOptions } from './driver-stage.ts'
import { type Exhibit, ExhibitFailure } from './exhibit.ts'

export type DriverExhibit = Exhibit<(options?: DriverStageOptions) => DriverStage>

export const DRIVER_EXHIBITS: readonly DriverExhibit[] = [
  {
    number: 33,
    side: 'driver',
    title: 'the event index moves on for ever: no stall within two turns of the counter',
    clauses: ['VQS-NTF-DRV-03', 'VQS-NTF-DEV-04'],
    seenIn: ['rcore-os/virtio-drivers#121'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      const stage = open({ eventIdx: true, long: true })
      for (let i = 0; i < 0x2_0010; i++) {
        const head = stage.add([], [16])
        stage.setNotifications(true)
        stage.use(head, 16)
        if (!mustInterrupt(stage.ram.memory, stage.ring, i & 0xffff, (i + 1) & 0xffff)) {
          throw new ExhibitFailure(`sleeps after ${i} chains: its used_event asks for no interrupt`)
        }
        stage.reaped(head, 16)
      }
      return undefined
    },
  },
  {
    number: 34,
    side: 'driver',
    title: 'a batch passes avail_event, also around 65535: one kick, and none otherwise',
    clauses: ['VQS-NTF-DRV-10', 'IMP-VQS-08'],
    seenIn: ['cartesi#301'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      const stage = open({ eventIdx: true, long: true, size: 8 })
      let asked = 0
      for (let index = 0; index < 0x1_0040; ) {
        const batch = index < 0xffc0 ? 8 : 1 + (index % 5)
        const event = (index + (asked++ % 7) - 1) & 0xffff
        stage.setAvailEvent(event)
        const heads = Array.from({ length: batch }, () => stage.add([], [16]))
        const [from, to] = [index & 0xffff, (index + batch) & 0xffff]
        const due = mustKick(stage.ram.memory, stage.ring, from, to)
        if (stage.wantsNotification() !== due) {
          throw new ExhibitFailure(`${due ? 'no' : 'a'} kick for idx ${from} -> ${to} with avail_event ${event}`)
        }
        for (const head of heads) {
          stage.use(head, 16)
          stage.reaped(head, 16)
        }
        index += batch
      }
      return undefined
    },
  },
  {
    number: 36,
    side: 'driver',
    title: 'available idx becomes visible only behind its chains, in one step',
    clauses: ['VQS-AVL-DRV-01'],
    seenIn: ['firecracker#2169', 'acrn#3207'],
    needs: ['watched'],
    play(open) {
      const stage = open()
      const { ram, ring } = stage
      ram.beforeWrite = (address, _bytes, value) => {
        if (address !== availIdxAt(ring)) return
        const was = ram.memory.readU16(address)
        ram.memory.writeU16(address, value)
        const seen = nextAvailable(ram.memory, ring, was, new Set())
        ram.memory.writeU16(address, was)
        if (seen.kind !== 'chain' || seen.readableBytes !== 3 || seen.writableBytes !== 16) {
          throw new ExhibitFailure(`available idx became ${value} before its chain was there`)
        }
      }
      for (let i = 0; i < 2; i++) stage.add([3], [16])
      return undefined
    },
  },
  {
    number: 36,
    side: 'driver',
    title: 'the used ring is read behind its idx',
    clauses: ['IMP-VQS-01'],
    seenIn: ['firecracker#2169', 'acrn#3207'],
    needs: ['watched'],
    play(open) {
      const stage = open()
      const { ram, ring } = stage
      const head = stage.add([], [16])
      stage.element(0, 3, 99)
      ram.beforeRead = (address) => {
        if (address !== usedIdxAt(ring)) return
        ram.beforeRead = null
        stage.use(head, 7)
      }
      stage.reaped(head, 7)
      return undefined
    },
  },
  {
    number: 37,
    side: 'driver',
    title: '65536 chains and some more: counters turn where they must',
    clauses: ['IMP-VQS-01'],
    seenIn: ['oak#2929', 'arcbox#210'],
    long: true,
    play(open) {
      const stage = open({ long: true })
      for (let i = 0; i < 0x1_0008; i++) {
        const head = stage.add([2], [16])
        const due = nextAvailable(stage.ram.memory, stage.ring, i & 0xffff, new Set())
        if (due.kind !== 'chain' || due.id !== head) throw new ExhibitFailure(`chain number ${i} is not in its slot`)
        stage.use(head, i & 15)
        stage.reaped(head, i & 15)
      }
      return undefined
    },
  },
  {
    number: 42,
    side: 'driver',
    title: 'used.id is out of range, of 2^16 and more, in mid-chain, or not out',
    clauses: ['IMP-VQS-03'],
    seenIn: ['nanos#2190'],
    play: (open) =>
      worst(
        [4, 0x1_0000, 0xffff_ffff, 'middle', 'free'].map((what) => {
          const stage = open()
          const head = stage.add([1], [16])
          const next = stage.ram.memory.readU16(stage.ring.descriptorArea + 16 * head + 14)
          const free = [0, 1, 2, 3].find((slot) => slot !== head && slot !== next)!
          const id =
            what === 'middle' ? next : what === 'free' ? free : what === 0x1_0000 ? what + head : (what as number)
          stage.use(id, 0)
          return stage.refused()
        }),
      ),
  },
  {
    number: 42,
    side: 'driver',
    title: 'a chain comes back twice',
    clauses: ['IMP-VQS-03'],
    seenIn: ['nanos#2190'],
    play(open) {
      const stage = open()
      const head = stage.add([], [16])
      stage.add([], [16])
      stage.use(head, 16)
      stage.reaped(head, 16)
      stage.use(head, 16)
      return stage.refused()
    },
  },
  {
    number: 42,
    side: 'driver',
    title: 'used.len is more than the chain could hold',
    clauses: ['IMP-VQS-04'],
    seenIn: ['nanos#2190'],
    play: (open) =>
      worst(
        [17, 0xffff_ffff].map((length) => {
          const stage = open()
          stage.use(stage.add([8], [16]), length)
          return stage.refused()
        }),
      ),
  },
  {
    number: 42,
    side: 'driver',
    title: 'used idx leaps by more than is out',
    clauses: ['IMP-VQS-01', 'IMP-VQS-03'],
    seenIn: ['nanos#2190'],
    play: (open) =>
      worst(
        [3, 0x8000, 0xffff].map((idx) => {
          const stage = open()
          const head = stage.add([], [16])
          stage.element(0, head, 16)
          stage.setUsedIdx(idx)
          return stage.refused()
        }),
      ),
  },
  {
    number: 43,
    side: 'driver',
    title: 'the device scribbles over the descriptor table: the free list is intact',
    clauses: ['IMP-VQS-02'],
    seenIn: ['virtio-drivers#50', 'asterinas#3160'],
    play(open) {
      const stage = open()
      const heads = [stage.add([1], [16]), stage.add([1], [16])]
      stage.ram.memory.fill(stage.ring.descriptorArea, descriptorAreaBytes(stage.ring.size), 0xff)
      for (const head of heads) {
        stage.use(head, 16)
        stage.reaped(head, 16)
      }
      const again = stage.fill()
      if (again.length !== stage.ring.size)
        throw new ExhibitFailure(`${stage.ring.size - again.length} descriptors lost`)
      return undefined
    },
  },
  {
    number: 44,
    side: 'driver',
    title: 'chains come back in any order',
    clauses: ['IMP-VQS-03'],
    seenIn: ['serenity#26513'],
    play(open) {
      for (const order of [
        [3, 2, 1, 0],
        [1, 3, 0, 2],
        [2, 0, 3, 1],
      ]) {
        const stage = open()
        const heads = stage.fill()
        if (heads.length !== order.length) throw new ExhibitFailure(`only ${heads.length} of ${order.length} fit`)
        for (const i of order) stage.use(heads[i]!, i)
        for (const i of order) stage.reaped(heads[i]!, i)
        if (stage.fill().length !== stage.ring.size) throw new ExhibitFailure('descriptors were lost')
      }
      return undefined
    },
  },
  {
    number: 45,
    side: 'driver',
    title: 'a full ring pushes back, and nothing is overwritten',
    clauses: ['IMP-VQS-09'],
    seenIn: ['nanos#527', 'sddf#769'],
    play(open) {
      const stage = open()
      const heads = stage.fill()
      if (heads.length !== stage.ring.size) throw new ExhibitFailure(`only ${heads.length} of ${stage.ring.size} fit`)
      if (stage.addQuietly([], [16]) !== -1) throw new ExhibitFailure('added a chain to a full ring')
      const idx = stage.availIdx
      if (idx !== heads.length) throw new ExhibitFailure(`available idx is ${idx} with ${heads.length} chains`)
      heads.forEach((head, index) => {
        const seen = stage.ram.memory.readU16(availElementAt(stage.ring, index))
        if (seen !== head) throw new ExhibitFailure(`slot ${index} named head ${head}, and now ${seen}`)
      })
      stage.use(heads[2]!, 1)
      stage.reaped(heads[2]!, 1)
      if (stage.addQuietly([], [16]) === -1) throw new ExhibitFailure('no room after a chain came back')
      return undefined
    },
  },
]
