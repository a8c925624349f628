/**
 * A case of the adversary: a scenario, the costs of its board, and how the machine is attacked. It is data, and one YAML file, so that it
 * can be kept, shrunk and run again.
 */
import { Document, isCollection, parseDocument, visit } from 'yaml'
import { fact } from '../src/boards/board-profile.ts'
import { leastRamOf } from '../src/machine/vm.ts'
import type { CostOpName } from '../src/platform/index.ts'
import { type BoardProfile, builtInProfile, type CostTriple, parseCalibration } from '../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../src/scenario/index.ts'

/** As in a scenario file (docs/scenario.md), times in ns and sizes in bytes. */
export interface VmEntry {
  name: string
  core: number
  cid: number
  queue?: number
  buffers?: 'unaligned'
  refillsPerUs?: number
  memguard?: { refills: number; period: number }
  tasks?: { name: string; period: number; wcet: number; deadline?: number }[]
}

export interface FlowEntry {
  name: string
  from: string
  to: string
  period: number
  deadline?: number
  length: number
  payload: 'none'
  jitter?: number
  offset?: number
  priority?: number
  credit?: number
  after?: string
  compute?: number
}

export interface ScenarioFile {
  seed: number
  duration: number
  costs: Scenario['costs']
  vms: VmEntry[]
  flows: FlowEntry[]
  chains?: { name: string; flows: string[]; deadline: number }[]
  broker: Record<string, unknown> & {
    placement: 'floating' | 'dedicated'
    dedicatedCore?: number
    scheduler: 'edf' | 'fp'
  }
}

export interface CalibrationFile {
  board: 'zcu102'
  by: string
  date: string
  method: string
  costsNs: Partial<Record<CostOpName, CostTriple>>
  dmaPrefetchedPieces?: number
}

/**
 * What the machine does that the analysis leaves open. Of the flows that a timer releases: offsets, and how late each message comes within
 * its jitter. Of costs: which of them are at their best all the time; the others are at their worst.
 */
export interface Attack {
  /** Draws whatever is drawn still: phases of MemGuard and of polling. */
  seed: number
  /** By flow. */
  offsetsNs: number[]
  lateness: 'never' | 'always' | 'random' | 'clumped'
  /** `clumped`: messages wait, as long as they may, for instants at this distance, the first of which is `clumpNs`. */
  clumpNs: number
  clumpEveryNs: number
  best: CostOpName[]
}

export interface Case {
  scenario: ScenarioFile
  /** null: the board's own costs. */
  calibration: CalibrationFile | null
  attack: Attack | null
}

/** What `predict` and the machine take. */
export interface Inputs {
  /** VMs have the least RAM that will do: less to set up. */
  readonly scenario: Scenario
  readonly profile: BoardProfile
}

/** Throws `InputError` for what no scenario file may say. */
export function inputsOf({ scenario: file, calibration }: Pick<Case, 'scenario' | 'calibration'>): Inputs {
  const scenario = parseScenario(JSON.stringify(file))
  const vms = scenario.vms.map((vm, index) => {
    const { privateBytes, payloadBytes } = leastRamOf(scenario, index)
    return { ...vm, ramBytes: privateBytes + payloadBytes }
  })
  return { scenario: { ...scenario, vms }, profile: profileOf(builtInProfile(scenario), calibration) }
}

function profileOf(board: BoardProfile, calibration: CalibrationFile | null): BoardProfile {
  if (calibration === null) return board
  const { costsNs, dmaPrefetchedPieces } = calibration
  const drawn = <T>(value: T) => fact(value, 'MEASURED', `${calibration.by}: ${calibration.method}`)
  const costs = Object.entries(costsNs).map(([op, value]) => [op, drawn(value)])
  return {
    ...board,
    costsNs: { ...board.costsNs, ...Object.fromEntries(costs) },
    ...(dmaPrefetchedPieces !== undefined && { dmaPrefetchedPieces: drawn(dmaPrefetchedPieces) }),
  }
}

/** One YAML document with the keys `scenario`, `calibration` and `attack`; a VM, a flow or a cost is a line. */
export function formatCase(found: Case): string {
  const document = new Document(found)
  visit(document, {
    Collection(key, node) {
      const holdsLists = node.items.some((item) => isCollection(item) || isCollection(Object(item).value))
      if (key !== null && !holdsLists) node.flow = true
    },
  })
  return document.toString({ lineWidth: 0 })
}

/** Throws `Error` for text that is no case, `InputError` for a calibration that is none. */
export function parseCase(text: string): Case {
  const document = parseDocument(text)
  const fault = document.errors[0]
  if (fault) throw new Error(`a case is one YAML document: ${fault.message}`)
  const found = document.toJS() as Partial<Case> | null
  if (typeof found !== 'object' || found === null || typeof found.scenario !== 'object') {
    throw new Error('a case has the keys scenario, calibration and attack, as --keep writes it')
  }
  if (found.calibration) parseCalibration(JSON.stringify(found.calibration))
  return { scenario: found.scenario, calibration: found.calibration ?? null, attack: found.attack ?? null }
}
