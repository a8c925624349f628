/** A guest in front of a net device that does everything by hand: bytes into transmit queues, buffers of any size, commands of any kind. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type Driver,
  type NetContract,
  NetDevice,
  type NetDeviceOptions,
  type NetFeature,
  NetHeader,
  NetPort,
  netContract,
  readNetHeader,
  startDriver,
  writeNetHeader,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { frameOf, MAC_A, MAC_C } from './frames.ts'

export const HEADER = 12

export interface RawGuestOptions extends Partial<NetDeviceOptions> {
  readonly features?: readonly NetFeature[]
  /** Queues that the guest sets up, the control queue last. Default: those of one pair. */
  readonly pairsUsed?: number
  readonly device?: NetDevice
  /** The guest whose device this one takes over. */
  readonly before?: RawGuest
}

/** What came in one receive buffer, cut at its used length. */
export interface Used {
  readonly header: NetHeader
  readonly bytes: Uint8Array
}

export class RawGuest {
  readonly device: NetDevice
  readonly violations: string[] = []
  readonly faults: unknown[] = []
  /** Frames that the guest sent, as they came out, with their requests. */
  readonly out: { readonly bytes: Uint8Array; readonly header: NetHeader }[] = []
  /** Receive buffers that came back, by queue. */
  readonly used: Used[][] = []
  readonly port: NetPort
  readonly driver: Driver<NetContract>
  readonly transport: SharedMemoryTransport<NetContract>

  constructor(options: RawGuestOptions = {}) {
    const { features = ['mac', 'mrgRxbuf', 'ctrlVq', 'ctrlRx'], pairsUsed = 1 } = options
    this.device = options.before?.device ?? options.device ?? new NetDevice({ mac: MAC_A, queueSize: 16, ...options })
    this.device.device.events.on('violation', ({ rule }) => this.violations.push(rule))
    this.device.device.events.on('fault', (error) => this.faults.push(error))
    this.port = new NetPort(({ bytes, header }) => {
      this.out.push({ bytes: bytes.slice(), header: Object.assign(new NetHeader(), header) })
    })
    this.port.outlet = (frame) => this.device.deliver(frame)
    this.device.outlet = (frame) => this.port.deliver(frame)
    this.transport = options.before?.transport ?? new SharedMemoryTransport(this.device)
    const { queues } = netContract(pairsUsed, 16)
    this.driver = startDriver(this.transport, {
      want: features,
      queues: ({ has }) => (has('ctrlVq') ? queues : queues.slice(0, -1)),
    })
    for (let pair = 0; pair < pairsUsed; pair++) this.used.push([])
  }

  /** Posts receive buffers of these sizes. */
  post(sizes: readonly number[], pair = 0): void {
    const queue = this.driver.queues[2 * pair]!
    for (const size of sizes) {
      const address = this.transport.allocate(size, 16)
      queue.add(new BufferList().addWritable(address, size), (writtenBytes) => {
        const bytes = new Uint8Array(writtenBytes)
        this.transport.memory.read(address, bytes)
        const header = new NetHeader()
        if (writtenBytes >= HEADER) readNetHeader(bytes, 0, header)
        this.used[pair]!.push({ header, bytes })
      })
    }
    queue.kick()
  }

  /** Sends a frame behind a header with these fields; the descriptors have these lengths, the last the rest. */
  send(frame: Uint8Array, fields: Partial<NetHeader> = {}, cuts: readonly number[] = [], pair = 0): void {
    const bytes = new Uint8Array(HEADER + frame.length)
    writeNetHeader(bytes, 0, Object.assign(new NetHeader(), fields))
    bytes.set(frame, HEADER)
    this.sendBytes(bytes, cuts, pair)
  }

  sendBytes(bytes: Uint8Array, cuts: readonly number[] = [], pair = 0): void {
    const address = this.transport.allocate(bytes.length, 16)
    this.transport.memory.write(address, bytes)
    const buffers = new BufferList()
    let at = 0
    for (const cut of [...cuts, bytes.length]) {
      const length = Math.min(cut, bytes.length - at)
      if (length > 0) buffers.addReadable(address + at, length)
      at += length
    }
    this.driver.queues[2 * pair + 1]!.post(buffers, () => {})
    this.driver.poll()
  }

  /** A frame of the network, of which the guest has seen what it has by now. */
  receive(frame: Uint8Array = frameOf(MAC_A, MAC_C), request?: Parameters<NetPort['send']>[1]): Used[] {
    this.port.send(frame, request)
    this.driver.poll()
    return this.used[0]!
  }

  /** The answer to a command, cut at its used length; `room` is what there is for it. */
  async command(bytes: readonly number[], room = 1, queue = this.driver.queues.at(-1)!): Promise<number[]> {
    const answer = await queue.call([Uint8Array.from(bytes)], { reply: room })
    return [...answer.bytes]
  }
}
