/** The options that the tests of this folder have in common. Sets of flows are data: `validateFlowSet` looks at them. */
import { checkFlags, checkObject, checkWord, refuseOption } from '../internal/check-option.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

const SWITCHES = Object.keys(TIGHTNESS.A4) as (keyof Tightness)[]

/** Any numbers: only their order counts. Throws `VirtioError` INVALID_OPTION. */
export function checkRanks(ranks: ArrayLike<number>): void {
  for (let i = 0; i < ranks.length; i++) {
    const rank = ranks[i]
    if (typeof rank !== 'number' || Number.isNaN(rank)) refuseOption(`ranks[${i}]`, rank, 'a number')
  }
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkTestOptions(options: {
  readonly scheduler?: unknown
  readonly tightness?: unknown
  readonly ranks?: unknown
}): void {
  checkObject('options', options)
  const { scheduler, tightness, ranks } = options
  if (scheduler !== undefined) checkWord('scheduler', scheduler, ['fp', 'edf'])
  if (tightness !== undefined) {
    checkObject('tightness', tightness, 'Tightness')
    checkFlags(tightness as Tightness, ...SWITCHES)
  }
  if (ranks === undefined) return
  const isList = typeof (ranks as ArrayLike<number> | null)?.length === 'number' && typeof ranks === 'object'
  if (!isList) refuseOption('ranks', ranks, 'an array of numbers')
  checkRanks(ranks as ArrayLike<number>)
}
