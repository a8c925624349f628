/**
 * Our own mistakes stop the program: an assertion is always on. What a peer does wrong is a `Violation`, what the world
 * refuses is a return value, and neither comes here.
 */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
  readonly code = 'ASSERTION'
}

/** Where time matters, `if (!condition) assert(false, `...`)`: a message with values in it is made before the call. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}
