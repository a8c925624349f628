/**
 * One VM: a vsock device whose registers stand in the hypervisor layer and whose queues the broker serves, a driver that
 * negotiates with it, and the guest behind the driver.
 */
import { type Broker, MESSAGE_DESCRIPTORS, RECEIVE_BYTES, RECEIVE_EXTENTS } from '../broker/index.ts'
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import { BumpAllocator, type GuestMemory, PAGE_SIZE, SegmentList } from '../memory/index.ts'
import {
  BUFFERS_PER_FLOW,
  CONTROL_SLOTS,
  RECEIVE_PAYLOAD_BYTES,
  receiveBuffersOf,
  TRANSMIT_QUEUE_SIZE,
} from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { SharedMemoryTransport } from '../transport/index.ts'
import {
  ConfigSpace,
  DeviceRegisters,
  FeatureSet,
  startDriver,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_VERSION_1,
  vsockContract,
} from '../virtio/index.ts'
import { ringAreaBytes, ringBytes } from '../virtqueue/index.ts'
import { Guest, type GuestHost, type GuestOptions, type GuestProgram, type GuestQueues } from './guest.ts'
import { type BufferKind, bufferBytes, HEADER_SLOT_BYTES } from './guest-buffers.ts'
import type { RamArea, Stage2Table } from './stage2.ts'

const RECEIVE_LIMITS = { maxChainBuffers: RECEIVE_EXTENTS, maxChainBytes: RECEIVE_BYTES }

export interface VmOptions {
  readonly vm: number
  readonly core: number
  readonly cid: number
  readonly stage2: Stage2Table
  /** Bytes at the end of its RAM for payload buffers, and nothing else. */
  readonly payloadBytes: number
  /** Of the receive queue; null: as large as its buffers need. */
  readonly queueSize: number | null
  readonly receiveBuffers: number
  /** Of the longest message that it may send, header included. */
  readonly maxMessageBytes: number
  readonly eventIdx: boolean
  readonly buffers: BufferKind
  readonly lazyReclaim: boolean
  readonly polls: boolean
  readonly keepsBytes: boolean
  readonly broker: Broker
  readonly host: GuestHost
  readonly onViolation: () => void
  /** Default: guests that run in this process. */
  readonly makeGuest?: MakeGuest
}

/** What a guest is made of. Its queues are set up and untouched. */
export interface GuestParts {
  readonly vm: number
  readonly cid: number
  readonly queues: GuestQueues
  readonly registers: DeviceRegisters
  readonly host: GuestHost
  readonly options: GuestOptions
}

/** Makes the guest of a VM. */
export type MakeGuest = (parts: GuestParts) => GuestProgram

const makeModelGuest: MakeGuest = ({ cid, queues, host, options }) => new Guest(cid, queues, host, options)

export interface Vm {
  readonly guest: GuestProgram
  /** As its driver reaches them. */
  readonly registers: DeviceRegisters
}

/** Brings the device and its driver up; the broker is attached when the driver sets DRIVER_OK. */
export function startVm(options: VmOptions): Vm {
  const { vm, broker, stage2 } = options
  const contract = vsockContract(TRANSMIT_QUEUE_SIZE)
  const receiveSize = options.queueSize ?? receiveQueueSize(options.receiveBuffers)
  const { memory } = stage2
  const registers = new DeviceRegisters(
    {
      deviceId: contract.id,
      commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1, ...(options.eventIdx ? [VIRTIO_F_EVENT_IDX] : [])),
      queueSizes: [receiveSize, TRANSMIT_QUEUE_SIZE, 8],
      chainLimits: [RECEIVE_LIMITS, { maxChainBuffers: MESSAGE_DESCRIPTORS, maxChainBytes: options.maxMessageBytes }],
      config: new ConfigSpace(contract.config, { guestCid: options.cid }),
    },
    {
      onActivate: ([receive, transmit]) => {
        // A driver that leaves one of the two out has to begin again.
        if (receive == null || transmit == null) registers.setNeedsReset()
        else broker.attach(vm, { memory, receive, transmit, rings: ringExtents(registers, memory) })
      },
      onReset: () => {},
      // The DMA may still move bytes from or to the VM, and pages of it may be lent: the status access entered the broker first.
      isResetComplete: () => !broker.isAttached(vm),
      // For the same reasons its queues cannot be taken away one by one.
      mayDisableQueue: () => !broker.isAttached(vm),
      onNotify: () => false,
    },
  )
  registers.events.on('violation', options.onViolation)
  // A guest that runs as long as its machine frees nothing: addresses are handed out one after another.
  const privateBytes = stage2.frames.length * PAGE_SIZE - options.payloadBytes
  const addresses = new BumpAllocator(stage2.base, privateBytes)
  const payloadAddresses = new BumpAllocator(stage2.base + privateBytes, options.payloadBytes)
  const allocate = (lengthBytes: number, align: number) => addresses.allocate(lengthBytes, align)
  // Kicks trap and interrupts are injected by the board, so the transport's own edges stay silent.
  const transport = new SharedMemoryTransport(
    { registers, contract },
    {
      memory,
      allocator: { allocate, free: () => {} },
      doorbell: () => {},
      interrupt: () => {},
    },
  )
  const driver = startDriver(transport, { contract, queueSizes: { rx: receiveSize, tx: TRANSMIT_QUEUE_SIZE } })
  const { lazyReclaim, polls, keepsBytes, buffers, host, makeGuest = makeModelGuest } = options
  const guest = makeGuest({
    vm,
    cid: options.cid,
    queues: {
      memory,
      receive: driver.rx.ring,
      transmit: driver.tx.ring,
      allocate,
      allocatePayload: (lengthBytes, align) => payloadAddresses.allocate(lengthBytes, align),
    },
    registers,
    host,
    options: { lazyReclaim, polls, keepsBytes, buffers },
  })
  return { guest, registers }
}

/** Where the rings lie that the driver set up. */
function ringExtents(registers: DeviceRegisters, memory: GuestMemory): SegmentList {
  const extents = new SegmentList()
  for (let queue = 0; queue < registers.queueCount; queue++) {
    registers.queueSelect = queue
    if (!registers.queueEnabled) continue
    const size = registers.queueSize
    for (const [area, bytes] of ringAreaBytes('split', size).entries()) {
      const [low, high] = ([0, 1] as const).map((half) => registers.readQueueAddress(area as 0 | 1 | 2, half))
      const backed = memory.translate(high! * 2 ** 32 + low!, bytes, extents)
      assert(backed, 'an activated ring lies in the guest’s RAM')
    }
  }
  return extents
}

/** Two descriptors a buffer. */
function receiveQueueSize(buffers: number): number {
  return 2 ** Math.ceil(Math.log2(2 * buffers))
}

/** What a VM's RAM is made of, in pages: payload buffers are apart from all else, so that they can have colours of their own. */
export interface GuestRam {
  /** Rings, headers, and whatever else the guest keeps for itself. */
  readonly privateBytes: number
  readonly payloadBytes: number
}

/** Throws `VirtioError` TOO_LITTLE_RAM. */
export function guestRamOf(scenario: Scenario, vm: number): GuestRam {
  const { name, ramBytes } = scenario.vms[vm]!
  const { privateBytes, payloadBytes } = leastRamOf(scenario, vm)
  const least = privateBytes + payloadBytes
  if (ramBytes === null) return { privateBytes: roundUp(least, 2 * 1024 * 1024) - payloadBytes, payloadBytes }
  if (ramBytes < least) {
    throw new VirtioError(
      'TOO_LITTLE_RAM',
      `VM ${name} has ${ramBytes} bytes of RAM; its rings and the buffers of its flows need ${least}`,
    )
  }
  return { privateBytes: pageMultiple(ramBytes) - payloadBytes, payloadBytes }
}

/** What its rings and the buffers of its flows need. */
export function leastRamOf(scenario: Scenario, vm: number): GuestRam {
  const { name, queueSize, buffers: kind } = scenario.vms[vm]!
  const buffers = receiveBuffersOf(scenario, vm)
  const rings = ringBytes('split', queueSize ?? receiveQueueSize(buffers)) + 2 * ringBytes('split', TRANSMIT_QUEUE_SIZE)
  const transmit = scenario.flows
    .filter((flow) => flow.from === name)
    .reduce((sum, flow) => sum + BUFFERS_PER_FLOW * bufferBytes(kind, flow.lengthBytes), 0)
  const payloadBytes = pageMultiple(buffers * bufferBytes(kind, RECEIVE_PAYLOAD_BYTES) + transmit)
  const outgoing = scenario.flows.filter((flow) => flow.from === name).length
  const connections = scenario.flows.filter((flow) => flow.from === name || flow.to === name).length
  const headers = (buffers + CONTROL_SLOTS * connections + BUFFERS_PER_FLOW * outgoing) * HEADER_SLOT_BYTES
  return { privateBytes: pageMultiple(2 * rings + headers + 64 * PAGE_SIZE), payloadBytes }
}

/** The areas behind a VM's RAM: payload buffers take the pool's colours where pages of the pool change owners. */
export function ramAreas(ram: GuestRam, colors: readonly number[], pool: readonly number[]): RamArea[] {
  return [
    { bytes: ram.privateBytes, colors },
    { bytes: ram.payloadBytes, colors: pool.length > 0 ? pool : colors },
  ]
}

function pageMultiple(bytes: number): number {
  return roundUp(bytes, PAGE_SIZE)
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit
}
