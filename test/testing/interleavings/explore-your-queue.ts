import { type DriverAction, exploreInterleavings, type RingExchange, ringExchange } from 'virtio-sdk/testing'
import { SplitDeviceQueue } from 'virtio-sdk/virtqueue' // or yours
import { attach } from './attach.ts' // your DeviceQueueTarget, as in docs/testing.md

const send: DriverAction[] = [{ op: 'add', readable: 1, writable: 1 }, { op: 'publish' }, { op: 'kick' }]
const exchange: RingExchange = {
  size: 2,
  eventIdx: true,
  driver: [...send, ...send, { op: 'drain' }],
  device: [{ op: 'serve', count: 2, sleep: 'enable' }],
}

const target = ringExchange({ device: attach((memory, ring) => new SplitDeviceQueue(memory, ring)) }, exchange)
for (const model of ['sc', 'tso', 'weak'] as const) {
  const report = exploreInterleavings(target, { model })
  if (report.verdict !== 'pass') throw new Error(String(report))
}
