/**
 * Costs that somebody measured on a board, as a file: they replace the profile's, and every output then calls them MEASURED
 * and says by whom, when and how.
 */

import { VirtioError } from '../internal/error.ts'
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import {
  anything,
  bestTypicalWorst,
  type InputKind,
  integer,
  name,
  nullable,
  type ParseOptions,
  type Report,
  rate,
  readFields,
  readInput,
  readValue,
  type Shape,
  text,
} from '../scenario/reading.ts'
import { type BoardProfile, type CostTriple, type Fact, fact } from './board-profile.ts'
import { COST_MEANINGS } from './cost-meanings.ts'

/** Measured costs of a board, to take the place of assumed ones. */
export interface Calibration {
  /** `name` of the profile whose board was measured. */
  readonly board: string
  readonly costsNs: Readonly<Partial<Record<CostOpName, Fact<CostTriple>>>>
  readonly dmaBytesPerNs: Fact<number> | null
  readonly dmaPrefetchedPieces: Fact<number> | null
}

const CALIBRATION: InputKind = { code: 'CALIBRATION', name: 'calibration', keys: 'board, by, date, method and costsNs' }

const BY = text('write who measured')
const DATE = text('write when it was measured, e.g. 2026-01-31', /^\d{4}-\d\d-\d\d$/)
const METHOD = text('write how it was measured: the counter, the load, the number of samples')

const TOP = {
  board: name(),
  by: BY,
  date: DATE,
  method: METHOD,
  costsNs: anything(),
  dmaBytesPerNs: anything(),
  dmaPrefetchedPieces: anything(),
}

/** Throws an `InputError` with code CALIBRATION that lists everything that is wrong; reads no file. */
export function parseCalibration(source: string, options: ParseOptions = {}): Calibration {
  return readInput(source, options, CALIBRATION, (raw, report) => {
    const top = readFields(TOP, raw, [], report)
    const costsNs = readFields(
      Object.fromEntries(COST_OPS.map((op) => [op, anything()])),
      top.costsNs ?? {},
      ['costsNs'],
      report,
    )
    const measured = (type: Shape[string], value: unknown, path: readonly string[]) =>
      value === undefined || value === null ? null : readMeasurement(type, value, path, top, report)
    const costs = Object.entries(costsNs)
      .map(([op, value]) => [op, measured(bestTypicalWorst(), value, ['costsNs', op])] as const)
      .filter(([, found]) => found !== null)
    const calibration = {
      board: top.board,
      costsNs: Object.fromEntries(costs),
      dmaBytesPerNs: measured(rate(), top.dmaBytesPerNs, ['dmaBytesPerNs']),
      dmaPrefetchedPieces: measured(integer(0, 1024), top.dmaPrefetchedPieces, ['dmaPrefetchedPieces']),
    } as Calibration
    if (costs.length === 0 && !calibration.dmaBytesPerNs && !calibration.dmaPrefetchedPieces) {
      report.value([], raw, 'nothing is measured here', 'give at least one of the costs, or dmaBytesPerNs')
    }
    return calibration
  })
}

/** A value, or a mapping with a value and what is different of who, when and how. */
function readMeasurement(
  type: Shape[string],
  raw: unknown,
  path: readonly string[],
  top: { readonly by?: string; readonly date?: string; readonly method?: string },
  report: Report,
): Fact<unknown> {
  const own =
    typeof raw === 'object' && !Array.isArray(raw)
      ? readFields({ value: type, by: nullable(BY), date: nullable(DATE), method: nullable(METHOD) }, raw, path, report)
      : { value: readValue(type, raw, path, report) }
  const [by, date, method] = [own.by ?? top.by, own.date ?? top.date, own.method ?? top.method]
  return fact(own.value, 'MEASURED', `${by}, ${date}: ${method}`)
}

/** The profile with what was measured in place of what was known. Throws `VirtioError` when it is another board's. */
export function calibrated(profile: BoardProfile, calibration: Calibration): BoardProfile {
  const { board, costsNs, dmaBytesPerNs, dmaPrefetchedPieces } = calibration
  if (board !== profile.name) {
    throw new VirtioError('WRONG_BOARD', `the calibration is of board "${board}", the platform is "${profile.name}"`)
  }
  const wire = profile.dmaWireBytesPerNs.value
  if (dmaBytesPerNs && dmaBytesPerNs.value > wire) {
    const message = `dmaBytesPerNs is measured as ${dmaBytesPerNs.value}, and the wire of "${board}" carries ${wire}`
    throw new VirtioError('TOO_FAST', `${message}; one of the two is wrong`)
  }
  return {
    ...profile,
    dmaBytesPerNs: dmaBytesPerNs ?? profile.dmaBytesPerNs,
    dmaPrefetchedPieces: dmaPrefetchedPieces ?? profile.dmaPrefetchedPieces,
    costsNs: { ...profile.costsNs, ...costsNs },
  }
}

/** A calibration file to fill in: the present figures, each commented out, so that only what was measured counts as measured. */
export function calibrationTemplate(profile: BoardProfile): string {
  const { dmaBytesPerNs, dmaPrefetchedPieces } = profile
  const costs = COST_OPS.flatMap((op) => {
    const { value, status, source } = profile.costsNs[op]
    return [`  ## ${COST_MEANINGS[op]} (${status}: ${source})`, `  # ${op}: [${value.join(', ')}]`]
  })
  return [
    '# A calibration file of virtio-sdk: what you measured on a board, in place of what is assumed of it.',
    '# Remove the # before the names that you measured, put your figures there, and leave the rest as it is.',
    '# Use it with `--calibration THIS.yaml`, or in a scenario: `calibration: file:THIS.yaml`.',
    `board: ${profile.name}`,
    'by: ""        # who measured',
    'date: ""      # when: 2026-01-31',
    'method: ""    # how: which counter, under which load, how many samples',
    '# Of one action each: [best, typical, worst] in ns, or with a unit, e.g. 1.5us. What was measured by others or otherwise:',
    '#   hvc: { value: [190, 280, 1650], by: "…", date: "…", method: "…" }',
    'costsNs:',
    ...costs,
    `## Memory-to-memory copy rate of one DMA channel, bytes/ns (${dmaBytesPerNs.status}: ${dmaBytesPerNs.source})`,
    `# dmaBytesPerNs: ${dmaBytesPerNs.value}`,
    `## Pieces fetched beyond the one that moves (${dmaPrefetchedPieces.status}: ${dmaPrefetchedPieces.source})`,
    `# dmaPrefetchedPieces: ${dmaPrefetchedPieces.value}`,
    '',
  ].join('\n')
}
