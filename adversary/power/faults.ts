/** Faults that the adversary has to find, each a replacement in one source file of the prediction. */

export interface Fault {
  readonly name: string
  /** What is wrong then. */
  readonly what: string
  readonly file: string
  /** Text that stands in the file exactly once, and what stands there instead. */
  readonly replace: string
  readonly by: string
}

/** The first four were once in the prediction, or in the broker that it is about. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'policing',
    what: 'the broker counts against a source that it came late because the broker held all of its buffers',
    file: 'src/broker/policing.ts',
    replace: 'Math.max(this.#tatNs, eligibleNs - this.#creditNs) + periodNs',
    by: 'Math.max(this.#tatNs, eligibleNs) + periodNs',
  },
  {
    name: 'unknown backlog',
    what: 'flows are bounded although it is not known how long messages of others are under way',
    file: 'src/platform-zcu102/predict-rounds.ts',
    replace: '{ ...state, spans: grown, known: false }',
    by: 'state',
  },
  {
    name: 'starved receivers',
    what: 'messages never wait for receive buffers, and never come as a burst afterwards',
    file: 'src/platform-zcu102/predict-obstacles.ts',
    replace: 'return needed > postedBuffers(system, vm)',
    by: 'return needed > Number.POSITIVE_INFINITY',
  },
  {
    name: 'stolenWithin',
    what: 'EL2 takes more of a window than the window has',
    file: 'src/platform-zcu102/predict.ts',
    replace: 'Math.min(windowNs, loads.get(core)!.within(windowNs))',
    by: 'loads.get(core)!.within(windowNs)',
  },
  {
    name: 'blocking',
    what: 'a less urgent piece that was started before does not delay a message',
    file: 'src/platform-zcu102/predict-window.ts',
    replace: 'const copyingNs = (windowNs: number) => ownWorkNs + blockingNs + interferenceNs(windowNs)',
    by: 'const copyingNs = (windowNs: number) => ownWorkNs + interferenceNs(windowNs)',
  },
  {
    name: 'own messages before',
    what: 'a message does not wait for those of its flow that are still under way',
    file: 'src/platform-zcu102/predict-window.ts',
    replace: 'const earlier = Math.floor(spans[i]! / flow.periodNs)',
    by: 'const earlier = 0',
  },
  {
    name: 'receiver handler',
    what: 'the handler that reads the message takes no time',
    file: 'src/platform-zcu102/predict-window.ts',
    replace: 'let guestsNs = worst(CostOp.guestIsr)',
    by: 'let guestsNs = 0 * worst(CostOp.guestIsr)',
  },
  {
    name: 'coalesce delay',
    what: 'an interrupt that is held back is told at once',
    file: 'src/platform-zcu102/predict-window.ts',
    replace: 'interrupts.coalesceCount > 1 ? interrupts.coalesceDelayNs + worst(CostOp.sgi) + deafNs(system) : 0',
    by: 'interrupts.coalesceCount > 1 ? worst(CostOp.sgi) + deafNs(system) : 0',
  },
  {
    name: 'polling',
    what: 'a receiver that polls looks at its ring all the time',
    file: 'src/platform-zcu102/predict-window.ts',
    replace: 'worst(CostOp.sgi) + heldNs + interrupts.pollingNs',
    by: 'worst(CostOp.sgi) + heldNs',
  },
  {
    name: 'throttle',
    what: 'a window begins with a new period of MemGuard',
    file: 'src/platform-zcu102/predict-system.ts',
    replace: '(Math.floor(windowNs / throttle.periodNs) + 1) * throttle.throttledNs',
    by: 'Math.floor(windowNs / throttle.periodNs) * throttle.throttledNs',
  },
  {
    name: 'messages under way',
    what: 'a window has the messages that are released in it, and not those that are under way when it starts',
    file: 'src/platform-zcu102/predict-system.ts',
    replace: 'Math.floor((windowNs + knownSpan(flow, spanNs)) / flow.periodNs) + 1',
    by: 'Math.floor((windowNs + 0 * knownSpan(flow, spanNs)) / flow.periodNs) + 1',
  },
  {
    name: 'inherited jitter',
    what: 'a flow that comes after another is as regular as a timer',
    file: 'src/platform-zcu102/predict-rounds.ts',
    replace: '    if (flow.after < 0) return 0\n',
    by: '    if (flow.after < 1e9) return 0\n',
  },
  {
    name: 'lock spins',
    what: 'a core never waits for the lock',
    file: 'src/platform-zcu102/predict-cores.ts',
    replace: 'Math.min(ownTransfersNs + spinsNs,',
    by: 'Math.min(ownTransfersNs + 0 * spinsNs,',
  },
  {
    name: 'doorbell',
    what: 'the trap of a doorbell costs the broker nothing',
    file: 'src/platform-zcu102/predict-charges.ts',
    replace: `    DOORBELL_CHARGES,
    timesCharges(2, STEP_CHARGES),
    FETCH_CHARGES,`,
    by: `    timesCharges(2, STEP_CHARGES),
    FETCH_CHARGES,`,
  },
  {
    name: 'unaligned buffers',
    what: 'a piece is one descriptor however its buffers lie',
    file: 'src/platform-zcu102/predict-charges.ts',
    replace: "buffers === 'unaligned') ? 3 : 1",
    by: "buffers === 'unaligned') ? 1 : 1",
  },
  {
    name: 'deadlines from arrival',
    what: 'under EDF only what is due by the deadline as counted from the release goes first',
    file: 'src/platform-zcu102/predict-window.ts',
    replace: "scheduler === 'edf' && !starves ? jitterNs + flow.deadlineNs - other.deadlineNs",
    by: "scheduler === 'edf' && !starves ? flow.deadlineNs - other.deadlineNs",
  },
]
