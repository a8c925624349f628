/** Where the command line reads and writes: the process in earnest, a fake in tests. */
import { escapeControls } from './escape.ts'

export interface Output {
  write(text: string): void
  readonly isTTY: boolean
}

export interface Terminal {
  readonly stdout: Output
  readonly stderr: Output
  /** Relative paths start here. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Wall clock in ms, for progress and for the ratio of simulated to wall time. */
  now(): number
  /** Once, when the user or the system asks to stop; a second time stops at once. The result takes the listener back. */
  onInterrupt?(listener: () => void): () => void
  /**
   * Hears of what is thrown or rejected where nobody waits for it, instead of what was asked before. The result takes the listener
   * back; without any it is a mistake of ours.
   */
  onUncaught?(listener: (error: unknown) => void): () => void
  /** Resolves when nothing is left that would happen in this process by itself, or after a second. */
  idle?(): Promise<void>
}

export const EXIT_OK = 0
/** The run worked, and what it found is bad: a payload differs, or a guest broke the rules. */
export const EXIT_NEGATIVE = 1
/** The command line or a file that it names is wrong. */
export const EXIT_USAGE = 2
/** Our own mistake. */
export const EXIT_INTERNAL = 3

/** Stopped from outside, as a shell says it of SIGINT. */
export const EXIT_INTERRUPTED = 130

/** Something the user wrote is wrong: the message goes to stderr as it is, and the exit code is `EXIT_USAGE`. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export type Tone = 'good' | 'bad' | 'quiet' | 'strong'
export type Paint = (text: string, tone: Tone | undefined) => string

const SGR: Readonly<Record<Tone, number>> = { good: 32, bad: 31, quiet: 2, strong: 1 }

/**
 * Stand for the two controls that we write ourselves, until the text is past `escapeControls`. Drawn anew in every process: a text
 * that was written before cannot contain them.
 */
const DRAWN = `${Math.random()}${Math.random()}`
const ESC = `<esc ${DRAWN}>`
const CR = `<cr ${DRAWN}>`

/** Goes back to the first column, and empties the line. */
export const ERASE_LINE = `${CR}${ESC}[K`

/** Colour where a person looks at it; https://no-color.org wins. */
export function painter(output: Output, env: Terminal['env']): Paint {
  if (!output.isTTY || env.NO_COLOR || env.TERM === 'dumb') return (text) => text
  return (text, tone) => (tone === undefined ? text : `${ESC}[${SGR[tone]}m${text}${ESC}[0m`)
}

/** The terminal of all commands: whatever they write, the only controls that come out are those of `painter` and `ERASE_LINE`. */
export function guarded(terminal: Terminal): Terminal {
  const guard = (output: Output): Output => ({
    isTTY: output.isTTY,
    write: (text) => output.write(escapeControls(text).replaceAll(ESC, '\x1b').replaceAll(CR, '\r')),
  })
  return { ...terminal, stdout: guard(terminal.stdout), stderr: guard(terminal.stderr) }
}
