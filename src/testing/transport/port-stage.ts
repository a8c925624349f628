/**
 * Where a device behind a transport is attacked: its registers, each access watched, and what must hold after every one of them
 * whatever the driver does. The device touches memory only while it is live; its status says only what the driver said, and that
 * a reset is needed; a queue is enabled only as a ring that is one.
 */
import { failureOf } from '../answers.ts'
import { drawRing, hex } from '../format/split/draw-ring.ts'
import type { SplitRing } from '../format/split/split-ring-format.ts'
import { descriptorAreaBytes, deviceAreaBytes, driverAreaBytes } from '../format/split/split-ring-format.ts'
import { QueueMismatch } from '../mismatch.ts'
import { CallTimeout } from '../museum/bounded-call.ts'
import { type SeenStore, TooManyReads, type WatchedMemory } from '../museum/watched-memory.ts'
import {
  DEVICE_NEEDS_RESET,
  type DeviceBehindTransport,
  type DevicePort,
  DRIVER_OK,
  FEATURES_OK,
  featureWindows,
  VIRTIO_F_VERSION_1,
} from './device-port.ts'

/** Status reads that a reset may take. */
const RESET_POLLS = 1000
/** Accesses that a failure shows. */
const LOG_LENGTH = 30
/** Reads of memory that one access may cause: a device that copies its payload does many. */
const READ_LIMIT = 1_000_000

/** What was written into a queue's registers; null: nothing that must have taken effect. */
interface QueueModel {
  size: number | null
  readonly areas: number[]
  /** Everything was written when it had to be believed. */
  known: boolean
}

export class PortStage {
  readonly ram: WatchedMemory
  readonly target: DeviceBehindTransport
  /** As last read. */
  status = 0
  /** How many accesses there were. */
  accesses = 0
  /** Stores of the last access. */
  stores: readonly SeenStore[] = []
  /** Drawn when something goes wrong. */
  ring: SplitRing | null = null
  readonly offered: readonly number[]
  readonly #port: DevicePort
  readonly #context: () => string
  readonly #log: string[] = []
  readonly #accepted = [0, 0, 0, 0]
  readonly #queues: QueueModel[]
  #written = 0

  /** `context` says how to come here again. */
  constructor(target: DeviceBehindTransport, ram: WatchedMemory, context: () => string) {
    this.target = target
    this.ram = ram
    ram.readLimit = READ_LIMIT
    ram.beforeRead = ram.beforeWrite = null
    this.#context = context
    this.#queues = Array.from({ length: target.queues }, () => ({ size: null, areas: [0, 0, 0], known: true }))
    this.#port = this.#call('connect', () => target.connect(ram.targetMemory))
    this.offered = [0, 1, 2, 3].map((window) => this.#read('features', (port) => port.readDeviceFeatures(window)))
    this.#observe()
  }

  get canResetQueues(): boolean {
    return this.#port.resetQueue !== undefined
  }

  offers(bit: number): boolean {
    return ((this.offered[bit >>> 5]! >>> (bit & 31)) & 1) === 1
  }

  // ---- registers

  writeStatus(value: number): void {
    if (value !== 0) {
      this.#written |= value
      this.#access(`status = ${value}`, (port) => port.writeStatus(value))
      return
    }
    this.#do('status = 0', (port) => port.writeStatus(0))
    for (let polls = 0; this.#read('status', (port) => port.readStatus()) !== 0; polls++) {
      if (polls === RESET_POLLS) this.fail(`status does not read 0 after ${RESET_POLLS} reads (RESET-DEV-01)`)
    }
    this.#written = 0
    this.#accepted.fill(0)
    for (const queue of this.#queues) Object.assign(queue, { size: null, areas: [0, 0, 0], known: true })
    this.#observe()
    for (let queue = 0; queue < this.#queues.length; queue++) {
      if (this.isQueueEnabled(queue)) this.fail(`queue ${queue} is enabled after a reset (RESET-DEV-01)`)
    }
  }

  writeDriverFeatures(window: number, word: number): void {
    if ((this.status & FEATURES_OK) === 0 && window < 4) this.#accepted[window] = word >>> 0
    this.#access(`features[${window}] = ${hex(word)}`, (port) => port.writeDriverFeatures(window, word))
  }

  accept(...bits: readonly number[]): void {
    featureWindows(...bits).forEach((word, window) => void this.writeDriverFeatures(window, word))
  }

  queueSizeMax(queue: number): number {
    const size = this.#read(`queue ${queue}: largest size`, (port) => port.queueSizeMax(queue))
    if (queue >= this.#queues.length && size !== 0) this.fail(`queue ${queue} is not there, and has size ${size}`)
    return size
  }

  writeQueueSize(queue: number, size: number): void {
    const model = this.#believed(queue)
    if (model) model.size = size
    this.#access(`queue ${queue}: size = ${size}`, (port) => port.writeQueueSize(queue, size))
  }

  writeQueueAddress(queue: number, area: 0 | 1 | 2, low: number, high: number): void {
    const model = this.#believed(queue)
    if (model) model.areas[area] = high * 2 ** 32 + low
    const text = `queue ${queue}: area ${area} = ${hex(high)}:${hex(low)}`
    this.#access(text, (port) => port.writeQueueAddress(queue, area, low, high))
  }

  setUpQueue(queue: number, { size, descriptorArea, driverArea, deviceArea }: SplitRing): void {
    this.writeQueueSize(queue, size)
    const areas = [descriptorArea, driverArea, deviceArea]
    for (const area of [0, 1, 2] as const) {
      this.writeQueueAddress(queue, area, areas[area]! % 2 ** 32, Math.floor(areas[area]! / 2 ** 32))
    }
  }

  enableQueue(queue: number): void {
    const before = this.isQueueEnabled(queue)
    this.#access(`queue ${queue}: enable`, (port) => port.enableQueue(queue))
    const model = this.#queues[queue]
    if (before || model === undefined || !this.isQueueEnabled(queue)) return
    const problem = model.known ? this.#problem(queue, model) : null
    if (problem !== null) this.fail(`queue ${queue} was enabled although ${problem}`)
  }

  isQueueEnabled(queue: number): boolean {
    const enabled = this.#read(`queue ${queue}: enabled?`, (port) => port.isQueueEnabled(queue))
    if (enabled && queue >= this.#queues.length) this.fail(`queue ${queue} is not there, and enabled`)
    return enabled
  }

  resetQueue(queue: number): void {
    const model = this.#queues[queue]
    if (model !== undefined) Object.assign(model, { size: null, areas: [0, 0, 0], known: false })
    this.#access(`queue ${queue}: reset`, (port) => port.resetQueue!(queue))
  }

  notify(queue: number): void {
    this.#access(`notify ${queue}`, (port) => port.notify(queue))
  }

  takeInterrupts(): number {
    return this.#read('interrupts', (port) => port.takeInterrupts())
  }

  readConfig(offset: number, lengthBytes: number): void {
    this.#read(`config[${offset}..${offset + lengthBytes - 1}]`, (port) => {
      port.readConfigGeneration()
      port.readConfig(offset, new Uint8Array(lengthBytes))
    })
  }

  writeConfig(offset: number, lengthBytes: number): void {
    this.#access(`config[${offset}] = ${lengthBytes} bytes`, (port) =>
      port.writeConfig(offset, new Uint8Array(lengthBytes)),
    )
  }

  // ---- judging

  fail(sentence: string, cause?: unknown): never {
    const shown = this.ring === null ? '' : `\n${drawRing(this.ram.memory, this.ring, 0)}`
    const log = this.#log.map((line) => `  ${line}`).join('\n')
    throw new QueueMismatch(`${this.target.name}: ${sentence}`, `${this.#context()}\nlast accesses:\n${log}${shown}`, {
      cause,
    })
  }

  /** Null: what stands in the registers is a ring. */
  #problem(queue: number, { size: written, areas }: QueueModel): string | null {
    const max = this.queueSizeMax(queue)
    const size = written ?? max
    if (size < 1 || size > max || !Number.isInteger(Math.log2(size))) return `its size is ${size}, at most ${max}`
    const bytes = [descriptorAreaBytes(size), driverAreaBytes(size), deviceAreaBytes(size)]
    const wrong = areas.findIndex(
      (address, area) => address % [16, 2, 4][area]! !== 0 || !this.ram.memory.contains(address, bytes[area]!),
    )
    return wrong < 0 ? null : `area ${wrong} is at ${hex(areas[wrong]!)}`
  }

  /** The model of a queue whose registers are about to be written, when the device must believe it. */
  #believed(queue: number): QueueModel | null {
    const model = this.#queues[queue]
    if (model === undefined || this.isQueueEnabled(queue)) return null
    if ((this.status & (FEATURES_OK | DRIVER_OK)) !== FEATURES_OK) model.known = false
    return model
  }

  /** A write, and everything that must hold after it. */
  #access(what: string, action: (port: DevicePort) => void): void {
    const before = this.status
    this.#do(what, action)
    const { stores } = this
    this.#observe()
    if (stores.length > 0 && ((before | this.status) & DRIVER_OK) === 0) {
      this.fail(`wrote at ${hex(stores[0]!.address)} while it is not live (STATUS-DEV-01)`)
    }
  }

  #do(what: string, action: (port: DevicePort) => void): void {
    this.#call(what, () => action(this.#port))
    this.stores = [...this.ram.stores]
  }

  #observe(): void {
    this.status = this.#read('status', (port) => port.readStatus())
    const { status } = this
    if (status !== (status & 0xff)) this.fail(`status reads ${status}, which is no byte`)
    const own = status & ~DEVICE_NEEDS_RESET & ~this.#written
    if (own !== 0) this.fail(`status reads ${status}: nobody wrote ${own}`)
    if ((status & DRIVER_OK) !== 0 && (status & FEATURES_OK) === 0) {
      this.fail('is live, and FEATURES_OK was never set (STATUS-DRV-01)')
    }
    if ((status & FEATURES_OK) === 0) return
    const wrong = this.#accepted.findIndex((word, window) => (word & ~this.offered[window]!) !== 0)
    if (wrong >= 0) {
      this.fail(`FEATURES_OK is set with features[${wrong}] = ${hex(this.#accepted[wrong]!)} (FEAT-DEV-03)`)
    }
    if (((this.#accepted[VIRTIO_F_VERSION_1 >>> 5]! >>> (VIRTIO_F_VERSION_1 & 31)) & 1) === 0) {
      this.fail('FEATURES_OK is set without VERSION_1 (FEAT-DEV-03)')
    }
  }

  #read<T>(what: string, action: (port: DevicePort) => T): T {
    const value = this.#call(what, () => action(this.#port))
    if (this.ram.stores.length > 0 && (this.status & DRIVER_OK) === 0) {
      this.fail(`a read of ${what} wrote at ${hex(this.ram.stores[0]!.address)}`)
    }
    return value
  }

  #call<T>(what: string, action: () => T): T {
    this.accesses++
    this.#log.push(what)
    if (this.#log.length > LOG_LENGTH) this.#log.shift()
    try {
      return this.ram.call(action)
    } catch (error) {
      if (error instanceof TooManyReads || error instanceof CallTimeout) {
        return this.fail(`${what} does not end: ${error.message}`, error)
      }
      return this.fail(failureOf(what, error), error)
    }
  }
}
