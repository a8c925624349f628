/**
 * Messages in: takes chains from transmit queues and makes messages of them. The queue has copied and checked every
 * descriptor; here the header is copied before anybody reads it, the flow is found and the guest held to what it declared.
 */
import { CostOp } from '../platform/index.ts'
import { ChainReader, DescriptorChain } from '../virtqueue/index.ts'
import type { PageExchange } from '../zero-copy/index.ts'
import type { FlowQueues } from './flow-queues.ts'
import type { RefusalReason, RelayContext } from './relay-context.ts'

/** Chains looked at in one step. */
const FETCH_BATCH = 8

export class Intake {
  readonly #context: RelayContext
  readonly #queues: FlowQueues
  readonly #exchange: PageExchange | null
  readonly #chain = new DescriptorChain()
  readonly #reader = new ChainReader()
  readonly #header: Uint8Array

  constructor(context: RelayContext, queues: FlowQueues, exchange: PageExchange | null) {
    this.#context = context
    this.#queues = queues
    this.#exchange = exchange
    this.#header = new Uint8Array(context.router.headerBytes)
  }

  /** Takes a batch of new messages. True: call again. False: the queue is empty and will kick, or it is broken. */
  fetch(vm: number): boolean {
    const { endpoints, port } = this.#context
    const queue = endpoints[vm]!.queues?.transmit
    if (queue === undefined) return false
    let more = true
    for (let looked = 0; more && looked < FETCH_BATCH; looked++) {
      if (queue.popAvailable(this.#chain)) {
        port.charge(CostOp.fetchDescriptor, 1)
        const refusal = this.#admit(vm)
        if (refusal !== null) {
          queue.addUsed(this.#chain.id, 0)
          this.#context.observer.onRefused?.(vm, refusal)
        }
      } else {
        // Re-arm, then look once more: what was published in between must not wait for the next kick.
        more = queue.violation === null && queue.enableNotifications()
      }
    }
    this.#context.publish(vm, queue)
    return more
  }

  /** Queues the chain as a message, or says why not. */
  #admit(vm: number): RefusalReason | null {
    const { config, endpoints, pins, port, router } = this.#context
    const chain = this.#chain
    const headerBytes = router.headerBytes
    const payloadBytes = chain.readableBytes - headerBytes
    if (payloadBytes < 0) return 'header'
    this.#reader.attach(chain)
    this.#reader.into(this.#header)
    const flowIndex = router.route(vm, this.#header, payloadBytes)
    const flow = this.#queues.states[flowIndex]?.flow
    if (flow === undefined || flow.source !== vm) return 'header'
    if (payloadBytes > flow.maximumBytes) return 'too-long'
    const destination = endpoints[flow.destination]!
    if (destination.unreachable) return 'unreachable'

    const message = this.#queues.messages.take()
    message.flow = flowIndex
    message.source = vm
    message.destination = flow.destination
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
    pins?.retain(message.payload)
    message.byCpu = payloadBytes === 0 || (this.#exchange !== null && config.policy.prefersRemap(message.payload))
    this.#queues.enqueue(message, port.now())
    return null
  }
}
