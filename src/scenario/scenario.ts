/**
 * What a run is made of, normalised: every default filled in, times in integer nanoseconds, sizes in bytes. The text format
 * that it comes from is read by `parseScenario`; a program may as well build the object itself.
 */

export interface Scenario {
  /** A built-in profile such as `zcu102`, or a file. */
  readonly platform: string
  readonly seed: number
  readonly durationNs: number
  /** Which of [best, typical, worst] every cost takes; `random` draws between best and worst. */
  readonly costs: 'best' | 'typical' | 'worst' | 'random'
  readonly vms: readonly VmSpec[]
  readonly flows: readonly FlowSpec[]
  readonly broker: BrokerSpec
  readonly overrides: Overrides
}

export interface VmSpec {
  readonly name: string
  readonly core: number
  /** virtio-vsock context id (virtio 1.4 §5.10.4). */
  readonly cid: number
  /** null: what the platform finds enough for the VM's flows. */
  readonly ramBytes: number | null
  readonly queueSize: number | null
}

/** A periodic flow: at most one message every `periodNs`, due `deadlineNs` after its nominal release. */
export interface FlowSpec {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly periodNs: number
  readonly deadlineNs: number
  readonly lengthBytes: number
  readonly payload: PayloadSpec
  /** A release comes at most this much after its nominal time. */
  readonly jitterNs: number
  /** Of the first nominal release, from the start of the run. */
  readonly offsetNs: number
  /** Smaller is more urgent; null: deadline-monotonic. Only fixed-priority scheduling looks at it. */
  readonly priority: number | null
  /** What the receiver announces as vsock `buf_alloc`. */
  readonly creditBytes: number
}

export type PayloadSpec =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'random' }
  /** Only lengths travel: faster, and nothing can be compared. */
  | { readonly kind: 'none' }

export interface BrokerSpec {
  readonly placement: 'floating' | 'dedicated'
  /** The core that a dedicated broker takes for itself. */
  readonly dedicatedCore: number
  readonly scheduler: 'edf' | 'fp'
  readonly chunkBytes: number
  readonly regulator: RegulatorSpec
  readonly transfer: 'copy' | 'remap' | 'auto'
  /** `minimum` suppresses every interrupt that the ring allows to suppress; `plain` one per piece. */
  readonly interrupts: 'minimum' | 'plain'
  /** `adaptive` chains a whole message while nothing else is pending; `piece` takes one chunk at a time. */
  readonly chaining: 'adaptive' | 'piece'
}

export type RegulatorSpec =
  | { readonly kind: 'none' }
  | { readonly kind: 'rate'; readonly bytesPerNs: number }
  | { readonly kind: 'bucket'; readonly bytesPerNs: number; readonly burstBytes: number }
  /** `budgetNs` of DMA busy time every `periodNs`. */
  | { readonly kind: 'budget'; readonly budgetNs: number; readonly periodNs: number }

/** Pins the abstract model, for analysis and for cross-checking; null: the platform decides. */
export interface Overrides {
  readonly dmaBytesPerNs: number | null
  /** Best and worst. */
  readonly chunkOverheadNs: readonly [number, number] | null
  readonly messageOverheadNs: number | null
}

/** The VM that sits on the core which a dedicated broker wants for itself, if any: that design cannot run then. */
export function vmOnDedicatedCore(scenario: Scenario): VmSpec | null {
  return scenario.vms.find((vm) => vm.core === scenario.broker.dedicatedCore) ?? null
}
