/** A vsock device that sends packets by hand, and takes the guest's only when it is told to, before a real `VsockDriver`. */
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  defineDevice,
  readVsockHeader,
  VsockDriver,
  type VsockDriverOptions,
  VsockHeader,
  vsockContract,
  writeVsockHeader,
} from 'virtio-sdk/virtio'
import { HEADER, type Received } from './raw-guest.ts'

export interface RawHostOptions extends VsockDriverOptions {
  readonly guestCid?: number
  readonly queueEntries?: number
}

export class RawHost {
  readonly guest: VsockDriver
  /** Packets of the guest, taken from tx. */
  received: Received[] = []
  /** False: packets of the guest stay in tx. */
  takesTx = true
  /** True: interrupts of the guest wait for `settle`. */
  deferred = false
  readonly device
  readonly #toSend: { bytes: Uint8Array }[] = []
  #events = 0
  #interrupted = false

  constructor(options: RawHostOptions = {}) {
    const { guestCid = 3, queueEntries = 16, ...driverOptions } = options
    const definition = defineDevice({
      ...vsockContract(queueEntries),
      rx: (queue) => {
        if (this.#toSend.length === 0) return
        for (const { writer } of queue.drain(16)) {
          writer.bytes(this.#toSend.shift()!.bytes)
          if (this.#toSend.length === 0) break
        }
      },
      tx: (queue) => {
        if (!this.takesTx) return
        for (const { reader } of queue.drain(16)) {
          const bytes = new Uint8Array(reader.remaining)
          reader.into(bytes)
          const header = new VsockHeader()
          if (!readVsockHeader(bytes, 0, header)) throw new Error('a header that no driver may send')
          this.received.push(Object.assign(header, { payload: bytes.slice(HEADER) }))
        }
      },
      event: (queue) => {
        if (this.#events === 0) return
        for (const { writer } of queue.drain(1)) {
          writer.u32(0)
          this.#events--
        }
      },
    })
    this.device = definition.create({ config: { guestCid } })
    const transport = new SharedMemoryTransport(this.device, {
      memory: GuestMemory.ofSize(2 ** 18),
      interrupt: () => {
        this.#interrupted = true
      },
    })
    this.guest = new VsockDriver(transport, driverOptions)
    this.settle()
  }

  /** A packet from port 7 of the host to port 20 of the guest. */
  send(fields: Partial<VsockHeader>, payload = new Uint8Array(fields.len ?? 0)): void {
    const bytes = new Uint8Array(HEADER + payload.length)
    const defaults = { srcCid: 2, dstCid: 3, srcPort: 7, dstPort: 20, bufAlloc: 65536 }
    writeVsockHeader(bytes, 0, Object.assign(new VsockHeader(), defaults, fields))
    bytes.set(payload, HEADER)
    this.sendBytes(bytes)
  }

  sendBytes(bytes: Uint8Array): void {
    this.#toSend.push({ bytes })
    this.device.queues.rx.wake()
    this.#took()
  }

  /** TRANSPORT_RESET, under this CID. */
  tellReset(guestCid: number): void {
    this.device.config.update({ guestCid })
    this.#events++
    this.device.queues.event.wake()
    this.#took()
  }

  takeTx(): void {
    this.device.queues.tx.wake()
    this.settle()
  }

  settle(): void {
    const transport = this.guest.driver.transport as SharedMemoryTransport
    while (this.#interrupted) {
      this.#interrupted = false
      transport.takeInterrupt()
      while (this.device.poll()) {}
    }
  }

  #took(): void {
    if (!this.deferred) this.settle()
  }

  /** Packets that wait for a receive buffer. */
  get unsent(): number {
    return this.#toSend.length
  }

  ops(): number[] {
    this.settle()
    return this.received.splice(0).map(({ op }) => op)
  }
}
