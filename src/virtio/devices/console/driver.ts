/**
 * A console driver (virtio 1.4 §5.3): keeps receive buffers posted, hands on what comes, and follows the messages by which ports come and go. What
 * a device says that makes no sense is dropped and counted.
 */
import { checkInteger } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import { refuseState, requireVersion, STATE_VERSION } from '../../../internal/saved-state.ts'
import { watchPromise } from '../../../internal/watch-promise.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { BufferList, UsedBuffer } from '../../../virtqueue/index.ts'
import { startDriver } from '../../connect.ts'
import type { Driver } from '../../driver.ts'
import type { DriverQueue } from '../../driver-queue.ts'
import type { DriverState } from '../../driver-state.ts'
import type { DriverTransport } from '../../driver-transport.ts'
import { restoreDriver } from '../../restore-driver.ts'
import { Slots, type SlotsState } from '../buffer-slots.ts'
import {
  CONSOLE_FEATURES,
  CONSOLE_QUEUE_SIZE,
  CONTROL_BYTES,
  type ConsoleContract,
  type ConsoleFeature,
  type ConsoleFlags,
  consoleContract,
  consoleQueues,
  controlMessage,
  MAX_PORTS,
  receiveIndex,
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
  CONSOLE_DRIVER_FEATURES,
  CONTROL_ROOM,
  type ConsoleDriverOptions,
  checkConsoleDriverOptions,
  DEFAULT_DRIVER_PORTS,
  DEFAULT_RX_BYTES,
} from './driver-options.ts'
import { ConsoleDriverPort, type DriverPortOwner } from './driver-port.ts'

/** Bytes of one request of `write`. */
const PIECE_BYTES = 4096
/** Answers that the device has not taken: no more of its messages are looked at while there are so many. */
const MOST_ANSWERS = 64
const CONTROL = 2

/** A saved port: plain data. */
export interface ConsolePortState {
  readonly id: number
  readonly isConsole: boolean
  readonly name: string
  readonly columns: number
  readonly rows: number
  readonly hasSize: boolean
  readonly hostOpen: boolean
  readonly isOpen: boolean
}

/** A saved driver: plain data, as JSON keeps it. Memory is not in it. */
export interface ConsoleDriverState {
  readonly version: typeof STATE_VERSION
  readonly driver: DriverState
  readonly ports: readonly ConsolePortState[]
  /** Receive buffers by queue index. */
  readonly slots: readonly (readonly [queue: number, slots: SlotsState])[]
}

/** The guest's half: a driver on a transport, and its ports. */
export class ConsoleDriver {
  /** The driver itself: its features, configuration and events. */
  readonly driver: Driver<ConsoleContract>
  /** What was negotiated, by name. */
  readonly features: ConsoleFlags
  /** Messages of the device that made no sense, and were dropped. */
  malformedMessages = 0
  readonly #memory: GuestMemory
  readonly #ports = new Map<number, ConsoleDriverPort>()
  readonly #maxPorts: number
  readonly #rxBufferBytes: number
  readonly #onPort: ((port: ConsoleDriverPort) => void) | null
  /** Of receive queues, by index: those of ports that came and went stay, for the next of that number. */
  readonly #slots = new Map<number, Slots>()
  #answers = 0
  readonly #busy = new Set<number>()
  readonly #buffers = new BufferList(1)
  readonly #used = new UsedBuffer()
  readonly #owner: DriverPortOwner = {
    write: (port, bytes) => this.#write(port, bytes),
    setOpen: (port, open) => this.#setOpen(port, open),
  }

  /** Throws as `startDriver` does, and `VirtioError` INVALID_OPTION. `saved` is for `ConsoleDriver.restore`. */
  constructor(
    transport: DriverTransport<ConsoleContract>,
    options: ConsoleDriverOptions = {},
    saved?: ConsoleDriverState,
  ) {
    checkConsoleDriverOptions(options)
    this.#onPort = options.onPort ?? null
    this.#rxBufferBytes = options.rxBufferBytes ?? DEFAULT_RX_BYTES
    this.#memory = transport.memory
    this.driver = saved === undefined ? start(transport, options) : attach(transport, options, saved)
    try {
      const { featureSet, queues } = this.driver
      const flags = CONSOLE_DRIVER_FEATURES.map((name) => [name, featureSet.has(CONSOLE_FEATURES[name])])
      this.features = Object.fromEntries(flags) as ConsoleFlags
      this.#maxPorts = queues.length > 2 ? queues.length / 2 - 1 : 1
      for (const queue of queues) {
        if (queue.index % 2 !== 0) continue
        queue.onUsed = () => this.#receive(queue)
        queue.onReset = () => this.#refill(queue)
      }
      if (saved !== undefined) this.#resume(saved)
    } catch (error) {
      this.driver.close()
      throw error
    }
    this.driver.events.on('config', () => this.#lookAtSize())
    if (saved !== undefined) return
    if (this.features.multiport) {
      this.#open(queues(this, CONTROL))
      // CON-DRV-03
      this.#answer(0, VIRTIO_CONSOLE_DEVICE_READY, 1)
    } else {
      this.#addPort(0, (port) => {
        port.isConsole = true
        port.hostOpen = true
        port.markOpen(true)
      })
    }
  }

  /**
   * Goes on where `saveState` was taken: over memory that is as it was, before a device that is live, without a word to it. `onPort` is called for
   * every port that is there. Then call `poll`. `options` are those of the saved driver. Throws as `restoreDriver`, and INVALID_STATE: then the
   * device was reset.
   */
  static restore(
    transport: DriverTransport<ConsoleContract>,
    state: ConsoleDriverState,
    options: ConsoleDriverOptions = {},
  ): ConsoleDriver {
    checkState(state)
    return new ConsoleDriver(transport, options, state)
  }

  /** Plain data for `ConsoleDriver.restore`, taken between turns. Throws `VirtioError` NOT_RESTORABLE for a driver that has stopped. */
  saveState(): ConsoleDriverState {
    return {
      version: STATE_VERSION,
      driver: this.driver.saveState(),
      ports: Array.from(this.#ports.values(), ({ id, isConsole, name, size, hostOpen, isOpen }) => ({
        id,
        isConsole,
        name,
        columns: size?.columns ?? 0,
        rows: size?.rows ?? 0,
        hasSize: size !== null,
        hostOpen,
        isOpen,
      })),
      slots: Array.from(this.#slots, ([index, slots]) => [index, slots.saveState()] as const),
    }
  }

  /** Ports that are there, by their number. */
  get ports(): ReadonlyMap<number, ConsoleDriverPort> {
    return this.#ports
  }

  /**
   * Writes a character past all queues, at any time: for a guest that has nothing else left. Throws `VirtioError` FEATURES_MISSING,
   * INVALID_OPTION, `DriverError` when the driver has stopped.
   */
  emergencyWrite(byte: number): void {
    checkInteger('byte', byte, 0, 255)
    if (!this.features.emergWrite) throw new VirtioError('FEATURES_MISSING', 'emergWrite was not negotiated')
    this.driver.writeConfig('emergWr', byte)
  }

  /** Looks at every queue, interrupt or not. */
  poll(): void {
    if (this.driver.error === null) this.driver.poll()
  }

  /** Resets the device. Closing twice is no error. */
  close(): void {
    this.driver.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #write(port: ConsoleDriverPort, bytes: Uint8Array): Promise<void> {
    requirePort(port)
    const queue = queues(this, receiveIndex(port.id) + 1)
    const calls: Promise<unknown>[] = []
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      calls.push(queue.call([bytes.subarray(at, at + PIECE_BYTES).slice()]))
    }
    await Promise.all(calls)
  }

  async #setOpen(port: ConsoleDriverPort, open: boolean): Promise<void> {
    requirePort(port)
    if (!this.features.multiport) throw new VirtioError('FEATURES_MISSING', 'multiport was not negotiated')
    port.markOpen(open)
    await queues(this, CONTROL + 1).call([controlMessage(port.id, VIRTIO_CONSOLE_PORT_OPEN, open ? 1 : 0)])
  }

  /** An answer of ours; nobody waits for it. */
  #answer(id: number, event: number, value: number): void {
    this.#answers++
    const onSettled = () => {
      this.#answers--
      if (this.#answers === MOST_ANSWERS - 1 && this.driver.error === null) this.#receive(queues(this, CONTROL))
    }
    queues(this, CONTROL + 1)
      .call([controlMessage(id, event, value)], { onSettled })
      .catch(() => {})
  }

  #receive(queue: DriverQueue): void {
    const { index, ring } = queue
    const slots = this.#slots.get(index)
    if (slots === undefined || this.#busy.has(index) || this.driver.isStopped()) return
    this.#busy.add(index)
    let taken = 0
    // A turn has as many as the ring has entries. Code of the user's may stop the driver: then the ring is no longer ours.
    while (this.driver.error === null && this.#takesMore(index) && ring.popUsed(this.#used)) {
      const { id, writtenBytes } = this.#used
      const address = slots.reclaim(id)
      const bytes = new Uint8Array(writtenBytes)
      this.#memory.read(address, bytes)
      slots.release(address)
      taken++
      if (index === CONTROL) this.#obey(bytes)
      else this.#handOn(index, bytes)
      if (taken < ring.size || this.driver.transport.requestPoll === undefined) continue
      this.driver.transport.requestPoll()
      queue.hasMore = true
      break
    }
    this.#busy.delete(index)
    if (taken > 0) this.#fill(queue, slots)
  }

  #takesMore(index: number): boolean {
    return index !== CONTROL || this.#answers < MOST_ANSWERS
  }

  #handOn(index: number, bytes: Uint8Array): void {
    const port = this.#ports.get(index < 2 ? 0 : (index >> 1) - 1)
    if (bytes.length > 0) this.#guard(() => port?.onData?.(bytes))
  }

  #obey(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer)
    if (bytes.length < CONTROL_BYTES || !this.#obeyEvent(view, bytes.subarray(CONTROL_BYTES))) this.malformedMessages++
  }

  /** False: it makes no sense. */
  #obeyEvent(view: DataView, data: Uint8Array): boolean {
    const [id, event, value] = [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true)]
    const port = this.#ports.get(id)
    if (event === VIRTIO_CONSOLE_DEVICE_ADD) {
      // CON-DEV-04
      if (port !== undefined || id >= this.#maxPorts) return false
      this.#addPort(id)
      this.#answer(id, VIRTIO_CONSOLE_PORT_READY, 1)
      return true
    }
    if (port === undefined) return false
    switch (event) {
      case VIRTIO_CONSOLE_DEVICE_REMOVE:
        this.#ports.delete(id)
        port.isRemoved = true
        break
      case VIRTIO_CONSOLE_CONSOLE_PORT:
        if (port.isConsole) return true
        port.isConsole = true
        port.markOpen(true)
        // CON-DRV-05, -06
        this.#answer(id, VIRTIO_CONSOLE_PORT_OPEN, 1)
        break
      case VIRTIO_CONSOLE_RESIZE:
        if (data.length < 4) return false
        port.size = { columns: view.getUint16(8, true), rows: view.getUint16(10, true) }
        break
      case VIRTIO_CONSOLE_PORT_OPEN:
        port.hostOpen = value !== 0
        break
      case VIRTIO_CONSOLE_PORT_NAME:
        port.name = nameOf(data)
        break
      default:
        return false
    }
    this.#guard(() => port.onChange?.())
    return true
  }

  #addPort(id: number, prepare?: (port: ConsoleDriverPort) => void): void {
    const port = new ConsoleDriverPort(id, this.#owner)
    prepare?.(port)
    if (id === 0 && this.features.size) port.size = this.#readSize()
    this.#ports.set(id, port)
    this.#guard(() => this.#onPort?.(port))
    if (this.driver.error === null) this.#open(queues(this, receiveIndex(id)))
  }

  /** CON-DRV-01: a receive queue gets its buffers, all of them writable, once. */
  #open(queue: DriverQueue): void {
    if (this.#slots.has(queue.index)) return
    const bytes = queue.index === CONTROL ? CONTROL_ROOM : this.#rxBufferBytes
    const { size } = queue.ring
    const slots = new Slots(this.driver.allocate(size * bytes, 16), size, bytes, size)
    this.#slots.set(queue.index, slots)
    this.#fill(queue, slots)
  }

  #refill(queue: DriverQueue): void {
    const slots = this.#slots.get(queue.index)
    if (slots === undefined) return
    slots.reset()
    this.#fill(queue, slots)
  }

  #fill(queue: DriverQueue, slots: Slots): void {
    while (this.driver.error === null) {
      const address = slots.take()
      if (address < 0) break
      const head = queue.ring.add(this.#buffers.clear().addWritable(address, slots.bytes))
      if (head < 0) {
        slots.release(address)
        break
      }
      slots.give(head, address)
    }
    queue.kick()
  }

  #lookAtSize(): void {
    const port = this.#ports.get(0)
    if (port === undefined || !this.features.size) return
    const size = this.#readSize()
    if (size.columns === port.size?.columns && size.rows === port.size.rows) return
    port.size = size
    this.#guard(() => port.onChange?.())
  }

  #readSize() {
    const { cols, rows } = this.driver.readConfig()
    return { columns: cols, rows }
  }

  #resume({ ports, slots }: ConsoleDriverState): void {
    for (const [index, state] of slots) {
      this.#slots.set(index, Slots.restore(state, queues(this, index), true))
    }
    for (const { id, isConsole, name, columns, rows, hasSize, hostOpen, isOpen } of ports) {
      const port = new ConsoleDriverPort(id, this.#owner)
      Object.assign(port, { isConsole, name, hostOpen, size: hasSize ? { columns, rows } : null })
      port.markOpen(isOpen)
      this.#ports.set(id, port)
      this.#guard(() => this.#onPort?.(port))
    }
  }

  #guard(run: () => unknown): void {
    try {
      watchPromise(run(), (error) => this.driver.onFault(error, -1))
    } catch (error) {
      this.driver.onFault(error, -1)
    }
  }
}

/** A queue of the driver, by its index. */
function queues({ driver }: ConsoleDriver, index: number): DriverQueue {
  return driver.queues[index]!
}

function requirePort({ id, isRemoved }: ConsoleDriverPort): void {
  if (isRemoved) throw new VirtioError('CONSOLE_NO_PORT', `port ${id} was removed`)
}

/** Some devices end it with a 0. What is no UTF-8 is shown as such. */
function nameOf(data: Uint8Array): string {
  const end = data.indexOf(0)
  return new TextDecoder().decode(end < 0 ? data : data.subarray(0, end))
}

function start(transport: DriverTransport<ConsoleContract>, options: ConsoleDriverOptions) {
  const { want = CONSOLE_DRIVER_FEATURES, maxPorts = DEFAULT_DRIVER_PORTS, commonFeatures } = options
  const size = 2 ** Math.floor(Math.log2(options.queueSize ?? CONSOLE_QUEUE_SIZE))
  return startDriver<ConsoleContract, ConsoleFeature>(transport, {
    contract: consoleContract(),
    want,
    queues: ({ has, config }) => {
      const isMultiport = has('multiport')
      const ports = isMultiport ? config.maxNrPorts : 1
      if (ports < 1) throw new VirtioError('CONFIG_VALUE', 'max_nr_ports is 0; a console has one port at least')
      const used = Math.min(ports, maxPorts)
      // Some devices forget a message for which there is no buffer at once (docs/peers.md).
      const control = Math.max(size, 2 ** Math.ceil(Math.log2(2 * used)))
      return consoleQueues(used, size, isMultiport).map((queue) =>
        queue.name === 'controlReceiveq' ? { ...queue, size: control } : queue,
      )
    },
    ...(commonFeatures !== undefined && { commonFeatures }),
  })
}

function attach(transport: DriverTransport<ConsoleContract>, options: ConsoleDriverOptions, state: ConsoleDriverState) {
  const { want = CONSOLE_DRIVER_FEATURES } = options
  const count = state.driver?.queues?.length ?? 0
  const contract = {
    ...consoleContract(),
    queues: consoleQueues(count > 2 ? count / 2 - 1 : 1, CONSOLE_QUEUE_SIZE, count > 2),
  }
  return restoreDriver<ConsoleContract, ConsoleFeature>(transport, state.driver, { contract, want })
}

function checkState(state: ConsoleDriverState): void {
  requireVersion('console driver', state)
  const { ports, slots, driver } = state
  const count = Array.isArray(driver?.queues) ? driver.queues.length : 0
  const isPort = (port: ConsolePortState | null) =>
    Number.isInteger(port?.id) && port!.id >= 0 && port!.id < MAX_PORTS && receiveIndex(port!.id) < count
  if (!Array.isArray(ports) || !ports.every(isPort)) refuseState('console driver', 'ports have an id')
  const isSlots = (entry: readonly [number, SlotsState] | null) =>
    Array.isArray(entry) &&
    Number.isInteger(entry[0]) &&
    entry[0] >= 0 &&
    entry[0] < count &&
    Array.isArray(entry[1]?.held)
  if (!Array.isArray(slots) || !slots.every(isSlots)) refuseState('console driver', 'slots are of its queues')
}
