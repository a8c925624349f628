/** Everything that is wrong with a file that somebody wrote, at once, each with its place and its cure. */
import { VirtioError } from '../internal/error.ts'

/** One thing that is wrong with a file: where, what is there, and what would be right. */
export interface InputIssue {
  /** As one would write it in a program: `flows[1].period`; empty for the file as a whole. */
  readonly path: string
  /** Of the value, or of what should contain it, from 1. */
  readonly line: number
  readonly column: number
  /** What is written there; undefined where something is missing. */
  readonly value: unknown
  /** Reads after the path: `"5 parsecs" is not a time`. */
  readonly message: string
  /** What would be right. */
  readonly fix: string
}

/** `message` has one line an issue: `scenario.yaml:12:14 flows[1].period: … ; …`. */
export class InputError extends VirtioError {
  override readonly name: string = 'InputError'
  readonly issues: readonly InputIssue[]

  constructor(code: string, file: string, issues: readonly InputIssue[], options?: ErrorOptions) {
    super(code, issues.map((issue) => formatIssue(file, issue)).join('\n'), options)
    this.issues = issues
  }
}

function formatIssue(file: string, issue: InputIssue): string {
  const place = `${file}:${issue.line}:${issue.column}`
  return `${place} ${issue.path === '' ? '' : `${issue.path}: `}${issue.message}; ${issue.fix}`
}
