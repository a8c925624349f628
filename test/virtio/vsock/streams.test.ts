import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { FeatureSet, VIRTIO_F_VERSION_1, VsockDevice, VsockDriver, type VsockSocket } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/internal/random.ts'

const HOST = 2

function pattern(bytes: number, seed: number): Uint8Array {
  const random = new Random(seed)
  return Uint8Array.from({ length: bytes }, () => random.u32())
}

function pair(options: { queueSize?: number; bufAlloc?: number; rxBufferBytes?: number; plain?: boolean } = {}) {
  const common = options.plain ? { commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1) } : {}
  const host = new VsockDevice({ guestCid: 3, ...common, ...options })
  const transport = new SharedMemoryTransport(host)
  const guest = new VsockDriver(transport, { ...common, ...options })
  const violations: string[] = []
  host.device.events.on('violation', ({ rule }) => violations.push(rule))
  return { host, guest, violations, settle: () => transport.settle() }
}

/** Writes back whatever arrives, without losing what does not fit at once. */
function echo(socket: VsockSocket): void {
  const chunk = new Uint8Array(700)
  const pump = () => {
    for (;;) {
      const room = Math.min(socket.writableBytes, chunk.length)
      const count = socket.read(chunk.subarray(0, room))
      if (count === 0) break
      expect(socket.write(chunk.subarray(0, count))).toBe(count)
    }
    if (socket.ended) socket.end()
  }
  socket.events.on('readable', pump)
  socket.events.on('writable', pump)
}

async function collect(socket: VsockSocket): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const bytes of socket) parts.push(bytes)
  return Buffer.concat(parts)
}

describe('streams', () => {
  const MEGABYTES = pattern(3 * 1024 * 1024 + 17, 1)

  it.each([
    ['rings of 2, buffers of 128 bytes', { queueSize: 2, rxBufferBytes: 128, bufAlloc: 1024 }, 64 * 1024],
    ['rings of 8', { queueSize: 8 }, MEGABYTES.length],
    ['rings of 128', {}, MEGABYTES.length],
    ['without EVENT_IDX, as rt-virtio', { queueSize: 16, plain: true }, MEGABYTES.length],
  ])('echo megabytes through small rings: %s', async (_, options, bytes) => {
    const { host, guest, violations } = pair(options)
    host.listen(7, echo)
    const socket = await guest.connect(HOST, 7).opened()
    const sent = MEGABYTES.subarray(0, bytes)
    const answer = collect(socket)
    await socket.send(sent)
    socket.end()
    expect(Buffer.compare(await answer, sent)).toBe(0)
    expect(violations).toEqual([])
    socket.close()
    expect(guest.endpoint.connectionCount).toBe(0)
    expect(host.endpoint.connectionCount).toBe(0)
  })

  it('the host calls the guest, and many streams share the rings without mixing', async () => {
    const { host, guest } = pair({ queueSize: 8, bufAlloc: 4096 })
    guest.listen(80, echo)
    const answers = Array.from({ length: 12 }, async (_, i) => {
      const socket = await host.connect(80).opened()
      const sent = pattern(20_000 + i, i)
      const answer = collect(socket)
      await socket.send(sent)
      socket.end()
      expect(Buffer.compare(await answer, sent)).toBe(0)
    })
    await Promise.all(answers)
  })

  it('IMP-VSK-03: nobody listens: refused with RST, on both sides', async () => {
    const { host, guest } = pair()
    const refused = expect.objectContaining({ code: 'VSOCK_CLOSED', message: expect.stringContaining('refused') })
    await expect(guest.connect(HOST, 9).opened()).rejects.toThrow(refused)
    await expect(host.connect(9).opened()).rejects.toThrow(refused)
    await expect(guest.connect(77, 9).opened()).rejects.toThrow(refused)
    expect([guest.endpoint.connectionCount, host.endpoint.connectionCount]).toEqual([0, 0])
  })

  it('a reader that does not read stops its writer, by credit', () => {
    const { host, guest, settle } = pair({ queueSize: 8, bufAlloc: 5000 })
    let accepted: VsockSocket | undefined
    host.listen(7, (socket) => {
      accepted = socket
    })
    const socket = guest.connect(HOST, 7)
    const data = pattern(100_000, 3)
    const written = socket.write(data)
    expect(written).toBe(65536)
    expect(accepted?.readableBytes).toBe(5000)
    expect(socket.connection.credit).toBe(0)
    const target = new Uint8Array(100_000)
    let read = 0
    for (;;) {
      const count = accepted!.read(target.subarray(read, read + 1000))
      settle()
      if (count === 0) break
      read += count
    }
    expect(read).toBe(65536)
    expect(Buffer.compare(target.subarray(0, read), data.subarray(0, read))).toBe(0)
  })

  it('an abort ends a wait, a close ends the stream, a reset cuts it off', async () => {
    const { host, guest } = pair()
    const accepted: VsockSocket[] = []
    host.listen(7, (socket) => accepted.push(socket))
    const socket = await guest.connect(HOST, 7).opened()
    await expect(socket.receive(AbortSignal.timeout(1))).rejects.toThrow(
      expect.objectContaining({ name: 'TimeoutError' }),
    )
    accepted[0]!.write(Uint8Array.of(1, 2))
    accepted[0]!.close()
    expect(await socket.receive()).toEqual(Uint8Array.of(1, 2))
    expect(await socket.receive()).toBeNull()
    await expect(socket.send(Uint8Array.of(1))).rejects.toThrow(expect.objectContaining({ code: 'VSOCK_CLOSED' }))
    const other = await guest.connect(HOST, 7).opened()
    const waiting = other.receive()
    accepted[1]!.reset()
    await expect(waiting).rejects.toThrow('reset')
  })

  it('VSK-DRV-10, VSK-DRV-11, VSK-DRV-12: a transport reset ends connections, keeps listeners, under the new CID', async () => {
    const { host, guest } = pair()
    guest.listen(80, echo)
    const before = await host.connect(80).opened()
    const reasons: string[] = []
    host.listen(7, () => {})
    const own = await guest.connect(HOST, 7).opened()
    own.events.on('close', (reason) => reasons.push(reason))
    host.transportReset(5)
    await Promise.resolve()
    expect(guest.endpoint.cid).toBe(5)
    expect(reasons).toEqual(['reset'])
    expect(before.connection.state).toBe('closed')
    expect(guest.endpoint.connectionCount).toBe(0)
  })

  it("VSK-DEV-07: a reserved CID is no guest's", () => {
    for (const guestCid of [0, 1, 2, 0xffff_ffff, 2 ** 32, 1.5]) {
      expect(() => new VsockDevice({ guestCid })).toThrow(expect.objectContaining({ code: 'VSOCK_CID' }))
    }
  })

  it('a driver that comes again finds a device without old connections', async () => {
    const { host, guest } = pair()
    host.listen(7, echo)
    await guest.connect(HOST, 7).opened()
    expect(host.endpoint.connectionCount).toBe(1)
    const transport = guest.driver.transport as SharedMemoryTransport<typeof host.contract>
    guest.close()
    expect(host.endpoint.connectionCount).toBe(0)
    const again = new VsockDriver(transport)
    expect((await again.connect(HOST, 7).opened()).connection.state).toBe('established')
  })

  it('VSK-DRV-01, VSK-DRV-02, VSK-DRV-03: streams are there unless NO_IMPLIED_STREAM says that they are not', () => {
    const offered = (bits: number) => {
      class Offering extends SharedMemoryTransport<VsockDevice['contract']> {
        override readDeviceFeatures(window: number): number {
          return window === 0 ? bits : super.readDeviceFeatures(window)
        }
      }
      return new VsockDriver(new Offering(new VsockDevice({ guestCid: 3 })))
    }
    expect(offered(0).driver.features).toEqual({ stream: false, seqpacket: false, noImpliedStream: false })
    const noStream = expect.objectContaining({ code: 'VSOCK_NO_STREAM' })
    // SEQPACKET alone implies streams; SEQPACKET and NO_IMPLIED_STREAM do not.
    for (const [bits, streams] of [
      [0, true],
      [1, true],
      [2, true],
      [5, true],
      [6, false],
    ] as const) {
      const connect = () => offered(bits).connect(HOST, 7)
      if (streams) expect(connect).not.toThrow()
      else expect(connect).toThrow(noStream)
    }
    expect(() => offered(4)).toThrow(noStream)
    const { guest } = pair()
    expect(guest.driver.features).toEqual({ stream: true, seqpacket: true, noImpliedStream: true })
  })
})
