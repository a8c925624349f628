/**
 * Messages in: takes chains from transmit queues and makes messages of them. The queue has copied and checked every
 * descriptor; here the header is copied before anybody reads it, the flow is found and the guest held to what it declared.
 */

import { PAGE_SIZE } from '../memory/index.ts'
import { CostOp } from '../platform/index.ts'
import { ChainReader, DescriptorChain } from '../virtqueue/index.ts'
import { DROP_BATCH, EXTENTS_PER_PAGE, FETCH_BATCH, REVOKE_BATCH } from './batches.ts'
import { fetchesOf, fetchesWorth } from './charges.ts'
import type { FlowQueues } from './flow-queues.ts'
import type { RefusalReason, RelayContext } from './relay-context.ts'
import { translateAgain } from './translate-again.ts'

export class Intake {
  readonly #context: RelayContext
  readonly #queues: FlowQueues
  #chain = new DescriptorChain()
  /** By VM: a chain that was taken and needs another step before it can be looked at. */
  readonly #held: (DescriptorChain | null)[]
  readonly #reader = new ChainReader()
  readonly #header: Uint8Array
  /** The current batch has copied borrowed pages: a batch of them is all that a step does. */
  #revoked = false
  /** Of the current batch: messages that nothing was wrong with. */
  #expected = 0
  /** By VM: its doorbell has been answered in part. */
  readonly #fetching: Uint8Array
  /** By VM: doorbells of messages that another doorbell has brought. */
  readonly #owed: Uint8Array

  constructor(context: RelayContext, queues: FlowQueues) {
    this.#context = context
    this.#queues = queues
    this.#held = context.endpoints.map(() => null)
    this.#fetching = new Uint8Array(context.endpoints.length)
    this.#owed = new Uint8Array(context.endpoints.length)
    this.#header = new Uint8Array(context.router.headerBytes)
  }

  /** Takes a batch of new messages. True: call again. False: the queue is empty and will kick, or it is broken. */
  fetch(vm: number): boolean {
    const { endpoints, port } = this.#context
    const endpoint = endpoints[vm]!
    const queue = endpoint.queues?.transmit
    if (queue === undefined || endpoint.leaving) return false
    let more = true
    this.#revoked = false
    this.#expected = 0
    let useless = false
    for (let looked = 0; more && looked < FETCH_BATCH && !this.#revoked && !useless; looked++) {
      const held = this.#held[vm]!
      if (held !== null || queue.popAvailable(this.#chain)) {
        const chain = held ?? this.#chain
        if (held === null) {
          const fetches = fetchesOf(chain.descriptorCount)
          port.charge(CostOp.fetchDescriptor, fetches)
          looked += fetches - 1
        }
        // What was held is from an earlier step: its pages may be other frames by now, or mapped nowhere.
        if ((held !== null && !this.#findAgain(vm, held)) || !this.#ownPages(vm, chain)) {
          this.#hold(vm, chain)
          break
        }
        this.#held[vm] = null
        const expected = this.#expected
        const refusal = this.#admit(vm, chain)
        // One in more descriptors than it is worth arrives, and nothing behind it is looked at before the VM has rested.
        useless = this.#expected === expected || fetchesOf(chain.descriptorCount) > this.#fetchesWorth(chain)
        if (refusal === 'later') {
          this.#hold(vm, chain)
          break
        }
        if (refusal !== null) {
          queue.addUsed(chain.id, 0)
          port.charge(CostOp.usedRing, 1)
          this.#context.observer.onRefused?.(vm, refusal)
        }
      } else {
        // Re-arm, then look once more: what was published in between must not wait for the next kick.
        more = queue.violation === null && queue.enableNotifications()
      }
    }
    this.#context.publish(vm, queue)
    // Each message may have a doorbell of its own, which finds nothing where one before it has brought them all.
    const answers = this.#fetching[vm] === 0 && this.#held[vm] === null ? 1 : 0
    const owed = this.#owed[vm]! + this.#expected - answers
    this.#owed[vm] = Math.max(0, Math.min(FETCH_BATCH, owed))
    // What follows is left in the ring until it has rested, as is a doorbell that was rung for nothing.
    if (useless || owed < 0) this.#context.rest(vm)
    this.#fetching[vm] = more ? 1 : 0
    return more
  }

  /** The VM's transmit queue is gone. */
  forget(vm: number): void {
    this.#held[vm] = null
    this.#fetching[vm] = 0
    this.#owed[vm] = 0
  }

  #fetchesWorth({ readableBytes }: DescriptorChain): number {
    return fetchesWorth(Math.max(0, readableBytes - this.#context.router.headerBytes))
  }

  #hold(vm: number, chain: DescriptorChain): void {
    if (this.#held[vm] === chain) return
    this.#held[vm] = chain
    this.#chain = new DescriptorChain()
  }

  /**
   * A VM may send on what it has borrowed. The lender must not wait for that: the VM gets copies first, a batch a step. True:
   * all pages of the chain are its own.
   */
  #ownPages(vm: number, chain: DescriptorChain): boolean {
    const { zeroCopy } = this.#context
    if (zeroCopy === null || zeroCopy.loans.borrowedBy(vm) === 0) return true
    if (zeroCopy.loans.noteBorrowed(vm, chain.segments) === 0) return true
    this.#revoked = true
    return zeroCopy.loans.revokeNoted(REVOKE_BATCH) && this.#findAgain(vm, chain)
  }

  /** Translates a chain anew. False: a page of it is on its way from or to another VM, so it has to wait. */
  #findAgain(vm: number, chain: DescriptorChain): boolean {
    const { memory } = this.#context.endpoints[vm]!.queues!
    const readable = translateAgain(memory, chain.segments, chain.readableCount)
    if (readable >= 0) chain.readableCount = readable
    return readable >= 0
  }

  /** Queues the chain as a message, or says why not. `later`: its flow has more than it may have; a reset would take long to end all these. */
  #admit(vm: number, chain: DescriptorChain): RefusalReason | 'later' | null {
    const { config, endpoints, port, router, zeroCopy } = this.#context
    const headerBytes = router.headerBytes
    const payloadBytes = chain.readableBytes - headerBytes
    if (payloadBytes < 0) return 'header'
    this.#reader.attach(chain)
    this.#reader.into(this.#header)
    const flowIndex = router.route(vm, this.#header, payloadBytes)
    const state = this.#queues.states[flowIndex]
    if (state === undefined || state.source !== vm) return 'header'
    if (payloadBytes > state.maximumBytes) return 'too-long'
    if (isScattered(chain)) return 'scattered'
    if (state.untimed >= DROP_BATCH) return 'later'

    const message = this.#queues.messages.take()
    message.flow = flowIndex
    message.source = vm
    message.destination = state.destination
    message.head = chain.id
    message.queue = endpoints[vm]!.queues!.transmit
    message.totalBytes = payloadBytes
    message.header.set(this.#header)
    const { region, offset, address, length } = chain.segments
    let skip = headerBytes
    for (let i = 0; i < chain.readableCount; i++) {
      const skipped = Math.min(skip, length[i]!)
      skip -= skipped
      if (skipped === length[i]) continue
      message.payload.append(region[i]!, offset[i]! + skipped, address[i]! + skipped, length[i]! - skipped)
    }
    zeroCopy?.ledger.retain(message.payload)
    message.byCpu = payloadBytes === 0 || (zeroCopy !== null && config.policy.fits(message.payload))
    if (this.#queues.enqueue(message, port.now())) this.#expected++
    return null
  }
}

/**
 * Whether a piece of it could take the DMA more entries than a page of bytes is worth: a piece is never split once started, so all
 * others would wait for them.
 */
function isScattered({ segments: { length }, readableCount }: DescriptorChain): boolean {
  let bytes = 0
  for (let i = 0; i < readableCount; i++) {
    bytes += length[i]!
    if (i < EXTENTS_PER_PAGE) continue
    bytes -= length[i - EXTENTS_PER_PAGE]!
    if (bytes < PAGE_SIZE) return true
  }
  return false
}
