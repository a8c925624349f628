/** A console device in front of a guest that does everything by hand. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  type ConsoleContract,
  ConsoleDevice,
  type ConsoleDeviceOptions,
  type ConsoleFeature,
  consoleContract,
  type Driver,
  startDriver,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytesOf = (string: string) => new TextEncoder().encode(string)
const [READY, ADD, REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, OPEN, NAME] = [0, 1, 2, 3, 4, 5, 6, 7] as const

class RawGuest {
  readonly device: ConsoleDevice
  readonly violations: string[] = []
  readonly faults: unknown[] = []
  readonly driver: Driver<ConsoleContract>
  readonly transport: SharedMemoryTransport<ConsoleContract>
  /** What came, by queue index. */
  readonly came: Uint8Array[][] = []

  constructor(
    options: ConsoleDeviceOptions = {},
    features: readonly ConsoleFeature[] = ['size', 'multiport', 'emergWrite'],
  ) {
    this.device = new ConsoleDevice({ queueSize: 16, ...options })
    this.device.device.events.on('violation', ({ rule }) => this.violations.push(rule))
    this.device.device.events.on('fault', (error) => this.faults.push(error))
    this.transport = new SharedMemoryTransport(this.device)
    const { queues } = this.device.contract
    this.driver = startDriver(this.transport, {
      contract: consoleContract(),
      want: features,
      queues: ({ has }) => (has('multiport') ? queues : queues.slice(0, 2)),
    })
    for (const _ of queues) this.came.push([])
  }

  post(queue: number, sizes: readonly number[]): void {
    for (const size of sizes) {
      const address = this.transport.allocate(size, 16)
      this.driver.queues[queue]!.post(new BufferList().addWritable(address, size), (written) => {
        const bytes = new Uint8Array(written)
        this.transport.memory.read(address, bytes)
        this.came[queue]!.push(bytes)
      })
    }
    this.driver.poll()
  }

  send(queue: number, bytes: Uint8Array): { done: boolean } {
    const address = this.transport.allocate(Math.max(1, bytes.length), 16)
    this.transport.memory.write(address, bytes)
    const outcome = { done: false }
    this.driver.queues[queue]!.post(new BufferList().addReadable(address, bytes.length), () => {
      outcome.done = true
    })
    this.driver.poll()
    return outcome
  }

  /** A message of the control queue; and what the device has to say by then. */
  say(
    id: number,
    event: number,
    value = 1,
  ): readonly (readonly [id: number, event: number, value: number, data: string])[] {
    const bytes = new Uint8Array(8)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, id, true)
    view.setUint16(4, event, true)
    view.setUint16(6, value, true)
    this.send(3, bytes)
    return this.heard()
  }

  heard() {
    this.driver.poll()
    return this.came[2]!.splice(0).map((bytes) => {
      const view = new DataView(bytes.buffer)
      const data = bytes.subarray(8)
      const isSize = view.getUint16(4, true) === RESIZE
      const shown = isSize ? `${view.getUint16(8, true)}x${view.getUint16(10, true)}` : text(data)
      return [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true), shown] as const
    })
  }
}

describe('one port', () => {
  it('bytes go both ways, into buffers of any size', () => {
    const guest = new RawGuest()
    const heard: string[] = []
    guest.device.port.onData = (bytes) => heard.push(text(bytes))
    guest.send(1, bytesOf('login: '))
    guest.send(1, bytesOf(''))
    expect(heard).toEqual(['login: '])
    expect(guest.device.port.write(bytesOf('root\r'))).toBe(5)
    guest.post(0, [1, 2, 100])
    expect(guest.came[0]!.map(text)).toEqual(['r', 'oo', 't\r'])
    expect([guest.device.port.guestOpen, guest.violations]).toEqual([true, []])
    guest.driver.close()
    expect(guest.device.port.guestOpen).toBe(false)
  })

  it('keeps what fits for a guest that does not read, and tells when there is room', () => {
    const guest = new RawGuest({ bufferBytes: 4 })
    let told = 0
    guest.device.port.onWritable = () => told++
    expect([guest.device.port.write(bytesOf('abcdef')), guest.device.port.write(bytesOf('x'))]).toEqual([4, 0])
    guest.post(0, [2])
    expect([told, guest.device.port.waitingBytes]).toEqual([1, 2])
    guest.post(0, [8])
    expect(guest.came[0]!.map(text)).toEqual(['ab', 'cd'])
  })

  it('a reader that is paused, or closed, makes the guest wait', () => {
    const guest = new RawGuest()
    const { port } = guest.device
    const heard: string[] = []
    port.onData = (bytes) => {
      heard.push(text(bytes))
      port.paused = true
    }
    const sent = ['a', 'b', 'c'].map((letter) => guest.send(1, bytesOf(letter)))
    expect([heard, sent.map(({ done }) => done)]).toEqual([['a'], [true, false, false]])
    port.paused = false
    expect(heard).toEqual(['a', 'b'])
    port.open = false
    port.paused = false
    expect(heard).toEqual(['a', 'b'])
    port.open = true
    expect(heard).toEqual(['a', 'b', 'c'])
  })

  it('the size is in the configuration, and a change is told', () => {
    const guest = new RawGuest({ size: { columns: 80, rows: 25 } })
    expect(guest.driver.readConfig()).toMatchObject({ cols: 80, rows: 25 })
    let told = 0
    guest.driver.events.on('config', () => told++)
    guest.device.port.size = { columns: 132, rows: 43 }
    guest.transport.takeInterrupt()
    expect([guest.driver.readConfig().cols, guest.driver.readConfig().rows, told]).toEqual([132, 43, 1])
    expect(() => {
      guest.device.port.size = { columns: 70_000, rows: 1 }
    }).toThrow('size.columns must be')
  })

  it('CON-DEV-02, CON-DEV-03: an emergency write comes through at any time, its low byte counts', () => {
    const heard: number[] = []
    const guest = new RawGuest({ onEmergency: (byte) => heard.push(byte) })
    guest.driver.writeConfig('emergWr', 0x141)
    guest.driver.close()
    guest.device.registers.writeConfig(8, Uint8Array.of(0x42, 0, 0, 0))
    guest.device.registers.writeConfig(8, Uint8Array.of(0x42))
    expect([heard, guest.violations]).toEqual([[0x41, 0x42, 0x42], []])
    // Nothing else, and nothing before and behind it.
    guest.device.registers.writeConfig(6, Uint8Array.of(0, 0, 0x43, 0))
    guest.device.registers.writeConfig(10, Uint8Array.of(0, 0, 0, 0))
    expect([heard.length, guest.violations]).toEqual([3, ['config-before-features-ok', 'config-before-features-ok']])
  })

  it('what the program throws is a fault, and the console goes on', () => {
    const guest = new RawGuest()
    guest.device.port.onData = () => {
      throw new Error('the terminal is gone')
    }
    guest.send(1, bytesOf('x'))
    expect([guest.faults.map(String), guest.device.registers.isLive]).toEqual([['Error: the terminal is gone'], true])
  })
})

describe('many ports', () => {
  const many = (): RawGuest => {
    const guest = new RawGuest({ ports: [{ size: { columns: 1, rows: 2 } }, { name: 'agent' }], maxPorts: 4 })
    guest.post(2, new Array(12).fill(64))
    return guest
  }

  it('CON-DEV-01, CON-ANY-01, IMP-CON-01: each port has its queues, those of port 1 behind control', () => {
    const guest = many()
    expect(guest.driver.config.maxNrPorts).toBe(4)
    expect(guest.device.contract.queues.map(({ name }) => name).slice(0, 6)).toEqual([
      ...['receiveq0', 'transmitq0', 'controlReceiveq', 'controlTransmitq', 'receiveq1', 'transmitq1'],
    ])
    guest.say(0, READY)
    const heard: string[] = []
    guest.device.ports.get(1)!.onData = (bytes) => heard.push(`1: ${text(bytes)}`)
    guest.device.port.onData = (bytes) => heard.push(`0: ${text(bytes)}`)
    guest.send(5, bytesOf('to the agent'))
    guest.send(1, bytesOf('to the console'))
    expect(heard).toEqual(['1: to the agent', '0: to the console'])
    guest.device.ports.get(1)!.write(bytesOf('hi'))
    guest.post(4, [8])
    expect(guest.came[4]!.map(text)).toEqual(['hi'])
  })

  it('are announced, and what each is follows when the guest is ready for it', () => {
    const guest = many()
    expect(guest.heard()).toEqual([])
    expect(guest.say(0, READY)).toEqual([
      [0, ADD, 1, ''],
      [1, ADD, 1, ''],
    ])
    expect(guest.say(0, PORT_READY)).toEqual([
      [0, CONSOLE_PORT, 1, ''],
      [0, RESIZE, 0, '1x2'],
      [0, OPEN, 1, ''],
    ])
    expect(guest.say(1, PORT_READY)).toEqual([
      [1, NAME, 1, 'agent'],
      [1, OPEN, 1, ''],
    ])
    const port = guest.device.ports.get(1)!
    const opened: boolean[] = []
    port.onGuestOpen = (open) => opened.push(open)
    guest.say(1, OPEN, 1)
    guest.say(1, OPEN, 0)
    expect(opened).toEqual([true, false])
    port.open = false
    expect(guest.heard()).toEqual([[1, OPEN, 0, '']])
    guest.device.port.size = { columns: 5, rows: 6 }
    expect(guest.heard()).toEqual([[0, RESIZE, 0, '5x6']])
  })

  it('CON-DEV-04, CON-DEV-05: a port is added under a number that is free, and removed when it is known', () => {
    const guest = many()
    guest.say(0, READY)
    const port = guest.device.addPort({ name: 'late' })
    expect(port.id).toBe(2)
    expect(guest.heard()).toEqual([[2, ADD, 1, '']])
    port.remove()
    port.remove()
    expect(guest.heard()).toEqual([[2, REMOVE, 1, '']])
    expect([port.write(bytesOf('x')), guest.device.ports.has(2)]).toEqual([0, false])
    expect([guest.device.addPort().id, guest.device.addPort().id]).toEqual([2, 3])
    expect(() => guest.device.addPort()).toThrow('all 4 ports are there')
  })

  it('CON-DEV-05: what the guest has not heard of is not taken from it', () => {
    const guest = new RawGuest({ ports: [{}, {}], maxPorts: 3 })
    guest.say(0, READY)
    guest.device.addPort().remove()
    guest.device.ports.get(1)!.remove()
    guest.post(2, new Array(8).fill(64))
    expect(guest.heard()).toEqual([[0, ADD, 1, '']])
    guest.device.port.remove()
    guest.device.addPort().remove()
    expect(guest.heard()).toEqual([
      [0, REMOVE, 1, ''],
      [0, ADD, 1, ''],
      [0, REMOVE, 1, ''],
    ])
  })

  it.each([
    ['a message that is cut short', new Uint8Array(7)],
    ['no port of that number', Uint8Array.of(9, 0, 0, 0, 3, 0, 1, 0)],
    ['an event of the device', Uint8Array.of(0, 0, 0, 0, 1, 0, 1, 0)],
    ['no event', Uint8Array.of(0, 0, 0, 0, 99, 0, 1, 0)],
    ['ready twice', Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 0)],
  ])('refused: %s', (_, bytes) => {
    const guest = many()
    guest.say(0, READY)
    expect(guest.send(3, bytes).done).toBe(true)
    expect(guest.violations).toEqual(['console-message-refused'])
    expect(guest.say(0, PORT_READY).length).toBe(3)
  })

  it('data for a port that is not there go back, and are a violation', () => {
    const guest = many()
    guest.say(0, READY)
    expect(guest.send(7, bytesOf('nobody')).done).toBe(true)
    expect(guest.violations).toEqual(['console-port-absent'])
  })

  it('a guest that asks and does not listen is answered once', () => {
    const guest = new RawGuest({ ports: [{}, {}] })
    for (let i = 0; i < 40; i++) {
      guest.say(0, READY)
      guest.say(0, PORT_READY)
      guest.say(1, PORT_READY)
    }
    expect(guest.violations.length).toBe(3 * 39)
    guest.post(2, new Array(12).fill(64))
    expect(guest.heard().length).toBe(5)
  })

  it('buffers without room for a message: a reset is asked for, after so many', () => {
    const guest = new RawGuest({ ports: [{}, {}] })
    guest.say(0, READY)
    for (let i = 0; i < 80 && guest.device.registers.isLive; i++) guest.post(2, [4])
    expect(guest.violations).toEqual(['console-buffers-useless'])
  })

  it('without MULTIPORT there is port 0, and it stays', () => {
    const device = new ConsoleDevice({ ports: [{}, {}] })
    const transport = new SharedMemoryTransport(device)
    startDriver(transport, { contract: consoleContract(), queues: () => consoleContract().queues.slice(0, 2) })
    expect(() => device.port.remove()).toThrow('has not negotiated MULTIPORT')
  })
})

it.each([
  ['no ports', { ports: [] }, 'the length of ports must be 1 or more'],
  ['more ports than there may be', { ports: [{}, {}], maxPorts: 1 }, 'the length of ports'],
  ['a name that is too long', { ports: [{ name: 'é'.repeat(129) }] }, 'ports[0].name must be'],
  ['a name with a 0', { ports: [{ name: 'a\0b' }] }, 'ports[0].name must be'],
  ['a feature without its option', { offer: ['size'] }, 'without size'],
])('refused: %s', (_, options, message) => {
  expect(() => new ConsoleDevice(options as ConsoleDeviceOptions)).toThrow(message)
})
