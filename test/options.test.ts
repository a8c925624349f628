/**
 * Every option of the package is checked where it enters, also one of an option's own members. The list is taken from the exported
 * types: an option that is added without a line here, or without its check, fails.
 */
import { inspect } from 'node:util'
import {
  chainBounds,
  failing,
  largestLength,
  leastDeadlines,
  lengthPermille,
  StolenTime,
  schedulable,
  sensitivity,
  smallestBudget,
  tryChunkOverheads,
  tryChunkSizes,
} from 'virtio-sdk/analysis'
import { BucketRegulator, NoRegulator, Relay } from 'virtio-sdk/broker'
import { jailhouseCells } from 'virtio-sdk/jailhouse'
import { GuestMemory, MemoryRegion } from 'virtio-sdk/memory'
import * as zcu102 from 'virtio-sdk/platform-zcu102'
import { parseScenario, withValues } from 'virtio-sdk/scenario'
import { EventKernel, TraceRecorder } from 'virtio-sdk/sim'
import * as testing from 'virtio-sdk/testing'
import { HostileGuest } from 'virtio-sdk/testing/hostile-guest'
import { MmioTransport, MmioWindow, PciFunction, PciTransport, SharedMemoryTransport } from 'virtio-sdk/transport'
import * as virtio from 'virtio-sdk/virtio'
import {
  layoutRing,
  layoutSplitQueue,
  openDeviceRing,
  openDriverRing,
  PackedDeviceQueue,
  PackedDriverQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
} from 'virtio-sdk/virtqueue'
import { TransferPolicy, ZeroCopy } from 'virtio-sdk/zero-copy'
import { beforeAll, describe, expect, it } from 'vitest'
import { VirtioError } from '../src/internal/error.ts'
import { type ExportedOption, exportedOptions } from './exported-options.ts'
import * as v86 from './v86/walk.ts'
import { adder } from './virtio/adder.ts'
import { DEVICE_WALKS, type Walk } from './virtio/device-walks.ts'

const NUMBERS: readonly unknown[] = [Number.NaN, -1, 0, 0.5, 2 ** 32, 2 ** 53]
const OTHERS: readonly unknown[] = ['64', '', true, null, [], {}, () => {}, 64n, new DataView(new ArrayBuffer(8))]

const memory = GuestMemory.ofSize(65536)
const ring = { size: 8, ...layoutSplitQueue(8, 0) }
const packedRing = { size: 8, ...layoutRing('packed', 8, 0) }
// biome-ignore lint/suspicious/noExplicitAny: never gets as far as to be used
const nothing = {} as any
const nobody = { readConfig: () => 0, writeConfig() {}, readBar: () => 0, writeBar() {} }
const relay = {
  scheduler: 'edf',
  chunkBytes: 4096,
  chaining: 'piece',
  suppressRefillKicks: false,
  coalesceCount: 1,
  coalesceDelayNs: 0,
  waitForDmaNs: 0,
  interruptCore: 0,
  policy: new TransferPolicy('copy'),
  coreCount: 1,
  cores: [0, 0],
  flows: [],
} as const
const flow = {
  source: 0,
  destination: 1,
  periodNs: 1,
  deadlineNs: 1,
  toleranceNs: 0,
  buffers: 1,
  maximumBytes: 1,
  priority: 1,
}
const above0 = [0.5, 2 ** 32, 2 ** 53]
const bucket = { bytesPerNs: 1, burstBytes: 4096, chunkBytes: 4096, dmaBytesPerNs: 1 }
const vsockTransport = () => new SharedMemoryTransport(new virtio.VsockDevice({ guestCid: 3 }))
const campaign = { seed: [0, 2 ** 32], first: [0, 2 ** 32], steps: [0] }
const vsock = { sample: { socketTypes: ['stream'] } }
const hostile = { seed: 1, rings: 1, eventIdx: false, indirect: false, inOrder: false }
const field = { right: { initial: [0] } }

const rules = { 'dependencies[].feature': [0] }
const driverOptions = {
  right: { indirectLength: [0], queueSizes: [{}] },
  sample: { want: ['fast'], require: ['fast'] },
}
/** A live device behind a transport, and the state of its driver. */
function restorable() {
  const transport = new SharedMemoryTransport(adder.create())
  return [transport, virtio.startDriver(transport).saveState()] as const
}

const tests = { sample: { tightness: {}, ranks: [1] } }
const design = { design: 'floating' } as const
const anyNumber = NUMBERS.slice(1)
const prediction = { right: { 'ranks[]': anyNumber }, sample: { ranks: [1] } }

// biome-ignore lint/suspicious/noExplicitAny: see `nothing`
const predicting = (of: (scenario: any, options: any) => unknown): Walk => ({
  call: (option) => of(nothing, { ...design, ...option }),
  ...prediction,
})

const recording = {
  right: { limit: [0, 2 ** 32], 'window.fromNs': [0, 0.5, 2 ** 32], 'window.toNs': [0, 0.5, 2 ** 32] },
  sample: { window: { fromNs: 0, toNs: 1 } },
}

const WALKS: Readonly<Record<string, Walk>> = {
  MemoryRegion: {
    call: (option) => new MemoryRegion({ base: 0, size: 4096, buffer: new ArrayBuffer(8192), ...option }),
    right: { base: [0, 2 ** 32], byteOffset: [0] },
  },
  SplitDeviceQueue: {
    call: (option) => new SplitDeviceQueue(memory, { ...ring, ...option }),
    right: { index: [0], maxChainBytes: [0], descriptorArea: [0] },
  },
  SplitDriverQueue: {
    call: (option) =>
      new SplitDriverQueue(memory, { ...ring, indirect: true, indirectArea: 4096, indirectLength: 2, ...option }),
    right: { index: [0], descriptorArea: [0], indirectLength: [0], indirectArea: [0] },
  },
  PackedDeviceQueue: {
    call: (option) => new PackedDeviceQueue(memory, { ...packedRing, ...option }),
    right: { index: [0], maxChainBytes: [0], descriptorArea: [0] },
  },
  PackedDriverQueue: {
    call: (option) =>
      new PackedDriverQueue(memory, {
        ...packedRing,
        indirect: true,
        indirectArea: 4096,
        indirectLength: 2,
        ...option,
      }),
    right: { index: [0], descriptorArea: [0], indirectLength: [0], indirectArea: [0] },
  },
  openDeviceRing: {
    call: (option) => openDeviceRing('split', memory, { ...ring, ...option }),
    right: { index: [0], maxChainBytes: [0], descriptorArea: [0] },
  },
  openDriverRing: {
    call: (option) =>
      openDriverRing('split', memory, {
        ...ring,
        indirect: true,
        indirectArea: 4096,
        indirectLength: 2,
        ...option,
      }),
    right: { index: [0], descriptorArea: [0], indirectLength: [0], indirectArea: [0] },
  },
  DeviceRegisters: {
    call: (option) => new virtio.DeviceRegisters({ deviceId: 1, queueSizes: [8], ...option }, nothing),
    right: { deviceId: [0], 'chainLimits[].maxChainBytes': [0], ...rules },
    sample: { queueSizes: [8], chainLimits: [{}], dependencies: [{ feature: 1, anyOf: [2] }] },
  },
  Device: { call: (option) => adder.create(option as never), sample: { offer: ['fast'] } },
  SharedMemoryTransport: {
    call: (option) => new SharedMemoryTransport(adder.create(), { memory, ...option }),
    right: { 'grants[].address': [0] },
    sample: { grants: [{ address: 0, lengthBytes: 4096 }] },
  },
  MmioTransport: {
    call: (option) => MmioTransport.probe({ read: () => 0, write() {} }, { memory, ...option } as never),
    right: { configLengthBytes: [0] },
  },
  MmioWindow: {
    call: (option) => new MmioWindow(adder.create(), { memory, interruptLine() {}, ...option }),
    right: { vendorId: [0] },
  },
  PciFunction: {
    call: (option) =>
      new PciFunction(virtio.entropyDevice({ source: () => 0 }).create(), {
        memory,
        interruptLine() {},
        ...option,
      }),
  },
  PciTransport: { call: (option) => PciTransport.probe(nobody, { memory, ...option } as never) },
  startDriver: {
    call: (option) => virtio.startDriver(new SharedMemoryTransport(adder.create()), option),
    ...driverOptions,
  },
  connect: {
    call: (option) => virtio.connect(new SharedMemoryTransport(adder.create()), option),
    ...driverOptions,
  },
  restoreDriver: {
    call: (option) => virtio.restoreDriver(...restorable(), option),
    ...driverOptions,
  },
  defineDevice: {
    call: (option) => virtio.defineDevice({ id: 5, queues: [], ...option } as never),
    right: rules,
    sample: { queues: [{ name: 'requests', size: 8 }], dependencies: [{ feature: 1, anyOf: [2] }] },
  },
  entropyDevice: { call: (option) => virtio.entropyDevice({ source: () => 1, ...option }) },
  u8: { call: (option) => virtio.u8('field', option), ...field },
  u16: { call: (option) => virtio.u16('field', option), ...field },
  u32: { call: (option) => virtio.u32('field', option), ...field },
  u64: { call: (option) => virtio.u64('field', option), right: { initial: [0, 2 ** 32] } },
  le64: { call: (option) => virtio.le64('field', option), right: { initial: [64n] } },
  mac: { call: (option) => virtio.mac('field', option) },
  attachToV86: v86.walk,
  bytes: { call: (option) => virtio.bytes('field', 4, option) },
  VsockDevice: { call: (option) => new virtio.VsockDevice({ guestCid: 3, ...option }), ...vsock },
  VsockDriver: { call: (option) => new virtio.VsockDriver(vsockTransport(), option), ...vsock },
  ...DEVICE_WALKS,
  VsockEndpoint: { call: (option) => new virtio.VsockEndpoint(2, option), ...vsock },
  StolenTime: { call: (option) => new StolenTime(nothing, [], 1, nothing, option) },
  chainBounds: { call: (option) => chainBounds(nothing, [], undefined, option) },
  failing: { call: (option) => failing(nothing, option), ...tests },
  largestLength: { call: (option) => largestLength(nothing, 0, option), ...tests },
  leastDeadlines: { call: (option) => leastDeadlines(nothing, option), ...tests },
  lengthPermille: { call: (option) => lengthPermille(nothing, option), ...tests },
  schedulable: { call: (option) => schedulable(nothing, option), ...tests },
  sensitivity: { call: (option) => sensitivity(nothing, option), ...tests },
  smallestBudget: { call: (option) => smallestBudget(nothing, option), ...tests },
  tryChunkOverheads: { call: (option) => tryChunkOverheads(nothing, [], option), ...tests },
  tryChunkSizes: { call: (option) => tryChunkSizes(nothing, [], option), ...tests },
  jailhouseCells: { call: (option) => jailhouseCells(nothing, option) },
  parseScenario: { call: (option) => parseScenario('', option) },
  withValues: { call: (option) => withValues('{}', ['seed=1'], option) },
  parseBoardProfile: { call: (option) => zcu102.parseBoardProfile('', option) },
  parseCalibration: { call: (option) => zcu102.parseCalibration('', option) },
  predict: { call: (option) => zcu102.predict(nothing, { ...design, ...option }), ...prediction },
  predictUntrusted: {
    call: (option) => zcu102.predictUntrusted(nothing, nothing, { ...design, ...option }),
    ...prediction,
  },
  predictedSensitivity: predicting(zcu102.predictedSensitivity),
  predictedDominance: predicting(zcu102.predictedDominance),
  fittingChanges: { ...predicting(zcu102.fittingChanges), right: { ...prediction.right, most: [2 ** 32] } },
  searchPriorities: { call: (option) => zcu102.searchPriorities(nothing, { ...design, ...option }, 1), ...prediction },
  longestResponses: {
    call: (option) => zcu102.longestResponses(nothing, { ...design, ...option }),
    right: { runs: [2 ** 32], seed: [0, 2 ** 32], 'boundsNs[]': [0, 0.5, 2 ** 32] },
    sample: { boundsNs: [1] },
  },
  simulate: {
    call: (option) => zcu102.simulate(nothing, { ...design, payload: () => null, ...option }),
    sample: { intruder: [{}] },
  },
  EventKernel: { call: (option) => new EventKernel(option) },
  TraceRecorder: { call: (option) => new TraceRecorder(option), ...recording },
  MessageTimes: { call: (option) => new zcu102.MessageTimes(1, option), ...recording },
  BucketRegulator: {
    call: (option) => new BucketRegulator({ ...bucket, ...option }),
    right: { bytesPerNs: [0.5, 2 ** 32, 2 ** 53], dmaBytesPerNs: [0.5, 2 ** 32, 2 ** 53], burstBytes: [2 ** 32] },
  },
  Relay: {
    call: (option) => new Relay(nothing, { ...relay, ...option }, nothing, new NoRegulator()),
    right: {
      chunkBytes: [2 ** 32],
      coalesceCount: [2 ** 32],
      coalesceDelayNs: [0, 0.5, 2 ** 32],
      waitForDmaNs: [0, 0.5, 2 ** 32],
      'cores[]': [0],
      interruptCore: [0],
      // Without a policy that moves pages nobody looks at them.
      'spareFrames[]': [0, 2 ** 32],
      'flows[].source': [0],
      'flows[].periodNs': above0,
      'flows[].deadlineNs': above0,
      'flows[].buffers': above0,
      'flows[].toleranceNs': NUMBERS.slice(1),
      'flows[].maximumBytes': NUMBERS.slice(1),
      'flows[].priority': NUMBERS.slice(1),
    },
    sample: { cores: [0, 0], flows: [flow], spareFrames: [1], receiveBuffers: [1] },
  },
  TransferPolicy: {
    call: (option) => new TransferPolicy('copy', option),
    right: { thresholdBytes: [0, 2 ** 32, null], flushPages: [2 ** 32], lentPages: [0, 2 ** 32] },
  },
  ZeroCopy: {
    call: (option) => ZeroCopy.on(nothing, { policy: relay.policy, vmCount: 1, ...option }),
    right: { 'spareFrames[]': [0, 2 ** 32] },
    sample: { spareFrames: [1] },
  },
  HostileDriver: {
    call: (option) => new testing.HostileDriver({ seed: 1, eventIdx: false, indirect: false, ...option }),
    right: { seed: campaign.seed },
  },
  MockDriver: { call: (option) => new testing.MockDriver(option), right: { seed: campaign.seed } },
  RingChecker: { call: (option) => new testing.RingChecker(memory, nothing, option), right: { index: [0] } },
  attackDevice: {
    call: (option) => testing.attackDevice(nothing, { seed: 1, cases: 1, first: 0, ...option }),
    right: { ...campaign, cases: [0, 2 ** 32] },
  },
  attackDriver: {
    call: (option) => testing.attackDriver(nothing, { seed: 1, cases: 1, ...option }),
    right: { ...campaign, cases: [0, 2 ** 32] },
  },
  exploreInterleavings: {
    call: (option) => testing.exploreInterleavings(nothing, { model: 'ordered', ...option } as never),
    right: { shorten: [0] },
  },
  queueCommands: {
    call: (option) => testing.queueCommands({ ring: 'split', ...option } as never),
    right: { minCommands: [0], maxCommands: [0] },
  },
  runHostileRings: {
    call: (option) => testing.runHostileRings(nothing, { ...hostile, ...option }),
    right: { ...campaign, rings: [0, 2 ** 32] },
  },
  runHostileDevice: {
    call: (option) => testing.runHostileDevice(nothing, { ...hostile, ...option }),
    right: { ...campaign, rings: [0, 2 ** 32] },
  },
  runHostilePackedRings: {
    call: (option) => testing.runHostilePackedRings(nothing, { ...hostile, ...option }),
    right: { ...campaign, rings: [0, 2 ** 32] },
  },
  runHostilePackedDevice: {
    call: (option) => testing.runHostilePackedDevice(nothing, { ...hostile, ...option }),
    right: { ...campaign, rings: [0, 2 ** 32] },
  },
  replayInterleaving: {
    call: (option) => testing.replayInterleaving(nothing, 'weak:d1', option),
    right: { shorten: [0] },
  },
  HostileGuest: {
    call: (option) => new HostileGuest({ seed: 1, cid: 3, peers: [], ...option }),
    right: {
      seed: campaign.seed,
      'peers[].cid': [0],
      'peers[].localPort': [0],
      'peers[].peerPort': [0],
      'peers[].longestBytes': [0, 2 ** 32],
    },
    sample: { peers: [{ cid: 3, localPort: 1, peerPort: 1 }], strategies: ['storm'] },
  },
  fuzz: { call: (option) => testing.fuzz(nothing, 1, option).next() },
  remoteDevice: { call: (option) => testing.remoteDevice('mine', nothing, option) },
  runMuseum: {
    call: (option) => testing.runMuseum(nothing, option),
    right: { mostTimeouts: [2 ** 32], 'exhibits[]': [2 ** 32] },
    sample: { exhibits: [1] },
  },
}

/** Values that the types of an option exclude; of a number also those that its range should. */
function wrongValues({ kinds, words }: ExportedOption): unknown[] {
  const isRight = (value: unknown): boolean => {
    if (kinds.includes('any')) return true
    if (typeof value === 'string') return kinds.includes('string') && words.length === 0 && value !== ''
    if (typeof value !== 'object') return kinds.includes(typeof value)
    if (Array.isArray(value)) return kinds.includes('array')
    return value !== null && kinds.includes('object')
  }
  return [...NUMBERS, ...OTHERS.filter((value) => !isRight(value))]
}

/** `grants[].address`: that place in a copy of `sample`. */
function placed(sample: Readonly<Record<string, unknown>>, path: string, value: unknown): Record<string, never> {
  const [first, ...rest] = path.replaceAll('[]', '.0').split('.')
  const top: Record<string, unknown> = { [first!]: rest.length === 0 ? value : structuredClone(sample[first!]) }
  let place = top[first!] as Record<string, unknown>
  for (const [i, name] of rest.entries()) {
    if (i === rest.length - 1) place[name] = value
    else place = place[name] as Record<string, unknown>
  }
  return top as Record<string, never>
}

describe('options', () => {
  let all: ExportedOption[] = []
  beforeAll(() => {
    all = exportedOptions()
  }, 120_000)

  it('are all in the table of this test', () => {
    expect(all.length).toBeGreaterThan(200)
    const functions = new Set(all.map(({ name }) => name.split(' ')[0]!))
    expect([...functions].filter((name) => !(name in WALKS))).toEqual([])
    expect(Object.keys(WALKS).filter((name) => !functions.has(name))).toEqual([])
  })

  it('are refused with a VirtioError when they have another type, are out of range, or not whole', async () => {
    const wrong: string[] = []
    for (const each of all) {
      const [name, path] = each.name.split(' ') as [string, string]
      const walk = WALKS[name]
      if (walk === undefined) continue
      for (const value of wrongValues(each)) {
        if (walk.right?.[path]?.includes(value)) continue
        if (anyBytesIsRight(path, value)) continue
        const told = `${each.name}: ${inspect(value)}`
        try {
          await walk.call(placed(walk.sample ?? {}, path, value) as never)
          wrong.push(`${told} is accepted`)
        } catch (error) {
          if (!(error instanceof VirtioError)) wrong.push(`${told} gives ${String(error).slice(0, 200)}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })
})

/** Some limits of vsock's are as large as the numbers of this test; its own tests walk them exactly. */
function anyBytesIsRight(option: string, value: unknown): boolean {
  return value === 2 ** 32 && (option === 'maxConnections' || option === 'sendBufferBytes')
}
