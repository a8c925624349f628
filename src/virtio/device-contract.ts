/**
 * What a device and its driver agree on before they meet: the device type, its queues, features and configuration by name.
 * A contract holds no behaviour, so that both sides can be written against it.
 */
import { checkArray, checkObject, checkText, checkWord, MAX_U32, refuseOption } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { type ConfigFields, checkFields } from './config-layout.ts'
import { FEATURE_BITS } from './constants.ts'
import { COMMON_FEATURES, featureDependencies } from './device-features.ts'
import { checkDependencies, type FeatureDependency } from './features.ts'

/** A queue of a device type: its name, and its largest size. */
export interface QueueSpec {
  readonly name: string
  /** Largest size the device supports, and the size drivers ask for: a power of two, 1..32768. */
  readonly size: number
}

/** A device type as both sides know it: number, queues, features and configuration, all by name. */
export interface DeviceContract {
  readonly id: number
  readonly queues: readonly QueueSpec[]
  /** Bit numbers by name: what the device type defines, not the common features. */
  readonly features: Readonly<Record<string, number>>
  readonly config: ConfigFields
  /** Beyond those that the specification has for this device type. */
  readonly dependencies?: readonly FeatureDependency[]
}

/** A name among the features of a contract. */
export type FeatureName<C extends DeviceContract> = keyof C['features'] & string
/** A name among the queues of a contract. */
export type QueueName<C extends DeviceContract> = C['queues'][number]['name']

/** All dependency rules that negotiation of this device obeys. */
export function contractDependencies(contract: DeviceContract): readonly FeatureDependency[] {
  return [...featureDependencies(contract.id), ...(contract.dependencies ?? [])]
}

/** Throws `VirtioError` CONTRACT for what no device can be: called when a contract is declared. */
export function checkContract(contract: DeviceContract): void {
  checkShape(contract)
  const { id, queues, features, config } = contract
  if (!Number.isInteger(id) || id <= 0 || id > MAX_U32)
    throw bad(`id ${id} is no device type; 0 means that there is no device`)
  const names = queues.map((queue) => queue.name)
  if (new Set(names).size !== names.length) throw bad(`two queues share a name: ${names.join(', ')}`)
  for (const { name, size } of queues) {
    if (!Number.isInteger(size) || size < 1 || !Number.isInteger(Math.log2(size)) || size > 32768) {
      throw bad(`queue ${name} has size ${size}; a power of two from 1 to 32768 is wanted`)
    }
  }
  const common = new Set<number>(Object.values(COMMON_FEATURES))
  for (const [name, bit] of Object.entries(features)) {
    // FEAT-DRV-04: bits 24..49 belong to the framework or are reserved, but for 41 and 42, which the ranges of §2.2 leave open.
    const reserved = bit >= 24 && bit < 50 && bit !== 42
    if (!Number.isInteger(bit) || bit < 0 || bit >= FEATURE_BITS || common.has(bit) || reserved) {
      throw bad(`feature ${name} is bit ${bit}; device types have 0..23, 42 and 50..127`)
    }
  }
  for (const { name, feature } of Object.values(config)) {
    if (feature !== undefined && !(feature in features)) {
      throw bad(`configuration field ${name} is gated by ${feature}, which is not a feature of this device`)
    }
  }
}

/** Throws `VirtioError` INVALID_OPTION, with the names that there are. */
export function checkFeatureName(option: string, name: unknown, { id, features }: DeviceContract): void {
  const names = Object.keys(features)
  if (names.length > 0) checkWord(option, name, names)
  else refuseOption(option, name, `left out: device ${id} has no features of its own`)
}

/** The types of its members. Throws `VirtioError` INVALID_OPTION. */
function checkShape(contract: DeviceContract): void {
  checkObject('contract', contract, 'a DeviceContract')
  const { queues, features, config, dependencies } = contract
  checkArray('queues', queues, 'an array of QueueSpec')
  for (const [i, queue] of queues.entries()) {
    checkObject(`queues[${i}]`, queue, 'a QueueSpec')
    checkText(`queues[${i}].name`, (queue as QueueSpec).name)
  }
  checkObject('features', features, 'bit numbers by name')
  checkFields(config)
  if (dependencies !== undefined) checkDependencies(dependencies)
}

function bad(message: string): VirtioError {
  return new VirtioError('CONTRACT', message)
}
