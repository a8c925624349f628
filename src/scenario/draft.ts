/**
 * The shape of a scenario file: which keys there are, what each takes, and what it is when left out. A draft is what could
 * be read of a file that may have mistakes.
 */
import { z } from 'zod'
import {
  amount,
  choice,
  file,
  flag,
  integer,
  name,
  nullable,
  numberSet,
  payload,
  powerOfTwoInteger,
  powerOfTwoSize,
  rate,
  size,
  text,
  time,
} from './fields.ts'
import { type Fields, type Report, readFields, readList, readValue } from './read-fields.ts'
import type { Path } from './source-text.ts'

const GIB = 2 ** 30
const PAGE = 4096
const MAX_PAGES = GIB / PAGE
const MAX_VMS = 64
const MAX_FLOWS = 1024
const MAX_TASKS = 256
/** Of the colours of a page: more than any board has. */
const MAX_COLOR = 1023

const TOP = {
  platform: text('name a platform, e.g. zcu102, or file:PATH').default('zcu102'),
  calibration: nullable(file()),
  seed: integer(0, Number.MAX_SAFE_INTEGER).default(1),
  duration: time(1).default(1e9),
  costs: choice('best', 'typical', 'worst', 'random').default('random'),
  vms: z.unknown(),
  flows: z.unknown(),
  chains: z.unknown(),
  broker: z.unknown(),
  overrides: z.unknown(),
}

const VM = {
  name: name(),
  core: integer(0, 63),
  // 0, 1, 2 and 2^32-1 mean the hypervisor, this VM, the host and any (virtio 1.4 §5.10.4).
  cid: integer(0, 0xffff_ffff),
  ram: nullable(size(16 * PAGE, 64 * GIB, PAGE)),
  queue: nullable(powerOfTwoInteger(2, 32768)),
  colors: nullable(numberSet(MAX_COLOR, 'page colours')),
  buffers: choice('page-aligned', 'unaligned').default('page-aligned'),
  memguard: z.unknown(),
  refillsPerUs: amount(0, 1e6, 'refills per us').default(0),
  trusted: flag().default(false),
  tasks: z.unknown(),
}

const MEMGUARD = {
  refills: integer(1, 2 ** 32 - 1),
  period: time(1),
}

const TASK = {
  name: name(),
  period: time(1),
  wcet: time(1),
  deadline: nullable(time(1)),
  priority: nullable(integer(0, 1_000_000)),
}

const FLOW = {
  name: name(),
  from: name(),
  to: name(),
  period: time(1),
  deadline: nullable(time(1)),
  length: size(1, GIB),
  payload: payload().default({ kind: 'random' }),
  jitter: time(0).default(0),
  offset: time(0).default(0),
  priority: nullable(integer(0, 1_000_000)),
  credit: size(1, 2 ** 32 - 1).default(GIB),
  after: nullable(name()),
  compute: nullable(time(0)),
  releases: nullable(text('write the path of a CSV file')),
}

const CHAIN = {
  name: name(),
  flows: z.unknown(),
  deadline: time(1),
}

const BROKER = {
  placement: choice('floating', 'dedicated').default('floating'),
  dedicatedCore: integer(0, 63).default(3),
  scheduler: choice('edf', 'fp').default('edf'),
  chunk: powerOfTwoSize(512, 65536).default(4096),
  tolerance: nullable(time(50_000)),
  regulator: z.unknown(),
  transfer: choice('copy', 'remap', 'lend', 'auto').default('copy'),
  remapThreshold: nullable(size(1, GIB)),
  colorPolicy: choice('pool', 'refuse', 'accept').default('accept'),
  poolColors: nullable(integer(1, MAX_COLOR)),
  sparePages: nullable(integer(0, MAX_PAGES)),
  lentPages: nullable(integer(1, MAX_PAGES)),
  flushPages: nullable(integer(1, MAX_PAGES)),
  memguard: choice('service', 'interruptible', 'retarget', 'accept').default('service'),
  interrupts: z.unknown(),
  chaining: choice('adaptive', 'piece').default('adaptive'),
}

const PRESET = choice('minimum', 'plain')

/** What is left out is as in `minimum`. */
const INTERRUPTS = {
  eventIdx: flag().default(true),
  lazyReclaim: flag().default(true),
  suppressRefill: flag().default(true),
  waitForShort: flag().default(true),
  polling: nullable(time(1)),
  coalesce: z.unknown(),
}

const COALESCE = {
  count: integer(2, 32768),
  delay: time(1),
}

const OVERRIDES = {
  dmaBytesPerNs: nullable(rate()),
  chunkOverheadNs: nullable(z.tuple([time(0), time(0)], { error: 'write two times, best and worst, e.g. [2us, 3us]' })),
  messageOverheadNs: nullable(time(0)),
}

const KIND = choice('none', 'rate', 'bucket', 'budget')
const REGULATOR = {
  none: { kind: KIND },
  rate: { kind: KIND, bytesPerNs: rate() },
  bucket: { kind: KIND, bytesPerNs: rate(), burst: size(1, GIB) },
  budget: { kind: KIND, budget: time(1), period: time(1) },
}

/** Every mapping of a scenario file with its keys, for documents. */
export const SHAPES = {
  top: TOP,
  vm: VM,
  memguard: MEMGUARD,
  task: TASK,
  flow: FLOW,
  chain: CHAIN,
  broker: BROKER,
  regulators: REGULATOR,
  interrupts: INTERRUPTS,
  overrides: OVERRIDES,
} as const

export type TopFields = Fields<typeof TOP>
export type MemguardFields = Fields<typeof MEMGUARD>
export type TaskFields = Fields<typeof TASK>
export type VmFields = Omit<Fields<typeof VM>, 'memguard' | 'tasks'>
export type FlowFields = Fields<typeof FLOW>
export type ChainFields = Omit<Fields<typeof CHAIN>, 'flows'>
export type BrokerFields = Omit<Fields<typeof BROKER>, 'regulator' | 'interrupts'>
export type InterruptFields = Omit<Fields<typeof INTERRUPTS>, 'coalesce'>
export type CoalesceFields = Fields<typeof COALESCE>
export type OverrideFields = Fields<typeof OVERRIDES>
export type RegulatorFields = {
  [K in keyof typeof REGULATOR]: { kind: K } & Omit<Fields<(typeof REGULATOR)[K]>, 'kind'>
}

export interface VmDraft extends Partial<VmFields> {
  readonly memguard: Partial<MemguardFields> | null
  readonly tasks: readonly Partial<TaskFields>[]
}

export interface ChainDraft extends Partial<ChainFields> {
  /** undefined: no name. */
  readonly flows: readonly (string | undefined)[]
}

/** A mapping has no preset. */
export interface InterruptDraft extends Partial<InterruptFields> {
  readonly preset: z.output<typeof PRESET> | 'custom'
  readonly coalesce: Partial<CoalesceFields> | null
}

export interface Draft {
  readonly top: Partial<TopFields>
  readonly vms: readonly VmDraft[]
  readonly flows: readonly Partial<FlowFields>[]
  readonly chains: readonly ChainDraft[]
  readonly broker: Partial<BrokerFields>
  readonly interrupts: InterruptDraft
  readonly regulator: Partial<RegulatorFields[keyof RegulatorFields]>
  readonly overrides: Partial<OverrideFields>
}

/** `raw` is what a YAML or JSON reader gives; every mistake goes into the report. */
export function readDraft(raw: unknown, report: Report): Draft {
  const top = readFields(TOP, raw, [], report)
  const { regulator, interrupts, ...broker } = readFields(BROKER, top.broker ?? {}, ['broker'], report)
  return {
    top,
    vms: readList(top.vms, 'VM', ['vms'], MAX_VMS, report).map((vm, i) => readVm(vm, ['vms', i], report)),
    flows: readList(top.flows, 'flow', ['flows'], MAX_FLOWS, report).map((flow, i) =>
      readFields(FLOW, flow, ['flows', i], report),
    ),
    chains: readList(top.chains ?? [], 'chain', ['chains'], MAX_FLOWS, report, 0).map((chain, i) =>
      readChain(chain, ['chains', i], report),
    ),
    broker,
    interrupts: readInterrupts(interrupts ?? 'minimum', report),
    regulator: readRegulator(regulator ?? { kind: 'none' }, report),
    overrides: readFields(OVERRIDES, top.overrides ?? {}, ['overrides'], report),
  }
}

function readVm(raw: unknown, path: Path, report: Report): VmDraft {
  const { memguard, tasks, ...fields } = readFields(VM, raw, path, report)
  return {
    ...fields,
    memguard:
      memguard === undefined || memguard === null
        ? null
        : readFields(MEMGUARD, memguard, [...path, 'memguard'], report),
    tasks: readList(tasks ?? [], 'task', [...path, 'tasks'], MAX_TASKS, report, 0).map((task, i) =>
      readFields(TASK, task, [...path, 'tasks', i], report),
    ),
  }
}

function readChain(raw: unknown, path: Path, report: Report): ChainDraft {
  const { flows, ...fields } = readFields(CHAIN, raw, path, report)
  if (typeof raw !== 'object' || raw === null) return { flows: [] }
  const list = readList(flows, 'flow', [...path, 'flows'], MAX_FLOWS, report)
  return { ...fields, flows: list.map((flow, i) => readValue(name(), flow, [...path, 'flows', i], report)) }
}

/** A preset by name, or a mapping of the switches. */
function readInterrupts(raw: unknown, report: Report): InterruptDraft {
  const path = ['broker', 'interrupts']
  if (typeof raw !== 'object' || Array.isArray(raw)) {
    return { preset: readValue(PRESET, raw, path, report) ?? 'minimum', coalesce: null }
  }
  const { coalesce, ...fields } = readFields(INTERRUPTS, raw, path, report)
  return {
    ...fields,
    preset: 'custom',
    coalesce:
      coalesce === undefined || coalesce === null
        ? null
        : readFields(COALESCE, coalesce, [...path, 'coalesce'], report),
  }
}

/** Its keys depend on its kind, so the kind is read first; `regulator: none` is short for `{ kind: none }`. */
function readRegulator(raw: unknown, report: Report): Draft['regulator'] {
  const path = ['broker', 'regulator']
  const source = typeof raw === 'string' ? { kind: raw } : raw
  const kind = KIND.safeParse((source as { kind?: unknown } | null)?.kind)
  // Of an unknown kind the other keys cannot be judged.
  const keys =
    kind.success || typeof source !== 'object' || source === null
      ? source
      : { kind: (source as { kind?: unknown }).kind }
  return readFields(REGULATOR[kind.data ?? 'none'], keys, path, report) as Draft['regulator']
}
