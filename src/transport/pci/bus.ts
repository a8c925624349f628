/** What a driver of a PCI function needs of its machine. */
import type { AccessWidth } from '../access.ts'

/** How a driver reaches one function: its configuration space, and the BARs at the addresses that the host gave them. */
export interface PciBus {
  /** An unsigned number of `width` bytes. */
  readConfig(offset: number, width: AccessWidth): number
  writeConfig(offset: number, width: AccessWidth, value: number): void
  readBar(bar: number, offset: number, width: AccessWidth): number
  writeBar(bar: number, offset: number, width: AccessWidth, value: number): void
}

/** The message that a vector is to send: a store of `data` to `address`, which the host turns into `takeMessage(vector)`. */
export interface MsixMessage {
  readonly address: number
  readonly data: number
}
