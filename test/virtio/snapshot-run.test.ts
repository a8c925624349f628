/**
 * A seeded run of a driver and a device that defers, saved after every step and restored into fresh objects through JSON: it ends as
 * the run that was never interrupted.
 */
import { type Driver, defineDevice, GuestMemory, SharedMemoryTransport, startDriver, u32, u32le } from 'virtio-sdk'
import { type DeviceState, type DriverState, FeatureSet, restoreDriver } from 'virtio-sdk/virtio'
import { BufferList, type Request } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'

const BASE = 0x4000_0000
const BYTES = 1 << 16
const STEPS = 60

interface Saved {
  readonly memory: number[]
  readonly device: DeviceState
  readonly driver: DriverState
  /** Trapped kicks, and whether an interrupt is under way. */
  readonly kicks: number[]
  readonly interrupt: boolean
  readonly polls: number
  /** Buffers of posts, by head. */
  readonly posts: [number, number][]
}

/** Doubles a number, but only when `finish` is called; counts what it did. */
function lateDoubler() {
  let done = 0
  const definition = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 4 }],
    features: { offset: 0 },
    config: { bias: u32('bias', { driverWritable: true }) },
    requests(queue) {
      for (const request of queue.drain(2)) request.defer()
    },
    onSave: () => ({ done }),
    onRestore(saved) {
      done = (saved as { done: number }).done
    },
  })
  const device = definition.create()
  const finish = (which: number): boolean => {
    const deferred: readonly Request[] = device.queues.requests.deferred
    const request = deferred[which % Math.max(1, deferred.length)]
    if (request === undefined) return false
    const value = request.reader.u32()
    request.writer.u32(2 * value + device.config.values.bias)
    request.writer.u32(++done)
    request.complete()
    return true
  }
  return { device, finish }
}

type LateDriver = Driver<ReturnType<typeof lateDoubler>['device']['contract'], { readonly offset: true }>

class World {
  readonly log: string[]
  readonly #memory = GuestMemory.ofSize(BYTES, BASE)
  readonly #doubler = lateDoubler()
  readonly #transport: SharedMemoryTransport<LateDriver['contract']>
  readonly #driver: LateDriver
  readonly #posts: Map<number, number>
  readonly #kicks: number[]
  #interrupt: boolean
  #polls: number

  constructor(log: string[], common: FeatureSet, indirectLength: number, saved?: Saved) {
    this.log = log
    this.#kicks = saved?.kicks ?? []
    this.#interrupt = saved?.interrupt ?? false
    this.#polls = saved?.polls ?? 0
    this.#posts = new Map(saved?.posts)
    if (saved !== undefined) this.#memory.write(BASE, Uint8Array.from(saved.memory))
    this.#transport = new SharedMemoryTransport(this.#doubler.device, {
      memory: this.#memory,
      doorbell: (queue) => this.#kicks.push(queue),
      interrupt: () => {
        this.#interrupt = true
      },
      workLeft: () => this.#polls++,
    })
    if (saved === undefined) {
      this.#driver = startDriver(this.#transport, { require: ['offset'], commonFeatures: common, indirectLength })
      return
    }
    this.#doubler.device.registers.restoreState(saved.device)
    this.#driver = restoreDriver(this.#transport, saved.driver, {
      require: ['offset'],
      completion: (queue, id) => {
        expect(queue).toBe('requests')
        return this.#posted(id)
      },
    })
    for (const call of this.#driver.requests.resumed) {
      call.onSettled = (reply) => this.log.push(`called ${reply?.bytes.join()}`)
    }
  }

  save(): Saved {
    const memory = new Uint8Array(BYTES)
    this.#memory.read(BASE, memory)
    return {
      memory: [...memory],
      device: this.#doubler.device.registers.saveState(),
      driver: this.#driver.saveState(),
      kicks: this.#kicks,
      interrupt: this.#interrupt,
      polls: this.#polls,
      posts: [...this.#posts],
    }
  }

  step(action: number, value: number): void {
    const { requests } = this.#driver
    if (action === 0) {
      requests.call([u32le(value)], { reply: 8, onSettled: (reply) => this.log.push(`called ${reply?.bytes.join()}`) })
    } else if (action === 1) {
      const address = this.#transport.allocate(12, 16)
      this.#memory.writeU32(address, value)
      const buffers = new BufferList().addReadable(address, 4).addWritable(address + 4, 8)
      const free = requests.ring.freeDescriptors
      if (free >= 2) {
        // The head that the chain will get is known once it is completed: ask the ring.
        const before = new Set(this.#heads())
        requests.post(buffers, (writtenBytes) => this.#posted(head)(writtenBytes))
        const head = this.#heads().find((each) => !before.has(each))!
        this.#posts.set(head, address)
      } else this.#transport.free(address, 12)
    } else if (action === 2) this.#driver.writeConfig('bias', value % 16)
    else if (action === 3) this.kick()
    else if (action === 4) this.interrupt()
    else this.#doubler.finish(value)
  }

  kick(): boolean {
    if (this.#polls > 0) {
      this.#polls--
      if (this.#doubler.device.poll()) this.#polls++
      return true
    }
    const queue = this.#kicks.shift()
    if (queue !== undefined && this.#doubler.device.registers.notify(queue)) this.#polls++
    return queue !== undefined
  }

  interrupt(): boolean {
    const was = this.#interrupt
    this.#interrupt = false
    if (was) this.#transport.takeInterrupt()
    return was
  }

  /** Until nothing moves. */
  finish(): void {
    while (this.kick() || this.#doubler.finish(0) || this.interrupt()) {}
    const { ring } = this.#driver.requests
    this.log.push(`free ${ring.freeDescriptors}, outstanding ${ring.outstanding}`)
  }

  #heads(): number[] {
    const { ring } = this.#driver.requests
    return Array.from({ length: ring.size }, (_, head) => head).filter((head) => ring.writableBytesOf(head) >= 0)
  }

  #posted(id: number): (writtenBytes: number) => void {
    return (writtenBytes) => {
      const address = this.#posts.get(id)!
      this.#posts.delete(id)
      this.log.push(`posted ${writtenBytes}: ${this.#memory.readU32(address + 4)}`)
      this.#transport.free(address, 12)
    }
  }
}

function run(seed: number, common: FeatureSet, indirectLength: number, restores: boolean): string[] {
  const random = new Random(seed)
  const log: string[] = []
  let world = new World(log, common, indirectLength)
  for (let i = 0; i < STEPS; i++) {
    world.step(random.between(0, 5), random.between(0, 1000))
    if (restores) world = new World(log, common, indirectLength, JSON.parse(JSON.stringify(world.save())))
  }
  world.finish()
  return log
}

describe('a run that is saved and restored after every step', () => {
  const plain = FeatureSet.of(32)
  const rich = FeatureSet.of(28, 29, 32, 40)
  const cases: [string, FeatureSet, number][] = [
    ['plain', plain, 0],
    ['with EVENT_IDX and tables', rich, 3],
  ]
  it.each(cases)('ends as if nothing had happened: %s', (_, common, indirectLength) => {
    for (let seed = 1; seed <= 8; seed++) {
      const expected = run(seed, common, indirectLength, false)
      expect(run(seed, common, indirectLength, true), `seed ${seed}`).toEqual(expected)
      expect(expected.filter((line) => line.startsWith('called')).length).toBeGreaterThan(2)
      expect(expected.at(-1)).toBe('free 4, outstanding 0')
    }
  })
})
