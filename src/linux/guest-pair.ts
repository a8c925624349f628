/** Two Linux guests whose vsock connections go through the broker, floating or on a core of its own. */
import {
  type Broker,
  type BrokerFlow,
  DedicatedBroker,
  FloatingBroker,
  NoRegulator,
  type RefusalReason,
  Relay,
  type Router,
} from '../broker/index.ts'
import { BrokerCause, StepResult } from '../platform/index.ts'
import { attachToV86, type V86Attachment } from '../v86/index.ts'
import {
  type DeviceRegisters,
  readVsockHeader,
  VSOCK_HEADER_BYTES,
  VsockHeader,
  writeVsockHeader,
} from '../virtio/index.ts'
import { TransferPolicy } from '../zero-copy/index.ts'
import { brokerVsock, PACKET_BYTES } from './broker-vsock.ts'
import type { GuestImages } from './guest-images.ts'
import { GUEST_READY } from './init-script.ts'
import { LinuxGuestError } from './linux-error.ts'
import { hostsTurn } from './linux-guest.ts'
import { type CommandResult, Shell } from './shell.ts'
import { V86Machine } from './v86-machine.ts'
import { type PlatformCounts, V86Platform } from './v86-platform.ts'

export type Placement = 'dedicated' | 'floating'

/** CIDs of the two. */
export const PAIR_CIDS = [3, 4] as const
const ENDS = [
  { source: 0, destination: 1 },
  { source: 1, destination: 0 },
] as const
/** What Linux gives as a receive buffer holds a piece of this. */
const CHUNK_BYTES = 3584
/** A modelled engine of 1 GB/s. */
const BYTES_PER_NS = 1
/** How far one guest may be ahead of the other. */
const LOOKAHEAD_NS = 1e6
const BROKER_CORE = 2
const SLOT = 9

export class GuestPair {
  readonly machines: readonly V86Machine[]
  readonly shells: readonly Shell[]
  readonly platform: V86Platform
  /** What the guests did with the device's registers, by guest. */
  readonly exits = [0, 0]
  readonly kicks = [0, 0]
  readonly refused: (readonly [vm: number, reason: RefusalReason])[] = []
  readonly violations: string[] = []
  readonly registers: readonly DeviceRegisters[]
  readonly #broker: Broker

  /** Boots both, until their shells read commands. */
  static async boot(images: GuestImages, placement: Placement): Promise<GuestPair> {
    const machines = [await V86Machine.create({ images, seed: 1 }), await V86Machine.create({ images, seed: 2 })]
    const pair = new GuestPair(machines, placement)
    await pair.until(() => machines.every(({ serialOutput }) => serialOutput.includes(GUEST_READY)), 'shells', 60_000)
    return pair
  }

  private constructor(machines: readonly V86Machine[], placement: Placement) {
    this.machines = machines
    this.shells = machines.map((machine) => new Shell(machine))
    const attachments: V86Attachment[] = []
    const devices = PAIR_CIDS.map((cid, vm) =>
      brokerVsock({
        vm,
        cid,
        broker: () => this.#broker,
        enter: (core, cause, argument) => {
          this.platform.advanceTo(machines[vm]!.nowNs)
          this.#enter(core, cause, argument)
        },
        memory: () => attachments[vm]!.memory,
      }),
    )
    this.registers = devices.map(({ registers }) => registers)
    const guests = devices.map(({ registers }, vm) => ({
      memory() {
        attachments[vm]!.followMemory()
        return attachments[vm]!.memory
      },
      interrupt: () => registers.notifyUsed(0),
    }))
    this.platform = new V86Platform(guests, ENDS, 3, BYTES_PER_NS)
    const causes = { dma: BrokerCause.dmaInterrupt, timer: BrokerCause.timer, ipi: BrokerCause.ipi }
    this.platform.onEvent = (core, event) => this.#enter(core, causes[event], 0)
    const relay = new Relay(
      this.platform,
      {
        scheduler: 'edf',
        chunkBytes: CHUNK_BYTES,
        chaining: 'piece',
        suppressRefillKicks: true,
        coalesceCount: 1,
        coalesceDelayNs: 0,
        waitForDmaNs: 0,
        coreCount: 3,
        interruptCore: placement === 'floating' ? 'receiver' : BROKER_CORE,
        policy: new TransferPolicy('copy'),
        cores: [0, 1],
        flows: ENDS.map(
          (ends): BrokerFlow => ({
            ...ends,
            periodNs: 10_000,
            deadlineNs: 1e6,
            toleranceNs: 0,
            buffers: 64,
            maximumBytes: PACKET_BYTES,
            priority: ends.source,
          }),
        ),
      },
      new PairRouter(),
      new NoRegulator(),
      { onRefused: (vm, reason) => this.refused.push([vm, reason]) },
    )
    this.#broker =
      placement === 'floating'
        ? new FloatingBroker(this.platform, relay, 3)
        : new DedicatedBroker(this.platform, relay, BROKER_CORE)
    for (const [vm, device] of devices.entries()) {
      device.registers.events.on('violation', (violation) =>
        this.violations.push(`${vm}: ${JSON.stringify(violation)}`),
      )
      device.registers.events.on('fault', (error) => this.violations.push(`${vm}: ${error}`))
      attachments.push(
        attachToV86(machines[vm]!.emulator, device, {
          slot: SLOT,
          linear: true,
          onAccess: ({ kind, offset }) => {
            this.exits[vm]!++
            if (kind === 'write' && offset >= 0x80 && offset < 0xc0) this.kicks[vm]!++
          },
        }),
      )
    }
  }

  get counts(): PlatformCounts {
    return this.platform.counts
  }

  /** Runs both, the one that is behind first, until `condition` holds. */
  async until(condition: () => boolean, what: string, limitMs = 60_000): Promise<void> {
    const [first, second] = this.machines as [V86Machine, V86Machine]
    const limitNs = Math.min(first.nowNs, second.nowNs) + limitMs * 1e6
    while (!condition()) {
      const [behind, ahead] = first.nowNs <= second.nowNs ? [first, second] : [second, first]
      if (behind.nowNs >= limitNs) {
        const said = this.machines.map(({ serialOutput }) => serialOutput.slice(-500)).join('\n--\n')
        throw new LinuxGuestError(
          'GUEST',
          `no ${what} after ${limitMs} ms of the guests' time; they said last:\n${said}`,
        )
      }
      behind.runSlice(ahead.nowNs + LOOKAHEAD_NS)
      this.platform.deliver(Math.min(first.nowNs, second.nowNs))
      await hostsTurn()
    }
  }

  /** A command in each guest's shell, both to their ends. */
  async run(first: string, second: string, limitMs?: number): Promise<readonly [CommandResult, CommandResult]> {
    const results = [this.shells[0]!.begin(first), this.shells[1]!.begin(second)]
    await this.until(() => results.every((result) => result() !== null), `end of ${first} and ${second}`, limitMs)
    return results.map((result) => result()!) as [CommandResult, CommandResult]
  }

  #enter(core: number, cause: number, argument: number): void {
    let result = this.#broker.enter(core, cause, argument)
    while (result === StepResult.more) result = this.#broker.resume(core)
  }
}

/** From one guest to the other, whatever the ports are; a guest speaks for itself only. */
class PairRouter implements Router {
  readonly headerBytes = VSOCK_HEADER_BYTES
  readonly #header = new VsockHeader()

  route(vm: number, bytes: Uint8Array, payloadBytes: number): number {
    const header = this.#header
    if (!readVsockHeader(bytes, 0, header) || header.len !== payloadBytes) return -1
    return header.srcCid === PAIR_CIDS[vm] && header.dstCid === PAIR_CIDS[1 - vm] ? vm : -1
  }

  writePieceHeader(bytes: Uint8Array, pieceBytes: number): void {
    readVsockHeader(bytes, 0, this.#header)
    this.#header.len = pieceBytes
    writeVsockHeader(bytes, 0, this.#header)
  }
}
