/** What a snapshot keeps of vsock, and what everybody finds when it is restored. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { type DriverTransport, type VsockContract, VsockDevice, VsockDriver, type VsockSocket } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { connected, REQUEST, RW } from './raw-guest.ts'

const HOST = 2

/** A guest that stays where it is while the device behind its transport is another one, over the same memory. */
class Machine {
  host: VsockDevice
  readonly guest: VsockDriver
  #transport: SharedMemoryTransport<VsockContract>
  #handler: (() => void) | null = null
  #interrupted = false

  constructor() {
    this.host = new VsockDevice({ guestCid: 3 })
    this.#transport = this.#attach(this.host)
    const forward = new Proxy({} as DriverTransport<VsockContract>, {
      get: (_, key) => {
        if (key === 'onInterrupt') {
          return (handler: (() => void) | null) => {
            this.#handler = handler
            this.#transport.onInterrupt(handler)
          }
        }
        const member = this.#transport[key as keyof SharedMemoryTransport<VsockContract>]
        return typeof member === 'function' ? (member as (...args: never[]) => unknown).bind(this.#transport) : member
      },
    })
    this.guest = new VsockDriver(forward)
    this.settle()
  }

  #attach(host: VsockDevice): SharedMemoryTransport<VsockContract> {
    const memory = this.host === host && this.#transport === undefined ? {} : { memory: this.#transport.memory }
    return new SharedMemoryTransport(host, {
      ...memory,
      interrupt: () => {
        this.#interrupted = true
      },
    })
  }

  /** The host's program is gone; another one has the saved device. */
  restore(prepare: (host: VsockDevice) => void = () => {}): void {
    const state = JSON.parse(JSON.stringify(this.host.registers.saveState()))
    const host = new VsockDevice({ guestCid: 77 })
    prepare(host)
    this.#transport = this.#attach(host)
    this.host = host
    this.#transport.onInterrupt(this.#handler)
    host.registers.restoreState(state)
  }

  settle(): void {
    while (this.#interrupted) {
      this.#interrupted = false
      this.#transport.takeInterrupt()
    }
  }
}

describe('a restored device', () => {
  it('tells the guest by itself: its sockets end, listeners stay, and the host can connect at once', async () => {
    const machine = new Machine()
    const accepted: VsockSocket[] = []
    machine.guest.listen(20, (socket) => accepted.push(socket))
    machine.host.listen(7, () => {})
    const own = machine.guest.connect(HOST, 7)
    const first = machine.host.connect(20)
    machine.settle()
    expect([own.connection.state, accepted.length]).toEqual(['established', 1])
    const reading = own.receive()

    machine.restore((host) => host.listen(7, () => {}))
    expect(machine.host.guestCid).toBe(3)
    // The port that the host's first connection had before, too.
    const again = machine.host.connect(20)
    expect(again.connection.localPort).toBe(first.connection.localPort)
    machine.settle()
    await expect(reading).rejects.toThrow('closed (reset)')
    expect(accepted.map(({ connection }) => connection.state)).toEqual(['closed', 'established'])
    expect(again.connection.state).toBe('established')
    const back = machine.guest.connect(HOST, 7)
    machine.settle()
    expect(back.connection.state).toBe('established')
    expect([machine.host.endpoint.connectionCount, machine.guest.endpoint.connectionCount]).toEqual([2, 2])
  })

  it('again and again, at any moment of a transport reset', () => {
    const machine = new Machine()
    const accepted: VsockSocket[] = []
    machine.guest.listen(20, (socket) => accepted.push(socket))
    for (let round = 0; round < 6; round++) {
      machine.host.transportReset(3 + round)
      if (round % 2 === 0) machine.settle()
      machine.restore()
      if (round % 3 === 0) machine.settle()
      const socket = machine.host.connect(20)
      machine.settle()
      expect([round, socket.connection.state, machine.guest.endpoint.cid]).toEqual([round, 'established', 3 + round])
    }
    expect(accepted.filter(({ connection }) => connection.state === 'established').length).toBe(1)
  })

  it('a packet that was under way under a former CID is no violation after it either', () => {
    const guest = connected({ deferred: true })
    guest.host.transportReset(5)
    const state = JSON.parse(JSON.stringify(guest.host.registers.saveState()))
    const host = new VsockDevice({ guestCid: 3, queueSize: 16 })
    const violations: string[] = []
    host.device.events.on('violation', ({ rule }) => violations.push(rule))
    guest.send({ op: RW, len: 3 })
    guest.send({ op: REQUEST, srcPort: 5 })
    const transport = new SharedMemoryTransport(host, { memory: guest.transport.memory, interrupt: () => {} })
    host.registers.restoreState(state)
    expect([host.guestCid, violations, host.endpoint.connectionCount]).toEqual([5, [], 0])
    expect(transport.readStatus()).toBe(15)
  })

  it('one that nobody had driven yet tells nobody', async () => {
    const state = JSON.parse(JSON.stringify(idle().host.registers.saveState()))
    const { host, transport } = idle()
    host.registers.restoreState(state)
    host.listen(7, () => {})
    const guest = new VsockDriver(transport)
    const socket = await guest.connect(HOST, 7).opened()
    expect(socket.connection.state).toBe('established')
  })

  it.each([
    ['formerCids', { formerCids: [0.5] }],
    ['formerCids', { formerCids: 3 }],
    ['formerCids', null],
  ])('what cannot be its state is refused: %s', (text, own) => {
    const guest = connected()
    const host = new VsockDevice({ guestCid: 3, queueSize: 16 })
    new SharedMemoryTransport(host, { memory: guest.transport.memory })
    const state = structuredClone(guest.host.registers.saveState()) as { model: { own: unknown } }
    state.model.own = own
    const invalid = expect.objectContaining({ code: 'INVALID_STATE', message: expect.stringContaining(text) })
    expect(() => host.registers.restoreState(state as never)).toThrow(invalid)
    expect(host.registers.status).toBe(0)
  })
})

function idle() {
  const host = new VsockDevice({ guestCid: 3, queueSize: 16 })
  const transport = new SharedMemoryTransport(host)
  return { host, transport }
}
