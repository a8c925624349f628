/**
 * A guest that behaves as Linux 6.1 was seen to (run under v86): receive buffers of 3776 bytes, packets of up to 64 KiB, credit that
 * moves in silence, and answers that come when nobody expects them any more.
 */
import type { VsockHeader, VsockSocket } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import {
  CREDIT_REQUEST,
  CREDIT_UPDATE,
  RawGuest,
  type RawGuestOptions,
  REQUEST,
  RESPONSE,
  RST,
  RW,
  SEQPACKET,
  SHUTDOWN,
} from './raw-guest.ts'

const BUFFER_BYTES = 3776
const MOST_IN_A_PACKET = 65536
/** Default of SO_VM_SOCKETS_BUFFER_SIZE. */
const BUF_ALLOC = 262144
/** How far behind the receive buffer falls before a read tells the peer. */
const SILENCE = 192 * 1024

/** One socket of the guest's program. */
class LinuxSocket {
  readonly port: number
  readonly type: number
  peerPort: number
  open = false
  rxCnt = 0
  fwdCnt = 0
  toldFwdCnt = 0
  txCnt = 0
  peerFwdCnt = 0
  peerBufAlloc = 0
  readonly unread: Uint8Array[] = []
  sawEnd = false

  constructor(port: number, peerPort: number, type: number) {
    this.port = port
    this.peerPort = peerPort
    this.type = type
  }
}

class LinuxGuest {
  readonly raw: RawGuest
  readonly sockets = new Map<number, LinuxSocket>()
  readonly seen: number[] = []

  constructor(options: RawGuestOptions = {}) {
    this.raw = new RawGuest({ rxBytes: BUFFER_BYTES, reposts: true, features: ['stream', 'seqpacket'], ...options })
  }

  /** connect(2): the program waits for `open`, and may give up without a word to the device. */
  connect(port: number, peerPort: number, type = 1): LinuxSocket {
    const socket = new LinuxSocket(port, peerPort, type)
    this.sockets.set(port, socket)
    this.#send(socket, REQUEST)
    this.work()
    return socket
  }

  giveUp(socket: LinuxSocket): void {
    this.sockets.delete(socket.port)
  }

  /** As much as credit allows; says how many bytes. */
  write(socket: LinuxSocket, bytes: Uint8Array, flagsAtEnd = 0): number {
    let sent = 0
    while (sent < bytes.length) {
      const credit = socket.peerBufAlloc - (socket.txCnt - socket.peerFwdCnt)
      const length = Math.min(bytes.length - sent, credit, MOST_IN_A_PACKET)
      if (length <= 0) break
      socket.txCnt += length
      const last = sent + length === bytes.length
      this.#send(socket, RW, bytes.subarray(sent, sent + length), last ? flagsAtEnd : 0)
      sent += length
    }
    this.work()
    return sent
  }

  /** recv(2) of up to `most` bytes. */
  read(socket: LinuxSocket, most: number): Uint8Array {
    const parts: Uint8Array[] = []
    for (let left = most; left > 0 && socket.unread.length > 0; ) {
      const first = socket.unread.shift()!
      parts.push(first.subarray(0, left))
      if (first.length > left) socket.unread.unshift(first.subarray(left))
      left -= Math.min(left, first.length)
    }
    const bytes = new Uint8Array(Buffer.concat(parts))
    socket.fwdCnt += bytes.length
    if (socket.open && socket.fwdCnt - socket.toldFwdCnt >= SILENCE) this.#send(socket, CREDIT_UPDATE)
    this.work()
    return bytes
  }

  close(socket: LinuxSocket): void {
    this.#send(socket, SHUTDOWN, undefined, 3)
    this.work()
  }

  /** The work queue of the driver: what came in. */
  work(): void {
    for (;;) {
      this.raw.settle()
      const packet = this.raw.received.shift()
      if (packet === undefined) return
      this.seen.push(packet.op)
      const socket = this.sockets.get(packet.dstPort)
      if (socket === undefined || socket.type !== packet.type) {
        if (packet.op !== RST) this.#answer(packet)
        continue
      }
      socket.peerBufAlloc = packet.bufAlloc
      socket.peerFwdCnt = packet.fwdCnt
      if (packet.op === RESPONSE) socket.open = true
      else if (packet.op === RW) {
        socket.rxCnt += packet.len
        socket.unread.push(packet.payload)
        expect(socket.rxCnt - socket.fwdCnt).toBeLessThanOrEqual(BUF_ALLOC)
      } else if (packet.op === CREDIT_REQUEST) this.#send(socket, CREDIT_UPDATE)
      else if (packet.op === SHUTDOWN) {
        socket.sawEnd = true
        if (packet.flags === 3) this.#reset(socket)
      } else if (packet.op === RST) {
        // No error for the program: the data that is there, then the end. The kernel still has things to say.
        socket.sawEnd = true
        socket.open = false
        this.sockets.delete(socket.port)
        this.#send(socket, CREDIT_UPDATE)
        this.#send(socket, RST)
      }
    }
  }

  #reset(socket: LinuxSocket): void {
    socket.open = false
    this.sockets.delete(socket.port)
    this.#send(socket, RST)
  }

  #answer(packet: VsockHeader): void {
    const fields = { op: RST, type: packet.type, srcPort: packet.dstPort, dstPort: packet.srcPort, bufAlloc: 0 }
    this.raw.send(fields)
  }

  #send(socket: LinuxSocket, op: number, payload?: Uint8Array, flags = 0): void {
    socket.toldFwdCnt = socket.fwdCnt
    const { port, peerPort, type, fwdCnt } = socket
    const counters = { bufAlloc: BUF_ALLOC, fwdCnt }
    const fields = { op, type, flags, srcPort: port, dstPort: peerPort, len: payload?.length ?? 0, ...counters }
    if (!this.raw.send(fields, payload ?? 0)) throw new Error('tx is full')
  }
}

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) % 256)

describe('a Linux guest', () => {
  it('a stream to it is cut to its buffers, 3732 bytes of data each', () => {
    const guest = new LinuxGuest()
    const socket = guest.connect(1000, 7)
    expect(socket.open).toBe(true)
    const data = pattern(20_000)
    guest.raw.accepted[0]!.write(data)
    guest.raw.settle()
    expect(guest.raw.received.map(({ len }) => len)).toEqual([3732, 3732, 3732, 3732, 3732, 1340])
    guest.work()
    expect(Buffer.compare(guest.read(socket, 20_000), data)).toBe(0)
  })

  it('its packets of 64 KiB are taken whole, header and data as one stream', () => {
    const guest = new LinuxGuest({ bufAlloc: 200_000 })
    const socket = guest.connect(1000, 7)
    const data = pattern(131_072)
    expect(guest.write(socket, data)).toBe(131_072)
    const target = new Uint8Array(200_000)
    expect(guest.raw.accepted[0]!.read(target)).toBe(131_072)
    expect(Buffer.compare(target.subarray(0, 131_072), data)).toBe(0)
  })

  it('credit that moves in silence stalls nobody: a megabyte both ways, read in pieces of 16 KiB', () => {
    const guest = new LinuxGuest()
    const socket = guest.connect(1000, 7)
    const host = guest.raw.accepted[0]!
    const data = pattern(2 ** 20)
    let [sent, got, sentBack, gotBack] = [0, 0, 0, 0]
    const target = new Uint8Array(16_384)
    for (let idle = 0; got < data.length || gotBack < data.length; idle++) {
      if (idle > 2000) throw new Error(`stalled at ${got} and ${gotBack}`)
      sent += host.write(data.subarray(sent, sent + 16_384))
      guest.work()
      const bytes = guest.read(socket, 16_384)
      expect(Buffer.compare(bytes, data.subarray(got, got + bytes.length))).toBe(0)
      got += bytes.length
      sentBack += guest.write(socket, data.subarray(sentBack, sentBack + 16_384))
      const count = host.read(target)
      expect(Buffer.compare(target.subarray(0, count), data.subarray(gotBack, gotBack + count))).toBe(0)
      gotBack += count
    }
    expect(host.connection.state).toBe('established')
  })

  it('a program that stops reading is a stall, not an end: CREDIT_REQUEST is answered, and it goes on later', () => {
    const guest = new LinuxGuest({ sendBufferBytes: 400_000 })
    const socket = guest.connect(1000, 7)
    const host = guest.raw.accepted[0]!
    host.write(pattern(400_000))
    guest.work()
    expect([host.connection.credit, socket.rxCnt]).toEqual([0, BUF_ALLOC])
    expect(guest.seen.filter((op) => op === CREDIT_REQUEST).length).toBe(1)
    // 100 KiB are read without a word.
    guest.read(socket, 100_000)
    expect(host.connection.credit).toBe(0)
    guest.read(socket, 100_000)
    expect(socket.rxCnt).toBe(400_000)
  })

  it('a RESPONSE that comes after its connect() gave up, and each RW behind it, get RST: no proof that a connection stands', async () => {
    const guest = new LinuxGuest({ rxBuffers: 0 })
    const socket = guest.connect(1000, 7)
    const host = guest.raw.accepted[0]!
    host.write(pattern(10_000))
    const waiting = host.receive()
    guest.giveUp(socket)
    guest.raw.refill(8, BUFFER_BYTES)
    guest.work()
    await expect(waiting).rejects.toThrow('closed (reset)')
    expect([guest.seen[0], guest.raw.host.endpoint.connectionCount]).toEqual([RESPONSE, 0])
    // Nothing answers the RST of what was under way.
    guest.work()
    expect(guest.seen.every((op) => op === RESPONSE || op === RW)).toBe(true)
    // The same port again, which is what Linux does next.
    guest.seen.length = 0
    expect(guest.connect(1000, 7).open).toBe(true)
    expect(guest.seen).toEqual([RESPONSE])
  })

  it('what it still says after a RST ends in one answer', async () => {
    const guest = new LinuxGuest()
    const socket = guest.connect(1000, 7)
    guest.write(socket, pattern(100))
    const host = guest.raw.accepted[0]!
    host.reset()
    guest.work()
    // CREDIT_UPDATE for a connection that is no more gets a RST, the RST nothing.
    expect(guest.seen.slice(1)).toEqual([RST, RST])
    expect(guest.raw.host.endpoint.connectionCount).toBe(0)
    // What was received before can be read, as Linux' own programs do.
    expect((await host.receive())?.length).toBe(100)
    await expect(host.receive()).rejects.toThrow('reset')
  })

  it('its close() is answered with RST at once, what it sent before stays readable', async () => {
    const guest = new LinuxGuest()
    const socket = guest.connect(1000, 7)
    guest.write(socket, pattern(5000))
    guest.close(socket)
    const host: VsockSocket = guest.raw.accepted[0]!
    expect(guest.seen.slice(1)).toEqual([RST, RST])
    expect((await host.receive())?.length).toBe(5000)
    expect(await host.receive()).toBeNull()
  })

  it('our close() is confirmed by its RST', () => {
    const guest = new LinuxGuest()
    guest.connect(1000, 7)
    const host = guest.raw.accepted[0]!
    host.write(pattern(100))
    host.close()
    guest.work()
    expect([host.connection.closeReason, guest.raw.host.endpoint.connectionCount]).toEqual(['shutdown', 0])
    expect(guest.raw.violations).toEqual([])
  })

  it('unbinding its driver sends nothing: the device reset ends the streams with an error', async () => {
    const guest = new LinuxGuest()
    guest.connect(1000, 7)
    const waiting = guest.raw.accepted[0]!.receive()
    guest.raw.driver.close()
    await expect(waiting).rejects.toThrow('closed (reset)')
    await expect(guest.raw.host.connect(5).opened()).rejects.toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ code: 'VSOCK_OFFLINE' }) }),
    )
  })

  it('its seqpackets come in fragments of up to 64 KiB, and ours are cut to its buffers', () => {
    const guest = new LinuxGuest({ bufAlloc: 200_000, sendBufferBytes: 200_000 })
    const socket = guest.connect(1000, 8, SEQPACKET)
    const host = guest.raw.acceptedMessages[0]!
    const data = pattern(150_000)
    expect(guest.write(socket, data, 3)).toBe(150_000)
    expect(Buffer.compare(host.read()!.bytes, data)).toBe(0)
    host.write(data, { endOfRecord: true })
    guest.raw.settle()
    const packets = guest.raw.received
    expect(packets.slice(0, -1).every(({ op, flags }) => op !== RW || flags === 0)).toBe(true)
    expect(packets.at(-1)).toMatchObject({ op: RW, flags: 3, type: SEQPACKET })
    guest.work()
    expect(Buffer.compare(guest.read(socket, 150_000), data)).toBe(0)
  })
})
