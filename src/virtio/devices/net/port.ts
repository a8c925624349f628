/** Ends of a network: what a switch connects, and a user's own end. */
import { checkBytes, checkFunction, checkInteger } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import { ETHERNET_HEADER_BYTES, MAX_FRAME_BYTES, NetFrame } from './frame.ts'
import type { NetHeader } from './header.ts'
import { type Offloads, offloadFault } from './offloads.ts'

/** One end of a cable: a `NetDevice`, a `NetPort`, or an object of your own. */
export interface NetEnd {
  /** Takes a frame from the network. It is valid during the call only. May throw for nothing that a frame holds. */
  deliver(frame: NetFrame): void
  /** Where the frames of this end go; null: nowhere. Set by what it is plugged into. */
  outlet: ((frame: NetFrame) => void) | null
}

/** What `NetPort.send` may ask of the receiver: the fields of a `NetHeader` but for `numBuffers`. */
export type NetRequest = Partial<Omit<NetHeader, 'numBuffers' | 'clear'>>

/** An end that may ask for anything. */
export const ALL_OFFLOADS: Offloads = { csum: true, tso4: true, tso6: true, ecn: true, ufo: true, uso: true }

/** A user's own end: a function that gets the frames of the network, and `send`. */
export class NetPort implements NetEnd {
  outlet: ((frame: NetFrame) => void) | null = null
  readonly #onFrame: (frame: NetFrame) => void
  readonly #frame = new NetFrame()

  /** `onFrame` gets each frame that the network has for this end, with the header that its sender gave it. Throws `VirtioError` INVALID_OPTION. */
  constructor(onFrame: (frame: NetFrame) => void) {
    checkFunction('onFrame', onFrame)
    this.#onFrame = onFrame
  }

  deliver(frame: NetFrame): void {
    this.#onFrame(frame)
  }

  /**
   * Sends a frame of 14 to 65553 bytes; who gets it has copied it when the call returns. False: the port is plugged into nothing.
   * Throws `VirtioError` INVALID_OPTION for another length, or a request that makes no sense.
   */
  send(bytes: Uint8Array, request: NetRequest = {}): boolean {
    checkFrame(bytes)
    const { header } = this.#frame.at(bytes, 0, bytes.length)
    Object.assign(header.clear(), request)
    const fault = offloadFault(header, bytes.length, ALL_OFFLOADS)
    if (fault !== null) throw new VirtioError('INVALID_OPTION', `request asks for what nobody can do: ${fault}`)
    this.outlet?.(this.#frame)
    return this.outlet !== null
  }
}

/** Throws `VirtioError` INVALID_OPTION for what is no frame. */
export function checkFrame(bytes: unknown): asserts bytes is Uint8Array {
  checkBytes('frame', bytes)
  checkInteger('the length of a frame', bytes.length, ETHERNET_HEADER_BYTES, MAX_FRAME_BYTES, 'bytes')
}
