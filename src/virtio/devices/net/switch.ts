/**
 * A learning switch: a frame goes to the end behind which its destination was last seen; to every other end when it is for a group, or the
 * destination is unknown. It knows no spanning tree, so two switches are connected once, and no VLANs: a tag is part of a frame.
 */
import { checkMethods, refuseOption } from '../../../internal/check-option.ts'
import type { NetFrame } from './frame.ts'
import type { NetEnd } from './port.ts'
import { StationTable } from './station-table.ts'

/** A network of any number of ends. A frame is handed on in the call that brings it; nothing is kept here. */
export class NetSwitch {
  /** Ends by their number; null for one that was pulled out. */
  readonly #ends: (NetEnd | null)[] = []
  readonly #stations = new StationTable()

  /**
   * Plugs an end in: its frames come here from now on. Returns how to pull it out. Throws `VirtioError` INVALID_OPTION for what is no
   * `NetEnd`, or is plugged in somewhere.
   */
  plug(end: NetEnd): () => void {
    checkMethods('end', end, 'a NetEnd', ['deliver'])
    if (end.outlet) refuseOption('end', end, 'an end that is plugged in nowhere else')
    const free = this.#ends.indexOf(null)
    const port = free < 0 ? this.#ends.length : free
    this.#ends[port] = end
    end.outlet = (frame) => this.#forward(frame, port)
    return () => {
      if (this.#ends[port] !== end) return
      this.#ends[port] = null
      this.#stations.forget(port)
      end.outlet = null
    }
  }

  #forward(frame: NetFrame, from: number): void {
    const high = frame.high(6)
    // A source that is a group is nobody's address.
    if ((high & 0x100) === 0) this.#stations.learn(high, frame.low(6), from)
    const to = frame.isMulticast ? -1 : this.#stations.find(frame.high(0), frame.low(0))
    if (to >= 0) {
      if (to !== from) this.#ends[to]?.deliver(frame)
      return
    }
    for (let port = 0; port < this.#ends.length; port++) if (port !== from) this.#ends[port]?.deliver(frame)
  }
}
