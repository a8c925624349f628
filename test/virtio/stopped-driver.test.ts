/** A driver that has stopped touches neither its device nor its memory: both may be another driver's by now. */
import { u32le } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { startDriver, VsockDevice, VsockDriver, type VsockSocket } from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { ON_SPLIT_RINGS } from '../on-split-rings.ts'
import { adder } from './adder.ts'

const request = [u32le(1), u32le(2)]

describe('a driver that was replaced', () => {
  it('kicks nothing, and its successor goes on', async () => {
    const transport = new SharedMemoryTransport(adder.create())
    const first = startDriver(transport)
    const address = transport.allocate(64, 16)
    first.requests.add(new BufferList().addReadable(address, 8).addWritable(address + 8, 4), () => {})
    const second = startDriver(transport)
    const before = transport.memory.regions[0]!.u8.slice()
    first.requests.kick()
    first.poll()
    expect(Buffer.compare(transport.memory.regions[0]!.u8, before)).toBe(0)
    expect(() => first.writeConfig('limit', 1)).toThrow(expect.objectContaining({ code: 'DRIVER_REPLACED' }))
    expect(() => first.allocate(64, 16)).toThrow(expect.objectContaining({ code: 'DRIVER_REPLACED' }))
    expect((await second.requests.call(request, { reply: 4 })).bytes[0]).toBe(3)
    expect(second.error).toBeNull()
  })

  it('does not give its successor up for what stands in the memory of its ring now', ON_SPLIT_RINGS, async () => {
    const transport = new SharedMemoryTransport(adder.create())
    const first = startDriver(transport)
    const { ring } = first.requests
    const second = startDriver(transport)
    const violations: unknown[] = []
    first.events.on('violation', (violation) => violations.push(violation))
    for (let i = 0; i < 3; i++) await second.requests.call(request, { reply: 4 })
    // The second ring lies where the first one was: its used elements are none of the first driver's.
    while (ring.popUsed({ id: 0, writtenBytes: 0 }));
    expect(ring.violation).not.toBeNull()
    expect([violations, second.error]).toEqual([[], null])
    expect((await second.requests.call(request, { reply: 4 })).bytes[0]).toBe(3)
  })
})

/** `stop` runs inside a listener of either side, in the middle of a turn of the first driver. */
const MOMENTS: readonly [
  string,
  (sides: { host: VsockDevice; guest: VsockDriver; stop: () => void }) => VsockSocket,
][] = [
  [
    'the host reads',
    ({ host, guest, stop }) => {
      host.listen(1, (socket) => void socket.events.on('readable', stop))
      return guest.connect(2, 1)
    },
  ],
  [
    'the guest has room to write',
    ({ host, guest, stop }) => {
      host.listen(1, () => {})
      return guest.connect(2, 1, (socket) => void socket.events.on('writable', stop))
    },
  ],
  [
    'the guest reads',
    ({ host, guest, stop }) => {
      host.listen(1, (socket) => void socket.events.on('readable', () => socket.write(u32le(1))))
      return guest.connect(2, 1, (socket) => void socket.events.on('readable', stop))
    },
  ],
]

describe.each(MOMENTS)('a vsock driver that is replaced while %s', (_, connect) => {
  it('leaves rings and device to its successor', async () => {
    const host = new VsockDevice({ guestCid: 3 })
    const transport = new SharedMemoryTransport(host)
    const guest = new VsockDriver(transport)
    let next: VsockDriver | null = null
    const stop = () => {
      next ??= new VsockDriver(transport)
    }
    const socket = connect({ host, guest, stop })
    for (let i = 0; i < 20; i++) socket.write(new Uint8Array(100))
    await new Promise(setImmediate)
    expect(socket.connection.closeReason).toBe('reset')
    let got = 0
    host.listen(9, (accepted) => {
      accepted.events.on('readable', () => {
        got += accepted.read(new Uint8Array(64))
      })
    })
    const again = await next!.connect(2, 9).opened()
    again.write(u32le(7))
    await new Promise(setImmediate)
    expect([got, next!.driver.error, next!.malformedPackets]).toEqual([4, null, 0])
  }, 5000)
})
