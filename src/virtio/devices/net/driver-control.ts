/** The driver's end of the control queue (virtio 1.4 §5.1.9.5): one method a command. Each resolves when the device has done it. */
import { checkArray, checkInteger, checkWord } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import type { DriverQueue } from '../../driver-queue.ts'
import type { CallOptions } from '../../pending-call.ts'
import type { NetFeature, NetFlags } from './contract.ts'
import * as commands from './control.ts'
import { isGroup, type MacAddress, parseMac, parseStation, putMac } from './mac-address.ts'
import { RECEIVE_MODES, type ReceiveMode, VLAN_IDS } from './receive-filter.ts'

/** How to stop waiting for the answer to a command. The device may still do it. */
export type NetCommandOptions = Pick<CallOptions, 'signal'>

/**
 * The commands of a `NetDriver`. Each rejects with `VirtioError` FEATURES_MISSING where its feature was not negotiated, NET_COMMAND
 * when the device refuses it, INVALID_OPTION, and as `DriverQueue.call` does.
 */
export class NetControl {
  readonly #queue: DriverQueue | null
  readonly #features: NetFlags

  /** Made by `NetDriver` only; `queue` is null without CTRL_VQ. */
  constructor(queue: DriverQueue | null, features: NetFlags) {
    this.#queue = queue
    this.#features = features
  }

  /** Switches a receive mode: the first two need CTRL_RX, the others CTRL_RX_EXTRA. */
  async setReceiveMode(mode: ReceiveMode, on: boolean, options?: NetCommandOptions): Promise<void> {
    checkWord('mode', mode, RECEIVE_MODES)
    const command = RECEIVE_MODES.indexOf(mode)
    const feature = command < 2 ? 'ctrlRx' : 'ctrlRxExtra'
    await this.#send(feature, commands.VIRTIO_NET_CTRL_RX, command, Uint8Array.of(on ? 1 : 0), options)
  }

  /** Other addresses to listen to: of stations, and of groups. They replace those of the last call (NET-MAC-DRV-03). */
  async setMacTable(
    unicast: readonly string[],
    multicast: readonly string[],
    options?: NetCommandOptions,
  ): Promise<void> {
    checkArray('unicast', unicast, 'an array of addresses')
    checkArray('multicast', multicast, 'an array of addresses')
    const tables = [unicast.map((text) => parseStation('unicast', text)), multicast.map(parseGroup)]
    const bytes = new Uint8Array(tables.reduce((sum, table) => sum + 4 + 6 * table.length, 0))
    let at = 0
    for (const table of tables) {
      new DataView(bytes.buffer).setUint32(at, table.length, true)
      at += 4
      for (const address of table) {
        putMac(address, bytes, at)
        at += 6
      }
    }
    const [commandClass, command] = [commands.VIRTIO_NET_CTRL_MAC, commands.VIRTIO_NET_CTRL_MAC_TABLE_SET]
    await this.#send('ctrlRx', commandClass, command, bytes, options)
  }

  /** @internal `NetDriver.setMac`. */
  async setMac(address: MacAddress, options?: NetCommandOptions): Promise<void> {
    const bytes = new Uint8Array(6)
    putMac(address, bytes, 0)
    const [commandClass, command] = [commands.VIRTIO_NET_CTRL_MAC, commands.VIRTIO_NET_CTRL_MAC_ADDR_SET]
    await this.#send('ctrlMacAddr', commandClass, command, bytes, options)
  }

  /** Frames of this VLAN come from now on, 0 to 4095. */
  async addVlan(id: number, options?: NetCommandOptions): Promise<void> {
    await this.#setVlan(commands.VIRTIO_NET_CTRL_VLAN_ADD, id, options)
  }

  /** Frames of this VLAN come no more. */
  async removeVlan(id: number, options?: NetCommandOptions): Promise<void> {
    await this.#setVlan(commands.VIRTIO_NET_CTRL_VLAN_DEL, id, options)
  }

  /** What the device may leave to this driver from now on: these, and no others. Each was negotiated (NET-OFFL-DRV-01). */
  async setGuestOffloads(on: readonly commands.SwitchedOffload[], options?: NetCommandOptions): Promise<void> {
    checkArray('on', on, 'an array of feature names')
    let bits = 0n
    for (const name of on) {
      checkWord('on', name, commands.SWITCHED_OFFLOADS)
      this.#require(name)
      bits |= commands.offloadBit(name)
    }
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, bits, true)
    const [commandClass, command] = [
      commands.VIRTIO_NET_CTRL_GUEST_OFFLOADS,
      commands.VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
    ]
    await this.#send('ctrlGuestOffloads', commandClass, command, bytes, options)
  }

  /** @internal `NetDriver.setPairs`. */
  async setPairs(pairs: number, options?: NetCommandOptions): Promise<void> {
    const [commandClass, command] = [commands.VIRTIO_NET_CTRL_MQ, commands.VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET]
    await this.#send('mq', commandClass, command, Uint8Array.of(pairs, pairs >>> 8), options)
  }

  /** @internal The driver has announced itself (NET-ANN-DRV-02). */
  async acknowledgeAnnounce(): Promise<void> {
    const [commandClass, command] = [commands.VIRTIO_NET_CTRL_ANNOUNCE, commands.VIRTIO_NET_CTRL_ANNOUNCE_ACK]
    await this.#send('guestAnnounce', commandClass, command, new Uint8Array(0))
  }

  async #setVlan(command: number, id: number, options?: NetCommandOptions): Promise<void> {
    checkInteger('id', id, 0, VLAN_IDS - 1)
    await this.#send('ctrlVlan', commands.VIRTIO_NET_CTRL_VLAN, command, Uint8Array.of(id, id >>> 8), options)
  }

  async #send(
    feature: NetFeature,
    commandClass: number,
    command: number,
    data: Uint8Array,
    options: NetCommandOptions = {},
  ): Promise<void> {
    this.#require(feature)
    const { bytes } = await this.#queue!.call([Uint8Array.of(commandClass, command), data], { ...options, reply: 1 })
    if (bytes[0] === commands.VIRTIO_NET_OK) return
    const answer = bytes.length === 0 ? 'nothing' : bytes[0] === commands.VIRTIO_NET_ERR ? 'ERR' : `${bytes[0]}`
    throw new VirtioError(
      'NET_COMMAND',
      `the device answered command ${command} of class ${commandClass} with ${answer}`,
    )
  }

  #require(feature: NetFeature): void {
    if (this.#queue !== null && this.#features[feature]) return
    throw new VirtioError('FEATURES_MISSING', `${feature} was not negotiated`)
  }
}

function parseGroup(text: string): MacAddress {
  const address = parseMac('multicast', text)
  if (isGroup(address)) return address
  throw new VirtioError('INVALID_OPTION', `multicast has ${text}, which is no group: its first byte is even`)
}
