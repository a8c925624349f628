/** A guest that runs on QEMU: what the machine asks of it goes into its job, and what it tells comes back to the ledgers. */
import {
  allocateBuffer,
  type GuestFlow,
  type GuestParts,
  type GuestProgram,
  HEADER_SLOT_BYTES,
} from '../machine/index.ts'
import { BUFFERS_PER_FLOW, CONTROL_SLOTS, RECEIVE_PAYLOAD_BYTES } from '../plan/index.ts'
import type { DeviceRegisters } from '../virtio/index.ts'
import { Command, type Job, JobEvent, type JobFlow, type JobQueue } from './job.ts'

/** How a guest is run. */
export interface GuestRunner {
  /** Runs a command until the guest waits again or writes a doorbell; returns its kicks. */
  run(vm: number, command: number): number
  /** A virtual interrupt of the VM is pending. */
  isInterrupted(vm: number): boolean
}

export class QemuGuest implements GuestProgram {
  readonly #parts: GuestParts
  readonly #job: Job
  readonly #runner: GuestRunner
  readonly #seed: number
  readonly #flows: (GuestFlow & { readonly setup: JobFlow })[] = []

  constructor(parts: GuestParts, job: Job, runner: GuestRunner, seed: number) {
    this.#parts = parts
    this.#job = job
    this.#runner = runner
    this.#seed = seed
  }

  get ready(): boolean {
    return this.#job.ready
  }

  addOutgoing(flow: GuestFlow): void {
    const { options, queues } = this.#parts
    const slots = this.#slots()
    const buffers = Array.from({ length: BUFFERS_PER_FLOW }, () =>
      allocateBuffer(options.buffers, flow.lengthBytes, queues),
    )
    this.#add(flow, { outgoing: true, slots, buffers })
  }

  addIncoming(flow: GuestFlow): void {
    this.#add(flow, { outgoing: false, slots: this.#slots(), buffers: [] })
  }

  #slots(): number[] {
    return Array.from({ length: CONTROL_SLOTS }, () =>
      this.#parts.queues.allocate(HEADER_SLOT_BYTES, HEADER_SLOT_BYTES),
    )
  }

  #add(flow: GuestFlow, own: Pick<JobFlow, 'buffers' | 'outgoing' | 'slots'>): void {
    const { index, peerCid, lengthBytes, creditBytes } = flow
    const setup = { index, peerCid, lengthBytes, creditBytes, hasPayload: flow.payload !== null, ...own }
    this.#flows.push({ ...flow, setup })
  }

  start(buffers: number): number {
    const { cid, options, queues, registers } = this.#parts
    this.#flows.sort((a, b) => a.index - b.index)
    this.#job.setUp({
      cid,
      eventIdx: queues.transmit.eventIdx,
      lazyReclaim: options.lazyReclaim,
      polls: options.polls,
      receive: queueOf(registers, 0),
      transmit: queueOf(registers, 1),
      receiveBuffers: Array.from({ length: buffers }, () =>
        allocateBuffer(options.buffers, RECEIVE_PAYLOAD_BYTES, queues),
      ),
      flows: this.#flows.map(({ setup }) => setup),
      seed: this.#seed,
    })
    return this.#run(Command.start)
  }

  release(flow: number): void {
    this.#job.release(this.#flows.findIndex(({ index, setup }) => index === flow && setup.outgoing))
  }

  send(): number {
    return this.#run(Command.send)
  }

  handleInterrupt(): number {
    return this.#run(this.#runner.isInterrupted(this.#parts.vm) ? Command.interrupt : Command.poll)
  }

  #run(command: number): number {
    const kicks = this.#runner.run(this.#parts.vm, command)
    const { host } = this.#parts
    this.#job.takeEvents((kind, index, digest) => {
      const sent = kind === JobEvent.sent
      const flow = this.#flows.find(({ index: own, setup }) => own === index && setup.outgoing === sent)!
      if (sent) flow.ledger.send(digest)
      else {
        const sequence = flow.ledger.deliver(host.now(), digest)
        if (sequence >= 0) host.onDelivered(flow, sequence, NO_BYTES)
      }
    })
    return kicks
  }
}

const NO_BYTES = new Uint8Array(0)

/** Where the driver has put a queue. */
function queueOf(registers: DeviceRegisters, queue: number): JobQueue {
  registers.queueSelect = queue
  const [descriptors, available, used] = ([0, 1, 2] as const).map(
    (area) => registers.readQueueAddress(area, 1) * 2 ** 32 + registers.readQueueAddress(area, 0),
  ) as [number, number, number]
  return { descriptors, available, used, size: registers.queueSize }
}
