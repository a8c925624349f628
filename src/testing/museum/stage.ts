/**
 * Where an exhibit is shown, whatever the side and the ring format: a ring in small RAM, a hand that writes as any peer could,
 * and the queue under test. What the queue answers is taken as it comes; what it amounts to is a verdict, or `ExhibitFailure`.
 */
import { sameRanges } from '../agreement.ts'
import { addedOf, reapedOf, takenOf } from '../answers.ts'
import { append, type ByteRange } from '../format/split/reference-split-ring.ts'
import type {
  DeviceQueueUnderTest,
  DriverQueueUnderTest,
  TakenChain,
  TargetFault,
  UsedElement,
} from '../queue-targets.ts'
import { callTarget } from './call-target.ts'
import { ExhibitFailure, type Verdict } from './exhibit.ts'
import type { WatchedMemory } from './watched-memory.ts'

/** Where the ring of a stage lies. */
export const STAGE_BASE = 0x1_0000

/** How a ring format differs on the stage. */
export interface StageRules {
  /** What it calls a chain. */
  readonly noun: string
  /** Was this store the side's to make? Null, or what is wrong with it. */
  wrongStore(address: number, bytes: number): string | null
}

abstract class Stage<Queue extends DeviceQueueUnderTest | DriverQueueUnderTest> {
  readonly ram: WatchedMemory
  protected readonly rules: StageRules
  readonly #make: () => Queue
  #queue: Queue

  constructor(ram: WatchedMemory, rules: StageRules, make: () => Queue) {
    this.ram = ram
    this.rules = rules
    this.#make = make
    this.#queue = this.call('create', make)
  }

  /** Throws the queue away and makes a new one over the ring as it is. */
  protected remake(): void {
    this.#queue = this.call('create', this.#make)
  }

  /** Calls the target: an exception, an endless loop, or a byte written where the side may not write is a failure. */
  call<T>(what: string, action: (queue: Queue) => T): T {
    const result = callTarget(this.ram, what, () => action(this.#queue))
    if (this.mayWriteAll(what)) return result
    for (const { address, bytes } of this.ram.stores) {
      const wrong = this.rules.wrongStore(address, bytes)
      if (wrong !== null) throw new ExhibitFailure(`${what} wrote ${wrong}`)
    }
    return result
  }

  protected abstract mayWriteAll(what: string): boolean

  publish(): void {
    this.call('publish', (queue) => queue.publish?.())
  }

  wantsNotification(): boolean {
    return this.call('wantsNotification', (queue) => queue.wantsNotification())
  }

  get canAsk(): boolean {
    return this.#queue.setNotifications !== undefined
  }

  /** Asks for notifications or silence; true: more is there. */
  setNotifications(on: boolean): boolean {
    return this.call('setNotifications', (queue) => queue.setNotifications?.(on)) ?? false
  }

  /** REJECT: a reset brings the queue back. WEDGED: only a new queue works. */
  protected recovered(how: { reset(): void; renew(): void; works(): boolean; nothing: string }): Verdict {
    how.reset()
    if (how.works()) return 'REJECT'
    how.renew()
    if (how.works()) return 'WEDGED'
    throw new ExhibitFailure(how.nothing)
  }
}

/** Null: the target makes no queue of this size, as its own maximum allows it. */
export function openedWithin<Opened>(open: () => Opened): Opened | null {
  try {
    return open()
  } catch (error) {
    if (error instanceof ExhibitFailure && error.message.startsWith('create threw')) return null
    throw error
  }
}

/** False: `action` failed the target. */
export function succeeds(action: () => boolean): boolean {
  try {
    return action()
  } catch (error) {
    if (error instanceof ExhibitFailure) return false
    throw error
  }
}

export abstract class AnyDeviceStage extends Stage<DeviceQueueUnderTest> {
  protected mayWriteAll(): boolean {
    return false
  }

  take(): TakenChain | TargetFault | null {
    return this.call('take', (device) => takenOf(device.take()))
  }

  complete(id: number, writtenBytes: number): void {
    this.call('complete', (device) => device.complete(id, writtenBytes))
  }

  /** `answer` is chain `id` with exactly these bytes. */
  protected isChain(
    answer: TakenChain | TargetFault | null,
    id: number,
    due: { readonly readable: readonly ByteRange[]; readonly writable: readonly ByteRange[] },
    where: string,
  ): TakenChain {
    const { noun } = this.rules
    if (answer?.kind !== 'chain') {
      const what = answer === null ? 'nothing was taken' : `the fault ${answer.rule}`
      throw new ExhibitFailure(`${what} where ${noun} ${id} was due${where}`)
    }
    if (answer.id !== id) throw new ExhibitFailure(`took ${noun} ${answer.id}, not ${id}`)
    if (!sameRanges(answer.readable, merged(due.readable)) || !sameRanges(answer.writable, merged(due.writable))) {
      throw new ExhibitFailure(`${noun} ${id} was understood as other bytes than were offered`)
    }
    return answer
  }
}

export abstract class AnyDriverStage extends Stage<DriverQueueUnderTest> {
  /** A driver may lay out the whole ring before the device is told of it. */
  protected mayWriteAll(what: string): boolean {
    return what === 'create' || what === 'reset'
  }

  /** Adds and publishes one chain; its id, or -1. */
  protected addRanges(readable: readonly ByteRange[], writable: readonly ByteRange[], direct: number): number {
    const id = this.call('add', (driver) => addedOf(driver.add(readable, writable, direct)))
    this.publish()
    return id
  }

  reap(): UsedElement | TargetFault | null {
    return this.call('reap', (driver) => reapedOf(driver.reap()))
  }

  /** The next chain that comes back is this one. */
  reaped(id: number, writtenBytes: number): void {
    const { noun } = this.rules
    const answer = this.reap()
    if (answer?.kind === 'used' && answer.id === id && answer.writtenBytes === writtenBytes) return
    const what =
      answer === null
        ? 'nothing'
        : answer.kind === 'used'
          ? `${noun} ${answer.id} with ${answer.writtenBytes} bytes`
          : `the fault ${answer.rule}`
    throw new ExhibitFailure(`reaped ${what} where ${noun} ${id} with ${writtenBytes} bytes was due`)
  }

  /** What the device just returned is a lie. REJECT: the driver stopped believing it, and a reset brings the queue back. */
  refused(): Verdict {
    const answer = this.reap()
    if (answer?.kind === 'used') {
      throw new ExhibitFailure(`believed ${this.rules.noun} ${answer.id} with ${answer.writtenBytes} bytes`)
    }
    return this.recovered({
      reset: () => this.call('reset', (driver) => driver.reset()),
      renew: () => this.remake(),
      works: () => this.works(),
      nothing: 'works no more, even as a new queue',
    })
  }

  /** Over a zeroed ring, the whole ring can be used and comes back. */
  abstract works(): boolean
}

function merged(ranges: readonly ByteRange[]): ByteRange[] {
  const all: ByteRange[] = []
  for (const { address, length } of ranges) append(all, address, length)
  return all
}
