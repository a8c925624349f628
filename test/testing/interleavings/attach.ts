/** What `explore-your-queue.ts` shows, in full. */
import type { GuestMemory } from '../../../src/memory/index.ts'
import type { DeviceQueueTarget, SplitRing } from '../../../src/testing/index.ts'
import { DescriptorChain, type SplitDeviceQueue } from '../../../src/virtqueue/index.ts'

export function attach(make: (memory: GuestMemory, ring: SplitRing) => SplitDeviceQueue): DeviceQueueTarget {
  return {
    side: 'device',
    name: 'the queue under test',
    create(memory, ring) {
      const queue = make(memory, ring)
      const chain = new DescriptorChain()
      return {
        take() {
          if (!queue.popAvailable(chain)) return null
          const ranges = Array.from({ length: chain.segmentCount }, (_, i) => ({
            address: chain.address[i]!,
            length: chain.length[i]!,
          }))
          return { kind: 'chain', id: chain.id, readable: ranges.splice(0, chain.readableCount), writable: ranges }
        },
        complete: (id, writtenBytes) => queue.addUsed(id, writtenBytes),
        publish: () => queue.publish(),
        wantsNotification: () => queue.needsNotification(),
        setNotifications(on) {
          if (on) return queue.enableNotifications()
          queue.disableNotifications()
          return false
        },
        reset: () => queue.reset(),
      }
    },
  }
}
