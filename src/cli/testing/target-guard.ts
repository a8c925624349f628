/** While code of others runs in this process, or is waited for, the process may end under us: that is said, and is an error. */
import process from 'node:process'
import { oneLine } from '../escape.ts'
import { EXIT_USAGE, type Terminal } from '../terminal.ts'

/** Runs `action`; when the process ends before it does, says that it was `whose` code, and ends with `EXIT_USAGE`. */
export async function guardingExit<T>(whose: string, terminal: Terminal, action: () => Promise<T>): Promise<T> {
  const onExit = () => {
    terminal.stderr.write(
      `${oneLine(whose)} ended the process, or waits for what never comes; a target has to leave the process alone\n`,
    )
    process.exitCode = EXIT_USAGE
  }
  process.once('exit', onExit)
  try {
    return await action()
  } finally {
    process.off('exit', onExit)
  }
}
