/** Standard output and standard error, which may be a full disk, or a pipe whose reader has gone: writing never throws. */
import { reasonOf } from './file-error.ts'
import type { Output } from './terminal.ts'

export class StdStream implements Output {
  readonly isTTY: boolean
  readonly #stream: NodeJS.WriteStream
  #error: Error | null = null

  constructor(stream: NodeJS.WriteStream) {
    this.isTTY = stream.isTTY === true
    this.#stream = stream
    stream.on('error', (error) => {
      this.#error ??= error
    })
  }

  /** What comes after an error is dropped. */
  write(text: string): void {
    if (this.#error === null) this.#stream.write(text)
  }

  /** Waits until all that was written is out; returns what went wrong, or null. */
  async flushed(): Promise<string | null> {
    if (this.#error === null) {
      await new Promise<void>((resolve) => {
        this.#stream.once('error', () => resolve())
        this.#stream.write('', () => resolve())
      })
    }
    return this.#error && reasonOf(this.#error)
  }
}
