/**
 * Which frames of the network a guest wants (virtio 1.4 §5.1.9.5.1-3): receive modes, a table of addresses, VLANs. After a reset the
 * tables are empty, and every multicast frame passes until the driver says otherwise, for a driver may have no way to ask.
 */
import { refuseState } from '../../../internal/saved-state.ts'
import type { NetFrame } from './frame.ts'
import { formatMac, type MacAddress, parseMac } from './mac-address.ts'

/** Addresses of each kind that are kept, as QEMU does: more than that, and every frame of the kind passes. */
export const MAC_TABLE_ENTRIES = 64
/** VLAN ids are 0 to 4095. */
export const VLAN_IDS = 4096

/** The switches of a receive filter, in the order of their commands: VIRTIO_NET_CTRL_RX_PROMISC is 0. */
export const RECEIVE_MODES = [
  'promiscuous',
  'allMulticast',
  'allUnicast',
  'noMulticast',
  'noUnicast',
  'noBroadcast',
] as const
/** One of `RECEIVE_MODES`. */
export type ReceiveMode = (typeof RECEIVE_MODES)[number]

/** As `ReceiveFilter.saveState` returns it. */
export interface ReceiveFilterState {
  readonly modes: readonly ReceiveMode[]
  readonly unicast: readonly string[] | null
  readonly multicast: readonly string[] | null
  readonly vlans: readonly number[]
}

/** Null: too many to keep. */
type MacList = readonly MacAddress[] | null

export class ReceiveFilter {
  readonly #modes: Record<ReceiveMode, boolean> = {
    promiscuous: false,
    allMulticast: true,
    allUnicast: false,
    noMulticast: false,
    noUnicast: false,
    noBroadcast: false,
  }
  #unicast: MacList = []
  #multicast: MacList = []
  readonly #vlans = new Uint8Array(VLAN_IDS)

  /** The state of a new device (NET-MAC-DEV-01). */
  reset(): void {
    for (const mode of RECEIVE_MODES) this.#modes[mode] = mode === 'allMulticast'
    this.#unicast = []
    this.#multicast = []
    this.#vlans.fill(0)
  }

  set(mode: ReceiveMode, on: boolean): void {
    this.#modes[mode] = on
  }

  setTable(unicast: readonly MacAddress[], multicast: readonly MacAddress[]): void {
    this.#unicast = unicast.length > MAC_TABLE_ENTRIES ? null : unicast
    this.#multicast = multicast.length > MAC_TABLE_ENTRIES ? null : multicast
  }

  setVlan(id: number, on: boolean): void {
    this.#vlans[id] = on ? 1 : 0
  }

  /** `own`: the address of the guest. `filtersVlans`: CTRL_VLAN was negotiated. */
  accepts(frame: NetFrame, own: MacAddress, filtersVlans: boolean): boolean {
    const modes = this.#modes
    if (filtersVlans) {
      const { vlan } = frame
      if (vlan >= 0 && this.#vlans[vlan] === 0) return false
    }
    if (modes.promiscuous) return true
    if (frame.isBroadcast) return !modes.noBroadcast
    if (frame.isMulticast) {
      return !modes.noMulticast && (modes.allMulticast || isListed(this.#multicast, frame.high(0), frame.low(0)))
    }
    if (modes.noUnicast) return false
    const high = frame.high(0)
    const low = frame.low(0)
    return modes.allUnicast || (high === own.high && low === own.low) || isListed(this.#unicast, high, low)
  }

  saveState(): ReceiveFilterState {
    return {
      modes: RECEIVE_MODES.filter((mode) => this.#modes[mode]),
      unicast: this.#unicast?.map(formatMac) ?? null,
      multicast: this.#multicast?.map(formatMac) ?? null,
      vlans: Array.from(this.#vlans.keys()).filter((id) => this.#vlans[id] === 1),
    }
  }

  /** Throws `VirtioError` INVALID_STATE, and changes nothing. */
  restoreState(state: ReceiveFilterState): void {
    const { modes, unicast, multicast, vlans } = state ?? {}
    const isMode = (mode: ReceiveMode) => RECEIVE_MODES.includes(mode)
    if (!Array.isArray(modes) || !modes.every(isMode))
      refuseState('net', `modes are some of ${RECEIVE_MODES.join(', ')}`)
    const isVlan = (id: number) => Number.isInteger(id) && id >= 0 && id < VLAN_IDS
    if (!Array.isArray(vlans) || !vlans.every(isVlan)) refuseState('net', 'vlans are numbers from 0 to 4095')
    const lists = [restoredList(unicast), restoredList(multicast)] as const
    for (const mode of RECEIVE_MODES) this.#modes[mode] = modes.includes(mode)
    this.#unicast = lists[0]
    this.#multicast = lists[1]
    this.#vlans.fill(0)
    for (const id of vlans) this.#vlans[id] = 1
  }
}

function isListed(list: MacList, high: number, low: number): boolean {
  if (list === null) return true
  for (const address of list) if (address.low === low && address.high === high) return true
  return false
}

function restoredList(list: readonly string[] | null | undefined): MacList {
  if (list === null) return null
  if (!Array.isArray(list) || list.length > MAC_TABLE_ENTRIES)
    refuseState('net', 'an address table has at most 64 entries')
  try {
    return list.map((text) => parseMac('address', text))
  } catch {
    return refuseState('net', 'an address of a table is no address')
  }
}
