/** Base of the errors thrown while something is configured: a stable `code`, a sentence that names the fix, a `cause`. */
export class VirtioError extends Error {
  override readonly name: string = 'VirtioError'
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
