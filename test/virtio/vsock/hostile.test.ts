import fc from 'fast-check'
import { DEVICE_NEEDS_RESET, VsockDevice } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import {
  CREDIT_REQUEST,
  CREDIT_UPDATE,
  connected,
  HEADER,
  RawGuest,
  REQUEST,
  RESPONSE,
  RST,
  RW,
  SEQPACKET,
  SHUTDOWN,
} from './raw-guest.ts'

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
    dstPort: fc.constantFrom(7, 7, 8, 8, 9),
    len: fc.oneof(fc.nat(300), u32),
    type: fc.constantFrom(1, 1, 2, 2, 77),
    op: fc.nat(9),
    flags: fc.nat(5),
    bufAlloc: u32,
    fwdCnt: u32,
  })

  it('any sequence of packets, whatever the host does: the device lives, its memory bounded, every chain comes back', () => {
    const step = fc.tuple(fields, fc.nat(300), fc.nat(11), fc.constantFrom(0, 44, 45, 256))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const guest = new RawGuest({ maxConnections: 4, bufAlloc: 1000, features: ['stream', 'seqpacket'] })
        const { host } = guest
        for (const [packet, payloadBytes, deed, rxBytes] of steps) {
          guest.send(packet, payloadBytes)
          hostDoes(guest, deed)
          if (rxBytes > 0) guest.refill(4, rxBytes)
        }
        expect(host.registers.isLive).toBe(true)
        expect(host.endpoint.connectionCount).toBeLessThanOrEqual(4)
        for (const { connection } of host.endpoint.sockets) expect(connection.unread).toBeLessThanOrEqual(1000)
        expect(guest.faults).toEqual([])
        // Whatever was held back by a transport reset, or for lack of receive buffers, goes on.
        for (let i = 0; i < 4; i++) guest.postEvent()
        for (let i = 0; i < 10; i++) guest.refill(8)
        expect(guest.txFree).toBe(16)
      }),
      { numRuns: 300 },
    )
  })
})

/** Something that an application of the host may do at any time. */
function hostDoes({ host, accepted, acceptedMessages }: RawGuest, deed: number): void {
  const [stream, messages] = [accepted.at(-1), acceptedMessages.at(-1)]
  if (deed === 0) stream?.write(new Uint8Array(100))
  else if (deed === 1) messages?.write(new Uint8Array(Math.max(1, Math.min(100, messages.maxMessageBytes))))
  else if (deed === 2) stream?.read(new Uint8Array(100))
  else if (deed === 3) messages?.read()
  else if (deed === 4) stream?.end()
  else if (deed === 5) messages?.close()
  else if (deed === 6) (stream ?? messages)?.reset()
  else if (deed === 7 && host.endpoint.connectionCount < 4) host.connect(20)
  else if (deed === 8) host.transportReset(3)
}

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

describe('addresses', () => {
  it('IMP-VSK-02: a CID with an upper half is nobody, and is not answered: the answer would carry it', () => {
    const guest = connected()
    guest.ops()
    for (const dstCid of [2 ** 32 + 2, 2 ** 40, 2 ** 52]) guest.send({ op: RW, dstCid, len: 3 })
    expect(guest.violations).toEqual(new Array(3).fill('vsock-header-malformed'))
    for (const srcCid of [2 ** 32 + 3, 2 ** 52]) guest.send({ op: RST, srcCid })
    expect(guest.violations.slice(3)).toEqual(new Array(2).fill('vsock-source-cid'))
    expect(guest.ops()).toEqual([])
    expect(guest.accepted[0]).toMatchObject({ readableBytes: 0, connection: { state: 'established' } })
  })

  it('IMP-VSK-02: EOM and EOR mean nothing on a stream, and no packet but RW of a seqpacket has them', () => {
    const guest = connected({ features: ['stream', 'seqpacket'] })
    const [socket] = guest.accepted
    let readable = 0
    socket!.events.on('readable', () => readable++)
    for (const flags of [1, 2, 3, 0xffff_fffc]) guest.send({ op: RW, len: 4, flags })
    for (const flags of [1, 3]) guest.send({ op: RW, len: 0, flags })
    expect([socket!.readableBytes, readable]).toEqual([16, 4])
    guest.send({ op: CREDIT_REQUEST, flags: 3 })
    socket?.write(new Uint8Array(5))
    socket?.read(new Uint8Array(16))
    guest.settle()
    const ops = guest.received.map(({ op, flags }) => [op, flags])
    expect(ops).toEqual([
      [RESPONSE, 0],
      [CREDIT_UPDATE, 0],
      [RW, 0],
    ])
    // On a SHUTDOWN the same bits say what is shut down.
    guest.send({ op: SHUTDOWN, flags: 3 })
    expect(guest.ops().at(-1)).toBe(RST)
  })

  it('a packet under way when the CID changes is dropped, and is no violation', () => {
    const guest = connected({ deferred: true })
    const before = guest.accepted[0]!
    guest.host.transportReset(5)
    // The guest has not looked at its events yet.
    guest.send({ op: RW, len: 10 })
    guest.send({ op: REQUEST, srcPort: 100 })
    expect(guest.violations).toEqual([])
    expect(before.readableBytes).toBe(0)
    guest.settle()
    expect(guest.events).toEqual([0])
    guest.postEvent()
    guest.received = []
    guest.send({ op: REQUEST, srcCid: 5, srcPort: 101 })
    guest.settle()
    expect(guest.received).toMatchObject([{ op: RESPONSE, dstCid: 5, dstPort: 101 }])
    // From here on the guest knows its CID, and the old one is a lie.
    guest.send({ op: RW, srcPort: 101, len: 1 })
    expect(guest.violations).toEqual(['vsock-source-cid'])
  })
})

describe('socket types', () => {
  it('VSK-DEV-08, VSK-DEV-02, VSK-DEV-03: what was not negotiated is answered with RST, and streams are implied', () => {
    const types = (features: ConstructorParameters<typeof RawGuest>[0] & object) => {
      const guest = new RawGuest(features)
      guest.send({ op: REQUEST, dstPort: 7 })
      guest.send({ op: REQUEST, dstPort: 8, type: SEQPACKET })
      return guest.ops()
    }
    // Streams are implied, unless NO_IMPLIED_STREAM says that they are not.
    expect(types({ features: [] })).toEqual([RESPONSE, RST])
    expect(types({ features: ['stream'] })).toEqual([RESPONSE, RST])
    expect(types({ features: ['seqpacket'] })).toEqual([RESPONSE, RESPONSE])
    expect(types({ features: ['stream', 'seqpacket', 'noImpliedStream'] })).toEqual([RESPONSE, RESPONSE])
    expect(types({ features: ['seqpacket', 'noImpliedStream'] })).toEqual([RST, RESPONSE])
    expect(types({ features: ['noImpliedStream'] })).toEqual([RST, RST])
    expect(types({ features: ['stream', 'noImpliedStream'] })).toEqual([RESPONSE, RST])
  })

  it('VSK-DEV-01: the device offers NO_IMPLIED_STREAM, and what it was told to', () => {
    const offer = (socketTypes?: readonly ('stream' | 'seqpacket')[]) =>
      new VsockDevice({ guestCid: 3, ...(socketTypes && { socketTypes }) }).registers.offeredFeatures.window(0) & 7
    expect([offer(), offer(['stream']), offer(['seqpacket'])]).toEqual([7, 5, 6])
  })

  it('the host cannot use what was not negotiated', () => {
    const noStream = expect.objectContaining({ code: 'VSOCK_NO_STREAM' })
    const noSeqpacket = expect.objectContaining({ code: 'VSOCK_NO_SEQPACKET' })
    const { host } = new RawGuest({ features: ['stream', 'noImpliedStream'] })
    expect(() => host.connectSeqpacket(9)).toThrow(noSeqpacket)
    const other = new RawGuest({ features: ['seqpacket', 'noImpliedStream'] })
    expect(() => other.host.connect(9)).toThrow(noStream)
    // The next driver may have them; a device that was told to offer none never will.
    host.listenSeqpacket(9, () => {})
    const streams = new VsockDevice({ guestCid: 3, socketTypes: ['stream'] })
    expect(() => streams.listenSeqpacket(9, () => {})).toThrow(noSeqpacket)
    expect(() => streams.connectSeqpacket(9)).toThrow(noSeqpacket)
  })

  it('a listener of one type refuses the other, a connection does too, and lives on', () => {
    const guest = connected({ features: ['stream', 'seqpacket'] })
    expect(guest.ops()).toEqual([RESPONSE])
    guest.send({ op: REQUEST, srcPort: 1, dstPort: 7, type: SEQPACKET })
    guest.send({ op: REQUEST, srcPort: 1, dstPort: 8 })
    guest.send({ op: RW, len: 3, type: SEQPACKET })
    guest.settle()
    expect(guest.received.splice(0).map(({ op, type }) => [op, type])).toEqual([
      [RST, SEQPACKET],
      [RST, 1],
      [RST, SEQPACKET],
    ])
    guest.send({ op: RW, len: 3 })
    expect(guest.accepted[0]?.readableBytes).toBe(3)
  })
})

describe('a guest cannot hold the host', () => {
  it.each([1, 43, 44])('with receive buffers of %i bytes that it gives back at once', (bytes) => {
    const guest = new RawGuest({ rxBuffers: 0, reposts: true })
    guest.send({ op: REQUEST })
    const [socket] = guest.accepted
    socket!.write(new Uint8Array(100))
    guest.refill(8, bytes)
    // 44 bytes are enough for RESPONSE, and for nothing else.
    expect(guest.ops()).toEqual(bytes === 44 ? [RESPONSE] : [])
    expect(guest.usedBuffers).toBeLessThanOrEqual(65)
    expect(guest.violations.at(-1)).toBe('vsock-buffers-useless')
    // The guest is told, and the host is not left waiting.
    expect(guest.host.registers.status & DEVICE_NEEDS_RESET).toBe(DEVICE_NEEDS_RESET)
    expect(socket!.connection.closeReason).toBe('reset')
  })

  it('with event buffers of no use that it gives back at once', () => {
    const guest = new RawGuest({ eventBuffers: 0 })
    guest.host.transportReset(3)
    for (let i = 0; i < 1000 && guest.host.registers.isLive; i++) guest.postEvent(3)
    // The last one was given back when nobody could be told any more.
    expect(guest.events.length).toBe(63)
    expect(guest.violations.at(-1)).toBe('vsock-buffers-useless')
  })

  it('with useless buffers among good ones: they come back, and the stream goes on', () => {
    const guest = connected({ rxBuffers: 1 })
    const [socket] = guest.accepted
    socket!.write(new Uint8Array(2000))
    for (let i = 0; i < 100; i++) {
      guest.refill(10, 44)
      guest.refill(1, 64)
    }
    const received = guest.received.reduce((sum, { len }) => sum + len, 0)
    expect([received, guest.host.registers.isLive]).toEqual([2000, true])
  })

  it('by asking for credit at each answer: every kick ends', () => {
    const guest = connected({ reposts: true })
    for (let i = 0; i < 500; i++) guest.send({ op: CREDIT_REQUEST })
    expect(guest.ops().length).toBe(501)
  })
})

describe('one port pair, again and again', () => {
  it('the RST of the peer cancels ours, and its new REQUEST is answered', () => {
    const guest = new RawGuest({ rxBuffers: 0 })
    guest.send({ op: REQUEST })
    guest.send({ op: SHUTDOWN, flags: 3 })
    guest.send({ op: RST })
    guest.send({ op: REQUEST })
    guest.refill(8)
    expect(guest.ops()).toEqual([RESPONSE])
    expect(guest.accepted.map(({ connection }) => connection.state)).toEqual(['closed', 'established'])
    expect(guest.host.endpoint.connectionCount).toBe(1)
  })

  it('the RST of the peer cancels ours also when nothing follows', () => {
    const guest = new RawGuest({ rxBuffers: 0 })
    guest.send({ op: REQUEST })
    guest.send({ op: SHUTDOWN, flags: 3 })
    guest.send({ op: RST })
    expect(guest.host.endpoint.connectionCount).toBe(0)
    guest.refill(8)
    expect(guest.ops()).toEqual([])
  })

  it('a REQUEST while our RST waits: the old connection is over on both sides, the new one stands', () => {
    const guest = new RawGuest({ rxBuffers: 0 })
    guest.send({ op: REQUEST })
    guest.accepted[0]!.reset()
    guest.send({ op: REQUEST })
    guest.refill(8)
    expect(guest.ops()).toEqual([RESPONSE])
    guest.send({ op: RW, len: 5 })
    expect(guest.accepted[1]!.readableBytes).toBe(5)
    // What the application does with the old socket is nobody's business any more.
    guest.accepted[0]!.reset()
    guest.accepted[0]!.close()
    expect(guest.accepted[1]!.connection.state).toBe('established')
  })

  it('a RST that waits for a connection that never was is cancelled in the same way', () => {
    const guest = new RawGuest({ rxBuffers: 0 })
    guest.send({ op: RW, len: 5 })
    guest.send({ op: REQUEST })
    guest.send({ op: RW, srcPort: 100, len: 5 })
    guest.send({ op: RST, srcPort: 100 })
    guest.send({ op: RW, srcPort: 101, len: 5 })
    guest.refill(8)
    guest.settle()
    expect(guest.received.map(({ op, dstPort }) => [op, dstPort])).toEqual([
      [RST, 101],
      [RESPONSE, 99],
    ])
  })

  it('a connection that was closed before it was ever spoken of says nothing', () => {
    const guest = new RawGuest({ rxBuffers: 0 })
    const socket = guest.host.connect(20)
    socket.reset()
    guest.refill(8)
    expect([guest.ops(), guest.host.endpoint.connectionCount, guest.usedBuffers]).toEqual([[], 0, 0])
  })
})

describe('rx starvation and SHUTDOWN', () => {
  it('who waits for credit, and is told that the peer takes no more, uses no buffer', () => {
    const guest = connected({ rxBuffers: 1 })
    const [socket] = guest.accepted
    guest.send({ op: CREDIT_UPDATE, bufAlloc: 0 })
    socket!.write(new Uint8Array(100))
    guest.send({ op: SHUTDOWN, flags: 1 })
    guest.refill(4)
    expect([guest.ops(), guest.usedBuffers]).toEqual([[RESPONSE], 1])
    expect(socket!.writableBytes).toBe(0)
    socket!.reset()
    expect(guest.ops()).toEqual([RST])
  })
})
