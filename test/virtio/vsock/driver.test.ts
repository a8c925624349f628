/** The guest's driver before a device that does whatever it likes. */
import fc from 'fast-check'
import { VsockSeqpacketSocket, VsockSocket, type VsockSocketBase } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { CREDIT_REQUEST, CREDIT_UPDATE, REQUEST, RESPONSE, RST, RW, SEQPACKET } from './raw-guest.ts'
import { RawHost, type RawHostOptions } from './raw-host.ts'

function called(options: RawHostOptions = {}) {
  const host = new RawHost(options)
  const accepted: VsockSocket[] = []
  host.guest.listen(20, (socket) => accepted.push(socket))
  host.send({ op: REQUEST })
  expect(host.ops()).toEqual([RESPONSE])
  return { host, accepted, socket: accepted[0]! }
}

describe('a driver', () => {
  it('VSK-DRV-04: takes what comes while its tx queue is full', () => {
    const { host, socket } = called()
    host.takesTx = false
    // Fills tx: packets of the stream, and answers to packets that belong to nobody.
    socket.write(new Uint8Array(65536))
    for (let srcPort = 100; srcPort < 110; srcPort++) host.send({ op: RW, srcPort, len: 1 })
    expect(host.guest.driver.tx.ring.freeDescriptors).toBe(0)
    for (let i = 0; i < 100; i++) host.send({ op: RW, len: 100 }, new Uint8Array(100).fill(i))
    expect(host.unsent).toBe(0)
    expect(socket.readableBytes).toBe(10_000)
    // Answers are bounded: when 64 wait, rx waits too, and goes on when tx does.
    for (let srcPort = 200; srcPort < 300; srcPort++) host.send({ op: RW, srcPort })
    host.send({ op: RW, len: 1 })
    expect(socket.readableBytes).toBe(10_000)
    host.takesTx = true
    host.takeTx()
    expect(host.unsent).toBe(0)
    expect(socket.readableBytes).toBe(10_001)
    expect(host.received.filter(({ op }) => op === RST).length).toBe(110)
    expect(host.received.reduce((sum, { len }) => sum + len, 0)).toBe(65536)
  })

  it('VSK-DRV-08: answers a type that it does not know, or that was not negotiated, with RST, addresses swapped', () => {
    const { host } = called({ socketTypes: ['stream'] })
    for (const type of [0, SEQPACKET, 3, 9, 0xffff]) {
      host.send({ op: REQUEST, type, srcPort: 50, dstPort: 20 })
      expect(host.received).toMatchObject([{ op: RST, type, srcCid: 3, dstCid: 2, srcPort: 20, dstPort: 50, len: 0 }])
      host.send({ op: RST, type })
      expect(host.ops()).toEqual([RST])
    }
  })

  it('VSK-DRV-10, VSK-DRV-11, VSK-DRV-12: listeners go on under the CID after a transport reset', () => {
    const { host, accepted, socket } = called()
    host.tellReset(9)
    expect(socket.connection.closeReason).toBe('reset')
    expect([host.guest.endpoint.cid, host.guest.endpoint.connectionCount]).toEqual([9, 0])
    // The old address is nobody's, the listener is at the new one, and speaks under it.
    host.send({ op: REQUEST, dstCid: 3, srcPort: 8 })
    host.send({ op: REQUEST, dstCid: 9, srcPort: 9 })
    expect(host.received.map(({ op, srcCid, dstPort }) => [op, srcCid, dstPort])).toEqual([
      [RST, 3, 8],
      [RESPONSE, 9, 9],
    ])
    expect(accepted.length).toBe(2)
    host.send({ op: RW, dstCid: 9, srcPort: 9, len: 3 })
    expect(accepted[1]!.readableBytes).toBe(3)
  })

  it('VSK-DRV-07: every packet has guest_cid as its source', () => {
    const { host, socket } = called({ guestCid: 3 })
    host.guest.connect(2, 5)
    socket.write(new Uint8Array(10))
    socket.end()
    expect(host.received.length).toBe(3)
    expect(new Set(host.received.map(({ srcCid }) => srcCid))).toEqual(new Set([3]))
  })

  it('VSK-DRV-09: event buffers go back at once', () => {
    const { host } = called()
    for (let i = 0; i < 50; i++) host.tellReset(3 + i)
    expect(host.guest.endpoint.cid).toBe(52)
    expect(host.device.queues.event.waiting).toBe(8)
  })

  it('IMP-VSK-02: a packet whose CIDs have an upper half is dropped, counted and not answered', () => {
    const { host, socket } = called()
    for (const fields of [{ srcCid: 2 ** 32 + 2 }, { dstCid: 2 ** 32 + 3 }, { dstCid: 2 ** 52 }]) {
      host.send({ op: RW, len: 4, ...fields })
      host.send({ op: REQUEST, srcPort: 70, ...fields })
    }
    expect([host.ops(), socket.readableBytes, host.guest.malformedPackets]).toEqual([[], 0, 6])
  })

  it.each([0, 2, 2 ** 32 - 1, 2 ** 32 + 3])('IMP-VSK-02, VSK-DEV-07: is not started with CID %i', (guestCid) => {
    expect(() => new RawHost({ guestCid })).toThrow(expect.objectContaining({ code: 'VSOCK_CID' }))
  })

  it('goes offline with a transport reset to such a CID, and on again with the next', async () => {
    const { host } = called()
    host.tellReset(2 ** 33)
    await expect(host.guest.connect(2, 7).opened()).rejects.toThrow(
      expect.objectContaining({ code: 'VSOCK_CLOSED', cause: expect.objectContaining({ code: 'VSOCK_CID' }) }),
    )
    host.ops()
    host.tellReset(4)
    expect(host.guest.connect(2, 7).connection.state).toBe('connecting')
    expect(host.ops()).toEqual([REQUEST])
  })

  it('a packet that is cut short, or promises more than it has', () => {
    const { host, socket } = called()
    for (const bytes of [0, 1, 43]) host.sendBytes(new Uint8Array(bytes).fill(1))
    expect([host.guest.malformedPackets, host.ops()]).toEqual([3, []])
    host.send({ op: RW, len: 5 }, new Uint8Array(3))
    expect(host.ops()).toEqual([RST])
    expect(socket.connection.closeReason).toBe('violation')
  })

  it('a CREDIT_REQUEST for each packet of its own does not make it talk without end', () => {
    const { host } = called()
    for (let i = 0; i < 300; i++) host.send({ op: CREDIT_REQUEST })
    expect(host.ops()).toEqual(new Array(300).fill(CREDIT_UPDATE))
  })
})

describe('in what order', () => {
  it('the old life ends before a packet of the new one is looked at, though both were interrupted for at once', () => {
    const { host, accepted } = called()
    const messages: VsockSeqpacketSocket[] = []
    host.guest.listenSeqpacket(21, (socket) => messages.push(socket))
    host.deferred = true
    host.tellReset(5)
    host.send({ op: REQUEST, dstCid: 5, srcPort: 30 })
    host.send({ op: REQUEST, dstCid: 5, dstPort: 21, srcPort: 31, type: SEQPACKET })
    expect(accepted.map(({ connection }) => connection.state)).toEqual(['established'])
    host.settle()
    expect(accepted.map(({ connection }) => connection.state)).toEqual(['closed', 'established'])
    expect(messages.map(({ connection }) => connection.state)).toEqual(['established'])
  })
})

describe('a hostile device', () => {
  const u32 = fc.oneof(fc.nat(0xffff_ffff), fc.nat(10))
  const packet = fc.record({
    srcCid: fc.constantFrom(2, 2, 2, 5, 2 ** 33),
    dstCid: fc.constantFrom(3, 3, 3, 4, 2 ** 40),
    srcPort: fc.constantFrom(7, 8),
    dstPort: fc.constantFrom(20, 20, 21, 21, 49152, 22),
    len: fc.oneof(fc.nat(300), u32),
    type: fc.constantFrom(1, 1, 2, 2, 77),
    op: fc.nat(9),
    flags: fc.nat(5),
    bufAlloc: u32,
    fwdCnt: u32,
  })

  it('sends any sequence of packets: the driver lives, its memory bounded, and gives every buffer back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(packet, fc.nat(300), fc.nat(9)), { maxLength: 60 }), (steps) => {
        const host = new RawHost({ maxConnections: 4, bufAlloc: 1000, rxBufferBytes: 400 })
        const { guest } = host
        const faults: unknown[] = []
        guest.driver.events.on('fault', (error) => faults.push(error))
        const sockets: VsockSocketBase[] = []
        guest.listen(20, (socket) => sockets.push(socket))
        guest.listenSeqpacket(21, (socket) => sockets.push(socket))
        for (const [fields, payloadBytes, deed] of steps) {
          host.takesTx = deed !== 0
          host.send(fields, new Uint8Array(payloadBytes))
          const socket = sockets.at(-1)
          if (deed === 1) host.tellReset(3)
          else if (deed === 2 && guest.endpoint.connectionCount < 4) guest.connect(2, 7)
          else if (deed === 3) socket?.end()
          else if (deed === 4) socket?.reset()
          else if (socket instanceof VsockSocket) socket.write(new Uint8Array(50))
          else if (socket instanceof VsockSeqpacketSocket) socket.read()
        }
        host.takesTx = true
        host.takeTx()
        expect([guest.driver.error, faults, host.unsent]).toEqual([null, [], 0])
        expect(guest.endpoint.connectionCount).toBeLessThanOrEqual(4)
        for (const { connection } of guest.endpoint.sockets) expect(connection.unread).toBeLessThanOrEqual(1000)
        expect(host.device.queues.rx.waiting).toBe(16)
        expect(guest.driver.tx.ring.freeDescriptors).toBe(16)
      }),
      { numRuns: 150 },
    )
  })
})
