/** Device side: double fetches, completions, order of accesses, notifications, wrap, reset and restore. */
import { mustInterrupt, mustKick } from '../format/split/reference-split-ring.ts'
import { availElementAt, availIdxAt, usedElementAt, usedEventAt, usedIdxAt } from '../format/split/split-ring-format.ts'
import type { DeviceQueueTarget } from '../queue-targets.ts'
import { type DeviceExhibit, worst } from './device-chains.ts'
import { type DeviceStage, readable, type StageOptions, writable } from './device-stage.ts'
import { ExhibitFailure, type Verdict } from './exhibit.ts'

export const RING_EXHIBITS: readonly DeviceExhibit[] = [
  {
    number: 17,
    side: 'device',
    title: 'a descriptor is rewritten between any two reads of it',
    clauses: ['IMP-VQS-09'],
    seenIn: ['kvm-host#49'],
    needs: ['watched'],
    play: (open) => worst(Array.from({ length: 40 }, (_, at) => doubleFetch(open(), at))),
  },
  {
    number: 17,
    side: 'device',
    title: 'a descriptor is rewritten while the device holds its chain',
    clauses: ['IMP-VQS-09'],
    seenIn: ['kvm-host#49'],
    play(open) {
      const stage = open()
      const segments = [readable(stage.heap, 16), writable(stage.heap + 0x100, 16)]
      stage.chain(0, segments)
      stage.offer(0)
      const chain = stage.served(0, segments)
      stage.chain(0, [readable(0, 0xffff_ffff), writable(0, 0xffff_ffff)])
      const [first] = chain.writable
      if (first?.address !== stage.heap + 0x100 || first.length !== 16) {
        throw new ExhibitFailure('the chain in hand changed with the ring')
      }
      stage.returns(0, 16)
      return undefined
    },
  },
  {
    number: 18,
    side: 'device',
    title: 'nothing is touched after a chain was returned',
    clauses: ['IMP-VQS-09'],
    seenIn: ['CVE-2021-3748', 'CVE-2022-26353', 'CVE-2022-26354'],
    needs: ['watched'],
    play(open) {
      const stage = open()
      stage.chain(0, [writable(stage.heap, 16)])
      stage.offer(0)
      stage.take()
      stage.returns(0, 16)
      const element = usedElementAt(stage.ring, 0)
      stage.ram.beforeWrite = (address) => {
        if (address >= element && address < element + 8) throw new ExhibitFailure('wrote a used element again')
      }
      stage.publish()
      stage.wantsNotification()
      if (stage.take() !== null) throw new ExhibitFailure('took a chain that was not offered')
      return undefined
    },
  },
  {
    number: 19,
    side: 'device',
    title: 'the driver rewrites the used ring: the device never believes it',
    clauses: ['IMP-VQS-02'],
    seenIn: [],
    play(open) {
      const stage = open()
      for (let head = 0; head < 3; head++) {
        stage.chain(head, [writable(stage.heap, 16)])
        stage.offer(head)
        stage.served(head, [writable(stage.heap, 16)])
        stage.returns(head, head)
        // Where the device is, it knows by itself.
        stage.ram.memory.writeU16(usedIdxAt(stage.ring), 0x4321)
        stage.ram.memory.writeU32(usedElementAt(stage.ring, head), 7)
        stage.chain(head + 4, [writable(stage.heap, 8)])
        stage.offer(head + 4)
        stage.served(head + 4, [writable(stage.heap, 8)])
        stage.complete(head + 4, 8)
        stage.publish()
        const index = 2 * head + 1
        const { id, length } = stage.used(index)
        if (stage.usedIdx !== index + 1 || id !== head + 4 || length !== 8) {
          throw new ExhibitFailure(`went on from used idx ${0x4321}, which the driver had written there`)
        }
      }
      return undefined
    },
  },
  {
    number: 20,
    side: 'device',
    title: 'its own device returns a chain twice, or one that it never took',
    clauses: ['IMP-VQS-03'],
    seenIn: [],
    play(open) {
      for (const id of [0, 5, 8, 0x1_0000]) {
        const stage = open()
        stage.chain(0, [writable(stage.heap, 16)])
        stage.offer(0)
        stage.take()
        stage.returns(0, 16)
        try {
          stage.complete(id, 0)
          stage.publish()
        } catch (error) {
          if (!(error instanceof ExhibitFailure)) throw error
        }
        if (stage.usedIdx !== 1) throw new ExhibitFailure(`head ${id} came back though it was not out`)
      }
      return undefined
    },
  },
  {
    number: 22,
    side: 'device',
    title: 'a ring across a hole in memory',
    clauses: ['IMP-VQS-09'],
    seenIn: ['tgoskits#1984'],
    play(open) {
      // Too long for the memory below the hole.
      if (open().areas.length === 1) return 'SKIP'
      let stage: DeviceStage
      try {
        stage = open({ size: 4096 })
      } catch (error) {
        if (error instanceof ExhibitFailure && error.message.startsWith('create threw')) return 'PASS'
        throw error
      }
      const answer = stage.take()
      if (answer === null || answer.kind === 'fault') return 'REJECT'
      throw new ExhibitFailure(`took chain ${answer.id} from a ring that is not in memory`)
    },
  },
  {
    number: 28,
    side: 'device',
    title: 'reset with a chain in flight: nothing is written afterwards, and the queue is as new',
    clauses: ['VQRST-DEV-02'],
    seenIn: ['openvmm#3915', 'firecracker#5891'],
    play(open) {
      const stage = open()
      stage.chain(0, [writable(stage.heap, 16)])
      stage.offer(0)
      stage.take()
      stage.reset()
      stage.clearRings()
      try {
        stage.complete(0, 16)
        stage.publish()
      } catch (error) {
        if (!(error instanceof ExhibitFailure)) throw error
      }
      if (stage.usedIdx !== 0) throw new ExhibitFailure('a chain of before the reset came back after it')
      stage.chain(3, [writable(stage.heap, 8)])
      stage.offer(3)
      stage.served(3, [writable(stage.heap, 8)])
      stage.returns(3, 8)
      return undefined
    },
  },
  {
    number: 29,
    side: 'device',
    title: 'saved and restored with a chain offered and no kick to come',
    clauses: ['VQS-AVL-DRV-01'],
    seenIn: ['firecracker#5969', 'cloud-hypervisor#8004'],
    play(open) {
      const stage = open()
      stage.chain(0, [writable(stage.heap, 16)])
      stage.chain(1, [writable(stage.heap, 8)])
      stage.offer(0)
      stage.served(0, [writable(stage.heap, 16)])
      stage.offer(1)
      if (!stage.reload()) return 'SKIP'
      stage.served(1, [writable(stage.heap, 8)])
      stage.returns(1, 8)
      stage.returns(0, 16)
      return undefined
    },
  },
  {
    number: 33,
    side: 'device',
    title: 'the event index moves on for ever: no stall within two turns of the counter',
    clauses: ['VQS-NTF-DEV-09', 'VQS-NTF-DRV-10'],
    seenIn: ['rcore-os/virtio-drivers#121'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      for (const [from, to] of turnsOf(open({ long: true }).target, 0x2_0010)) {
        const stage = open({ eventIdx: true, long: true, index: from })
        const segments = [writable(stage.heap, 16)]
        stage.chain(0, segments)
        for (let i = from; i < to; i++) {
          stage.setNotifications(true)
          stage.offer(0)
          if (!mustKick(stage.ram.memory, stage.ring, i & 0xffff, (i + 1) & 0xffff)) {
            throw new ExhibitFailure(`sleeps at index ${i}: its event index asks for no kick`)
          }
          stage.served(0, segments)
          stage.returns(0, 16)
        }
      }
      return undefined
    },
  },
  {
    number: 34,
    side: 'device',
    title: 'a batch passes used_event, also around 65535: one interrupt, and none otherwise',
    clauses: ['VQS-NTF-DEV-04', 'VQS-NTF-DEV-05', 'IMP-VQS-08'],
    seenIn: ['cartesi#301'],
    long: true,
    needs: ['eventIdx'],
    play(open) {
      for (const [first, last] of turnsOf(open({ long: true }).target, 0x1_0040)) passesEvents(open, first, last)
      return undefined
    },
  },
  {
    number: 35,
    side: 'device',
    title: 'out of buffers, it asks to be told of new ones and finds what came meanwhile',
    clauses: ['VQS-NTF-DEV-09'],
    seenIn: ['CVE-2020-16843'],
    play(open) {
      for (const eventIdx of open().target.lacks?.includes('eventIdx') ? [false] : [false, true]) {
        const stage = open({ eventIdx })
        stage.setNotifications(false)
        if (stage.take() !== null) throw new ExhibitFailure('took a chain from an empty ring')
        stage.chain(0, [writable(stage.heap, 16)])
        stage.offer(0)
        // It came before the device asked: it must look again.
        const more = stage.setNotifications(true)
        if (!more && !mustKick(stage.ram.memory, stage.ring, 0, 1)) {
          throw new ExhibitFailure('a buffer came while it turned notifications on: no kick, and no second look')
        }
        stage.served(0, [writable(stage.heap, 16)])
        stage.chain(1, [writable(stage.heap, 16)])
        stage.setNotifications(true)
        stage.offer(1)
        if (!mustKick(stage.ram.memory, stage.ring, 1, 2)) throw new ExhibitFailure('it asked for kicks, and gets none')
      }
      return undefined
    },
  },
  {
    number: 36,
    side: 'device',
    title: 'used idx becomes visible only behind its elements, in one step',
    clauses: ['IMP-VQS-01'],
    seenIn: ['firecracker#2169', 'acrn#3207'],
    needs: ['watched'],
    play(open) {
      const stage = open()
      const { ring, ram } = stage
      for (let head = 0; head < 3; head++) {
        stage.chain(head, [writable(stage.heap, 16)])
        stage.offer(head)
        stage.take()
      }
      ram.beforeWrite = (address, _bytes, value) => {
        if (address !== usedIdxAt(ring)) return
        for (let index = 0; index < value; index++) {
          if (stage.used(index).length !== index + 10) {
            throw new ExhibitFailure(`used idx became ${value} before element ${index} was there`)
          }
        }
      }
      for (let head = 0; head < 3; head++) stage.complete(head, head + 10)
      stage.publish()
      if (stage.usedIdx !== 3) throw new ExhibitFailure(`used idx is ${stage.usedIdx}, not 3`)
      return undefined
    },
  },
  {
    number: 36,
    side: 'device',
    title: 'the available ring is read behind its idx',
    clauses: ['VQS-AVL-DRV-01'],
    seenIn: ['firecracker#2169', 'acrn#3207'],
    needs: ['watched'],
    play(open) {
      const stage = open()
      const { ring, ram } = stage
      stage.chain(2, [writable(stage.heap, 16)])
      ram.memory.writeU16(availElementAt(ring, 0), 5)
      // The driver publishes at the very moment at which the device looks.
      ram.beforeRead = (address) => {
        if (address !== availIdxAt(ring)) return
        ram.beforeRead = null
        stage.offer(2)
      }
      stage.served(2, [writable(stage.heap, 16)])
      return undefined
    },
  },
  {
    number: 37,
    side: 'device',
    title: '65536 chains and some more: counters turn where they must',
    clauses: ['IMP-VQS-01'],
    seenIn: ['oak#2929', 'arcbox#210'],
    long: true,
    play(open) {
      for (const [from, to] of turnsOf(open({ long: true }).target, 0x1_0008)) {
        const stage = open({ long: true, size: 4, index: from })
        const segments = [readable(stage.heap, 3), writable(stage.heap + 8, 16)]
        stage.chain(1, segments)
        for (let i = from; i < to; i++) {
          stage.offer(1)
          stage.served(1, segments)
          stage.returns(1, i & 15)
        }
      }
      return undefined
    },
  },
]

/**
 * Exhibits that turn the counters: how far from which index. Where a call takes long, and the target can begin anywhere, from the beginning, around the middle
 * and around the end; else all the way.
 */
function turnsOf(
  { createAt, exhibitMs }: DeviceQueueTarget,
  all: number,
): readonly (readonly [from: number, to: number])[] {
  if (exhibitMs === undefined || createAt === undefined) return [[0, all]]
  return [
    [0, 0x40],
    [0x7fe0, 0x8020],
    [0xffc0, 0x1_0040],
  ]
}

/** Up to just before the end of the counter in batches of 8, then over it, in batches of 1 to 5. */
function passesEvents(open: (options?: StageOptions) => DeviceStage, first: number, last: number): void {
  const stage = open({ eventIdx: true, long: true, index: first })
  const segments = [writable(stage.heap, 16)]
  for (let head = 0; head < 8; head++) stage.chain(head, segments)
  let asked = 0
  for (let index = first; index < last; ) {
    const far = index < 0xffc0
    const batch = far ? 8 : 1 + (index % 5)
    for (let i = 0; i < batch; i++) {
      stage.offer(i)
      stage.served(i, segments)
    }
    const event = (index + (asked++ % 7) - 1) & 0xffff
    stage.ram.memory.writeU16(usedEventAt(stage.ring), event)
    for (let i = 0; i < batch; i++) stage.complete(i, 16)
    stage.publish()
    const [from, to] = [index & 0xffff, (index + batch) & 0xffff]
    const due = mustInterrupt(stage.ram.memory, stage.ring, from, to)
    if (stage.wantsNotification() !== due) {
      throw new ExhibitFailure(`${due ? 'no' : 'an'} interrupt for used idx ${from} -> ${to} with used_event ${event}`)
    }
    index += batch
  }
}

/** The descriptor changes just before read number `at` of it; whatever was understood must be one legal state or the other. */
function doubleFetch(stage: DeviceStage, at: number): Verdict {
  const { ring, ram, heap } = stage
  stage.chain(0, [writable(heap, 16)])
  stage.offer(0)
  let reads = 0
  ram.beforeRead = (address) => {
    if (address < ring.descriptorArea || address >= ring.descriptorArea + 16) return
    if (reads++ === at) stage.chain(0, [writable(heap + 0x100, 0xffff_0000)])
  }
  const answer = stage.take()
  ram.beforeRead = null
  if (answer?.kind !== 'chain') return 'PASS'
  for (const { address, length } of answer.writable) {
    if (!ram.memory.contains(address, length)) {
      throw new ExhibitFailure(`checked one length and used another, rewritten before read ${at} of the descriptor`)
    }
  }
  return 'PASS'
}
