import { VirtioError } from '../internal/error.ts'

/** An access by our own code to memory that is not there. What a peer asks for is translated first, and never gets here. */
export class MemoryError extends VirtioError {
  override readonly name: string = 'MemoryError'
  readonly address: number
  readonly length: number

  constructor(address: number, length: number, regions: string) {
    super(
      'OUT_OF_BOUNDS',
      `${hex(address)} + ${length} is not backed by memory; regions: ${regions}. Translate or check a foreign address first`,
    )
    this.address = address
    this.length = length
  }
}

export function hex(address: number): string {
  return Number.isInteger(address) && address >= 0 ? `0x${address.toString(16)}` : String(address)
}
