import fc from 'fast-check'
import { type DeviceQueueTarget, queueCommands, referenceModel, runHostileRings } from 'virtio-sdk/testing'
import { DescriptorChain, SplitDeviceQueue } from 'virtio-sdk/virtqueue' // or yours

const target: DeviceQueueTarget = {
  side: 'device',
  name: 'the queue under test',
  create(memory, ring) {
    const queue = new SplitDeviceQueue(memory, ring)
    const chain = new DescriptorChain()
    const range = (i: number) => ({ address: chain.address[i]!, length: chain.length[i]! })
    return {
      take() {
        if (!queue.popAvailable(chain)) {
          return queue.violation && { kind: 'fault', id: -1, rule: queue.violation.rule, returned: false }
        }
        const ranges = Array.from({ length: chain.segmentCount }, (_, i) => range(i))
        const readable = ranges.splice(0, chain.readableCount)
        return { kind: 'chain', id: chain.id, readable, writable: ranges }
      },
      complete: (id, writtenBytes) => queue.addUsed(id, writtenBytes),
      publish: () => queue.publish(),
      wantsNotification: () => queue.needsNotification(),
      reset: () => queue.reset(),
    }
  },
}

fc.assert(fc.property(queueCommands({ ring: 'split' }), (program) => referenceModel.compare(target, program)))
runHostileRings(target, { seed: 1, rings: 10_000, eventIdx: true, indirect: true })
