/** What the parts of the relay share: configuration, the platform, the VMs, and which core runs the current step. */
import type { PlatformPort } from '../platform/index.ts'
import type { SplitDeviceQueue } from '../virtqueue/index.ts'
import { FramePins, type TransferPolicy } from '../zero-copy/index.ts'
import { Endpoint } from './endpoint.ts'
import type { BrokerFlow } from './flow.ts'
import type { Router } from './router.ts'

export interface RelayConfig {
  readonly scheduler: 'edf' | 'fp'
  /** Largest piece, bytes. */
  readonly chunkBytes: number
  /** `adaptive`: the rest of a message is chained behind its first piece; `piece`: one piece a transfer. */
  readonly chaining: 'adaptive' | 'piece'
  /** Receive queues ask for no kick unless a message waits for a buffer. */
  readonly suppressRefillKicks: boolean
  /** Core that takes the DMA's completion interrupts, or `receiver` for the core of the VM that receives. */
  readonly interruptCore: number | 'receiver'
  readonly policy: TransferPolicy
  /** Core of each VM, by VM index. */
  readonly cores: readonly number[]
  readonly flows: readonly BrokerFlow[]
}

/** Why a message was not, or not fully, delivered. */
export type RefusalReason = 'header' | 'too-long' | 'unreachable'

export interface RelayObserver {
  onRefused?(vm: number, reason: RefusalReason): void
}

/** Buffers taken from the ring when none is at hand: few, because the DMA waits for the first of them. */
const FIRST_BUFFERS = 4

export class RelayContext {
  readonly port: PlatformPort
  readonly config: RelayConfig
  readonly router: Router
  readonly observer: RelayObserver
  readonly endpoints: readonly Endpoint[]
  /** Null when pages are never remapped: then nobody needs to know who holds a frame. */
  readonly pins: FramePins | null
  /** The core that runs the current step. */
  core = 0

  constructor(port: PlatformPort, config: RelayConfig, router: Router, remaps: boolean, observer: RelayObserver) {
    this.port = port
    this.config = config
    this.router = router
    this.observer = observer
    this.endpoints = config.cores.map((core, vm) => new Endpoint(vm, core))
    this.pins = remaps ? new FramePins() : null
  }

  /** Shows a VM what was staged in one of its queues, and interrupts it if the ring says so. */
  publish(vm: number, queue: SplitDeviceQueue): void {
    queue.publish()
    if (queue.needsNotification()) this.port.interruptGuest(this.core, vm)
  }

  /** True when a receive buffer of the VM is at hand. When there is none, its next refill will kick. */
  hasBuffer(vm: number): boolean {
    const endpoint = this.endpoints[vm]!
    const pool = endpoint.pool!
    const queue = endpoint.queues!.receive
    if (pool.count === 0) pool.refill(FIRST_BUFFERS)
    if (pool.count === 0 && !endpoint.starved && queue.violation === null) {
      endpoint.starved = true
      if (queue.enableNotifications()) {
        this.refilled(vm)
        pool.refill(FIRST_BUFFERS)
      }
    }
    return pool.count > 0
  }

  /** The VM posted receive buffers while a message waited for one. */
  refilled(vm: number): void {
    const endpoint = this.endpoints[vm]!
    endpoint.starved = false
    if (this.config.suppressRefillKicks) endpoint.queues?.receive.disableNotifications()
  }
}
