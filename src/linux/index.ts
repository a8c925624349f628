/** Real Linux guests in v86, in Node: images from Debian's packages, and a machine with a clock of its own. */
export { type CpioEntry, cpioArchive } from './cpio.ts'
export { chooseKernel } from './debian-packages.ts'
export { defaultCache, type GuestImages, guestImages } from './guest-images.ts'
export { GuestPair, PAIR_CIDS, type Placement } from './guest-pair.ts'
export { LinuxGuestError } from './linux-error.ts'
export {
  DEVICE_NAMES,
  type DeviceName,
  type GuestDevices,
  type GuestSnapshot,
  hostsTurn,
  LinuxGuest,
  type LinuxGuestOptions,
} from './linux-guest.ts'
export { exchangeInPair, type PairExchange } from './pair-exchange.ts'
export { type CommandResult, Shell } from './shell.ts'
export { V86Machine, type V86MachineOptions } from './v86-machine.ts'
export { type PlatformCounts, V86Platform } from './v86-platform.ts'
