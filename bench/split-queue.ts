/**
 * Split virtqueues: our core with every check on, our friendly layer, and v86's VirtQueue, on the same rings in the same run.
 *
 * Device side alone: the available ring is filled once, and "the driver" moves avail.idx by a batch; so what is timed is pop,
 * use and publish. Full round: our driver adds, our device pops and uses, our driver reaps.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type * as Memory from '../src/memory/index.ts'
import type * as Virtqueue from '../src/virtqueue/index.ts'
import { layoutSplitQueue } from '../src/virtqueue/index.ts'
import { ofCommit, ofWorkingTree } from './against.ts'
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

type Library = typeof Virtqueue & typeof Memory

const ENTRY = `
export * from './src/virtqueue/index.ts'
export * from './src/memory/index.ts'
`

/** Our queues: those of the working tree, and those of the commit to compare with. Each is a bundle of its own. */
interface Side {
  readonly name: 'core' | 'before'
  readonly library: Library
  readonly memory: Memory.GuestMemory
  readonly device: Virtqueue.SplitDeviceQueue
  readonly requests: Virtqueue.RequestQueue
  readonly chain: Virtqueue.DescriptorChain
}

/** Runs so many batches on the ring as it stands. */
type Turn = (batches: number) => void
type Rival = readonly [implementation: string, turn: Turn]

export const suite: BenchSuite = {
  name: 'split-queue',
  async run(context) {
    const { against } = context
    const here = await ofWorkingTree<Library>(ENTRY, 'bench-queues')
    const before = against === undefined ? null : await ofCommit<Library>(ENTRY, 'bench-queues', against)
    const v86 = await startV86(RAM_BYTES, { size: QUEUE_SIZE, ...LAYOUT })
    const results: BenchResult[] = []
    const ratios: BenchRatio[] = []
    try {
      const bench = new Bench(v86, context, results, ratios, here, before)
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
  readonly #core: Side
  readonly #sides: readonly Side[]
  readonly #available: Uint16Array

  constructor(
    v86: V86Machine,
    context: BenchContext,
    results: BenchResult[],
    ratios: BenchRatio[],
    here: Library,
    before: Library | null,
  ) {
    this.#v86 = v86
    this.#context = context
    this.#results = results
    this.#ratios = ratios
    const { ram } = v86
    const buffer = ram.buffer as ArrayBuffer
    const sideOf = (name: Side['name'], library: Library): Side => {
      const memory = new library.GuestMemory([{ base: 0, size: RAM_BYTES, buffer, byteOffset: ram.byteOffset }])
      const device = new library.SplitDeviceQueue(memory, { size: QUEUE_SIZE, ...LAYOUT, indirect: true })
      const [requests, chain] = [new library.RequestQueue(device), new library.DescriptorChain()]
      return { name, library, memory, device, requests, chain }
    }
    this.#core = sideOf('core', here)
    this.#sides = before === null ? [this.#core] : [this.#core, sideOf('before', before)]
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
    const medians = this.#compare(name, batch, this.#rivals(batch))
    const [core, friendly, v86] = ['core', 'friendly', 'v86'].map((rival) => medians.get(rival)!)
    const unlogged = medians.get('v86 unlogged')
    this.#compareCommits(name, medians)
    const promised = batch === 16
    this.#ratio(`${name}: v86 / core`, v86! / core!, promised ? { atLeast: shape.atLeast } : {})
    if (unlogged !== undefined) this.#ratio(`${name}: v86 unlogged / core`, unlogged / core!)
    this.#ratio(`${name}: friendly / core`, friendly! / core!, promised ? { atMost: 2.5 } : {})
  }

  fullRound(shape: Shape, batch: number): void {
    const direct = shape.indirect ? 0 : shape.descriptors
    const location = { size: QUEUE_SIZE, ...LAYOUT, indirect: true }
    // The driver zeroes the rings: each run begins with a new pair, as the other side has moved the indices.
    const turnOf = ({ library, memory, chain }: Side): Turn => {
      const config = { ...location, indirectArea: TABLE_BASE, indirectLength: 8 }
      const driver = new library.SplitDriverQueue(memory, config)
      const device = new library.SplitDeviceQueue(memory, location)
      const list = bufferList(library, shape.descriptors)
      const used = new library.UsedBuffer()
      return (batches) => {
        driver.reset()
        device.reset()
        for (let i = 0; i < batches; i++) {
          for (let j = 0; j < batch; j++) driver.add(list, direct)
          driver.publish()
          while (device.popAvailable(chain)) device.addUsed(chain.id, chain.writableBytes)
          device.publish()
          while (driver.popUsed(used));
        }
        if (driver.violation !== null || driver.outstanding !== 0) throw new Error('the full round lost chains')
      }
    }
    const name = `full round, ${shape.name}, batch ${batch}`
    const rivals = this.#sides.map((side): Rival => [side.name, turnOf(side)])
    this.#compareCommits(name, this.#compare(name, batch, rivals))
  }

  #compareCommits(name: string, medians: ReadonlyMap<string, number>): void {
    const before = medians.get('before')
    if (before !== undefined) this.#ratio(`${name}: core / before`, medians.get('core')! / before)
    const friendlyBefore = medians.get('friendly before')
    if (friendlyBefore === undefined) return
    this.#ratio(`${name}: friendly / friendly before`, medians.get('friendly')! / friendlyBefore)
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
    const core = measure((batches) => this.#runCore(this.#core, batches, 16))
    const friendly = measure((batches) => this.#runFriendly(this.#core, batches, 16))
    const v86 = measure((batches) => this.#runV86(this.#v86.queue, batches, 16))
    this.#ratios.push({ name: `${name}, core`, value: core, unit, atMost: 1 })
    this.#ratios.push({ name: `${name}, friendly`, value: friendly, unit })
    this.#ratios.push({ name: `${name}, v86`, value: v86, unit })
  }

  /**
   * Interleaved runs of the rivals, A B C A B C; returns the median of each. Every run is made to last equally long:
   * on a busy machine a short one slips between two preemptions, and would look faster than it is.
   */
  #compare(name: string, batch: number, rivals: readonly Rival[]): ReadonlyMap<string, number> {
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
    return new Map(sized.map(({ implementation, samples }) => [implementation, median(samples)]))
  }

  #time(turn: Turn, batches: number): number {
    this.#align()
    // Of the processor, not of the clock on the wall: others use the machine too.
    const start = process.cpuUsage()
    turn(batches)
    const { user, system } = process.cpuUsage(start)
    return (user + system) * 1000
  }

  #rivals(batch: number): readonly Rival[] {
    const { queue, silentQueue } = this.#v86
    const rivals = this.#sides.flatMap((side): Rival[] => [
      [side.name, (batches) => this.#runCore(side, batches, batch)],
      [side === this.#core ? 'friendly' : 'friendly before', (batches) => this.#runFriendly(side, batches, batch)],
    ])
    rivals.push(['v86', (batches) => this.#runV86(queue, batches, batch)])
    if (silentQueue !== null) rivals.push(['v86 unlogged', (batches) => this.#runV86(silentQueue, batches, batch)])
    return rivals
  }

  #ratio(name: string, value: number, target: Pick<BenchRatio, 'atLeast' | 'atMost'> = {}): void {
    this.#ratios.push({ name, value, unit: 'x', ...target })
  }

  /** Every slot of the available ring names a chain of this shape, so only avail.idx has to move. */
  #fillRing(shape: Shape): void {
    const { library, memory, device } = this.#core
    const { size } = device
    const driver = new library.SplitDriverQueue(memory, {
      size,
      ...LAYOUT,
      indirect: true,
      indirectArea: TABLE_BASE,
      indirectLength: 8,
    })
    const list = bufferList(library, shape.descriptors)
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
    this.#core.memory.writeU16(LAYOUT.deviceArea + 2, index)
    this.#v86.queue.avail_last_idx = index
    if (this.#v86.silentQueue !== null) this.#v86.silentQueue.avail_last_idx = index
    for (const { device } of this.#sides) {
      device.reset()
      // Another commit may call the same position `usedIndex`.
      const state = { ...device.saveState(), nextAvailable: index, nextUsed: index, usedIndex: index }
      device.restoreState(state)
    }
  }

  #runCore({ device, chain }: Side, batches: number, batch: number): void {
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

  #runFriendly({ requests }: Side, batches: number, batch: number): void {
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
function bufferList({ BufferList }: Library, descriptors: number): Virtqueue.BufferList {
  const list = new BufferList()
  const readable = Math.ceil(descriptors / 2)
  for (let i = 0; i < descriptors; i++) {
    const address = BUFFER_BASE + i * BUFFER_BYTES
    if (i < readable) list.addReadable(address, BUFFER_BYTES)
    else list.addWritable(address, BUFFER_BYTES)
  }
  return list
}
