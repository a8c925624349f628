/** Replaces methods for the length of a test. Unlike a spy it remembers no calls, of which there are millions. */

const undo: (() => void)[] = []

/** `make` gets the method that there was and returns the one to be. */
export function patch<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): void {
  const original = prototype[name]
  prototype[name] = make(original)
  undo.push(() => {
    prototype[name] = original
  })
}

export function unpatchAll(): void {
  while (undo.length > 0) undo.pop()!()
}
