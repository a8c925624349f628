/** Seqpacket sockets (virtio 1.4 §5.10.6.6): messages and records, on both sides, and what a peer can do to them. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  VIRTIO_VSOCK_SEQ_EOM as EOM,
  VIRTIO_VSOCK_SEQ_EOR as EOR,
  VsockConnection,
  VsockDevice,
  VsockDriver,
  VsockHeader,
  type VsockMessage,
  type VsockSeqpacketSocket,
} from 'virtio-sdk/virtio'
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

const HOST = 2
const message = (length: number, first = 1) => Uint8Array.from({ length }, (_, i) => first + i)

function pair(
  options: { queueSize?: number; bufAlloc?: number; rxBufferBytes?: number; sendBufferBytes?: number } = {},
) {
  const host = new VsockDevice({ guestCid: 3, ...options })
  const guest = new VsockDriver(new SharedMemoryTransport(host), options)
  return { host, guest }
}

/** A guest by hand that has a seqpacket connection from port 99 to port 8. */
function called(options: RawGuestOptions = {}) {
  const guest = new RawGuest({ features: ['seqpacket'], ...options })
  const send = (fields: Partial<VsockHeader>, payload?: Uint8Array) =>
    guest.send({ type: SEQPACKET, dstPort: 8, ...fields, ...(payload && { len: payload.length }) }, payload)
  send({ op: REQUEST })
  const socket = guest.acceptedMessages[0]!
  return { guest, send, socket }
}

async function collect(socket: VsockSeqpacketSocket): Promise<VsockMessage[]> {
  const messages: VsockMessage[] = []
  for await (const one of socket) messages.push(one)
  return messages
}

describe('messages', () => {
  it.each([
    ['rings of 1, buffers of 100 bytes', { queueSize: 1, rxBufferBytes: 100, bufAlloc: 500 }],
    ['rings of 2, buffers of 128 bytes', { queueSize: 2, rxBufferBytes: 128, bufAlloc: 2000 }],
    ['rings of 8', { queueSize: 8, bufAlloc: 8000 }],
    ['rings of 128', {}],
  ])('arrive whole, in order and both ways, with the ends of records: %s', async (_, options) => {
    const { host, guest } = pair(options)
    host.listenSeqpacket(8, async (socket) => {
      for await (const { bytes, endOfRecord } of socket) await socket.send(bytes, { endOfRecord })
      socket.end()
    })
    const socket = await guest.connectSeqpacket(HOST, 8).opened()
    const most = socket.maxMessageBytes
    const sent = Array.from({ length: 100 }, (_, i) => ({
      bytes: message(1 + ((i * 379) % Math.min(most, 5000)), i),
      endOfRecord: i % 3 === 0,
    }))
    const answers = collect(socket)
    for (const { bytes, endOfRecord } of sent) await socket.send(bytes, { endOfRecord })
    socket.end()
    const told = ({ bytes, endOfRecord }: VsockMessage) => `${endOfRecord} ${Buffer.from(bytes).toString('base64')}`
    expect((await answers).map(told)).toEqual(sent.map(told))
    expect([guest.endpoint.connectionCount, host.endpoint.connectionCount]).toEqual([0, 0])
  })

  it('the host calls the guest', async () => {
    const { host, guest } = pair()
    guest.listenSeqpacket(20, async (socket) => {
      const got = await socket.receive()
      await socket.send(message(got!.bytes.length * 2))
      socket.close()
    })
    const socket = await host.connectSeqpacket(20).opened()
    await socket.send(message(21))
    expect((await socket.receive())?.bytes).toEqual(message(42))
    expect(await socket.receive()).toBeNull()
    await expect(socket.send(message(1))).rejects.toThrow(expect.objectContaining({ code: 'VSOCK_CLOSED' }))
  })

  it('a message is cut to the buffers of the peer; only its last packet has EOM, and EOR when it ends a record', () => {
    const { guest, socket } = called()
    expect(guest.ops()).toEqual([RESPONSE])
    socket.write(message(250), { endOfRecord: true })
    socket.write(message(3))
    guest.settle()
    const [first, last, next] = guest.received
    expect(guest.received.map(({ op, len, flags, type }) => [op, len, flags, type])).toEqual([
      [RW, 212, 0, SEQPACKET],
      [RW, 38, EOM | EOR, SEQPACKET],
      [RW, 3, EOM, SEQPACKET],
    ])
    expect(Buffer.concat([first!.payload, last!.payload])).toEqual(Buffer.from(message(250)))
    expect(next!.payload).toEqual(message(3))
  })

  it('and to the credit of the peer, which is asked for more', () => {
    const { guest, send, socket } = called({ rxBytes: 4096 })
    send({ op: CREDIT_UPDATE, bufAlloc: 100 })
    socket.write(message(80))
    socket.write(message(60), { endOfRecord: true })
    guest.settle()
    const sent = () => guest.received.splice(0).map(({ op, len, flags }) => [op, len, flags])
    expect(sent()).toEqual([
      [RESPONSE, 0, 0],
      [RW, 80, EOM],
      [RW, 20, 0],
      [CREDIT_REQUEST, 0, 0],
    ])
    send({ op: CREDIT_UPDATE, bufAlloc: 100, fwdCnt: 80 })
    expect(sent()).toEqual([[RW, 40, EOM | EOR]])
  })

  it('nothing can be read before the last byte is there; then one message, not its neighbours', () => {
    const { send, socket } = called()
    let readable = 0
    socket.events.on('readable', () => readable++)
    send({ op: RW }, message(10))
    send({ op: RW }, message(5, 11))
    expect([socket.read(), socket.readableMessages, readable]).toEqual([null, 0, 0])
    send({ op: RW, flags: EOM | EOR }, message(1, 16))
    send({ op: RW, flags: EOM }, message(4))
    expect([socket.readableMessages, readable]).toEqual([2, 2])
    expect(socket.read()).toEqual({ bytes: message(16), endOfRecord: true })
    expect(socket.read()).toEqual({ bytes: message(4), endOfRecord: false })
    expect(socket.read()).toBeNull()
  })

  it('a last packet without bytes ends the message; EOR without EOM means nothing', () => {
    const { send, socket } = called()
    send({ op: RW, flags: EOR }, message(10))
    send({ op: RW, flags: EOM })
    expect(socket.read()).toEqual({ bytes: message(10), endOfRecord: false })
  })

  it('credit comes back with whole messages', () => {
    const { guest, send, socket } = called({ bufAlloc: 100 })
    guest.ops()
    send({ op: RW }, message(30))
    send({ op: RW, flags: EOM }, message(30))
    send({ op: RW }, message(40))
    expect(socket.connection.unread).toBe(100)
    socket.read()
    expect(socket.connection.fwdCnt).toBe(60)
    guest.settle()
    expect(guest.received).toMatchObject([{ op: CREDIT_UPDATE, fwdCnt: 60, bufAlloc: 100, flags: 0 }])
  })
})

describe('credit for the rest of a message', () => {
  it('is told at once to a peer that has none left, however little it is', () => {
    const { guest, send, socket } = called({ bufAlloc: 100 })
    guest.ops()
    send({ op: RW, flags: EOM }, message(1))
    send({ op: RW }, message(98))
    socket.read()
    // One byte of 100 is no news while the peer can send.
    expect(guest.ops()).toEqual([])
    send({ op: RW }, message(1))
    guest.settle()
    expect(guest.received).toMatchObject([{ op: CREDIT_UPDATE, fwdCnt: 1 }])
    send({ op: RW, flags: EOM }, message(1))
    expect(socket.read()?.bytes.length).toBe(100)
  })
})

describe('limits of a message', () => {
  const size = (text: string) =>
    expect.objectContaining({ code: 'VSOCK_MESSAGE_SIZE', message: expect.stringContaining(text) })

  it("of the peer's receive buffer, of our send buffer, and at least one byte", async () => {
    const { guest, send, socket } = called({ sendBufferBytes: 1000 })
    expect(socket.maxMessageBytes).toBe(1000)
    expect(() => socket.write(message(1001))).toThrow(size('1 to 1000 bytes, not 1001'))
    expect(() => socket.write(message(0))).toThrow(size('not 0'))
    send({ op: CREDIT_UPDATE, bufAlloc: 70 })
    await expect(socket.send(message(71))).rejects.toThrow(size('1 to 70 bytes, not 71'))
    send({ op: CREDIT_UPDATE, bufAlloc: 0 })
    expect([socket.write(message(1)), socket.maxMessageBytes]).toEqual([false, 0])
    const waiting = socket.send(message(70))
    send({ op: CREDIT_UPDATE, bufAlloc: 70 })
    await waiting
    guest.settle()
    expect(guest.received.at(-1)).toMatchObject({ op: RW, len: 70, flags: EOM })
  })

  it('while the peer has not accepted nobody knows them: write says no, send waits', async () => {
    const { host, guest } = pair({ bufAlloc: 50 })
    host.listenSeqpacket(8, () => {})
    const silent = new RawGuest({ features: ['seqpacket'], rxBuffers: 0 })
    const waiting = silent.host.connectSeqpacket(9)
    expect([waiting.write(message(1)), waiting.maxMessageBytes]).toEqual([false, 0])
    await expect(guest.connectSeqpacket(HOST, 8).send(message(51))).rejects.toThrow(size('1 to 50'))
    const gone = guest.connectSeqpacket(HOST, 9).send(message(1))
    await expect(gone).rejects.toThrow(expect.objectContaining({ code: 'VSOCK_CLOSED' }))
  })

  it('a full send buffer takes a message later, all of it; an abort leaves it unsent', async () => {
    const { guest, send, socket } = called({ sendBufferBytes: 100 })
    send({ op: CREDIT_UPDATE, bufAlloc: 100 })
    expect([socket.write(message(100)), socket.write(message(90)), socket.write(message(20))]).toEqual([
      true,
      true,
      false,
    ])
    await expect(socket.send(message(20), { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
    const controller = new AbortController()
    const waiting = socket.send(message(20), { signal: controller.signal })
    controller.abort(new Error('later'))
    await expect(waiting).rejects.toThrow('later')
    const sending = socket.send(message(30))
    guest.refill(8)
    send({ op: CREDIT_UPDATE, bufAlloc: 100, fwdCnt: 100 })
    await sending
    send({ op: CREDIT_UPDATE, bufAlloc: 100, fwdCnt: 190 })
    guest.settle()
    const packets = guest.received.filter(({ op }) => op === RW).map(({ len, flags }) => [len, flags])
    expect(packets).toEqual([
      [100, EOM],
      [90, EOM],
      [10, 0],
      [20, EOM],
    ])
  })

  it('a message that fills our buffer and does not end is a violation: nobody could ever read it', () => {
    const { guest, send, socket } = called({ bufAlloc: 100 })
    send({ op: RW, flags: EOM }, message(40))
    send({ op: RW }, message(60))
    expect(socket.connection.state).toBe('established')
    expect(socket.read()?.bytes.length).toBe(40)
    send({ op: RW }, message(40))
    expect(guest.ops().at(-1)).toBe(RST)
    expect(socket.connection.closeReason).toBe('violation')
    const other = called({ bufAlloc: 100 })
    other.send({ op: RW }, message(60))
    other.send({ op: RW, flags: EOM }, message(40))
    expect(other.socket.read()?.bytes.length).toBe(100)
  })

  it('empty messages cost no credit, and are bounded all the same', () => {
    const { send, socket } = called({ bufAlloc: 100 })
    for (let i = 0; i < 100; i++) send({ op: RW, flags: EOM })
    expect([socket.readableMessages, socket.connection.state]).toEqual([100, 'established'])
    expect(socket.read()).toEqual({ bytes: new Uint8Array(0), endOfRecord: false })
    send({ op: RW, flags: EOM })
    expect(socket.connection.state).toBe('established')
    send({ op: RW, flags: EOM })
    expect(socket.connection.closeReason).toBe('violation')
    expect(socket.readableMessages).toBe(100)
  })

  it('of empty messages 1024 may wait, however large the receive buffer is', () => {
    const { send, socket } = called({ bufAlloc: 2 ** 32 - 1 })
    for (let i = 0; i < 1024; i++) {
      send({ op: RW, flags: EOM })
      // Messages with bytes are bounded by credit.
      if (i % 100 === 0) send({ op: RW, flags: EOM }, message(1))
    }
    expect(socket.connection.state).toBe('established')
    expect([socket.read()?.bytes.length, socket.read()?.bytes.length]).toEqual([0, 1])
    send({ op: RW, flags: EOM })
    expect(socket.connection.state).toBe('established')
    send({ op: RW, flags: EOM })
    expect(socket.connection.closeReason).toBe('violation')
    for (let i = 0; i < 1024 + 11 - 1; i++) expect(socket.read()).not.toBeNull()
    expect(socket.read()).toBeNull()
  })

  it('a shutdown in the middle of a message tears it: what is whole can be read, then it rejects', async () => {
    for (const flags of [2, 3]) {
      const { guest, send, socket } = called()
      send({ op: RW, flags: EOM }, message(5))
      send({ op: RW }, message(5))
      send({ op: SHUTDOWN, flags })
      expect(guest.ops().at(-1)).toBe(RST)
      expect((await socket.receive())?.bytes.length).toBe(5)
      await expect(socket.receive()).rejects.toThrow('violation')
    }
    // That the peer receives no more says nothing of what it sends.
    const { send, socket } = called()
    send({ op: RW }, message(5))
    send({ op: SHUTDOWN, flags: 1 })
    send({ op: RW, flags: EOM }, message(5))
    expect((await socket.receive())?.bytes.length).toBe(10)
  })

  it('both ended: closed when the last message is read, also an empty one', () => {
    const { guest, send, socket } = called()
    send({ op: RW, flags: EOM })
    send({ op: SHUTDOWN, flags: 2 })
    socket.end()
    expect(guest.ops()).toEqual([RESPONSE, SHUTDOWN])
    expect([socket.ended, socket.connection.state]).toEqual([false, 'established'])
    socket.read()
    guest.settle()
    expect(socket.ended).toBe(true)
    expect(guest.received).toMatchObject([{ op: SHUTDOWN, flags: 3 }])
    send({ op: RST })
    expect(socket.connection.closeReason).toBe('shutdown')
  })

  it('what arrives after we stopped listening is dropped, and costs the peer no credit', () => {
    const { guest, send, socket } = called({ bufAlloc: 100 })
    send({ op: RW }, message(30))
    socket.close()
    for (let i = 0; i < 10; i++) send({ op: RW, flags: i % 2 }, message(60))
    expect([socket.connection.unread, socket.readableMessages, socket.connection.state]).toEqual([30, 0, 'established'])
    send({ op: RST })
    expect([socket.connection.closeReason, guest.host.endpoint.connectionCount]).toEqual(['shutdown', 0])
  })
})

describe('the state machine', () => {
  it('VSK-DRV-06, VSK-DEV-06, IMP-VSK-02: packets are of its type, and only RW has flags of messages', () => {
    const out = new VsockHeader()
    const request = Object.assign(new VsockHeader(), { op: REQUEST, bufAlloc: 1000 })
    const connection = new VsockConnection(1, 3, 2, 500, request, SEQPACKET)
    const seen: unknown[] = []
    const step = (queued: number, room: number) => {
      if (connection.transmit(queued, room, out, EOM | EOR))
        seen.push([out.op, out.type, out.flags, out.len, out.bufAlloc])
    }
    step(10, 100)
    step(10, 6)
    step(4, 100)
    connection.receive(Object.assign(new VsockHeader(), { op: CREDIT_REQUEST, bufAlloc: 1000 }))
    step(1, 100)
    connection.reset()
    step(1, 100)
    expect(seen).toEqual([
      [RESPONSE, SEQPACKET, 0, 0, 500],
      [RW, SEQPACKET, 0, 6, 500],
      [RW, SEQPACKET, EOM | EOR, 4, 500],
      [CREDIT_UPDATE, SEQPACKET, 0, 0, 500],
      [RST, SEQPACKET, 0, 0, 500],
    ])
  })
})
