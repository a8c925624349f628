/**
 * Every option of the package that is a number is checked where it enters. The list is taken from the exported types: an option that is
 * added without a line here, or without its check, fails.
 */
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { BucketRegulator, NoRegulator, Relay } from 'virtio-sdk/broker'
import { GuestMemory, MemoryRegion } from 'virtio-sdk/memory'
import { EventKernel, TraceRecorder } from 'virtio-sdk/sim'
import * as testing from 'virtio-sdk/testing'
import { HostileGuest } from 'virtio-sdk/testing/hostile-guest'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import * as virtio from 'virtio-sdk/virtio'
import { layoutSplitQueue, SplitDeviceQueue, SplitDriverQueue } from 'virtio-sdk/virtqueue'
import { TransferPolicy, ZeroCopy } from 'virtio-sdk/zero-copy'
import { beforeAll, describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { VirtioError } from '../src/internal/error.ts'
import { adder } from './virtio/adder.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Parameters of these types are options; others are data (a scenario, a saved state, a ring) with checks of their own. */
const OPTIONS_TYPE = /(Options|Config|Spec|Declaration)\b/

const VALUES: readonly unknown[] = [Number.NaN, -1, 0, 0.5, 2 ** 32, 2 ** 53, '64']

interface Walk {
  /** Hands over one option with a value that is wrong; the others are right. */
  readonly call: (option: Readonly<Record<string, never>>) => unknown
  /** By option: which of VALUES are right after all. */
  readonly right?: Readonly<Record<string, readonly unknown[]>>
}

const memory = GuestMemory.ofSize(65536)
const ring = { size: 8, ...layoutSplitQueue(8, 0) }
// biome-ignore lint/suspicious/noExplicitAny: never gets as far as to be used
const nothing = {} as any
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
  cores: [],
  flows: [],
} as const
const bucket = { bytesPerNs: 1, burstBytes: 4096, chunkBytes: 4096, dmaBytesPerNs: 1 }
const vsockTransport = () => new SharedMemoryTransport(new virtio.VsockDevice({ guestCid: 3 }))
const campaign = { seed: [0, 2 ** 32], first: [0, 2 ** 32], steps: [0] }
const anyBytes = { bufAlloc: [], maxConnections: [], sendBufferBytes: [] }
const hostile = { seed: 1, rings: 1, eventIdx: false, indirect: false, inOrder: false }
const field = { right: { initial: [0] } }

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
  DeviceRegisters: {
    call: (option) => new virtio.DeviceRegisters({ deviceId: 1, queueSizes: [8], ...option }, nothing),
    right: { deviceId: [0] },
  },
  startDriver: {
    call: (option) => virtio.startDriver(new SharedMemoryTransport(adder.create()), option),
    right: { indirectLength: [0] },
  },
  connect: {
    call: (option) => virtio.connect(new SharedMemoryTransport(adder.create()), option),
    right: { indirectLength: [0] },
  },
  defineDevice: { call: (option) => virtio.defineDevice({ id: 5, queues: [], ...option }) },
  entropyDevice: { call: (option) => virtio.entropyDevice({ source: () => 1, ...option }) },
  u8: { call: (option) => virtio.u8('field', option), ...field },
  u16: { call: (option) => virtio.u16('field', option), ...field },
  u32: { call: (option) => virtio.u32('field', option), ...field },
  u64: { call: (option) => virtio.u64('field', option), right: { initial: [0, 2 ** 32] } },
  VsockDevice: { call: (option) => new virtio.VsockDevice({ guestCid: 3, ...option }), right: anyBytes },
  VsockDriver: { call: (option) => new virtio.VsockDriver(vsockTransport(), option), right: anyBytes },
  VsockEndpoint: { call: (option) => new virtio.VsockEndpoint(2, option), right: anyBytes },
  EventKernel: { call: (option) => new EventKernel(option) },
  TraceRecorder: { call: (option) => new TraceRecorder(option), right: { limit: [0, 2 ** 32] } },
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
    },
  },
  TransferPolicy: {
    call: (option) => new TransferPolicy('copy', option),
    right: { thresholdBytes: [0, 2 ** 32], flushPages: [2 ** 32], lentPages: [0, 2 ** 32] },
  },
  ZeroCopy: { call: (option) => ZeroCopy.on(nothing, { policy: relay.policy, vmCount: 1, ...option }) },
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
    right: { seed: campaign.seed },
  },
  runMuseum: { call: (option) => testing.runMuseum(nothing, option), right: { mostTimeouts: [2 ** 32] } },
}

/** `startDriver indirectLength`, of every export of every subpath. */
function exportedOptions(): string[] {
  const entries = Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => `${ROOT}src/${path === '.' ? '' : `${path.slice(2)}/`}index.ts`)
  const { options } = ts.getParsedCommandLineOfConfigFile(`${ROOT}tsconfig.json`, {}, ts.sys as never)!
  const program = ts.createProgram(entries, options)
  const checker = program.getTypeChecker()
  const found = new Set<string>()
  for (const entry of entries) {
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)!)!)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if ((symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class | ts.SymbolFlags.Variable)) === 0) continue
      const type = checker.getTypeOfSymbol(symbol)
      for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
        for (const parameter of signature.parameters) {
          const optionsType = checker.getNonNullableType(checker.getTypeOfSymbol(parameter))
          if (checker.isArrayLikeType(optionsType)) continue
          if (!OPTIONS_TYPE.test(checker.typeToString(optionsType))) continue
          for (const option of optionsType.getProperties()) {
            const optionType = checker.getNonNullableType(checker.getTypeOfSymbol(option))
            const parts = optionType.isUnion() ? optionType.types : [optionType]
            if (parts.some(({ flags }) => (flags & ts.TypeFlags.NumberLike) !== 0)) {
              found.add(`${symbol.name} ${option.name}`)
            }
          }
        }
      }
    }
  }
  return [...found].sort()
}

describe('numeric options', () => {
  let all: string[] = []
  beforeAll(() => {
    all = exportedOptions()
  }, 120_000)

  it('are all in the table of this test', () => {
    expect(all.length).toBeGreaterThan(70)
    expect(all.filter((each) => !(each.split(' ')[0]! in WALKS))).toEqual([])
    const functions = new Set(all.map((each) => each.split(' ')[0]))
    expect(Object.keys(WALKS).filter((name) => !functions.has(name))).toEqual([])
  })

  it('are refused with a VirtioError when they are no number, out of range, or not whole', async () => {
    const wrong: string[] = []
    for (const each of all) {
      const [name, option] = each.split(' ') as [string, string]
      const walk = WALKS[name]
      if (walk === undefined) continue
      for (const value of VALUES) {
        if (walk.right?.[option]?.includes(value)) continue
        if (anyBytesIsRight(option, value)) continue
        try {
          await walk.call({ [option]: value } as never)
          wrong.push(`${each}: ${String(value)} is accepted`)
        } catch (error) {
          if (!(error instanceof VirtioError)) wrong.push(`${each}: ${String(value)} gives ${String(error)}`)
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
