/**
 * A custom device in a few lines: declare id, queues, features and configuration, and one method per queue. Framing, bounds,
 * used lengths and the return of heads are not its problem.
 *
 *   const doubler = defineDevice({
 *     id: 0x1234, queues: [{ name: 'requests', size: 64 }],
 *     requests(queue) { for (const request of queue.drain(16)) request.writer.u32(2 * request.reader.u32()) },
 *   })
 *   const device = doubler.create()
 */
import { checkObject } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import type { ConfigFields } from './config-layout.ts'
import { checkHooks, Device, type DeviceHooks, type DeviceOptions, type QueueHandler } from './device.ts'
import { checkContract, type DeviceContract, type QueueSpec } from './device-contract.ts'
import type { FeatureDependency } from './features.ts'

type Features = Readonly<Record<string, number>>
// biome-ignore lint/complexity/noBannedTypes: no features, no fields
type None = {}

/** The contract that a declaration amounts to; exported so that a declared device can be. */
export interface DefinedContract<Q extends readonly QueueSpec[], F extends Features, C extends ConfigFields> {
  readonly id: number
  readonly queues: Q
  readonly features: F
  readonly config: C
  readonly dependencies: readonly FeatureDependency[]
}

interface Declaration<Q extends readonly QueueSpec[], F extends Features, C extends ConfigFields> {
  /** Device type number (virtio 1.4 §5). */
  readonly id: number
  /** In the order of their indices. */
  readonly queues: Q
  /** Bit numbers by name. */
  readonly features?: F
  /** Fields in the order of the layout. */
  readonly config?: C
  readonly dependencies?: readonly FeatureDependency[]
}

type Handlers<Q extends readonly QueueSpec[], F extends Features, C extends ConfigFields> = {
  readonly [K in Q[number]['name']]: QueueHandler<DefinedContract<Q, F, C>>
}

/**
 * A device type that `defineDevice` made: its contract, which drivers can be typed by, and a function that creates
 * devices.
 */
export interface DeviceDefinition<C extends DeviceContract> {
  readonly contract: C
  /** One device of this kind. Throws `VirtioError` for configuration values that do not fit. */
  create(options?: DeviceOptions<C>): Device<C>
}

/**
 * Declares a device: each queue's handler is the method with the queue's name, and runs in the context of whoever kicked it,
 * so it returns after a bounded amount of work. Throws `VirtioError` CONTRACT for a declaration that no device can have, INVALID_OPTION
 * for a member of another type.
 */
export function defineDevice<
  const Q extends readonly QueueSpec[],
  const F extends Features = None,
  const C extends ConfigFields = None,
>(
  declaration: Declaration<Q, F, C> & DeviceHooks<DefinedContract<Q, F, C>> & Handlers<Q, F, C>,
): DeviceDefinition<DefinedContract<Q, F, C>> {
  checkObject('declaration', declaration)
  const { id, queues, features = {} as F, config = {} as C, dependencies = [] } = declaration
  const contract: DefinedContract<Q, F, C> = { id, queues, features, config, dependencies }
  checkContract(contract)
  const handlers = queues.map(({ name }) => {
    const handler = (declaration as Readonly<Record<string, unknown>>)[name]
    if (typeof handler !== 'function') throw new VirtioError('CONTRACT', `queue ${name} has no handler of that name`)
    return handler.bind(declaration) as QueueHandler<DefinedContract<Q, F, C>>
  })
  checkHooks(declaration)
  return {
    contract,
    create: (options) => new Device(contract, handlers, declaration, options),
  }
}
