/** What a scenario can ask for and the simulated machine does not do yet: refused, so that no figure ignores it. */
import { VirtioError } from '../internal/error.ts'
import type { Scenario } from '../scenario/index.ts'

/** Throws `VirtioError` UNSUPPORTED. */
export function refuseUnsupported({ broker, vms }: Scenario): void {
  const asked: readonly (readonly [key: string, asked: boolean])[] = [
    ['vms[].buffers: unaligned', vms.some(({ buffers }) => buffers !== 'page-aligned')],
    ['vms[].memguard', vms.some(({ memguard }) => memguard !== null)],
    ['vms[].refillsPerUs', vms.some(({ refillsPerUs }) => refillsPerUs > 0)],
    ['broker.transfer: lend', broker.transfer === 'lend'],
    ['broker.remapThreshold', broker.remapThresholdBytes !== null],
    [`broker.colorPolicy: ${broker.colorPolicy}`, broker.colorPolicy !== 'accept'],
  ]
  const refused = asked.filter(([, isAsked]) => isAsked).map(([key]) => key)
  if (refused.length === 0) return
  throw new VirtioError('UNSUPPORTED', `not simulated yet: ${refused.join(', ')}; leave it out`)
}
