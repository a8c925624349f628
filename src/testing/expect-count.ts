import { checkInteger, MAX_U32 } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'

/** Throws `VirtioError` INVALID_COUNT: to run no case at all, because the count is none, would look like success. */
export function expectCount(name: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return
  throw new VirtioError('INVALID_COUNT', `${name} is ${count}; it must be an integer, 0 or more`)
}

/** `expectCount`, and the options that all campaigns have: throws `VirtioError` INVALID_OPTION for them. */
export function expectCampaign(
  name: string,
  count: number,
  { seed, first = 0, steps = 0 }: { readonly seed: number; readonly first?: number; readonly steps?: number },
): void {
  expectCount(name, count)
  checkInteger('seed', seed, 0)
  checkInteger('first', first, 0)
  checkInteger('steps', steps, 0, MAX_U32)
}
