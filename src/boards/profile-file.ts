/**
 * A board as a file that people copy and edit: every figure with its provenance, as in `BoardProfile`, units in the names of
 * the keys. What is written by `formatBoardProfile` is read by `parseBoardProfile` as the same profile.
 */
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import {
  anything,
  bestTypicalWorst,
  type InputKind,
  integer,
  name,
  type ParseOptions,
  type Report,
  rate,
  readFields,
  readInput,
  type Shape,
  text,
} from '../scenario/reading.ts'
import { type BoardProfile, type Fact, HARDWARE, STATUSES } from './board-profile.ts'
import { COST_MEANINGS } from './cost-meanings.ts'

type Hardware = keyof BoardProfile['hardware']
type Figure = Exclude<keyof BoardProfile, 'name' | 'title' | 'hardware' | 'dmaRateControl' | 'costsNs'>

interface FigureKind {
  readonly meaning: string
  readonly type: Shape[string]
}

const FIGURES: Readonly<Record<Figure, FigureKind>> = {
  cores: { meaning: 'cores that VMs and the broker may use', type: integer(1, 64) },
  cpuHz: { meaning: 'clock of the cores, Hz', type: integer(1, 1e11) },
  pageColors: {
    meaning: 'colours of a 4 KiB page: bytes of a way of the last shared cache / 4096',
    type: integer(1, 1024),
  },
  listRegisters: { meaning: 'virtual interrupts that can be pending at once', type: integer(1, 64) },
  dmaBytesPerNs: { meaning: 'memory-to-memory copy rate of one DMA channel, bytes/ns (1 is 1 GB/s)', type: rate() },
  dmaWireBytesPerNs: { meaning: 'what the wire cannot exceed, bytes/ns', type: rate() },
  dmaPrefetchedPieces: {
    meaning: 'pieces that the engine has fetched beyond the one it moves: PAUSE reaches the first it has not',
    type: integer(0, 1024),
  },
}

const RATE_CONTROL = {
  clockHz: integer(1, 1e11),
  burstBytes: integer(1, 1 << 20),
  maximumCount: integer(1, 2 ** 32 - 1),
}
const RATE_CONTROL_MEANING =
  'One burst every 1 to maximumCount clocks of a DMA channel; leave it out where the DMA has none'

const HARDWARE_MEANING = 'What the board is, in words: for the reader, nothing is computed from it.'
const FIX_STATUS = `say where it comes from: ${STATUSES.join(', ')}`

const PLATFORM: InputKind = { code: 'PLATFORM', name: 'platform', keys: 'name, cores and costsNs' }

const TOP: Shape = {
  name: name(),
  title: text('write what the board is called'),
  hardware: anything(),
  ...Object.fromEntries(Object.keys(FIGURES).map((figure) => [figure, anything()])),
  dmaRateControl: anything(),
  costsNs: anything(),
}

/** Throws an `InputError` with code PLATFORM that lists everything that is wrong; reads no file. */
export function parseBoardProfile(source: string, options: ParseOptions = {}): BoardProfile {
  return readInput(source, options, PLATFORM, (raw, report) => {
    const top = readFields(TOP, raw, [], report)
    const figures = keys(FIGURES).map((key) => [key, readFact(FIGURES[key].type, top[key], [key], report)])
    const draft = {
      name: top.name,
      title: top.title,
      hardware: readFacts(HARDWARE, () => text('say what it is'), top.hardware, 'hardware', report),
      ...Object.fromEntries(figures),
      ...readRateControl(top.dmaRateControl, report),
      costsNs: readFacts(COST_OPS, () => bestTypicalWorst(), top.costsNs, 'costsNs', report),
    } as BoardProfile
    const { dmaBytesPerNs: copy, dmaWireBytesPerNs: wire } = draft
    if (copy.value > wire.value) {
      const message = `the DMA copies ${copy.value} bytes/ns over a wire of ${wire.value}`
      report.value(['dmaBytesPerNs', 'value'], copy.value, message, 'make it at most dmaWireBytesPerNs')
    }
    return draft
  })
}

function readFact(type: Shape[string], raw: unknown, path: readonly string[], report: Report): Partial<Fact<unknown>> {
  const status = text(FIX_STATUS, new RegExp(STATUSES.join('|')))
  const shape = { value: type, status, source: text('name the document, the code or the measurement') }
  return readFields(shape, raw, path, report)
}

function readRateControl(raw: unknown, report: Report): { dmaRateControl?: unknown } {
  if (raw === undefined || raw === null) return {}
  const control = readFact(anything(), raw, ['dmaRateControl'], report)
  if (typeof raw !== 'object' || Array.isArray(raw)) return {}
  return {
    dmaRateControl: {
      ...control,
      value: readFields(RATE_CONTROL, control.value, ['dmaRateControl', 'value'], report),
    },
  }
}

function readFacts(
  names: readonly string[],
  typeOf: () => Shape[string],
  raw: unknown,
  key: string,
  report: Report,
): Record<string, Partial<Fact<unknown>>> {
  const found = readFields(Object.fromEntries(names.map((item) => [item, anything()])), raw, [key], report)
  if (typeof raw !== 'object' || raw === null) return {}
  return Object.fromEntries(names.map((item) => [item, readFact(typeOf(), found[item], [key, item], report)]))
}

/** YAML. */
export function formatBoardProfile(profile: BoardProfile): string {
  const facts = <K extends string>(
    names: readonly K[],
    of: (key: K) => Fact<unknown>,
    why: (key: K) => string | null,
  ) => names.flatMap((key) => [...comment(why(key), '  '), `  ${key}: ${formatFact(of(key))}`])
  return [
    '# A platform file of virtio-sdk. Copy it, change it, and name it in a scenario: `platform: file:THIS.yaml`.',
    '# Every figure says where it comes from. READ: seen in a public source. RECALLED: common knowledge, unchecked.',
    '# DERIVED: computed from others. ASSUMED: a placeholder. MEASURED: on the board.',
    `name: ${profile.name}`,
    `title: ${JSON.stringify(profile.title)}`,
    ...comment(HARDWARE_MEANING, ''),
    'hardware:',
    ...facts<Hardware>(
      HARDWARE,
      (key) => profile.hardware[key],
      () => null,
    ),
    ...keys(FIGURES).flatMap((key) => [...comment(FIGURES[key].meaning, ''), `${key}: ${formatFact(profile[key])}`]),
    ...(profile.dmaRateControl
      ? [...comment(RATE_CONTROL_MEANING, ''), `dmaRateControl: ${formatFact(profile.dmaRateControl)}`]
      : []),
    '# Of one action each: [best, typical, worst] in ns, or with a unit, e.g. 1.5us.',
    'costsNs:',
    ...facts<CostOpName>(
      COST_OPS,
      (key) => profile.costsNs[key],
      (key) => COST_MEANINGS[key],
    ),
    '',
  ].join('\n')
}

function comment(meaning: string | null, indent: string): string[] {
  return meaning === null ? [] : [`${indent}# ${meaning}`]
}

function formatFact({ value, status, source }: Fact<unknown>): string {
  return `{ value: ${formatValue(value)}, status: ${JSON.stringify(status)}, source: ${JSON.stringify(source)} }`
}

/** JSON is YAML; only with spaces it is easier to read. */
function formatValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{ ${Object.entries(value)
    .map(([key, item]) => `${key}: ${formatValue(item)}`)
    .join(', ')} }`
}

function keys<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[]
}
