/** What a guest is asked and what it tells: `struct job` of `agent/guest.c`, in the guest's own memory. */
import { VirtioError } from '../internal/error.ts'
import type { GuestBuffer } from '../machine/index.ts'
import { GUEST_DOORBELL, GUEST_JOB_OFFSET, PROGRAM_BYTES, PROGRAMS } from './layout.ts'

export const Command = { start: 1, send: 2, interrupt: 3, poll: 4, doorbell: 5 } as const
export const JobEvent = { sent: 1, delivered: 2 } as const

const COMMAND = 0
const KICKS = 4
const FAULT = 8
const FAULT_ARGUMENT = 12
const CID = 16
const EVENT_IDX = 20
const LAZY = 24
const POLLS = 28
const FLOW_COUNT = 32
const RECEIVE_COUNT = 36
const READY = 40
const INTERRUPTS = 44
const EVENT_COUNT = 48
const QUEUE = 52
const QUEUES = 64
const QUEUE_BYTES = 32
const DOORBELL = 128
const FAULT_ADDRESS = 136
const FLOWS = 144
const FLOW_BYTES = 128
const FLOW_WAITING = 24
const FLOW_SLOTS = 32
const FLOW_BUFFERS = 64
const MAX_FLOWS = 32
const RECEIVE_BUFFERS = FLOWS + MAX_FLOWS * FLOW_BYTES
const MAX_RECEIVE = 4096
const BUFFER_BYTES = 16
const EVENTS = RECEIVE_BUFFERS + MAX_RECEIVE * BUFFER_BYTES
const EVENT_BYTES = 16

/** By the number that a guest leaves when it gives up. */
const FAULTS: Readonly<Record<number, string>> = {
  1: 'took an exception',
  2: 'was told of an interrupt and none came',
  3: 'found a queue broken',
  4: 'had more to tell than there is room for',
}

/** One of the two queues, as the driver has set it up. */
export interface JobQueue {
  readonly descriptors: number
  readonly available: number
  readonly used: number
  readonly size: number
}

export interface JobFlow {
  readonly index: number
  readonly outgoing: boolean
  readonly peerCid: number
  readonly lengthBytes: number
  readonly creditBytes: number
  readonly hasPayload: boolean
  readonly slots: readonly number[]
  readonly buffers: readonly GuestBuffer[]
}

export interface JobSetup {
  readonly cid: number
  readonly eventIdx: boolean
  readonly lazyReclaim: boolean
  readonly polls: boolean
  readonly receive: JobQueue
  readonly transmit: JobQueue
  readonly receiveBuffers: readonly GuestBuffer[]
  /** In the order of their numbers. */
  readonly flows: readonly JobFlow[]
  readonly seed: number
}

export class Job {
  readonly #vm: number
  readonly #words: DataView

  constructor(control: ArrayBuffer, vm: number) {
    this.#vm = vm
    const start = PROGRAMS + vm * PROGRAM_BYTES
    this.#words = new DataView(control, start + GUEST_JOB_OFFSET, PROGRAM_BYTES - GUEST_JOB_OFFSET)
  }

  /** Throws `VirtioError` TOO_LARGE_FOR_QEMU. */
  setUp(setup: JobSetup): void {
    const { flows, receiveBuffers } = setup
    const { receive } = setup
    if (flows.length > MAX_FLOWS || receiveBuffers.length > MAX_RECEIVE || receive.size > MAX_RECEIVE) {
      throw new VirtioError(
        'TOO_LARGE_FOR_QEMU',
        `a guest on QEMU has at most ${MAX_FLOWS} flows and ${MAX_RECEIVE} receive buffers and descriptors; VM ${this.#vm} has ${flows.length}, ${receiveBuffers.length} and ${receive.size}`,
      )
    }
    this.#set(CID, setup.cid)
    this.#set(EVENT_IDX, Number(setup.eventIdx))
    this.#set(LAZY, Number(setup.lazyReclaim))
    this.#set(POLLS, Number(setup.polls))
    this.#set(FLOW_COUNT, flows.length)
    this.#set(RECEIVE_COUNT, receiveBuffers.length)
    this.#set64(DOORBELL, GUEST_DOORBELL)
    for (const [i, { descriptors, available, used, size }] of [setup.receive, setup.transmit].entries()) {
      const at = QUEUES + i * QUEUE_BYTES
      for (const [area, address] of [descriptors, available, used].entries()) this.#set64(at + 8 * area, address)
      this.#set(at + 24, size)
    }
    for (const [i, flow] of flows.entries()) this.#setFlow(i, flow, setup.seed)
    for (const [i, buffer] of receiveBuffers.entries()) this.#setBuffer(RECEIVE_BUFFERS + i * BUFFER_BYTES, buffer)
  }

  #setFlow(place: number, flow: JobFlow, seed: number): void {
    const at = FLOWS + place * FLOW_BYTES
    const { index, outgoing, peerCid, lengthBytes, creditBytes, hasPayload } = flow
    // Never 0: the guest's noise would stay 0.
    const noise = (Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b)) >>> 0 || 1
    const words = [index, Number(outgoing), peerCid, lengthBytes, creditBytes, Number(hasPayload), 0, noise]
    for (const [word, value] of words.entries()) this.#set(at + 4 * word, value)
    for (const [i, slot] of flow.slots.entries()) this.#set64(at + FLOW_SLOTS + 8 * i, slot)
    for (const [i, buffer] of flow.buffers.entries()) this.#setBuffer(at + FLOW_BUFFERS + i * BUFFER_BYTES, buffer)
  }

  #setBuffer(at: number, { header, payload }: GuestBuffer): void {
    this.#set64(at, header)
    this.#set64(at + 8, payload)
  }

  /** `queue`: of a doorbell. */
  ask(command: number, queue = 0): void {
    this.#set(COMMAND, command)
    this.#set(QUEUE, queue)
  }

  /** One more message of the flow at this place waits to be sent. */
  release(place: number): void {
    const at = FLOWS + place * FLOW_BYTES + FLOW_WAITING
    this.#set(at, this.#get(at) + 1)
  }

  get kicks(): number {
    return this.#get(KICKS)
  }

  get ready(): boolean {
    return this.#get(READY) === 1
  }

  /** Virtual interrupts that it has taken. */
  get interrupts(): number {
    return this.#get(INTERRUPTS)
  }

  /** Why the guest has given up, or null. */
  get fault(): string | null {
    const fault = this.#get(FAULT)
    if (fault === 0) return null
    const where = fault === 1 ? ` at 0x${this.#get(FAULT_ADDRESS).toString(16)}` : ''
    return `${FAULTS[fault] ?? `stopped with fault ${fault}`} (0x${this.#get(FAULT_ARGUMENT).toString(16)})${where}`
  }

  /** Takes what it has told since the last time: what happened, to which flow, and the hash of the message. */
  takeEvents(visit: (kind: number, flow: number, digest: string) => void): void {
    const count = this.#get(EVENT_COUNT)
    this.#set(EVENT_COUNT, 0)
    for (let i = 0; i < count; i++) {
      const at = EVENTS + i * EVENT_BYTES
      const digest = this.#words
        .getBigUint64(at + 8, true)
        .toString(16)
        .padStart(16, '0')
      visit(this.#get(at), this.#get(at + 4), digest)
    }
  }

  #get(at: number): number {
    return this.#words.getUint32(at, true)
  }

  #set(at: number, value: number): void {
    this.#words.setUint32(at, value, true)
  }

  #set64(at: number, value: number): void {
    this.#words.setUint32(at, value >>> 0, true)
    this.#words.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
  }
}
