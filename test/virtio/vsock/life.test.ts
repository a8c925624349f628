/** How connections begin and end, on both sides, also when something goes wrong beside them. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { VsockDevice, type VsockDeviceOptions, VsockDriver, type VsockSocket } from 'virtio-sdk/virtio'
import { describe, expect, it, vi } from 'vitest'
import { connected, RawGuest, REQUEST, RESPONSE, RST } from './raw-guest.ts'

const HOST = 2
const closed = (text: string) =>
  expect.objectContaining({ code: 'VSOCK_CLOSED', message: expect.stringContaining(text) })

/** Interrupts of the guest are taken in `settle`, or at once. */
function pair(options: Partial<VsockDeviceOptions> & { deferred?: boolean } = {}) {
  let interrupted = false
  const host = new VsockDevice({ guestCid: 3, ...options })
  const interrupt = () => {
    interrupted = true
  }
  const transport = new SharedMemoryTransport(host, options.deferred ? { interrupt } : {})
  const guest = new VsockDriver(transport)
  const settle = () => {
    while (interrupted) {
      interrupted = false
      transport.takeInterrupt()
    }
  }
  return { host, guest, transport, settle }
}

const counts = ({ host, guest }: { host: VsockDevice; guest: VsockDriver }) => [
  host.endpoint.connectionCount,
  guest.endpoint.connectionCount,
]

async function drained(socket: VsockSocket): Promise<number> {
  let bytes = 0
  for await (const part of socket) bytes += part.length
  return bytes
}

describe('an end', () => {
  it('both sides end and read to the end: closed, and there is room for the next thousand', async () => {
    const sides = pair({ maxConnections: 4 })
    const { host, guest } = sides
    host.listen(7, async (socket) => {
      await socket.send(new Uint8Array(3000))
      socket.end()
      await drained(socket)
    })
    for (let session = 0; session < 100; session++) {
      const socket = await guest.connect(HOST, 7).opened()
      await socket.send(new Uint8Array(2000))
      socket.end()
      expect(await drained(socket)).toBe(3000)
      await socket.receive()
      for (let i = 0; i < 10 && counts(sides).some((count) => count > 0); i++) await Promise.resolve()
      expect([session, ...counts(sides)]).toEqual([session, 0, 0])
      expect(socket.connection.closeReason).toBe('shutdown')
    }
  })

  it('what was not read can be read when it is over', async () => {
    const sides = pair()
    const accepted: VsockSocket[] = []
    sides.host.listen(7, (socket) => accepted.push(socket))
    const socket = await sides.guest.connect(HOST, 7).opened()
    await socket.send(new Uint8Array(10))
    socket.end()
    accepted[0]!.end()
    await expect.poll(() => counts(sides)).toEqual([0, 0])
    expect(accepted[0]!.connection.closeReason).toBe('shutdown')
    expect([await drained(accepted[0]!), await drained(socket)]).toEqual([10, 0])
  })

  it('of one side only: the other goes on sending', async () => {
    const { host, guest } = pair()
    const accepted: VsockSocket[] = []
    host.listen(7, (socket) => accepted.push(socket))
    const socket = await guest.connect(HOST, 7).opened()
    socket.end()
    await accepted[0]!.receive()
    for (let i = 0; i < 10; i++) {
      await accepted[0]!.send(new Uint8Array(1000))
      expect((await socket.receive())?.length).toBe(1000)
    }
    expect(socket.connection.state).toBe('established')
  })
})

describe('opened', () => {
  it('an abort gives the connection up, on both sides', async () => {
    const sides = pair()
    const { host, guest } = sides
    const accepted: VsockSocket[] = []
    host.listen(7, (socket) => accepted.push(socket))
    await expect(guest.connect(HOST, 7).opened(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    await expect.poll(() => counts(sides)).toEqual([0, 0])
    expect(accepted.map(({ connection }) => connection.closeReason)).toEqual(['reset'])
    // A guest that never answers.
    const silent = new RawGuest()
    const controller = new AbortController()
    const waiting = silent.host.connect(20).opened(controller.signal)
    controller.abort(new Error('given up'))
    await expect(waiting).rejects.toThrow('given up')
    expect(silent.ops()).toEqual([REQUEST, RST])
    expect(silent.host.endpoint.connectionCount).toBe(0)
  })

  it('an aborted signal rejects a receive and a send too, whatever is there', async () => {
    const guest = connected()
    guest.send({ op: 5, len: 3 })
    const [socket] = guest.accepted
    const aborted = AbortSignal.abort(new Error('no'))
    await expect(socket!.receive(aborted)).rejects.toThrow('no')
    await expect(socket!.send(new Uint8Array(1), aborted)).rejects.toThrow('no')
    expect(socket!.readableBytes).toBe(3)
  })

  it('of a closed driver, or a device that nobody drives, rejects at once', async () => {
    const { host, guest } = pair()
    guest.close()
    await expect(guest.connect(HOST, 7).opened()).rejects.toThrow(
      expect.objectContaining({ code: 'VSOCK_CLOSED', cause: expect.objectContaining({ code: 'DRIVER_CLOSED' }) }),
    )
    await expect(host.connect(7).opened()).rejects.toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ code: 'VSOCK_OFFLINE' }) }),
    )
    const fresh = new VsockDevice({ guestCid: 4 })
    await expect(fresh.connect(7).opened()).rejects.toThrow(closed('reset'))
    expect(fresh.endpoint.connectionCount).toBe(0)
  })

  it('a reconnect in the close handler of a driver that is closed ends there', () => {
    const { host, guest } = pair()
    host.listen(7, () => {})
    const again: VsockSocket[] = []
    guest.connect(HOST, 7).events.on('close', () => again.push(guest.connect(HOST, 7)))
    guest.close()
    expect(again.map(({ connection }) => connection.state)).toEqual(['closed'])
  })

  it('a device that breaks ends the streams of its host', async () => {
    const { host, guest } = pair()
    host.listen(7, () => {})
    guest.listen(20, () => {})
    const socket = await host.connect(20).opened()
    const waiting = socket.receive()
    host.registers.setNeedsReset()
    await expect(waiting).rejects.toThrow(closed('reset'))
    expect(host.endpoint.connectionCount).toBe(0)
  })
})

describe('transport reset', () => {
  it('a connection made before the guest has seen the reset outlives it', async () => {
    const { host, guest, settle } = pair({ deferred: true })
    const accepted: VsockSocket[] = []
    guest.listen(20, (socket) => accepted.push(socket))
    host.connect(20)
    settle()
    expect(accepted.length).toBe(1)
    host.transportReset(3)
    const socket = host.connect(20)
    socket.write(new Uint8Array(100))
    settle()
    expect(accepted.map(({ connection }) => connection.state)).toEqual(['closed', 'established'])
    expect(socket.connection.state).toBe('established')
    expect(accepted[1]!.readableBytes).toBe(100)
  })

  it.each([
    ['with EVENT_IDX', false],
    ['without', true],
  ])('nothing is sent before the guest gives the event buffer back, however many it has: %s', (_, plain) => {
    const guest = connected({ eventBuffers: 6, plain })
    guest.ops()
    guest.host.transportReset(3)
    const socket = guest.host.connect(20)
    guest.settle()
    expect([guest.ops(), guest.events]).toEqual([[], [0]])
    guest.send({ op: REQUEST, srcPort: 5 })
    expect(guest.ops()).toEqual([])
    guest.postEvent()
    guest.settle()
    expect(guest.ops().sort()).toEqual([REQUEST, RESPONSE])
    expect(socket.connection.state).toBe('connecting')
  })

  it('two resets are told once they can be, and both have to be seen', () => {
    const guest = connected({ eventBuffers: 2 })
    guest.ops()
    guest.host.transportReset(4)
    guest.host.transportReset(5)
    guest.settle()
    expect(guest.events).toEqual([0, 0])
    guest.host.connect(20)
    guest.postEvent()
    expect(guest.ops()).toEqual([])
    guest.postEvent()
    expect(guest.ops()).toEqual([REQUEST])
  })

  it('without an event buffer it waits for one', () => {
    const guest = connected({ eventBuffers: 0 })
    guest.ops()
    guest.host.transportReset(3)
    guest.host.connect(20)
    expect(guest.ops()).toEqual([])
    guest.postEvent()
    expect([guest.events, guest.ops()]).toEqual([[0], []])
    guest.postEvent()
    expect(guest.ops()).toEqual([REQUEST])
  })

  it('one that was told to nobody is forgotten with the driver', async () => {
    const guest = new RawGuest({ eventBuffers: 0 })
    guest.host.transportReset(5)
    guest.driver.close()
    const next = new VsockDriver(guest.transport)
    const socket = next.connect(HOST, 7)
    guest.settle()
    await socket.opened()
    expect(next.endpoint.cid).toBe(5)
    expect(socket.connection.state).toBe('established')
  })

  it('before there is a driver only the CID changes', async () => {
    const host = new VsockDevice({ guestCid: 3 })
    host.listen(7, () => {})
    host.transportReset(9)
    const guest = new VsockDriver(new SharedMemoryTransport(host))
    expect(guest.endpoint.cid).toBe(9)
    expect((await guest.connect(HOST, 7).opened()).connection.state).toBe('established')
  })
})

describe('code of the user that throws', () => {
  const boom = new Error('boom')
  const boomed = expect.objectContaining({
    code: 'VSOCK_CLOSED',
    cause: boom,
    message: expect.stringContaining('fault'),
  })
  const fail = () => {
    throw boom
  }

  it.each([
    ['a listener', fail],
    ['an async listener', async () => fail()],
    ['a readable handler', (socket: VsockSocket) => void socket.events.on('readable', fail)],
    [
      'a writable handler',
      (socket: VsockSocket) =>
        void socket.events.on('writable', fail).on('readable', () => socket.write(new Uint8Array(9))),
    ],
  ])(
    'on the host, in %s, ends its own socket, with the cause, and is told once; the device goes on',
    async (_, onConnection) => {
      const guest = new RawGuest()
      const sockets: VsockSocket[] = []
      guest.host.listen(20, (socket) => {
        sockets.push(socket)
        return onConnection(socket)
      })
      guest.send({ op: REQUEST })
      guest.send({ op: REQUEST, dstPort: 20 })
      guest.send({ op: 5, len: 4, dstPort: 20 })
      await expect.poll(() => guest.faults).toEqual([boom])
      await expect(sockets[0]!.receive().then(() => sockets[0]!.receive())).rejects.toThrow(boomed)
      expect(guest.ops()).toContain(RST)
      expect(guest.host.registers.isLive).toBe(true)
      expect(guest.accepted[0]!.connection.state).toBe('established')
      guest.send({ op: REQUEST, dstPort: 20, srcPort: 100 })
      expect(sockets.length).toBe(2)
    },
  )

  it('on the guest it is a fault of the driver, and never of the device', async () => {
    const { host, guest } = pair()
    const faults: unknown[] = []
    guest.driver.events.on('fault', (error) => faults.push(error))
    guest.listen(20, fail)
    const socket = host.connect(20)
    await expect(socket.opened().then(() => socket.receive())).rejects.toThrow(closed('reset'))
    expect(faults).toEqual([boom])
    expect([host.registers.isLive, guest.driver.error]).toEqual([true, null])
    host.listen(7, () => {})
    const other = await guest.connect(HOST, 7).opened()
    other.events.on('close', fail)
    host.transportReset(4)
    await expect.poll(() => faults).toEqual([boom, boom])
    await expect(other.receive()).rejects.toThrow(closed('reset'))
    expect(guest.endpoint.cid).toBe(4)
  })

  it('is printed when nobody listens for faults', () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { host, guest } = pair()
    host.listen(7, fail)
    guest.connect(HOST, 7)
    expect(printed.mock.calls.map((call) => call.at(-1))).toEqual([boom])
    printed.mockRestore()
  })

  it('a listener that ends because its peer reset the connection has no fault: the echo of the example', async () => {
    const guest = new RawGuest()
    const ended: unknown[] = []
    guest.host.listen(20, async (socket) => {
      try {
        for await (const bytes of socket) await socket.send(bytes)
        socket.close()
      } catch (error) {
        ended.push(error)
        throw error
      }
    })
    for (let srcPort = 1; srcPort <= 3; srcPort++) {
      guest.send({ op: REQUEST, dstPort: 20, srcPort })
      guest.send({ op: 5, len: 4, dstPort: 20, srcPort })
      guest.send({ op: RST, dstPort: 20, srcPort })
      await expect.poll(() => ended.length).toBe(srcPort)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect([guest.faults, guest.host.registers.isLive]).toEqual([[], true])
    expect(ended).toEqual([1, 2, 3].map(() => closed('reset')))
  })
})
