/**
 * A device's configuration space or a header, declared field by field as a binary layout (virtio 1.4 §2.5): little-endian,
 * packed in the order of declaration, trailing padding allowed (IMP-CFG-01). Decoding is slow and meant for rare things.
 */
import {
  blob,
  type Layout,
  u8 as layoutU8,
  u16 as layoutU16,
  u32 as layoutU32,
  nu64,
  type Structure,
  struct,
} from 'buffer-layout'
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'

type FieldKind = 'u8' | 'u16' | 'u32' | 'u64' | 'mac' | 'bytes'

export interface ConfigField<T> {
  readonly kind: FieldKind
  /** The field's name as the specification spells it. */
  readonly name: string
  readonly lengthBytes: number
  /** What the field holds until the device sets it. */
  readonly initial: T
  /** The driver may write it (a device otherwise drops such a write). */
  readonly driverWritable: boolean
  /** The feature that gates the field: the driver reads it only when this is offered (CFG-DRV-03). */
  readonly feature: string | undefined
}

export interface FieldOptions<T> {
  readonly initial?: T
  readonly driverWritable?: boolean
  readonly feature?: string
}

// biome-ignore lint/suspicious/noExplicitAny: a field of any value type
export type ConfigFields = Readonly<Record<string, ConfigField<any>>>
export type ConfigValues<F extends ConfigFields> = { readonly [K in keyof F]: F[K]['initial'] }

function field<T>(
  kind: FieldKind,
  name: string,
  lengthBytes: number,
  zero: T,
  options: FieldOptions<T> = {},
): ConfigField<T> {
  const { initial = zero, driverWritable = false, feature } = options
  return { kind, name, lengthBytes, initial, driverWritable, feature }
}

export function u8(name: string, options?: FieldOptions<number>): ConfigField<number> {
  return field('u8', name, 1, 0, options)
}

export function u16(name: string, options?: FieldOptions<number>): ConfigField<number> {
  return field('u16', name, 2, 0, options)
}

export function u32(name: string, options?: FieldOptions<number>): ConfigField<number> {
  return field('u32', name, 4, 0, options)
}

/** A le64 as a Number: 2^53 and above is refused on either side, so the driver may not write it. */
export function u64(name: string, options?: Omit<FieldOptions<number>, 'driverWritable'>): ConfigField<number> {
  return field('u64', name, 8, 0, options)
}

/** Six bytes as `'02:00:00:00:00:01'`. */
export function mac(name: string, options?: FieldOptions<string>): ConfigField<string> {
  return field('mac', name, 6, '00:00:00:00:00:00', options)
}

export function bytes(name: string, lengthBytes: number, options?: FieldOptions<Uint8Array>): ConfigField<Uint8Array> {
  return field('bytes', name, lengthBytes, new Uint8Array(lengthBytes), options)
}

/** The layout of a whole record. Keys are how TypeScript names the fields, `ConfigField.name` how the wire does. */
export class ConfigLayout<F extends ConfigFields> {
  readonly fields: F
  readonly lengthBytes: number
  readonly #structure: Structure

  constructor(fields: F) {
    this.fields = fields
    const names = Object.values(fields).map((each) => each.name)
    if (new Set(names).size !== names.length) {
      throw new VirtioError('CONFIG_LAYOUT', `a configuration field is declared twice in: ${names.join(', ')}`)
    }
    this.#structure = struct(Object.values(fields).map(toLayout))
    this.lengthBytes = this.#structure.span
  }

  offsetOf(key: keyof F & string): number {
    return this.#structure.offsetOf(this.#field(key).name)
  }

  /** What the fields hold until somebody sets them. */
  initialValues(): ConfigValues<F> {
    return this.#map((each) => each.initial)
  }

  /** Reads all fields. Throws `VirtioError` CONFIG_VALUE for a u64 that is no exact Number. Allocates. */
  decode(source: Uint8Array): ConfigValues<F> {
    const raw = this.#structure.decode(asBuffer(source))
    return this.#map((each) => fromWire(each, raw[each.name]))
  }

  /** Writes all fields. Throws `VirtioError` CONFIG_VALUE, naming the field, for a value that does not fit. */
  encode(values: ConfigValues<F>, target: Uint8Array): void {
    const raw: Record<string, unknown> = {}
    for (const [key, each] of Object.entries(this.fields)) raw[each.name] = toWire(each, values[key])
    this.#structure.encode(raw, asBuffer(target))
  }

  #field(key: keyof F & string): F[string] {
    const found = this.fields[key]
    assert(found !== undefined, `there is no configuration field ${key}`)
    return found
  }

  #map(value: (field: F[string]) => unknown): ConfigValues<F> {
    return Object.fromEntries(
      Object.entries(this.fields).map(([key, each]) => [key, value(each as F[string])]),
    ) as ConfigValues<F>
  }
}

/** buffer-layout reads through Node's Buffer methods: the same bytes, another view. */
function asBuffer(source: Uint8Array): Buffer {
  return Buffer.from(source.buffer as ArrayBuffer, source.byteOffset, source.length)
}

function toLayout(each: ConfigField<unknown>): Layout {
  switch (each.kind) {
    case 'u8':
      return layoutU8(each.name)
    case 'u16':
      return layoutU16(each.name)
    case 'u32':
      return layoutU32(each.name)
    case 'u64':
      return nu64(each.name)
    case 'mac':
    case 'bytes':
      return blob(each.lengthBytes, each.name)
  }
}

function fromWire(each: ConfigField<unknown>, raw: unknown): unknown {
  switch (each.kind) {
    case 'u64':
      if (!Number.isSafeInteger(raw)) throw new VirtioError('CONFIG_VALUE', `${each.name} holds 2^53 or more`)
      return raw
    case 'mac':
      return Array.from(raw as Uint8Array, (byte) => byte.toString(16).padStart(2, '0')).join(':')
    case 'bytes':
      return Uint8Array.from(raw as Uint8Array)
    default:
      return raw
  }
}

function toWire(each: ConfigField<unknown>, value: unknown): unknown {
  switch (each.kind) {
    case 'mac': {
      if (typeof value !== 'string' || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)) {
        throw new VirtioError('CONFIG_VALUE', `${each.name} wants six bytes like 02:00:00:00:00:01, not ${value}`)
      }
      return Buffer.from(value.replaceAll(':', ''), 'hex')
    }
    case 'bytes': {
      if (!(value instanceof Uint8Array) || value.length !== each.lengthBytes) {
        throw new VirtioError('CONFIG_VALUE', `${each.name} wants a Uint8Array of ${each.lengthBytes} bytes`)
      }
      return asBuffer(value)
    }
    default: {
      const limit = each.kind === 'u64' ? 2 ** 53 : 256 ** each.lengthBytes
      if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= limit) {
        throw new VirtioError('CONFIG_VALUE', `${each.name} wants an integer below ${limit}, not ${value}`)
      }
      return value
    }
  }
}
