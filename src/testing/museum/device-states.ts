/** Device side: what a device must survive besides odd chains: no room for its answer, endless refills, restore, reconnect. */

import { availElementAt, usedIdxAt } from '../format/split/split-ring-format.ts'
import type { SavedDeviceQueue } from '../queue-targets.ts'
import { type DeviceExhibit, worst } from './device-chains.ts'
import { type DeviceStage, INDIRECT, NEXT, readable, writable } from './device-stage.ts'
import { ExhibitFailure, NotShown, type Verdict } from './exhibit.ts'

export const STATE_EXHIBITS: readonly DeviceExhibit[] = [
  {
    number: 14,
    side: 'device',
    title: 'a header and no byte for the status: the chain comes back, with nothing written',
    clauses: ['IMP-VQS-03', 'IMP-VQS-04'],
    seenIn: ['cloud-hypervisor#8401'],
    play(open) {
      for (const cut of [16, 1, 15]) {
        const stage = open()
        const header = readable(stage.heap, 16)
        const parts = [readable(stage.heap, cut), readable(stage.heap + cut, 16 - cut)]
        onlyHeader(stage, 0, header, cut === 16 ? [header] : parts)
        if (!stage.ring.indirect) continue
        stage.chain(0, parts, stage.heap + 0x100)
        stage.descriptor(3, stage.heap + 0x100, 32, INDIRECT)
        stage.offer(3)
        stage.served(3, [header])
        stage.returns(3, 0)
      }
      return undefined
    },
  },
  {
    number: 20,
    side: 'device',
    title: 'its own device reports more bytes than the chain could hold',
    clauses: ['IMP-VQS-04'],
    seenIn: [],
    play(open) {
      for (const [capacity, length] of [
        [0, 1],
        [16, 17],
        [16, 0xffff_ffff],
      ] as const) {
        const stage = open()
        const segments = [readable(stage.heap, 16), ...(capacity > 0 ? [writable(stage.heap + 0x100, capacity)] : [])]
        stage.chain(0, segments)
        stage.offer(0)
        stage.served(0, segments)
        try {
          stage.complete(0, length)
          stage.publish()
        } catch (error) {
          if (!(error instanceof ExhibitFailure)) throw error
        }
        if (stage.usedIdx !== 0) {
          throw new ExhibitFailure(`told the driver of ${length} bytes in a chain with room for ${capacity}`)
        }
      }
      return undefined
    },
  },
  {
    number: 21,
    side: 'device',
    title: 'malformed chains are offered as fast as they are refused: a look at the ring ends',
    clauses: ['IMP-VQS-02'],
    seenIn: ['firecracker#5260'],
    needs: ['watched'],
    play(open) {
      const stage = open()
      const { ram, ring } = stage
      stage.descriptor(0, stage.heap, 16, NEXT, 0xffff)
      let offered = 0
      const offer = (): void => {
        stage.offer(0)
        offered++
      }
      // One more whenever the device looks at the newest, so never more than the ring holds.
      ram.beforeRead = (address) => {
        if (address === availElementAt(ring, offered - 1)) offer()
      }
      offer()
      const answer = stage.take()
      ram.beforeRead = null
      if (answer?.kind === 'chain') throw new ExhibitFailure(`took chain ${answer.id}, which breaks a rule`)
      if (!answer?.returned) return stage.recovers()
      for (let calls = 0; stage.usedIdx !== offered; calls++) {
        if (calls > 2 * offered) throw new ExhibitFailure(`gave back ${stage.usedIdx} of ${offered} refused chains`)
        stage.take()
        stage.publish()
      }
      return stage.works() ? 'PASS' : stage.recovers()
    },
  },
  {
    number: 21,
    side: 'device',
    title: 'the driver offers a chain again the moment it came back: a turn of the device ends',
    clauses: ['IMP-VQS-03'],
    seenIn: ['firecracker#5260'],
    needs: ['watched'],
    play(open) {
      const stage = open()
      const { ram, ring } = stage
      const heads = Array.from({ length: ring.size }, (_, head) => head)
      for (const head of heads) stage.chain(head, [writable(stage.heap + 16 * head, 16)])
      stage.offer(...heads)
      let offered: number = ring.size
      let returned = 0
      ram.beforeWrite = (address, _bytes, value) => {
        if (address !== usedIdxAt(ring)) return
        for (; returned !== value; returned = (returned + 1) & 0xffff) {
          stage.offer(stage.used(returned).id)
          offered++
        }
      }
      if (stage.turn() === null) throw new NotShown('the target has no turns')
      ram.beforeWrite = null
      // Nothing new any more: in a few turns, as the kicks for the refills would cause them, all of it is back.
      for (let turns = 0; stage.usedIdx !== (offered & 0xffff); turns++) {
        if (turns > offered) throw new ExhibitFailure(`served ${stage.usedIdx} of ${offered} chains, and stopped`)
        stage.turn()
      }
      return undefined
    },
  },
  {
    number: 30,
    side: 'device',
    title: 'restored where no queue can be: indices further apart than the ring is long, heads that cannot be out',
    clauses: ['VQS-AVL-DRV-01', 'IMP-VQS-03'],
    seenIn: ['cloud-hypervisor#8693'],
    play(open) {
      // The most that can be out is legal, also around 65535.
      for (const [nextAvailable, usedIndex] of [
        [8, 0],
        [3, 0xfffb],
        [0, 0],
      ] as const) {
        const stage = open()
        const saved = { nextAvailable, usedIndex, inFlight: heads((nextAvailable - usedIndex) & 0xffff) }
        if (!stage.restored(saved))
          throw new ExhibitFailure(`refused to be restored with ${tell(saved)}, which is legal`)
        for (const { id } of saved.inFlight) stage.returns(id, 16)
      }
      const twice = [...heads(2), ...heads(1)]
      const impossible: SavedDeviceQueue[] = [
        { nextAvailable: 9, usedIndex: 0, inFlight: heads(8) },
        { nextAvailable: 9, usedIndex: 0, inFlight: heads(9) },
        { nextAvailable: 0x8000, usedIndex: 0, inFlight: [] },
        { nextAvailable: 0, usedIndex: 1, inFlight: [] },
        { nextAvailable: 3, usedIndex: 0, inFlight: heads(2) },
        { nextAvailable: 3, usedIndex: 0, inFlight: twice },
        { nextAvailable: 1, usedIndex: 0, inFlight: [{ id: 8, writableBytes: 16 }] },
      ]
      for (const saved of impossible) {
        const stage = open()
        if (stage.restored(saved)) throw new ExhibitFailure(`was restored with ${tell(saved)}, in a ring of 8`)
        stage.renew()
        if (!stage.works()) throw new ExhibitFailure(`no new queue works after ${tell(saved)} was refused`)
      }
      return undefined
    },
  },
  {
    number: 31,
    side: 'device',
    title: 'a device that goes away and comes back completes what it held exactly once',
    clauses: ['IMP-VQS-03', 'IMP-VQS-09'],
    seenIn: ['cloud-hypervisor#8592', 'rust-vmm/vhost#375'],
    play(open) {
      const stage = back(open())
      const next = [writable(stage.heap + 0x400, 16)]
      stage.chain(3, next)
      stage.offer(3)
      // Not what it held: that was taken already.
      stage.served(3, next)
      for (const id of [2, 3, 0]) stage.returns(id, 16)
      const { usedIdx } = stage
      for (const id of [0, 1, 2, 3]) {
        try {
          stage.complete(id, 0)
          stage.publish()
        } catch (error) {
          if (!(error instanceof ExhibitFailure)) throw error
        }
        if (stage.usedIdx !== usedIdx) throw new ExhibitFailure(`head ${id} came back twice`)
      }
      if (stage.take() !== null) throw new ExhibitFailure('took a chain that was not offered')
      return undefined
    },
  },
  {
    number: 31,
    side: 'device',
    title: 'back again, it is flooded with heads: those that it still holds, and more than the ring is long',
    clauses: ['IMP-VQS-09', 'VQS-AVL-DRV-01'],
    seenIn: ['CVE-2022-0669'],
    play: (open) =>
      worst([
        flooded(back(open()), (stage) => stage.offer(0)),
        flooded(back(open()), (stage) => stage.setAvailIdx(3 + 9)),
      ]),
  },
]

/** The device must not be surprised by the missing room, however the header is cut. */
function onlyHeader(
  stage: DeviceStage,
  head: number,
  header: ReturnType<typeof readable>,
  parts: (typeof header)[],
): void {
  stage.chain(head, parts)
  stage.offer(head)
  stage.served(head, [header])
  stage.returns(head, 0)
}

const heads = (count: number): { id: number; writableBytes: number }[] =>
  Array.from({ length: count }, (_, id) => ({ id, writableBytes: 16 }))

/** Took heads 0, 1, 2 and returned 1; then another process takes its place. */
function back(stage: DeviceStage): DeviceStage {
  for (const head of [0, 1, 2]) {
    const segments = [writable(stage.heap + 0x100 * head, 16)]
    stage.chain(head, segments)
    stage.offer(head)
    stage.served(head, segments)
  }
  stage.returns(1, 16)
  const saved = { nextAvailable: 3, usedIndex: 1, inFlight: [0, 2].map((id) => ({ id, writableBytes: 16 })) }
  if (!stage.restored(saved)) throw new ExhibitFailure(`refused to be restored with ${tell(saved)}, which is legal`)
  return stage
}

function flooded(stage: DeviceStage, flood: (stage: DeviceStage) => void): Verdict {
  flood(stage)
  const answer = stage.take()
  if (answer?.kind === 'chain') throw new ExhibitFailure(`took head ${answer.id}, which cannot be offered`)
  if (answer?.returned) throw new ExhibitFailure(`gave back head ${answer.id}, which it holds`)
  // Stopped or not, what it holds can be returned.
  stage.returns(0, 16)
  stage.returns(2, 16)
  return stage.recovers()
}

function tell({ nextAvailable, usedIndex, inFlight }: SavedDeviceQueue): string {
  const ids = inFlight.map(({ id }) => id).join(', ')
  return `available index ${nextAvailable}, used index ${usedIndex} and heads [${ids}] in flight`
}
