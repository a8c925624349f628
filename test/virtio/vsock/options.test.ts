/** What no vsock device, driver, endpoint or address can be is refused, with the option and its range. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  VsockConnection,
  VsockDevice,
  type VsockDeviceOptions,
  VsockDriver,
  type VsockDriverOptions,
  VsockEndpoint,
  type VsockEndpointOptions,
} from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'

const NO_INTEGERS = [Number.NaN, -1, 0.5, 2 ** 53, Number.POSITIVE_INFINITY, '8', null, 8n]

function refused(name: string) {
  return expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`${name} must be`) })
}

const ENDPOINT: Readonly<Record<string, readonly unknown[]>> = {
  bufAlloc: [...NO_INTEGERS, 0, 2 ** 32],
  sendBufferBytes: [...NO_INTEGERS, 0, 2 ** 32],
  maxConnections: [...NO_INTEGERS, 0, 2 ** 32],
  socketTypes: [[], 'stream', ['streams'], null, 1],
}
const DEVICE = { ...ENDPOINT, queueSize: [...NO_INTEGERS, 0, 3, 65536, 2 ** 32] }
const DRIVER = {
  ...ENDPOINT,
  queueSize: [...NO_INTEGERS, 0, 65536, 2 ** 32],
  rxBufferBytes: [...NO_INTEGERS, 0, 43, 44, 65581, 2 ** 32],
  maxPayloadBytes: [...NO_INTEGERS, 0, -44, 65537, 2 ** 32],
}

describe('options', () => {
  it.each(Object.entries(ENDPOINT))('of an endpoint: %s', (name, values) => {
    for (const value of values) {
      const options = { [name]: value } as VsockEndpointOptions
      expect(() => new VsockEndpoint(3, options), String(value)).toThrow(refused(name))
    }
  })

  it.each(Object.entries(DEVICE))('of a device: %s', (name, values) => {
    for (const value of values) {
      const options = { guestCid: 3, [name]: value } as VsockDeviceOptions
      expect(() => new VsockDevice(options), String(value)).toThrow(refused(name))
    }
  })

  it.each(Object.entries(DRIVER))('of a driver, which leaves the device alone: %s', (name, values) => {
    const host = new VsockDevice({ guestCid: 3 })
    const transport = new SharedMemoryTransport(host)
    for (const value of values) {
      const options = { [name]: value } as VsockDriverOptions
      expect(() => new VsockDriver(transport, options), String(value)).toThrow(refused(name))
    }
    expect(host.registers.status).toBe(0)
  })

  it.each([
    ['bufAlloc', { bufAlloc: 1 }],
    ['sendBufferBytes', { sendBufferBytes: 1 }],
    ['rxBufferBytes', { rxBufferBytes: 45 }],
    ['maxPayloadBytes', { maxPayloadBytes: 1 }],
    ['queueSize', { queueSize: 1 }],
    ['all of them', { bufAlloc: 1, sendBufferBytes: 1, rxBufferBytes: 45, maxPayloadBytes: 1, queueSize: 1 }],
  ])('the smallest %s works, on both sides', async (_, options) => {
    const host = new VsockDevice({ guestCid: 3, ...options })
    host.listen(7, async (socket) => {
      for await (const bytes of socket) await socket.send(bytes)
      socket.end()
    })
    const guest = new VsockDriver(new SharedMemoryTransport(host), options)
    const socket = await guest.connect(2, 7).opened()
    const sent = Uint8Array.from({ length: 100 }, (_, i) => i)
    const sending = socket.send(sent).then(() => socket.end())
    const parts: Uint8Array[] = []
    for await (const bytes of socket) parts.push(bytes)
    await sending
    expect(Buffer.concat(parts)).toEqual(Buffer.from(sent))
    expect([guest.endpoint.connectionCount, host.endpoint.connectionCount]).toEqual([0, 0])
  })
})

describe('addresses', () => {
  const PORTS = [...NO_INTEGERS, 1.5, 2 ** 32 - 1, 2 ** 32]
  const pair = () => {
    const host = new VsockDevice({ guestCid: 3 })
    return { host, guest: new VsockDriver(new SharedMemoryTransport(host)) }
  }

  it('ports to listen on', () => {
    const { host, guest } = pair()
    for (const port of PORTS as number[]) {
      for (const side of [host, guest, host.endpoint]) {
        expect(() => side.listen(port, () => {}), String(port)).toThrow(refused('port'))
        expect(() => side.listenSeqpacket(port, () => {}), String(port)).toThrow(refused('port'))
      }
    }
    expect(() => host.listen(1, 5 as never)).toThrow(refused('onConnection'))
    for (const port of [0, 2 ** 32 - 2]) host.listen(port, () => {})()
  })

  it('ports and CIDs to connect to', () => {
    const { host, guest } = pair()
    for (const value of PORTS as number[]) {
      expect(() => host.connect(value), String(value)).toThrow(refused('peerPort'))
      expect(() => host.connectSeqpacket(value), String(value)).toThrow(refused('peerPort'))
      expect(() => guest.connect(2, value), String(value)).toThrow(refused('peerPort'))
      expect(() => guest.connect(value, 7), String(value)).toThrow(refused('peerCid'))
      expect(() => guest.connectSeqpacket(value, 7), String(value)).toThrow(refused('peerCid'))
    }
    expect(guest.endpoint.connectionCount).toBe(0)
  })

  it('what is written and read into is bytes', async () => {
    const { host, guest } = pair()
    host.listen(7, () => {})
    host.listenSeqpacket(8, () => {})
    const stream = guest.connect(2, 7)
    const messages = guest.connectSeqpacket(2, 8)
    for (const value of ['text', 5, null, undefined, [1, 2], new Uint16Array(2), new ArrayBuffer(4)] as never[]) {
      expect(() => stream.write(value)).toThrow(refused('bytes'))
      expect(() => stream.read(value)).toThrow(refused('target'))
      expect(() => messages.write(value)).toThrow(refused('bytes'))
      await expect(stream.send(value)).rejects.toThrow(refused('bytes'))
      await expect(messages.send(value)).rejects.toThrow(refused('bytes'))
    }
  })

  it('of a connection and of an endpoint', () => {
    for (const value of NO_INTEGERS as number[]) {
      expect(() => new VsockConnection(value, 3, 2, 100, null)).toThrow(refused('localPort'))
      expect(() => new VsockConnection(1, value, 2, 100, null)).toThrow(refused('peerCid'))
      expect(() => new VsockConnection(1, 3, value, 100, null)).toThrow(refused('peerPort'))
      expect(() => new VsockConnection(1, 3, 2, value, null)).toThrow(refused('bufAlloc'))
      expect(() => new VsockConnection(1, 3, 2, 100, null, value)).toThrow(refused('type'))
      expect(() => new VsockEndpoint(value)).toThrow(refused('cid'))
      expect(() => new VsockEndpoint(3).transportReset(value)).toThrow(refused('cid'))
    }
    expect(() => new VsockConnection(1, 3, 2, 0, null)).toThrow(refused('bufAlloc'))
  })

  it('VSK-DEV-07: no CID of a guest: strings and worse', () => {
    for (const cid of [...NO_INTEGERS, 0, 1, 2, 2 ** 32 - 1, 2 ** 32, '3'] as number[]) {
      expect(() => new VsockDevice({ guestCid: cid }), String(cid)).toThrow(
        expect.objectContaining({ code: 'VSOCK_CID' }),
      )
      const { host } = pair()
      expect(() => host.transportReset(cid), String(cid)).toThrow(expect.objectContaining({ code: 'VSOCK_CID' }))
      expect(host.guestCid).toBe(3)
    }
  })
})
