import { checkFlags, checkInteger, checkObject, MAX_U32 } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'

/** Throws `VirtioError` INVALID_COUNT: to run no case at all, because the count is none, would look like success. */
export function expectCount(name: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return
  throw new VirtioError('INVALID_COUNT', `${name} is ${count}; it must be an integer, 0 or more`)
}

interface CampaignOptions {
  readonly seed: number
  readonly first?: number
  readonly steps?: number
  readonly eventIdx?: boolean
  readonly indirect?: boolean
  readonly inOrder?: boolean
  readonly shared?: boolean
}

/** `expectCount`, and the options that all campaigns have: throws `VirtioError` INVALID_OPTION for them. */
export function expectCampaign(name: string, count: number, options: CampaignOptions): void {
  checkObject('options', options)
  const { seed, first = 0, steps = 0 } = options
  expectCount(name, count)
  checkInteger('seed', seed, 0)
  checkInteger('first', first, 0)
  checkInteger('steps', steps, 0, MAX_U32)
  checkFlags(options, 'eventIdx', 'indirect', 'inOrder', 'shared')
}
