/** What a file system refuses, in a sentence: what could not be done, to which file, and why, in words and with the system's code. */
import { oneLine } from './escape.ts'
import { UsageError } from './terminal.ts'

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not',
  EBUSY: 'it is in use',
  EDQUOT: 'the quota of the disk is used up',
  EEXIST: 'something else of that name is there',
  EFBIG: 'it would be larger than the system allows',
  EIO: 'the disk or the file server failed',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links go in a circle',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'its name is too long',
  ENFILE: 'too many files are open',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of its path is a file, not a folder',
  ENXIO: 'nothing is behind it',
  EPERM: 'this user may not',
  EPIPE: 'its reader has gone',
  EROFS: 'the file system is read-only',
  ESTALE: 'the file server has forgotten it',
}

/** `the disk is full (ENOSPC)`; of what is no error of the file system, its message. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = code === undefined ? undefined : REASONS[code]
  return reason === undefined ? String(message ?? error) : `${reason} (${code})`
}

/** Whether the file system, or another part of the system, refused something. */
export function isRefusal(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/**
 * Does something to the file or folder at `path`. What the file system refuses becomes a `UsageError`, `cannot write PATH: …`;
 * other errors stay what they are.
 */
export function doing<T>(verb: 'read' | 'write' | 'remove', path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (!isRefusal(error)) throw error
    throw new UsageError(`cannot ${verb} ${oneLine(path)}: ${reasonOf(error)}`, { cause: error })
  }
}
