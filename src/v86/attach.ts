/** A device of ours in a guest of the emulator v86: a virtio-pci function (virtio 1.4 §4.1) with an I/O BAR and INTx. */
import { checkBoolean, checkFunction, checkInteger, checkObject, refuseOption } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import type { GuestMemory } from '../memory/index.ts'
import { type AccessWidth, PciFunction, type TransportableDevice } from '../transport/index.ts'
import type { DeviceContract } from '../virtio/index.ts'
import { cpuOf } from './emulator.ts'
import { GuestRam } from './guest-ram.ts'
import { InterruptLines } from './interrupt-lines.ts'
import { registerIoBar } from './io-bar.ts'
import { configurationBytes } from './pci-space.ts'

/** An access of the guest to a device's registers. */
export interface V86Access {
  readonly kind: 'read' | 'write'
  /** In BAR 0: the common configuration from 0x00, ISR at 0x40, doorbells from 0x80, the device's configuration from 0xc0 (0x100 if longer than 64 bytes). */
  readonly offset: number
  readonly width: AccessWidth
  /** Unsigned. */
  readonly value: number
}

/** Where a device goes, and who watches. */
export interface V86AttachOptions {
  /** PCI slot, 2 to 31. Default: the first free one from 8 on. v86 has devices of its own in 5, 7 and 18, others by its options. */
  readonly slot?: number
  /** Told of every access after the device has answered it. What it throws breaks the device. */
  readonly onAccess?: (access: V86Access) => void
  /**
   * The device has work left that no kick will bring on: call `registers.poll()` later, until that says false. Default: in a microtask,
   * which is between two slices of v86.
   */
  readonly workLeft?: () => void
  /**
   * `memory` is one region, in which an offset is an address: for a broker, which knows of extents. What stands behind the graphics adapter's
   * addresses is then RAM that nobody else sees. Default false: those addresses are no memory.
   */
  readonly linear?: boolean
}

/** A device that was plugged in. */
export interface V86Attachment<C extends DeviceContract = DeviceContract> {
  readonly slot: number
  readonly function: PciFunction<C>
  /** The guest's RAM, the same for all devices of a guest. */
  readonly memory: GuestMemory
  /** Takes v86's current buffer where it has another one: call it before you use `memory` yourself. An access of the guest does. */
  followMemory(): void
}

const FIRST_SLOT = 8
const SLOTS = 32
/** Ports from here on were seen free; the BIOS moves the BARs as it likes. */
const FIRST_PORT = 0xc000
/** Of one function. */
const MOST_PORTS = 0x200

/**
 * Plugs a device into the PCI bus of a V86 that is ready and has not run yet: the guest finds it when it looks for devices. Several
 * devices may be attached. MSI-X is not there, for v86 has none.
 *
 * Throws `VirtioError` INVALID_OPTION for a slot that is taken, a device of more than 16 queues or 256 bytes of configuration, or no
 * V86; DEVICE_IN_USE when the device has a transport.
 */
export function attachToV86<C extends DeviceContract>(
  emulator: object,
  device: TransportableDevice<C>,
  options: V86AttachOptions = {},
): V86Attachment<C> {
  const cpu = cpuOf(emulator)
  checkObject('options', options)
  const { onAccess, slot: wanted, workLeft } = options
  const { pci } = cpu.devices
  const slot = wanted === undefined ? firstFree(pci.device_spaces) : wanted
  checkInteger('slot', slot, 2, SLOTS - 1)
  if (pci.device_spaces[slot << 3] !== undefined) refuseOption('slot', slot, 'one that is free')
  if (onAccess !== undefined) checkFunction('onAccess', onAccess)

  const { linear = false } = options
  checkBoolean('linear', linear)
  const ram = linear ? GuestRam.linear(cpu) : GuestRam.of(cpu)
  const lines = InterruptLines.of(cpu)
  const pciFunction = new PciFunction(device, {
    memory: ram.memory,
    bar: 'io',
    interruptLine: (level) => lines.set(slot, level),
    onDeviceWrite: (address, bytes) => cpu.jit_dirty_cache(address, address + bytes),
    ...(workLeft !== undefined && { workLeft }),
  })
  const tell = watched(pciFunction, onAccess)
  const port = FIRST_PORT + MOST_PORTS * slot
  registerIoBar(cpu.io, port, pciFunction.barBytes[0]!, {
    read(offset, width) {
      ram.follow()
      const value = pciFunction.readBar(0, offset, width)
      tell('read', offset, width, value)
      return value
    },
    write(offset, width, value) {
      ram.follow()
      pciFunction.writeBar(0, offset, width, value)
      tell('write', offset, width, value)
    },
  })
  pci.register_device({
    name: `virtio device type ${device.registers.deviceId}`,
    pci_id: slot << 3,
    pci_space: configurationBytes(pciFunction, port),
    pci_bars: [{ size: pciFunction.barBytes[0]! }],
  })
  return { slot, function: pciFunction, memory: ram.memory, followMemory: () => ram.follow() }
}

function firstFree(spaces: ArrayLike<unknown>): number {
  for (let slot = FIRST_SLOT; slot < SLOTS; slot++) if (spaces[slot << 3] === undefined) return slot
  throw new VirtioError('INVALID_OPTION', `no PCI slot from ${FIRST_SLOT} to ${SLOTS - 1} is free`)
}

type Tell = (kind: V86Access['kind'], offset: number, width: AccessWidth, value: number) => void

/** What throws breaks the device, and never reaches the emulator, which has nobody to hand it to. */
function watched({ registers }: PciFunction, onAccess: V86AttachOptions['onAccess']): Tell {
  if (onAccess === undefined) return () => {}
  return (kind, offset, width, value) => {
    try {
      onAccess({ kind, offset, width, value })
    } catch (error) {
      registers.reportFault(error, -1, true)
    }
  }
}
