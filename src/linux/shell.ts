/** A guest's shell on its serial port: commands in, exit status and output back. */
import type { V86Machine } from './v86-machine.ts'

/** What a command came to. */
export interface CommandResult {
  readonly status: number
  readonly output: string
}

export class Shell {
  readonly #machine: V86Machine
  #commands = 0

  constructor(machine: V86Machine) {
    this.#machine = machine
  }

  /** Types a command. The answer is there once the guest has run long enough. */
  begin(command: string): () => CommandResult | null {
    const mark = `@${++this.#commands}@`
    const start = this.#machine.serialOutput.length
    this.#machine.type(`${command}\necho "${mark}$?${mark}"\n`)
    const end = new RegExp(`${mark}(\\d+)${mark}`)
    return () => {
      const said = this.#machine.serialOutput.slice(start)
      const found = end.exec(said)
      return found === null
        ? null
        : { status: Number(found[1]), output: said.slice(0, found.index).replaceAll('\r', '') }
    }
  }
}
