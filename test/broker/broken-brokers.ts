/** Ways to lose a wake-up: each takes one thing away that keeps messages going. For tests of the tests. */
import { DedicatedBroker } from '../../src/broker/index.ts'
import { Relay } from '../../src/broker/relay.ts'
import { WakeUps } from '../../src/broker/wake-ups.ts'
import { StepResult } from '../../src/platform/index.ts'
import { Gic } from '../../src/platform-zcu102/gic.ts'
import { VsockConnection } from '../../src/virtio/index.ts'
import { SplitDeviceQueue, SplitDriverQueue } from '../../src/virtqueue/index.ts'
import { patch } from './patch.ts'

const RECEIVE = 0
const TRANSMIT = 1

type Queue = SplitDriverQueue | SplitDeviceQueue

/** What the queues of one index do instead of asking for notifications. */
function instead<Q extends Queue>(
  prototype: Q,
  index: number,
  act: (queue: Q, enable: () => boolean) => boolean,
): void {
  patch(
    prototype as Queue,
    'enableNotifications',
    (original) =>
      function (this: Queue) {
        const enable = () => original.call(this)
        return this.index === index ? act(this as Q, enable) : enable()
      },
  )
}

function silence(queue: Queue): boolean {
  queue.disableNotifications()
  return false
}

function armOnly(_queue: Queue, enable: () => boolean): boolean {
  enable()
  return false
}

const nothing = () => () => {}

export type Broken = readonly [what: string, take: () => void]

/** Found without any race. */
export const ALWAYS_BROKEN: readonly Broken[] = [
  [
    'a sender that waits for a buffer asks for no interrupt',
    () => instead(SplitDriverQueue.prototype, TRANSMIT, silence),
  ],
  ['a receiver leaves its interrupts off', () => instead(SplitDriverQueue.prototype, RECEIVE, silence)],
  [
    'a starved broker does not ask for the kick of the refill',
    () => instead(SplitDeviceQueue.prototype, RECEIVE, () => false),
  ],
  [
    'the broker does not ask for the next kick of a sender',
    () => instead(SplitDeviceQueue.prototype, TRANSMIT, silence),
  ],
  ['the timer of held interrupts is not set', () => patch(WakeUps.prototype, 'forHeld', nothing)],
  ['the timer of the budget is not set', () => patch(WakeUps.prototype, 'forWork', nothing)],
  ['nobody waits for the DMA of a short message', () => patch(Relay.prototype, 'awaitsDma', () => () => false)],
  [
    'a sender does not ask for the credit that is left',
    () => patch(VsockConnection.prototype, 'askForCredit', nothing),
  ],
]

/** Found by the machine with time. */
export const TIMED_BROKEN: readonly Broken[] = [
  [
    'interrupts that come while a core is in EL2 are forgotten',
    () => patch(Gic.prototype, 'hasPending', () => () => false),
  ],
  [
    'a held interrupt waits for longer than its delay',
    () =>
      patch(
        WakeUps.prototype,
        'forHeld',
        (original) =>
          function (this: WakeUps, core, timeNs) {
            original.call(this, core, timeNs + 40_000)
          },
      ),
  ],
]

/**
 * Found only where others can overtake. That a queue which is armed already need not be looked at again is no fault: with
 * EVENT_IDX, finding it empty arms it anew and looks once more; without, its flag was never taken down.
 */
export const RACY_BROKEN: readonly Broken[] = [
  [
    'a sender that waits for a buffer arms its interrupt without looking again',
    () => instead(SplitDriverQueue.prototype, TRANSMIT, armOnly),
  ],
  [
    'a starved broker arms the kick of the refill without looking again',
    () => instead(SplitDeviceQueue.prototype, RECEIVE, armOnly),
  ],
  [
    'a kick is forgotten that comes while the dedicated broker looks',
    () => {
      let looking = false
      patch(
        DedicatedBroker.prototype,
        'resume',
        (original) =>
          function (this: DedicatedBroker, core) {
            looking = true
            const result = original.call(this, core)
            looking = false
            return result
          },
      )
      patch(
        DedicatedBroker.prototype,
        'enter',
        (original) =>
          function (this: DedicatedBroker, core, cause, argument) {
            return looking ? StepResult.done : original.call(this, core, cause, argument)
          },
      )
    },
  ],
]
