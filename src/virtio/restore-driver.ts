/**
 * A driver that goes on where its snapshot was taken: over memory that is as it was, in front of a device that was restored, and
 * without a word to the device. It has all the calls that were under way.
 */
import { checkFunction, checkObject } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { refuseState } from '../internal/saved-state.ts'
import type { DriverRing, Violation } from '../virtqueue/index.ts'
import { contractOf, driverRing, type FeatureFlags, readOffer } from './connect.ts'
import { DEVICE_NEEDS_RESET, DRIVER_OK, FAILED } from './constants.ts'
import type { DeviceContract, FeatureName, QueueName } from './device-contract.ts'
import { type Driver, DriverCore, replaceDriver } from './driver.ts'
import { DriverConfig } from './driver-config.ts'
import { DriverQueue } from './driver-queue.ts'
import { acceptedFeatures, checkDriverShape, type DriverState, requireDriverState } from './driver-state.ts'
import type { DriverTransport } from './driver-transport.ts'

/** Options of a driver that is restored: those that it was started with. */
export interface RestoreOptions<C extends DeviceContract, W extends FeatureName<C>, R extends FeatureName<C>> {
  /** As for `startDriver`. */
  readonly contract?: C
  readonly want?: readonly W[]
  readonly require?: readonly R[]
  /** For a chain that was added with a callback (`add`, `post`): its new callback. Needed when there is one. */
  readonly completion?: (queue: QueueName<C>, id: number) => (writtenBytes: number) => void
}

/**
 * Attaches to a device that was restored before, and completes nothing yet: a device raises again what it had raised and nobody had
 * taken; behind one that does not, call `poll` once. Calls that were under way are in `queue.resumed`. A queue whose `onUsed` was set
 * gets one that does nothing: its owner sets the real one. Throws `VirtioError` INVALID_STATE, INVALID_OPTION, NO_DEVICE, WRONG_DEVICE
 * or CONTRACT; the transport's allocator may have taken over its part by then.
 */
export function restoreDriver<
  C extends DeviceContract,
  const W extends FeatureName<C> = never,
  const R extends FeatureName<C> = never,
>(
  transport: DriverTransport<C>,
  state: DriverState,
  options: RestoreOptions<C, W, R> = {},
): Driver<C, FeatureFlags<W, R>> {
  checkObject('options', options)
  const contract = contractOf(transport, options)
  if (options.completion !== undefined) checkFunction('completion', options.completion)
  checkDriverShape(
    state,
    contract.id,
    contract.queues.map(({ name }) => name),
  )
  const status = transport.readStatus() & (DRIVER_OK | DEVICE_NEEDS_RESET | FAILED)
  requireDriverState(status === DRIVER_OK, 'the device behind the transport is not live: restore it first')
  const accepted = acceptedFeatures(state)
  const offered = readOffer(transport)
  requireDriverState(accepted.isSubsetOf(offered), 'the device does not offer what was negotiated')
  const bitOf = (name: string) => {
    const bit = contract.features[name]
    if (bit === undefined) throw new VirtioError('CONTRACT', `device ${contract.id} has no feature ${name}`)
    return bit
  }
  const asked = [...(options.want ?? []), ...(options.require ?? [])].map((name) => [name, accepted.has(bitOf(name))])
  for (const name of options.require ?? []) requireDriverState(accepted.has(bitOf(name)), `${name} was not negotiated`)

  let driver: DriverCore<C, FeatureFlags<W, R>> | null = null
  const queues = state.queues.map((saved, index) => {
    const onViolation = (violation: Violation) => driver?.onViolation(violation)
    const ring = restoredRing(saved.name, () => driverRing(transport, saved, index, accepted, onViolation, saved.ring))
    const report = (error: unknown) => driver?.onFault(error, index)
    const queue = new DriverQueue(saved.name, ring, transport, saved.indirectLength, report)
    const { completion } = options
    queue.restoreCalls(saved, completion && ((id) => completion(saved.name as QueueName<C>, id)))
    return queue
  })
  const config = new DriverConfig<C['config']>(transport, contract.config, (name) => offered.has(bitOf(name)))
  transport.restoreState?.(state.transport)
  replaceDriver(transport, 'keep the device')
  const flags = Object.fromEntries(asked) as FeatureFlags<W, R>
  driver = new DriverCore(contract, transport, accepted, flags, queues, config, state.blocks, state.queues)
  return driver as Driver<C, FeatureFlags<W, R>>
}

/** Where the state says that a queue is, none can be: that is a fault of the state, whatever the ring calls it. */
function restoredRing(name: string, make: () => DriverRing): DriverRing {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof VirtioError) || error.code === 'INVALID_STATE') throw error
    return refuseState('driver', `queue ${name}: ${error.message}`)
  }
}
