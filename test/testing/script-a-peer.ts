import { WatchedMemory, writeDescriptor } from 'virtio-sdk/testing'
import { DescriptorChain, SplitDeviceQueue } from 'virtio-sdk/virtqueue' // or yours

// A driver that makes a buffer longer than memory, between any two reads of the device.
const ring = { size: 2, descriptorArea: 0x1000, driverArea: 0x1020, deviceArea: 0x1040 }
for (let moment = 0; moment < 20; moment++) {
  const ram = new WatchedMemory([{ base: 0x1000, bytes: 0x1000 }])
  writeDescriptor(ram.memory, ring.descriptorArea, 0, { address: 0x1800, length: 16, flags: 2, next: 0 })
  ram.memory.writeU16(ring.driverArea + 2, 1) // avail.idx: head 0 is offered
  const queue = ram.call(() => new SplitDeviceQueue(ram.targetMemory, ring))
  let reads = 0
  ram.beforeRead = () => {
    if (reads++ === moment) ram.memory.writeU32(ring.descriptorArea + 8, 0xffff_0000)
  }
  const chain = new DescriptorChain()
  const taken = ram.call(() => queue.popAvailable(chain))
  if (taken && chain.length[0] !== 16) throw new Error(`read ${moment}: checked one length, took another`)
  if (ram.stores.length > 0) throw new Error('wrote before it was told to')
}
