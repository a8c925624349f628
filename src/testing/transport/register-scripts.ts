/** The known ways to misuse the registers of a device, one by one; after each of them it must come up again. */
import { usedIdxAt } from '../format/split/split-ring-format.ts'
import {
  ACKNOWLEDGE,
  DEVICE_NEEDS_RESET,
  DRIVER,
  DRIVER_OK,
  FEATURES_OK,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
} from './device-port.ts'
import {
  answering,
  expectAnswer,
  goLive,
  honestRing,
  negotiate,
  offer,
  RAM,
  SECOND,
  setUpQueues,
  usedIdx,
} from './honest-bring-up.ts'
import type { PortStage } from './port-stage.ts'
import { RepostingDriver } from './reposting-driver.ts'

export interface RegisterScript {
  /** Of the bug museum. */
  readonly exhibit: number
  readonly title: string
  readonly clauses: readonly string[]
  /** Over a new device. `PortStage` checks what must hold always; this, what must hold here. */
  play(stage: PortStage): void
}

/** Of a buffer in bytes: none at all, one byte, a word, and one less than, and exactly, the longest header (vsock). */
const USELESS_LENGTHS = [0, 1, 4, 43, 44]

const SELECTORS = [0x7f, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0xffff_ffff]

export const REGISTER_SCRIPTS: readonly RegisterScript[] = [
  {
    exhibit: 24,
    title: 'queues are selected, set up, enabled and kicked that do not exist',
    clauses: ['INIT-DRV-01'],
    play(stage) {
      negotiate(stage)
      const rings = setUpQueues(stage)
      goLive(stage)
      for (const queue of [stage.target.queues, ...SELECTORS]) {
        stage.queueSizeMax(queue)
        stage.setUpQueue(queue, rings[0]!)
        stage.enableQueue(queue)
        stage.isQueueEnabled(queue)
        stage.notify(queue)
      }
      for (const queue of answering(stage)) expectAnswer(stage, queue, rings[queue]!)
    },
  },
  {
    exhibit: 24,
    title: 'sizes of 0, over the maximum, or no power of two; feature windows that do not exist',
    clauses: ['VQS-DRV-01'],
    play(stage) {
      const max = stage.queueSizeMax(0)
      for (const size of [0, 3, max + 1, 2 * max, 0x8000, 0xffff, 0xffff_ffff]) {
        stage.writeStatus(0)
        negotiate(stage)
        stage.setUpQueue(0, { ...honestRing(stage, 0), size })
        stage.enableQueue(0)
        goLive(stage)
        stage.notify(0)
      }
      stage.writeStatus(0)
      for (const window of [4, ...SELECTORS]) stage.writeDriverFeatures(window, 0xffff_ffff)
    },
  },
  {
    exhibit: 10,
    title: 'areas past RAM, across its end or a hole, around 2^64, unaligned',
    clauses: ['VQS-DRV-01', 'IMP-VQS-09'],
    play(stage) {
      for (const area of [0, 1, 2] as const) {
        for (const [low, high] of [
          [0, 0],
          [RAM.base + RAM.bytes, 0],
          [RAM.base + RAM.bytes - 16, 0],
          [SECOND.base - 16, 0],
          [SECOND.base + SECOND.bytes - 4, 0],
          [RAM.base + 1, 0],
          [RAM.base, 1],
          [RAM.base, 0x20_0000],
          [0xffff_fff0, 0xffff_ffff],
          [0xffff_ffff, 0x7fff_ffff],
        ] as const) {
          stage.writeStatus(0)
          negotiate(stage)
          stage.setUpQueue(0, { ...honestRing(stage, 0), size: Math.min(4, stage.queueSizeMax(0)) })
          stage.writeQueueAddress(0, area, low, high)
          stage.enableQueue(0)
          goLive(stage)
          stage.notify(0)
        }
      }
    },
  },
  {
    exhibit: 23,
    title: 'size and addresses are written again after enable and after DRIVER_OK: the ring stays where it was',
    clauses: ['MMIO-REG-DRV-15'],
    play(stage) {
      negotiate(stage)
      const rings = setUpQueues(stage)
      const decoy = honestRing(stage, 0, stage.target.queues)
      const rewrite = (): void => {
        stage.setUpQueue(0, { ...decoy, size: 1 })
        stage.enableQueue(0)
      }
      rewrite()
      goLive(stage)
      rewrite()
      // As attractive as can be.
      offer(stage, decoy)
      for (const queue of answering(stage)) expectAnswer(stage, queue, rings[queue]!)
      if (stage.ram.memory.readU16(usedIdxAt(decoy)) !== 0) {
        stage.fail('served the ring that was written over an enabled one')
      }
    },
  },
  {
    exhibit: 25,
    title: 'steps of the status are skipped, taken back, and made up',
    clauses: ['STATUS-DRV-01', 'STATUS-DRV-02'],
    play(stage) {
      const all = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
      const sequences = [
        [all],
        [DRIVER_OK],
        [FEATURES_OK, DRIVER_OK],
        [ACKNOWLEDGE, ACKNOWLEDGE | DRIVER, ACKNOWLEDGE | DRIVER | DRIVER_OK],
        [ACKNOWLEDGE, ACKNOWLEDGE | DRIVER, all],
        [ACKNOWLEDGE, 0xff, 0x7f, DEVICE_NEEDS_RESET, 0x30, 0x100, 0xffff_ff00],
      ]
      for (const sequence of sequences) {
        stage.writeStatus(0)
        stage.accept(VIRTIO_F_VERSION_1)
        for (const value of sequence) stage.writeStatus(value)
        stage.notify(0)
      }
      stage.writeStatus(0)
      negotiate(stage)
      setUpQueues(stage)
      goLive(stage)
      for (const value of [ACKNOWLEDGE, FEATURES_OK, all & ~FEATURES_OK, all & ~DRIVER]) stage.writeStatus(value)
    },
  },
  {
    exhibit: 25,
    title: 'FEATURES_OK with bits that were not offered, and without VERSION_1',
    clauses: ['FEAT-DEV-03'],
    play(stage) {
      const every = Array.from({ length: 128 }, (_, bit) => bit)
      const missing = every.filter((bit) => !stage.offers(bit))
      for (const bits of [
        [],
        [missing[0]!],
        [VIRTIO_F_VERSION_1, missing[0]!],
        [VIRTIO_F_VERSION_1, ...missing],
        every,
      ]) {
        stage.writeStatus(0)
        stage.writeStatus(ACKNOWLEDGE)
        stage.writeStatus(ACKNOWLEDGE | DRIVER)
        stage.accept(...bits)
        stage.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK)
        if ((stage.status & FEATURES_OK) !== 0) stage.fail(`FEATURES_OK is set with features ${bits}`)
        stage.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
        stage.notify(0)
      }
    },
  },
  {
    exhibit: 25,
    title: 'kicks before DRIVER_OK move nothing; what waits is served once the device is live',
    clauses: ['INIT-DRV-07', 'STATUS-DEV-01'],
    play(stage) {
      stage.notify(0)
      negotiate(stage)
      stage.notify(0)
      const rings = setUpQueues(stage)
      for (const queue of answering(stage)) {
        const ring = rings[queue]!
        offer(stage, ring)
        stage.notify(queue)
        if (usedIdx(stage, ring) !== 0) stage.fail(`queue ${queue} was served before DRIVER_OK`)
      }
      goLive(stage)
      for (const queue of answering(stage)) {
        stage.notify(queue)
        if (usedIdx(stage, rings[queue]!) !== 1) stage.fail(`queue ${queue} lost what was offered before DRIVER_OK`)
      }
    },
  },
  {
    exhibit: 28,
    title: 'reset with requests waiting, and kicks after it: nothing is written, and no interrupt is left',
    clauses: ['RESET-DEV-01', 'RESET-DEV-02'],
    play(stage) {
      negotiate(stage)
      const rings = setUpQueues(stage)
      goLive(stage)
      for (const ring of rings) offer(stage, ring)
      stage.writeStatus(0)
      for (let queue = 0; queue < rings.length; queue++) stage.notify(queue)
      rings.forEach((ring, queue) => {
        if (usedIdx(stage, ring) !== 0) stage.fail(`queue ${queue} was served after the reset`)
      })
      if (stage.takeInterrupts() !== 0) stage.fail('an interrupt is pending after the reset (RESET-DEV-02)')
    },
  },
  {
    exhibit: 28,
    title: 'one queue is reset with requests waiting, kicked, and enabled again elsewhere',
    clauses: ['VQRST-DEV-01', 'VQRST-DEV-02'],
    play(stage) {
      if (!stage.canResetQueues || !stage.offers(VIRTIO_F_RING_RESET)) return
      negotiate(stage, VIRTIO_F_RING_RESET)
      const rings = setUpQueues(stage)
      goLive(stage)
      for (const queue of answering(stage)) {
        const ring = rings[queue]!
        offer(stage, ring)
        stage.resetQueue(queue)
        if (stage.isQueueEnabled(queue)) stage.fail(`queue ${queue} is enabled after its reset (VQRST-DEV-02)`)
        stage.notify(queue)
        if (usedIdx(stage, ring) !== 0) stage.fail(`queue ${queue} was served after its reset`)
        const elsewhere = honestRing(stage, queue, stage.target.queues + queue)
        stage.setUpQueue(queue, elsewhere)
        stage.enableQueue(queue)
        expectAnswer(stage, queue, elsewhere)
      }
    },
  },
  {
    exhibit: 27,
    title: 'configuration is read and written past its end, and before FEATURES_OK',
    clauses: ['INIT-DRV-03'],
    play(stage) {
      const access = (): void => {
        for (const offset of [0, 1, 3, 0x7fff, 0xffff, 0xffff_fffc]) {
          for (const bytes of [1, 2, 4, 8]) {
            stage.readConfig(offset, bytes)
            stage.writeConfig(offset, bytes)
          }
        }
      }
      access()
      negotiate(stage)
      access()
      setUpQueues(stage)
      goLive(stage)
      access()
    },
  },
  {
    exhibit: 21,
    title:
      'every chain is reposted as soon as it is returned, with buffers of 0 to 44 bytes: each access ends all the same',
    clauses: ['IMP-VQS-03'],
    play(stage) {
      for (const chain of ['readable', 'writable', 'both'] as const) {
        for (const lengthBytes of USELESS_LENGTHS) {
          stage.ram.beforeRead = null
          stage.writeStatus(0)
          negotiate(stage)
          const driver = new RepostingDriver(stage, setUpQueues(stage), chain, lengthBytes)
          driver.during(() => goLive(stage))
          for (let round = 0; round < 2; round++) {
            for (let queue = 0; queue < stage.target.queues; queue++) {
              driver.during(() => stage.notify(queue))
              driver.during(() => stage.takeInterrupts())
            }
          }
        }
      }
    },
  },
]
