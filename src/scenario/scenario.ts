/**
 * What a run is made of, normalised: every default filled in, times in integer nanoseconds, sizes in bytes. The text format
 * that it comes from is read by `parseScenario`; a program may as well build the object itself.
 */

export interface Scenario {
  /** A built-in board such as `zcu102`, or `file:PATH`. */
  readonly platform: string
  /** `file:PATH` of measured costs, which replace those of the platform. */
  readonly calibration: string | null
  readonly seed: number
  readonly durationNs: number
  /** Which of [best, typical, worst] every cost takes; `random` draws between best and worst. */
  readonly costs: 'best' | 'typical' | 'worst' | 'random'
  readonly vms: readonly VmSpec[]
  readonly flows: readonly FlowSpec[]
  readonly chains: readonly ChainSpec[]
  readonly broker: BrokerSpec
  readonly overrides: Overrides
}

/** A VM of a scenario. */
export interface VmSpec {
  readonly name: string
  readonly core: number
  /** virtio-vsock context id (virtio 1.4 §5.10.4). */
  readonly cid: number
  /** null: what the platform finds enough for the VM's flows. */
  readonly ramBytes: number | null
  readonly queueSize: number | null
  /** Page colours of its RAM, ascending; null: the platform's split, a disjoint share for each VM. */
  readonly colors: readonly number[] | null
  /** How its driver lays out payload: whether whole pages of it can change owners. */
  readonly buffers: 'page-aligned' | 'unaligned'
  readonly memguard: MemguardSpec | null
  /** Cache refills that its background load takes while the guest runs, per us. */
  readonly refillsPerUs: number
  /** It is believed to keep to its flows and its rings. Bounds against guests that do not are about the others. */
  readonly trusted: boolean
  readonly tasks: readonly TaskSpec[]
}

/** A core may take `refills` cache refills in every `periodNs`, then waits for the next. */
export interface MemguardSpec {
  readonly refills: number
  readonly periodNs: number
}

/** A sporadic task of a guest, which suffers from the time that the broker takes from its core. Analysed, not simulated. */
export interface TaskSpec {
  readonly name: string
  readonly periodNs: number
  readonly wcetNs: number
  readonly deadlineNs: number
  /** Smaller is more urgent; null: deadline-monotonic. */
  readonly priority: number | null
}

/** A periodic flow: at most one message every `periodNs`, due `deadlineNs` after its nominal release. */
export interface FlowSpec {
  readonly name: string
  readonly from: string
  readonly to: string
  /** Of a flow that comes `after` another: that flow's. */
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
  /** A flow that arrives at `from`: each of its messages releases one of these. null: a timer does. */
  readonly after: string | null
  /** From that arrival to the nominal release. */
  readonly computeNs: number
  /** A file of releases (`parseReleases`) that are replayed; the flow's period, jitter and length say what they may be. undefined: a timer releases. */
  readonly releases?: string
}

/** Flows each of which comes `after` the one before; `deadlineNs` from the release of the first to the last arrival. */
export interface ChainSpec {
  readonly name: string
  readonly flows: readonly string[]
  readonly deadlineNs: number
}

/** What the messages of a flow carry: the bytes of a file, random ones, or nothing. */
export type PayloadSpec =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'random' }
  /** Only lengths travel: faster, and nothing can be compared. */
  | { readonly kind: 'none' }

/** The broker's knobs, with all defaults filled in. */
export interface BrokerSpec {
  readonly placement: 'floating' | 'dedicated'
  /** The core that a dedicated broker takes for itself. */
  readonly dedicatedCore: number
  readonly scheduler: 'edf' | 'fp'
  readonly chunkBytes: number
  /**
   * A message that comes earlier than its period, beyond its flow's jitter, by half of that period or by so much (at least 50 us) waits for its
   * time; null: by half of it. Less bounds what guests that do not keep to their flows can cause, as long as no honest guest is later.
   */
  readonly toleranceNs: number | null
  readonly regulator: RegulatorSpec
  /** `remap` exchanges pages, `lend` maps them read-only until they are returned, `auto` chooses by size and alignment. */
  readonly transfer: 'copy' | 'remap' | 'lend' | 'auto'
  /** Shorter messages are copied; null: the platform's break-even. */
  readonly remapThresholdBytes: number | null
  /** What becomes of the receiver's cache partition: pages only of reserved colours, no remapping, or interference that is reported. */
  readonly colorPolicy: 'pool' | 'refuse' | 'accept'
  /** How many colours are reserved for exchange; 0 unless `colorPolicy` is `pool`. */
  readonly poolColors: number
  /** Pages of the broker's own in the exchange pool; 0 unless `colorPolicy` is `pool` and pages are exchanged. */
  readonly sparePages: number
  /** Pages that one VM may have borrowed at a time; what goes beyond is copied. */
  readonly lentPages: number
  /** As many pages at once have all of a VM's translations invalidated together, not one by one. */
  readonly flushPages: number
  /**
   * What a core that has used up its refills does about the broker's interrupts: serves them in its waiting loop, waits with
   * interrupts enabled, has the DMA's retargeted to another core, or leaves them until its period ends.
   */
  readonly memguard: 'service' | 'interruptible' | 'retarget' | 'accept'
  readonly interrupts: InterruptSpec
  /** `adaptive` chains a whole message while nothing else is pending; `piece` takes one chunk at a time. */
  readonly chaining: 'adaptive' | 'piece'
}

/** Ways to do without an interrupt, each a switch. The presets are `INTERRUPT_PRESETS`. */
export interface InterruptSpec {
  readonly preset: 'minimum' | 'plain' | 'custom'
  /** VIRTIO_F_EVENT_IDX is offered and used. */
  readonly eventIdx: boolean
  /** Senders take back sent buffers at their next send, and ask for an interrupt only when their ring runs low. */
  readonly lazyReclaim: boolean
  /** Receivers need not kick when they refill their ring, unless the broker is starved. */
  readonly suppressRefill: boolean
  /** Between VMs of one core the broker waits for the DMA of a short message instead of taking its interrupt. Floating only. */
  readonly waitForShort: boolean
  /** A receiver looks at its ring this often instead of being interrupted; 0: it is interrupted. */
  readonly pollingNs: number
  /** A receiver is interrupted once for this many messages; 1: for each. */
  readonly coalesceCount: number
  /** Of the first message that waits for the others to come; 0 where none waits. */
  readonly coalesceDelayNs: number
}

/** `minimum` suppresses every interrupt that the ring allows to suppress; `plain` is one per piece. */
export const INTERRUPT_PRESETS = {
  minimum: {
    preset: 'minimum',
    eventIdx: true,
    lazyReclaim: true,
    suppressRefill: true,
    waitForShort: true,
    pollingNs: 0,
    coalesceCount: 1,
    coalesceDelayNs: 0,
  },
  plain: {
    preset: 'plain',
    eventIdx: false,
    lazyReclaim: false,
    suppressRefill: false,
    waitForShort: false,
    pollingNs: 0,
    coalesceCount: 1,
    coalesceDelayNs: 0,
  },
} as const satisfies Record<string, InterruptSpec>

/** How the DMA is regulated; docs/scenario.md says what each kind does. */
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
