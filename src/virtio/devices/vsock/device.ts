/**
 * A vsock device (virtio 1.4 §5.10) whose host side are stream sockets: packets of the guest's tx queue go into an endpoint, and
 * what the endpoint wants to say goes into the guest's rx buffers, or waits for them (museum 35).
 */
import { VirtioError } from '../../../internal/error.ts'
import { defineDevice } from '../../define-device.ts'
import type { Device } from '../../device.ts'
import type { DeviceQueue } from '../../device-queue.ts'
import type { DeviceRegisters } from '../../device-registers.ts'
import type { FeatureSet } from '../../features.ts'
import { protocolViolation } from '../../protocol-violation.ts'
import { type VsockContract, vsockContract } from './contract.ts'
import { VsockEndpoint, type VsockEndpointOptions } from './endpoint.ts'
import {
  readVsockHeader,
  VIRTIO_VSOCK_EVENT_TRANSPORT_RESET,
  VSOCK_HEADER_BYTES,
  VSOCK_HOST_CID,
  VsockHeader,
  writeVsockHeader,
} from './header.ts'
import type { VsockSocket } from './socket.ts'

/** Packets per turn, either way. */
const TURN = 16
/** Largest payload that the device sends in one packet, however big the receive buffer is. */
const MAX_PAYLOAD_BYTES = 65536
const RX = 0
const TX = 1

export interface VsockDeviceOptions extends VsockEndpointOptions {
  readonly guestCid: number
  readonly queueSize?: number
  readonly commonFeatures?: FeatureSet
}

export class VsockDevice {
  readonly device: Device<VsockContract>
  /** The host's end: CID 2. */
  readonly endpoint: VsockEndpoint
  readonly #packet = new Uint8Array(VSOCK_HEADER_BYTES)
  readonly #payload = new Uint8Array(MAX_PAYLOAD_BYTES)
  readonly #header = new VsockHeader()
  #resetsToTell = 0

  /** Throws `VirtioError` VSOCK_CID for a reserved CID (VSK-DEV-07). */
  constructor(options: VsockDeviceOptions) {
    checkGuestCid(options.guestCid)
    this.endpoint = new VsockEndpoint(VSOCK_HOST_CID, options)
    const definition = defineDevice({
      ...vsockContract(options.queueSize),
      rx: (queue) => this.#sendToGuest(queue),
      tx: (queue) => this.#receiveFromGuest(queue),
      event: (queue) => this.#sendEvents(queue),
      // The guest forgot its connections; ours are nobody's.
      onReset: () => this.endpoint.transportReset(VSOCK_HOST_CID),
    })
    this.device = definition.create({
      config: { guestCid: options.guestCid },
      ...(options.commonFeatures !== undefined && { commonFeatures: options.commonFeatures }),
    })
    this.endpoint.onOutgoing = () => this.device.queues.rx.wake()
  }

  get registers(): DeviceRegisters {
    return this.device.registers
  }

  get contract(): VsockContract {
    return this.device.contract
  }

  get guestCid(): number {
    return this.device.config.values.guestCid
  }

  /** Accepts the guest's connections to a port of the host; returns how to stop. */
  listen(port: number, onConnection: (socket: VsockSocket) => void): () => void {
    return this.endpoint.listen(port, onConnection)
  }

  /** Connects to a port of the guest. */
  connect(port: number): VsockSocket {
    return this.endpoint.connect(this.guestCid, port)
  }

  /** The guest was moved: every connection ends, and it is told to fetch its CID again (§5.10.6.7). */
  transportReset(guestCid: number): void {
    checkGuestCid(guestCid)
    this.endpoint.transportReset(VSOCK_HOST_CID)
    this.device.config.update({ guestCid })
    this.#resetsToTell++
    this.device.queues.event.wake()
  }

  /** tx goes on while rx is full, until the endpoint can hold no more answers (VSK-DEV-04). */
  #receiveFromGuest(queue: DeviceQueue): void {
    if (!this.endpoint.canReceive) return
    for (const { reader } of queue.drain(TURN)) {
      const whole = reader.into(this.#packet) === VSOCK_HEADER_BYTES
      if (!whole || !readVsockHeader(this.#packet, 0, this.#header)) {
        this.#report('vsock-header-malformed', 'IMP-VSK-02', 'a packet of the guest has no valid header', TX)
      } else if (this.#header.srcCid !== this.guestCid) {
        // No answer either: it would go to an address that is not the guest's.
        this.#report('vsock-source-cid', 'VSK-DRV-07', `a packet of the guest claims CID ${this.#header.srcCid}`, TX)
      } else this.endpoint.receive(this.#header, reader)
      if (!this.endpoint.canReceive) break
    }
  }

  #sendToGuest(queue: DeviceQueue): void {
    if (this.endpoint.hasOutgoing) {
      for (const { writer } of queue.drain(TURN)) {
        const room = Math.min(writer.remaining - VSOCK_HEADER_BYTES, MAX_PAYLOAD_BYTES)
        if (room < 0) {
          this.#report('vsock-header-malformed', 'IMP-VSK-02', 'a receive buffer has no room for a header', RX)
        } else if (this.endpoint.nextPacket(this.#header, this.#payload.subarray(0, room))) {
          writeVsockHeader(this.#packet, 0, this.#header)
          writer.bytes(this.#packet)
          writer.bytes(this.#payload.subarray(0, this.#header.len))
        }
        if (!this.endpoint.hasOutgoing) break
      }
    }
    // Room for answers: packets that had to wait in tx are looked at again.
    const { tx } = this.device.queues
    if (this.endpoint.canReceive && tx.waiting > 0) tx.wake()
  }

  #sendEvents(queue: DeviceQueue): void {
    if (this.#resetsToTell === 0) return
    for (const { writer } of queue.drain(1)) {
      writer.u32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)
      this.#resetsToTell--
    }
  }

  #report(rule: 'vsock-header-malformed' | 'vsock-source-cid', clause: string, message: string, queue: number): void {
    this.registers.reportViolation(protocolViolation(rule, clause, message, queue))
  }
}

/** VSK-DEV-07: reserved CIDs cannot be a guest's; the upper half is zero (IMP-VSK-02). */
function checkGuestCid(cid: number): void {
  if (!Number.isInteger(cid) || cid <= VSOCK_HOST_CID || cid >= 0xffff_ffff) {
    throw new VirtioError('VSOCK_CID', `a guest's CID is 3 to 0xfffffffe, not ${cid}`)
  }
}
