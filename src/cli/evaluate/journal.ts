/**
 * What a run has finished so far, one file an experiment: a record a unit, in the order in which they end, so that a run that was
 * interrupted at any byte goes on where it was. A record is one line of JSON and then its rows.
 *
 *   {"unit":3,"rows":2,"bytes":180,"sum":"5f0c…"}\n{"seed":…}\n{"seed":…}\n
 *
 * `sum` is over all the rest of the record. What is not whole and as it was written, and all that follows it, is cut off: after a
 * power cut there may be zeroes, and on a bad disk anything.
 */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, ftruncateSync, readSync } from 'node:fs'
import { doing, reasonOf } from '../file-error.ts'
import { openRegularFile } from '../input-files.ts'
import { OutputFile } from '../output-files.ts'
import { UsageError } from '../terminal.ts'
import type { UnitResult } from './worker.ts'

interface Header {
  readonly unit: number
  readonly rows: number
  readonly bytes: number
  readonly sum: string
}

interface Record extends Header {
  readonly offset: number
}

/** Headers are shorter than this. */
const HEADER_BYTES = 256

/** What a power cut may cost of the work done. */
const SYNC_MS = 1_000

export class Journal {
  readonly path: string
  /** Bytes that were no record, cut off when it was opened; 0: it was as it was written. */
  readonly cutBytes: number
  readonly #file: number
  readonly #output: OutputFile
  readonly #records = new Map<number, Record>()
  #end = 0
  #synced = 0

  /** Opens or creates the file, in a folder that nobody else writes to. */
  constructor(path: string) {
    this.path = path
    try {
      this.#file = openRegularFile(path, constants.O_RDWR | constants.O_CREAT)
    } catch (error) {
      throw new UsageError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error })
    }
    this.#output = new OutputFile(path, this.#file)
    try {
      const { size } = fstatSync(this.#file)
      while (this.#readRecord(size)) {}
      this.cutBytes = size - this.#end
      if (this.cutBytes > 0) doing('write', path, () => ftruncateSync(this.#file, this.#end))
    } catch (error) {
      closeSync(this.#file)
      throw error
    }
  }

  /** Units that are done. */
  get size(): number {
    return this.#records.size
  }

  has(unit: number): boolean {
    return this.#records.has(unit)
  }

  /** On the disk a second later, unless `sync` is called before. */
  add(unit: number, { rows, text }: UnitResult): void {
    if (this.#records.has(unit)) return
    const body = Buffer.from(text)
    const fields = { unit, rows, bytes: body.length }
    const record = { ...fields, sum: sumOf(fields, body) }
    const header = Buffer.from(`${JSON.stringify(record)}\n`)
    this.#output.write(Buffer.concat([header, body]), this.#end)
    this.#records.set(unit, { ...record, offset: this.#end + header.length })
    this.#end += header.length + body.length
    if (performance.now() - this.#synced > SYNC_MS) this.sync()
  }

  rowsOf(unit: number): number {
    return this.#records.get(unit)!.rows
  }

  /** Throws `UsageError` when it is not what was written. */
  textOf(unit: number): string {
    const record = this.#records.get(unit)!
    const body = this.#read(record.offset, record.bytes)
    if (body === null || sumOf(record, body) !== record.sum) {
      throw new UsageError(`${this.path} has changed while it was used; run again with --resume`)
    }
    return body.toString()
  }

  sync(): void {
    this.#output.sync()
    this.#synced = performance.now()
  }

  close(): void {
    this.#output.close()
  }

  /** False: no further record as it was written. */
  #readRecord(size: number): boolean {
    const head = this.#read(this.#end, Math.min(HEADER_BYTES, size - this.#end))
    const newline = head?.indexOf(10) ?? -1
    if (head === null || newline < 0) return false
    const header = headerOf(head.toString('utf8', 0, newline))
    const offset = this.#end + newline + 1
    if (header === null || offset + header.bytes > size) return false
    const body = this.#read(offset, header.bytes)
    if (body === null || sumOf(header, body) !== header.sum) return false
    this.#records.set(header.unit, { ...header, offset })
    this.#end = offset + header.bytes
    return true
  }

  /** Null: so many are not there. */
  #read(offset: number, bytes: number): Buffer | null {
    const buffer = Buffer.alloc(bytes)
    for (let done = 0; done < bytes; ) {
      const more = doing('read', this.path, () => {
        return readSync(this.#file, buffer, done, bytes - done, offset + done)
      })
      if (more === 0) return null
      done += more
    }
    return buffer
  }
}

/** Null: no header. */
function headerOf(line: string): Header | null {
  try {
    const { unit, rows, bytes, sum } = JSON.parse(line) as Header
    const whole = [unit, rows, bytes].every((value) => Number.isSafeInteger(value) && value >= 0)
    return whole && typeof sum === 'string' ? { unit, rows, bytes, sum } : null
  } catch {
    return null
  }
}

function sumOf({ unit, rows, bytes }: Omit<Header, 'sum'>, body: Uint8Array): string {
  return createHash('sha256').update(`${unit} ${rows} ${bytes}\n`).update(body).digest('hex').slice(0, 32)
}
