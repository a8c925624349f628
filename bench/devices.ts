/**
 * Devices and their drivers in one process, each beside what its rings alone cost in the same run: 4 KiB reads from a disk in memory, 16 at a
 * time, over PCI registers and over the shared-memory transport; frames of 64 bytes from driver to driver through the switch.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { GuestMemory } from '../src/memory/index.ts'
import { type PciBus, PciFunction, PciTransport, SharedMemoryTransport } from '../src/transport/index.ts'
import {
  BlkDevice,
  BlkDriver,
  type DriverTransport,
  MemoryDisk,
  NetDevice,
  NetDriver,
  NetSwitch,
} from '../src/virtio/index.ts'
import {
  BufferList,
  DescriptorChain,
  layoutSplitQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from '../src/virtqueue/index.ts'
import { type BenchContext, type BenchRatio, type BenchResult, type BenchSuite, benchResult, median } from './suite.ts'

const ROUNDS = 15
/** How long one run takes, several time slices of the operating system. */
const RUN_NS = 15e6
const BASE = 0x8000_0000
const DEPTH = 16
const READ_BYTES = 4096
const FRAME_BYTES = 64
const QUEUE_SIZE = 64

/** Runs so many batches of 16. */
type Turn = (batches: number) => void
type Rival = readonly [implementation: string, turn: Turn]

export const suite: BenchSuite = {
  name: 'devices',
  async run(context) {
    const results: BenchResult[] = []
    const ratios: BenchRatio[] = []
    const bench = new Bench(context, results)
    const reads = bench.compare('blk: a read of 4 KiB, 16 at a time', [
      ['bare rings and one copy', bareReads()],
      ['shared memory', reading(sharedMemory)],
      ['PCI', reading(pci)],
    ])
    const [bare, shared, registers] = reads as [number, number, number]
    ratios.push({ name: 'blk: shared memory / PCI', value: shared / registers, unit: 'x', atLeast: 0.8 })
    ratios.push({ name: 'blk: PCI / bare rings and one copy', value: registers / bare, unit: 'x', atMost: 2 })
    const frames = frame()
    const forwarding = switched()
    const [rings, whole] = bench.compare('net: a frame of 64 bytes through the switch', [
      ['bare rings and two copies', bareFrames(frames)],
      ['drivers and devices', forwarding],
    ]) as [number, number]
    ratios.push({ name: 'net: drivers and devices / bare rings', value: whole / rings, unit: 'x', atMost: 3 })
    ratios.push({ name: 'net: allocated', value: allocated(forwarding, context), unit: 'bytes/frame', atMost: 1 })
    return { results, ratios }
  },
}

class Bench {
  readonly #context: BenchContext
  readonly #results: BenchResult[]

  constructor(context: BenchContext, results: BenchResult[]) {
    this.#context = context
    this.#results = results
  }

  /** Interleaved runs of the rivals, A B C A B C, in nanoseconds of CPU; returns the median of each. */
  compare(name: string, rivals: readonly Rival[]): readonly number[] {
    this.#context.progress(name)
    const rounds = Math.max(5, Math.round(ROUNDS * this.#context.effort))
    const sized = rivals.map(([implementation, turn]) => {
      let batches = 64
      for (let elapsed = timed(turn, batches); elapsed < RUN_NS; elapsed = timed(turn, batches)) {
        batches = Math.ceil(batches * Math.min(2, (1.2 * RUN_NS) / elapsed))
      }
      return { implementation, turn, batches, samples: [] as number[] }
    })
    for (let round = 0; round < rounds; round++) {
      for (const { turn, batches, samples } of sized) samples.push(timed(turn, batches) / (batches * DEPTH))
    }
    for (const { implementation, samples } of sized) this.#results.push(benchResult(name, implementation, samples))
    return sized.map(({ samples }) => median(samples))
  }
}

/** Of the processor, not of the clock on the wall: others use the machine too. */
function timed(turn: Turn, batches: number): number {
  const start = process.cpuUsage()
  turn(batches)
  const { user, system } = process.cpuUsage(start)
  return (user + system) * 1000
}

const memoryOf = (bytes: number) => GuestMemory.ofSize(bytes, BASE)
const ring = (at: number) => ({ size: QUEUE_SIZE, ...layoutSplitQueue(QUEUE_SIZE, at), eventIdx: true })

/** Chains of a header, a page and a status, as a driver sends them, and a device that copies the page. */
function bareReads(): Turn {
  const memory = memoryOf(1 << 20)
  const driver = new SplitDriverQueue(memory, ring(BASE))
  const device = new SplitDeviceQueue(memory, ring(BASE))
  const [chain, used] = [new DescriptorChain(), new UsedBuffer()]
  const disk = new Uint8Array(DEPTH * READ_BYTES).fill(7)
  const target = memory.regions[0]!.u8
  const lists = Array.from({ length: DEPTH }, (_, i) =>
    new BufferList()
      .addReadable(BASE + 0x1_0000 + 32 * i, 16)
      .addWritable(BASE + 0x2_0000 + READ_BYTES * i, READ_BYTES)
      .addWritable(BASE + 0x1_0010 + 32 * i, 1),
  )
  let done = 0
  return (batches) => {
    for (let i = 0; i < batches; i++) {
      for (let j = 0; j < DEPTH; j++) driver.add(lists[j]!)
      driver.publish()
      driver.needsNotification()
      for (let j = 0; device.popAvailable(chain); j++) {
        target.set(disk.subarray(j * READ_BYTES, (j + 1) * READ_BYTES), chain.address[1]! - BASE)
        device.addUsed(chain.id, READ_BYTES + 1)
      }
      device.enableNotifications()
      device.publish()
      device.needsNotification()
      while (driver.popUsed(used)) done++
      driver.enableNotifications()
    }
    if (driver.violation !== null || driver.outstanding !== 0 || done === 0)
      throw new Error('the bare rings lost a read')
  }
}

/** The interrupt is taken when the driver polls. */
function sharedMemory(device: BlkDevice): DriverTransport<BlkDevice['contract']> {
  return new SharedMemoryTransport(device, { memory: memoryOf(1 << 22), interrupt: () => {} })
}

function pci(device: BlkDevice): DriverTransport<BlkDevice['contract']> {
  const memory = memoryOf(1 << 22)
  const device0 = new PciFunction(device, { memory, interruptLine: () => {} })
  const bus: PciBus = device0
  return PciTransport.probe<BlkDevice['contract']>(bus, { memory, contract: device.contract })!
}

function reading(connect: (device: BlkDevice) => DriverTransport<BlkDevice['contract']>): Turn {
  const disk = new MemoryDisk(new Uint8Array(DEPTH * READ_BYTES).fill(7))
  const transport = connect(new BlkDevice({ backend: disk, queueSize: QUEUE_SIZE }))
  const driver = new BlkDriver(transport, { queueSize: QUEUE_SIZE, queues: 1 })
  const base = transport.allocate(DEPTH * READ_BYTES, READ_BYTES)
  let done = 0
  const completed = (status: number, writtenBytes: number) => {
    if (status === 0 && writtenBytes === READ_BYTES + 1) done++
  }
  return (batches) => {
    done = 0
    for (let i = 0; i < batches; i++) {
      for (let j = 0; j < DEPTH; j++) driver.addRead(8 * j, base + READ_BYTES * j, READ_BYTES, completed)
      driver.kick()
      driver.driver.handleInterrupt()
    }
    if (done !== DEPTH * batches) throw new Error(`the disk answered ${done} of ${DEPTH * batches} reads`)
  }
}

function frame(): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES)
  bytes.set([2, 0, 0, 0, 0, 0x0b, 2, 0, 0, 0, 0, 0x0a, 0x88, 0xb5])
  return bytes
}

/** A transmit ring and a receive ring, both sides of each, with a copy into a buffer and one between the two; kicked a frame at a time. */
function bareFrames(bytes: Uint8Array): Turn {
  const [a, b] = [memoryOf(1 << 20), memoryOf(1 << 20)]
  const [send, take] = [new SplitDriverQueue(a, ring(BASE)), new SplitDeviceQueue(a, ring(BASE))]
  const [receive, give] = [new SplitDriverQueue(b, ring(BASE)), new SplitDeviceQueue(b, ring(BASE))]
  const [from, to] = [new DescriptorChain(), new DescriptorChain()]
  const used = new UsedBuffer()
  const [source, target] = [a.regions[0]!.u8, b.regions[0]!.u8]
  const room = Array.from({ length: DEPTH }, (_, i) => new BufferList(1).addWritable(BASE + 0x1_0000 + 2048 * i, 1526))
  const out = Array.from({ length: DEPTH }, (_, i) =>
    new BufferList(1).addReadable(BASE + 0x1_0000 + 2048 * i, 12 + FRAME_BYTES),
  )
  let done = 0
  for (const each of room) receive.add(each)
  receive.publish()
  return (batches) => {
    for (let i = 0; i < batches; i++) {
      for (let j = 0; j < DEPTH; j++) {
        source.set(bytes, 0x1_0000 + 2048 * j + 12)
        send.add(out[j]!)
        send.publish()
        send.needsNotification()
        take.popAvailable(from)
        give.popAvailable(to)
        const at = from.address[0]! - BASE
        target.set(source.subarray(at, at + 12 + FRAME_BYTES), to.address[0]! - BASE)
        give.addUsed(to.id, 12 + FRAME_BYTES)
        give.publish()
        give.needsNotification()
        take.addUsed(from.id, 0)
        take.enableNotifications()
        take.publish()
        take.needsNotification()
      }
      while (send.popUsed(used));
      for (let j = 0; receive.popUsed(used); j++) {
        done++
        receive.add(room[j]!)
      }
      receive.publish()
      receive.enableNotifications()
    }
    if (done === 0 || send.violation !== null || receive.violation !== null)
      throw new Error('the bare rings lost a frame')
  }
}

function switched(): Turn {
  const lan = new NetSwitch()
  const drivers = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'].map((mac) => {
    const device = new NetDevice({ mac, queueSize: QUEUE_SIZE })
    lan.plug(device)
    return new NetDriver(new SharedMemoryTransport(device, { memory: memoryOf(1 << 22), interrupt: () => {} }), {
      queueSize: QUEUE_SIZE,
    })
  })
  const [a, b] = drivers as [NetDriver, NetDriver]
  const bytes = frame()
  const back = bytes.slice()
  back.set(bytes.subarray(0, 6), 6)
  back.set(bytes.subarray(6, 12), 0)
  // The switch learns where both are.
  b.send(back)
  let done = 0
  b.onFrame = ({ lengthBytes }) => {
    if (lengthBytes === FRAME_BYTES) done++
  }
  return (batches) => {
    done = 0
    for (let i = 0; i < batches; i++) {
      for (let j = 0; j < DEPTH; j++) if (!a.send(bytes)) throw new Error('no room for a frame')
      b.driver.handleInterrupt()
    }
    if (done !== DEPTH * batches) throw new Error(`${done} of ${DEPTH * batches} frames came`)
  }
}

/** Bytes that the heap grows by for each frame, in windows so small that a collection falls into few of them: those are left out. */
function allocated(turn: Turn, { effort }: BenchContext): number {
  setFlagsFromString('--expose_gc')
  const collect = runInNewContext('gc') as () => void
  const windows = Math.max(300, Math.round(3000 * effort))
  const grown = (run: () => void): number => {
    for (let i = 0; i < 300; i++) run()
    collect()
    let [total, kept] = [0, 0]
    for (let i = 0; i < windows; i++) {
      const before = process.memoryUsage()
      run()
      const after = process.memoryUsage()
      const bytes = after.heapUsed + after.external - before.heapUsed - before.external
      if (bytes < 0) continue
      total += bytes
      kept++
    }
    return total / kept
  }
  const idle = grown(() => {})
  return Math.max(0, grown(() => turn(10)) - idle) / (10 * DEPTH)
}
