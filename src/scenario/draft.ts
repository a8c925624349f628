/**
 * The shape of a scenario file: which keys there are, what each takes, and what it is when left out. A draft is what could
 * be read of a file that may have mistakes.
 */
import { z } from 'zod'
import {
  choice,
  integer,
  name,
  nullable,
  payload,
  powerOfTwoInteger,
  powerOfTwoSize,
  rate,
  size,
  text,
  time,
} from './fields.ts'
import { type Fields, type Report, readFields, readList } from './read-fields.ts'

const GIB = 2 ** 30
const PAGE = 4096
const MAX_VMS = 64
const MAX_FLOWS = 1024

const TOP = {
  platform: text('name a platform, e.g. zcu102').default('zcu102'),
  seed: integer(0, Number.MAX_SAFE_INTEGER).default(1),
  duration: time(1).default(1e9),
  costs: choice('best', 'typical', 'worst', 'random').default('random'),
  vms: z.unknown(),
  flows: z.unknown(),
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
}

const BROKER = {
  placement: choice('floating', 'dedicated').default('floating'),
  dedicatedCore: integer(0, 63).default(3),
  scheduler: choice('edf', 'fp').default('edf'),
  chunk: powerOfTwoSize(512, 65536).default(4096),
  regulator: z.unknown(),
  transfer: choice('copy', 'remap', 'auto').default('copy'),
  interrupts: choice('minimum', 'plain').default('minimum'),
  chaining: choice('adaptive', 'piece').default('adaptive'),
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

export type TopFields = Fields<typeof TOP>
export type VmFields = Fields<typeof VM>
export type FlowFields = Fields<typeof FLOW>
export type BrokerFields = Fields<typeof BROKER>
export type OverrideFields = Fields<typeof OVERRIDES>
export type RegulatorFields = {
  [K in keyof typeof REGULATOR]: { kind: K } & Omit<Fields<(typeof REGULATOR)[K]>, 'kind'>
}

export interface Draft {
  readonly top: Partial<TopFields>
  readonly vms: readonly Partial<VmFields>[]
  readonly flows: readonly Partial<FlowFields>[]
  readonly broker: Partial<BrokerFields>
  readonly regulator: Partial<RegulatorFields[keyof RegulatorFields]>
  readonly overrides: Partial<OverrideFields>
}

/** `raw` is what a YAML or JSON reader gives; every mistake goes into the report. */
export function readDraft(raw: unknown, report: Report): Draft {
  const top = readFields(TOP, raw, [], report)
  const broker = readFields(BROKER, top.broker ?? {}, ['broker'], report)
  return {
    top,
    vms: readList(top.vms, 'VM', ['vms'], MAX_VMS, report).map((vm, i) => readFields(VM, vm, ['vms', i], report)),
    flows: readList(top.flows, 'flow', ['flows'], MAX_FLOWS, report).map((flow, i) =>
      readFields(FLOW, flow, ['flows', i], report),
    ),
    broker,
    regulator: readRegulator(broker.regulator ?? { kind: 'none' }, report),
    overrides: readFields(OVERRIDES, top.overrides ?? {}, ['overrides'], report),
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
