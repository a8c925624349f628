/**
 * Errors of the user's own code (a handler, a hook, a listener) that nobody listens for: printed, so that they are seen. The one
 * place of the library that prints.
 */
export function reportUnheard(where: string, error: unknown): void {
  console.error(`virtio-sdk: ${where} threw, and nobody listens to 'fault':`, error)
}

/** The message of whatever was thrown, or of a violation. */
export function messageOf(error: unknown): string {
  const message = (error as { readonly message?: unknown } | null | undefined)?.message
  return typeof message === 'string' ? message : String(error)
}
