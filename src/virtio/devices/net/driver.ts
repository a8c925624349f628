/**
 * A net driver (virtio 1.4 §5.1): keeps receive buffers posted, hands on the frames that come, sends, and has a method for each command.
 * It runs on whatever transport `startDriver` runs on, and moves only when it is called or interrupted.
 */
import { checkInteger, checkObject } from '../../../internal/check-option.ts'
import { Emitter, type Events } from '../../../internal/emitter.ts'
import { VirtioError } from '../../../internal/error.ts'
import { STATE_VERSION } from '../../../internal/saved-state.ts'
import { watchPromise } from '../../../internal/watch-promise.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { BufferList, UsedBuffer } from '../../../virtqueue/index.ts'
import { memoryDetached } from '../../detached-memory.ts'
import type { Driver } from '../../driver.ts'
import type { DriverQueue } from '../../driver-queue.ts'
import type { DriverTransport } from '../../driver-transport.ts'
import { Slots } from '../buffer-slots.ts'
import { type NetContract, type NetFlags, VIRTIO_NET_S_ANNOUNCE, VIRTIO_NET_S_LINK_UP } from './contract.ts'
import { type NetCommandOptions, NetControl } from './driver-control.ts'
import { checkDriverOptions, longestFrame, type NetDriverOptions, TRANSMIT_BYTES } from './driver-options.ts'
import {
  attach,
  checkedMtu,
  checkState,
  type NetDriverState,
  type NetPairState,
  negotiated,
  rxBufferBytes,
  start,
  stationOf,
} from './driver-start.ts'
import { NetFrame } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import { NET_HEADER_BYTES, VIRTIO_NET_HDR_GSO_NONE, writeNetHeader } from './header.ts'
import { formatMac, type MacAddress, parseStation, putMac } from './mac-address.ts'
import { guestOffloads, hostOffloads, type Offloads, offloadFault } from './offloads.ts'
import { checkFrame, type NetRequest } from './port.ts'
import { flowHash } from './steering.ts'

/** What a net driver tells, beside the events of its `driver`. */
export type NetDriverEvents = {
  /** The link came up, or went down. */
  link: (up: boolean) => void
  /** A frame can be sent again, after `send` has returned false. */
  sendable: () => void
}

/** A pair of queues in use, and its buffers. */
interface Pair {
  readonly rx: DriverQueue
  readonly rxSlots: Slots
  readonly tx: DriverQueue
  readonly txSlots: Slots
}

/** The guest's half: a driver on a transport. */
export class NetDriver {
  /** The driver itself: its features, configuration and events. */
  readonly driver: Driver<NetContract>
  /** What was negotiated, by name. */
  readonly features: NetFlags
  /** The commands that the device takes. */
  readonly control: NetControl
  /** Called with every frame that comes; see `NetDriverOptions.onFrame`. */
  onFrame: ((frame: NetFrame) => void) | null
  /** The longest frame that `send` takes, in bytes. */
  readonly maxFrameBytes: number
  readonly #memory: GuestMemory
  readonly #host: Offloads
  readonly #mtuBytes: number
  readonly #rxBufferBytes: number
  readonly #pairs: Pair[] = []
  /** Of `#pairs`, those that the device knows to be used. */
  #usedPairs = 1
  #mac: MacAddress
  #linkUp: boolean
  #waitsForRoom = false
  #receiving = false
  readonly #events: Emitter<NetDriverEvents>
  readonly #reader: FrameReader
  readonly #sent = new NetFrame()
  readonly #header = new Uint8Array(NET_HEADER_BYTES)
  readonly #buffers = new BufferList(1)
  readonly #used = new UsedBuffer()

  /**
   * Throws as `startDriver` does, and `VirtioError` INVALID_OPTION, CONFIG_VALUE for an MTU that no device may have, or NET_NO_MAC when neither the device nor `options` have an address
   * for this station. `saved` is for `NetDriver.restore`.
   */
  constructor(transport: DriverTransport<NetContract>, options: NetDriverOptions = {}, saved?: NetDriverState) {
    checkObject('options', options)
    checkDriverOptions(options)
    this.driver = saved === undefined ? start(transport, options) : attach(transport, options, saved)
    try {
      const { config } = this.driver
      const features = negotiated(this.driver)
      this.features = features
      this.#memory = transport.memory
      this.#events = new Emitter(['link', 'sendable'], (error) => this.driver.onFault(error, -1))
      this.onFrame = options.onFrame ?? null
      this.control = new NetControl(features.ctrlVq ? this.driver.queues.at(-1)! : null, features)
      this.#host = hostOffloads(features)
      this.#mac = saved === undefined ? stationOf(options, features, config.mac) : parseStation('mac', saved.mac)
      this.#linkUp = (this.#readStatus() & VIRTIO_NET_S_LINK_UP) !== 0
      const mtu = features.mtu ? checkedMtu(config.mtu) : 0
      this.#mtuBytes = mtu
      const first = saved?.pairs[0]
      this.maxFrameBytes =
        first === undefined ? (options.maxFrameBytes ?? longestFrame(features, mtu)) : first.tx.bytes - NET_HEADER_BYTES
      this.#rxBufferBytes = first?.rx.bytes ?? rxBufferBytes(options, features, mtu, this.driver.queues[0]!.ring.size)
      this.#reader = new FrameReader(transport.memory, features.mrgRxbuf, guestOffloads(features))
      if (saved === undefined) this.#openPair(0)
      else {
        for (const [index, pair] of saved.pairs.entries()) this.#openPair(index, pair)
        this.#usedPairs = saved.usedPairs
      }
    } catch (error) {
      this.driver.close()
      throw error
    }
    this.driver.events.on('config', () => this.#lookAtConfig())
    if (saved !== undefined) return
    // NET-MAC-DRV-02: the device has another address than this station.
    if (this.features.mac && formatMac(this.#mac) !== this.driver.config.mac)
      this.#watch(this.control.setMac(this.#mac))
    this.#fill(this.#pairs[0]!)
  }

  /**
   * Goes on where `saveState` was taken: over memory that is as it was, before a device that is live, without a word to it. Then call `poll`, which
   * looks at what came meanwhile. Buffers are as they were; `options` are those of the saved driver. Throws as `restoreDriver`, and
   * INVALID_STATE: then the device was reset.
   */
  static restore(
    transport: DriverTransport<NetContract>,
    state: NetDriverState,
    options: NetDriverOptions = {},
  ): NetDriver {
    checkState(state)
    return new NetDriver(transport, options, state)
  }

  /** Plain data for `NetDriver.restore`, taken between turns. Throws `VirtioError` NOT_RESTORABLE for a driver that has stopped. */
  saveState(): NetDriverState {
    return {
      version: STATE_VERSION,
      driver: this.driver.saveState(),
      mac: this.mac,
      usedPairs: this.#usedPairs,
      pairs: this.#pairs.map(({ rxSlots, txSlots }) => ({ rx: rxSlots.saveState(), tx: txSlots.saveState() })),
    }
  }

  get events(): Events<NetDriverEvents> {
    return this.#events
  }

  /** The address of this station. */
  get mac(): string {
    return formatMac(this.#mac)
  }

  /** Without STATUS a link counts as up (NET-CFG-DRV-05). */
  get linkUp(): boolean {
    return this.#linkUp
  }

  /** Pairs of queues in use. */
  get pairs(): number {
    return this.#usedPairs
  }

  /** Frames of the device that had no valid header, or not the buffers that they claim, and were dropped. */
  get malformedFrames(): number {
    return this.#reader.malformed
  }

  /**
   * Sends a copy of a frame. False: the queue is full; `sendable` tells when it is not. `request` is what the device is to do for it:
   * finish a checksum, cut it into segments. Throws `DriverError` when the driver has stopped, `VirtioError` INVALID_OPTION for a frame
   * that is too short or too long, or for a request that was not negotiated, MEMORY_DETACHED. The device may run inside.
   */
  send(bytes: Uint8Array, request?: NetRequest): boolean {
    if (this.driver.error !== null) throw this.driver.error
    if (this.#memory.isDetached) throw memoryDetached()
    checkFrame(bytes)
    const frame = this.#sent.at(bytes, 0, bytes.length)
    frame.header.clear()
    if (request !== undefined) Object.assign(frame.header, request, { numBuffers: 0 })
    this.#checkSendable(frame)
    const pair = this.#pairs[this.#usedPairs === 1 ? 0 : flowHash(frame) % this.#usedPairs]!
    const address = this.#takeSlot(pair)
    if (address < 0) return false
    writeNetHeader(this.#header, 0, frame.header)
    this.#memory.write(address, this.#header)
    this.#memory.write(address + NET_HEADER_BYTES, bytes)
    const { tx, txSlots } = pair
    txSlots.give(tx.ring.add(this.#buffers.clear().addReadable(address, NET_HEADER_BYTES + bytes.length)), address)
    tx.kick()
    return true
  }

  /**
   * Uses `pairs` pairs of queues from now on, 1 to what the device has: frames of one flow stay on one of them. Rejects with `VirtioError`
   * INVALID_OPTION, and as the commands of `control` do.
   */
  async setPairs(pairs: number, options?: NetCommandOptions): Promise<void> {
    const most = this.features.mq ? (this.driver.queues.length - 1) / 2 : 1
    checkInteger('pairs', pairs, 1, most, 'pairs of queues')
    // NET-MQ-DRV-02: buffers are there before the device looks for them.
    for (let index = this.#pairs.length; index < pairs; index++) this.#fill(this.#openPair(index))
    // NET-MQ-DRV-05: those that go are unused from the moment when the device may have stopped looking at them.
    this.#usedPairs = Math.min(this.#usedPairs, pairs)
    await this.control.setPairs(pairs, options)
    this.#usedPairs = pairs
  }

  /** Takes another address: the device filters by it. Rejects as the commands of `control` do. */
  async setMac(mac: string, options?: NetCommandOptions): Promise<void> {
    const address = parseStation('mac', mac)
    await this.control.setMac(address, options)
    this.#mac = address
  }

  /** Looks at every queue, interrupt or not. */
  poll(): void {
    if (this.driver.error === null) this.driver.poll()
  }

  /** Resets the device. Closing twice is no error. */
  close(): void {
    this.driver.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Throws `VirtioError` INVALID_OPTION. */
  #checkSendable(frame: NetFrame): void {
    const { lengthBytes, header } = frame
    if (lengthBytes > this.maxFrameBytes) {
      throw new VirtioError(
        'INVALID_OPTION',
        `a frame has at most ${this.maxFrameBytes} bytes here, not ${lengthBytes}`,
      )
    }
    const fault = offloadFault(header, lengthBytes, this.#host)
    if (fault !== null) throw new VirtioError('INVALID_OPTION', `the request cannot be sent: ${fault}`)
    // NET-CFG-DRV-09
    if (header.gsoType !== VIRTIO_NET_HDR_GSO_NONE || !this.features.mtu) return
    const most = this.#mtuBytes + frame.linkHeaderBytes
    if (lengthBytes > most) {
      throw new VirtioError('INVALID_OPTION', `MTU allows a frame of ${most} bytes, not ${lengthBytes}`)
    }
  }

  #openPair(index: number, saved?: NetPairState): Pair {
    const { queues } = this.driver
    const [rx, tx] = [queues[2 * index]!, queues[2 * index + 1]!]
    const slots = ({ ring }: DriverQueue, count: number, bytes: number) =>
      new Slots(this.driver.allocate(count * bytes, 64), count, bytes, ring.size)
    const txBytes = NET_HEADER_BYTES + this.maxFrameBytes
    const txCount = Math.min(tx.ring.size, Math.max(1, Math.floor(TRANSMIT_BYTES / txBytes)))
    const pair: Pair = {
      rx,
      rxSlots: saved ? Slots.restore(saved.rx, rx, true) : slots(rx, rx.ring.size, this.#rxBufferBytes),
      tx,
      txSlots: saved ? Slots.restore(saved.tx, tx, false) : slots(tx, txCount, txBytes),
    }
    this.#pairs.push(pair)
    rx.onUsed = () => this.#receive(pair)
    tx.onUsed = () => this.#reclaim(pair)
    rx.onReset = () => {
      pair.rxSlots.reset()
      this.#fill(pair)
    }
    // Frames that were not sent are lost, as on a wire.
    tx.onReset = () => {
      pair.txSlots.reset()
      tx.ring.disableNotifications()
      if (this.#waitsForRoom) this.#events.emit('sendable')
      this.#waitsForRoom = false
    }
    if (saved !== undefined) return pair
    // What was sent is looked at when room is needed.
    tx.ring.disableNotifications()
    return pair
  }

  /** Address of a free buffer; -1: none, and the device tells when there is. */
  #takeSlot(pair: Pair): number {
    const { tx, txSlots } = pair
    if (tx.isResetting) {
      this.#waitsForRoom = true
      return -1
    }
    const free = txSlots.take()
    if (free >= 0) return free
    this.#reclaim(pair)
    const reclaimed = txSlots.take()
    if (reclaimed >= 0) return reclaimed
    this.#waitsForRoom = true
    if (!tx.ring.enableNotifications()) return -1
    // The device was quicker.
    this.#reclaim(pair)
    return txSlots.take()
  }

  #reclaim({ tx, txSlots }: Pair): void {
    if (this.driver.isStopped()) return
    let count = 0
    while (tx.ring.popUsed(this.#used)) {
      txSlots.release(txSlots.reclaim(this.#used.id))
      count++
    }
    if (count === 0 || !this.#waitsForRoom) return
    this.#waitsForRoom = false
    tx.ring.disableNotifications()
    this.#events.emit('sendable')
  }

  #receive(pair: Pair): void {
    if (this.#receiving || this.driver.isStopped()) return
    this.#receiving = true
    const { rx, rxSlots } = pair
    let taken = 0
    // A listener may stop the driver, or start another one: then the rings are no longer ours.
    while (this.driver.error === null && rx.ring.popUsed(this.#used)) {
      const frame = this.#reader.read(this.#used, rx.ring, rxSlots)
      taken++
      if (frame !== null) this.#handOn(frame, rx)
    }
    this.#receiving = false
    if (taken > 0) this.#fill(pair)
  }

  #handOn(frame: NetFrame, { index }: DriverQueue): void {
    try {
      watchPromise(this.onFrame?.(frame), (error) => this.driver.onFault(error, index))
    } catch (error) {
      this.driver.onFault(error, index)
    }
  }

  #fill({ rx, rxSlots }: Pair): void {
    while (this.driver.error === null) {
      const address = rxSlots.take()
      if (address < 0) break
      rxSlots.give(rx.ring.add(this.#buffers.clear().addWritable(address, rxSlots.bytes)), address)
    }
    rx.kick()
  }

  #readStatus(): number {
    return this.features.status ? this.driver.config.status : VIRTIO_NET_S_LINK_UP
  }

  #lookAtConfig(): void {
    const status = this.#readStatus()
    const up = (status & VIRTIO_NET_S_LINK_UP) !== 0
    if (up !== this.#linkUp) {
      this.#linkUp = up
      this.#events.emit('link', up)
    }
    if ((status & VIRTIO_NET_S_ANNOUNCE) !== 0 && this.features.guestAnnounce) this.#announce()
  }

  /** NET-ANN-DRV-01: a reverse ARP request, as QEMU sends: switches learn from it where the station is, and no IP address is needed. */
  #announce(): void {
    const frame = new Uint8Array(60)
    frame.fill(0xff, 0, 6)
    putMac(this.#mac, frame, 6)
    // EtherType RARP; Ethernet, IPv4, 6 and 4 bytes of address, operation 3: "request reverse".
    frame.set([0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3], 12)
    putMac(this.#mac, frame, 22)
    putMac(this.#mac, frame, 32)
    this.send(frame)
    this.#watch(this.control.acknowledgeAnnounce())
  }

  /** Nobody waits for it: a refusal is a fault of the driver, its end is no news. */
  #watch(command: Promise<void>): void {
    command.catch((error) => {
      if (this.driver.error === null) this.driver.onFault(error, -1)
    })
  }
}
