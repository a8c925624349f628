/** What each core of the board is in the middle of. */
export class CoreStates {
  /** By core: when its EL2 section began, and what it is for (the trace's kind). */
  readonly sectionStartNs: Float64Array
  readonly sectionKind: Int32Array
  /** By core: since when it has not let an interrupt in. */
  readonly maskedSinceNs: Float64Array
  /** By core: cause and argument of the broker entry that follows the entry cost. */
  readonly cause: Int32Array
  readonly argument: Int32Array
  /** By core: the broker returned `more` and wants to go on after pending interrupts. */
  readonly unfinished: Uint8Array
  /** By core: throttled, in EL2, and nothing to do. */
  readonly waiting: Uint8Array
  /** By core: the broker left it to its guests and wants it back. */
  readonly lent: Uint8Array
  /** By core: the VM whose registers answer before the core leaves, or -1. */
  readonly resetting: Int32Array
  readonly timers: Float64Array

  constructor(coreCount: number) {
    this.sectionStartNs = new Float64Array(coreCount)
    this.sectionKind = new Int32Array(coreCount)
    this.maskedSinceNs = new Float64Array(coreCount)
    this.cause = new Int32Array(coreCount)
    this.argument = new Int32Array(coreCount)
    this.unfinished = new Uint8Array(coreCount)
    this.waiting = new Uint8Array(coreCount)
    this.lent = new Uint8Array(coreCount)
    this.resetting = new Int32Array(coreCount).fill(-1)
    this.timers = new Float64Array(coreCount)
  }
}
