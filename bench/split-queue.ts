/**
 * Split virtqueues: our core with every check on, our friendly layer, and v86's VirtQueue, on the same rings in the same run.
 *
 * Device side alone: the available ring is filled once, and "the driver" moves avail.idx by a batch; so what is timed is pop,
 * use and publish. Full round: our driver adds, our device pops and uses, our driver reaps.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { GuestMemory } from '../src/memory/index.ts'
import {
  BufferList,
  DescriptorChain,
  layoutSplitQueue,
  RequestQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from '../src/virtqueue/index.ts'
import { type BenchContext, type BenchRatio, type BenchResult, type BenchSuite, benchResult, median } from './suite.ts'
import { startV86, type V86Machine, type V86Queue } from './v86.ts'

const RAM_BYTES = 16 << 20
const QUEUE_SIZE = 256
const RING_BASE = 0x1_0000
const TABLE_BASE = 0x8_0000
const BUFFER_BASE = 0x10_0000
const BUFFER_BYTES = 256
const ROUNDS = 15
/** How long one run takes, several time slices of the operating system. */
const RUN_NS = 15e6
const LAYOUT = layoutSplitQueue(QUEUE_SIZE, RING_BASE)

interface Shape {
  readonly name: string
  readonly descriptors: number
  readonly indirect: boolean
  /** Promised against v86 at batch 16. */
  readonly atLeast: number
}

const SHAPES: readonly Shape[] = [
  { name: 'chain of 1', descriptors: 1, indirect: false, atLeast: 6 },
  { name: 'chain of 2', descriptors: 2, indirect: false, atLeast: 6 },
  { name: 'chain of 16', descriptors: 16, indirect: false, atLeast: 4 },
  { name: 'indirect table of 8', descriptors: 8, indirect: true, atLeast: 4 },
]

/** Runs so many batches on the ring as it stands. */
type Turn = (batches: number) => void
type Rival = readonly [implementation: string, turn: Turn]

export const suite: BenchSuite = {
  name: 'split-queue',
  async run(context) {
    const v86 = await startV86(RAM_BYTES, { size: QUEUE_SIZE, ...LAYOUT })
    const results: BenchResult[] = []
    const ratios: BenchRatio[] = []
    try {
      const bench = new Bench(v86, context, results, ratios)
      for (const shape of SHAPES) bench.warmUp(shape)
      for (const shape of SHAPES) for (const batch of [16, 1, 256]) bench.deviceSide(shape, batch)
      for (const shape of SHAPES) {
        // A chain of 16 fits 16 times, a chain of 2 128 times: the biggest batch is what the ring holds.
        const most = QUEUE_SIZE / (shape.indirect ? 1 : shape.descriptors)
        for (const batch of new Set([16, 1, most])) bench.fullRound(shape, batch)
      }
      for (const shape of SHAPES) bench.allocations(shape)
    } finally {
      await v86.close()
    }
    return { results, ratios }
  },
}

class Bench {
  readonly #v86: V86Machine
  readonly #context: BenchContext
  readonly #results: BenchResult[]
  readonly #ratios: BenchRatio[]
  readonly #memory: GuestMemory
  readonly #device: SplitDeviceQueue
  readonly #requests: RequestQueue
  readonly #available: Uint16Array
  readonly #chain = new DescriptorChain()

  constructor(v86: V86Machine, context: BenchContext, results: BenchResult[], ratios: BenchRatio[]) {
    this.#v86 = v86
    this.#context = context
    this.#results = results
    this.#ratios = ratios
    const { ram } = v86
    const buffer = ram.buffer as ArrayBuffer
    this.#memory = new GuestMemory([{ base: 0, size: RAM_BYTES, buffer, byteOffset: ram.byteOffset }])
    const location = { size: QUEUE_SIZE, ...LAYOUT }
    this.#device = new SplitDeviceQueue(this.#memory, { ...location, indirect: true })
    this.#requests = new RequestQueue(this.#device)
    this.#available = new Uint16Array(buffer, ram.byteOffset + LAYOUT.driverArea, QUEUE_SIZE + 3)
  }

  /** Every shape through every rival first: what the engine learns from one must not be timed with the next. */
  warmUp(shape: Shape): void {
    this.#fillRing(shape)
    for (const [, turn] of this.#rivals(16)) this.#time(turn, 4000)
  }

  deviceSide(shape: Shape, batch: number): void {
    this.#fillRing(shape)
    const name = `device, ${shape.name}, batch ${batch}`
    const [core, friendly, v86, unlogged] = this.#compare(name, batch, this.#rivals(batch))
    const promised = batch === 16
    this.#ratio(`${name}: v86 / core`, v86! / core!, promised ? { atLeast: shape.atLeast } : {})
    if (unlogged !== undefined) this.#ratio(`${name}: v86 unlogged / core`, unlogged / core!)
    this.#ratio(`${name}: friendly / core`, friendly! / core!, promised ? { atMost: 2.5 } : {})
  }

  fullRound(shape: Shape, batch: number): void {
    const direct = shape.indirect ? 0 : shape.descriptors
    const location = { size: QUEUE_SIZE, ...LAYOUT, indirect: true }
    const driver = new SplitDriverQueue(this.#memory, { ...location, indirectArea: TABLE_BASE, indirectLength: 8 })
    const device = new SplitDeviceQueue(this.#memory, location)
    const list = bufferList(shape.descriptors)
    const chain = this.#chain
    const used = new UsedBuffer()
    this.#compare(`full round, ${shape.name}, batch ${batch}`, batch, [
      [
        'core',
        (batches) => {
          for (let i = 0; i < batches; i++) {
            for (let j = 0; j < batch; j++) driver.add(list, direct)
            driver.publish()
            while (device.popAvailable(chain)) device.addUsed(chain.id, chain.writableBytes)
            device.publish()
            while (driver.popUsed(used));
          }
        },
      ],
    ])
  }

  /**
   * Growth of the heap over 10^6 chains, after everything is warm. In windows so small that a collection falls into few of them:
   * those shrink, and are left out. v86, which allocates, is the control that the instrument works.
   */
  allocations(shape: Shape): void {
    this.#fillRing(shape)
    setFlagsFromString('--expose_gc')
    const collect = runInNewContext('gc') as () => void
    const chains = 160
    const windows = Math.max(500, Math.round((1e6 / chains) * this.#context.effort))
    const grown = (turn: () => void): number => {
      for (let i = 0; i < 500; i++) turn()
      collect()
      let total = 0
      let kept = 0
      for (let i = 0; i < windows; i++) {
        const before = process.memoryUsage()
        turn()
        const after = process.memoryUsage()
        const bytes = after.heapUsed + after.external - before.heapUsed - before.external
        if (bytes < 0) continue
        total += bytes
        kept++
      }
      return total / kept
    }
    const measure = (turn: Turn): number => {
      this.#align()
      const idle = grown(() => {})
      return Math.max(0, grown(() => turn(chains / 16)) - idle) / chains
    }
    const name = `allocated, ${shape.name}`
    const unit = 'bytes/chain'
    const core = measure((batches) => this.#runCore(batches, 16))
    const friendly = measure((batches) => this.#runFriendly(batches, 16))
    const v86 = measure((batches) => this.#runV86(this.#v86.queue, batches, 16))
    this.#ratios.push({ name: `${name}, core`, value: core, unit, atMost: 1 })
    this.#ratios.push({ name: `${name}, friendly`, value: friendly, unit })
    this.#ratios.push({ name: `${name}, v86`, value: v86, unit })
  }

  /**
   * Interleaved runs of the rivals, A B C A B C; returns the medians in their order. Every run is made to last equally long:
   * on a busy machine a short one slips between two preemptions, and would look faster than it is.
   */
  #compare(name: string, batch: number, rivals: readonly Rival[]): number[] {
    this.#context.progress(name)
    const rounds = Math.max(5, Math.round(ROUNDS * this.#context.effort))
    const sized = rivals.map(([implementation, turn]) => {
      let batches = 64
      for (let elapsed = this.#time(turn, batches); elapsed < RUN_NS; elapsed = this.#time(turn, batches)) {
        batches = Math.ceil(batches * Math.min(2, (1.2 * RUN_NS) / elapsed))
      }
      return { implementation, turn, batches, samples: [] as number[] }
    })
    for (let round = 0; round < rounds; round++) {
      for (const { turn, batches, samples } of sized) samples.push(this.#time(turn, batches) / (batches * batch))
    }
    for (const { implementation, samples } of sized) this.#results.push(benchResult(name, implementation, samples))
    return sized.map(({ samples }) => median(samples))
  }

  #time(turn: Turn, batches: number): number {
    this.#align()
    const start = process.hrtime.bigint()
    turn(batches)
    return Number(process.hrtime.bigint() - start)
  }

  #rivals(batch: number): readonly Rival[] {
    const { queue, silentQueue } = this.#v86
    const rivals: Rival[] = [
      ['core', (batches) => this.#runCore(batches, batch)],
      ['friendly', (batches) => this.#runFriendly(batches, batch)],
      ['v86', (batches) => this.#runV86(queue, batches, batch)],
    ]
    if (silentQueue !== null) rivals.push(['v86 unlogged', (batches) => this.#runV86(silentQueue, batches, batch)])
    return rivals
  }

  #ratio(name: string, value: number, target: Pick<BenchRatio, 'atLeast' | 'atMost'> = {}): void {
    this.#ratios.push({ name, value, unit: 'x', ...target })
  }

  /** Every slot of the available ring names a chain of this shape, so only avail.idx has to move. */
  #fillRing(shape: Shape): void {
    const { size } = this.#device
    const driver = new SplitDriverQueue(this.#memory, {
      size,
      ...LAYOUT,
      indirect: true,
      indirectArea: TABLE_BASE,
      indirectLength: 8,
    })
    const list = bufferList(shape.descriptors)
    const heads: number[] = []
    for (let head = driver.add(list, shape.indirect ? 0 : undefined); head >= 0; ) {
      heads.push(head)
      head = driver.add(list, shape.indirect ? 0 : undefined)
    }
    // v86 raises an interrupt of its machine unless it is told not to.
    this.#available[0] = 1
    for (let slot = 0; slot < size; slot++) this.#available[2 + slot] = heads[slot % heads.length]!
  }

  /** Puts every device where the ring is. */
  #align(): void {
    const index = this.#available[1]!
    this.#memory.writeU16(LAYOUT.deviceArea + 2, index)
    this.#v86.queue.avail_last_idx = index
    if (this.#v86.silentQueue !== null) this.#v86.silentQueue.avail_last_idx = index
    this.#device.restoreState({
      size: QUEUE_SIZE,
      nextAvailable: index,
      usedIndex: index,
      unsignalled: 0,
      notificationsEnabled: true,
      inFlight: [],
      violation: null,
    })
  }

  #runCore(batches: number, batch: number): void {
    const device = this.#device
    const chain = this.#chain
    const available = this.#available
    for (let i = 0; i < batches; i++) {
      available[1] = available[1]! + batch
      for (let j = 0; j < batch; j++) {
        device.popAvailable(chain)
        device.addUsed(chain.id, chain.writableBytes)
      }
      device.publish()
      device.needsNotification()
    }
    if (device.violation !== null || device.availableCount() !== 0) throw new Error('the core lost chains')
  }

  #runFriendly(batches: number, batch: number): void {
    const requests = this.#requests
    const available = this.#available
    for (let i = 0; i < batches; i++) {
      available[1] = available[1]! + batch
      for (const request of requests.drain(batch)) {
        if (request.writer.remaining > 0) request.writer.u32(request.reader.u32())
      }
    }
    if (requests.waiting !== 0) throw new Error('the friendly layer lost chains')
  }

  #runV86(queue: V86Queue, batches: number, batch: number): void {
    const available = this.#available
    for (let i = 0; i < batches; i++) {
      available[1] = available[1]! + batch
      for (let j = 0; j < batch; j++) {
        const chain = queue.pop_request()
        chain.length_written = chain.length_writable
        queue.push_reply(chain)
      }
      queue.flush_replies()
    }
    if (queue.has_request()) throw new Error('v86 lost chains')
  }
}

/** Half readable, half writable; one descriptor alone is readable. */
function bufferList(descriptors: number): BufferList {
  const list = new BufferList()
  const readable = Math.ceil(descriptors / 2)
  for (let i = 0; i < descriptors; i++) {
    const address = BUFFER_BASE + i * BUFFER_BYTES
    if (i < readable) list.addReadable(address, BUFFER_BYTES)
    else list.addWritable(address, BUFFER_BYTES)
  }
  return list
}
