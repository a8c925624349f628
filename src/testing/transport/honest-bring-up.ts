/** What an honest driver does: the handshake, a ring, a request; the ground from which an attack departs, and where it must end. */

import {
  availElementAt,
  availIdxAt,
  descriptorAreaBytes,
  deviceAreaBytes,
  driverAreaBytes,
  type SplitRing,
  usedElementAt,
  usedIdxAt,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  writeDescriptor,
} from '../format/split/split-ring-format.ts'
import { layOutRing } from '../ring-layout.ts'
import { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, VIRTIO_F_VERSION_1 } from './device-port.ts'
import type { PortStage } from './port-stage.ts'

/** RAM of an attack: the arena, and a page behind a hole. */
export const RAM = { base: 0x1_0000, bytes: 0x1_0000 } as const
export const SECOND = { base: 0x400_0000, bytes: 0x1000 } as const

const BUFFER_BYTES = 64
/** A ring of up to this size and the buffers of one request, for each queue. */
const SIZE_MAX = 4
const QUEUE_BYTES = 0x400

/** From the finished reset to FEATURES_OK. */
export function negotiate(stage: PortStage, ...bits: readonly number[]): void {
  stage.writeStatus(ACKNOWLEDGE)
  stage.writeStatus(ACKNOWLEDGE | DRIVER)
  stage.accept(VIRTIO_F_VERSION_1, ...bits)
  stage.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK)
  if ((stage.status & FEATURES_OK) === 0) stage.fail('refuses VERSION_1 and features that it offers (FEAT-DEV-02)')
}

export function goLive(stage: PortStage): void {
  stage.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
}

/** An empty ring of queue `queue`, in zeroed memory of its own. */
export function honestRing(stage: PortStage, queue: number, slot = queue): SplitRing {
  const size = 2 ** Math.floor(Math.log2(Math.min(SIZE_MAX, stage.queueSizeMax(queue))))
  const { ring } = layOutRing({ size, eventIdx: false, indirect: false }, RAM.base + QUEUE_BYTES * slot)
  clear(stage, ring)
  return ring
}

export function clear(stage: PortStage, ring: SplitRing): void {
  const { size, descriptorArea, driverArea, deviceArea } = ring
  stage.ram.memory.fill(descriptorArea, descriptorAreaBytes(size), 0)
  stage.ram.memory.fill(driverArea, driverAreaBytes(size), 0)
  stage.ram.memory.fill(deviceArea, deviceAreaBytes(size), 0)
}

/** Sets a ring up for each queue; nothing is live yet. */
export function setUpQueues(stage: PortStage): SplitRing[] {
  return Array.from({ length: stage.target.queues }, (_, queue) => {
    const ring = honestRing(stage, queue)
    stage.setUpQueue(queue, ring)
    stage.enableQueue(queue)
    if (!stage.isQueueEnabled(queue)) stage.fail(`queue ${queue} refuses a ring of ${ring.size}`)
    return ring
  })
}

/** Offers a chain to read and to write, without a kick. */
export function offer(stage: PortStage, ring: SplitRing): void {
  const { memory } = stage.ram
  const buffers = ring.deviceArea + 0x200
  const idx = memory.readU16(availIdxAt(ring))
  memory.fill(buffers, BUFFER_BYTES, 0)
  const both = ring.size > 1
  const readable = { address: buffers, length: BUFFER_BYTES, flags: both ? VIRTQ_DESC_F_NEXT : 0, next: 1 }
  writeDescriptor(memory, ring.descriptorArea, 0, readable)
  const writable = { address: buffers + BUFFER_BYTES, length: BUFFER_BYTES, flags: VIRTQ_DESC_F_WRITE, next: 0 }
  if (both) writeDescriptor(memory, ring.descriptorArea, 1, writable)
  memory.writeU16(availElementAt(ring, idx), 0)
  memory.writeU16(availIdxAt(ring), idx + 1)
}

export const usedIdx = (stage: PortStage, ring: SplitRing): number => stage.ram.memory.readU16(usedIdxAt(ring))

/** A request on this queue comes back, once, with a length that it can have. */
export function expectAnswer(stage: PortStage, queue: number, ring: SplitRing): void {
  stage.ring = ring
  const before = usedIdx(stage, ring)
  offer(stage, ring)
  stage.notify(queue)
  const { memory } = stage.ram
  const idx = usedIdx(stage, ring)
  if (idx !== ((before + 1) & 0xffff))
    stage.fail(`queue ${queue}: used idx is ${idx} after a request, not ${before + 1}`)
  const at = usedElementAt(ring, before)
  const [id, length] = [memory.readU32(at), memory.readU32(at + 4)]
  if (id !== 0 || length > (ring.size > 1 ? BUFFER_BYTES : 0)) {
    stage.fail(`queue ${queue}: the used element is { id: ${id}, len: ${length} }, of a chain with head 0`)
  }
}

/** Whatever was done to it, after a reset the device is as new. */
export function expectRecovery(stage: PortStage): void {
  stage.ring = null
  stage.ram.beforeRead = stage.ram.beforeWrite = null
  stage.writeStatus(0)
  negotiate(stage)
  const rings = setUpQueues(stage)
  goLive(stage)
  if ((stage.status & DRIVER_OK) === 0) stage.fail('does not come up again after a reset')
  for (const queue of answering(stage)) expectAnswer(stage, queue, rings[queue]!)
}

export function answering({ target }: PortStage): readonly number[] {
  return target.answering ?? Array.from({ length: target.queues }, (_, queue) => queue)
}
