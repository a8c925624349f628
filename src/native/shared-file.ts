/** A file in memory: what one process writes into the mapping, every other that maps it reads. */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { checkInteger } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import {
  type Libc,
  loadLibc,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from './libc.ts'

const PAGE_BYTES = 4096
/** Of one view. */
const MAX_BYTES = 2 ** 30
const FAILED = 2 ** 47

/** Bytes of a process that lie in a file, or in several places of it. */
export interface SharedMapping {
  readonly bytes: ArrayBuffer
  /**
   * Puts bytes `fileOffset` to `fileOffset + length` of the file at `offset` of this mapping, whatever was there; page multiples, as `mmap` with
   * MAP_FIXED. For mappings of `mapPieces`.
   */
  place(offset: number, fileOffset: number, length: number): void
  /** The mapping is gone. Nobody may touch `bytes` any more, views of it included: the process would end. */
  unmap(): void
}

/**
 * Maps `length` bytes of an existing file from `offset` on, both page multiples, at most 1 GiB. Throws `VirtioError` NO_NATIVE_CALLS without koffi,
 * CANNOT_MAP when the file is too short or the system refuses.
 */
export async function mapSharedFile(path: string, offset: number, length: number): Promise<SharedMapping> {
  const file = await open(path, length)
  file.requireRange(offset, length)
  const address = file.mmap(0, length, MAP_SHARED, offset)
  return file.mapping(address, length)
}

/** Maps `length` bytes of zeroes, in which pieces of the file are then placed: its pages in another order. Throws as `mapSharedFile` does. */
export async function mapPieces(path: string, length: number): Promise<SharedMapping> {
  const file = await open(path, length)
  const address = file.mmap(0, length, MAP_PRIVATE | MAP_ANONYMOUS, 0)
  return file.mapping(address, length)
}

async function open(path: string, length: number): Promise<MappedFile> {
  checkPages('length', length)
  if (length === 0 || length > MAX_BYTES) throw cannotMap(path, `a mapping has 4 KiB to 1 GiB, not ${length} bytes`)
  return new MappedFile(await loadLibc(), path)
}

class MappedFile {
  readonly #libc: Libc
  readonly #path: string
  readonly #fd: number

  constructor(libc: Libc, path: string) {
    this.#libc = libc
    this.#path = path
    try {
      this.#fd = openSync(path, 'r+')
    } catch (error) {
      throw cannotMap(path, (error as Error).message)
    }
  }

  requireRange(offset: number, length: number): void {
    checkPages('offset', offset)
    const { size } = fstatSync(this.#fd)
    if (offset + length > size) throw cannotMap(this.#path, `it has ${size} bytes, ${offset + length} are needed`)
  }

  mmap(address: number, length: number, flags: number, offset: number): number {
    const isAnonymous = (flags & MAP_ANONYMOUS) !== 0
    const at = this.#libc.mmap(address, length, PROT_READ | PROT_WRITE, flags, isAnonymous ? -1 : this.#fd, offset)
    if (at >= FAILED) throw cannotMap(this.#path, `mmap of ${length} bytes failed with errno ${this.#libc.errno()}`)
    return Number(at)
  }

  mapping(address: number, length: number): SharedMapping {
    return {
      bytes: this.#libc.view(address, length),
      place: (offset, fileOffset, pieceLength) => {
        checkPages('offset', offset)
        checkPages('length', pieceLength)
        if (offset + pieceLength > length) throw cannotMap(this.#path, `a piece ends behind the ${length} bytes mapped`)
        this.requireRange(fileOffset, pieceLength)
        this.mmap(address + offset, pieceLength, MAP_SHARED | MAP_FIXED, fileOffset)
      },
      unmap: () => {
        this.#libc.munmap(address, length)
        closeSync(this.#fd)
      },
    }
  }
}

function checkPages(name: string, bytes: number): void {
  checkInteger(name, bytes, 0, Number.MAX_SAFE_INTEGER, 'bytes')
  if (bytes % PAGE_BYTES !== 0)
    throw new VirtioError('INVALID_OPTION', `${name}: ${bytes} is no multiple of 4096 bytes`)
}

function cannotMap(path: string, why: string): VirtioError {
  return new VirtioError('CANNOT_MAP', `${path} cannot be mapped: ${why}`)
}
