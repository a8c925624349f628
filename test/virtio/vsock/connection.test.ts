import fc from 'fast-check'
import { SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SHUTDOWN_SEND, VsockConnection, VsockHeader } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'

const COUNTERS = ['txCnt', 'peerFwdCnt', 'rxCnt', 'fwdCnt'] as const
const [REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST] = [1, 2, 3, 4, 5, 6, 7]

function packet(op: number, fields: Partial<VsockHeader> = {}): VsockHeader {
  return Object.assign(new VsockHeader(), { op, bufAlloc: 1000, fwdCnt: 0 }, fields)
}

function next(connection: VsockConnection, queued = 0, room = 4096): VsockHeader | null {
  const out = new VsockHeader()
  return connection.transmit(queued, room, out) ? out : null
}

function established(bufAlloc = 1000): VsockConnection {
  const connection = new VsockConnection(10, 3, 20, bufAlloc, packet(REQUEST))
  expect(next(connection)?.op).toBe(RESPONSE)
  return connection
}

describe('life of a connection', () => {
  it('a caller sends REQUEST and is open with RESPONSE', () => {
    const connection = new VsockConnection(10, 3, 20, 500, null)
    expect(next(connection, 100)).toMatchObject({ op: REQUEST, srcPort: 10, dstPort: 20, bufAlloc: 500, fwdCnt: 0 })
    expect(next(connection, 100)).toBeNull()
    expect(connection.receive(packet(RESPONSE))).toBe('connected')
    expect(next(connection, 100)).toMatchObject({ op: RW, len: 100 })
  })

  it('IMP-VSK-03: RST to a REQUEST means refused', () => {
    const connection = new VsockConnection(10, 3, 20, 500, null)
    next(connection)
    expect(connection.receive(packet(RST))).toBe('closed')
    expect(connection.closeReason).toBe('refused')
    expect(next(connection)).toBeNull()
  })

  it('IMP-VSK-03: SHUTDOWN bits add up and stay, both are answered with RST', () => {
    const connection = established()
    expect(connection.receive(packet(SHUTDOWN, { flags: SHUTDOWN_RECEIVE }))).toBe('shutdown')
    expect(connection.canSend).toBe(false)
    expect(connection.canReceive).toBe(true)
    expect(next(connection, 50)).toBeNull()
    expect(connection.receive(packet(RW, { len: 5 }))).toBe('data')
    expect(connection.receive(packet(SHUTDOWN, { flags: SHUTDOWN_SEND }))).toBe('closed')
    expect(connection.closeReason).toBe('shutdown')
    expect(next(connection)?.op).toBe(RST)
    expect(next(connection)).toBeNull()
  })

  it("our shutdown follows what is queued, and ends with the peer's RST", () => {
    const connection = established()
    connection.shutdown(SHUTDOWN_BOTH)
    expect(next(connection, 10, 6)).toMatchObject({ op: RW, len: 6 })
    expect(next(connection, 4, 6)).toMatchObject({ op: RW, len: 4 })
    expect(next(connection, 0)).toMatchObject({ op: SHUTDOWN, flags: SHUTDOWN_BOTH })
    expect(next(connection, 0)).toBeNull()
    expect(connection.receive(packet(RW, { len: 7, fwdCnt: 10 }))).toBe('nothing')
    expect(connection.unread).toBe(0)
    expect(connection.receive(packet(RST, { fwdCnt: 10 }))).toBe('closed')
    expect(connection.closeReason).toBe('shutdown')
  })

  it('that we stop receiving does not wait for credit', () => {
    const connection = established()
    connection.receive(packet(CREDIT_UPDATE, { bufAlloc: 0 }))
    connection.shutdown(SHUTDOWN_RECEIVE)
    expect(next(connection, 10)).toMatchObject({ op: SHUTDOWN, flags: SHUTDOWN_RECEIVE })
  })

  it('what breaks the protocol is answered with RST', () => {
    const open: [string, Partial<VsockHeader> & { op: number }][] = [
      ['REQUEST again', { op: REQUEST }],
      ['RESPONSE again', { op: RESPONSE }],
      ['INVALID', { op: 0 }],
      ['unknown operation', { op: 8 }],
      ['data beyond our credit', { op: RW, len: 1001 }],
      ['acknowledges what was never sent', { op: CREDIT_UPDATE, fwdCnt: 1 }],
      ['acknowledges backwards', { op: CREDIT_UPDATE, fwdCnt: 0xffff_ffff }],
    ]
    for (const [name, fields] of open) {
      const connection = established()
      expect([name, connection.receive(packet(fields.op, fields))]).toEqual([name, 'closed'])
      expect([name, connection.closeReason, next(connection)?.op]).toEqual([name, 'violation', RST])
    }
    for (const op of [REQUEST, SHUTDOWN, RW]) {
      const calling = new VsockConnection(10, 3, 20, 500, null)
      next(calling)
      expect([op, calling.receive(packet(op))]).toEqual([op, 'closed'])
      expect(next(calling)?.op).toBe(RST)
    }
    const silent = established()
    silent.receive(packet(SHUTDOWN, { flags: SHUTDOWN_SEND }))
    expect(silent.receive(packet(RW, { len: 1 }))).toBe('closed')
    expect(next(silent)?.op).toBe(RST)
  })

  it('a closed connection ignores packets: no RST answers a RST', () => {
    const connection = established()
    connection.receive(packet(RST))
    expect(connection.closeReason).toBe('reset')
    for (let op = 0; op < 10; op++) expect(connection.receive(packet(op))).toBe('nothing')
    expect(next(connection)).toBeNull()
  })
})

describe('credit', () => {
  it('a CREDIT_REQUEST is answered with CREDIT_UPDATE, even when data goes', () => {
    const connection = established()
    connection.receive(packet(CREDIT_REQUEST))
    expect(next(connection, 10)).toMatchObject({ op: CREDIT_UPDATE, bufAlloc: 1000 })
    expect(next(connection, 10)?.op).toBe(RW)
  })

  it('without credit asks once, and goes on with the answer', () => {
    const connection = established()
    expect(next(connection, 2000)).toMatchObject({ op: RW, len: 1000 })
    expect(next(connection, 1000)?.op).toBe(CREDIT_REQUEST)
    expect(next(connection, 1000)).toBeNull()
    connection.receive(packet(CREDIT_UPDATE, { fwdCnt: 0 }))
    expect(next(connection, 1000)).toBeNull()
    connection.receive(packet(CREDIT_UPDATE, { fwdCnt: 400 }))
    expect(next(connection, 1000)).toMatchObject({ op: RW, len: 400 })
    expect(next(connection, 600)?.op).toBe(CREDIT_REQUEST)
  })

  it('asks for more than there is, once until the answer', () => {
    const connection = established()
    next(connection, 900)
    connection.askForCredit()
    expect(next(connection)?.op).toBe(CREDIT_REQUEST)
    connection.askForCredit()
    expect(next(connection)).toBeNull()
    connection.receive(packet(CREDIT_UPDATE, { fwdCnt: 300 }))
    expect(connection.credit).toBe(400)
    connection.askForCredit()
    expect(next(connection)?.op).toBe(CREDIT_REQUEST)
  })

  it('tells of half a buffer that became free, and not of less', () => {
    const connection = established(1000)
    connection.receive(packet(RW, { len: 1000 }))
    connection.forward(499)
    expect(next(connection)).toBeNull()
    connection.forward(1)
    expect(next(connection)).toMatchObject({ op: CREDIT_UPDATE, fwdCnt: 500 })
    expect(next(connection)).toBeNull()
  })

  it('a peer that shrinks its buffer below what is under way has no credit to give', () => {
    const connection = established()
    next(connection, 900)
    connection.receive(packet(CREDIT_UPDATE, { bufAlloc: 100 }))
    expect(connection.credit).toBe(0)
  })

  /** Two connections, a lossless wire each way, applications that read and write at random. */
  const action = fc.record({
    who: fc.boolean(),
    what: fc.constantFrom('write', 'read', 'send', 'deliver'),
    amount: fc.nat(300),
  })

  it('VSK-DRV-05, VSK-DEV-05, IMP-VSK-01: never more under way than the peer has room for, over the wrap of u32', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 200 }),
        fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 400 })),
        fc.constantFrom(0, 0xffff_ffff, 0xffff_ff00, 0x7fff_ffff),
        (actions, buffers, start) => {
          const caller = new VsockConnection(1, 3, 2, buffers[0], null)
          const sides = [caller, new VsockConnection(2, 4, 1, buffers[1], next(caller)!)]
          caller.receive(next(sides[1]!)!)
          // A long life later the counters of both sides are about to wrap.
          for (const side of sides) for (const key of COUNTERS) side[key] = start
          const wires: VsockHeader[][] = [[], []]
          const queued = [0, 0]
          const sent = [0, 0]
          const received = [0, 0]
          const send = (i: number, room: number) => {
            const header = new VsockHeader()
            if (!sides[i]!.transmit(queued[i]!, room, header)) return false
            queued[i]! -= header.len
            sent[i]! += header.len
            wires[i]!.push(header)
            return true
          }
          const deliver = (i: number) => {
            const header = wires[i]!.shift()
            if (header === undefined) return false
            expect(sides[1 - i]!.receive(header)).not.toBe('closed')
            received[i]! += header.len
            expect(sides[1 - i]!.unread).toBeLessThanOrEqual(buffers[1 - i]!)
            return true
          }
          for (const { who, what, amount } of actions) {
            const i = who ? 1 : 0
            const side = sides[i]!
            if (what === 'write') queued[i]! += amount
            else if (what === 'read') side.forward(Math.min(amount, side.unread))
            else if (what === 'send') send(i, amount)
            else deliver(i)
            // Bytes on the wire or unread, by the test's own books.
            const underWay = wires[i]!.reduce((sum, header) => sum + header.len, 0) + sides[1 - i]!.unread
            expect(underWay).toBeLessThanOrEqual(buffers[1 - i]!)
          }
          // Everything arrives once both applications read on: no credit is ever lost.
          for (let progress = true; progress; ) {
            progress = false
            for (const i of [0, 1]) {
              while (send(i, 64)) progress = true
              while (deliver(i)) progress = true
              sides[1 - i]!.forward(sides[1 - i]!.unread)
            }
          }
          expect(queued).toEqual([0, 0])
          expect(received).toEqual(sent)
          expect(sides.map(({ state }) => state)).toEqual(['established', 'established'])
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('VSK-DRV-06, VSK-DEV-06: every packet of a stream carries the present buf_alloc and fwd_cnt', () => {
    const connection = established(1000)
    connection.receive(packet(RW, { len: 30 }))
    connection.forward(30)
    expect(next(connection, 5)).toMatchObject({ op: RW, bufAlloc: 1000, fwdCnt: 30 })
    connection.shutdown(SHUTDOWN_SEND)
    expect(next(connection)).toMatchObject({ op: SHUTDOWN, bufAlloc: 1000, fwdCnt: 30 })
    connection.reset()
    expect(next(connection)).toMatchObject({ op: RST, bufAlloc: 1000, fwdCnt: 30 })
  })
})
