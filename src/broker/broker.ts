/**
 * A broker as the platform sees it: something to call when a core enters the hypervisor layer. Each call does one bounded
 * step and says what to do next (`StepResult`); nothing ever waits inside.
 */
import type { EndpointQueues } from './endpoint.ts'

/** A broker as a platform runs it: entered on a core for a cause, and continued until it has nothing left to do. */
export interface Broker {
  /** `core` entered for `cause` (`BrokerCause`); of a doorbell, `argument` is `vm * 2 + queue`, of a reset `vm`. */
  enter(core: number, cause: number, argument: number): number
  /** Goes on after `waitLock` (the lock is now held) or `more`. */
  resume(core: number): number
  /** A VM's queues went live: see `Relay.attach`. */
  attach(vm: number, queues: EndpointQueues): void
  /** Whether the broker may still read and write the VM's memory. A reset (`BrokerCause.detach`) is complete when it may not. */
  isAttached(vm: number): boolean
}
