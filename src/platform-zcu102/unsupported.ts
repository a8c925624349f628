/** What a scenario can ask for and the simulated machine does not do yet: refused, so that no figure ignores it. */
import { VirtioError } from '../internal/error.ts'
import type { Scenario } from '../scenario/index.ts'

/** Throws `VirtioError` UNSUPPORTED. */
export function refuseUnsupported({ vms }: Scenario): void {
  const asked: readonly (readonly [key: string, asked: boolean])[] = [
    ['vms[].memguard', vms.some(({ memguard }) => memguard !== null)],
    ['vms[].refillsPerUs', vms.some(({ refillsPerUs }) => refillsPerUs > 0)],
  ]
  const refused = asked.filter(([, isAsked]) => isAsked).map(([key]) => key)
  if (refused.length === 0) return
  throw new VirtioError('UNSUPPORTED', `not simulated yet: ${refused.join(', ')}; leave it out`)
}
