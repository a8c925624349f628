/**
 * A net device (virtio 1.4 §5.1): frames of the guest's transmit queues go to an outlet, frames of the network into its receive buffers,
 * or wait for them. What it is plugged into is a `NetSwitch` or a function of the user's; it is an end like any other.
 */
import { refuseState } from '../../../internal/saved-state.ts'
import { Device } from '../../device.ts'
import type { DeviceQueue } from '../../device-queue.ts'
import type { DeviceRegisters } from '../../device-registers.ts'
import { type ProtocolRule, protocolViolation } from '../../protocol-violation.ts'
import { UselessBuffers } from '../useless-buffers.ts'
import {
  NET_QUEUE_SIZE,
  type NetContract,
  netContract,
  VIRTIO_NET_S_ANNOUNCE,
  VIRTIO_NET_S_LINK_UP,
} from './contract.ts'
import {
  type ControlTarget,
  execute,
  offloadBit,
  SWITCHED_OFFLOADS,
  type SwitchedOffload,
  VIRTIO_NET_ERR,
  VIRTIO_NET_OK,
} from './control.ts'
import { checkDeviceOptions, DEFAULT_BACKLOG, NetCounters, type NetDeviceOptions, offerOf } from './device-options.ts'
import { ETHERNET_HEADER_BYTES, MAX_FRAME_BYTES, NetFrame } from './frame.ts'
import { FrameQueue } from './frame-queue.ts'
import { NET_HEADER_BYTES, readNetHeader, VIRTIO_NET_HDR_GSO_NONE } from './header.ts'
import { formatMac, type MacAddress, parseMac, parseStation } from './mac-address.ts'
import {
  allowsGso,
  guestOffloads,
  hostOffloads,
  keepKnown,
  type Offloads,
  offloadFault,
  TRANSMIT_FLAGS,
} from './offloads.ts'
import { ALL_OFFLOADS, type NetEnd } from './port.ts'
import { type Placement, ReceiveBuffers } from './receive-buffers.ts'
import { ReceiveFilter, type ReceiveFilterState } from './receive-filter.ts'
import { Steering } from './steering.ts'

/** Frames, or commands, per turn of a queue. */
const TURN = 64

/** As `onSave` of the device returns it. Frames that wait for buffers are lost with a snapshot, as on a wire. */
interface SavedNet {
  readonly filter: ReceiveFilterState
  readonly pairs: number
  /** As GUEST_OFFLOADS_SET switched them; null: as negotiated. */
  readonly offloads: readonly SwitchedOffload[] | null
}

/** The host's half: a device for a transport, and one end of a network. */
export class NetDevice implements NetEnd {
  /** The device itself: its queues, configuration and events. */
  readonly device: Device<NetContract>
  outlet: ((frame: NetFrame) => void) | null = null
  readonly counters = new NetCounters()
  readonly #maxPairs: number
  readonly #permanentMac: string
  #mac: MacAddress
  #pairs = 1
  #host: Offloads
  #guest: Offloads
  #switched: readonly SwitchedOffload[] | null = null
  readonly #filter = new ReceiveFilter()
  readonly #steering = new Steering()
  readonly #queues: readonly DeviceQueue[]
  readonly #backlogs: readonly FrameQueue[]
  readonly #buffers: readonly ReceiveBuffers[]
  readonly #packet = new Uint8Array(NET_HEADER_BYTES + MAX_FRAME_BYTES)
  readonly #sent = new NetFrame()
  readonly #received = new NetFrame()
  readonly #useless = new UselessBuffers()
  readonly #control: ControlTarget
  /** A frame is on its way into a buffer: one that comes meanwhile waits. */
  #placing = false

  /** Throws `VirtioError` INVALID_OPTION for what no device can have. */
  constructor(options: NetDeviceOptions) {
    checkDeviceOptions(options)
    const { mac, mtu, pairs = 1, queueSize = NET_QUEUE_SIZE, backlogBytes = DEFAULT_BACKLOG } = options
    this.#mac = parseStation('mac', mac)
    this.#permanentMac = formatMac(this.#mac)
    this.#maxPairs = pairs
    const contract = netContract(pairs, queueSize)
    this.device = new Device<NetContract>(
      contract,
      contract.queues.map((_, index) => (queue) => this.#serve(queue, index)),
      {
        onActivate: () => this.#useOffloads(null),
        onReset: () => this.#forgetGuest(),
        onSave: (): SavedNet => this.#save(),
        onRestore: (saved) => this.#restore(saved as SavedNet),
      },
      {
        config: {
          mac,
          status: VIRTIO_NET_S_LINK_UP,
          maxVirtqueuePairs: pairs,
          ...(mtu !== undefined && { mtu }),
        },
        offer: offerOf(options),
        ...(options.policy !== undefined && { policy: options.policy }),
        ...(options.commonFeatures !== undefined && { commonFeatures: options.commonFeatures }),
      },
    )
    this.#host = hostOffloads(this.device.features)
    this.#guest = guestOffloads(this.device.features)
    this.#queues = contract.queues.map(({ name }) => this.device.queues[name]!)
    this.#backlogs = Array.from({ length: pairs }, () => new FrameQueue(backlogBytes))
    this.#buffers = this.#backlogs.map((_, pair) => new ReceiveBuffers(this.#queue(2 * pair)))
    const self = this
    this.#control = {
      get features() {
        return self.device.features
      },
      filter: this.#filter,
      maxPairs: pairs,
      setMac: (address) => this.#setMac(address),
      setPairs: (count) => this.#setPairs(count),
      setOffloads: (bits) => this.#setOffloads(bits),
      acknowledgeAnnounce: () => this.#setStatus(VIRTIO_NET_S_ANNOUNCE, false),
    }
  }

  /** What a transport fronts; saves and restores the device. */
  get registers(): DeviceRegisters {
    return this.device.registers
  }

  /** Names for a driver in the same process. */
  get contract(): NetContract {
    return this.device.contract
  }

  /** The guest's address now: it may change it with ADDR_SET, until the next reset. */
  get mac(): string {
    return formatMac(this.#mac)
  }

  /** Pairs of queues that the driver uses now. */
  get pairs(): number {
    return this.#pairs
  }

  /** Whether the cable carries anything. The driver is told where it has negotiated STATUS. */
  get linkUp(): boolean {
    return (this.device.config.values.status & VIRTIO_NET_S_LINK_UP) !== 0
  }

  set linkUp(up: boolean) {
    this.#setStatus(VIRTIO_NET_S_LINK_UP, up)
  }

  /** Asks the driver to tell the network where it is, after a move. False: it has not negotiated GUEST_ANNOUNCE. */
  announce(): boolean {
    if (!this.registers.isLive || !this.device.features.guestAnnounce) return false
    this.#setStatus(VIRTIO_NET_S_ANNOUNCE, true)
    return true
  }

  /**
   * A frame of the network for the guest: it is copied, and waits when the guest has no buffers. `counters` tell of what was dropped. No
   * driver runs inside, unless a transport of yours lets it.
   */
  deliver(frame: NetFrame): void {
    const { counters } = this
    if (!this.registers.isLive || !this.linkUp) {
      counters.offline++
      return
    }
    const { lengthBytes, header } = frame
    const isFrame = lengthBytes >= ETHERNET_HEADER_BYTES && lengthBytes <= MAX_FRAME_BYTES
    if (!isFrame || offloadFault(header, lengthBytes, ALL_OFFLOADS) !== null) counters.malformed++
    else if (!this.#filter.accepts(frame, this.#mac, this.device.features.ctrlVlan)) counters.filtered++
    else if (this.#exceedsMtu(frame)) counters.tooLong++
    else if (!allowsGso(this.#guest, header.gsoType)) counters.unsegmented++
    else this.#enqueue(frame)
  }

  #enqueue(frame: NetFrame): void {
    const pair = this.#livePair(this.#pairs > 1 ? this.#steering.pairFor(frame, this.#pairs) : 0)
    if (pair < 0) this.counters.offline++
    else if (this.#place(frame, pair)) return
    else if (!this.#backlogs[pair]!.push(frame)) this.counters.overflowed++
    else this.#queue(2 * pair).wake()
  }

  /**
   * Where nothing waits, a frame goes straight into a buffer of the guest. Not one whose header or checksum would be changed on the way:
   * it is other ends' as well. False: it has to wait.
   */
  #place(frame: NetFrame, pair: number): boolean {
    const queue = this.#queue(2 * pair)
    const { header } = frame
    if (this.#placing || this.#backlogs[pair]!.count > 0) return false
    if (header.flags !== 0 || header.gsoType !== 0) return false
    this.#placing = true
    let placement: Placement
    try {
      placement = this.#buffers[pair]!.write(frame, this.device.features.mrgRxbuf, this.#guest.csum)
    } finally {
      this.#placing = false
      header.numBuffers = 0
    }
    if (placement === 'useless') {
      this.#useless.add(queue, this.registers, 'net-buffers-useless', 'NET-RXB-DRV-03', 'a frame')
    }
    if (placement === 'useless' || placement === 'wait') return false
    this.#useless.clear()
    this.counters[placement === 'written' ? 'received' : 'tooLong']++
    return true
  }

  /** NET-MQ-DEV-08, -09: a queue that is being reset hands its frames to another; -1 when all are. */
  #livePair(first: number): number {
    for (let i = 0; i < this.#pairs; i++) {
      const pair = (first + i) % this.#pairs
      if (this.#queue(2 * pair).ring !== null) return pair
    }
    return -1
  }

  #queue(index: number): DeviceQueue {
    return this.#queues[index]!
  }

  /** IMP-NET-01: where the control queue is depends on what was negotiated. */
  #serve(queue: DeviceQueue, index: number): void {
    const { mq, ctrlVq } = this.device.features
    const controlIndex = 2 * (mq ? this.#maxPairs : 1)
    if (index === controlIndex) {
      if (ctrlVq) this.#command(queue)
    } else if (index > controlIndex) return
    else if (index % 2 === 0) this.#receive(queue, index / 2)
    else this.#transmit(queue, (index - 1) / 2)
  }

  #transmit(queue: DeviceQueue, pair: number): void {
    for (const { reader } of queue.drain(TURN)) {
      const lengthBytes = reader.remaining - NET_HEADER_BYTES
      if (lengthBytes < ETHERNET_HEADER_BYTES || lengthBytes > MAX_FRAME_BYTES) {
        this.#refuse('net-frame-malformed', 'NET-TX-DRV-02', `${lengthBytes} bytes are no frame`, queue.index)
        continue
      }
      reader.cursor.read(this.#packet, 0, NET_HEADER_BYTES + lengthBytes)
      const frame = this.#sent.at(this.#packet, NET_HEADER_BYTES, lengthBytes)
      readNetHeader(this.#packet, 0, frame.header)
      const fault = offloadFault(frame.header, lengthBytes, this.#host)
      if (fault !== null) this.#refuse('net-header-malformed', 'NET-TX-DRV-33', fault, queue.index)
      else if (this.#exceedsMtu(frame)) {
        const message = `a frame of ${lengthBytes} bytes, with an MTU of ${this.device.config.values.mtu}`
        this.#refuse('net-frame-too-long', 'NET-CFG-DRV-09', message, queue.index)
      } else this.#handOn(frame, pair)
    }
  }

  #handOn(frame: NetFrame, pair: number): void {
    keepKnown(frame.header, TRANSMIT_FLAGS)
    frame.header.numBuffers = 0
    if (this.#maxPairs > 1) this.#steering.learn(frame, pair)
    if (!this.linkUp || this.outlet === null) {
      this.counters.offline++
      return
    }
    this.counters.transmitted++
    try {
      this.outlet(frame)
    } catch (error) {
      // Code of the user's, or of another end: this device goes on.
      this.registers.reportFault(error, -1, false)
    }
  }

  /** Frames of the backlog into buffers, in their order. */
  #receive(queue: DeviceQueue, pair: number): void {
    const backlog = this.#backlogs[pair]!
    this.#placing = true
    try {
      this.#empty(queue, pair, backlog)
    } finally {
      this.#placing = false
    }
    // The bound stopped it, and no kick stands for what is left.
    if (backlog.count > 0 && queue.waiting > 0) queue.wake()
  }

  #empty(queue: DeviceQueue, pair: number, backlog: FrameQueue): void {
    for (let i = 0; i < TURN && backlog.peek(this.#received); i++) {
      const placement = this.#buffers[pair]!.write(this.#received, this.device.features.mrgRxbuf, this.#guest.csum)
      if (placement === 'wait') return
      if (placement === 'useless') {
        this.#useless.add(queue, this.registers, 'net-buffers-useless', 'NET-RXB-DRV-03', 'a frame')
        if (!this.registers.isLive) return
        continue
      }
      this.#useless.clear()
      this.counters[placement === 'written' ? 'received' : 'tooLong']++
      backlog.pop()
    }
  }

  #command(queue: DeviceQueue): void {
    for (const { reader, writer } of queue.drain(TURN)) {
      const isDone = execute(reader, this.#control)
      if (!isDone) {
        const message = 'a command that is cut short, unknown or not negotiated'
        this.#report('net-command-refused', 'IMP-NET-02', message, queue.index)
      }
      writer.u8(isDone ? VIRTIO_NET_OK : VIRTIO_NET_ERR)
    }
  }

  /** NET-CFG-DEV-05, NET-CFG-DRV-09: what is cut into segments later may be longer. */
  #exceedsMtu(frame: NetFrame): boolean {
    if (!this.device.features.mtu || frame.header.gsoType !== VIRTIO_NET_HDR_GSO_NONE) return false
    return frame.lengthBytes > this.device.config.values.mtu + frame.linkHeaderBytes
  }

  #setStatus(bit: number, on: boolean): void {
    const { status } = this.device.config.values
    const changed = on ? status | bit : status & ~bit
    if (changed !== status) this.device.config.update({ status: changed })
  }

  /** NET-MAC-DEV-03: before the command is answered. */
  #setMac(address: MacAddress): void {
    this.#mac = address
    const mac = formatMac(address)
    if (mac !== this.device.config.values.mac) this.device.config.update({ mac })
  }

  /** NET-MQ-DEV-07: frames that wait for buffers of a pair that is no longer used are lost. */
  #setPairs(pairs: number): void {
    this.#pairs = pairs
    for (const backlog of this.#backlogs.slice(pairs)) backlog.clear()
  }

  #setOffloads(bits: bigint): boolean {
    const on = SWITCHED_OFFLOADS.filter((name) => this.device.features[name] && (bits & offloadBit(name)) !== 0n)
    if (on.reduce((sum, name) => sum | offloadBit(name), 0n) !== bits) return false
    this.#useOffloads(on)
    return true
  }

  /** What the driver may ask, and what it takes: of what was negotiated, only those that are switched on. */
  #useOffloads(switched: readonly SwitchedOffload[] | null): void {
    const { features } = this.device
    this.#switched = switched
    this.#host = hostOffloads(features)
    const off = switched === null ? [] : SWITCHED_OFFLOADS.filter((name) => !switched.includes(name))
    this.#guest = guestOffloads({ ...features, ...Object.fromEntries(off.map((name) => [name, false])) })
  }

  /** Everything that was the guest's. */
  #forgetGuest(): void {
    this.#pairs = 1
    this.#filter.reset()
    this.#steering.reset()
    for (const backlog of this.#backlogs) backlog.clear()
    for (const buffers of this.#buffers) buffers.reset()
    this.#useless.clear()
    this.#setMac(parseMac('mac', this.#permanentMac))
    this.#setStatus(VIRTIO_NET_S_ANNOUNCE, false)
    this.#useOffloads(null)
  }

  #save(): SavedNet {
    return { filter: this.#filter.saveState(), pairs: this.#pairs, offloads: this.#switched }
  }

  #restore(saved: SavedNet): void {
    const { filter, pairs, offloads } = saved ?? {}
    if (!Number.isInteger(pairs) || pairs < 1 || pairs > this.#maxPairs)
      refuseState('net', `pairs are 1 to ${this.#maxPairs}`)
    const isSwitched = (name: SwitchedOffload) => SWITCHED_OFFLOADS.includes(name)
    if (offloads !== null && !(Array.isArray(offloads) && offloads.every(isSwitched))) {
      refuseState('net', `offloads are null, or some of ${SWITCHED_OFFLOADS.join(', ')}`)
    }
    this.#filter.restoreState(filter)
    this.#mac = parseMac('mac', this.device.config.values.mac)
    this.#pairs = pairs
    this.#useOffloads(offloads)
    for (const buffers of this.#buffers) buffers.reset()
  }

  #refuse(rule: ProtocolRule, clause: string, message: string, queue: number): void {
    this.counters.refused++
    this.#report(rule, clause, message, queue)
  }

  #report(rule: ProtocolRule, clause: string, message: string, queue: number): void {
    this.registers.reportViolation(protocolViolation(rule, clause, message, queue))
  }
}
