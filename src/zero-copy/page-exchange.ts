/**
 * Pages on their way from one VM to another, a run of them at a time, in three phases that each may take several steps:
 *
 *   take        the pages leave: unmapped at both VMs; of lent ones the owner keeps a read-only mapping
 *   invalidate  no TLB and no SMMU knows the old translations any more: page by page, or all of a VM's at once
 *   put         the pages arrive: what goes back to the sender is clean, or its own
 *
 * The order is the point: nobody gets a page while anybody else can still write it, or read what was not sent to him. At any
 * obstacle a page is not taken, nothing has changed, and the caller copies. A run that is not finished can be undone.
 */
import { assert } from '../internal/assert.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { PlatformCapability, type PlatformPort } from '../platform/index.ts'
import type { ColorPolicy } from './color-policy.ts'
import type { FrameLedger } from './frame-ledger.ts'
import type { Loan, Loans } from './loans.ts'
import { PageState } from './page-state.ts'
import type { PageStock } from './page-stock.ts'
import type { ZeroCopyCounters } from './zero-copy-counters.ts'

/** Pages of one run: as many are unmapped at a time. */
export const MAX_RUN_PAGES = 512

/** Pages between the same two VMs; caller-owned and reused. The three counts are how far each phase has come. */
export class PageRun<Holder = unknown> {
  from = -1
  to = -1
  /** Null: the pages are exchanged. */
  loan: Loan<Holder> | null = null
  taken = 0
  invalidated = 0
  put = 0
  readonly sourceAddress: number[] = []
  readonly sourceFrame: number[] = []
  readonly targetAddress: number[] = []
  readonly targetFrame: number[] = []

  /** Empty, for pages from VM `from` to VM `to`. */
  open(from: number, to: number, loan: Loan<Holder> | null): void {
    this.from = from
    this.to = to
    this.loan = loan
    this.taken = 0
    this.invalidated = 0
    this.put = 0
  }
}

/** What a `PageExchange` works with. */
export interface ExchangeParts<Holder> {
  readonly port: PlatformPort
  readonly ledger: FrameLedger
  readonly colors: ColorPolicy
  readonly stock: PageStock
  readonly loans: Loans<Holder>
  readonly counters: ZeroCopyCounters
  readonly flushPages: number
}

/**
 * Moves pages from one VM to another in three phases, take, invalidate and put, each of which may take several steps.
 */
export class PageExchange<Holder = unknown> {
  readonly #parts: ExchangeParts<Holder>
  readonly #flushes: boolean
  readonly #smmu: boolean

  constructor(parts: ExchangeParts<Holder>) {
    this.#parts = parts
    this.#flushes = (parts.port.capabilities & PlatformCapability.vmidInvalidate) !== 0
    this.#smmu = (parts.port.capabilities & PlatformCapability.smmu) !== 0
  }

  /**
   * First phase: the sender's page and the page of the receiver's buffer leave their VMs. Addresses are guest pages, frames
   * what was behind them when the broker took them. False, and nothing has changed: something else holds one of them, or a
   * colour does not fit.
   */
  take(
    run: PageRun<Holder>,
    sourceAddress: number,
    sourceFrame: number,
    targetAddress: number,
    targetFrame: number,
  ): boolean {
    const { port, ledger, colors } = this.#parts
    assert(run.invalidated === 0, 'a run takes no more pages once its translations are invalidated')
    assert(sourceAddress % PAGE_SIZE === 0 && targetAddress % PAGE_SIZE === 0, 'only whole pages are moved')
    if (!ledger.isMovable(sourceFrame) || !ledger.isMovable(targetFrame)) return false
    if (!colors.admits(port, run.to, sourceFrame)) return false
    if (run.loan === null && !colors.admits(port, run.from, targetFrame)) return false

    if (run.loan === null) {
      this.#unmap(run.from, sourceAddress, sourceFrame)
      ledger.move(sourceFrame, PageState.inFlight)
      ledger.move(targetFrame, PageState.inFlight)
    } else {
      port.stage2Protect(run.from, sourceAddress, false)
      ledger.move(sourceFrame, PageState.lent)
      ledger.move(targetFrame, PageState.displaced)
    }
    this.#unmap(run.to, targetAddress, targetFrame)
    const at = run.taken++
    run.sourceAddress[at] = sourceAddress
    run.sourceFrame[at] = sourceFrame
    run.targetAddress[at] = targetAddress
    run.targetFrame[at] = targetFrame
    return true
  }

  #unmap(vm: number, address: number, frame: number): void {
    const had = this.#parts.port.stage2Unmap(vm, address)
    if (had !== frame) assert(false, `guest page ${address.toString(16)} of VM ${vm} has frame ${had}, not ${frame}`)
  }

  /** Second phase, of all that was taken: for up to `limit` pages, or of all pages at once. Returns the work done, at most `limit`. */
  invalidate(run: PageRun<Holder>, limit: number): number {
    const { port, counters, flushPages } = this.#parts
    const left = run.taken - run.invalidated
    let count = Math.min(left, limit)
    if (this.#flushes && run.taken >= flushPages) {
      port.tlbInvalidateAll(run.from)
      port.tlbInvalidateAll(run.to)
      counters.tlbFlushes += 2
      count = left
    } else {
      this.#invalidatePages(run.from, run.sourceAddress, run.invalidated, count)
      this.#invalidatePages(run.to, run.targetAddress, run.invalidated, count)
    }
    run.invalidated += count
    if (this.#smmu && run.invalidated === run.taken) {
      port.smmuInvalidate(run.from)
      port.smmuInvalidate(run.to)
    }
    return Math.min(count, limit)
  }

  /** One call for each range of adjacent pages. */
  #invalidatePages(vm: number, addresses: readonly number[], first: number, count: number): void {
    for (let start = first; start < first + count; ) {
      let end = start + 1
      while (end < first + count && addresses[end] === addresses[end - 1]! + PAGE_SIZE) end++
      this.#parts.port.tlbInvalidate(vm, addresses[start]!, end - start)
      start = end
    }
  }

  /** Third phase, for the next page. */
  putNext(run: PageRun<Holder>): void {
    assert(
      run.invalidated === run.taken && run.put < run.taken,
      'a page arrives after its translations were invalidated',
    )
    const at = run.put++
    if (run.loan === null) this.#exchange(run, at)
    else this.#lend(run, run.loan, at)
  }

  #exchange(run: PageRun<Holder>, at: number): void {
    const { port, ledger, colors, stock, counters } = this.#parts
    const sourceFrame = run.sourceFrame[at]!
    const targetFrame = run.targetFrame[at]!
    let back = colors.isPool(port, targetFrame) ? stock.swap(targetFrame) : -1
    if (back < 0) {
      back = targetFrame
      port.scrubFrame(back)
    }
    this.#map(run.to, run.targetAddress[at]!, sourceFrame, true)
    this.#map(run.from, run.sourceAddress[at]!, back, true)
    ledger.move(sourceFrame, PageState.owned)
    ledger.move(back, PageState.owned)
    counters.pagesExchanged++
  }

  #lend(run: PageRun<Holder>, loan: Loan<Holder>, at: number): void {
    const { loans, counters } = this.#parts
    const frame = run.sourceFrame[at]!
    this.#map(run.to, run.targetAddress[at]!, frame, false)
    loans.add(loan, frame, run.sourceAddress[at]!, run.targetAddress[at]!, run.targetFrame[at]!)
    counters.pagesLent++
  }

  #map(vm: number, address: number, frame: number, writable: boolean): void {
    const { port, colors, counters } = this.#parts
    if (!colors.fits(port, vm, frame)) counters.foreignPages++
    port.stage2Map(vm, address, frame, writable)
  }

  /** Up to `limit` pages that have not arrived go back to whom they were taken from; returns how many. What has arrived stays. */
  undo(run: PageRun<Holder>, limit: number): number {
    const { port, ledger } = this.#parts
    let undone = 0
    for (; run.put < run.taken && undone < limit; run.taken--, undone++) {
      const at = run.taken - 1
      const sourceFrame = run.sourceFrame[at]!
      if (run.loan === null) port.stage2Map(run.from, run.sourceAddress[at]!, sourceFrame, true)
      else {
        ledger.move(sourceFrame, PageState.returned)
        port.stage2Protect(run.from, run.sourceAddress[at]!, true)
      }
      port.stage2Map(run.to, run.targetAddress[at]!, run.targetFrame[at]!, true)
      ledger.move(sourceFrame, PageState.owned)
      ledger.move(run.targetFrame[at]!, PageState.owned)
    }
    return undone
  }
}
