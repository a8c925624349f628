/** Calls of `send` that nobody waits for: they go out in their order, and nothing comes between the parts of one. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { VsockDevice, VsockDriver } from 'virtio-sdk/virtio'
import { expect, it } from 'vitest'

const SMALL = { bufAlloc: 16, sendBufferBytes: 16 }

function pair() {
  const host = new VsockDevice({ guestCid: 3, ...SMALL })
  return { host, guest: new VsockDriver(new SharedMemoryTransport(host), SMALL) }
}

it('short messages do not overtake long ones', async () => {
  const { host, guest } = pair()
  const order: number[] = []
  host.listenSeqpacket(1, async (socket) => {
    for await (const { bytes } of socket) order.push(bytes[0]!)
  })
  const socket = guest.connectSeqpacket(2, 1)
  const sends = Array.from({ length: 20 }, (_, i) => socket.send(new Uint8Array(i % 2 === 0 ? 3 : 16).fill(i)))
  await Promise.all(sends)
  await new Promise(setImmediate)
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

it('bytes of a later call do not come between those of an earlier one, whenever it is made', async () => {
  const { host, guest } = pair()
  const got: number[] = []
  host.listen(1, async (socket) => {
    for await (const bytes of socket) got.push(...bytes)
  })
  const socket = await guest.connect(2, 1).opened()
  const sends = [socket.send(new Uint8Array(100).fill(1))]
  socket.events.once('writable', () => sends.push(socket.send(new Uint8Array(50).fill(2))))
  await sends[0]
  await Promise.all(sends)
  await new Promise(setImmediate)
  expect(got).toEqual([...new Array(100).fill(1), ...new Array(50).fill(2)])
})

it('a call that ends early lets the next one go', async () => {
  const { host, guest } = pair()
  const sizes: number[] = []
  const accepted = new Promise<void>((resolve) => {
    host.listenSeqpacket(1, (socket) => {
      setImmediate(() => {
        socket.events.on('readable', () => void sizes.push(socket.read()!.bytes.length))
        sizes.push(socket.read()!.bytes.length)
        resolve()
      })
    })
  })
  const socket = await guest.connectSeqpacket(2, 1).opened()
  const abort = new AbortController()
  const full = [socket.send(new Uint8Array(16)), socket.send(new Uint8Array(15))]
  const aborted = socket.send(new Uint8Array(14), { signal: abort.signal })
  const tooLong = socket.send(new Uint8Array(17))
  const last = socket.send(new Uint8Array(13))
  abort.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')
  await expect(tooLong).rejects.toThrow(expect.objectContaining({ code: 'VSOCK_MESSAGE_SIZE' }))
  await accepted
  await Promise.all([...full, last])
  await new Promise(setImmediate)
  expect(sizes).toEqual([16, 15, 13])
})

it('all of them reject when the connection ends', async () => {
  const { host, guest } = pair()
  host.listen(1, () => {})
  const socket = await guest.connect(2, 1).opened()
  const sends = [1, 2, 3].map(() => socket.send(new Uint8Array(100)))
  const told = Promise.all(sends.map((send) => send.catch((error) => error.code)))
  socket.reset()
  expect(await told).toEqual(['VSOCK_CLOSED', 'VSOCK_CLOSED', 'VSOCK_CLOSED'])
})
