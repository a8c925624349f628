/**
 * The device's side of its configuration space (virtio 1.4 §2.5): the bytes that drivers read, the values that handlers see,
 * and the generation counter by which a driver notices that two reads belong to different versions (IMP-CFG-02, museum 27).
 */
import { checkBytes, checkObject, refuseOption } from '../internal/check-option.ts'
import { messageOf } from '../internal/report-error.ts'
import { refuseState } from '../internal/saved-state.ts'
import { type ConfigFields, ConfigLayout, type ConfigValues } from './config-layout.ts'

/** What a transport needs of a configuration space, whatever its fields. */
export type ConfigRegisters = Pick<
  ConfigSpace,
  'lengthBytes' | 'generation' | 'read' | 'write' | 'restore' | 'notifyConfigChange'
> & {
  /** The device was reset: what the driver wrote is forgotten. */
  reset?(): void
  /** Whether the driver may write these bytes before features are negotiated. */
  isEarly?(offset: number, lengthBytes: number): boolean
}

/**
 * The configuration space of a device (virtio 1.4 §2.5): the device updates it field by field, the driver reads and
 * writes bytes. Every update makes a new `generation`.
 */
export class ConfigSpace<F extends ConfigFields = ConfigFields> implements ConfigRegisters {
  readonly layout: ConfigLayout<F>
  /** Changes with every change of the bytes; compare for inequality only. Transports show as many bits as they have. */
  generation = 0
  /** Set by the device's registers: tell the driver (§2.3). */
  notifyConfigChange: (() => void) | null = null
  readonly #bytes: Uint8Array
  #values: ConfigValues<F>
  /** As the device itself set them. */
  #own: ConfigValues<F>

  /**
   * Fields that `initial` leaves out hold what their declaration says. Throws `VirtioError` CONFIG_VALUE for a value that does not fit,
   * INVALID_OPTION for a field that does not exist.
   */
  constructor(fields: F, initial: Partial<ConfigValues<F>> = {}) {
    this.layout = new ConfigLayout(fields)
    this.#check('config', initial)
    this.#values = { ...this.layout.initialValues(), ...initial }
    this.#own = this.#values
    this.#bytes = new Uint8Array(this.layout.lengthBytes)
    this.layout.encode(this.#values, this.#bytes)
  }

  get lengthBytes(): number {
    return this.#bytes.length
  }

  get values(): ConfigValues<F> {
    return this.#values
  }

  /** Sets some fields at once: one new generation, one notification of the driver. Throws as the constructor does. */
  update(changes: Partial<ConfigValues<F>>): void {
    this.#check('changes', changes)
    const values = { ...this.#values, ...changes }
    this.layout.encode(values, this.#bytes)
    this.#values = values
    this.#own = { ...this.#own, ...changes }
    this.generation++
    this.notifyConfigChange?.()
  }

  /** A driver's read. Bytes past the end are padding and read 0. */
  read(offset: number, target: Uint8Array): void {
    if (!Number.isInteger(offset)) refuseOption('offset', offset, 'an integer')
    checkBytes('target', target)
    for (let i = 0; i < target.length; i++) target[i] = this.#bytes[offset + i] ?? 0
  }

  /** A driver's write: false, and nothing is changed, unless there are bytes and all lie in fields that it may write. */
  write(offset: number, source: Uint8Array): boolean {
    if (!Number.isInteger(offset)) refuseOption('offset', offset, 'an integer')
    checkBytes('source', source)
    if (source.length === 0) return false
    for (let i = 0; i < source.length; i++) if (!this.#isDriverWritable(offset + i)) return false
    this.#bytes.set(source, offset)
    this.#values = this.layout.decode(this.#bytes)
    this.generation++
    return true
  }

  /** Whether these bytes are of one field that may be written at any time. */
  isEarly(offset: number, lengthBytes: number): boolean {
    return Object.entries(this.layout.fields).some(([key, field]) => {
      const start = this.layout.offsetOf(key)
      return field.early === true && offset >= start && offset + lengthBytes <= start + field.lengthBytes
    })
  }

  /** The device was reset: what the driver wrote is forgotten, and the device's own values are back. */
  reset(): void {
    if (this.#values === this.#own) return
    this.layout.encode(this.#own, this.#bytes)
    const changed = Object.keys(this.#own).some((key) => String(this.#own[key]) !== String(this.#values[key]))
    this.#values = this.#own
    if (changed) this.generation++
  }

  /**
   * Takes over saved bytes, without telling the driver: it sees what it saw before. Throws `VirtioError` INVALID_STATE for bytes that
   * no fields can have.
   */
  restore(bytes: Uint8Array, generation: number): void {
    try {
      this.#values = this.layout.decode(bytes)
    } catch (error) {
      refuseState('device', messageOf(error))
    }
    this.#bytes.set(bytes)
    this.generation = generation
  }

  #check(name: string, values: Partial<ConfigValues<F>>): void {
    checkObject(name, values, 'values by field')
    this.layout.requireKeys(Object.keys(values))
  }

  #isDriverWritable(offset: number): boolean {
    return Object.entries(this.layout.fields).some(([key, field]) => {
      const start = this.layout.offsetOf(key)
      return field.driverWritable && offset >= start && offset < start + field.lengthBytes
    })
  }
}
