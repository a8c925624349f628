/** Faults that the adversary and hostile guests have to find, each a replacement in one source file, or in two. */
import { readFileSync } from 'node:fs'

export interface Change {
  readonly file: string
  /** Text that stands in the file exactly once, and what stands there instead. */
  readonly replace: string
  readonly by: string
}

export interface Fault extends Change {
  readonly name: string
  /** What is wrong then. */
  readonly what: string
  /** What it consists of besides. */
  readonly also?: Change
}

/**
 * The sources that a fault changes, by file as the fault names it, with the fault in them. Throws `Error` where its text is gone, or stands
 * there more than once.
 */
export function withFault({ name, also, ...first }: Fault): Map<string, string> {
  const changed = new Map<string, string>()
  for (const { file, replace, by } of also === undefined ? [first] : [first, also]) {
    const source = changed.get(file) ?? readFileSync(file, 'utf8')
    const times = source.split(replace).length - 1
    if (times !== 1)
      throw new Error(`fault "${name}": what it replaces stands ${times} times in ${file}, not once; write it anew`)
    changed.set(
      file,
      source.replace(replace, () => by),
    )
  }
  return changed
}

/** The first four were once there. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'back-pressure',
    what: 'what the broker delays by holding all buffers of a sender counts against the sender, and the bounds do not know',
    file: 'src/broker/policing.ts',
    replace: 'this.#creditNs = Math.min(this.#creditNs, Math.max(0, nowNs - this.#tatNs))',
    by: 'this.#creditNs = 0',
    also: {
      file: 'src/prediction/parts.ts',
      replace: 'if (!scarcity.senders[i]) return releasedNs + sentNs[i]!',
      by: 'if (releasedNs < Number.POSITIVE_INFINITY) return releasedNs + sentNs[i]!',
    },
  },
  {
    name: 'unknown backlog',
    what: 'flows are bounded although it is not known how long messages of others are under way',
    file: 'src/prediction/rounds.ts',
    replace: '{ ...state, spans: grown, known: false }',
    by: "{ ...state, spans, obstacles: ['not known'] }",
  },
  {
    name: 'starved receivers',
    what: 'messages never wait for receive buffers, and never come as a burst afterwards',
    file: 'src/prediction/obstacles.ts',
    replace: 'const receivers = needed.map((count, vm) => count > postedBuffers(system, vm))',
    by: 'const receivers = needed.map((count, vm) => count > 1e9 * postedBuffers(system, vm))',
  },
  {
    name: 'stolenWithin',
    what: 'EL2 takes more of a window than the window has',
    file: 'src/prediction/predict.ts',
    replace: 'Math.min(windowNs, loads.get(core)!.within(windowNs))',
    by: 'loads.get(core)!.within(windowNs)',
  },
  {
    name: 'blocking',
    what: 'a less urgent piece that was started before does not delay a message',
    file: 'src/prediction/window.ts',
    replace: 'finishNs(model, ownWorkNs + blockingNs + otherWorkNs,',
    by: 'finishNs(model, ownWorkNs + otherWorkNs,',
  },
  {
    name: 'own jitter',
    what: 'a window begins with the nominal release, however late the message comes',
    file: 'src/prediction/rounds.ts',
    replace: 'Math.max(flow.jitterNs, earlyNs)',
    by: 'earlyNs',
  },
  {
    name: 'supply',
    what: 'the DMA always has budget',
    file: 'src/prediction/window.ts',
    replace: 'finishOf(model, workNs, elseNs)',
    by: 'workNs + elseNs',
  },
  {
    name: 'coalesce delay',
    what: 'an interrupt that is held back is told at once',
    file: 'src/prediction/window.ts',
    replace: 'heldBackNs(system) + interrupts.pollingNs',
    by: 'Math.max(0, heldBackNs(system) - interrupts.coalesceDelayNs) + interrupts.pollingNs',
  },
  {
    name: 'polling',
    what: 'a receiver that polls looks at its ring all the time',
    file: 'src/prediction/window.ts',
    replace: 'worst(CostOp.sgi) + heldBackNs(system) + interrupts.pollingNs',
    by: 'worst(CostOp.sgi) + heldBackNs(system)',
  },
  {
    name: 'throttle',
    what: 'a window begins with a new period of MemGuard',
    file: 'src/prediction/system.ts',
    replace: '(Math.floor(windowNs / throttle.periodNs) + 1) * throttle.throttledNs',
    by: 'Math.floor(windowNs / throttle.periodNs) * throttle.throttledNs',
  },
  {
    name: 'messages under way',
    what: 'a window has the messages that are released in it, and not those that are under way when it starts',
    file: 'src/prediction/system.ts',
    replace: 'Math.floor((windowNs + knownSpan(flow, spanNs)) / flow.periodNs) + 1',
    by: 'Math.floor((windowNs + 0 * knownSpan(flow, spanNs)) / flow.periodNs) + 1',
  },
  {
    name: 'inherited jitter',
    what: 'a flow that comes after another is as regular as a timer',
    file: 'src/prediction/parts.ts',
    replace: 'if (flow.after < 0) return 0',
    by: 'if (flow.after < 1e9) return 0',
  },
  {
    name: 'lock spins',
    what: 'a core never waits for the lock',
    file: 'src/prediction/cores.ts',
    replace: 'Math.min(ownTransfersNs + spinsNs,',
    by: 'Math.min(ownTransfersNs + 0 * spinsNs,',
  },
  {
    name: 'doorbell',
    what: 'the trap of a doorbell costs the broker nothing',
    file: 'src/prediction/charges.ts',
    replace: 'DOORBELL_CHARGES,\n    // A step that',
    by: '// A step that',
  },
]

/** What hostile guests have to find in the broker and around it. The first eight were there once, in one form or another. */
export const HOSTILE_FAULTS: readonly Fault[] = [
  {
    name: 'held chains',
    what: 'a chain that waited for its pages is used as it was translated first',
    file: 'src/broker/intake.ts',
    replace: '(held !== null && !this.#findAgain(vm, held)) || ',
    by: '',
  },
  {
    name: 'lent pages received into',
    what: 'a page that is lent away, or about to be, is taken as a receive buffer',
    file: 'src/broker/receive-pool.ts',
    replace: 'return this.#zeroCopy === null || this.#zeroCopy.loans.mayReceive(this.#vm, segments)',
    by: 'return true',
  },
  {
    name: 'queues left out',
    what: 'a driver may set DRIVER_OK without its queues',
    file: 'src/machine/vm.ts',
    replace: 'if (receive == null || transmit == null) registers.setNeedsReset()',
    by: 'if (receive === 0) registers.setNeedsReset()',
  },
  {
    name: 'queues taken away',
    what: 'a driver may take a queue away that the broker uses',
    file: 'src/machine/vm.ts',
    replace: 'mayDisableQueue: () => !broker.isAttached(vm)',
    by: 'mayDisableQueue: () => true',
  },
  {
    name: 'shutdown of a sender',
    what: 'an honest guest goes on sending to a peer that receives no more',
    file: 'src/machine/guest.ts',
    replace: "connection.state === 'established' && connection.canSend",
    by: "connection.state === 'established'",
  },
  {
    name: 'short receive buffers',
    what: 'a receive buffer may hold a single byte',
    file: 'src/broker/receive-pool.ts',
    replace: 'if (writableBytes < this.#headerBytes + this.#leastBytes) return false',
    by: 'if (writableBytes <= this.#headerBytes) return false',
  },
  {
    name: 'lengths',
    what: 'a message may be longer than its flow says',
    file: 'src/broker/intake.ts',
    replace: "if (payloadBytes > state.maximumBytes) return 'too-long'",
    by: '',
  },
  {
    name: 'rates',
    what: 'a flow may send as often as it likes',
    file: 'src/broker/policing.ts',
    replace: 'const eligibleNs = Math.max(nowNs, this.#tatNs - toleranceNs)\n    this.#tatNs',
    by: 'const eligibleNs = nowNs + 0 * toleranceNs\n    this.#tatNs',
  },
  {
    name: 'scrubbing',
    what: 'a page goes to its next owner with what the last one left in it',
    file: 'src/zero-copy/page-stock.ts',
    replace: 'this.#port.scrubFrame(frame)',
    by: '',
  },
  {
    name: 'scrubbing of what comes back',
    what: 'the page that a sender gets back for one that it gave away is not wiped',
    file: 'src/zero-copy/page-exchange.ts',
    replace: 'port.scrubFrame(back)',
    by: '',
  },
  {
    name: 'writable loans',
    what: 'the owner may write a page that it has lent',
    file: 'src/zero-copy/page-exchange.ts',
    replace: 'port.stage2Protect(run.from, sourceAddress, false)',
    by: '',
  },
  {
    name: 'pins',
    what: 'the pages of a message that waits may be given away',
    file: 'src/broker/intake.ts',
    replace: 'zeroCopy?.ledger.retain(message.payload)',
    by: '',
  },
  {
    name: 'named twice',
    what: 'a page that a guest names in two places may change owners',
    file: 'src/zero-copy/frame-ledger.ts',
    replace: 'this.stateOf(frame) === PageState.offered && this.pins(frame) === 1',
    by: 'this.stateOf(frame) === PageState.offered',
  },
  {
    name: 'given back, not found again',
    what: 'a receive buffer with a borrowed page is used as it was translated before that went back',
    file: 'src/broker/receive-pool.ts',
    replace: 'const readable = translateAgain(this.#memory, this.#at(i).segments, 0)',
    by: 'const readable = 0 * this.#at(i).segments.count',
  },
  {
    name: 'parts of pages',
    what: 'the last page of a message goes to its receiver with what stands behind the message',
    file: 'src/broker/page-mover.ts',
    replace: '% PAGE_SIZE === 0 && length[segment]! - offset >= PAGE_SIZE',
    by: '% PAGE_SIZE === 0 && length[segment]! - offset > 0',
  },
  {
    name: 'loans to others',
    what: 'whoever names a lent page in a receive buffer counts as its borrower',
    file: 'src/zero-copy/loans.ts',
    replace: 'return state === PageState.lent && this.#pages.get(frame)?.loan.borrower === vm',
    by: 'return state === PageState.lent && vm >= 0',
  },
  {
    name: 'resets at once',
    what: 'a reset is complete while the DMA still moves bytes of the VM',
    file: 'src/machine/vm.ts',
    replace: 'isResetComplete: () => !broker.isAttached(vm)',
    by: 'isResetComplete: () => true',
  },
  {
    name: 'forgotten loans',
    what: 'what is borrowed is not looked for in the buffers that come back',
    file: 'src/zero-copy/loans.ts',
    replace: 'if (this.#borrowed[vm] === 0) return 0',
    by: 'return 0',
  },
]
