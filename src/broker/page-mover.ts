/**
 * What the CPU moves instead of the DMA: messages without payload, and messages whose pages are exchanged or lent. The bytes
 * before and behind the whole pages are copied. Bounded work a call; a message with many pages takes several, and its pages
 * are nobody's between two of them. At a page that cannot be moved, the rest of its message is left to the DMA.
 *
 *   head            pages, a run at a time                         tail
 *   copy one piece  take, take, ... | invalidate | put, put, ...   copy one piece   -> one arrival, one interrupt
 *
 * Receive buffers that run out in between, and only they, make a message arrive in parts.
 */
import { PAGE_SIZE, SegmentCursor, type SegmentList } from '../memory/index.ts'
import { CostOp } from '../platform/index.ts'
import { LINE_BYTES, Loan, MAX_RUN_PAGES, PageRun, TransferWay, type ZeroCopy } from '../zero-copy/index.ts'
import { LOOK_BATCH, PAGE_BATCH, PAGE_REST_NS, REVOKE_BATCH } from './batches.ts'
import type { FlowQueues } from './flow-queues.ts'
import type { Message } from './message-table.ts'
import type { Outlet } from './outlet.ts'
import type { ReceiveBuffer } from './receive-pool.ts'
import type { RelayContext } from './relay-context.ts'
import type { Transfer } from './transfer.ts'

const Phase = { pieces: 0, taking: 1, moving: 2 } as const

/** The message at the front of a flow, once it has begun to move; one object a flow, reused. */
class PageJob {
  /** Null: none has begun. */
  message: Message | null = null
  transfer: Transfer | null = null
  phase: number = Phase.pieces
  /** A page could not be moved: what is left goes to the DMA. */
  blocked = false
  readonly run = new PageRun<Message>()
  /** The receive buffers of the run's pages, in their order. */
  readonly buffers: ReceiveBuffer[] = []
  /** Place in the payload of the next page that the run may take. */
  segment = 0
  segmentOffset = 0

  open(message: Message, transfer: Transfer): void {
    this.message = message
    this.transfer = transfer
    this.phase = Phase.pieces
    this.blocked = false
    this.buffers.length = 0
    this.run.open(message.source, message.destination, null)
  }
}

export class PageMover {
  readonly #context: RelayContext
  readonly #queues: FlowQueues
  readonly #outlet: Outlet
  /** The core that goes on with what is unfinished, or -1. */
  #worker = -1
  /** Its timer: when it goes on at the latest, after it has left for its guests; else Infinity. */
  #restsUntilNs = Number.POSITIVE_INFINITY
  /** By flow. */
  readonly #jobs: readonly PageJob[]
  /** By VM: there was no receive buffer left when they were last looked through for lent pages. */
  readonly #drained: Uint8Array
  readonly #from = new SegmentCursor()
  readonly #to = new SegmentCursor()

  constructor(context: RelayContext, queues: FlowQueues, outlet: Outlet) {
    this.#context = context
    this.#queues = queues
    this.#outlet = outlet
    this.#jobs = queues.states.map(() => new PageJob())
    this.#drained = new Uint8Array(context.endpoints.length).fill(1)
  }

  /**
   * A batch of work. True: call again. One core does it until nothing is left: a second one would mostly wait for the lock.
   */
  step(): boolean {
    const { core } = this.#context
    if (this.#worker >= 0 && this.#worker !== core) return false
    this.#rest(Number.POSITIVE_INFINITY)
    const more = this.#work()
    this.#worker = more ? core : -1
    return more
  }

  /**
   * Ends a step that was not the last. True: guests of this core have interrupts to take, so the core leaves, and moves on when
   * they have none left; but it does not wait for ever for that.
   */
  later(): boolean {
    const { core, port } = this.#context
    if (this.#worker !== core || !port.yieldToGuest(core)) return false
    this.#rest(port.now() + PAGE_REST_NS)
    return true
  }

  /** The core that goes on with what is unfinished. */
  isWorker(core: number): boolean {
    return this.#worker === core
  }

  #rest(untilNs: number): void {
    if (untilNs === this.#restsUntilNs) return
    this.#restsUntilNs = untilNs
    this.#context.wakeUps.forPages(this.#context.core, untilNs)
  }

  #work(): boolean {
    const { port, wakeUps, core, endpoints, zeroCopy } = this.#context
    let left = PAGE_BATCH
    let more = zeroCopy !== null && this.#tendLoans(zeroCopy)
    for (let further = this.#context.furtherFetches; left > 0; ) {
      const message = this.#queues.pickForCpu(port.now(), this.#goesOn)
      if (message === null) break
      const state = this.#queues.states[message.flow]!
      left -= Math.max(1, this.#move(message, left)) + this.#context.furtherFetches - further
      further = this.#context.furtherFetches
      // What is at the front of the flow now is for the DMA, which the next step may start.
      if (state.first?.byCpu === false) more = true
    }
    // Behind what has gone, a message may wait for its time.
    const eligibleNs = this.#queues.nextEligibleNs(port.now())
    if (eligibleNs < Number.POSITIVE_INFINITY) wakeUps.forWork(core, eligibleNs)
    if (zeroCopy === null) return more || left <= 0
    // Whatever brought the last page of a loan back: a buffer that was taken, here or for the DMA, or a revocation.
    this.#completeSettled(zeroCopy.loans.settled)
    // A receiver that can be told of its message does not wait for the scrubbing of pages that nobody needs yet.
    if (endpoints.every(({ arrived }) => arrived.length === 0)) zeroCopy.stock.tidy(Math.max(0, left))
    if (this.#watchBorrowers(zeroCopy)) more = true
    const dueNs = zeroCopy.loans.nextDueNs
    if (dueNs < Number.POSITIVE_INFINITY) wakeUps.forWork(core, dueNs)
    return more || left <= 0 || zeroCopy.stock.stale > 0
  }

  /** Looks for buffers that bring lent pages back, and revokes what is due. True: there may be more of either. */
  #tendLoans({ loans }: ZeroCopy<Message>): boolean {
    if (!loans.open) return false
    let found = false
    for (const { vm, queues } of this.#context.endpoints) {
      this.#drained[vm] = 1
      if (queues === null || queues.receive.violation !== null || loans.borrowedBy(vm) === 0) continue
      if (!this.#context.takeBuffers(vm, LOOK_BATCH)) continue
      this.#drained[vm] = 0
      found = true
    }
    const now = this.#context.port.now()
    loans.revokeDue(now, REVOKE_BATCH, this.#isGone)
    return found || loans.nextDueNs <= now
  }

  /**
   * A sender that is out of buffers does not wait until its loans are due: who has borrowed of it says when it gives pages back. True: some may
   * have, and have not said so.
   */
  #watchBorrowers({ loans }: ZeroCopy<Message>): boolean {
    let found = false
    for (const { vm, watched } of this.#context.endpoints) {
      const awaited = loans.borrowedBy(vm) > 0 && loans.someOf(vm, this.#isAwaited)
      if ((awaited || watched) && this.#context.watch(vm, awaited)) found = true
    }
    return found
  }

  readonly #isAwaited = ({ holder }: Loan<Message>): boolean => this.#queues.states[holder.flow]!.isFull

  /**
   * What was given back before it was due has been seen once the ring is empty, or once as many buffers were looked at as it has: a
   * VM that makes ever more available delays nobody for longer.
   */
  readonly #isGone = (loan: Loan<Message>): boolean => {
    const { borrower } = loan
    if (this.#drained[borrower] === 1) return true
    const { pool, queues } = this.#context.endpoints[borrower]!
    const { looked } = pool!
    if (loan.lookedWhenDue < 0) loan.lookedWhenDue = looked
    return looked - loan.lookedWhenDue >= queues!.receive.size
  }

  /** Gives the transmit buffers back whose last lent page is back. */
  #completeSettled(settled: Message[]): void {
    for (const message of settled.splice(0)) this.#outlet.completeIfOver(message)
  }

  /** It has begun to move, or has a receive buffer to begin with. One that has begun and has no more buffers arrives as far as it is. */
  readonly #goesOn = (message: Message): boolean =>
    this.#jobs[message.flow]!.message !== null || this.#queues.hasBuffer(message)

  /** Up to `limit` units of work for one message, fetches beyond those of its buffers included; returns how many, these apart. */
  #move(message: Message, limit: number): number {
    if (message.totalBytes === 0) return this.#moveEmpty(message)
    const job = this.#jobs[message.flow]!
    if (job.message === null) job.open(message, this.#outlet.open(message))
    const { furtherFetches } = this.#context
    let left = limit
    for (let rest = limit; rest > 0 && job.message === message; ) {
      if (job.phase === Phase.taking) left -= this.#take(job, message, rest)
      else if (job.phase === Phase.moving) left -= this.#moveRun(job, message, rest)
      else left -= this.#nextPiece(job, message)
      rest = left + furtherFetches - this.#context.furtherFetches
      if (job.phase === Phase.pieces && (job.blocked || message.arrived)) this.#close(job)
    }
    return limit - left
  }

  /** Control packets: only a header. */
  #moveEmpty(message: Message): number {
    const transfer = this.#outlet.open(message)
    transfer.appendPiece(transfer.pool!.shift()!, 0)
    this.#outlet.arrive(transfer)
    return 1
  }

  /** Begins a run where a whole page comes next, else copies one piece. Without a receive buffer, what is there arrives. */
  #nextPiece(job: PageJob, message: Message): number {
    if (!this.#context.hasBuffer(message.destination)) {
      this.#close(job)
      return 0
    }
    if (!isWholePage(message.payload, message.segment, message.segmentOffset)) return this.#copyPiece(job, message)
    job.phase = Phase.taking
    job.segment = message.segment
    job.segmentOffset = message.segmentOffset
    job.run.open(message.source, message.destination, this.#loanOf(message))
    return 0
  }

  /** What a page lent of this message belongs to; null when pages are exchanged. */
  #loanOf(message: Message): Loan<Message> | null {
    const { port, zeroCopy } = this.#context
    if (zeroCopy!.way !== TransferWay.lend) return null
    const { periodNs } = this.#queues.states[message.flow]!
    if (message.loan === null || message.loan.pages.size === 0) {
      message.loan = new Loan(message, message.source, message.destination, port.now() + periodNs)
    }
    return message.loan
  }

  /** Takes pages while one follows the other, each for the next receive buffer. */
  #take(job: PageJob, message: Message, limit: number): number {
    const { run } = job
    const { payload } = message
    const context = this.#context
    const { furtherFetches } = context
    let taken = 0
    job.phase = Phase.moving
    while (run.taken < MAX_RUN_PAGES && isWholePage(payload, job.segment, job.segmentOffset)) {
      if (!context.hasBuffer(message.destination)) break
      if (taken + context.furtherFetches - furtherFetches >= limit) {
        job.phase = Phase.taking
        break
      }
      if (!this.#takePage(job, payload)) {
        job.blocked = true
        break
      }
      taken++
      job.segmentOffset += PAGE_SIZE
      if (job.segmentOffset === payload.length[job.segment]) {
        job.segment++
        job.segmentOffset = 0
      }
    }
    if (run.taken === 0) job.phase = Phase.pieces
    return taken
  }

  #takePage({ run, segment, segmentOffset, transfer, buffers }: PageJob, payload: SegmentList): boolean {
    const { loans, exchange, policy } = this.#context.zeroCopy!
    if (run.loan !== null && loans.borrowedBy(run.to) + run.taken >= policy.lentPages) return false
    const pool = transfer!.pool!
    const { segments, payloadSegment, payloadOffset } = pool.first
    if (!isWholePage(segments, payloadSegment, payloadOffset)) return false
    const taken = exchange.take(
      run,
      payload.address[segment]! + segmentOffset,
      (payload.offset[segment]! + segmentOffset) / PAGE_SIZE,
      segments.address[payloadSegment]! + payloadOffset,
      (segments.offset[payloadSegment]! + payloadOffset) / PAGE_SIZE,
    )
    if (taken) buffers.push(pool.shift()!)
    return taken
  }

  #moveRun(job: PageJob, message: Message, limit: number): number {
    const { run, buffers } = job
    const { exchange, ledger } = this.#context.zeroCopy!
    if (run.invalidated < run.taken) return exchange.invalidate(run, limit)
    let done = 0
    for (; done < limit && run.put < run.taken; done++) {
      job.transfer!.appendPiece(buffers[run.put]!, PAGE_SIZE)
      exchange.putNext(run)
      message.advance(PAGE_SIZE)
      if (run.loan !== null) continue
      // The receiver may make the page available again before the rest has arrived: it is not the message's to hold any more.
      const frame = run.sourceFrame[run.put - 1]!
      ledger.letGo(frame)
      message.exchanged.push(frame)
    }
    if (run.put === run.taken) {
      buffers.length = 0
      job.phase = Phase.pieces
    }
    return done
  }

  /** Copies the bytes up to the next whole page, or to the end, at most a page of them. */
  #copyPiece(job: PageJob, message: Message): number {
    const { endpoints, port, router } = this.#context
    const transfer = job.transfer!
    const buffer = transfer.pool!.shift()!
    const bytes = Math.min(bytesToWholePage(message), buffer.payloadCapacity)
    const { payload, segment, segmentOffset } = message
    this.#from.attach(endpoints[message.source]!.queues!.memory, payload, segment, segmentOffset + bytes)
    this.#from.skip(segmentOffset)
    const headerBytes = router.headerBytes
    this.#to.attach(endpoints[message.destination]!.queues!.memory, buffer.segments, 0, headerBytes + bytes)
    this.#to.skip(headerBytes)
    this.#to.copyFrom(this.#from, bytes)
    port.charge(CostOp.copyPerLine, Math.ceil(bytes / LINE_BYTES))
    transfer.appendPiece(buffer, bytes)
    message.advance(bytes)
    return 1
  }

  /** What has been moved arrives; the message is through, or waits for receive buffers, or goes on with the DMA. */
  #close(job: PageJob): void {
    const message = job.message!
    const transfer = job.transfer!
    job.message = null
    job.transfer = null
    if (job.blocked && !message.arrived) {
      this.#context.zeroCopy!.counters.fallbacks++
      this.#queues.leaveToDma(message)
    }
    if (transfer.pieces > 0) this.#outlet.arrive(transfer)
    else this.#outlet.finish(transfer)
  }

  /**
   * The message at the front of a flow is dropped: its pages go back to where they were, up to `limit` of them, and what has been moved
   * arrives. Returns the work done; the message has not begun to move, or no longer does, when that is below the limit.
   */
  abandon(flow: number, limit: number): number {
    const job = this.#jobs[flow]!
    if (job.message === null) return 0
    const { run, buffers, transfer } = job
    const undone = this.#context.zeroCopy!.exchange.undo(run, limit)
    if (undone === limit) return undone
    while (buffers.length > run.put) transfer!.pool!.unshift(buffers.pop()!)
    this.#close(job)
    return undone
  }

  /** Revokes a batch of what the VM has lent or borrowed. True: nothing is left. */
  settleLoansOf(vm: number): boolean {
    const { zeroCopy } = this.#context
    if (zeroCopy === null) return true
    const settled = zeroCopy.loans.revokeOf(vm, REVOKE_BATCH)
    this.#completeSettled(zeroCopy.loans.settled)
    return settled
  }
}

function isWholePage({ address, length, count }: SegmentList, segment: number, offset: number): boolean {
  return segment < count && (address[segment]! + offset) % PAGE_SIZE === 0 && length[segment]! - offset >= PAGE_SIZE
}

/** Bytes of the message from its place on, until a whole page follows or it ends; at most a page. */
function bytesToWholePage({ payload, segment: first, segmentOffset }: Message): number {
  let bytes = 0
  let segment = first
  let offset = segmentOffset
  while (segment < payload.count && bytes < PAGE_SIZE && !isWholePage(payload, segment, offset)) {
    const rest = payload.length[segment]! - offset
    const run = Math.min(rest, PAGE_SIZE - ((payload.address[segment]! + offset) % PAGE_SIZE), PAGE_SIZE - bytes)
    bytes += run
    offset += run
    if (run === rest) {
      segment++
      offset = 0
    }
  }
  return bytes
}
