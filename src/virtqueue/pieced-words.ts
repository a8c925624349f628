/**
 * A queue's area that is one piece for the guest and several for us, because adjacent regions have buffers of their own. Elements are
 * found piece by piece, at the cost of a call each; regions begin at multiples of 16, so no element is cut. Used like the typed array that
 * it stands for, but for methods other than `fill`.
 */
export interface Piece {
  readonly buffer: ArrayBufferLike
  readonly byteOffset: number
  readonly bytes: number
  /** Each access is ordered then: nobody outside knows which piece an element is in. */
  readonly shared: boolean
}

type Words = Uint16Array | Uint32Array

const PIECED = new WeakSet<object>()

/** Whether this is no typed array but one of ours, which orders its accesses itself. */
export function isPieced(words: Words): boolean {
  return PIECED.has(words)
}

export function piecedWords<W extends Words>(
  make: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => W,
  elementBytes: number,
  pieces: readonly Piece[],
): W {
  let length = 0
  const views = pieces.map(({ buffer, byteOffset, bytes, shared }) => {
    const view = { words: new make(buffer, byteOffset, Math.floor(bytes / elementBytes)), first: length, shared }
    length += view.words.length
    return view
  })
  const viewOf = (index: number) => views.find(({ words, first }) => index >= first && index < first + words.length)
  const load = (index: number): number | undefined => {
    const view = viewOf(index)
    if (view === undefined) return undefined
    return view.shared ? Atomics.load(view.words, index - view.first) : view.words[index - view.first]
  }
  const store = (index: number, value: number): void => {
    const view = viewOf(index)
    if (view === undefined) return
    if (view.shared) Atomics.store(view.words, index - view.first, value)
    else view.words[index - view.first] = value
  }
  const fill = (value: number): void => {
    for (const { words } of views) words.fill(value)
  }
  const pieced = new Proxy(Object.freeze({ length, fill }), {
    get: (target, key) => (typeof key === 'string' && /^\d/.test(key) ? load(Number(key)) : Reflect.get(target, key)),
    set(_, key, value: number) {
      store(Number(key), value)
      return true
    },
  }) as unknown as W
  PIECED.add(pieced)
  return pieced
}
