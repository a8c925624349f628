/**
 * While code of others runs in this process, or is waited for, it may do what no result tells: end the process, throw where nobody
 * waits, run for ever. Each is said, and is an error.
 */
import process from 'node:process'
import { inWords } from '../../internal/in-words.ts'
import { oneLine } from '../escape.ts'
import { EXIT_USAGE, type Terminal, UsageError } from '../terminal.ts'
import { Deadline } from './deadline.ts'

export interface Guarded {
  /** The terminal of the command. */
  readonly terminal: Terminal
  /** For what has no limit of its own: until then `action` has to be done. */
  readonly limitMs?: number
}

/**
 * Runs `action`, which runs code of `whose`. When the process ends before it does, says that it was `whose` code, and ends with
 * `EXIT_USAGE`. Throws `UsageError` when the limit is over, or when something was thrown outside of `action`.
 */
export async function guarding<T>(
  whose: string,
  { terminal, limitMs }: Guarded,
  action: () => T | Promise<T>,
): Promise<T> {
  const late = `${oneLine(whose)} is still running after ${(limitMs ?? 0) / 1000} s`
  let deadline: Deadline | null = null
  const onExit = () => {
    const ended = `${oneLine(whose)} ended the process, or waits for what never comes; a target has to leave the process alone`
    terminal.stderr.write(`${deadline?.passed ? late : ended}\n`)
    process.exitCode = EXIT_USAGE
  }
  process.once('exit', onExit)
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  const deaf = terminal.onUncaught?.((error) => {
    fail(new UsageError(`${oneLine(whose)} threw where nobody waits for it: ${thrownInWords(error)}`, { cause: error }))
  })
  if (limitMs !== undefined) deadline = new Deadline(limitMs, () => fail(new UsageError(late)))
  try {
    return await Promise.race([Promise.resolve().then(action), failed])
  } finally {
    deadline?.end()
    deaf?.()
    process.off('exit', onExit)
  }
}

/** What a target does by itself may take so long after it was asked the last time. */
const REST_MS = 10_000

/** Waits for what the code of `whose` has begun and nobody waits for. Throws as `guarding` does. */
export async function settled(whose: string, terminal: Terminal, limitMs = REST_MS): Promise<void> {
  if (terminal.idle !== undefined) await guarding(whose, { terminal, limitMs }, terminal.idle)
}

/** On one line: the message of an error, or the value that was thrown. */
export function thrownInWords(error: unknown): string {
  return oneLine(inWords(error))
}
