/** A packed ring with both sides of ours on it, and a view of its bytes. */
import { expect } from 'vitest'
import { GuestMemory } from '../../../src/memory/index.ts'
import {
  BufferList,
  DescriptorChain,
  type DeviceRingConfig,
  type DriverRingConfig,
  layoutRing,
  PackedDeviceQueue,
  PackedDriverQueue,
  UsedBuffer,
} from '../../../src/virtqueue/index.ts'

export const ASSERTION = expect.objectContaining({ code: 'ASSERTION' })
export const INVALID_QUEUE = expect.objectContaining({ code: 'INVALID_QUEUE' })
export const INVALID_STATE = expect.objectContaining({ code: 'INVALID_STATE' })
export const BUFFERS = 0x10_0000
export const TABLES = 0x18_0000

export const list = (readable: number, writable: number, length = 16): BufferList => {
  const buffers = new BufferList()
  for (let i = 0; i < readable; i++) buffers.addReadable(BUFFERS + 256 * i, length)
  for (let i = readable; i < readable + writable; i++) buffers.addWritable(BUFFERS + 256 * i, length)
  return buffers
}

export type Options = Partial<DeviceRingConfig & DriverRingConfig>

export function ringOf(size: number, options: Options = {}, memory = GuestMemory.ofSize(2 ** 21)) {
  const location = { size, ...layoutRing('packed', size, 0x1000) }
  const tables = options.indirect ? { indirectArea: TABLES, indirectLength: Math.min(size, 8) } : {}
  const driver = new PackedDriverQueue(memory, { ...location, ...tables, ...options })
  const device = new PackedDeviceQueue(memory, { ...location, ...options })
  const at = (slot: number) => location.descriptorArea + 16 * slot
  const descriptor = (slot: number) => ({
    address: memory.readU32(at(slot)) + 2 ** 32 * memory.readU32(at(slot) + 4),
    length: memory.readU32(at(slot) + 8),
    id: memory.readU16(at(slot) + 12),
    flags: memory.readU16(at(slot) + 14),
  })
  const event = (area: 'driverArea' | 'deviceArea') => [
    memory.readU16(location[area]),
    memory.readU16(location[area] + 2),
  ]
  return { memory, location, driver, device, descriptor, at, event }
}

type Ring = ReturnType<typeof ringOf>

export function take({ device }: Ring): DescriptorChain[] {
  const chains: DescriptorChain[] = []
  for (let chain = new DescriptorChain(); device.popAvailable(chain); chain = new DescriptorChain()) chains.push(chain)
  return chains
}

export function reap({ driver }: Ring): [id: number, writtenBytes: number][] {
  const reaped: [number, number][] = []
  for (const used = new UsedBuffer(); driver.popUsed(used); ) reaped.push([used.id, used.writtenBytes])
  return reaped
}
