/** A file behind a `BlkDevice`. Everything is asynchronous: requests are answered as the host does them. */
import { type FileHandle, open } from 'node:fs/promises'
import { checkFlags, checkObject, checkText } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { type BlkBackend, SECTOR_BYTES } from '../virtio/index.ts'

/** Options of `FileDisk.open`. */
export interface FileDiskOptions {
  /** The file is only read. Default false. */
  readonly readOnly?: boolean
}

/**
 * A disk that is a file. Its whole sectors count; what is left at the end is not seen. `flush` is fdatasync. Discards are not offered: Node
 * cannot punch holes. The guest's data are the file's: nobody else may write it meanwhile.
 */
export class FileDisk implements BlkBackend {
  readonly write?: NonNullable<BlkBackend['write']>
  readonly #file: FileHandle
  #sectors: number

  private constructor(file: FileHandle, sectors: number, readOnly: boolean) {
    this.#file = file
    this.#sectors = sectors
    if (!readOnly) this.write = (sector, source) => this.#write(sector, source)
  }

  /** Opens a file that exists. Throws `VirtioError` CANNOT_OPEN with the cause, INVALID_OPTION. */
  static async open(path: string, options: FileDiskOptions = {}): Promise<FileDisk> {
    checkText('path', path)
    checkObject('options', options)
    checkFlags(options, 'readOnly')
    const { readOnly = false } = options
    let file: FileHandle
    try {
      file = await open(path, readOnly ? 'r' : 'r+')
    } catch (error) {
      throw new VirtioError('CANNOT_OPEN', `the disk ${path} cannot be opened: ${(error as Error).message}`, {
        cause: error,
      })
    }
    try {
      return new FileDisk(file, await sectorsOf(file), readOnly)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get sectors(): number {
    return this.#sectors
  }

  async read(sector: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const at = sector * SECTOR_BYTES + done
      const { bytesRead } = await this.#file.read(target, done, target.length - done, at)
      if (bytesRead === 0) throw new Error(`the file ends at ${at}: somebody has cut it`)
      done += bytesRead
    }
  }

  async flush(): Promise<void> {
    await this.#file.datasync()
  }

  /** Cuts the file, or adds zeros. Call `BlkDevice.capacityChanged` afterwards. Rejects with the host's error. */
  async resize(sectors: number): Promise<void> {
    await this.#file.truncate(sectors * SECTOR_BYTES)
    this.#sectors = sectors
  }

  /** The file is closed when this resolves. Reset the device before: what it asks for afterwards fails. */
  async close(): Promise<void> {
    await this.#file.close()
  }

  async #write(sector: number, source: Uint8Array): Promise<void> {
    for (let done = 0; done < source.length; ) {
      const { bytesWritten } = await this.#file.write(source, done, source.length - done, sector * SECTOR_BYTES + done)
      done += bytesWritten
    }
  }
}

async function sectorsOf(file: FileHandle): Promise<number> {
  const { size } = await file.stat()
  return Math.floor(size / SECTOR_BYTES)
}
