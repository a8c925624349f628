/**
 * A device's configuration space or a header, declared field by field as a binary layout (virtio 1.4 §2.5): little-endian,
 * packed in the order of declaration, trailing padding allowed (IMP-CFG-01). Decoding is slow and meant for rare things.
 */
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkText,
  checkWord,
  MAX_U16,
  refuseOption,
  shown,
} from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'

type FieldKind = 'u8' | 'u16' | 'u32' | 'u64' | 'le64' | 'mac' | 'bytes'

/** A field of a configuration space or of a header, made by `u8`, `u16`, `u32`, `u64`, `mac` or `bytes`. */
export interface ConfigField<T> {
  readonly kind: FieldKind
  /** The field's name as the specification spells it. */
  readonly name: string
  readonly lengthBytes: number
  /** What the field holds until the device sets it. */
  readonly initial: T
  /** The driver may write it (a device otherwise drops such a write). */
  readonly driverWritable: boolean
  /** The driver may write it before features are negotiated, too. */
  readonly early?: boolean
  /** The feature that gates the field: the driver reads it only when this is offered (CFG-DRV-03). */
  readonly feature: string | undefined
}

/**
 * What a field may have besides its name: a first value, whether the driver may write it, and the feature that it
 * depends on.
 */
export interface FieldOptions<T> {
  readonly initial?: T
  readonly driverWritable?: boolean
  /** The driver may write it at any time, before features are negotiated too. Default false. */
  readonly early?: boolean
  readonly feature?: string
}

/** Fields by the names that a program uses, in the order in which they lie in memory. */
// biome-ignore lint/suspicious/noExplicitAny: a field of any value type
export type ConfigFields = Readonly<Record<string, ConfigField<any>>>
/** The values of such fields, by the same names. */
export type ConfigValues<F extends ConfigFields> = { readonly [K in keyof F]: F[K]['initial'] }

function field<T>(
  kind: FieldKind,
  name: string,
  lengthBytes: number,
  zero: T,
  options: FieldOptions<T> = {},
): ConfigField<T> {
  checkText('name', name)
  checkObject('options', options, 'FieldOptions')
  const { initial = zero, driverWritable = false, early = false, feature } = options
  checkBoolean('driverWritable', driverWritable)
  checkBoolean('early', early)
  if (feature !== undefined) checkText('feature', feature)
  const declared = { kind, name, lengthBytes, initial, driverWritable, early, feature }
  checkValue(declared, initial)
  return declared
}

/** A field of one byte, 0 to 255. */
export function u8(name: string, options?: FieldOptions<number>): ConfigField<number> {
  return field('u8', name, 1, 0, options)
}

/** A little-endian field of two bytes, 0 to 65535. */
export function u16(name: string, options?: FieldOptions<number>): ConfigField<number> {
  return field('u16', name, 2, 0, options)
}

/** A little-endian field of four bytes, 0 to 2^32 - 1. */
export function u32(name: string, options?: FieldOptions<number>): ConfigField<number> {
  return field('u32', name, 4, 0, options)
}

/** A le64 as a Number: 2^53 and above is refused on either side, so the driver may not write it. For any value: `le64`. */
export function u64(
  name: string,
  options?: Omit<FieldOptions<number>, 'driverWritable' | 'early'>,
): ConfigField<number> {
  return field('u64', name, 8, 0, options)
}

/** A le64 as a bigint, of any value: masks, sizes without a limit. */
export function le64(name: string, options?: FieldOptions<bigint>): ConfigField<bigint> {
  return field('le64', name, 8, 0n, options)
}

/** Six bytes as `'02:00:00:00:00:01'`. */
export function mac(name: string, options?: FieldOptions<string>): ConfigField<string> {
  return field('mac', name, 6, '00:00:00:00:00:00', options)
}

/** Throws `VirtioError` INVALID_OPTION for a length that is none. */
export function bytes(name: string, lengthBytes: number, options?: FieldOptions<Uint8Array>): ConfigField<Uint8Array> {
  checkInteger('lengthBytes', lengthBytes, 0, MAX_U16, 'bytes')
  return field('bytes', name, lengthBytes, new Uint8Array(lengthBytes), options)
}

/** The layout of a whole record. Keys are how TypeScript names the fields, `ConfigField.name` how the wire does. */
export class ConfigLayout<F extends ConfigFields> {
  readonly fields: F
  readonly lengthBytes: number
  readonly #offsets = new Map<string, number>()

  /** Throws `VirtioError` INVALID_OPTION for what are no fields, CONFIG_LAYOUT for one that is declared twice. */
  constructor(fields: F) {
    checkFields(fields)
    this.fields = fields
    const names = Object.values(fields).map((each) => each.name)
    if (new Set(names).size !== names.length) {
      throw new VirtioError('CONFIG_LAYOUT', `a configuration field is declared twice in: ${names.join(', ')}`)
    }
    let end = 0
    for (const [key, { lengthBytes }] of Object.entries(fields)) {
      this.#offsets.set(key, end)
      end += lengthBytes
    }
    this.lengthBytes = end
  }

  /** Throws `VirtioError` INVALID_OPTION for a field that does not exist. */
  offsetOf(key: keyof F & string): number {
    const offset = this.#offsets.get(key)
    if (offset === undefined) this.requireKeys([key])
    return offset as number
  }

  /** Throws `VirtioError` INVALID_OPTION, with what there is, for a key of no field. */
  requireKeys(keys: readonly string[]): void {
    for (const key of keys) {
      if (this.#offsets.size === 0) refuseOption('field', key, 'left out: there are none')
      checkWord('field', key, [...this.#offsets.keys()])
    }
  }

  /** What the fields hold until somebody sets them. */
  initialValues(): ConfigValues<F> {
    return this.#map((each) => each.initial)
  }

  /** Reads all fields, or those with these keys and the others' initial values. Throws `VirtioError` CONFIG_VALUE for a u64 that is no exact Number. */
  decode(source: Uint8Array, keys: readonly string[] = Object.keys(this.fields)): ConfigValues<F> {
    const view = viewOf(source)
    const wanted = new Set(keys)
    return this.#map((each, key) => (wanted.has(key) ? read(each, view, this.offsetOf(key)) : each.initial))
  }

  /** Writes all fields. Throws `VirtioError` CONFIG_VALUE, naming the field, for a value that does not fit; then nothing is written. */
  encode(values: ConfigValues<F>, target: Uint8Array): void {
    for (const [key, each] of Object.entries(this.fields)) checkValue(each, values[key])
    const view = viewOf(target)
    for (const [key, each] of Object.entries(this.fields)) write(each, view, this.offsetOf(key), values[key])
  }

  #map(value: (field: F[string], key: string) => unknown): ConfigValues<F> {
    return Object.fromEntries(
      Object.entries(this.fields).map(([key, each]) => [key, value(each as F[string], key)]),
    ) as ConfigValues<F>
  }
}

const KINDS: readonly FieldKind[] = ['u8', 'u16', 'u32', 'u64', 'le64', 'mac', 'bytes']

/** Throws `VirtioError` INVALID_OPTION unless all were made by `u8` and the like, or as they do. */
export function checkFields(fields: unknown): asserts fields is ConfigFields {
  checkObject('config', fields, 'fields by name')
  for (const [key, field] of Object.entries(fields)) {
    checkObject(`config.${key}`, field, 'a field, made by u8, u16, u32, u64, le64, mac or bytes')
    const { kind, name, lengthBytes, initial } = field as ConfigField<unknown>
    checkWord(`config.${key}.kind`, kind, KINDS)
    checkText(`config.${key}.name`, name)
    checkInteger(`config.${key}.lengthBytes`, lengthBytes, 0, MAX_U16, 'bytes')
    checkValue({ kind, name, lengthBytes }, initial)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length)
}

function read(each: ConfigField<unknown>, view: DataView, offset: number): unknown {
  switch (each.kind) {
    case 'u8':
      return view.getUint8(offset)
    case 'u16':
      return view.getUint16(offset, true)
    case 'u32':
      return view.getUint32(offset, true)
    case 'le64':
      return view.getBigUint64(offset, true)
    case 'u64': {
      const value = Number(view.getBigUint64(offset, true))
      if (Number.isSafeInteger(value)) return value
      throw new VirtioError('CONFIG_VALUE', `${each.name} holds 2^53 or more: declare it as le64, a bigint`)
    }
    case 'mac':
      return Array.from(bytesAt(view, offset, 6), (byte) => byte.toString(16).padStart(2, '0')).join(':')
    case 'bytes':
      return Uint8Array.from(bytesAt(view, offset, each.lengthBytes))
  }
}

/** The value was checked. */
function write(each: ConfigField<unknown>, view: DataView, offset: number, value: unknown): void {
  switch (each.kind) {
    case 'u8':
      view.setUint8(offset, value as number)
      break
    case 'u16':
      view.setUint16(offset, value as number, true)
      break
    case 'u32':
      view.setUint32(offset, value as number, true)
      break
    case 'u64':
      view.setBigUint64(offset, BigInt(value as number), true)
      break
    case 'le64':
      view.setBigUint64(offset, value as bigint, true)
      break
    case 'mac':
      bytesAt(view, offset, 6).set((value as string).split(':').map((byte) => Number.parseInt(byte, 16)))
      break
    case 'bytes':
      bytesAt(view, offset, each.lengthBytes).set(value as Uint8Array)
      break
  }
}

/** Throws `VirtioError` CONFIG_VALUE for what the field cannot hold. */
function checkValue(each: Pick<ConfigField<unknown>, 'kind' | 'name' | 'lengthBytes'>, value: unknown): void {
  const { kind, name, lengthBytes } = each
  if (kind === 'mac') {
    if (typeof value === 'string' && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)) return
    throw new VirtioError('CONFIG_VALUE', `${name} wants six bytes like 02:00:00:00:00:01, not ${shown(value)}`)
  }
  if (kind === 'bytes') {
    if (value instanceof Uint8Array && value.length === lengthBytes) return
    const given = value instanceof Uint8Array ? `${value.length}` : shown(value)
    throw new VirtioError('CONFIG_VALUE', `${name} wants a Uint8Array of ${lengthBytes} bytes, not ${given}`)
  }
  if (kind === 'le64') {
    if (typeof value === 'bigint' && value >= 0n && value < 2n ** 64n) return
    throw new VirtioError('CONFIG_VALUE', `${name} wants a bigint from 0 to 2^64 - 1, not ${shown(value)}`)
  }
  const limit = kind === 'u64' ? 2 ** 53 : 256 ** lengthBytes
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit) return
  throw new VirtioError('CONFIG_VALUE', `${name} wants an integer below ${limit}, not ${shown(value)}`)
}
