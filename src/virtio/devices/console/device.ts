/**
 * A console device (virtio 1.4 §5.3): bytes of the guest to the host's program and back, over one port or, with MULTIPORT, over as many as there
 * are, which come and go by messages of the control queues. A guest that does not read, or asks for more than it takes, is made to wait.
 */
import { VirtioError } from '../../../internal/error.ts'
import { refuseState } from '../../../internal/saved-state.ts'
import type { ChainReader } from '../../../virtqueue/index.ts'
import { Device } from '../../device.ts'
import type { DeviceQueue } from '../../device-queue.ts'
import type { DeviceRegisters } from '../../device-registers.ts'
import { type ProtocolRule, protocolViolation } from '../../protocol-violation.ts'
import { UselessBuffers } from '../useless-buffers.ts'
import {
  CONSOLE_QUEUE_SIZE,
  CONTROL_BYTES,
  type ConsoleContract,
  type ConsoleSize,
  consoleContract,
  controlMessage,
  DEFAULT_BUFFER_BYTES,
  receiveIndex,
  sizeBytes,
  VIRTIO_CONSOLE_CONSOLE_PORT,
  VIRTIO_CONSOLE_DEVICE_ADD,
  VIRTIO_CONSOLE_DEVICE_READY,
  VIRTIO_CONSOLE_DEVICE_REMOVE,
  VIRTIO_CONSOLE_PORT_NAME,
  VIRTIO_CONSOLE_PORT_OPEN,
  VIRTIO_CONSOLE_PORT_READY,
  VIRTIO_CONSOLE_RESIZE,
} from './contract.ts'
import {
  type ConsoleDeviceOptions,
  type ConsolePortOptions,
  checkConsoleOptions,
  checkPort,
  offerable,
} from './device-options.ts'
import { ConsoleDevicePort, type PortOwner, type PortState } from './device-port.ts'

/** Buffers per turn of a queue. */
const TURN = 16
/** Bytes of the guest that are handed on at once. */
const PIECE_BYTES = 65_536
const CONTROL_RECEIVE = 2
const CONTROL_TRANSMIT = 3

/** As `onSave` of the device returns it. */
interface SavedConsole {
  readonly isReady: boolean
  readonly ports: readonly PortState[]
  readonly messages: readonly (readonly number[])[]
}

/** The host's half: a device for a transport, and its ports. */
export class ConsoleDevice {
  /** The device itself: its queues, configuration and events. */
  readonly device: Device<ConsoleContract>
  readonly #ports = new Map<number, ConsoleDevicePort>()
  readonly #maxPorts: number
  readonly #bufferBytes: number
  readonly #onEmergency: ((byte: number) => void) | null
  /** The guest has said DEVICE_READY. */
  #isReady = false
  /** Messages for the guest, oldest first: whatever it sends, at most five a port, since it asks for each once. */
  #messages: Uint8Array[] = []
  readonly #piece: Uint8Array
  readonly #useless = new UselessBuffers()
  readonly #owner: PortOwner = {
    wake: (port) => this.#wake(port),
    tellOpen: (port) => this.#tell(port, VIRTIO_CONSOLE_PORT_OPEN, port.open ? 1 : 0),
    tellSize: (port) => this.#tellSize(port),
    remove: (port) => this.#remove(port),
    fail: (error) => this.registers.reportFault(error, -1, false),
  }

  /** Throws `VirtioError` INVALID_OPTION for what no device can have. */
  constructor(options: ConsoleDeviceOptions = {}) {
    checkConsoleOptions(options)
    const { ports = [{}], size, bufferBytes = DEFAULT_BUFFER_BYTES, queueSize = CONSOLE_QUEUE_SIZE } = options
    const { maxPorts = ports.length } = options
    this.#maxPorts = maxPorts
    this.#bufferBytes = bufferBytes
    this.#onEmergency = options.onEmergency ?? null
    this.#piece = new Uint8Array(Math.min(bufferBytes, PIECE_BYTES))
    const contract = consoleContract(maxPorts, queueSize)
    this.device = new Device<ConsoleContract>(
      contract,
      contract.queues.map(() => (queue) => this.#serve(queue)),
      {
        onActivate: () => this.#start(),
        onReset: () => this.#forgetGuest(),
        onConfigWrite: ({ config }) => this.#onEmergency?.(config.emergWr & 0xff),
        onSave: (): SavedConsole => this.#save(),
        onRestore: (saved) => this.#restore(saved as SavedConsole),
      },
      {
        config: { cols: size?.columns ?? 0, rows: size?.rows ?? 0, maxNrPorts: maxPorts },
        offer: options.offer ?? offerable(options),
        ...(options.policy !== undefined && { policy: options.policy }),
        ...(options.commonFeatures !== undefined && { commonFeatures: options.commonFeatures }),
      },
    )
    for (const [id, port] of ports.entries()) this.#make(id, size === undefined || id > 0 ? port : { size, ...port })
  }

  /** What a transport fronts; saves and restores the device. */
  get registers(): DeviceRegisters {
    return this.device.registers
  }

  /** Names for a driver in the same process. */
  get contract(): ConsoleContract {
    return this.device.contract
  }

  /** Ports that are there, by their number. */
  get ports(): ReadonlyMap<number, ConsoleDevicePort> {
    return this.#ports
  }

  /** Port 0. Throws `VirtioError` CONSOLE_NO_PORT once it was removed. */
  get port(): ConsoleDevicePort {
    const port = this.#ports.get(0)
    if (port === undefined) throw new VirtioError('CONSOLE_NO_PORT', 'port 0 was removed')
    return port
  }

  /**
   * Adds a port under the lowest number that is free (CON-DEV-04), and tells the guest. Throws `VirtioError` INVALID_OPTION, CONSOLE_NO_PORT when
   * all numbers are taken.
   */
  addPort(options: ConsolePortOptions = {}): ConsoleDevicePort {
    checkPort('options', options)
    for (let id = 0; id < this.#maxPorts; id++) {
      if (this.#ports.has(id)) continue
      const port = this.#make(id, options)
      if (this.#isReady) this.#send(id, VIRTIO_CONSOLE_DEVICE_ADD, 1)
      return port
    }
    throw new VirtioError('CONSOLE_NO_PORT', `all ${this.#maxPorts} ports are there: see maxPorts`)
  }

  #make(id: number, options: ConsolePortOptions): ConsoleDevicePort {
    const port = new ConsoleDevicePort(id, options, this.#owner, this.#bufferBytes)
    this.#ports.set(id, port)
    return port
  }

  #serve(queue: DeviceQueue): void {
    const { multiport } = this.device.features
    const { index } = queue
    if (index > 1 && !multiport) return
    if (index === CONTROL_RECEIVE) this.#sendMessages(queue)
    else if (index === CONTROL_TRANSMIT) this.#takeMessages(queue)
    else {
      const id = index < 2 ? 0 : (index >> 1) - 1
      if (index % 2 === 0) this.#transmit(queue, this.#ports.get(id))
      else this.#receive(queue, id)
    }
  }

  /** Bytes of a port into the guest's buffers, each as full as it gets. */
  #transmit(queue: DeviceQueue, port: ConsoleDevicePort | undefined): void {
    if (port === undefined) return
    for (let left = TURN; left > 0 && port.waitingBytes > 0; left--) {
      let isTaken = false
      for (const { writer } of queue.drain(1)) {
        isTaken = true
        if (writer.remaining === 0) {
          this.#useless.add(queue, this.registers, 'console-buffers-useless', 'CON-DRV-01', 'a byte')
          break
        }
        this.#useless.clear()
        while (writer.remaining > 0 && port.waitingBytes > 0) {
          const piece = this.#piece.subarray(0, Math.min(writer.remaining, this.#piece.length))
          writer.bytes(piece.subarray(0, port.take(piece)))
        }
      }
      if (!isTaken || !this.registers.isLive) break
    }
    port.tellRoom()
    if (port.waitingBytes > 0 && queue.waiting > 0) queue.wake()
  }

  /** Bytes of the guest to the port's reader; what is for nobody goes back unread. */
  #receive(queue: DeviceQueue, id: number): void {
    for (let left = TURN; left > 0; left--) {
      const port = this.#ports.get(id)
      if (port !== undefined && !port.takesData) return
      let isTaken = false
      for (const { reader } of queue.drain(1)) {
        isTaken = true
        if (port === undefined) {
          const message = `data for port ${id}, which is not there`
          this.#refuse('console-port-absent', 'CON-DEV-05', message, queue.index)
        } else while (reader.remaining > 0) port.receive(reader.bytes(Math.min(reader.remaining, PIECE_BYTES)))
      }
      if (!isTaken) return
    }
  }

  #sendMessages(queue: DeviceQueue): void {
    for (let left = TURN; left > 0 && this.#messages.length > 0; left--) {
      let isTaken = false
      for (const { writer } of queue.drain(1)) {
        isTaken = true
        const message = this.#messages[0]!
        // Half a message would be another one.
        if (writer.remaining < message.length) {
          this.#useless.add(queue, this.registers, 'console-buffers-useless', 'CON-DRV-01', 'a message')
          break
        }
        this.#useless.clear()
        writer.bytes(message)
        this.#messages.shift()
      }
      if (!isTaken || !this.registers.isLive) break
    }
    if (this.#messages.length > 0 && queue.waiting > 0) queue.wake()
  }

  #takeMessages(queue: DeviceQueue): void {
    for (let left = TURN; left > 0; left--) {
      let isTaken = false
      for (const { reader } of queue.drain(1)) {
        isTaken = true
        const fault = this.#obey(reader)
        if (fault !== null) this.#refuse('console-message-refused', 'CON-DRV-03', fault, queue.index)
      }
      if (!isTaken) return
    }
  }

  /** Does what a message says; or says why not. */
  #obey(reader: ChainReader): string | null {
    const length = reader.remaining
    const [id, event, value] = [reader.u32(), reader.u16(), reader.u16()]
    if (length < CONTROL_BYTES) return `a message of ${length} bytes`
    if (event === VIRTIO_CONSOLE_DEVICE_READY) {
      if (value !== 1) return null
      if (this.#isReady) return 'DEVICE_READY a second time'
      this.#isReady = true
      for (const each of this.#ports.keys()) this.#send(each, VIRTIO_CONSOLE_DEVICE_ADD, 1)
      return null
    }
    const port = this.#ports.get(id)
    if (port === undefined || !this.#isReady) return `event ${event} of port ${id}, which is not there`
    if (event === VIRTIO_CONSOLE_PORT_READY) {
      if (value !== 1) return null
      if (port.isReady) return `PORT_READY of port ${id} a second time`
      port.isReady = true
      this.#introduce(port)
    } else if (event === VIRTIO_CONSOLE_PORT_OPEN) port.setGuestOpen(value !== 0)
    else return `event ${event} is no driver's`
    return null
  }

  /** What there is to say of a port, to a guest that is ready for it. */
  #introduce(port: ConsoleDevicePort): void {
    const { id, name } = port
    if (port.isConsole) this.#send(id, VIRTIO_CONSOLE_CONSOLE_PORT, 1)
    if (name !== '') this.#send(id, VIRTIO_CONSOLE_PORT_NAME, 1, new TextEncoder().encode(name))
    if (port.size !== null) this.#send(id, VIRTIO_CONSOLE_RESIZE, 0, sizeBytes(port.size))
    if (port.open) this.#send(id, VIRTIO_CONSOLE_PORT_OPEN, 1)
  }

  /** To a guest that knows the port. */
  #tell(port: ConsoleDevicePort, event: number, value: number, data?: Uint8Array): void {
    if (port.isReady && !port.isRemoved) this.#send(port.id, event, value, data)
  }

  #tellSize(port: ConsoleDevicePort): void {
    const size = port.size as ConsoleSize
    if (port.id === 0) {
      const { cols, rows } = this.device.config.values
      if (cols !== size.columns || rows !== size.rows) {
        this.device.config.update({ cols: size.columns, rows: size.rows })
      }
    }
    this.#tell(port, VIRTIO_CONSOLE_RESIZE, 0, sizeBytes(size))
  }

  #send(id: number, event: number, value: number, data?: Uint8Array): void {
    const message = controlMessage(id, event, value, data)
    // The last of its kind says it all: one that was not sent yet need not be sent.
    const isLatest = event === VIRTIO_CONSOLE_RESIZE || event === VIRTIO_CONSOLE_PORT_OPEN
    if (isLatest) this.#messages = this.#messages.filter((other) => !isSame(other, message))
    this.#messages.push(message)
    this.device.queues.controlReceiveq?.wake()
  }

  /** CON-DEV-05 */
  #remove(port: ConsoleDevicePort): void {
    if (port.isRemoved) return
    if (port.id === 0 && this.registers.isLive && !this.device.features.multiport) {
      throw new VirtioError('CONSOLE_NO_PORT', 'port 0 cannot be removed: the guest has not negotiated MULTIPORT')
    }
    port.isRemoved = true
    port.clear()
    this.#ports.delete(port.id)
    // CON-DEV-05: what the guest has not heard of is not taken from it; and what it is to hear of an earlier port stays.
    const isUnknown = this.#messages.some((message) =>
      isSame(message, controlMessage(port.id, VIRTIO_CONSOLE_DEVICE_ADD, 1)),
    )
    this.#messages = this.#messages.filter((message) => {
      const view = new DataView(message.buffer)
      return view.getUint32(0, true) !== port.id || view.getUint16(4, true) === VIRTIO_CONSOLE_DEVICE_REMOVE
    })
    if (this.#isReady && !isUnknown) this.#send(port.id, VIRTIO_CONSOLE_DEVICE_REMOVE, 1)
    port.forgetGuest()
  }

  #wake(port: ConsoleDevicePort): void {
    const index = receiveIndex(port.id)
    for (const each of [index, index + 1]) this.device.queues[this.contract.queues[each]!.name]?.wake()
  }

  #start(): void {
    this.#useless.clear()
    if (!this.device.features.multiport) this.#ports.get(0)?.setGuestOpen(true)
  }

  #forgetGuest(): void {
    this.#isReady = false
    this.#messages = []
    for (const port of this.#ports.values()) port.forgetGuest()
  }

  #save(): SavedConsole {
    return {
      isReady: this.#isReady,
      ports: Array.from(this.#ports.values(), (port) => port.saveState()),
      messages: this.#messages.map((message) => [...message]),
    }
  }

  #restore(saved: SavedConsole): void {
    const { isReady, ports, messages } = saved ?? {}
    if (typeof isReady !== 'boolean' || !Array.isArray(ports) || !Array.isArray(messages)) {
      refuseState('console', 'it has isReady, ports and messages')
    }
    const isMessage = (bytes: unknown) =>
      Array.isArray(bytes) && bytes.length >= CONTROL_BYTES && bytes.every((byte) => Number.isInteger(byte))
    if (!messages.every(isMessage)) refuseState('console', 'messages are bytes')
    for (const state of ports as readonly (PortState | null)[]) {
      const port = this.#ports.get(state?.id as number)
      if (port === undefined || state === null) refuseState('console', `port ${state?.id} is not there: add it first`)
      port.restoreState(state)
    }
    this.#isReady = isReady
    this.#messages = messages.map((message) => Uint8Array.from(message))
    for (const port of this.#ports.values()) this.#wake(port)
    this.device.queues.controlReceiveq?.wake()
  }

  #refuse(rule: ProtocolRule, clause: string, message: string, queue: number): void {
    this.registers.reportViolation(protocolViolation(rule, clause, message, queue))
  }
}

/** Of one port and kind. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 6; i++) if (a[i] !== b[i]) return false
  return true
}
