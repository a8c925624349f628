/** Why there is no Linux guest: what is missing on this machine, and how to get it. */
export class LinuxGuestError extends Error {
  override readonly name = 'LinuxGuestError'
  readonly code: 'PACKAGES' | 'COMPILER' | 'GUEST'

  /** PACKAGES: nothing to boot; COMPILER: no gcc for the guest's tool; GUEST: a guest did not do what it was told to. */
  constructor(code: 'PACKAGES' | 'COMPILER' | 'GUEST', message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
