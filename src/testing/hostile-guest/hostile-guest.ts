/**
 * A guest that does its worst with what a VM has: its registers, its rings, its RAM and its doorbells. What it does comes from
 * seeded strategies (`HOSTILE_STRATEGIES`), so that a run can be repeated. It knows nothing of the device behind the registers, of the
 * hypervisor or of the platform; whoever runs it calls `turn` when the VM's code may run, rings the doorbells that it asks for, and sees
 * to it that no other VM notices more than it should.
 *
 * The device is a vsock device with the queues rx, tx and event (virtio 1.4 §5.10): its payload is packets to other VMs.
 */
import {
  checkArray,
  checkInteger,
  checkObject,
  checkWord,
  MAX_SAFE,
  MAX_U32,
  refuseOption,
} from '../../internal/check-option.ts'
import { Random } from '../../internal/random.ts'
import { type GuestMemory, MemoryError, PAGE_SIZE } from '../../memory/index.ts'
import { ACKNOWLEDGE, type DeviceRegisters, DRIVER, DRIVER_OK, FEATURES_OK } from '../../virtio/index.ts'
import { EVENT, HostileKick, RX, TX } from './hostile-kick.ts'
import { RawQueue } from './raw-queue.ts'
import { HOSTILE_STRATEGIES, type HostileStrategyName, STRATEGIES } from './strategies.ts'

/** A connection that the VM had, or pretends to have. */
export interface HostilePeer {
  readonly cid: number
  readonly localPort: number
  readonly peerPort: number
  /** Longest message that the VM may send on it, where that is known. */
  readonly longestBytes?: number
}

/** Options of `HostileGuest`. */
export interface HostileGuestOptions {
  readonly seed: number
  /** Of its own device. */
  readonly cid: number
  /** The first is one that the VM really has, and is taken most often. */
  readonly peers: readonly HostilePeer[]
  /** Default: three, drawn from all. */
  readonly strategies?: readonly HostileStrategyName[]
  /** Shared by guests that collude; default: its own. */
  readonly accomplices?: Accomplices
}

/** What guests that collude tell each other, outside of the machine. */
export class Accomplices {
  /** Turns of all of them together. */
  turns = 0
  /** At such turns all of them do the same at once. */
  everyTurns = 8
  /** Pages that one of them would like the others to do something about: addresses mean the same in every VM's RAM. */
  readonly pages: number[] = []
}

/** A guest that drives its own registers, rings and memory against the broker, by strategies drawn from a seed. */
export class HostileGuest {
  readonly cid: number
  readonly peers: readonly HostilePeer[]
  readonly strategies: readonly HostileStrategyName[]
  readonly accomplices: Accomplices
  readonly random: Random
  /** How often each strategy was given a turn. */
  readonly turns = new Map<HostileStrategyName, number>()
  resets = 0
  #memory: GuestMemory | null = null
  #registers: DeviceRegisters | null = null
  #queues: (RawQueue | null)[] | null = null
  #resetting = false
  readonly #borrowed: number[] = []
  #isFree = false

  constructor(options: HostileGuestOptions) {
    checkInteger('seed', options.seed, 0)
    checkInteger('cid', options.cid, 3, 0xffff_fffe)
    checkGuestOptions(options)
    this.cid = options.cid
    this.peers = options.peers
    this.random = new Random(options.seed, 0x6057)
    this.accomplices = options.accomplices ?? new Accomplices()
    this.strategies = options.strategies ?? [0, 0, 0].map(() => this.random.pick(HOSTILE_STRATEGIES))
  }

  get memory(): GuestMemory {
    return this.#memory!
  }

  get registers(): DeviceRegisters {
    return this.#registers!
  }

  /** Its queue 0 (rx) or 1 (tx); null while it is not set up. */
  queue(index: number): RawQueue | null {
    if (this.#queues === null) this.#queues = [RX, TX].map((queue) => this.#found(queue))
    return this.#queues[index] ?? null
  }

  /**
   * The VM's code runs. Returns bits of `HostileKick`: the doorbells to ring, and whether 0 is written to the status register, after
   * which `resetRead` tells what it read back.
   */
  turn(memory: GuestMemory, registers: DeviceRegisters): number {
    this.#memory = memory
    this.#registers = registers
    this.accomplices.turns++
    if (this.#resetting) return HostileKick.reset
    const together = this.accomplices.turns % this.accomplices.everyTurns === 0
    const name = together ? this.strategies[0]! : this.random.pick(this.strategies)
    this.turns.set(name, (this.turns.get(name) ?? 0) + 1)
    try {
      // Without queues there is little to do but to set them up again.
      if (this.#isFree && this.random.chance(0.7)) return this.setUp()
      return STRATEGIES[name](this)
    } catch (error) {
      // A page of it is lent, or under way to another VM: a fault in stage 2, which costs the guest its turn.
      if (error instanceof MemoryError) return HostileKick.none
      throw error
    }
  }

  /** What the status register read after a reset was asked for. */
  resetRead(status: number): void {
    this.#resetting = status !== 0
    if (status !== 0) return
    this.resets++
    this.#queues = null
    this.#borrowed.length = 0
    this.#isFree = true
  }

  /** Asks for a reset, now and until it is complete. */
  reset(): number {
    this.#resetting = true
    return HostileKick.reset
  }

  /** Brings its device up as a driver should, with rings of sizes and at places of its own choice. */
  setUp(sizes: readonly [rx: number, tx: number] = [64, 64]): number {
    const { registers } = this
    registers.writeStatus(ACKNOWLEDGE)
    registers.writeStatus(ACKNOWLEDGE | DRIVER)
    registers.driverFeaturesSelect = 1
    registers.writeDriverFeatures(1)
    registers.driverFeaturesSelect = 0
    registers.writeDriverFeatures(this.random.chance(0.5) ? 1 << 29 : 0)
    registers.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK)
    sizes.forEach((size, queue) => {
      this.placeQueue(queue, size)
    })
    // Not every driver has a use for the event queue.
    if (this.random.chance(0.8)) this.placeQueue(EVENT, 8)
    registers.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
    this.#queues = null
    this.#isFree = false
    return HostileKick.none
  }

  /** Gives a queue a size and zeroed areas, and enables it. */
  placeQueue(queue: number, size: number): void {
    const { memory, registers } = this
    const { base, size: bytes } = memory.regions[0]!
    const need = 26 * size + 4 * PAGE_SIZE
    if (need > bytes / 2) return
    const at = base + PAGE_SIZE * this.random.between(0, Math.floor((bytes - need) / PAGE_SIZE))
    memory.fill(at, need, 0)
    registers.queueSelect = queue
    registers.queueSize = size
    const driver = at + 16 * size
    const device = driver + PAGE_SIZE * Math.ceil((6 + 2 * size) / PAGE_SIZE)
    for (const [area, address] of [at, driver, device].entries()) {
      registers.writeQueueAddress(area as 0 | 1 | 2, 0, address >>> 0)
      registers.writeQueueAddress(area as 0 | 1 | 2, 1, Math.floor(address / 2 ** 32))
    }
    registers.enableQueue()
  }

  /** One of its connections. */
  peer(): HostilePeer {
    return this.random.chance(0.5) ? this.peers[0]! : this.random.pick(this.peers)
  }

  /** A page of its RAM; of those that others of its strategies have an eye on, now and then. */
  page(): number {
    const { base, size } = this.memory.regions[0]!
    const { pages } = this.accomplices
    if (pages.length > 0 && this.random.chance(0.5)) return this.random.pick(pages)
    return base + PAGE_SIZE * this.random.between(0, size / PAGE_SIZE - 1)
  }

  /** The page in which a buffer of one of its queues lies: where pages come and go. */
  bufferPage(): number {
    const queue = this.queue(this.random.between(RX, TX))
    if (queue === null) return this.page()
    const address = queue.addressOf(this.random.between(0, queue.size - 1))
    const { base, size } = this.memory.regions[0]!
    return address >= base && address < base + size ? address - (address % PAGE_SIZE) : this.page()
  }

  /** Pages of receive buffers that were used since it looked last, and that it has not given back: lent ones may be among them. */
  borrowedPages(queue: RawQueue): readonly number[] {
    for (const page of queue.usedPages()) this.#borrowed.push(page)
    return this.#borrowed.splice(0, this.random.between(4, 12))
  }

  #found(index: number): RawQueue | null {
    const { registers, memory } = this
    registers.queueSelect = index
    const size = registers.queueSize
    if (!registers.queueEnabled || size === 0) return null
    const address = (area: 0 | 1 | 2) =>
      registers.readQueueAddress(area, 1) * 2 ** 32 + registers.readQueueAddress(area, 0)
    return new RawQueue(memory, size, address(0), address(1), address(2))
  }
}

/** Throws `VirtioError` INVALID_OPTION. */
function checkGuestOptions({ peers, accomplices, strategies }: HostileGuestOptions): void {
  checkArray('peers', peers, 'an array of HostilePeer')
  for (const [i, peer] of peers.entries()) {
    checkObject(`peers[${i}]`, peer, 'a HostilePeer')
    const { cid, localPort, peerPort, longestBytes = 0 } = peer as HostilePeer
    for (const [name, value] of Object.entries({ cid, localPort, peerPort })) checkInteger(name, value, 0, MAX_U32)
    checkInteger('longestBytes', longestBytes, 0, MAX_SAFE, 'bytes')
  }
  if (accomplices !== undefined && !(accomplices instanceof Accomplices)) {
    refuseOption('accomplices', accomplices, 'Accomplices')
  }
  if (strategies === undefined) return
  checkArray('strategies', strategies, 'an array of strategies')
  for (const name of strategies) checkWord('strategies', name, HOSTILE_STRATEGIES)
}
