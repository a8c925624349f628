/**
 * Access to the 16-bit words that two agents use to signal each other: ring indices, flags, event fields.
 *
 * Over memory that another thread or VM uses at the same time these are `Atomics`: JavaScript has no weaker fence, and the
 * sequentially consistent store followed by a load is exactly the full barrier of virtio 1.4 §2.7.7.1 and §2.7.13.4.1.
 * Where one agent runs both sides a plain access is enough and ten times faster, so the choice is made once a queue.
 */
export function loadOrdered(words: Uint16Array, index: number, shared: boolean): number {
  return shared ? Atomics.load(words, index) : words[index]!
}

/** Everything stored before is visible to whoever sees this value. */
export function storeOrdered(words: Uint16Array, index: number, value: number, shared: boolean): void {
  if (shared) Atomics.store(words, index, value)
  else words[index] = value
}
