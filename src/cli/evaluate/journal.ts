/**
 * What a run has finished so far, one file an experiment: a record a unit, in the order in which they end, so that a run that was
 * interrupted at any byte goes on where it was. A record is one line of JSON and then its rows.
 *
 *   {"unit":3,"rows":2,"bytes":180}\n{"seed":…}\n{"seed":…}\n
 */
import { closeSync, existsSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { UsageError } from '../terminal.ts'
import type { UnitResult } from './worker.ts'

interface Record {
  readonly rows: number
  readonly offset: number
  readonly bytes: number
}

/** Headers are shorter than this. */
const HEADER_BYTES = 256

export class Journal {
  readonly path: string
  readonly #file: number
  readonly #records = new Map<number, Record>()
  #end = 0

  /** Opens or creates the file; what was half written at its end is cut off. */
  constructor(path: string) {
    this.path = path
    this.#file = openSync(path, existsSync(path) ? 'r+' : 'w+')
    const size = statSync(path).size
    while (this.#readRecord(size)) {}
    if (this.#end < size) ftruncateSync(this.#file, this.#end)
  }

  has(unit: number): boolean {
    return this.#records.has(unit)
  }

  add(unit: number, { rows, text }: UnitResult): void {
    if (this.#records.has(unit)) return
    const body = Buffer.from(text)
    const header = Buffer.from(`${JSON.stringify({ unit, rows, bytes: body.length })}\n`)
    writeSync(this.#file, Buffer.concat([header, body]), 0, header.length + body.length, this.#end)
    this.#records.set(unit, { rows, offset: this.#end + header.length, bytes: body.length })
    this.#end += header.length + body.length
  }

  rowsOf(unit: number): number {
    return this.#records.get(unit)!.rows
  }

  textOf(unit: number): Buffer {
    const { offset, bytes } = this.#records.get(unit)!
    const text = Buffer.alloc(bytes)
    readSync(this.#file, text, 0, bytes, offset)
    return text
  }

  close(): void {
    closeSync(this.#file)
  }

  /** False: no further whole record. A record that makes no sense before the end is damage, not an interruption. */
  #readRecord(size: number): boolean {
    const head = Buffer.alloc(Math.min(HEADER_BYTES, size - this.#end))
    readSync(this.#file, head, 0, head.length, this.#end)
    const newline = head.indexOf(10)
    if (newline < 0) {
      if (head.length === HEADER_BYTES) throw this.#damaged()
      return false
    }
    let header: { unit: number; rows: number; bytes: number }
    try {
      header = JSON.parse(head.toString('utf8', 0, newline))
    } catch {
      throw this.#damaged()
    }
    const { unit, rows, bytes } = header
    if (![unit, rows, bytes].every((value) => Number.isSafeInteger(value) && value >= 0)) throw this.#damaged()
    const offset = this.#end + newline + 1
    if (offset + bytes > size) return false
    this.#records.set(unit, { rows, offset, bytes })
    this.#end = offset + bytes
    return true
  }

  #damaged(): UsageError {
    return new UsageError(`${this.path} is damaged at byte ${this.#end}; remove the folder and start again`)
  }
}
