/**
 * A Linux guest with one device of each kind that we have, and a shell on its serial port. It runs only while somebody waits for it.
 */
import type { GuestMemory } from '../memory/index.ts'
import { attachToV86, type V86Access, type V86Attachment } from '../v86/index.ts'
import {
  BlkDevice,
  ConsoleDevice,
  type DeviceContract,
  type DeviceRegisters,
  type DeviceState,
  entropyDevice,
  MemoryDisk,
  NetDevice,
  VsockDevice,
} from '../virtio/index.ts'
import type { GuestImages } from './guest-images.ts'
import { GUEST_READY } from './init-script.ts'
import { LinuxGuestError } from './linux-error.ts'
import { type CommandResult, Shell } from './shell.ts'
import { seededRandom } from './time-and-chance.ts'
import { type ClockState, V86Machine } from './v86-machine.ts'

/** What a guest is made of. */
export interface LinuxGuestOptions {
  readonly images: GuestImages
  /** Of vsock, from 3 on. */
  readonly cid: number
  /** Default 1. */
  readonly seed?: number
  /** Of the disk. Default 16. */
  readonly diskMiB?: number
  /** Told of every register access of a device, after the device has answered it. */
  readonly onAccess?: (device: DeviceName, access: V86Access) => void
}

/** The devices, by what they are called here. */
export interface GuestDevices {
  readonly entropy: { readonly registers: DeviceRegisters }
  readonly vsock: VsockDevice
  readonly net: NetDevice
  readonly blk: BlkDevice
  readonly console: ConsoleDevice
}

export type DeviceName = keyof GuestDevices
export const DEVICE_NAMES: readonly DeviceName[] = ['entropy', 'vsock', 'net', 'blk', 'console']

/** A guest between two of its instructions, with its devices. */
export interface GuestSnapshot {
  readonly emulator: ArrayBuffer
  readonly clock: ClockState
  readonly disk: Uint8Array
  readonly devices: Readonly<Record<DeviceName, DeviceState>>
}

const FIRST_SLOT = 8
/** Where a vsock device has the CID in its configuration. */
const CID_BYTES = 8
const BOOT_LIMIT_MS = 60_000
const COMMAND_LIMIT_MS = 60_000

export class LinuxGuest {
  readonly machine: V86Machine
  readonly devices: GuestDevices
  readonly disk: MemoryDisk
  readonly #attachments: ReadonlyMap<DeviceName, V86Attachment>
  readonly #shell: Shell

  /** Switched on, and nothing has run. */
  static async create(options: LinuxGuestOptions): Promise<LinuxGuest> {
    return new LinuxGuest(await V86Machine.create(options), options)
  }

  /** Boots until the shell reads commands. Throws `LinuxGuestError` GUEST with what the guest has said instead. */
  async boot(): Promise<void> {
    await this.until(() => this.machine.serialOutput.includes(GUEST_READY), 'a shell', BOOT_LIMIT_MS)
  }

  /** As `create`, with the state of another guest; its CID becomes this guest's, and its connections end. */
  static async restore(options: LinuxGuestOptions, snapshot: GuestSnapshot): Promise<LinuxGuest> {
    const guest = await LinuxGuest.create(options)
    guest.disk.bytes.set(snapshot.disk)
    await guest.machine.restoreState(snapshot)
    for (const name of DEVICE_NAMES) {
      guest.#attachments.get(name)!.followMemory()
      const state = snapshot.devices[name]
      guest.devices[name].registers.restoreState(name === 'vsock' ? withCid(state, options.cid) : state)
    }
    return guest
  }

  private constructor(machine: V86Machine, { cid, diskMiB = 16, onAccess, seed = 1 }: LinuxGuestOptions) {
    this.machine = machine
    this.#shell = new Shell(machine)
    this.disk = new MemoryDisk(diskMiB << 20)
    const random = seededRandom(seed + 1)
    const source = (target: Uint8Array): number => {
      for (let i = 0; i < target.length; i++) target[i] = random() >>> 24
      return target.length
    }
    this.devices = {
      entropy: entropyDevice({ source }).create(),
      vsock: new VsockDevice({ guestCid: cid }),
      net: new NetDevice({ mac: `52:54:00:00:00:${(cid & 0xff).toString(16).padStart(2, '0')}` }),
      blk: new BlkDevice({ backend: this.disk, id: `disk-${cid}` }),
      console: new ConsoleDevice(),
    }
    this.#attachments = new Map(
      DEVICE_NAMES.map((name, index) => [
        name,
        attachToV86<DeviceContract>(machine.emulator, this.devices[name], {
          slot: FIRST_SLOT + index,
          ...(onAccess !== undefined && { onAccess: (access: V86Access) => onAccess(name, access) }),
        }),
      ]),
    )
  }

  /** The guest's RAM, as its devices reach it; good until the guest runs again. */
  get memory(): GuestMemory {
    const attachment = this.#attachments.get('entropy')!
    attachment.followMemory()
    return attachment.memory
  }

  /** Runs until `condition` holds, asked once a millisecond of the guest's time. Throws `LinuxGuestError` GUEST. */
  async until(condition: () => boolean, what: string, limitMs = COMMAND_LIMIT_MS): Promise<void> {
    const limitNs = this.machine.nowNs + limitMs * 1e6
    while (!condition()) {
      if (this.machine.nowNs >= limitNs) {
        const said = this.machine.serialOutput.slice(-1000)
        throw new LinuxGuestError('GUEST', `no ${what} after ${limitMs} ms of the guest's time; it said last:\n${said}`)
      }
      this.machine.runSlice(limitNs)
      await hostsTurn()
    }
  }

  /** Types a command into the guest's shell. The answer is there once the guest has run long enough. */
  begin(command: string): () => CommandResult | null {
    return this.#shell.begin(command)
  }

  /** Runs a command in the guest's shell to its end. */
  async run(command: string, limitMs?: number): Promise<CommandResult> {
    const result = this.begin(command)
    await this.until(() => result() !== null, `end of ${command}`, limitMs)
    return result()!
  }

  /** Takes what is needed to go on elsewhere; the guest can go on here, too. */
  async save(): Promise<GuestSnapshot> {
    const { emulator, clock } = await this.machine.saveState()
    const states = DEVICE_NAMES.map((name) => [name, this.devices[name].registers.saveState()])
    return { emulator, clock, disk: this.disk.bytes.slice(), devices: Object.fromEntries(states) }
  }
}

/** What waits for promises goes on, and the host's events are taken. */
export function hostsTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function withCid(state: DeviceState, cid: number): DeviceState {
  const config = [...state.config]
  for (let i = 0; i < CID_BYTES; i++) config[i] = i < 4 ? (cid >>> (8 * i)) & 0xff : 0
  return { ...state, config }
}
