/**
 * Stream and seqpacket connections together, over small rings and late interrupts, against a model that knows what was written:
 * at every step what was read is the front of it, and when all is quiet it is all of it. What begins ends, on both sides.
 */
import fc from 'fast-check'
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { VsockDevice, VsockDriver, VsockSeqpacketSocket, VsockSocket, type VsockSocketBase } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'

type Type = 'stream' | 'seqpacket'

/** One direction of a connection: what was written and read, and of messages where they end. */
interface Direction {
  written: number[]
  read: number[]
  messagesWritten: string[]
  messagesRead: string[]
}

interface Connection {
  readonly type: Type
  readonly fromHost: boolean
  /** [caller, called]; the second when it was accepted. */
  readonly sockets: [VsockSocketBase, VsockSocketBase | null]
  readonly directions: readonly [Direction, Direction]
  readonly ended: [boolean, boolean]
  /** Somebody closed or reset it: what is under way may be lost. */
  cut: boolean
}

const action = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('connect' as const), fromHost: fc.boolean(), stream: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('write' as const),
      which: fc.nat(3),
      side: fc.constantFrom(0 as const, 1 as const),
      bytes: fc.integer({ min: 1, max: 300 }),
      endOfRecord: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('read' as const),
      which: fc.nat(3),
      side: fc.constantFrom(0 as const, 1 as const),
      bytes: fc.integer({ min: 1, max: 300 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('end' as const, 'end' as const, 'close' as const, 'reset' as const),
      which: fc.nat(3),
      side: fc.constantFrom(0 as const, 1 as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('settle' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('transportReset' as const), cid: fc.integer({ min: 3, max: 5 }) }),
  },
)
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

class World {
  readonly host: VsockDevice
  readonly guest: VsockDriver
  readonly violations: string[] = []
  readonly connections: Connection[] = []
  #interrupted = false
  #resetUnseen = false
  #next = 0
  readonly #transport

  constructor(queueSize: number, bufAlloc: number, rxBufferBytes: number) {
    const options = { queueSize, bufAlloc, sendBufferBytes: 400 }
    this.host = new VsockDevice({ guestCid: 3, ...options })
    this.host.device.events.on('violation', ({ message }) => this.violations.push(message))
    this.#transport = new SharedMemoryTransport(this.host, {
      memory: GuestMemory.ofSize(2 ** 17),
      interrupt: () => {
        this.#interrupted = true
      },
    })
    this.guest = new VsockDriver(this.#transport, { ...options, rxBufferBytes, maxPayloadBytes: 100 })
    for (const side of [this.host, this.guest]) {
      side.listen(7, (socket) => this.#accepted(socket, side === this.guest))
      side.listenSeqpacket(8, (socket) => this.#accepted(socket, side === this.guest))
    }
    this.settle()
  }

  #accepted(socket: VsockSocketBase, byGuest: boolean): void {
    const found = this.connections.find(({ fromHost, sockets: [caller, called] }) => {
      const [ours, theirs] = [caller.connection, socket.connection]
      const same = fromHost === byGuest && ours.localPort === theirs.peerPort && ours.peerPort === theirs.localPort
      return called === null && same && ours.state !== 'closed' && ours.type === theirs.type
    })
    // Its caller was reset while the REQUEST was under way: the RST is behind it.
    if (found !== undefined) found.sockets[1] = socket
  }

  run(step: Action): void {
    if (step.what === 'settle') this.settle()
    else if (step.what === 'connect') this.#connect(step.fromHost, step.stream ? 'stream' : 'seqpacket')
    else if (step.what === 'transportReset') {
      for (const connection of this.connections) connection.cut = true
      this.#resetUnseen = true
      this.host.transportReset(step.cid)
    } else this.#use(step)
  }

  #use(step: Exclude<Action, { what: 'settle' | 'connect' | 'transportReset' }>): void {
    const connection = this.connections.at(-1 - step.which)
    const socket = connection?.sockets[step.side]
    if (connection === undefined || socket == null) return
    if (step.what === 'write') this.#write(connection, step.side, step.bytes, step.endOfRecord)
    else if (step.what === 'read') this.read(connection, step.side, step.bytes)
    else if (step.what === 'end') {
      socket.end()
      connection.ended[step.side] = true
    } else {
      connection.cut = true
      if (step.what === 'close') socket.close()
      else socket.reset()
    }
  }

  #connect(fromHost: boolean, type: Type): void {
    if (this.connections.length >= 6) return
    const port = type === 'stream' ? 7 : 8
    const socket = fromHost
      ? type === 'stream'
        ? this.host.connect(port)
        : this.host.connectSeqpacket(port)
      : type === 'stream'
        ? this.guest.connect(2, port)
        : this.guest.connectSeqpacket(2, port)
    const direction = (): Direction => ({ written: [], read: [], messagesWritten: [], messagesRead: [] })
    this.connections.push({
      type,
      fromHost,
      sockets: [socket, null],
      directions: [direction(), direction()],
      ended: [false, false],
      // What the guest begins before it has seen a reset ends with it.
      cut: this.#resetUnseen && !fromHost,
    })
    // A guest's REQUEST may have been accepted before the connection was in the list.
    for (const side of [this.host, this.guest]) {
      for (const one of side.endpoint.sockets) {
        if (!this.connections.some(({ sockets }) => sockets.includes(one))) this.#accepted(one, side === this.guest)
      }
    }
  }

  #write(connection: Connection, side: 0 | 1, length: number, endOfRecord: boolean): void {
    const socket = connection.sockets[side]!
    const direction = connection.directions[side]
    // Before the peer has accepted the longest message has no bytes.
    const most = socket instanceof VsockSeqpacketSocket ? socket.maxMessageBytes : length
    const bytes = Uint8Array.from({ length: Math.min(length, most) }, () => this.#next++ % 251)
    if (socket instanceof VsockSocket) {
      const taken = socket.write(bytes)
      direction.written.push(...bytes.subarray(0, taken))
    } else if (socket instanceof VsockSeqpacketSocket && most > 0) {
      if (socket.write(bytes, { endOfRecord })) direction.messagesWritten.push(`${endOfRecord} ${bytes}`)
    }
  }

  /** Reads on one side what the other wrote; true when there was something. */
  read(connection: Connection, side: 0 | 1, bytes: number): boolean {
    const socket = connection.sockets[side]
    const direction = connection.directions[side === 0 ? 1 : 0]
    if (socket instanceof VsockSocket) {
      const target = new Uint8Array(bytes)
      const count = socket.read(target)
      const start = direction.read.length
      direction.read.push(...target.subarray(0, count))
      if (count > 0) expect(direction.read.slice(start)).toEqual(direction.written.slice(start, start + count))
      return count > 0
    }
    if (!(socket instanceof VsockSeqpacketSocket)) return false
    const message = socket.read()
    if (message === null) return false
    direction.messagesRead.push(`${message.endOfRecord} ${message.bytes}`)
    expect(direction.messagesRead.at(-1)).toBe(direction.messagesWritten[direction.messagesRead.length - 1])
    return true
  }

  settle(): void {
    for (let turn = 0; this.#interrupted; turn++) {
      if (turn > 10_000) throw new Error('no end of interrupts')
      this.#interrupted = false
      this.#transport.takeInterrupt()
      while (this.host.device.poll()) {}
    }
    this.#resetUnseen = false
  }

  check(): void {
    for (const { sockets } of this.connections) {
      for (const socket of sockets) {
        if (socket === null) continue
        const { closeReason, unread, bufAlloc } = socket.connection
        if (closeReason === 'violation' || unread > bufAlloc) throw new Error(`${closeReason}, ${unread} unread`)
      }
    }
    if (this.violations.length > 0) throw new Error(this.violations[0])
  }

  endEverySecond(): void {
    for (const connection of this.connections.filter((_, index) => index % 2 === 0)) {
      for (const side of [0, 1] as const) {
        connection.sockets[side]?.end()
        connection.ended[side] = true
      }
    }
  }

  /** Everybody reads until nothing moves any more. */
  drain(): void {
    for (let progress = true; progress; ) {
      this.settle()
      progress = false
      for (const connection of this.connections) {
        for (const side of [0, 1] as const) while (this.read(connection, side, 100)) progress = true
      }
    }
    this.settle()
  }
}

describe('streams and messages', () => {
  const RUNS = Number(process.env.VSOCK_MODEL_RUNS ?? 100)

  it('keep what was written, in order and whole, whatever is interleaved; what ends is over on both sides', () => {
    let [whole, records, ended] = [0, 0, 0]
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 8),
        fc.integer({ min: 50, max: 300 }),
        fc.constantFrom(45, 60, 200, 1000),
        fc.array(action, { maxLength: 80, size: 'max' }),
        (queueSize, bufAlloc, rxBufferBytes, steps) => {
          const world = new World(queueSize, bufAlloc, rxBufferBytes)
          for (const stream of [false, true]) world.run({ what: 'connect', fromHost: true, stream })
          for (const step of steps) {
            world.run(step)
            world.check()
          }
          world.drain()
          world.endEverySecond()
          world.drain()
          world.check()
          for (const { directions, cut, ended: over, sockets } of world.connections) {
            if (cut) continue
            for (const { written, read, messagesWritten, messagesRead } of directions) {
              expect(read.length).toBe(written.length)
              expect(messagesRead.length).toBe(messagesWritten.length)
              whole += read.length
              records += messagesRead.filter((one) => one.startsWith('true')).length
            }
            const states = sockets.map((socket) => socket?.connection.state)
            expect(states).toEqual(over[0] && over[1] ? ['closed', 'closed'] : ['established', 'established'])
            if (over[0] && over[1]) ended++
          }
          // No side has what the other has not.
          const open = world.connections.filter(({ sockets }) => sockets[0].connection.state === 'established').length
          expect([world.host.endpoint.connectionCount, world.guest.endpoint.connectionCount]).toEqual([open, open])
        },
      ),
      { numRuns: RUNS },
    )
    if (RUNS >= 100) expect(Math.min(whole, records, ended), `${[whole, records, ended]}`).toBeGreaterThan(10)
  })
})
