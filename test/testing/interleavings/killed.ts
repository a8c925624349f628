/** What finds each mutant of `mutants.ts`. `docs/interleavings.md` repeats it. */
import type { MemoryModelName } from '../../../src/testing/index.ts'

const ONE = 'one request, flags'
const QUIET = 'silence while at work, on both sides, flags'
const QUIET_EVENT = 'silence while at work, on both sides, EVENT_IDX'
const TWO_EVENT = 'two requests, one at a time, EVENT_IDX'
const POP_EVENT = 'asleep after an empty look, on both sides, EVENT_IDX'
const DELAY = 'one notification for two completions, EVENT_IDX'

/** The weakest damage that shows: the model under which it does first, and the exchange. */
export const KILLED: Readonly<Record<string, readonly [MemoryModelName, string]>> = {
  'ring-signals.ts peerIndex: load unordered': ['weak', ONE],
  'ring-signals.ts peerIndex: load acquire only': ['weak', ONE],
  'ring-signals.ts publish: store unordered': ['tso', ONE],
  'ring-signals.ts publish: store release only': ['tso', ONE],
  'ring-signals.ts needsNotification: load unordered': ['weak', QUIET],
  'ring-signals.ts needsNotification: load acquire only': ['weak', QUIET],
  'ring-signals.ts needsNotification: load 2 unordered': ['weak', TWO_EVENT],
  'ring-signals.ts needsNotification: load 2 acquire only': ['weak', TWO_EVENT],
  'ring-signals.ts enable: store unordered': ['tso', QUIET],
  'ring-signals.ts enable: store release only': ['tso', QUIET],
  'ring-signals.ts #storeEvent: store unordered': ['tso', TWO_EVENT],
  'ring-signals.ts #storeEvent: store release only': ['tso', TWO_EVENT],
  'ordered.ts loadOrdered: unordered': ['weak', ONE],
  'ordered.ts storeOrdered: unordered': ['tso', ONE],
  'ring-signals.ts: the look at the suppression state before the store of idx': ['sc', TWO_EVENT],
  'ring-signals.ts enable: the event unordered': ['tso', QUIET_EVENT],
  'ring-signals.ts rearm: the event unordered': ['tso', POP_EVENT],
  'split-device-queue.ts: used.idx before the used element': ['sc', ONE],
  'split-device-queue.ts: used.idx between id and len': ['sc', ONE],
  'split-device-queue.ts: the head is read before avail.idx': ['sc', 'two requests, one at a time, flags'],
  'split-device-queue.ts: enableNotifications looks before it asks': ['sc', QUIET],
  'split-device-queue.ts: enableNotifications does not look': ['sc', QUIET],
  'split-device-queue.ts: an empty look re-arms, and does not look again': ['sc', POP_EVENT],
  'split-device-queue.ts: an empty look does not re-arm': ['sc', POP_EVENT],
  'split-driver-queue.ts: avail.idx before the descriptors': ['sc', ONE],
  'split-driver-queue.ts: avail.idx before the ring entry': ['sc', 'two requests, one at a time, flags'],
  'split-driver-queue.ts: the used element is read before used.idx': ['sc', ONE],
  'split-driver-queue.ts: enableNotifications looks before it asks': ['sc', QUIET],
  'split-driver-queue.ts: enableNotifications does not look': ['sc', QUIET],
  'split-driver-queue.ts: delayNotifications looks before it asks': ['sc', DELAY],
  'split-driver-queue.ts: an empty look re-arms, and does not look again': ['sc', POP_EVENT],
  'split-driver-queue.ts: an empty look does not re-arm': ['sc', POP_EVENT],
}
