import { VirtioError } from '../internal/error.ts'

/** An access by our own code to memory that is not there. What a peer asks for is translated first, and never gets here. */
export class MemoryError extends VirtioError {
  override readonly name: string = 'MemoryError'
  readonly address: number
  readonly length: number

  /** `fault` read-only: the bytes are there, but a page of them may not be written; the code is READ_ONLY then. */
  constructor(address: number, length: number, regions: string, fault: 'unbacked' | 'read-only' = 'unbacked') {
    const range = `${hex(address)} + ${length}`
    const readOnly = fault === 'read-only'
    const what = readOnly
      ? 'has a page that may not be written'
      : `is not backed by memory; regions: ${regions}. Translate or check a foreign address first`
    super(readOnly ? 'READ_ONLY' : 'OUT_OF_BOUNDS', `${range} ${what}`)
    this.address = address
    this.length = length
  }
}

export function hex(address: number): string {
  return Number.isInteger(address) && address >= 0 ? `0x${address.toString(16)}` : String(address)
}
