/**
 * A ring as code: a program that lays out the same bytes again, to be pasted into a regression test. Only what a device
 * could look at is written: the indices, the slots that wait, and every descriptor reachable from them.
 */
import type { GuestMemory } from '../../../memory/index.ts'
import { followChain, hex } from './draw-ring.ts'
import {
  availElementAt,
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  type SplitRing,
  usedEventAt,
} from './split-ring-format.ts'

/** The memory of a ring as a program that sets it up again. */
export function ringProgram(memory: GuestMemory, ring: SplitRing, nextAvail: number): string {
  const regions = memory.regions.map(({ base, size, frames, u8 }) => {
    const mapped = frames
      ? `, buffer: new ArrayBuffer(${hex(u8.length)}), frames: Int32Array.of(${frames.join(', ')})`
      : ''
    return `{ base: ${hex(base)}, size: ${hex(size)}${mapped} }`
  })
  const lines = [
    `const memory = new GuestMemory([${regions.join(', ')}])`,
    `const ring = { size: ${ring.size}, descriptorArea: ${hex(ring.descriptorArea)}, driverArea: ${hex(ring.driverArea)}, deviceArea: ${hex(ring.deviceArea)}, eventIdx: ${ring.eventIdx}, indirect: ${ring.indirect} }`,
  ]
  const idx = memory.readU16(availIdxAt(ring))
  const waiting = Math.min((idx - nextAvail) & 0xffff, ring.size)
  const written = new Set<number>()
  for (let i = 0; i < waiting; i++) {
    const head = memory.readU16(availElementAt(ring, nextAvail + i))
    lines.push(`memory.writeU16(${hex(availElementAt(ring, nextAvail + i))}, ${head})`)
    if (head >= ring.size) continue
    for (const { table, index, length, flags, next } of followChain(memory, ring, head, ring.size + 2)) {
      const at = table + DESCRIPTOR_BYTES * index
      if (written.has(at)) continue
      written.add(at)
      const address = `[${hex(memory.readU32(at + 4))}, ${hex(memory.readU32(at))}]`
      lines.push(
        `writeDescriptor(memory, ${hex(table)}, ${index}, { address: ${address}, length: ${hex(length)}, flags: ${flags}, next: ${next} })`,
      )
    }
  }
  lines.push(
    `memory.writeU16(${hex(availFlagsAt(ring))}, ${memory.readU16(availFlagsAt(ring))})`,
    `memory.writeU16(${hex(usedEventAt(ring))}, ${memory.readU16(usedEventAt(ring))})`,
    `memory.writeU16(${hex(availIdxAt(ring))}, ${idx})`,
  )
  return lines.join('\n')
}
