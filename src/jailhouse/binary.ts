/** Records of fixed size in a file: little endian, one field behind the other, no padding but what a record names. */

/** How a value stands in a file. */
export interface Layout<T> {
  readonly bytes: number
  read(view: DataView, at: number): T
  write(view: DataView, at: number, value: T): void
}

export const u8: Layout<number> = {
  bytes: 1,
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => view.setUint8(at, value),
}

export const u16: Layout<number> = {
  bytes: 2,
  read: (view, at) => view.getUint16(at, true),
  write: (view, at, value) => view.setUint16(at, value, true),
}

export const u32: Layout<number> = {
  bytes: 4,
  read: (view, at) => view.getUint32(at, true),
  write: (view, at, value) => view.setUint32(at, value, true),
}

export const u64: Layout<bigint> = {
  bytes: 8,
  read: (view, at) => view.getBigUint64(at, true),
  write: (view, at, value) => view.setBigUint64(at, value, true),
}

/** ASCII that ends with the first zero byte, or with the field. */
export function characters(bytes: number): Layout<string> {
  return {
    bytes,
    read(view, at) {
      const all = Array.from({ length: bytes }, (_, i) => view.getUint8(at + i))
      const end = all.indexOf(0)
      return String.fromCharCode(...(end < 0 ? all : all.slice(0, end)))
    },
    write(view, at, value) {
      for (let i = 0; i < bytes; i++) view.setUint8(at + i, i < value.length ? value.charCodeAt(i) : 0)
    },
  }
}

/** The same `count` times. */
export function array<T>(element: Layout<T>, count: number): Layout<readonly T[]> {
  return {
    bytes: element.bytes * count,
    read: (view, at) => Array.from({ length: count }, (_, i) => element.read(view, at + i * element.bytes)),
    write: (view, at, values) => {
      for (let i = 0; i < count; i++) element.write(view, at + i * element.bytes, values[i]!)
    },
  }
}

/** What a layout reads and writes. */
export type ValueOf<L> = L extends Layout<infer T> ? T : never

/** Fields one behind the other, in the order in which they are listed. */
export function record<F extends Readonly<Record<string, Layout<never> | Layout<unknown>>>>(
  fields: F,
): Layout<{ readonly [K in keyof F]: ValueOf<F[K]> }> {
  const entries = Object.entries(fields) as [keyof F & string, Layout<unknown>][]
  const offsets = new Map<string, number>()
  let bytes = 0
  for (const [name, { bytes: size }] of entries) {
    offsets.set(name, bytes)
    bytes += size
  }
  return {
    bytes,
    read: (view, at) =>
      Object.fromEntries(entries.map(([name, field]) => [name, field.read(view, at + offsets.get(name)!)])) as {
        readonly [K in keyof F]: ValueOf<F[K]>
      },
    write: (view, at, value) => {
      for (const [name, field] of entries) field.write(view, at + offsets.get(name)!, value[name])
    },
  }
}
