/**
 * A vsock device (virtio 1.4 §5.10) whose host side are stream and seqpacket sockets: packets of the guest's tx queue go into an
 * endpoint, and what the endpoint wants to say goes into the guest's rx buffers, or waits for them (museum 35).
 *
 * After a transport reset the guest still has its old connections until it has seen the event. What the host sends before that
 * would be ended by the event, so nothing is sent: the guest has seen it when it gives the event buffer back (VSK-DRV-09).
 */
import { checkPowerOfTwo } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import { FAILED } from '../../constants.ts'
import { defineDevice } from '../../define-device.ts'
import type { Device } from '../../device.ts'
import type { DeviceQueue } from '../../device-queue.ts'
import type { DeviceRegisters } from '../../device-registers.ts'
import type { FeatureSet } from '../../features.ts'
import { protocolViolation } from '../../protocol-violation.ts'
import { UselessBuffers } from '../useless-buffers.ts'
import { hasStreams, type VsockContract, vsockContract } from './contract.ts'
import { checkEndpointOptions, VsockEndpoint, type VsockEndpointOptions, type VsockListener } from './endpoint.ts'
import {
  MAX_CID,
  readVsockHeader,
  VIRTIO_VSOCK_EVENT_TRANSPORT_RESET,
  VSOCK_HEADER_BYTES,
  VSOCK_HOST_CID,
  VsockHeader,
  writeVsockHeader,
} from './header.ts'
import type { VsockSeqpacketSocket } from './seqpacket-socket.ts'
import type { VsockSocket } from './socket.ts'
import { requireVsockState } from './state.ts'

/** Packets per turn, either way. */
const TURN = 16
/** Largest payload that the device sends in one packet, however big the receive buffer is. */
const MAX_PAYLOAD_BYTES = 65536
const EVENT_BYTES = 4
const RX = 0
const TX = 1
const EVENT = 2

/** What a `VsockDevice` is made of. */
export interface VsockDeviceOptions extends VsockEndpointOptions {
  /** 3 to 0xfffffffe. */
  readonly guestCid: number
  /** Entries of the rx and tx queue: a power of two, 1 to 32768. Default 128. */
  readonly queueSize?: number
  /** Common features to offer; default: all that are supported. */
  readonly commonFeatures?: FeatureSet
}

/** The host's half: a device for a transport, and the sockets behind it. */
export class VsockDevice {
  /** The device itself: its queues, configuration and events. */
  readonly device: Device<VsockContract>
  /** The host's end: CID 2. */
  readonly endpoint: VsockEndpoint
  readonly #packet = new Uint8Array(VSOCK_HEADER_BYTES)
  readonly #payload = new Uint8Array(MAX_PAYLOAD_BYTES)
  readonly #received = new VsockHeader()
  readonly #sent = new VsockHeader()
  /** A transport reset that the guest has to be told of, events that it has not given back, and event buffers that it has left. */
  #resetDue = false
  #eventsOut = 0
  #eventsLeft = 0
  /** CIDs that the guest had: its packets may still be under way. */
  readonly #formerCids = new Set<number>()
  readonly #useless = new UselessBuffers()

  /** Throws `VirtioError` VSOCK_CID for a reserved CID (VSK-DEV-07), INVALID_OPTION for what no device can have. */
  constructor(options: VsockDeviceOptions) {
    const { guestCid, queueSize = 128, socketTypes = ['stream', 'seqpacket'] } = options
    checkGuestCid(guestCid)
    checkPowerOfTwo('queueSize', queueSize, 1, 32768, 'entries')
    checkEndpointOptions(options)
    this.endpoint = new VsockEndpoint(VSOCK_HOST_CID, options)
    const definition = defineDevice({
      ...vsockContract(queueSize),
      rx: (queue) => this.#sendToGuest(queue),
      tx: (queue) => this.#receiveFromGuest(queue),
      event: (queue) => this.#sendEvents(queue),
      onActivate: () => this.#goOnline(),
      onReset: () => this.#forgetGuest(),
      onSave: () => ({ formerCids: [...this.#formerCids] }),
      onRestore: (saved) => this.#restore(saved),
    })
    this.device = definition.create({
      config: { guestCid },
      // VSK-DEV-01
      offer: [...socketTypes, 'noImpliedStream'],
      ...(options.commonFeatures !== undefined && { commonFeatures: options.commonFeatures }),
    })
    this.endpoint.onOutgoing = () => this.device.queues.rx.wake()
    this.endpoint.onFault = (error) => this.registers.reportFault(error, -1, false)
    this.device.events.on('status', () => this.#noticeStatus())
    this.#noticeStatus()
  }

  /** What a transport fronts; saves and restores the device. */
  get registers(): DeviceRegisters {
    return this.device.registers
  }

  /** Names for a driver in the same process. */
  get contract(): VsockContract {
    return this.device.contract
  }

  /** The CID that the guest has now. */
  get guestCid(): number {
    return this.device.config.values.guestCid
  }

  /** Accepts the guest's stream connections to a port of the host; returns how to stop. Throws as `VsockEndpoint.listen`. */
  listen(port: number, onConnection: VsockListener): () => void {
    return this.endpoint.listen(port, onConnection)
  }

  /** Accepts the guest's seqpacket connections; throws as `VsockEndpoint.listenSeqpacket`. */
  listenSeqpacket(port: number, onConnection: VsockListener<VsockSeqpacketSocket>): () => void {
    return this.endpoint.listenSeqpacket(port, onConnection)
  }

  /**
   * Connects to a port of the guest; `prepare` and errors as of `VsockEndpoint.connect`. While no driver runs the device, `opened()`
   * rejects.
   */
  connect(port: number, prepare?: VsockListener): VsockSocket {
    return this.endpoint.connect(this.guestCid, port, prepare)
  }

  /** `connect` for messages; throws as `VsockEndpoint.connectSeqpacket`. */
  connectSeqpacket(port: number, prepare?: VsockListener<VsockSeqpacketSocket>): VsockSeqpacketSocket {
    return this.endpoint.connectSeqpacket(this.guestCid, port, prepare)
  }

  /**
   * The guest was moved: every connection ends, and it is told to fetch its CID again (§5.10.6.7). New connections can be made at
   * once; their packets wait until the guest has seen the event. A restored device does this by itself.
   */
  transportReset(guestCid: number): void {
    checkGuestCid(guestCid)
    const { isLive } = this.registers
    if (isLive) {
      this.#resetDue = true
      if (guestCid !== this.guestCid) this.#formerCids.add(this.guestCid)
    }
    this.device.config.update({ guestCid })
    if (!isLive) return
    this.endpoint.transportReset(VSOCK_HOST_CID)
    this.device.queues.event.wake()
  }

  /** tx goes on while rx is full, until the endpoint can hold no more answers (VSK-DEV-04). */
  #receiveFromGuest(queue: DeviceQueue): void {
    if (!this.endpoint.canReceive) return
    for (const { reader } of queue.drain(TURN)) {
      const whole = reader.into(this.#packet) === VSOCK_HEADER_BYTES
      if (!whole || !readVsockHeader(this.#packet, 0, this.#received)) {
        this.#report('vsock-header-malformed', 'IMP-VSK-02', 'a packet of the guest has no valid header', TX)
      } else if (this.#isFromGuest(this.#received)) this.endpoint.receive(this.#received, reader)
      if (!this.endpoint.canReceive) break
    }
  }

  #isFromGuest({ srcCid, dstCid }: VsockHeader): boolean {
    if (srcCid !== this.guestCid) {
      // Sent before the guest knew of its new CID: that life is over. Nor is anything else answered: it would go to an address that
      // is not the guest's.
      if (this.#formerCids.has(srcCid)) return false
      this.#report('vsock-source-cid', 'VSK-DRV-07', `a packet of the guest claims CID ${srcCid}`, TX)
      return false
    }
    if (!this.#isHolding) this.#formerCids.clear()
    if (dstCid <= MAX_CID) return true
    this.#report('vsock-header-malformed', 'IMP-VSK-02', `the upper half of CID ${dstCid} is not zero`, TX)
    return false
  }

  #sendToGuest(queue: DeviceQueue): void {
    if (this.endpoint.hasOutgoing && !this.#isHolding) {
      for (const { writer } of queue.drain(TURN)) {
        const room = Math.min(writer.remaining - VSOCK_HEADER_BYTES, MAX_PAYLOAD_BYTES)
        if (room < 0) {
          this.#report('vsock-header-malformed', 'IMP-VSK-02', 'a receive buffer has no room for a header', RX)
          this.#countUseless(queue)
        } else if (this.endpoint.nextPacket(this.#sent, this.#payload.subarray(0, room))) {
          writeVsockHeader(this.#packet, 0, this.#sent)
          writer.bytes(this.#packet)
          writer.bytes(this.#payload.subarray(0, this.#sent.len))
          this.#useless.clear()
        } else this.#countUseless(queue)
        if (!this.endpoint.hasOutgoing) break
      }
    }
    // Room for answers: packets that had to wait in tx are looked at again.
    const { tx } = this.device.queues
    if (this.endpoint.canReceive && tx.ring!.availableCount(1) > 0) tx.wake()
  }

  /** A transport reset was not seen by the guest yet. */
  get #isHolding(): boolean {
    return this.#resetDue || this.#eventsOut > 0
  }

  #sendEvents(queue: DeviceQueue): void {
    const back = queue.waiting - this.#eventsLeft
    this.#eventsLeft = queue.waiting
    if (back > 0 && this.#eventsOut > 0) {
      this.#eventsOut = Math.max(0, this.#eventsOut - back)
      if (!this.#isHolding) this.device.queues.rx.wake()
    }
    if (this.#resetDue) this.#tellReset(queue)
    else if (this.#eventsOut > 0) this.#watchFor(queue)
  }

  #tellReset(queue: DeviceQueue): void {
    for (const { writer } of queue.drain(1)) {
      // Before it is published: the guest may give it back while it is notified.
      this.#eventsLeft--
      if (writer.remaining < EVENT_BYTES) {
        this.#report('vsock-event-malformed', 'VSK-DRV-09', 'an event buffer has no room for an event', EVENT)
        this.#countUseless(queue)
        continue
      }
      writer.u32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)
      this.#resetDue = false
      this.#eventsOut++
      this.#useless.clear()
    }
  }

  /** Asks for the kick of the next event buffer, behind those that are there and not needed. */
  #watchFor(queue: DeviceQueue): void {
    const left = queue.waiting
    if (left < (queue.ring?.size ?? 0)) queue.ring!.delayNotifications(left + 1)
    if (queue.waiting > left) queue.wake()
  }

  /** Everything that was the guest's: a new driver, and a fresh device, know nothing of it. */
  #forgetGuest(): void {
    this.#resetDue = false
    this.#eventsOut = 0
    this.#eventsLeft = 0
    this.#formerCids.clear()
    this.#useless.clear()
    this.#noticeStatus()
  }

  /** Connections are not saved: the other side of them is not either. The guest is told, and asks for new ones. */
  #restore(saved: unknown): void {
    const { formerCids } = (saved ?? {}) as { readonly formerCids?: unknown }
    requireVsockState(
      Array.isArray(formerCids) && formerCids.every(Number.isInteger),
      'formerCids must be an array of CIDs',
    )
    requireVsockState(isGuestCid(this.guestCid), `a guest cannot have CID ${this.guestCid}`)
    if (!this.registers.isLive) return
    for (const cid of formerCids as number[]) this.#formerCids.add(cid)
    this.#goOnline()
    this.#resetDue = true
    this.device.queues.event.wake()
  }

  #goOnline(): void {
    const { features } = this.device
    this.endpoint.goOnline(VSOCK_HOST_CID, hasStreams(features), features.seqpacket)
  }

  /** A device that is not live, for whatever reason, has no connections. */
  #noticeStatus(): void {
    const { isLive, status } = this.registers
    if (isLive) return
    const why =
      status === 0
        ? 'no driver runs it'
        : (status & FAILED) !== 0
          ? 'the driver gave it up'
          : 'it is not ready, or needs a reset'
    this.endpoint.goOffline(
      new VirtioError('VSOCK_OFFLINE', `the vsock device of guest ${this.guestCid} is offline: ${why}`),
    )
  }

  #countUseless(queue: DeviceQueue): void {
    this.#useless.add(queue, this.registers, 'vsock-buffers-useless', 'IMP-VSK-02', 'anything')
  }

  #report(
    rule: 'vsock-header-malformed' | 'vsock-event-malformed' | 'vsock-source-cid',
    clause: string,
    message: string,
    queue: number,
  ): void {
    this.registers.reportViolation(protocolViolation(rule, clause, message, queue))
  }
}

/** VSK-DEV-07: reserved CIDs cannot be a guest's; the upper half is zero (IMP-VSK-02). */
function checkGuestCid(cid: number): void {
  if (!isGuestCid(cid)) throw new VirtioError('VSOCK_CID', `a guest's CID is 3 to 0xfffffffe, not ${cid}`)
}

function isGuestCid(cid: number): boolean {
  return Number.isInteger(cid) && cid > VSOCK_HOST_CID && cid < MAX_CID
}
