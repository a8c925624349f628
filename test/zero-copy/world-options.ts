/** What a world of three guests is like. */
export interface WorldOptions {
  readonly seed: number
  readonly transfer: 'remap' | 'lend' | 'auto' | 'copy'
  readonly colors: 'pool' | 'refuse' | 'accept'
  readonly thresholdPages: number
  readonly flushPages: number
  readonly lentPages: number
  readonly chaining: boolean
  /** This VM does what it likes; -1: none. */
  readonly hostile: number
  /** By VM: its receive buffers, and what it sends, are whole pages. */
  readonly aligned: readonly boolean[]
  /** Devices reach guest memory through an SMMU. Default true. */
  readonly smmu?: boolean
  /** VMs send what is not theirs to send, so bytes do not tell who may see them; frames still do. */
  readonly anyBytes?: boolean
  /** Flows may come this much early. Default: as early as they like. */
  readonly toleranceNs?: number
  /** Longest message of every flow. Default: 1 MiB. */
  readonly maximumBytes?: number
  /** That every driver keeps posted, as the broker is told. Default: it is told nothing. */
  readonly receiveBuffers?: number
  /**
   * Where rings and headers of VM 0 lie, `PRIVATE_PAGES` pages, instead of in the world's own RAM: shared with somebody who writes there
   * while the broker reads. Of the VM's frames they are the first.
   */
  readonly rings?: SharedArrayBuffer
  /** RAM of a world without spare frames, used again: of one that is over. Default: its own. */
  readonly ram?: ArrayBuffer
  /** Faults that the tests must find. */
  readonly fault?: Fault
}

export type Fault =
  | 'skip-scrub'
  | 'forget-tlb'
  | 'forget-flush'
  | 'forget-smmu'
  | 'map-before-unmap'
  | 'lend-writable'
  | 'skip-revocation-copy'
