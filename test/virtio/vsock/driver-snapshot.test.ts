/**
 * A guest's vsock driver in a snapshot: saved after every step of a seeded run and restored through JSON before the device, which went
 * on meanwhile, the run ends as the one that was never interrupted. With its device restored too, connections end and new ones work.
 */
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type DeviceState,
  type VsockContract,
  VsockDevice,
  VsockDriver,
  type VsockDriverState,
  VsockSeqpacketSocket,
  VsockSocket,
} from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/internal/random.ts'

const BASE = 0x4000_0000
const BYTES = 2 ** 17
const OPTIONS = { queueSize: 4, bufAlloc: 300, sendBufferBytes: 500 }
interface Snapshot {
  readonly device: DeviceState
  readonly driver: VsockDriverState
  readonly interrupted: boolean
}

const json = <T>(value: T) => JSON.parse(JSON.stringify(value)) as T

/** Sends back what comes, streams and messages, as fast as credit allows. */
function echoes(host: VsockDevice): void {
  host.listen(7, (socket) => {
    const pump = () => {
      const chunk = new Uint8Array(Math.min(socket.writableBytes, socket.readableBytes))
      socket.write(chunk.subarray(0, socket.read(chunk)))
      if (socket.ended) socket.end()
    }
    socket.events.on('readable', pump)
    socket.events.on('writable', pump)
  })
  host.listenSeqpacket(8, (socket) => {
    socket.events.on('readable', () => {
      for (let message = socket.read(); message !== null; message = socket.read()) socket.write(message.bytes, message)
      if (socket.ended) socket.end()
    })
  })
}

class World {
  readonly log: string[] = []
  readonly host = new VsockDevice({ guestCid: 3, ...OPTIONS })
  readonly #transport: SharedMemoryTransport<VsockContract>
  #guest: VsockDriver
  #interrupted = false
  #next = 0

  constructor() {
    echoes(this.host)
    this.#transport = new SharedMemoryTransport(this.host, {
      memory: GuestMemory.ofSize(BYTES, BASE),
      interrupt: () => {
        this.#interrupted = true
      },
    })
    this.#guest = new VsockDriver(this.#transport, { ...OPTIONS, rxBufferBytes: 100, maxPayloadBytes: 60 })
    this.#listen()
  }

  #listen(): void {
    this.#guest.listen(20, (socket) => this.log.push(`called from ${socket.connection.peerPort}`))
  }

  restore(): void {
    const state = json(this.#guest.saveState())
    const old = this.#guest
    this.#guest = VsockDriver.restore(this.#transport, state, OPTIONS)
    expect(old.driver.error?.code).toBe('DRIVER_REPLACED')
    expect(old.endpoint.connectionCount).toBe(0)
    this.#listen()
  }

  /** Without an interrupt, as after a restore. */
  poll(): void {
    this.#guest.poll()
  }

  step(action: number, value: number): void {
    const sockets = this.#sockets
    const socket = sockets[value % Math.max(1, sockets.length)]
    if (action === 0 && sockets.length < 5) {
      if (value % 2 === 0) this.#guest.connect(2, 7)
      else this.#guest.connectSeqpacket(2, 8)
    } else if (action === 1) this.#interrupt()
    else if (action === 2 && value % 5 === 0) socket?.end()
    else if (action === 3 && value % 7 === 0 && this.host.endpoint.connectionCount < 8)
      this.host.connect(20).write(this.#bytes(50))
    else if (action <= 6) this.#write(socket, value)
    else this.#read(socket, value)
  }

  get #sockets() {
    const { sockets } = this.#guest.endpoint
    return [...sockets].sort((a, b) => a.connection.localPort - b.connection.localPort)
  }

  #bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next++ % 251)
  }

  #write(socket: VsockSocket | VsockSeqpacketSocket | undefined, value: number): void {
    if (socket instanceof VsockSocket) this.log.push(`wrote ${socket.write(this.#bytes(value))}`)
    else if (socket instanceof VsockSeqpacketSocket && socket.maxMessageBytes > 0) {
      const length = 1 + (value % socket.maxMessageBytes)
      this.log.push(`sent ${length} ${socket.write(this.#bytes(length), { endOfRecord: value % 3 === 0 })}`)
    }
  }

  #read(socket: VsockSocket | VsockSeqpacketSocket | undefined, most: number): boolean {
    if (socket instanceof VsockSocket) {
      const target = new Uint8Array(1 + most)
      const count = socket.read(target)
      if (count > 0) this.log.push(`${socket.connection.localPort} read ${target.subarray(0, count)}`)
      return count > 0
    }
    const message = socket?.read() ?? null
    if (message !== null) this.log.push(`${socket!.connection.localPort} got ${message.endOfRecord} ${message.bytes}`)
    return message !== null
  }

  #interrupt(): boolean {
    const was = this.#interrupted
    this.#interrupted = false
    if (was) this.#transport.takeInterrupt()
    return was
  }

  finish(): void {
    for (let progress = true; progress; ) {
      progress = this.#interrupt()
      for (const socket of this.#sockets) while (this.#read(socket, 100)) progress = true
    }
    for (const { connection } of this.#sockets) {
      const { localPort, state, txCnt, rxCnt, fwdCnt } = connection
      this.log.push(`${localPort} ${state} ${txCnt} ${rxCnt} ${fwdCnt}`)
    }
    const { rx, tx, event } = this.#guest.driver
    this.log.push(`${[rx, tx, event].map(({ ring }) => ring.freeDescriptors)} ${this.host.endpoint.connectionCount}`)
  }

  close(): void {
    this.#guest.close()
    this.#guest.close()
  }

  get allocated(): unknown {
    return this.#transport.saveState()
  }
}

function run(seed: number, restores: boolean): string[] {
  const random = new Random(seed)
  const world = new World()
  for (let i = 0; i < 120; i++) {
    world.step(random.between(0, 9), random.between(0, 400))
    if (restores) world.restore()
    world.poll()
  }
  world.finish()
  world.close()
  return world.log
}

describe('a driver saved and restored after every step', () => {
  it.each([1, 2, 3, 4, 5, 6])('ends as if nothing had happened, its connections with it: seed %i', (seed) => {
    const expected = run(seed, false)
    expect(run(seed, true)).toEqual(expected)
    expect(expected.filter((line) => line.includes(' read ') || line.includes(' got ')).length).toBeGreaterThan(5)
  })

  it('gives all its memory back when it is closed, once', () => {
    const world = new World()
    const before = new World().allocated
    world.restore()
    world.close()
    const again = new World()
    again.close()
    expect(world.allocated).toEqual(again.allocated)
    expect(world.allocated).not.toEqual(before)
  })
})

describe('a driver and its device, saved and restored together', () => {
  it('the guest is told of the transport reset, and both connect again', () => {
    let interrupted = false
    const interrupt = () => {
      interrupted = true
    }
    let host = new VsockDevice({ guestCid: 3, ...OPTIONS })
    let transport = new SharedMemoryTransport(host, { memory: GuestMemory.ofSize(BYTES, BASE), interrupt })
    let guest = new VsockDriver(transport, { ...OPTIONS, rxBufferBytes: 100 })
    for (let round = 0; round < 10; round++) {
      const bytes = new Uint8Array(BYTES)
      transport.memory.read(BASE, bytes)
      const snapshot: Snapshot = json({ device: host.registers.saveState(), driver: guest.saveState(), interrupted })
      const memory = GuestMemory.ofSize(BYTES, BASE)
      memory.write(BASE, bytes)
      host = new VsockDevice({ guestCid: 3, ...OPTIONS })
      echoes(host)
      transport = new SharedMemoryTransport(host, { memory, interrupt })
      interrupted = snapshot.interrupted
      host.registers.restoreState(snapshot.device)
      guest = VsockDriver.restore(transport, snapshot.driver, OPTIONS)
      const accepted: VsockSocket[] = []
      guest.listen(20, (socket) => accepted.push(socket))
      guest.poll()
      const called = host.connect(20)
      const settle = () => {
        for (; interrupted; transport.takeInterrupt()) interrupted = false
      }
      settle()
      const socket = guest.connectSeqpacket(2, 8)
      settle()
      expect([round, called.connection.state, accepted.length]).toEqual([round, 'established', 1])
      expect(socket.connection.state).toBe('established')
      socket.write(Uint8Array.of(1, 2, 3))
      if (round % 2 === 0) called.write(new Uint8Array(200))
    }
  })
})

describe('what is no state of such a driver', () => {
  const saved = (): { transport: SharedMemoryTransport<VsockContract>; guest: VsockDriver; state: Mutable } => {
    const host = new VsockDevice({ guestCid: 3, ...OPTIONS })
    echoes(host)
    const transport = new SharedMemoryTransport(host, { memory: GuestMemory.ofSize(BYTES, BASE) })
    const guest = new VsockDriver(transport, { ...OPTIONS })
    guest.connect(2, 7).write(new Uint8Array(700))
    guest.connectSeqpacket(2, 8)
    return { transport, guest, state: json(guest.saveState()) as unknown as Mutable }
  }

  const cases: [string, (state: Mutable) => void][] = [
    ['version is 1', (state) => Object.assign(state, { version: 1 })],
    [
      'saved vsock endpoint state: its version is undefined',
      ({ endpoint }) => Object.assign(endpoint, { version: undefined }),
    ],
    ['rx must be an object', (state) => Object.assign(state, { rx: null })],
    ['tx must be buffers', ({ tx }) => Object.assign(tx, { count: 0 })],
    ['held must be buffers, each once', ({ rx }) => Object.assign(rx.held[0]!, [0, 7])],
    ['held must be buffers, each once', ({ rx }) => Object.assign(rx.held[0]!, [0, rx.held[1]![1]])],
    ['are not in memory', ({ event }) => Object.assign(event, { base: 0, held: [] })],
    ['are held', ({ rx }) => rx.held.pop()],
    ['is not outstanding like that', ({ rx }) => Object.assign(rx.held[0]!, [rx.held[1]![0], rx.held[0]![1]])],
    ['receive buffers have no room', ({ rx }) => Object.assign(rx, { bytes: 44, held: [] })],
    ['sockets must be an array', ({ endpoint }) => Object.assign(endpoint, { sockets: [3] })],
    ['replies must be RST headers', ({ endpoint }) => Object.assign(endpoint, { replies: [{ op: 1 }] })],
    ['two connections have one address', ({ endpoint }) => endpoint.sockets.push(endpoint.sockets[0]!)],
    ['there are no sockets of type 3', ({ endpoint }) => Object.assign(endpoint.sockets[0]!.connection, { type: 3 })],
    ['bufAlloc must be', ({ endpoint }) => Object.assign(endpoint.sockets[0]!.connection, { bufAlloc: 0 })],
    ['txCnt must be', ({ endpoint }) => Object.assign(endpoint.sockets[0]!.connection, { txCnt: -1 })],
    ['a connection is never open', ({ endpoint }) => Object.assign(endpoint.sockets[0]!.connection, { state: 'open' })],
    [
      'closeReason fits no state',
      ({ endpoint }) => Object.assign(endpoint.sockets[0]!.connection, { closeReason: 'reset' }),
    ],
    ['arrays of bytes', ({ endpoint }) => Object.assign(endpoint.sockets[0]!, { queued: [256] })],
    ['the counters say', ({ endpoint }) => Object.assign(endpoint.sockets[0]!, { received: [1] })],
    [
      'queued bytes, in a buffer of',
      ({ endpoint }) => Object.assign(endpoint.sockets[0]!, { queued: Array(501).fill(1) }),
    ],
    ['a stream has no messages', ({ endpoint }) => Object.assign(stream(endpoint), { queuedMessages: [end] })],
    ['the queued messages are not', ({ endpoint }) => Object.assign(messages(endpoint), { queuedMessages: [end] })],
    ['the received messages are not', ({ endpoint }) => Object.assign(messages(endpoint), { receivedMessages: [end] })],
  ]
  const end = { bytes: 1, endOfRecord: false }
  const stream = ({ sockets }: Mutable['endpoint']) => sockets.find(({ connection }) => connection.type === 1)!
  const messages = ({ sockets }: Mutable['endpoint']) => sockets.find(({ connection }) => connection.type === 2)!

  it.each(cases)('is refused: %s', (text, spoil) => {
    const { transport, state } = saved()
    spoil(state)
    const invalid = expect.objectContaining({ code: 'INVALID_STATE', message: expect.stringContaining(text) })
    expect(() => VsockDriver.restore(transport, state as unknown as VsockDriverState, OPTIONS)).toThrow(invalid)
  })

  it('nor is a driver saved that has stopped', () => {
    const { guest } = saved()
    guest.close()
    expect(() => guest.saveState()).toThrow(expect.objectContaining({ code: 'NOT_RESTORABLE' }))
  })
})

type Loose = { [key: string]: unknown }
interface MutableSlots extends Loose {
  held: [number, number][]
}
interface Mutable extends Loose {
  rx: MutableSlots
  tx: MutableSlots
  event: MutableSlots
  endpoint: { sockets: { connection: Loose & { type: number } }[] } & Loose
}
