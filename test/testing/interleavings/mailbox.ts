import { exploreInterleavings, type InterleavingTarget } from 'virtio-sdk/testing'

const target: InterleavingTarget = {
  name: 'a mailbox',
  memoryBytes: 64,
  driver: (side) => {
    const words = side.memory.regions[0]!.u16
    return () => {
      words[1] = 42
      Atomics.store(words, 0, 1)
      side.notify()
    }
  },
  device: (side) => {
    const words = side.memory.regions[0]!.u16
    return () => {
      while (Atomics.load(words, 0) === 0) side.wait()
      if (words[1] !== 42) throw new Error('too early')
    }
  },
}
for (const model of ['sc', 'tso', 'weak'] as const) {
  const report = exploreInterleavings(target, { model })
  if (report.verdict !== 'pass') throw new Error(String(report))
}
