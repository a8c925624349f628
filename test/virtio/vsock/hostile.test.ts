import fc from 'fast-check'
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  readVsockHeader,
  startDriver,
  VsockDevice,
  VsockHeader,
  type VsockSocket,
  writeVsockHeader,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'

const [REQUEST, RESPONSE, RST, RW] = [1, 2, 3, 5]
const HEADER = 44

/** A guest that writes packets by hand, whatever the protocol says. */
class RawGuest {
  readonly host: VsockDevice
  readonly violations: string[] = []
  readonly accepted: VsockSocket[] = []
  readonly #driver
  readonly #address: number

  constructor(options: { rxBuffers?: number; maxConnections?: number } = {}) {
    this.host = new VsockDevice({ guestCid: 3, queueSize: 16, ...options })
    this.host.listen(7, (socket) => this.accepted.push(socket))
    this.host.device.events.on('violation', ({ rule }) => this.violations.push(rule))
    this.#driver = startDriver(new SharedMemoryTransport(this.host, { memory: GuestMemory.ofSize(2 ** 20) }))
    this.#address = this.#driver.transport.allocate(65536, 64)
    this.refill(options.rxBuffers ?? 8)
  }

  readonly received: VsockHeader[] = []

  refill(count: number, bytes = 256): void {
    for (let i = 0; i < count; i++) {
      const address = this.#driver.transport.allocate(bytes, 64)
      this.#driver.rx.add(new BufferList().addWritable(address, bytes), (writtenBytes) => {
        const packet = new Uint8Array(writtenBytes)
        this.#driver.transport.memory.read(address, packet)
        const header = new VsockHeader()
        if (writtenBytes >= HEADER && readVsockHeader(packet, 0, header)) this.received.push(header)
      })
    }
    this.#driver.rx.kick()
  }

  send(fields: Partial<VsockHeader>, payloadBytes = fields.len ?? 0, headerBytes = HEADER): boolean {
    const header = Object.assign(
      new VsockHeader(),
      { srcCid: 3, dstCid: 2, srcPort: 99, dstPort: 7, bufAlloc: 65536 },
      fields,
    )
    const packet = new Uint8Array(HEADER)
    writeVsockHeader(packet, 0, header)
    return this.sendBytes(packet.subarray(0, headerBytes), payloadBytes)
  }

  sendBytes(packet: Uint8Array, payloadBytes = 0): boolean {
    this.#driver.transport.memory.write(this.#address, packet)
    return this.#driver.tx.post(new BufferList().addReadable(this.#address, packet.length + payloadBytes), () => {})
  }

  get txFree(): number {
    return this.#driver.tx.ring.freeDescriptors
  }

  ops(): number[] {
    return this.received.splice(0).map(({ op }) => op)
  }
}

function connected(options?: { rxBuffers?: number }): RawGuest {
  const guest = new RawGuest(options)
  guest.send({ op: REQUEST })
  expect(guest.accepted.length).toBe(1)
  return guest
}

describe('hostile packets', () => {
  it('VSK-DEV-08: an unknown type is answered with RST, addresses swapped', () => {
    const guest = new RawGuest()
    guest.send({ op: REQUEST, type: 9 })
    expect(guest.received).toMatchObject([{ op: RST, type: 9, srcCid: 2, dstCid: 3, srcPort: 7, dstPort: 99, len: 0 }])
    guest.send({ op: REQUEST, type: 2 })
    expect(guest.received.length).toBe(2)
    guest.send({ op: RST, type: 9 })
    expect(guest.received.length).toBe(2)
  })

  it('an unknown operation on a connection, and any packet without one, is answered with RST', () => {
    const guest = connected()
    expect(guest.ops()).toEqual([RESPONSE])
    guest.send({ op: 77 })
    expect(guest.ops()).toEqual([RST])
    expect(guest.accepted[0]?.connection.closeReason).toBe('violation')
    guest.refill(8)
    for (const op of [0, 2, 4, 5, 6, 7, 77]) guest.send({ op })
    expect(guest.ops()).toEqual(new Array(7).fill(RST))
  })

  it("VSK-DRV-07: a source CID that is not the guest's is dropped and reported", () => {
    const guest = connected()
    guest.ops()
    for (const srcCid of [2, 4, 2 ** 32 + 3]) guest.send({ op: RST, srcCid })
    guest.send({ op: REQUEST, srcCid: 4 })
    expect(guest.accepted[0]?.connection.state).toBe('established')
    expect(guest.ops()).toEqual([])
    expect(guest.violations).toEqual(new Array(4).fill('vsock-source-cid'))
  })

  it('a destination that is not the host is refused with RST', () => {
    const guest = new RawGuest()
    guest.send({ op: REQUEST, dstCid: 5 })
    expect(guest.received).toMatchObject([{ op: RST, srcCid: 5 }])
    expect(guest.accepted).toEqual([])
  })

  it('a header that is cut short, or has CIDs of 2^53 and more, is dropped and reported', () => {
    const guest = new RawGuest()
    for (const bytes of [1, 43]) guest.send({ op: REQUEST }, 0, bytes)
    guest.sendBytes(new Uint8Array(HEADER).fill(0xff))
    expect(guest.violations).toEqual(new Array(3).fill('vsock-header-malformed'))
    expect(guest.txFree).toBe(16)
    expect(guest.ops()).toEqual([])
  })

  it('len: more than there is cuts the connection off, less leaves the rest alone', () => {
    const guest = connected()
    guest.ops()
    guest.send({ op: RW, len: 10 }, 100)
    expect(guest.accepted[0]?.readableBytes).toBe(10)
    guest.send({ op: RW, len: 101 }, 100)
    expect(guest.ops()).toEqual([RST])
    expect(guest.accepted[0]?.connection.closeReason).toBe('violation')
    expect(guest.accepted[0]?.readableBytes).toBe(10)
    guest.send({ op: REQUEST, srcPort: 100 })
    guest.send({ op: RW, srcPort: 100, len: 0xffff_ffff }, 100)
    expect(guest.ops()).toEqual([RESPONSE, RST])
  })

  it('data beyond the credit that we gave is a violation', () => {
    const guest = connected()
    for (let i = 0; i < 64; i++) guest.send({ op: RW, len: 1024 })
    expect(guest.accepted[0]?.readableBytes).toBe(65536)
    guest.ops()
    guest.send({ op: RW, len: 1 })
    expect(guest.ops()).toEqual([RST])
    expect(guest.accepted[0]?.connection.closeReason).toBe('violation')
  })

  it("a REQUEST that acknowledges bytes is nobody's connection", () => {
    const guest = new RawGuest()
    guest.send({ op: REQUEST, fwdCnt: 1 })
    expect(guest.accepted).toEqual([])
    expect(guest.ops()).toEqual([RST])
    expect(guest.host.endpoint.connectionCount).toBe(0)
  })

  it('more connections than we hold are refused', () => {
    const guest = new RawGuest({ maxConnections: 3 })
    for (let srcPort = 1; srcPort <= 5; srcPort++) guest.send({ op: REQUEST, srcPort })
    expect(guest.ops()).toEqual([RESPONSE, RESPONSE, RESPONSE, RST, RST])
    expect(guest.host.endpoint.connectionCount).toBe(3)
    expect(() => guest.host.connect(9)).toThrow(expect.objectContaining({ code: 'VSOCK_FULL' }))
  })

  it('receive buffers too small for a header come back empty, and nothing is lost', () => {
    const guest = new RawGuest({ rxBuffers: 0 })
    guest.refill(3, 40)
    guest.send({ op: REQUEST })
    expect(guest.ops()).toEqual([])
    expect(guest.violations).toEqual(new Array(3).fill('vsock-header-malformed'))
    guest.refill(1, 44)
    expect(guest.ops()).toEqual([RESPONSE])
    guest.accepted[0]?.write(Uint8Array.of(1, 2, 3))
    guest.refill(2, 44)
    expect(guest.ops()).toEqual([])
    guest.refill(1, 46)
    guest.refill(1, 46)
    expect(guest.received.map(({ op, len }) => [op, len])).toEqual([
      [RW, 2],
      [RW, 1],
    ])
  })

  const u32 = fc.oneof(fc.nat(0xffff_ffff), fc.nat(10))
  const fields = fc.record({
    srcCid: fc.constantFrom(3, 3, 3, 4),
    dstCid: fc.constantFrom(2, 2, 2, 9),
    srcPort: fc.constantFrom(99, 100),
    dstPort: fc.constantFrom(7, 7, 8),
    len: fc.oneof(fc.nat(300), u32),
    type: fc.constantFrom(1, 1, 1, 2, 77),
    op: fc.nat(9),
    flags: fc.nat(5),
    bufAlloc: u32,
    fwdCnt: u32,
  })

  it('any sequence of packets: the device stays alive, its memory bounded, every chain comes back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fields, fc.nat(300)), { maxLength: 60 }), (packets) => {
        const guest = new RawGuest({ maxConnections: 4 })
        for (const [packet, payloadBytes] of packets) {
          guest.send(packet, payloadBytes)
          for (const socket of guest.accepted) if (socket.writableBytes > 100) socket.write(new Uint8Array(100))
          guest.refill(4)
        }
        expect(guest.host.registers.isLive).toBe(true)
        expect(guest.host.endpoint.connectionCount).toBeLessThanOrEqual(4)
        guest.refill(4)
        expect(guest.txFree).toBe(16)
      }),
      { numRuns: 300 },
    )
  })
})

describe('rx starvation', () => {
  it('museum 35: the device holds what it has to say, and resumes when rx is refilled', () => {
    const guest = connected({ rxBuffers: 1 })
    expect(guest.ops()).toEqual([RESPONSE])
    const socket = guest.accepted[0]!
    socket.write(new Uint8Array(1000))
    expect(guest.ops()).toEqual([])
    guest.refill(1, 144)
    expect(guest.received.map(({ op, len }) => [op, len])).toEqual([[RW, 100]])
    guest.refill(3, 344)
    expect(guest.received.reduce((sum, { len }) => sum + len, 0)).toBe(1000)
  })

  it('VSK-DEV-04: tx is processed while rx is full, until answers pile up; then it waits and resumes', () => {
    const guest = new RawGuest({ rxBuffers: 0 })
    let sent = 0
    // Every packet wants a RST, and there is nowhere to put one.
    while (sent < 1000 && guest.send({ op: 6, srcPort: sent })) sent++
    expect(sent).toBe(64 + 16)
    expect(guest.txFree).toBe(0)
    let answered = 0
    for (let i = 0; i < 10; i++) {
      guest.refill(8)
      answered += guest.ops().length
    }
    expect(answered).toBe(80)
    expect(guest.txFree).toBe(16)
    expect(guest.send({ op: 6 })).toBe(true)
  })

  it('data of the guest is taken while rx is full', () => {
    const guest = connected({ rxBuffers: 1 })
    for (let i = 0; i < 40; i++) guest.send({ op: RW, len: 100 })
    expect(guest.accepted[0]?.readableBytes).toBe(4000)
  })
})
