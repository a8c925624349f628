/** Device side: chains and tables that no driver may build, and some that look wrong and must be served. */
import { type DeviceStage, INDIRECT, NEXT, readable, WRITE, writable } from './device-stage.ts'
import { type Exhibit, ExhibitFailure, VERDICTS, type Verdict } from './exhibit.ts'

export type DeviceExhibit = Exhibit<(options?: ConstructorParameters<typeof DeviceStage>[1]) => DeviceStage>

/** The worst of several verdicts. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS[Math.max(0, ...verdicts.map((verdict) => VERDICTS.indexOf(verdict)))]!
}

export const CHAIN_EXHIBITS: readonly DeviceExhibit[] = [
  {
    number: 1,
    side: 'device',
    title: 'available idx runs ahead by more than the queue',
    clauses: ['VQS-AVL-DRV-01', 'IMP-VQS-01'],
    seenIn: ['rust-vmm/vm-virtio#196', 'firecracker#3149'],
    play: (open) =>
      worst(
        [9, 0x8000, 0xffff].map((idx) => {
          const stage = open()
          stage.chain(0, [writable(stage.heap, 16)])
          stage.offer(0)
          stage.setAvailIdx(idx)
          return stage.refused()
        }),
      ),
  },
  {
    number: 2,
    side: 'device',
    title: 'a ring entry names a head beyond the table',
    clauses: ['IMP-VQS-02'],
    seenIn: ['openvmm#3136'],
    play: (open) =>
      worst(
        [8, 9, 0xffff].map((head) => {
          const stage = open()
          stage.offer(head)
          return stage.refused()
        }),
      ),
  },
  {
    number: 3,
    side: 'device',
    title: 'next points beyond the descriptor table',
    clauses: ['IMP-VQS-02'],
    seenIn: [],
    play: (open) =>
      worst(
        [8, 0xffff].map((next) => {
          const stage = open()
          stage.descriptor(0, stage.heap, 16, NEXT, next)
          stage.offer(0)
          return stage.refused(0)
        }),
      ),
  },
  {
    number: 3,
    side: 'device',
    title: 'next points beyond an indirect table',
    clauses: ['IMP-VQS-05'],
    seenIn: [],
    needs: ['indirect'],
    play(open) {
      const stage = open()
      stage.descriptor(0, stage.heap, 32, INDIRECT)
      stage.descriptor(0, stage.heap + 0x100, 16, NEXT, 2, stage.heap)
      stage.descriptor(2, stage.heap + 0x200, 16, 0, 0, stage.heap)
      stage.offer(0)
      return stage.refused(0)
    },
  },
  {
    number: 4,
    side: 'device',
    title: 'a chain loops, over one descriptor or two',
    clauses: ['VQS-IND-DRV-03'],
    seenIn: ['firecracker#2358', 'openvmm#4045'],
    play: (open) =>
      worst(
        [0, 1].map((back) => {
          const stage = open()
          stage.descriptor(0, stage.heap, 16, NEXT, back)
          stage.descriptor(1, stage.heap, 16, NEXT, 0)
          stage.offer(0)
          return stage.refused(0)
        }),
      ),
  },
  {
    number: 5,
    side: 'device',
    title: 'an indirect table inside another, and one that names itself',
    clauses: ['VQS-IND-DRV-02'],
    seenIn: [],
    needs: ['indirect'],
    play: (open) =>
      worst(
        [0, 0x100].map((inner) => {
          const stage = open()
          stage.descriptor(0, stage.heap, 16, INDIRECT)
          stage.descriptor(0, stage.heap + inner, 16, INDIRECT, 0, stage.heap)
          if (inner > 0) stage.descriptor(0, stage.heap + 0x200, 16, WRITE, 0, stage.heap + inner)
          stage.offer(0)
          return stage.refused(0)
        }),
      ),
  },
  {
    number: 6,
    side: 'device',
    title: 'an indirect table of no bytes, of a broken number, or of billions',
    clauses: ['IMP-VQS-05', 'VQS-IND-DRV-03'],
    seenIn: ['openvmm#2986', 'propolis#1188'],
    needs: ['indirect'],
    play: (open) =>
      worst(
        [0, 8, 24, 16 * 9, 0xffff_fff0].map((length) => {
          const stage = open()
          const count = Math.min(9, Math.ceil(length / 16))
          stage.chain(
            0,
            Array.from({ length: count }, () => writable(stage.heap + 0x800, 16)),
            stage.heap,
          )
          stage.descriptor(0, stage.heap, length, INDIRECT)
          stage.offer(0)
          return stage.refused(0)
        }),
      ),
  },
  {
    number: 6,
    side: 'device',
    title: 'buffers in the ring and in a table, together one more than the queue is long',
    clauses: ['VQS-IND-DRV-03'],
    seenIn: [],
    needs: ['indirect'],
    play(open) {
      const stage = open()
      const table = Array.from({ length: 8 }, (_, i) => writable(stage.heap + 0x800 + 16 * i, 16))
      stage.chain(0, table, stage.heap)
      stage.descriptor(0, stage.heap + 0x400, 16, NEXT, 1)
      stage.descriptor(1, stage.heap, 16 * 8, INDIRECT)
      stage.offer(0)
      return stage.refused(0)
    },
  },
  {
    number: 7,
    side: 'device',
    title: 'a descriptor is a table and continues as well',
    clauses: ['VQS-IND-DRV-04'],
    seenIn: [],
    needs: ['indirect'],
    play(open) {
      const stage = open()
      stage.chain(0, [writable(stage.heap + 0x100, 16)], stage.heap)
      stage.descriptor(0, stage.heap, 16, INDIRECT | NEXT, 1)
      stage.descriptor(1, stage.heap + 0x200, 16, WRITE)
      stage.offer(0)
      return stage.refused(0)
    },
  },
  {
    number: 8,
    side: 'device',
    title: 'an indirect table at an odd address is legal',
    clauses: ['IMP-VQS-05'],
    seenIn: ['vm-virtio#220'],
    needs: ['indirect'],
    play(open) {
      for (const odd of [1, 2, 7, 8]) {
        const stage = open()
        const segments = [readable(stage.heap + 0x100, 10), writable(stage.heap + 0x200, 20)]
        stage.chain(0, segments, stage.heap + odd)
        stage.descriptor(0, stage.heap + odd, 32, INDIRECT)
        stage.offer(0)
        stage.served(0, segments)
        stage.returns(0, 20)
      }
      return undefined
    },
  },
  {
    number: 9,
    side: 'device',
    title: 'a buffer that ends with the last byte of RAM is legal',
    clauses: ['IMP-VQS-09'],
    seenIn: ['firecracker#1296', 'cloud-hypervisor#2450'],
    play(open) {
      const stage = open()
      const segments = [readable(stage.areas[0]!.end - 16, 16), writable(stage.areas.at(-1)!.end - 1, 1)]
      stage.chain(0, segments)
      stage.offer(0)
      stage.served(0, segments)
      stage.returns(0, 1)
      return undefined
    },
  },
  {
    number: 10,
    side: 'device',
    title: 'a buffer leaves RAM: past the end, across a hole, around 2^64',
    clauses: ['IMP-VQS-09'],
    seenIn: ['CVE-2019-18960', 'cloud-hypervisor#8197', 'openvmm#3990'],
    play(open) {
      const { areas } = open()
      const wrong = [
        ...areas.flatMap(({ end }) => [writable(end - 16, 17), writable(end, 1)]),
        ...areas.slice(1).map(({ base }) => writable(base - 1, 2)),
        // Both ends in memory, a hole between.
        ...areas.slice(1).map(({ base }, i) => writable(areas[i]!.end - 16, base - areas[i]!.end + 32)),
        writable([0xffff_ffff, 0xffff_fff0], 0x20),
        writable([0xffff_ffff, 0xffff_f000], 0xffff_ffff),
        writable([1, areas[0]!.base], 16),
      ]
      return worst(
        wrong.map((segment) => {
          const stage = open()
          stage.chain(0, [readable(stage.heap, 16), segment])
          stage.offer(0)
          return stage.refused(0)
        }),
      )
    },
  },
  {
    number: 11,
    side: 'device',
    title: 'a readable buffer after a writable one',
    clauses: ['VQS-FRM-DRV-01'],
    seenIn: [],
    play(open) {
      const stage = open()
      stage.chain(0, [writable(stage.heap, 16), readable(stage.heap + 0x100, 16)])
      stage.offer(0)
      return stage.refused(0)
    },
  },
  {
    number: 12,
    side: 'device',
    title: 'buffers of no bytes: the chain is served or refused, never lost',
    clauses: ['VQS-FRM-DEV-01'],
    seenIn: ['arcbox#480', 'sddf#740'],
    play: (open) =>
      worst(
        [0, WRITE].map((flags) => {
          const stage = open()
          stage.descriptor(0, stage.heap, 0, flags)
          stage.offer(0)
          const answer = stage.take()
          if (answer?.kind !== 'chain') {
            // Refused: the same question again, of a device that has not seen it.
            const again = open()
            again.descriptor(0, again.heap, 0, flags)
            again.offer(0)
            return again.refused(0)
          }
          stage.returns(0, 0)
          return 'PASS'
        }),
      ),
  },
  {
    number: 13,
    side: 'device',
    title: 'a chain of more than 2^32 bytes',
    clauses: ['VQS-DESC-DRV-01'],
    seenIn: [],
    long: true,
    play(open) {
      const stage = open({ size: 512, long: true, bytes: 2 ** 24 + 0x8000 })
      stage.chain(
        0,
        Array.from({ length: 257 }, () => writable(stage.heap, 2 ** 24)),
      )
      stage.offer(0)
      return stage.refused(0)
    },
  },
  {
    number: 15,
    side: 'device',
    title: 'a header cut at every byte, a status of its own or merged: framing means nothing',
    clauses: ['VQS-FRM-DEV-01'],
    seenIn: ['cloud-hypervisor#7802', 'vm-virtio#204'],
    play(open) {
      for (let cut = 1; cut < 16; cut++) {
        const stage = open()
        const { heap } = stage
        const whole = [readable(heap, 16), writable(heap + 0x100, 33)]
        const parts = [readable(heap, cut), readable(heap + cut, 16 - cut)]
        stage.chain(0, [...parts, writable(heap + 0x100, 32), writable(heap + 0x120, 1)])
        stage.offer(0)
        stage.served(0, whole)
        stage.returns(0, 33)
      }
      return undefined
    },
  },
  {
    number: 16,
    side: 'device',
    title: 'the same head offered again before it came back',
    clauses: ['IMP-VQS-09'],
    seenIn: ['CVE-2016-5403', 'firecracker#5762'],
    play(open) {
      const stage = open()
      const segments = [writable(stage.heap, 16)]
      stage.chain(0, segments)
      stage.offer(0)
      stage.served(0, segments)
      stage.offer(0)
      const answer = stage.take()
      if (answer?.kind === 'chain') throw new ExhibitFailure('took head 0 twice: its buffers have two owners now')
      // Stopped or not, what it holds can be returned.
      if (!answer?.returned) stage.returns(0, 16)
      return answer?.returned ? 'PASS' : 'REJECT'
    },
  },
]
