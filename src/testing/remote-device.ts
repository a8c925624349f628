/**
 * A device queue in another process, in any language: it talks in lines of text, and reaches guest memory only by asking for
 * it, so that the kit sees, counts and precedes its every access. `docs/testing.md` has the protocol, `examples/c-target` a
 * device in C.
 */
import { checkFlags, checkObject } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import type { GuestMemory } from '../memory/index.ts'
import type { PackedRing } from './format/packed/packed-ring-format.ts'
import type { ByteRange } from './format/split/reference-split-ring.ts'
import type { SplitRing } from './format/split/split-ring-format.ts'
import { CallTimeout, TargetGone } from './museum/bounded-call.ts'
import type {
  DeviceQueueTarget,
  DeviceQueueUnderTest,
  PackedDeviceTarget,
  SavedDeviceQueue,
  TakenChain,
  TargetFault,
} from './queue-targets.ts'

/**
 * Lines to and from the other process, without their ends. `receive` waits for one, and throws when there will be none: `TargetGone`
 * when the process has ended, `CallTimeout` when it was ended because it said nothing. Then the next thing that is sent is a
 * `create`, for which the channel may start another process.
 */
export interface LineChannel {
  send(line: string): void
  receive(): string
}

/** Options of `remoteDevice`. */
export interface RemoteDeviceOptions {
  /** It answers `restore`: its counters then begin anywhere, and exhibits that turn them begin just before they turn. Default: false. */
  readonly restores?: boolean
}

/** A target for a device with a split ring behind `channel`; `name` is what reports call it. */
export function remoteDevice(name: string, channel: LineChannel, options: RemoteDeviceOptions = {}): DeviceQueueTarget {
  checkObject('options', options)
  checkFlags(options, 'restores')
  const conversation = new Conversation(channel)
  const create = (memory: GuestMemory, ring: SplitRing) =>
    new RemoteDevice(memory, `create ${ringWords(ring)}`, conversation)
  const createAt = (memory: GuestMemory, ring: SplitRing, index: number) => {
    const device = create(memory, ring)
    device.restore({ nextAvailable: index, usedIndex: index, inFlight: [] })
    return device
  }
  return {
    side: 'device',
    name,
    // Its accesses come as requests, one by one: their order is not its own.
    lacks: ['concurrency'],
    exhibitMs: EXHIBIT_MS,
    create,
    ...(options.restores && { createAt }),
  }
}

/** The same for a packed ring. */
export function remotePackedDevice(name: string, channel: LineChannel): PackedDeviceTarget {
  const conversation = new Conversation(channel)
  return {
    side: 'device',
    format: 'packed',
    name,
    lacks: ['concurrency'],
    exhibitMs: EXHIBIT_MS,
    create(memory, ring) {
      const request = `create-packed ${ringWords(ring)} ${ring.inOrder ? 1 : 0}`
      return new RemoteDevice(memory, request, conversation)
    },
  }
}

function ringWords(ring: SplitRing | PackedRing): string {
  const { size, descriptorArea, driverArea, deviceArea, eventIdx, indirect } = ring
  return [size, descriptorArea, driverArea, deviceArea, eventIdx ? 1 : 0, indirect ? 1 : 0].join(' ')
}

/** A hundred thousand requests, and a million answers about memory, on a machine that has other things to do. */
const EXHIBIT_MS = 300_000

/** What a target answers to a request that it does not know. */
const UNKNOWN = 'unknown request'

/** More than any correct device says about one request; a limit, because nobody watches when an old request is ended. */
const LAST_WORDS = 10_000

/** Requests and answers in turn, also after a request that the kit gave up in the middle because it took too long. */
class Conversation {
  readonly #channel: LineChannel
  #unanswered = false
  /** The target waits for the reply to a line of its own. */
  #owed = false
  /** There is nobody to talk to until the next `create`. */
  #gone = false

  constructor(channel: LineChannel) {
    this.#channel = channel
  }

  /** Sends a request and serves what the target asks until its answer comes. */
  ask(request: string, serve: (line: string) => string): string {
    if (this.#unanswered && !this.#gone) this.#end()
    if (this.#gone && !request.startsWith('create')) throw new TargetGone("the target's process has ended")
    this.#gone = false
    this.#unanswered = true
    this.#owed = false
    try {
      return this.#converse(request, serve)
    } catch (error) {
      this.#gone = error instanceof TargetGone || error instanceof CallTimeout
      throw error
    }
  }

  #converse(request: string, serve: (line: string) => string): string {
    this.#channel.send(request)
    for (;;) {
      const line = this.#channel.receive()
      if (line.startsWith('= ')) {
        this.#unanswered = false
        return line.slice(2)
      }
      this.#owed = true
      this.#channel.send(serve(line))
      this.#owed = false
    }
  }

  /** No memory is there any more for the old request. */
  #end(): void {
    if (this.#owed) this.#channel.send('-')
    this.#owed = false
    for (let lines = 0; !this.#channel.receive().startsWith('= '); lines++) {
      if (lines === LAST_WORDS) throw new VirtioError('PROTOCOL', 'the target does not end a request without memory')
      this.#channel.send('-')
    }
    this.#unanswered = false
  }
}

class RemoteDevice implements DeviceQueueUnderTest {
  readonly #memory: GuestMemory
  readonly #conversation: Conversation

  constructor(memory: GuestMemory, request: string, conversation: Conversation) {
    this.#memory = memory
    this.#conversation = conversation
    const answer = this.#ask(request)
    if (answer !== 'ok') throw new VirtioError('REFUSED', `the target refused the ring: ${answer}`)
  }

  take(): TakenChain | TargetFault | null {
    const answer = this.#ask('take')
    if (answer === 'none') return null
    const [kind, id, ...rest] = answer.split(' ')
    if (kind === 'fault' && rest.length === 2) {
      return { kind, id: id === '-1' ? -1 : number(id), rule: rest[0]!, returned: rest[1] === '1' }
    }
    const middle = rest.indexOf('w')
    if (kind !== 'chain' || rest[0] !== 'r' || middle < 0) return malformed(answer)
    return {
      kind,
      id: number(id),
      readable: ranges(rest.slice(1, middle)),
      writable: ranges(rest.slice(middle + 1)),
    }
  }

  complete(id: number, writtenBytes: number): void {
    this.#expectOk(`complete ${id} ${writtenBytes}`)
  }

  publish(): void {
    this.#expectOk('publish')
  }

  wantsNotification(): boolean {
    return flag(this.#ask('notify'))
  }

  setNotifications(on: boolean): boolean {
    return flag(this.#ask(`kicks ${on ? 1 : 0}`))
  }

  reset(): void {
    this.#expectOk('reset')
  }

  /** Throws `VirtioError` UNSUPPORTED when the target does not know the request, REFUSED when it refused the state. */
  restore({ nextAvailable, usedIndex, inFlight }: SavedDeviceQueue): void {
    const heads = inFlight.map(({ id, writableBytes }) => ` ${id} ${writableBytes}`).join('')
    const request = `restore ${nextAvailable} ${usedIndex}${heads}`
    const answer = this.#ask(request)
    if (answer === UNKNOWN) throw new VirtioError('UNSUPPORTED', 'the target does not know the request: restore')
    if (answer !== 'ok') throw new VirtioError('REFUSED', `the target answered ${request} with: ${answer}`)
  }

  #expectOk(request: string): void {
    const answer = this.#ask(request)
    if (answer !== 'ok') throw new VirtioError('REFUSED', `the target answered ${request} with: ${answer}`)
  }

  #ask(request: string): string {
    return this.#conversation.ask(request, (line) => this.#serve(line))
  }

  #serve(line: string): string {
    const [what, address, argument = ''] = line.split(' ')
    const at = number(address, line)
    if (what === 'valid') return this.#memory.contains(at, number(argument, line)) ? '1' : '0'
    if (what === 'read') {
      const length = number(argument, line)
      if (!this.#memory.contains(at, length)) return '-'
      return Array.from({ length }, (_, i) => hexByte(this.#memory.readU8(at + i))).join('')
    }
    if (what === 'write' && /^(?:[0-9a-f]{2})+$/.test(argument)) {
      const bytes = argument.match(/../g)!.map((byte) => Number.parseInt(byte, 16))
      if (!this.#memory.contains(at, bytes.length)) return '-'
      this.#write(at, bytes)
      return 'ok'
    }
    return malformed(line)
  }

  /** Two and four aligned bytes are one store, as the index of a ring must be. */
  #write(at: number, bytes: readonly number[]): void {
    const value = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0)
    if (bytes.length === 2 && at % 2 === 0) this.#memory.writeU16(at, value)
    else if (bytes.length === 4 && at % 4 === 0) this.#memory.writeU32(at, value)
    else bytes.forEach((byte, i) => void this.#memory.writeU8(at + i, byte))
  }
}

function ranges(words: readonly string[]): ByteRange[] {
  const list: ByteRange[] = []
  for (let i = 0; i + 1 < words.length; i += 2) list.push({ address: number(words[i]), length: number(words[i + 1]) })
  return list
}

function number(word: string | undefined, line = word ?? ''): number {
  return word !== undefined && /^\d+$/.test(word) ? Number(word) : malformed(line)
}

function flag(answer: string): boolean {
  return answer === '1' || (answer === '0' ? false : malformed(answer))
}

function malformed(line: string): never {
  throw new VirtioError('PROTOCOL', `the target said "${line.slice(0, 80)}", which is no line of the protocol`)
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0')
