/**
 * Looks for a program or a hostile ring that a target answers wrongly, for as long as it is let. Every finding is plain data
 * that `replay` runs again, with the same seed, on any machine: what a corpus keeps.
 */
import * as fc from 'fast-check'
import { checkFlags, checkObject } from '../internal/check-option.ts'
import { inWords } from '../internal/in-words.ts'
import { runHostilePackedDevice } from './format/packed/hostile-packed-device.ts'
import { runHostilePackedRings } from './format/packed/hostile-packed-driver.ts'
import { runHostileDevice } from './format/split/hostile-device.ts'
import { runHostileRings } from './format/split/hostile-run.ts'
import { QueueMismatch } from './mismatch.ts'
import { CallTimeout, callWithin } from './museum/bounded-call.ts'
import { queueCommands } from './queue-commands.ts'
import type { PackedQueueProgram, QueueProgram } from './queue-program.ts'
import type { DeviceQueueTarget, DriverQueueTarget, PackedDeviceTarget, PackedDriverTarget } from './queue-targets.ts'
import { referenceModel } from './reference-model.ts'
import { hungOn } from './ring-scene.ts'

export type FuzzTarget = DeviceQueueTarget | DriverQueueTarget | PackedDeviceTarget | PackedDriverTarget

/** One thing to run against a target. */
export type FuzzCase =
  | { readonly kind: 'program'; readonly program: QueueProgram | PackedQueueProgram }
  | {
      readonly kind: 'hostile'
      readonly seed: number
      readonly number: number
      readonly eventIdx: boolean
      readonly indirect: boolean
      /** Of a packed ring only. */
      readonly inOrder?: boolean
    }

/** A case that a target answered wrongly, and how. */
export interface FuzzFinding {
  readonly case: FuzzCase
  /** What went wrong, with a drawing of the ring. */
  readonly message: string
}

/** How far the search is, and what it found. */
export interface FuzzProgress {
  readonly programs: number
  readonly rings: number
  /** Null: nothing yet. */
  readonly finding: FuzzFinding | null
}

const PROGRAMS_A_TURN = 200
const RINGS_A_TURN = 500
const CASE_LIMIT_MS = 5_000
/** Of one program and what it is shrunk to. */
const MOST_HANGS = 3

/** False: the case is of the other ring format. */
export function isFor(target: FuzzTarget, one: FuzzCase): boolean {
  const packed = one.kind === 'program' ? one.program.format === 'packed' : one.inOrder !== undefined
  return packed === (target.format === 'packed')
}

/** Runs one case; null: the target answered as it must, or the case is of the other ring format. */
export function replay(target: FuzzTarget, one: FuzzCase): FuzzFinding | null {
  const error = attempt(target, one)
  return error && { case: one, message: error.message }
}

function attempt(target: FuzzTarget, one: FuzzCase): Error | null {
  try {
    callWithin(() => runCase(target, one), CASE_LIMIT_MS)
    return null
  } catch (error) {
    if (error instanceof CallTimeout) return new CallTimeout(`${error.message}: ${hungOn()}`)
    return error instanceof Error ? error : new Error(`the target threw ${inWords(error)}`)
  }
}

function runCase(target: FuzzTarget, one: FuzzCase): void {
  if (one.kind === 'hostile') hostile(target, one, one.number, 1)
  else if (target.format !== 'packed' && one.program.format !== 'packed') referenceModel.compare(target, one.program)
  else if (target.format === 'packed' && one.program.format === 'packed') referenceModel.compare(target, one.program)
}

type HostileSetting = Omit<Extract<FuzzCase, { kind: 'hostile' }>, 'kind' | 'number'>

function hostile(target: FuzzTarget, setting: HostileSetting, first: number, rings: number): void {
  const { seed, eventIdx, indirect, inOrder } = setting
  const options = { seed, eventIdx, indirect, first, rings }
  if (target.format !== 'packed') {
    if (inOrder !== undefined) return
    if (target.side === 'device') runHostileRings(target, options)
    else runHostileDevice(target, options)
  } else if (inOrder !== undefined) {
    if (target.side === 'device') runHostilePackedRings(target, { ...options, inOrder })
    else runHostilePackedDevice(target, { ...options, inOrder })
  }
}

/** Options of `fuzz`. */
export interface FuzzOptions {
  /** Goes on behind a finding, for as long as the caller asks; default: the first one ends it. */
  readonly keepGoing?: boolean
}

/**
 * One turn after another, programs and hostile rings in all feature combinations that the target has, until there is a
 * finding or the caller stops asking. The same seed gives the same turns.
 */
export function* fuzz(target: FuzzTarget, seed: number, options: FuzzOptions = {}): Generator<FuzzProgress, void> {
  checkObject('options', options)
  checkFlags(options, 'keepGoing')
  const { keepGoing = false } = options
  const features = combinations(target)
  const total = { programs: 0, rings: 0 }
  for (let turn = 0; ; turn++) {
    const setting = { seed, ...features[turn % features.length]! }
    const finding = programs(target, setting, seed + turn) ?? hostileRings(target, setting, turn * RINGS_A_TURN)
    total.programs += PROGRAMS_A_TURN
    if (!hasOwnMemory(target)) total.rings += RINGS_A_TURN
    yield { ...total, finding }
    if (finding !== null && !keepGoing) return
  }
}

type Features = Omit<HostileSetting, 'seed'>

function combinations(target: FuzzTarget): Features[] {
  const values = (lacking: boolean | undefined) => (lacking ? [false] : [false, true])
  const both = values(target.lacks?.includes('eventIdx')).flatMap((eventIdx) =>
    values(target.lacks?.includes('indirect')).map((indirect) => ({ eventIdx, indirect })),
  )
  if (target.format !== 'packed') return both
  return both.flatMap((features) =>
    values(target.lacks?.includes('inOrder')).map((inOrder) => ({ ...features, inOrder })),
  )
}

/** The RAM that such a target brought is not laid out as the hostile rings want it. */
function hasOwnMemory(target: FuzzTarget): boolean {
  return target.format !== 'packed' && target.ownMemory !== undefined
}

/** The smallest program found, after shrinking; one that hangs is made only a little smaller, because each attempt takes so long. */
function programs(target: FuzzTarget, setting: HostileSetting, seed: number): FuzzFinding | null {
  const { eventIdx, indirect, inOrder } = setting
  const options = { eventIdx, indirect }
  const arbitrary: fc.Arbitrary<QueueProgram | PackedQueueProgram> =
    inOrder === undefined
      ? queueCommands({ ring: 'split', ...options })
      : queueCommands({ ring: 'packed', ...options, inOrder })
  let hangs = 0
  let smallest: FuzzFinding | null = null
  const property = fc.property(arbitrary, (program) => {
    if (hangs === MOST_HANGS) return true
    const one = { kind: 'program', program } as const
    const error = attempt(target, one)
    if (error === null) return true
    if (error instanceof CallTimeout) hangs++
    smallest = { case: one, message: error.message }
    return false
  })
  fc.check(property, { seed: seed | 0, numRuns: PROGRAMS_A_TURN })
  return smallest
}

function hostileRings(target: FuzzTarget, setting: HostileSetting, first: number): FuzzFinding | null {
  if (hasOwnMemory(target)) return null
  try {
    callWithin(() => hostile(target, setting, first, RINGS_A_TURN), CASE_LIMIT_MS)
    return null
  } catch (error) {
    for (let number = first; number < first + RINGS_A_TURN; number++) {
      const finding = replay(target, { kind: 'hostile', ...setting, number })
      if (finding !== null) return finding
    }
    // All of them one by one are fine: the time was over, nothing else.
    if (error instanceof CallTimeout) return null
    if (!(error instanceof QueueMismatch)) throw error
    const last = first + RINGS_A_TURN - 1
    const message = `once, in rings ${first} to ${last} after each other, and not when each ran alone: ${error.message}`
    return { case: { kind: 'hostile', ...setting, number: first }, message }
  }
}
