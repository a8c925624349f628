/**
 * A split ring as a person would sketch it on paper while debugging: the indices, and under each waiting slot the chain it
 * starts, cut off where it runs wild. For failure messages; follows the bytes as they are and judges nothing.
 *
 *     split ring of 4, EVENT_IDX · descriptors 0x1000 · driver 0x1040 · device 0x1050
 *     available: flags 0, idx 2, used_event 0 · used: flags 0, idx 0, avail_event 0
 *       0 -> [2] R 0x2000+64 -> [3] W 0x3000+16
 *       1 -> [0] table 0x5008+32 { [0] R 0x2000+1 -> [1] W 0x2001+1 }
 */
import { checkInteger, checkMethods, checkObject, MAX_U16 } from '../../../internal/check-option.ts'
import {
  availElementAt,
  availEventAt,
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  type Descriptor,
  type RingMemory,
  readDescriptor,
  type SplitRing,
  usedEventAt,
  usedFlagsAt,
  usedIdxAt,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from './split-ring-format.ts'

export interface VisitedDescriptor extends Descriptor {
  /** Address of the table that holds it, and its index there. */
  readonly table: number
  readonly index: number
}

/**
 * The descriptors a careless walk from `head` would meet, tables entered, at most `limit` of them. What lies outside
 * memory ends the walk.
 */
export function* followChain(
  memory: RingMemory,
  ring: SplitRing,
  head: number,
  limit: number,
): Generator<VisitedDescriptor> {
  let table = ring.descriptorArea
  let index = head
  for (let visited = 0; visited < limit; visited++) {
    if (!memory.contains(table + DESCRIPTOR_BYTES * index, DESCRIPTOR_BYTES)) return
    const descriptor = readDescriptor(memory, table, index)
    yield { ...descriptor, table, index }
    if (descriptor.flags & VIRTQ_DESC_F_INDIRECT) {
      table = descriptor.address
      index = 0
    } else if (descriptor.flags & VIRTQ_DESC_F_NEXT) index = descriptor.next
    else return
  }
}

/** Draws the slots from `nextAvail` to available idx, at most as many as the ring has. */
export function drawRing(memory: RingMemory, ring: SplitRing, nextAvail: number): string {
  checkMethods('memory', memory, 'a RingMemory', ['readU16', 'readU32'])
  checkObject('ring', ring, 'a SplitRing')
  checkInteger('nextAvail', nextAvail, 0, MAX_U16)
  const idx = memory.readU16(availIdxAt(ring))
  const waiting = (idx - nextAvail) & 0xffff
  const features = `${ring.eventIdx ? ', EVENT_IDX' : ''}${ring.indirect ? ', INDIRECT_DESC' : ''}`
  const lines = [
    `split ring of ${ring.size}${features} · descriptors ${hex(ring.descriptorArea)} · driver ${hex(ring.driverArea)} · device ${hex(ring.deviceArea)}`,
    `available: flags ${memory.readU16(availFlagsAt(ring))}, idx ${idx}, used_event ${memory.readU16(usedEventAt(ring))}` +
      ` · used: flags ${memory.readU16(usedFlagsAt(ring))}, idx ${memory.readU16(usedIdxAt(ring))}, avail_event ${memory.readU16(availEventAt(ring))}`,
  ]
  for (let i = 0; i < Math.min(waiting, ring.size); i++) {
    const slot = (nextAvail + i) & 0xffff
    lines.push(`  ${slot} -> ${drawChain(memory, ring, memory.readU16(availElementAt(ring, slot)))}`)
  }
  if (waiting > ring.size) lines.push(`  ... idx is ${waiting} ahead of ${nextAvail}`)
  return lines.join('\n')
}

function drawChain(memory: RingMemory, ring: SplitRing, head: number): string {
  if (head >= ring.size) return `head ${head}, out of range`
  const limit = ring.size + 2
  let text = ''
  let visited = 0
  let depth = 0
  for (const { index, address, length, flags, next } of followChain(memory, ring, head, limit)) {
    visited++
    const place = `${hex(address)}+${length}`
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      text += `[${index}] table ${place}${flags & VIRTQ_DESC_F_NEXT ? ` and next ${next}` : ''} { `
      depth++
    } else {
      text += `[${index}] ${flags & VIRTQ_DESC_F_WRITE ? 'W' : 'R'} ${place}${flags & VIRTQ_DESC_F_NEXT ? ` -> ` : ''}`
    }
  }
  return `${text}${visited === limit ? '...' : ''}${' }'.repeat(depth)}`
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}
