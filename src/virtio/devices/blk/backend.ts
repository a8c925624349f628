/** What a blk device keeps its sectors in: memory, or any object that reads and writes them, at once or later. */
import { checkInteger, checkMethods, refuseOption } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import { SECTOR_BYTES } from './contract.ts'

/**
 * The storage behind a `BlkDevice`, in sectors of 512 bytes. Each function does its work before it returns, or returns a promise that
 * settles when it is done; requests under way are answered in the order in which they are done. What it throws, or rejects with, is
 * answered with IOERR and is a `fault` event of the device, which goes on. It is called for ranges within `sectors` only, and for pieces
 * of a long request one after the other. `target` and `source` are its own until it is done.
 */
export interface BlkBackend {
  /** Sectors that there are. When it changes, call `BlkDevice.capacityChanged`. */
  readonly sectors: number
  /** The content where it lies in memory: reads, writes and zeroes go straight from and to it, and the functions for them are not called. */
  readonly bytes?: Uint8Array | undefined
  /** Fills all of `target`, from `sector` on. */
  read(sector: number, target: Uint8Array): void | PromiseLike<void>
  /** Without it the device is read-only. */
  write?(sector: number, source: Uint8Array): void | PromiseLike<void>
  /** All writes that are done survive what the storage can survive. Without it there is nothing to do for that. */
  flush?(): void | PromiseLike<void>
  /** The content is not needed any more. Without it DISCARD is not offered. */
  discard?(sector: number, sectors: number): void | PromiseLike<void>
  /** The range reads as zeros; `mayUnmap`: its place may be given up. Without it zeros are written. */
  writeZeroes?(sector: number, sectors: number, mayUnmap: boolean): void | PromiseLike<void>
  /** The content is gone for good, with all its copies. Without it SECURE_ERASE is not offered. */
  secureErase?(sector: number, sectors: number): void | PromiseLike<void>
}

/** A disk in memory. */
export class MemoryDisk implements BlkBackend {
  #bytes: Uint8Array

  /**
   * `content`: bytes of the disk, which are its own from now on, or how many zeros; a multiple of 512. Throws `VirtioError` INVALID_OPTION,
   * OUT_OF_MEMORY.
   */
  constructor(content: number | Uint8Array) {
    this.#bytes = content instanceof Uint8Array ? content : zeros(content)
    if (this.#bytes.length % SECTOR_BYTES !== 0) {
      refuseOption('the length of content', this.#bytes.length, 'a multiple of 512 bytes')
    }
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  get sectors(): number {
    return this.#bytes.length / SECTOR_BYTES
  }

  /** Cuts the end off, or adds zeros. Call `BlkDevice.capacityChanged` afterwards. Throws as the constructor does. */
  resize(sectors: number): void {
    checkInteger('sectors', sectors, 0)
    const bytes = zeros(sectors * SECTOR_BYTES)
    bytes.set(this.#bytes.subarray(0, bytes.length))
    this.#bytes = bytes
  }

  read(sector: number, target: Uint8Array): void {
    const at = sector * SECTOR_BYTES
    target.set(this.#bytes.subarray(at, at + target.length))
  }

  write(sector: number, source: Uint8Array): void {
    this.#bytes.set(source, sector * SECTOR_BYTES)
  }

  discard(sector: number, sectors: number): void {
    this.#bytes.fill(0, sector * SECTOR_BYTES, (sector + sectors) * SECTOR_BYTES)
  }

  /** There is one copy, in this memory. */
  secureErase(sector: number, sectors: number): void {
    this.discard(sector, sectors)
  }
}

function zeros(lengthBytes: number): Uint8Array {
  checkInteger('content', lengthBytes, 0, Number.MAX_SAFE_INTEGER, 'bytes')
  try {
    return new Uint8Array(lengthBytes)
  } catch (error) {
    throw new VirtioError('OUT_OF_MEMORY', `a disk of ${lengthBytes} bytes does not fit in memory`, { cause: error })
  }
}

const OPTIONAL = ['write', 'flush', 'discard', 'writeZeroes', 'secureErase'] as const

/** Throws `VirtioError` INVALID_OPTION for what is none. */
export function checkBackend(backend: BlkBackend): void {
  checkMethods('backend', backend, 'a BlkBackend', ['read'])
  checkMethods(
    'backend',
    backend,
    'a BlkBackend',
    OPTIONAL.filter((name) => backend[name] !== undefined),
  )
  checkSectors(backend)
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkSectors({ sectors, bytes }: BlkBackend): void {
  checkInteger('backend.sectors', sectors, 0, Math.floor(Number.MAX_SAFE_INTEGER / SECTOR_BYTES), 'sectors')
  if (bytes !== undefined && bytes.length < sectors * SECTOR_BYTES) {
    refuseOption('backend.bytes', bytes.length, `${sectors * SECTOR_BYTES} bytes, as its sectors say`)
  }
}
