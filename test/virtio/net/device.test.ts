/** A net device in front of a guest that does everything by hand. */
import { DEVICE_NEEDS_RESET, NetDevice, type NetFeature } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { BROADCAST, frameOf, GROUP, ipv4Frame, MAC_A, MAC_B, MAC_C, macBytes, taggedFrame } from './frames.ts'
import { HEADER, RawGuest, type RawGuestOptions } from './raw-guest.ts'

const OFFLOADS: readonly NetFeature[] = ['mac', 'mrgRxbuf', 'csum', 'guestCsum', 'hostTso4', 'guestTso4', 'hostUfo']
const code = (name: string) => expect.objectContaining({ code: name })
const tcp = ipv4Frame(MAC_B, MAC_A, 3000, 6)
const GSO = { flags: 1, gsoType: 1, gsoSize: 1000, hdrLen: 54, csumStart: tcp.csumStart, csumOffset: tcp.csumOffset }

describe('configuration', () => {
  const make = (options: Partial<ConstructorParameters<typeof NetDevice>[0]>) => () =>
    new NetDevice({ mac: MAC_A, ...options })

  it('NET-CFG-DEV-01, NET-CFG-DEV-02: pairs and MTU are what the specification allows', () => {
    for (const pairs of [0, 0x8001]) expect(make({ pairs })).toThrow('pairs must be')
    for (const mtu of [67, 65536]) expect(make({ mtu })).toThrow('mtu must be')
    const { contract, device } = make({ mtu: 68, pairs: 3 })()
    expect(device.config.values).toEqual({ mac: MAC_A, status: 1, maxVirtqueuePairs: 3, mtu: 68 })
    expect(contract.queues.map(({ name }) => name)).toEqual([
      ...['receiveq1', 'transmitq1', 'receiveq2', 'transmitq2', 'receiveq3', 'transmitq3', 'controlq'],
    ])
    expect(make({ mac: '03:00:00:00:00:01' })).toThrow('the address of a station')
  })

  it('NET-CFG-DEV-14: no command is offered without a queue for it', () => {
    expect(make({ offer: ['mac', 'ctrlRxExtra'] })).toThrow('with ctrlVq where it has ctrlRxExtra')
    expect(make({ offer: ['mtu'] })).toThrow('without mtu')
    expect(make({ offer: ['ctrlRx'] })).toThrow(code('FEATURES'))
    expect(make({ offer: ['mac'] })().registers.offeredFeatures.window(0) & 0xff_ffff).toBe(1 << 5)
  })

  it('NET-CFG-DEV-05, NET-CFG-DEV-06, NET-CFG-DRV-09: no longer frame than MTU passes, either way, but for segmentation', () => {
    const guest = new RawGuest({ mtu: 1000, features: [...OFFLOADS, 'mtu'] })
    guest.post(new Array(4).fill(2048))
    for (const length of [1014, 1015]) guest.send(frameOf(MAC_B, MAC_A, length))
    guest.send(taggedFrame(MAC_B, MAC_A, 1, 1018))
    guest.send(tcp.frame, GSO)
    expect(guest.out.map(({ bytes }) => bytes.length)).toEqual([1014, 1018, tcp.frame.length])
    expect(guest.violations).toEqual(['net-frame-too-long'])
    for (const length of [1014, 1015]) guest.receive(frameOf(MAC_A, MAC_C, length))
    expect([guest.used[0]!.length, guest.device.counters.tooLong]).toEqual([1, 1])
  })
})

describe('frames of the guest', () => {
  it('however they are cut into descriptors', () => {
    const guest = new RawGuest()
    const frame = frameOf(MAC_B, MAC_A, 300)
    for (const cuts of [[], [12], [1, 2, 3, 6], [12, 6, 6, 2], [100, 100]]) guest.send(frame, {}, cuts)
    expect(guest.out.map(({ bytes }) => bytes)).toEqual(new Array(5).fill(frame))
    expect(guest.device.counters).toMatchObject({ transmitted: 5, refused: 0 })
  })

  it('NET-TX-DRV-02: what is shorter than header and Ethernet, or longer than any packet, is refused', () => {
    const guest = new RawGuest()
    for (const bytes of [1, 11, 12, 25]) guest.sendBytes(new Uint8Array(bytes))
    guest.sendBytes(new Uint8Array(HEADER + 65554))
    expect(guest.violations).toEqual(new Array(5).fill('net-frame-malformed'))
    guest.send(new Uint8Array(65553))
    expect([guest.out.length, guest.device.counters.refused]).toEqual([1, 5])
  })

  it('NET-TX-DEV-01, NET-TX-DEV-02: unknown flags mean nothing, and nothing is passed on that has no meaning', () => {
    const guest = new RawGuest({ features: OFFLOADS })
    guest.send(frameOf(MAC_B, MAC_A), {
      flags: 0xfe,
      csumStart: 60_000,
      csumOffset: 9,
      gsoSize: 5,
      hdrLen: 7,
      numBuffers: 3,
    })
    expect(guest.out.map(({ header }) => ({ ...header }))).toEqual([
      { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, numBuffers: 0 },
    ])
    expect(guest.violations).toEqual([])
  })

  it('NET-TX-DEV-07: segmentation is passed through, whatever hdr_len says', () => {
    const guest = new RawGuest({ features: OFFLOADS })
    for (const hdrLen of [0, 54, 0xffff]) guest.send(tcp.frame, { ...GSO, hdrLen })
    expect(
      guest.out.map(({ header: { hdrLen, gsoType, gsoSize, flags } }) => [hdrLen, gsoType, gsoSize, flags]),
    ).toEqual([
      [0, 1, 1000, 1],
      [54, 1, 1000, 1],
      [0xffff, 1, 1000, 1],
    ])
  })

  it.each([
    ['NET-TX-DRV-04: NEEDS_CSUM without CSUM', { flags: 1 }, ['mac']],
    ['a checksum behind the end', { flags: 1, csumStart: 3050, csumOffset: 16 }, OFFLOADS],
    ['NET-TX-DRV-08: TCPv4 segments without HOST_TSO4', GSO, ['mac', 'csum']],
    ['NET-TX-DRV-10: TCPv6 segments without HOST_TSO6', { ...GSO, gsoType: 4 }, OFFLOADS],
    ['NET-TX-DRV-14: UDP_L4 segments without HOST_USO', { ...GSO, gsoType: 5 }, OFFLOADS],
    ['NET-TX-DRV-12: UDP fragments without HOST_UFO', { ...GSO, gsoType: 3 }, ['mac', 'csum', 'hostTso4']],
    ['NET-TX-DRV-15: ECN without HOST_ECN', { ...GSO, gsoType: 0x81 }, OFFLOADS],
    ['a segmentation that nobody knows', { ...GSO, gsoType: 2 }, OFFLOADS],
    ['ECN of UDP', { ...GSO, gsoType: 0x83 }, OFFLOADS],
    ['NET-TX-DEV-08, NET-TX-DRV-43: tunnels', { ...GSO, gsoType: 0x61 }, OFFLOADS],
    ['NET-TX-DEV-10, NET-TX-DRV-33: segments without NEEDS_CSUM', { ...GSO, flags: 2 }, OFFLOADS],
    ['NET-TX-DRV-34: segments of no size', { ...GSO, gsoSize: 0 }, OFFLOADS],
  ] as const)('refused: %s', (_, fields, features) => {
    const guest = new RawGuest({ features })
    guest.send(tcp.frame, fields)
    expect([guest.out.length, guest.violations]).toEqual([0, ['net-header-malformed']])
    guest.send(frameOf(MAC_B, MAC_A))
    expect(guest.out.length).toBe(1)
  })

  it('an outlet that throws is a fault, and the device goes on', () => {
    const guest = new RawGuest()
    guest.device.outlet = () => {
      throw new Error('the cable burns')
    }
    guest.send(frameOf(MAC_B, MAC_A))
    expect([guest.faults.map(String), guest.device.registers.isLive]).toEqual([['Error: the cable burns'], true])
    guest.device.outlet = null
    guest.send(frameOf(MAC_B, MAC_A))
    expect(guest.device.counters).toMatchObject({ transmitted: 1, offline: 1 })
  })
})

describe('frames for the guest', () => {
  it('wait for buffers, in their order, up to the bound of the backlog', () => {
    const guest = new RawGuest({ backlogBytes: 131_072 })
    for (let i = 0; i < 200; i++) guest.port.send(frameOf(MAC_A, MAC_C, 1000, i))
    const { overflowed } = guest.device.counters
    expect(overflowed).toBe(200 - Math.floor(131_072 / 1016))
    for (let i = 0; i < 20; i++) {
      guest.post(new Array(8).fill(1500))
      guest.driver.poll()
    }
    expect(guest.used[0]!.map(({ bytes }) => bytes[HEADER + 20])).toEqual(
      Array.from({ length: 200 - overflowed }, (_, i) => (i + 20) % 256),
    )
    // Room again.
    expect(guest.receive(frameOf(MAC_A, MAC_C, 1000)).length).toBe(201 - overflowed)
  })

  it('NET-RX-DEV-01, NET-RXB-DEV-02: without MRG_RXBUF one buffer holds the frame, and num_buffers is 1', () => {
    const guest = new RawGuest({ features: ['mac'] })
    guest.post([100, 1526, 1526])
    guest.receive(frameOf(MAC_A, MAC_C, 500))
    expect([guest.used[0]!.length, guest.device.counters.tooLong]).toEqual([0, 1])
    // The short buffer is kept for what it can hold.
    for (const length of [88, 1514]) guest.receive(frameOf(MAC_A, MAC_C, length))
    expect(guest.used[0]!.map(({ header, bytes }) => [header.numBuffers, bytes.length])).toEqual([
      [1, 100],
      [1, 1526],
    ])
  })

  it('NET-RX-DEV-02, NET-RX-DEV-03, NET-RXB-DEV-01: with it, buffers are filled one after the other, and counted', () => {
    const guest = new RawGuest()
    guest.post([12, 50, 13, 100, 100])
    const frame = frameOf(MAC_A, MAC_C, 100)
    guest.receive(frame)
    const used = guest.used[0]!
    expect(used.map(({ bytes }) => bytes.length)).toEqual([12, 50, 13, 37])
    expect(used[0]!.header.numBuffers).toBe(4)
    expect(used.slice(1).flatMap(({ bytes }) => [...bytes])).toEqual([...frame])
  })

  it('NET-RX-DEV-04: buffers of a frame come all together, however late the last one is', () => {
    const guest = new RawGuest()
    guest.post([60])
    guest.receive(frameOf(MAC_A, MAC_C, 100))
    guest.port.send(frameOf(MAC_A, MAC_C, 14))
    guest.post([20])
    guest.driver.poll()
    expect(guest.used[0]).toEqual([])
    guest.post([20, 14])
    guest.driver.poll()
    expect(guest.used[0]!.map(({ bytes }) => bytes.length)).toEqual([60, 20, 20, 12])
    expect(guest.used[0]![0]!.header.numBuffers).toBe(4)
    guest.post([14, 12])
    guest.driver.poll()
    expect(guest.used[0]!.slice(4).map(({ bytes }) => bytes.length)).toEqual([14, 12])
  })

  it('a frame that fills no ring of this guest is dropped, and the next one comes', () => {
    const guest = new RawGuest()
    guest.post(new Array(16).fill(20))
    guest.receive(frameOf(MAC_A, MAC_C, 400))
    expect([guest.used[0]!.length, guest.device.counters.tooLong]).toEqual([0, 1])
    expect(guest.receive(frameOf(MAC_A, MAC_C, 14)).length).toBe(2)
  })

  it.each([
    ['mrgRxbuf', 11],
    ['mac', 25],
  ] as const)('NET-RXB-DRV-03: with %s, buffers of %i bytes are useless', (feature, bytes) => {
    const guest = new RawGuest({ features: [feature] })
    for (let i = 0; i < 10 && guest.device.registers.isLive; i++) {
      guest.post(new Array(8).fill(bytes))
      guest.receive()
    }
    expect(guest.used[0]!.every((used) => used.bytes.length === 0)).toBe(true)
    expect(guest.violations).toEqual(['net-buffers-useless'])
    expect(guest.device.registers.status & DEVICE_NEEDS_RESET).toBe(DEVICE_NEEDS_RESET)
  })

  it('NET-RX-DEV-07, NET-RX-DEV-26, NET-RX-DEV-27: segmentation only for who takes it', () => {
    const request = { ...GSO }
    const takes = new RawGuest({ features: OFFLOADS })
    takes.post([4000])
    expect(takes.receive(ipv4Frame(MAC_A, MAC_C, 3000, 6).frame, request)[0]!.header).toMatchObject(GSO)
    const plain = new RawGuest({ features: ['mac', 'mrgRxbuf', 'guestCsum'] })
    plain.post([4000])
    plain.receive(ipv4Frame(MAC_A, MAC_C, 3000, 6).frame, request)
    expect([plain.used[0]!.length, plain.device.counters.unsegmented]).toEqual([0, 1])
  })

  it('nothing comes before DRIVER_OK, while the link is down, or when it is no frame', () => {
    const device = new NetDevice({ mac: MAC_A })
    const guest = new RawGuest({ device })
    guest.post([2000])
    device.linkUp = false
    guest.receive()
    device.linkUp = true
    expect([guest.used[0]!.length, device.counters.offline]).toEqual([0, 1])
    guest.driver.close()
    guest.receive()
    expect(device.counters.offline).toBe(2)
  })
})

describe('filters', () => {
  const passes = (guest: RawGuest, frame: Uint8Array) => {
    const before = guest.used[0]!.length
    guest.post([2000])
    return guest.receive(frame).length > before
  }
  const [toB, toGroup, toAll, toA] = [MAC_B, GROUP, BROADCAST, MAC_A].map((mac) => frameOf(mac, MAC_C))
  const all: readonly NetFeature[] = ['mac', 'mrgRxbuf', 'ctrlVq', 'ctrlRx', 'ctrlRxExtra', 'ctrlMacAddr', 'ctrlVlan']
  const open = (options: RawGuestOptions = {}) => new RawGuest({ features: all, ...options })
  const MODES = { promisc: 0, allmulti: 1, alluni: 2, nomulti: 3, nouni: 4, nobcast: 5 }
  const mode = (guest: RawGuest, name: keyof typeof MODES, on = 1) => guest.command([0, MODES[name], on])
  const seen = (guest: RawGuest) => [toA!, toB!, toGroup!, toAll!].map((frame) => passes(guest, frame))

  it('NET-MAC-DEV-04, NET-MAC-DEV-01: at first the own address, groups and broadcast; after a reset again', async () => {
    const guest = open()
    expect(seen(guest)).toEqual([true, false, true, true])
    for (const name of ['promisc', 'nomulti', 'nobcast'] as const) expect(await mode(guest, name)).toEqual([0])
    guest.driver.close()
    expect(seen(open({ before: guest }))).toEqual([true, false, true, true])
  })

  it('NET-RXF-DEV-01, NET-RXF-DEV-02, NET-RXF-DEV-03: promiscuous mode passes everything, whatever else is set', async () => {
    const guest = open()
    for (const name of ['nomulti', 'nouni', 'nobcast', 'promisc'] as const) await mode(guest, name)
    expect(seen(guest)).toEqual([true, true, true, true])
    await mode(guest, 'promisc', 0)
    expect(seen(guest)).toEqual([false, false, false, false])
  })

  it('NET-RXF-DEV-04, NET-RXF-DEV-05, NET-RXF-DEV-06: all multicast, all unicast', async () => {
    const guest = open()
    await mode(guest, 'allmulti', 0)
    expect(seen(guest)).toEqual([true, false, false, true])
    await mode(guest, 'alluni')
    expect(seen(guest)).toEqual([true, true, false, true])
    await mode(guest, 'allmulti')
    expect(seen(guest)).toEqual([true, true, true, true])
  })

  it('NET-RXF-DEV-07, NET-RXF-DEV-08, NET-RXF-DEV-09: NOMULTI beats ALLMULTI, and is not about broadcast', async () => {
    const guest = open()
    await mode(guest, 'allmulti')
    await mode(guest, 'nomulti')
    expect(seen(guest)).toEqual([true, false, false, true])
  })

  it('NET-RXF-DEV-10, NET-RXF-DEV-11: NOUNI beats ALLUNI', async () => {
    const guest = open()
    await mode(guest, 'alluni')
    await mode(guest, 'nouni')
    expect(seen(guest)).toEqual([false, false, true, true])
  })

  it('NET-RXF-DEV-12, NET-RXF-DEV-13: NOBCAST beats ALLMULTI', async () => {
    const guest = open()
    await mode(guest, 'allmulti')
    await mode(guest, 'nobcast')
    expect(seen(guest)).toEqual([true, false, true, false])
  })

  it('NET-MAC-DEV-02, NET-MAC-DRV-03, NET-MAC-DRV-04: a table is in force when its command is answered', async () => {
    const guest = open()
    await mode(guest, 'allmulti', 0)
    expect(await guest.command([1, 0, 1, 0, 0, 0, ...macBytes(MAC_B), 1, 0, 0, 0, ...macBytes(GROUP)])).toEqual([0])
    expect(seen(guest)).toEqual([true, true, true, true])
    expect(await guest.command([1, 0, 0, 0, 0, 0, 0, 0, 0, 0])).toEqual([0])
    expect(seen(guest)).toEqual([true, false, false, true])
    // More than a table keeps: all of that kind pass, as with QEMU's.
    const many = Array.from({ length: 65 }, (_, i) => [2, 1, 1, 1, 1, i]).flat()
    expect(await guest.command([1, 0, 65, 0, 0, 0, ...many, 0, 0, 0, 0])).toEqual([0])
    expect(seen(guest)).toEqual([true, true, false, true])
  })

  it('NET-MAC-DEV-03: ADDR_SET changes the configuration before it is answered', async () => {
    const guest = open()
    const answer = guest.command([1, 1, ...macBytes(MAC_B)])
    expect(guest.driver.config.mac).toBe(MAC_B)
    expect(await answer).toEqual([0])
    expect(seen(guest)).toEqual([false, true, true, true])
  })

  it('NET-VLAN-DEV-01, NET-VLAN-DEV-02, NET-VLAN-DEV-03: VLANs are filtered where that was negotiated', async () => {
    const tagged = (vlan: number) => taggedFrame(MAC_A, MAC_C, vlan)
    const plain = new RawGuest()
    expect([0, 5, 4095].map((vlan) => passes(plain, tagged(vlan)))).toEqual([true, true, true])
    const guest = open()
    expect([0, 5, 4095].map((vlan) => passes(guest, tagged(vlan)))).toEqual([false, false, false])
    for (const vlan of [5, 4095]) expect(await guest.command([2, 0, vlan & 0xff, vlan >>> 8])).toEqual([0])
    expect([0, 5, 4095].map((vlan) => passes(guest, tagged(vlan)))).toEqual([false, true, true])
    expect(await guest.command([2, 1, 5, 0])).toEqual([0])
    expect(passes(guest, tagged(5))).toBe(false)
    expect(passes(guest, toA!)).toBe(true)
  })

  it.each([
    ['of no class', [9, 0]],
    ['of no command', [0, 6, 1]],
    ['NET-RXF-DRV-02: extra modes without CTRL_RX_EXTRA', [0, 2, 1]],
    ['cut short', [0, 0]],
    ['without anything', [0]],
    ['a table that is cut short', [1, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0]],
    ['a table of 2^32 - 1', [1, 0, 255, 255, 255, 255]],
    ['a table without its second half', [1, 0, 0, 0, 0, 0]],
    ['ADDR_SET without CTRL_MAC_ADDR', [1, 1, 2, 0, 0, 0, 0, 9]],
    ['a VLAN without CTRL_VLAN', [2, 0, 1, 0]],
    ['NET-ANN-DRV-02: an acknowledgement without GUEST_ANNOUNCE', [3, 0]],
    ['pairs without MQ', [4, 0, 1, 0]],
    ['offloads without CTRL_GUEST_OFFLOADS', [5, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ])('IMP-NET-02: a command is answered with ERR, and changes nothing: %s', async (_, bytes) => {
    const guest = new RawGuest({ pairs: 2 })
    expect(await guest.command(bytes, 1, guest.driver.queues[2]!)).toEqual([1])
    expect(guest.violations).toEqual(['net-command-refused'])
    expect(seen(guest)).toEqual([true, false, true, true])
  })
})

describe('queues and commands', () => {
  it('IMP-NET-01: the control queue lies behind all pairs with MQ, and behind the first without', async () => {
    const features: readonly NetFeature[] = ['mac', 'ctrlVq', 'ctrlRx']
    const one = new RawGuest({ pairs: 4, features })
    expect(await one.command([0, 0, 1], 1, one.driver.queues[2]!)).toEqual([0])
    const many = new RawGuest({ pairs: 4, pairsUsed: 4, features: [...features, 'mq'] })
    expect(many.driver.queues.length).toBe(9)
    expect(await many.command([0, 0, 1], 1, many.driver.queues[8]!)).toEqual([0])
  })

  it('IMP-NET-02: the answer is one byte, behind the command in the same chain', async () => {
    const guest = new RawGuest()
    expect(await guest.command([0, 0, 1], 1)).toEqual([0])
    expect(await guest.command([0, 0, 1], 8)).toEqual([0])
    expect(await guest.command([0, 0, 1, 99, 99], 1)).toEqual([0])
  })

  it('NET-ANN-DEV-01: ANNOUNCE is cleared before its acknowledgement is answered', async () => {
    const guest = new RawGuest({ features: ['mac', 'status', 'ctrlVq', 'guestAnnounce'] })
    expect(guest.device.announce()).toBe(true)
    expect(guest.driver.config.status).toBe(3)
    const answer = guest.command([3, 0])
    expect(guest.driver.config.status).toBe(1)
    expect(await answer).toEqual([0])
    expect(new RawGuest().device.announce()).toBe(false)
  })

  const pairs = (options: RawGuestOptions = {}) =>
    new RawGuest({ pairs: 3, pairsUsed: 3, features: ['mac', 'mrgRxbuf', 'mq', 'ctrlVq'], ...options })
  const counts = (guest: RawGuest) => guest.used.map((used) => used.length)
  const flow = (port: number) => ipv4Frame(MAC_A, MAC_C, 20, 17, [port, 9]).frame
  const answerOf = (port: number) => ipv4Frame(MAC_C, MAC_A, 20, 17, [9, port]).frame

  it('NET-MQ-DEV-03, NET-MQ-DEV-04, NET-MQ-DEV-06, NET-MQ-DEV-07: frames come on the pair that their flow is sent on', async () => {
    const guest = pairs()
    for (let pair = 0; pair < 3; pair++) guest.post(new Array(8).fill(1526), pair)
    guest.send(answerOf(1), {}, [], 2)
    guest.receive(flow(1))
    expect(counts(guest)).toEqual([1, 0, 0])
    expect(await guest.command([4, 0, 3, 0])).toEqual([0])
    guest.send(answerOf(2), {}, [], 1)
    for (const port of [1, 2, 2]) guest.receive(flow(port))
    expect(counts(guest)).toEqual([1, 2, 1])
    expect(await guest.command([4, 0, 2, 0])).toEqual([0])
    for (const port of [1, 2]) guest.receive(flow(port))
    expect(counts(guest)).toEqual([2, 3, 1])
    for (const wrong of [0, 4, 0x8000]) expect(await guest.command([4, 0, wrong & 0xff, wrong >>> 8])).toEqual([1])
    expect(guest.device.pairs).toBe(2)
  })

  it('NET-MQ-DEV-08, NET-MQ-DEV-09: a queue that is reset hands over to another one, until all are', async () => {
    const guest = pairs()
    await guest.command([4, 0, 2, 0])
    for (let pair = 0; pair < 2; pair++) guest.post([1526, 1526], pair)
    const reset = (queue: number) => {
      const { registers } = guest.device
      registers.queueSelect = queue
      registers.resetQueue()
    }
    reset(0)
    guest.receive(flow(1))
    expect(counts(guest)).toEqual([0, 1, 0])
    reset(2)
    guest.receive(flow(1))
    expect([counts(guest), guest.device.counters.offline]).toEqual([[0, 1, 0], 1])
  })

  it('NET-OFFL-DRV-01: only what was negotiated is switched, off and on again', async () => {
    const guest = new RawGuest({ features: [...OFFLOADS, 'ctrlVq', 'ctrlGuestOffloads'] })
    const set = (bits: bigint) => guest.command([5, 0, ...new Uint8Array(BigUint64Array.of(bits).buffer)])
    const comes = () => {
      const before = guest.used[0]!.length
      guest.post([5000])
      return guest.receive(ipv4Frame(MAC_A, MAC_C, 3000, 6).frame, GSO).length > before
    }
    expect([await set(0n), comes()]).toEqual([[0], false])
    expect([await set(0x82n), comes()]).toEqual([[0], true])
    for (const bits of [0x182n, 1n << 63n, 1n]) expect(await set(bits)).toEqual([1])
    expect(comes()).toBe(true)
  })
})
