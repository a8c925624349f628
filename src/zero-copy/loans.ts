/**
 * Pages lent read-only. The owner keeps a read-only mapping and its transmit buffer stays in use until every page of it is
 * back; the borrower's own frame waits aside. A page comes back
 *
 *   given back   the borrower makes a receive buffer available again that contains it: it gets its own frame again
 *   revoked      the loan is due, or one of the two is reset: the bytes are copied into the borrower's own frame, which takes
 *                the page's place, so that the borrower loses nothing and the lender waits for nobody
 *
 * `Holder` is whatever the loan belongs to: the broker's message.
 */
import { PAGE_SIZE, type SegmentList } from '../memory/index.ts'
import { PlatformCapability, type PlatformPort } from '../platform/index.ts'
import type { FrameLedger } from './frame-ledger.ts'
import { PageState } from './page-state.ts'
import type { ZeroCopyCounters } from './zero-copy-counters.ts'

/** The pages of one message. */
export class Loan<Holder> {
  readonly holder: Holder
  readonly lender: number
  readonly borrower: number
  /** When pages that were not given back are revoked, ns. */
  readonly dueNs: number
  /** Of its borrower, the receive buffers that the broker had looked at when it found the loan due; -1: it has not. */
  lookedWhenDue = -1
  /** Those that are still lent. */
  readonly pages = new Set<LentPage<Holder>>()

  constructor(holder: Holder, lender: number, borrower: number, dueNs: number) {
    this.holder = holder
    this.lender = lender
    this.borrower = borrower
    this.dueNs = dueNs
  }
}

interface LentPage<Holder> {
  readonly loan: Loan<Holder>
  readonly frame: number
  readonly lenderAddress: number
  readonly borrowerAddress: number
  /** The borrower's own frame. */
  readonly displaced: number
}

/** Pages lent read-only, to be given back or revoked. */
export class Loans<Holder> {
  readonly #port: PlatformPort
  readonly #ledger: FrameLedger
  readonly #counters: ZeroCopyCounters
  readonly #smmu: boolean
  readonly #pages = new Map<number, LentPage<Holder>>()
  /** Loans with pages out. */
  readonly #loans = new Set<Loan<Holder>>()
  readonly #borrowed: Int32Array
  /** Whose last page came back; the broker takes them out. */
  readonly settled: Holder[] = []
  readonly #batch: LentPage<Holder>[] = []

  constructor(port: PlatformPort, ledger: FrameLedger, counters: ZeroCopyCounters, vmCount: number) {
    this.#port = port
    this.#ledger = ledger
    this.#counters = counters
    this.#smmu = (port.capabilities & PlatformCapability.smmu) !== 0
    this.#borrowed = new Int32Array(vmCount)
  }

  /** Pages that the VM has borrowed. */
  borrowedBy(vm: number): number {
    return this.#borrowed[vm]!
  }

  get open(): boolean {
    return this.#pages.size > 0
  }

  /** The earliest time at which pages have to come back; Infinity when none are out. */
  get nextDueNs(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { dueNs } of this.#loans) if (dueNs < earliest) earliest = dueNs
    return earliest
  }

  /** Whether that holds of a loan to the VM. */
  someOf(vm: number, holds: (loan: Loan<Holder>) => boolean): boolean {
    for (const loan of this.#loans) if (loan.borrower === vm && holds(loan)) return true
    return false
  }

  /** The page is mapped at the borrower, in place of its frame `displaced`. */
  add(loan: Loan<Holder>, frame: number, lenderAddress: number, borrowerAddress: number, displaced: number): void {
    const page = { loan, frame, lenderAddress, borrowerAddress, displaced }
    this.#pages.set(frame, page)
    this.#loans.add(loan)
    loan.pages.add(page)
    this.#borrowed[loan.borrower]!++
  }

  /**
   * Whether the broker may have these extents of the VM written: each frame is the VM's own by the ledger, or one that it has
   * borrowed and that comes back with them. A page is lent from the moment at which it leaves, before the borrower has it.
   */
  mayReceive(vm: number, segments: SegmentList): boolean {
    return this.#frames(segments, (frame) => {
      const state = this.#ledger.stateOf(frame)
      if (state === PageState.owned || state === PageState.offered) return true
      return state === PageState.lent && this.#pages.get(frame)?.loan.borrower === vm
    })
  }

  /** Takes note of the borrowed pages in these extents, for `giveBackNoted` or `revokeNoted`; returns how many it noted. */
  noteBorrowed(vm: number, segments: SegmentList): number {
    if (this.#borrowed[vm] === 0) return 0
    const before = this.#batch.length
    this.#frames(segments, (frame) => {
      const page = this.#pages.get(frame)
      if (page?.loan.borrower === vm && !this.#batch.includes(page)) this.#batch.push(page)
      return true
    })
    return this.#batch.length - before
  }

  /** Calls `each` for the frames that the extents touch, until one says false. */
  #frames(segments: SegmentList, each: (frame: number) => boolean): boolean {
    for (let i = 0; i < segments.count; i++) {
      const last = Math.floor((segments.offset[i]! + segments.length[i]! - 1) / PAGE_SIZE)
      for (let frame = Math.floor(segments.offset[i]! / PAGE_SIZE); frame <= last; frame++) {
        if (!each(frame)) return false
      }
    }
    return true
  }

  /** The borrower gave the noted pages back: it gets its own frames again, the lender may write. */
  giveBackNoted(): void {
    this.#counters.pagesReturned += this.#batch.length
    this.#end(false)
  }

  /** Copies up to `limit` of the noted pages for the borrower and forgets the others. True: there were no others. */
  revokeNoted(limit: number): boolean {
    const all = this.#batch.length <= limit
    if (!all) this.#batch.length = limit
    this.#revoke()
    return all
  }

  /** Revokes up to `limit` pages of loans that are due and of which `gone` says that they will not be given back. */
  revokeDue(nowNs: number, limit: number, gone: (loan: Loan<Holder>) => boolean): void {
    this.#note((loan) => loan.dueNs <= nowNs && gone(loan), limit)
    this.#revoke()
  }

  /** Revokes up to `limit` pages that this VM has lent or borrowed. True: none are left. */
  revokeOf(vm: number, limit: number): boolean {
    const concerns = (loan: Loan<Holder>) => loan.lender === vm || loan.borrower === vm
    this.#note(concerns, limit)
    this.#revoke()
    for (const loan of this.#loans) if (concerns(loan)) return false
    return true
  }

  #note(chosen: (loan: Loan<Holder>) => boolean, limit: number): void {
    for (const loan of this.#loans) {
      if (!chosen(loan)) continue
      for (const page of loan.pages) {
        if (this.#batch.length === limit) return
        this.#batch.push(page)
      }
    }
  }

  #revoke(): void {
    this.#counters.pagesRevoked += this.#batch.length
    this.#end(true)
  }

  /** Unmapped from the borrower, invalidated, then its own frame for the borrower and the right to write for the lender. */
  #end(copies: boolean): void {
    const [port, ledger, batch] = [this.#port, this.#ledger, this.#batch]
    if (batch.length === 0) return
    for (const { loan, borrowerAddress, frame } of batch) {
      port.stage2Unmap(loan.borrower, borrowerAddress)
      ledger.move(frame, PageState.returned)
    }
    for (const { loan, borrowerAddress } of batch) port.tlbInvalidate(loan.borrower, borrowerAddress, 1)
    if (this.#smmu) for (const vm of new Set(batch.map(({ loan }) => loan.borrower))) port.smmuInvalidate(vm)
    for (const page of batch) {
      const { loan, frame, lenderAddress, borrowerAddress, displaced } = page
      if (copies) port.copyFrame(frame, displaced)
      port.stage2Map(loan.borrower, borrowerAddress, displaced, true)
      port.stage2Protect(loan.lender, lenderAddress, true)
      ledger.move(displaced, PageState.owned)
      ledger.move(frame, PageState.owned)
      this.#pages.delete(frame)
      this.#borrowed[loan.borrower]!--
      loan.pages.delete(page)
      if (loan.pages.size === 0) {
        this.#loans.delete(loan)
        this.settled.push(loan.holder)
      }
    }
    batch.length = 0
  }
}
