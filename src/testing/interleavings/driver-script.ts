/** The driver of an exchange: what it does, and what it must find. */
import { VirtioError } from '../../internal/error.ts'
import { synchronous } from '../answers.ts'
import type { ByteRange } from '../format/split/reference-split-ring.ts'
import type { DriverQueueUnderTest } from '../queue-targets.ts'
import { BUFFER_BYTES, type ScriptLayout } from './exchange-layout.ts'
import type { ExploredSide } from './explored-side.ts'

/**
 * How a side goes to sleep when it found nothing. `enable`: asks for notifications, and looks once more. `pop`: it looked
 * while it was asking for them. `delay`: as `enable`, for one notification when everything that is out has come back.
 */
export type SleepRule = 'enable' | 'pop' | 'delay'

/** A step of the driver in an exchange. */
export type DriverAction =
  /** One request of so many buffers, the first `direct` of them in the ring; waits for room by `sleep`. Default: one readable. */
  | {
      readonly op: 'add'
      readonly readable?: number
      readonly writable?: number
      readonly direct?: number
      readonly sleep?: SleepRule
    }
  | { readonly op: 'publish' }
  /** Notifies the device if it wants to be. */
  | { readonly op: 'kick' }
  /** Takes back what is there. */
  | { readonly op: 'reap' }
  | { readonly op: 'quiet' }
  /** Takes back everything that is out, sleeping while nothing is there. Default `enable`. */
  | { readonly op: 'drain'; readonly sleep?: SleepRule }
  /** Resets the queue, as far as the device agrees; what was out is forgotten. */
  | { readonly op: 'reset' }

interface Outstanding {
  readonly request: number
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
}

export const ANSWER = 0x80

export class DriverScript {
  readonly #side: ExploredSide
  readonly #queue: DriverQueueUnderTest
  readonly #layout: ScriptLayout
  readonly #outstanding = new Map<number, Outstanding>()
  readonly #free: number[]
  readonly #returned: number[] = []
  #request = 0
  #resets = 0

  constructor(side: ExploredSide, queue: DriverQueueUnderTest, layout: ScriptLayout) {
    this.#side = side
    this.#queue = synchronous(queue)
    this.#layout = layout
    this.#free = Array.from({ length: layout.buffers }, (_, i) => layout.bufferAt(i))
  }

  /** The requests that came back, in that order. */
  run(actions: readonly DriverAction[]): readonly number[] {
    for (const action of actions) this.#perform(action)
    return this.#returned
  }

  #perform(action: DriverAction): void {
    switch (action.op) {
      case 'add':
        this.#add(action)
        break
      case 'publish':
        this.#side.note('publish')
        this.#queue.publish?.()
        break
      case 'kick':
        this.#side.note('does the device want a notification?')
        if (this.#queue.wantsNotification()) this.#side.notify()
        break
      case 'reap':
        this.#reap()
        break
      case 'quiet':
        this.#side.note('ask for silence')
        this.#queue.setNotifications?.(false)
        break
      case 'drain':
        // Asleep right after the look that found nothing: one look more would hide what the queue forgot.
        for (;;) {
          this.#reap()
          if (this.#outstanding.size === 0) break
          this.#sleep(action.sleep ?? 'enable')
        }
        break
      case 'reset':
        this.#reset()
        break
    }
  }

  #add({
    readable = 1,
    writable = 0,
    direct = readable + writable,
    sleep = 'enable',
  }: DriverAction & { op: 'add' }): void {
    const request = ++this.#request
    const take = (): ByteRange => {
      // A buffer comes back with its request, so waiting makes room.
      while (this.#free.length === 0) this.#makeRoom(sleep)
      return { address: this.#free.shift()!, length: BUFFER_BYTES }
    }
    const ranges = {
      readable: Array.from({ length: readable }, take),
      writable: Array.from({ length: writable }, take),
    }
    this.#side.note(`add request ${request}`)
    for (const { address, length } of ranges.readable) {
      this.#side.memory.writeU8(address, request)
      this.#side.clean(address, length)
    }
    for (;;) {
      const head = this.#queue.add(ranges.readable, ranges.writable, direct)
      if (head >= 0) {
        if (this.#outstanding.has(head)) throw new Error(`head ${head} was given out twice`)
        this.#outstanding.set(head, { request, ...ranges })
        return
      }
      if (this.#outstanding.size === 0) throw new Error(`no room for request ${request} in an empty ring`)
      this.#makeRoom(sleep)
    }
  }

  #makeRoom(sleep: SleepRule): void {
    // What is staged cannot come back.
    this.#perform({ op: 'publish' })
    this.#perform({ op: 'kick' })
    if (this.#reap() === 0) this.#sleep(sleep)
  }

  /** Nothing was there a moment ago. */
  #sleep(sleep: SleepRule): void {
    if (sleep !== 'pop') {
      this.#side.note(
        sleep === 'delay' ? 'ask for a notification at the last of these' : 'ask for notifications, look again',
      )
      const queue = this.#queue
      const more =
        sleep === 'delay' ? queue.delayNotifications?.(this.#outstanding.size) : queue.setNotifications?.(true)
      if (more === undefined) throw new VirtioError('INVALID_PROGRAM', `the driver cannot sleep by '${sleep}'`)
      if (more) return
    }
    this.#side.note('sleep')
    this.#side.wait()
  }

  #reap(): number {
    this.#side.note('reap')
    let count = 0
    for (; ; count++) {
      const used = this.#queue.reap()
      if (used === null) return count
      if (used.kind === 'fault') throw new Error(`the driver blames the device: ${used.rule}`)
      const chain = this.#outstanding.get(used.id)
      if (chain === undefined) throw new Error(`head ${used.id} came back, and was not out`)
      this.#outstanding.delete(used.id)
      const { request, readable, writable } = chain
      this.#side.note(`request ${request} is back`)
      const expected = writable.length * BUFFER_BYTES
      if (used.writtenBytes !== expected) {
        throw new Error(`request ${request} came back with ${used.writtenBytes} bytes written, not ${expected}`)
      }
      for (const { address, length } of writable) {
        this.#side.invalidate(address, length)
        const answer = this.#side.memory.readU8(address)
        if (answer !== (request | ANSWER))
          throw new Error(`request ${request} has answer ${answer}, not ${request | ANSWER}`)
      }
      this.#returned.push(request)
      this.#free.unshift(...readable.map(({ address }) => address), ...writable.map(({ address }) => address))
    }
  }

  /** The transport's handshake: an odd number asks, the device answers with it, an even one lets it go on. */
  #reset(): void {
    const { driverControl, deviceControl } = this.#layout
    const tell = (value: number): void => {
      this.#side.store(driverControl, 2, value, 'seq-cst')
      this.#side.clean(driverControl, 2)
      this.#side.notify()
    }
    this.#resets++
    this.#side.note('ask for a reset')
    tell(2 * this.#resets - 1)
    for (;;) {
      this.#side.invalidate(deviceControl, 2)
      if (this.#side.load(deviceControl, 2, 'seq-cst') === 2 * this.#resets - 1) break
      this.#side.wait()
    }
    this.#side.note('reset')
    this.#zeroRings()
    this.#queue.reset()
    for (const { readable, writable } of this.#outstanding.values()) {
      for (const { address } of [...readable, ...writable]) this.#free.push(address)
    }
    this.#outstanding.clear()
    this.#side.note('the device may go on')
    tell(2 * this.#resets)
  }

  /** As in the kit everywhere: a queue is reset over a zeroed ring. */
  #zeroRings(): void {
    for (const [area, bytes] of this.#layout.zeroed) {
      this.#side.invalidate(area, bytes)
      for (let at = 0; at < bytes; at += 2) this.#side.store(area + at, 2, 0, 'unordered')
      this.#side.clean(area, bytes)
    }
  }
}
