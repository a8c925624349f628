/** The device of an exchange: what it does, and what it must find. */
import { VirtioError } from '../../internal/error.ts'
import { synchronous } from '../answers.ts'
import type { ByteRange } from '../format/split/reference-split-ring.ts'
import type { DeviceQueueUnderTest, TakenChain } from '../queue-targets.ts'
import { ANSWER, type SleepRule } from './driver-script.ts'
import { BUFFER_BYTES, type ScriptLayout } from './exchange-layout.ts'
import type { ExploredSide } from './explored-side.ts'

/** A step of the device in an exchange. */
export type DeviceAction = {
  readonly op: 'serve'
  /** Requests to serve; for ever when left out. */
  readonly count?: number
  /** Most requests taken before they are completed, and published together. Default 1. */
  readonly batch?: number
  /** Order of completion within a batch. */
  readonly order?: 'fifo' | 'lifo'
  readonly sleep?: Exclude<SleepRule, 'delay'>
  /** Asks for silence while it works, and for notifications before it sleeps. */
  readonly quiet?: boolean
}

export interface RequestShape {
  readonly readable?: number
  readonly writable?: number
}

export class DeviceScript {
  readonly #side: ExploredSide
  readonly #queue: DeviceQueueUnderTest
  readonly #layout: ScriptLayout
  readonly #shapes: readonly RequestShape[]
  readonly #served: number[] = []
  /** Resets that the driver will ask for, and the last answer given. */
  readonly #resets: number
  #answered = 0
  #last = 0
  /** A reset threw requests away, so the next one may have any later number. */
  #skips = false
  /** Heads taken and not completed, and the request of each. */
  readonly #held = new Map<number, number>()

  constructor(
    side: ExploredSide,
    queue: DeviceQueueUnderTest,
    layout: ScriptLayout,
    shapes: readonly RequestShape[],
    resets: number,
  ) {
    this.#side = side
    this.#queue = synchronous(queue)
    this.#layout = layout
    this.#shapes = shapes
    this.#resets = resets
  }

  /** The requests served, in the order of completion. */
  run(actions: readonly DeviceAction[]): readonly number[] {
    for (const action of actions) this.#serve(action)
    return this.#served
  }

  #serve({
    count = Number.POSITIVE_INFINITY,
    batch = 1,
    order = 'fifo',
    sleep = 'enable',
    quiet = false,
  }: DeviceAction): void {
    if (sleep === 'enable' && this.#queue.setNotifications === undefined) {
      throw new VirtioError('INVALID_PROGRAM', "the device cannot sleep by 'enable'")
    }
    let left = count
    if (quiet) this.#silence()
    while (left > 0) {
      const chains: TakenChain[] = []
      this.#side.note('take')
      while (chains.length < Math.min(batch, left)) {
        const chain = this.#queue.take()
        if (chain === null) break
        if (chain.kind === 'fault') throw new Error(`the device blames the driver: ${chain.rule}`)
        chains.push(chain)
        this.#accept(chain)
      }
      if (chains.length === 0) {
        // Whoever asks for a reset notifies as well, so this look, before the sleep, is enough.
        if (!this.#resetAsked() && this.#sleeps(sleep)) this.#side.wait(count === Number.POSITIVE_INFINITY)
        if (quiet) this.#silence()
        continue
      }
      if (order === 'lifo') chains.reverse()
      for (const chain of chains) this.#complete(chain)
      this.#side.note('publish')
      this.#queue.publish?.()
      this.#side.note('does the driver want a notification?')
      if (this.#queue.wantsNotification()) this.#side.notify()
      left -= chains.length
    }
  }

  #silence(): void {
    this.#side.note('ask for silence')
    this.#queue.setNotifications?.(false)
  }

  #sleeps(sleep: 'enable' | 'pop'): boolean {
    if (sleep === 'enable') {
      this.#side.note('ask for notifications, look again')
      if (this.#queue.setNotifications!(true)) return false
    }
    this.#side.note('sleep')
    return true
  }

  /** The request must be the one whose turn it is, whole, with everything in it that the driver put there. */
  #accept({ id, readable, writable }: TakenChain): void {
    if (this.#held.has(id)) throw new Error(`head ${id} was taken twice`)
    const numbers = readable.map((range) => this.#read(range))
    const first = numbers[0] ?? this.#last + 1
    const inTurn = this.#skips ? first > this.#last : first === this.#last + 1
    if (!inTurn) throw new Error(`head ${id} is request ${first}, after request ${this.#last}`)
    const shape = this.#shapes[first - 1]
    const due = [shape?.readable ?? 1, shape?.writable ?? 0]
    if (numbers.some((number) => number !== first) || readable.length !== due[0] || writable.length !== due[1]) {
      throw new Error(
        `request ${first} has ${readable.length} readable buffers (${numbers}) and ${writable.length} writable, not ${due}`,
      )
    }
    this.#skips = false
    this.#last = first
    this.#held.set(id, first)
    this.#side.note(`request ${first}`)
  }

  #complete({ id, writable }: TakenChain): void {
    const request = this.#held.get(id)!
    this.#side.note(`complete request ${request}`)
    for (const range of writable) {
      this.#requireBuffer(range)
      this.#side.memory.writeU8(range.address, request | ANSWER)
      this.#side.clean(range.address, range.length)
    }
    this.#held.delete(id)
    this.#served.push(request)
    this.#queue.complete(id, writable.length * BUFFER_BYTES)
  }

  #read(range: ByteRange): number {
    this.#requireBuffer(range)
    this.#side.invalidate(range.address, range.length)
    return this.#side.memory.readU8(range.address)
  }

  #requireBuffer({ address, length }: ByteRange): void {
    const { bufferArea, buffers } = this.#layout
    const isBuffer = Array.from({ length: buffers }, (_, i) => this.#layout.bufferAt(i)).includes(address)
    if (!isBuffer || length !== BUFFER_BYTES) {
      throw new Error(
        `0x${address.toString(16)} + ${length} is no buffer of the driver's, they start at 0x${bufferArea.toString(16)}`,
      )
    }
  }

  /** Looks for a reset, and does it: true when there was one. */
  #resetAsked(): boolean {
    if (this.#resets === 0) return false
    const { driverControl, deviceControl } = this.#layout
    const look = (): number => {
      this.#side.invalidate(driverControl, 2)
      return this.#side.load(driverControl, 2, 'seq-cst')
    }
    const asked = look()
    if (asked % 2 === 0 || asked === this.#answered) return false
    this.#side.note('reset')
    this.#queue.reset()
    this.#held.clear()
    this.#skips = true
    this.#answered = asked
    this.#side.store(deviceControl, 2, asked, 'seq-cst')
    this.#side.clean(deviceControl, 2)
    this.#side.notify()
    while (look() !== asked + 1) this.#side.wait()
    return true
  }
}
