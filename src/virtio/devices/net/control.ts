/**
 * The commands of the control queue (virtio 1.4 §5.1.9.5): class, command and their data, answered with one byte, OK or ERR
 * (IMP-NET-02). A command whose feature was not negotiated, which nobody knows, or which is cut short, changes nothing.
 */
import type { ChainReader } from '../../../virtqueue/index.ts'
import { NET_FEATURES, type NetFeature, type NetFlags } from './contract.ts'
import { type MacAddress, macAt } from './mac-address.ts'
import { MAC_TABLE_ENTRIES, RECEIVE_MODES, type ReceiveFilter, VLAN_IDS } from './receive-filter.ts'

export const VIRTIO_NET_OK = 0
export const VIRTIO_NET_ERR = 1

export const VIRTIO_NET_CTRL_RX = 0
export const VIRTIO_NET_CTRL_MAC = 1
export const VIRTIO_NET_CTRL_MAC_TABLE_SET = 0
export const VIRTIO_NET_CTRL_MAC_ADDR_SET = 1
export const VIRTIO_NET_CTRL_VLAN = 2
export const VIRTIO_NET_CTRL_VLAN_ADD = 0
export const VIRTIO_NET_CTRL_VLAN_DEL = 1
export const VIRTIO_NET_CTRL_ANNOUNCE = 3
export const VIRTIO_NET_CTRL_ANNOUNCE_ACK = 0
export const VIRTIO_NET_CTRL_MQ = 4
export const VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET = 0
export const VIRTIO_NET_CTRL_GUEST_OFFLOADS = 5
export const VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET = 0

/** Features that GUEST_OFFLOADS_SET switches. */
export const SWITCHED_OFFLOADS = [
  'guestCsum',
  'guestTso4',
  'guestTso6',
  'guestEcn',
  'guestUfo',
  'guestUso4',
  'guestUso6',
] as const satisfies readonly NetFeature[]
/** One of `SWITCHED_OFFLOADS`. */
export type SwitchedOffload = (typeof SWITCHED_OFFLOADS)[number]

/** Of a feature in the bits of GUEST_OFFLOADS_SET. */
export function offloadBit(name: SwitchedOffload): bigint {
  return 1n << BigInt(NET_FEATURES[name])
}

/** What the commands act on. */
export interface ControlTarget {
  readonly features: NetFlags
  readonly filter: ReceiveFilter
  readonly maxPairs: number
  setMac(mac: MacAddress): void
  /** 1 to `maxPairs`. */
  setPairs(pairs: number): void
  /** Bits of `SWITCHED_OFFLOADS`; false: not all were negotiated. */
  setOffloads(bits: bigint): boolean
  acknowledgeAnnounce(): void
}

/** Does one command; false is ERR. Whatever the driver sent, it reads each byte once and at most those that are there. */
export function execute(reader: ChainReader, target: ControlTarget): boolean {
  const commandClass = reader.u8()
  const command = reader.u8()
  if (reader.overrun) return false
  switch (commandClass) {
    case VIRTIO_NET_CTRL_RX:
      return setMode(reader, command, target)
    case VIRTIO_NET_CTRL_MAC:
      return setAddresses(reader, command, target)
    case VIRTIO_NET_CTRL_VLAN:
      return setVlan(reader, command, target)
    case VIRTIO_NET_CTRL_ANNOUNCE:
      if (command !== VIRTIO_NET_CTRL_ANNOUNCE_ACK || !target.features.guestAnnounce) return false
      target.acknowledgeAnnounce()
      return true
    case VIRTIO_NET_CTRL_MQ:
      return setPairs(reader, command, target)
    case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
      return setOffloads(reader, command, target)
    default:
      return false
  }
}

function setMode(reader: ChainReader, command: number, { features, filter }: ControlTarget): boolean {
  const mode = RECEIVE_MODES[command]
  // NET-RXF-DEV-01, -05: the first two are of CTRL_RX, the rest of CTRL_RX_EXTRA.
  const hasCommand = command < 2 ? features.ctrlRx : features.ctrlRxExtra
  const on = reader.u8()
  if (mode === undefined || !hasCommand || reader.overrun) return false
  filter.set(mode, on !== 0)
  return true
}

function setAddresses(reader: ChainReader, command: number, target: ControlTarget): boolean {
  const { features, filter } = target
  if (command === VIRTIO_NET_CTRL_MAC_ADDR_SET) {
    const bytes = new Uint8Array(6)
    if (!features.ctrlMacAddr || reader.into(bytes) < 6) return false
    target.setMac(macAt(bytes, 0))
    return true
  }
  if (command !== VIRTIO_NET_CTRL_MAC_TABLE_SET || !features.ctrlRx) return false
  const unicast = readTable(reader)
  const multicast = readTable(reader)
  if (unicast === null || multicast === null) return false
  filter.setTable(unicast, multicast)
  return true
}

/** A count and so many addresses; one more than a table keeps stands for all others. Null: cut short. */
function readTable(reader: ChainReader): MacAddress[] | null {
  const count = reader.u32()
  if (reader.overrun || count * 6 > reader.remaining) return null
  const kept = Math.min(count, MAC_TABLE_ENTRIES + 1)
  const bytes = reader.bytes(6 * kept)
  reader.skip(6 * (count - kept))
  return Array.from({ length: kept }, (_, i) => macAt(bytes, 6 * i))
}

function setVlan(reader: ChainReader, command: number, { features, filter }: ControlTarget): boolean {
  const id = reader.u16()
  const isKnown = command === VIRTIO_NET_CTRL_VLAN_ADD || command === VIRTIO_NET_CTRL_VLAN_DEL
  if (!features.ctrlVlan || !isKnown || reader.overrun || id >= VLAN_IDS) return false
  filter.setVlan(id, command === VIRTIO_NET_CTRL_VLAN_ADD)
  return true
}

function setPairs(reader: ChainReader, command: number, target: ControlTarget): boolean {
  const pairs = reader.u16()
  const isKnown = command === VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET && target.features.mq
  if (!isKnown || reader.overrun || pairs < 1 || pairs > target.maxPairs) return false
  target.setPairs(pairs)
  return true
}

function setOffloads(reader: ChainReader, command: number, target: ControlTarget): boolean {
  const bits = reader.u64()
  const isKnown = command === VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET && target.features.ctrlGuestOffloads
  return isKnown && !reader.overrun && target.setOffloads(bits)
}
