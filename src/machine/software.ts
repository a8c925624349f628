/**
 * The software of a machine for one scenario and one design, on whatever port: the broker, and the VMs with their devices, drivers
 * and guests. The simulated board runs it in time; a test runs the same without.
 */

import type { BoardProfile } from '../boards/index.ts'
import { type Broker, type BrokerFlow, DedicatedBroker, FloatingBroker, Relay } from '../broker/index.ts'
import type { Design } from '../plan/index.ts'
import {
  arrivalToleranceNs,
  BUFFERS_PER_FLOW,
  chainingOf,
  interruptsOf,
  isPinned,
  prioritiesOf,
  receiveBuffersOf,
  regulatorOf,
} from '../plan/index.ts'
import type { PlatformPort } from '../platform/index.ts'
import type { FlowSpec, Scenario } from '../scenario/index.ts'
import { type DeviceRegisters, VSOCK_HEADER_BYTES } from '../virtio/index.ts'
import { TransferPolicy } from '../zero-copy/index.ts'
import type { GuestHost, GuestProgram } from './guest.ts'
import type { MachineMemory } from './machine-memory.ts'
import { FlowLedger } from './message-ledger.ts'
import { MessageLog } from './message-log.ts'
import type { PayloadSource } from './payload.ts'
import { type MakeGuest, startVm } from './vm.ts'
import { VsockRouter } from './vsock-router.ts'

export interface SoftwareOptions {
  readonly design: Design
  readonly profile: BoardProfile
  readonly port: PlatformPort
  readonly memory: MachineMemory
  readonly host: GuestHost
  /** Of a flow; null: only lengths travel. */
  readonly payload: (flow: FlowSpec, index: number) => PayloadSource | null
  /** Of a flow: how long each of its messages is; null, or without it: all as the scenario says. */
  readonly lengthsBytes?: (flow: number) => readonly number[] | null
  /** Guests keep the bytes of what has arrived until their host has seen it. */
  readonly keepsBytes: boolean
  /** A queue broke, or the broker refused a message. */
  readonly onViolation: () => void
  /** Default: guests that run in this process. */
  readonly makeGuest?: MakeGuest
}

/** Of a flow: VM indices. */
interface Ends {
  readonly source: number
  readonly destination: number
}

export class Software {
  readonly relay: Relay
  readonly broker: Broker
  /** By VM. */
  readonly guests: readonly GuestProgram[]
  /** By VM: as its driver reaches them. */
  readonly registers: readonly DeviceRegisters[]
  /** By flow. */
  readonly ledgers: readonly FlowLedger[]
  /** By flow: the VM that sends. */
  readonly sources: readonly number[]

  constructor(scenario: Scenario, options: SoftwareOptions) {
    const { broker, flows, vms } = scenario
    const { design, host, keepsBytes, lengthsBytes, makeGuest, memory, onViolation, payload, port, profile } = options
    const vmOf = (name: string) => vms.findIndex((vm) => vm.name === name)
    const ends = flows.map((flow) => ({ source: vmOf(flow.from), destination: vmOf(flow.to) }))
    this.sources = ends.map(({ source }) => source)
    const log = new MessageLog()
    this.ledgers = flows.map((flow) => new FlowLedger(flow.deadlineNs, log))
    this.relay = relayOf(scenario, options, ends)
    this.broker =
      design === 'floating'
        ? new FloatingBroker(port, this.relay, profile.cores.value)
        : new DedicatedBroker(port, this.relay, broker.dedicatedCore)
    const { eventIdx, lazyReclaim, pollingNs } = interruptsOf(scenario, design)
    const started = vms.map((vm, index) =>
      startVm({
        vm: index,
        core: vm.core,
        cid: vm.cid,
        stage2: memory.stage2[index]!,
        payloadBytes: memory.ram[index]!.payloadBytes,
        queueSize: vm.queueSize,
        receiveBuffers: receiveBuffersOf(scenario, index),
        maxMessageBytes:
          VSOCK_HEADER_BYTES + Math.max(0, ...flows.map((flow) => (flow.from === vm.name ? flow.lengthBytes : 0))),
        buffers: vm.buffers,
        eventIdx,
        lazyReclaim,
        polls: pollingNs > 0,
        keepsBytes,
        broker: this.broker,
        host,
        onViolation,
        ...(makeGuest !== undefined && { makeGuest }),
      }),
    )
    this.guests = started.map(({ guest }) => guest)
    this.registers = started.map(({ registers }) => registers)
    flows.forEach((flow, index) => {
      const { source, destination } = ends[index]!
      const common = {
        index,
        lengthBytes: flow.lengthBytes,
        lengthsBytes: lengthsBytes?.(index) ?? null,
        creditBytes: flow.creditBytes,
        ledger: this.ledgers[index]!,
        payload: payload(flow, index),
      }
      this.guests[source]!.addOutgoing({ ...common, peerCid: vms[destination]!.cid })
      this.guests[destination]!.addIncoming({ ...common, peerCid: vms[source]!.cid })
    })
  }
}

function relayOf(scenario: Scenario, options: SoftwareOptions, ends: readonly Ends[]): Relay {
  const { broker, flows, overrides, vms } = scenario
  const { design, memory, onViolation, port, profile } = options
  const { cores, costsNs } = profile
  const floating = design === 'floating'
  const interrupts = interruptsOf(scenario, design)
  const ranks = prioritiesOf(flows)
  const brokerFlows = flows.flatMap((flow, index): BrokerFlow[] => {
    const forward = {
      ...ends[index]!,
      periodNs: flow.periodNs,
      deadlineNs: flow.deadlineNs,
      toleranceNs: arrivalToleranceNs(scenario, index),
      buffers: BUFFERS_PER_FLOW,
      maximumBytes: flow.lengthBytes,
      priority: ranks[index]!,
    }
    // What the receiver answers: credit and the end of connections, never payload.
    const backward = { ...forward, source: forward.destination, destination: forward.source, maximumBytes: 0 }
    return [forward, backward]
  })
  return new Relay(
    port,
    {
      scheduler: broker.scheduler,
      chunkBytes: broker.chunkBytes,
      chaining: chainingOf(scenario, design),
      suppressRefillKicks: interrupts.suppressRefill,
      coalesceCount: interrupts.coalesceCount,
      coalesceDelayNs: interrupts.coalesceDelayNs,
      // An interrupt that costs nothing is never worth waiting for.
      waitForDmaNs: floating && interrupts.waitForShort && !isPinned(overrides) ? costsNs.irqEntryAck.value[1] : 0,
      coreCount: cores.value,
      interruptCore: floating ? 'receiver' : broker.dedicatedCore,
      policy: new TransferPolicy(floating ? broker.transfer : 'copy', {
        thresholdBytes: broker.remapThresholdBytes,
        flushPages: broker.flushPages,
        lentPages: broker.lentPages,
      }),
      colors: memory.colorPolicy,
      spareFrames: memory.spareFrames,
      cores: vms.map(({ core }) => core),
      // A queue that the scenario makes small may have fewer than a transfer takes: its messages go on with each.
      receiveBuffers: vms.map(({ queueSize }, vm) => (queueSize === null ? receiveBuffersOf(scenario, vm) : 1)),
      flows: brokerFlows,
    },
    new VsockRouter(
      vms.map(({ cid }) => cid),
      ends,
    ),
    regulatorOf(scenario, profile),
    { onRefused: onViolation },
  )
}
