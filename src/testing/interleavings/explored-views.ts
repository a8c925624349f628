/**
 * The one place where real code meets the explorer. Nothing in a queue is changed for it: while a side runs, the typed-array
 * constructors, `DataView` and `Atomics` of this realm are exchanged for ones that know the explored buffer. A view of that
 * buffer is then a stand-in whose every element access is a step of the exploration, and any other view is the real thing.
 *
 * Seen are views made while the side runs. A view kept from before, or a Node `Buffer`, would reach the real bytes behind the
 * explorer's back: these hold nothing but a pattern, and are looked at after every run, so a write is noticed.
 */
import { VirtioError } from '../../internal/error.ts'
import { modulo, type Order, type UpdateOperation } from './access.ts'

/** Where the stand-ins send what is done to them; addresses are offsets into the explored buffer. */
export interface AccessPort {
  load(address: number, bytes: number, order: Order): number
  store(address: number, bytes: number, value: number, order: Order): void
  update(address: number, bytes: number, operation: UpdateOperation, operand: number, expected: number): number
}

type IntegerArray = Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array

interface ExploredView {
  readonly port: AccessPort
  readonly byteOffset: number
  readonly bytes: number
  /** One element of the view's own type: what is stored is converted as the language does. */
  readonly element: IntegerArray
}

const INTEGER_ARRAYS = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
] as const
const OTHER_ARRAYS = ['Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'] as const

const realAtomics = atomicsMembers()
const RealDataView = DataView
const views = new WeakMap<object, ExploredView>()

const PATTERN = 0xa5

/** A buffer that only stand-ins may look into. */
export class ExploredBuffer {
  readonly buffer: SharedArrayBuffer
  readonly #bytes: Uint8Array

  constructor(bytes: number) {
    this.buffer = new SharedArrayBuffer(bytes)
    this.#bytes = new Uint8Array(this.buffer).fill(PATTERN)
  }

  /** Throws `VirtioError` UNSEEN_ACCESS when something wrote into the buffer itself. */
  refuseUnseenWrites(): void {
    const at = this.#bytes.findIndex((byte) => byte !== PATTERN)
    if (at >= 0) {
      throw new VirtioError(
        'UNSEEN_ACCESS',
        `offset ${at} of the explored memory was written through a view that was not made while the side ran; make views ` +
          'of it in `driver` and `device`, and use typed arrays or DataView, not Buffer',
      )
    }
  }
}

/**
 * A world in which views of `buffer` are stand-ins that go to `port`: what it returns runs an action in it, and puts everything
 * back. Synchronous, not reentrant.
 */
export function exploredWorld(buffer: SharedArrayBuffer, port: AccessPort): <T>(action: () => T) => T {
  const world = globalThis as unknown as Record<string, unknown>
  const names = [...INTEGER_ARRAYS, ...OTHER_ARRAYS, 'DataView']
  const real = Object.fromEntries(names.map((name) => [name, world[name]]))
  const explored = Object.fromEntries(names.map((name) => [name, constructorFor(name, real[name] as object)]))

  function constructorFor(name: string, realConstructor: object): object {
    return new Proxy(realConstructor, {
      construct(target, args: unknown[], newTarget) {
        if (args[0] !== buffer) {
          return Reflect.construct(target as never, args, newTarget === explored[name] ? (target as never) : newTarget)
        }
        if (name === 'DataView') return exploredDataView(port, args)
        if (!(INTEGER_ARRAYS as readonly string[]).includes(name)) {
          throw new VirtioError(
            'UNSUPPORTED_VIEW',
            `a ${name} of explored memory: only integers of 8, 16 and 32 bits are`,
          )
        }
        return standIn(port, Reflect.construct(target as never, args) as IntegerArray)
      },
    })
  }

  return (action) => {
    Object.assign(world, explored)
    Object.assign(Atomics, exploredAtomics)
    try {
      return action()
    } finally {
      Object.assign(Atomics, realAtomics)
      Object.assign(world, real)
    }
  }
}

function standIn(port: AccessPort, real: IntegerArray): IntegerArray {
  const Type = real.constructor as { new (length: number): IntegerArray }
  const bytes = real.BYTES_PER_ELEMENT
  const { byteOffset, length } = real
  const element = new Type(1)
  const proxy: IntegerArray = new Proxy(real, {
    get(target, property) {
      if (typeof property === 'string') {
        const index = elementIndex(property)
        if (index >= 0) {
          if (index >= length) return undefined
          element[0] = port.load(byteOffset + index * bytes, bytes, 'unordered')
          return element[0]
        }
      }
      if (Object.hasOwn(methods, property)) return methods[property as keyof typeof methods]
      const value = Reflect.get(target, property, target) as unknown
      // The generic methods of Array read and write through the stand-in, element by element; those of typed arrays cannot.
      return typeof value === 'function' && property !== 'constructor'
        ? (Array.prototype as unknown as Record<PropertyKey, unknown>)[property]
        : value
    },
    set(_target, property, value: number) {
      const index = typeof property === 'string' ? elementIndex(property) : -1
      if (index < 0) return false
      element[0] = value
      if (index < length) port.store(byteOffset + index * bytes, bytes, modulo(element[0]!, bytes), 'unordered')
      return true
    },
  })
  views.set(proxy, { port, byteOffset, bytes, element })
  return proxy
}

/** Methods of typed arrays that Array has not, or that give a typed array. */
const methods = {
  set(this: IntegerArray, source: ArrayLike<number>, offset = 0): void {
    // As if through a copy: the source may be a view of the same bytes.
    const values = Array.from(source)
    if (offset + values.length > this.length) throw new RangeError('offset is out of bounds')
    for (let i = 0; i < values.length; i++) this[offset + i] = values[i]!
  },
  subarray(this: IntegerArray, begin = 0, end = this.length): IntegerArray {
    const { length, byteOffset, BYTES_PER_ELEMENT: bytes, buffer } = this
    const clamp = (position: number): number =>
      Math.min(length, Math.max(0, position < 0 ? length + position : position))
    const from = clamp(begin)
    const Type = this.constructor as { new (buffer: ArrayBufferLike, offset: number, length: number): IntegerArray }
    const real = new Type(buffer, byteOffset + from * bytes, Math.max(0, clamp(end) - from))
    return views.has(real) ? real : standIn(views.get(this)!.port, real)
  },
  slice(this: IntegerArray, begin?: number, end?: number): IntegerArray {
    const Type = this.constructor as unknown as { from(values: ArrayLike<number>): IntegerArray }
    return Type.from(Array.prototype.slice.call(this, begin, end) as number[])
  },
}

/** `12` is an element, `length` is not; -1 then. */
function elementIndex(property: string): number {
  const first = property.charCodeAt(0)
  return first >= 48 && first <= 57 ? Number(property) : -1
}

function atomicsMembers(): Record<string, unknown> {
  const names = ['load', 'store', 'add', 'sub', 'and', 'or', 'xor', 'exchange', 'compareExchange', 'wait', 'notify']
  return Object.fromEntries(names.map((name) => [name, (Atomics as unknown as Record<string, unknown>)[name]]))
}

const exploredAtomics = Object.fromEntries(
  Object.entries(realAtomics).map(([name, real]) => [
    name,
    (view: IntegerArray, index: number, ...values: number[]) => {
      const explored = views.get(view)
      if (explored === undefined) return (real as (...args: unknown[]) => unknown)(view, index, ...values)
      return atomic(explored, view.length, name, index, values[0] ?? 0, values[1] ?? 0)
    },
  ]),
)

function atomic(
  { port, byteOffset, bytes, element }: ExploredView,
  length: number,
  name: string,
  index: number,
  value: number,
  replacement: number,
): number {
  if (!(index >= 0 && index < length)) throw new RangeError(`Atomics.${name}: index ${index} is out of range`)
  const address = byteOffset + index * bytes
  const converted = (number: number): number => {
    element[0] = number
    return modulo(element[0]!, bytes)
  }
  switch (name) {
    case 'load':
      element[0] = port.load(address, bytes, 'seq-cst')
      return element[0]
    case 'store':
      port.store(address, bytes, converted(value), 'seq-cst')
      return Math.trunc(value)
    case 'wait':
    case 'notify':
      throw new VirtioError(
        'UNSUPPORTED_VIEW',
        `Atomics.${name} on explored memory: use wait() and notify() of the side`,
      )
    case 'compareExchange':
      element[0] = port.update(address, bytes, name, converted(replacement), converted(value))
      return element[0]
    default:
      element[0] = port.update(address, bytes, name as UpdateOperation, converted(value), 0)
      return element[0]
  }
}

const GETTERS = { getInt8: 1, getUint8: 1, getInt16: 2, getUint16: 2, getInt32: 4, getUint32: 4 } as const
const SETTERS = { setInt8: 1, setUint8: 1, setInt16: 2, setUint16: 2, setInt32: 4, setUint32: 4 } as const

/** Aligned little-endian fields are one access; others are made of bytes, as hardware would tear them. */
function exploredDataView(port: AccessPort, args: unknown[]): DataView {
  const real = new RealDataView(...(args as [ArrayBufferLike, number, number]))
  return new Proxy(real, {
    get(target, property) {
      const name = String(property)
      if (name in GETTERS) {
        const bytes = GETTERS[name as keyof typeof GETTERS]
        return (offset: number, little = false): number => {
          checkRange(target, offset, bytes)
          const value = readField(port, target.byteOffset + offset, bytes, little)
          return name.startsWith('getInt') ? (value << (32 - 8 * bytes)) >> (32 - 8 * bytes) : value
        }
      }
      if (name in SETTERS) {
        const bytes = SETTERS[name as keyof typeof SETTERS]
        return (offset: number, value: number, little = false): void => {
          checkRange(target, offset, bytes)
          writeField(port, target.byteOffset + offset, bytes, modulo(value, bytes), little)
        }
      }
      if (name === 'getBigUint64') {
        return (offset: number, little = false): bigint => {
          checkRange(target, offset, 8)
          const first = BigInt(readField(port, target.byteOffset + offset, 4, little))
          const second = BigInt(readField(port, target.byteOffset + offset + 4, 4, little))
          return little ? first | (second << 32n) : (first << 32n) | second
        }
      }
      if (name === 'setBigUint64') {
        return (offset: number, value: bigint, little = false): void => {
          checkRange(target, offset, 8)
          const low = Number(value & 0xffff_ffffn)
          const high = Number((value >> 32n) & 0xffff_ffffn)
          writeField(port, target.byteOffset + offset, 4, little ? low : high, little)
          writeField(port, target.byteOffset + offset + 4, 4, little ? high : low, little)
        }
      }
      const value = Reflect.get(target, property, target) as unknown
      if (typeof value === 'function') {
        throw new VirtioError('UNSUPPORTED_VIEW', `DataView.${name} of explored memory: only integers are supported`)
      }
      return value
    },
  })
}

function checkRange(view: DataView, offset: number, bytes: number): void {
  if (!(offset >= 0 && offset + bytes <= view.byteLength)) throw new RangeError('offset is outside the DataView')
}

function readField(port: AccessPort, address: number, bytes: number, little: boolean): number {
  if (little && address % bytes === 0) return port.load(address, bytes, 'unordered')
  let value = 0
  for (let i = 0; i < bytes; i++) {
    const byte = port.load(address + i, 1, 'unordered')
    value += byte * 2 ** (8 * (little ? i : bytes - 1 - i))
  }
  return value
}

function writeField(port: AccessPort, address: number, bytes: number, value: number, little: boolean): void {
  if (little && address % bytes === 0) {
    port.store(address, bytes, value, 'unordered')
    return
  }
  for (let i = 0; i < bytes; i++) {
    const shift = 8 * (little ? i : bytes - 1 - i)
    port.store(address + i, 1, Math.floor(value / 2 ** shift) & 0xff, 'unordered')
  }
}
