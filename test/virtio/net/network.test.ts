/** Drivers and devices of a network, over every transport. */
import { NetDevice, NetDriver, type NetDriverOptions, type NetFrame, NetPort, NetSwitch } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { EVERY_TRANSPORT, settled } from '../../transport/every-transport.ts'
import { BROADCAST, frameOf, GROUP, ipv4Frame, MAC_A, MAC_B, MAC_C, sumFrom, taggedFrame } from './frames.ts'

interface Heard {
  readonly bytes: Uint8Array
  readonly flags: number
  readonly gsoType: number
}

/** What an end hears, with its frames copied. */
function listener() {
  const heard: Heard[] = []
  const onFrame = ({ bytes, header: { flags, gsoType } }: NetFrame) =>
    heard.push({ bytes: bytes.slice(), flags, gsoType })
  return { heard, onFrame: (frame: NetFrame) => void onFrame(frame) }
}

describe.each(EVERY_TRANSPORT)('over %s', (_, behind) => {
  function station(mac: string, lan: NetSwitch, options: NetDriverOptions = {}, device = new NetDevice({ mac })) {
    lan.plug(device)
    const { heard, onFrame } = listener()
    const driver = new NetDriver(behind(device), { onFrame, ...options })
    const faults: unknown[] = []
    driver.driver.events.on('fault', (error) => faults.push(error))
    return { device, driver, heard, faults }
  }

  it('two drivers through the switch: an unknown destination is flooded, a known one is not', async () => {
    const lan = new NetSwitch()
    const [a, b, c] = [MAC_A, MAC_B, MAC_C].map((mac) => station(mac, lan))
    expect([a!.driver.mac, a!.driver.linkUp, a!.driver.pairs]).toEqual([MAC_A, true, 1])
    expect(a!.driver.send(frameOf(MAC_B, MAC_A))).toBe(true)
    await settled()
    expect(b!.heard.map(({ bytes }) => bytes)).toEqual([frameOf(MAC_B, MAC_A)])
    // The switch did not know B: C's device dropped the frame, as it is not for C.
    expect([c!.heard.length, c!.device.counters.filtered]).toEqual([0, 1])
    b!.driver.send(frameOf(MAC_A, MAC_B, 1514))
    a!.driver.send(frameOf(MAC_B, MAC_A, 14))
    await settled()
    expect(a!.heard.map(({ bytes }) => bytes)).toEqual([frameOf(MAC_A, MAC_B, 1514)])
    expect(b!.heard.length).toBe(2)
    expect(c!.device.counters.filtered).toBe(1)
    a!.driver.send(frameOf(BROADCAST, MAC_A))
    await settled()
    expect([b!.heard.length, c!.heard.length]).toEqual([3, 1])
  })

  it('many frames in order, more than rings and buffers hold', async () => {
    const lan = new NetSwitch()
    const a = station(MAC_A, lan, { queueSize: 8 })
    const b = station(MAC_B, lan, { queueSize: 4 })
    let sent = 0
    const send = () => {
      while (sent < 300 && a.driver.send(frameOf(MAC_B, MAC_A, 60 + sent, sent))) sent++
    }
    a.driver.events.on('sendable', send)
    for (let turn = 0; turn < 1000 && b.heard.length < 300; turn++) {
      send()
      await settled()
    }
    expect(b.heard.map(({ bytes }) => bytes.length)).toEqual(Array.from({ length: 300 }, (_, i) => 60 + i))
    expect(b.heard[77]!.bytes).toEqual(frameOf(MAC_B, MAC_A, 137, 77))
    expect(b.driver.malformedFrames).toBe(0)
  })

  it('NET-RX-DEV-02, NET-RX-DEV-03, NET-RXB-DEV-01: a frame in many small buffers', async () => {
    const lan = new NetSwitch()
    const a = station(MAC_A, lan)
    const b = station(MAC_B, lan, { rxBufferBytes: 100, queueSize: 32 })
    for (const length of [14, 88, 89, 188, 1514]) a.driver.send(frameOf(MAC_B, MAC_A, length))
    await settled()
    expect(b.heard.map(({ bytes }) => bytes)).toEqual([14, 88, 89, 188, 1514].map((l) => frameOf(MAC_B, MAC_A, l)))
  })

  it('segmentation and checksum requests are passed through to who takes them', async () => {
    const lan = new NetSwitch()
    const want = ['mac', 'mrgRxbuf', 'csum', 'guestCsum', 'hostTso4', 'guestTso4'] as const
    const a = station(MAC_A, lan, { want })
    const b = station(MAC_B, lan, { want, queueSize: 64 })
    const { frame, csumStart, csumOffset } = ipv4Frame(MAC_B, MAC_A, 30_000, 6)
    const request = { flags: 1, gsoType: 1, gsoSize: 1460, hdrLen: 54, csumStart, csumOffset }
    expect(a.driver.send(frame, request)).toBe(true)
    await settled()
    expect(b.heard).toEqual([{ bytes: frame, flags: 1, gsoType: 1 }])
  })

  it('NET-RX-DEV-05, NET-RX-DEV-06: who takes no partial checksums gets finished ones', async () => {
    const lan = new NetSwitch()
    const a = station(MAC_A, lan)
    const b = station(MAC_B, lan, { want: ['mac', 'mrgRxbuf'] })
    const { frame, csumStart, csumOffset } = ipv4Frame(MAC_B, MAC_A, 101)
    a.driver.send(frame, { flags: 1, csumStart, csumOffset })
    await settled()
    const [{ bytes, flags }] = b.heard as [Heard]
    expect(flags).toBe(0)
    // Pseudo header, and everything that it sums over.
    const pseudo = 0x0a00 + 1 + 0x0a00 + 2 + 17 + 109
    expect((sumFrom(bytes, 34) + pseudo) % 0xffff).toBe(0)
    expect(bytes.filter((byte, i) => byte !== frame[i]).length).toBeLessThanOrEqual(2)
  })

  it('link, announcement, and addresses of the driver', async () => {
    const lan = new NetSwitch()
    const a = station(MAC_A, lan)
    const { heard, onFrame } = listener()
    lan.plug(new NetPort(onFrame))
    const links: boolean[] = []
    a.driver.events.on('link', (up) => links.push(up))
    a.device.linkUp = false
    await settled()
    a.device.linkUp = true
    await settled()
    expect([links, a.driver.linkUp]).toEqual([[false, true], true])
    expect(a.device.announce()).toBe(true)
    await settled(60)
    expect(a.device.device.config.values.status).toBe(1)
    expect(heard.map(({ bytes }) => [...bytes.slice(0, 22)])).toEqual([
      [...new Uint8Array(6).fill(0xff), 2, 0, 0, 0, 0, 10, 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3],
    ])
    await a.driver.setMac(MAC_C)
    expect([a.driver.mac, a.device.mac]).toEqual([MAC_C, MAC_C])
    expect(a.faults).toEqual([])
  })

  it('commands: modes, tables, VLANs, offloads, pairs', async () => {
    const lan = new NetSwitch()
    const device = new NetDevice({ mac: MAC_A, pairs: 4, queueSize: 16 })
    const want = ['mac', 'ctrlVq', 'ctrlRx', 'ctrlRxExtra', 'ctrlVlan', 'mq', 'guestCsum', 'ctrlGuestOffloads'] as const
    const a = station(MAC_A, lan, { want, queueSize: 16 }, device)
    const port = new NetPort(() => {})
    lan.plug(port)
    const comes = async (frame: Uint8Array) => {
      a.heard.length = 0
      port.send(frame)
      await settled()
      return a.heard.length === 1
    }
    const { control } = a.driver
    expect(await comes(frameOf(MAC_B, MAC_C))).toBe(false)
    await control.setReceiveMode('promiscuous', true)
    expect(await comes(frameOf(MAC_B, MAC_C))).toBe(true)
    await control.setReceiveMode('promiscuous', false)
    await control.setReceiveMode('allMulticast', false)
    expect(await comes(frameOf(GROUP, MAC_C))).toBe(false)
    await control.setMacTable([MAC_B], [GROUP])
    expect([await comes(frameOf(GROUP, MAC_C)), await comes(frameOf(MAC_B, MAC_C))]).toEqual([true, true])
    await control.setReceiveMode('noBroadcast', true)
    expect([await comes(frameOf(BROADCAST, MAC_C)), await comes(frameOf(MAC_A, MAC_C))]).toEqual([false, true])
    expect(await comes(taggedFrame(MAC_A, MAC_C, 5))).toBe(false)
    await control.addVlan(5)
    expect(await comes(taggedFrame(MAC_A, MAC_C, 5))).toBe(true)
    await control.removeVlan(5)
    expect(await comes(taggedFrame(MAC_A, MAC_C, 5))).toBe(false)
    await control.setGuestOffloads([])
    await a.driver.setPairs(3)
    expect([a.driver.pairs, device.pairs]).toEqual([3, 3])
    await expect(a.driver.setPairs(5)).rejects.toThrow('pairs must be')
    expect(await comes(frameOf(MAC_A, MAC_C))).toBe(true)
  })

  it('a second driver finds a device as new', async () => {
    const device = new NetDevice({ mac: MAC_A, pairs: 2, mtu: 9000 })
    const lan = new NetSwitch()
    lan.plug(device)
    const transport = behind(device)
    const first = new NetDriver(transport, { mac: MAC_B })
    await settled()
    await first.setPairs(2)
    await first.control.setReceiveMode('promiscuous', true)
    expect(device.mac).toBe(MAC_B)
    first.close()
    const { heard, onFrame } = listener()
    const second = new NetDriver(transport, { onFrame })
    expect([device.mac, device.pairs, second.mac, second.maxFrameBytes]).toEqual([MAC_A, 1, MAC_A, 9018])
    const port = new NetPort(() => {})
    lan.plug(port)
    port.send(frameOf(MAC_B, MAC_C))
    port.send(frameOf(MAC_A, MAC_C, 9014))
    await settled()
    expect(heard.map(({ bytes }) => bytes.length)).toEqual([9014])
    second.close()
  })
})
