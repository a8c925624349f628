/**
 * May a VM get a frame of this page colour? A frame keeps its colour when it changes owners, so a page that is not of the
 * receiver's colours puts the receiver into somebody else's cache partition.
 */
import type { PlatformPort } from '../platform/index.ts'

/**
 * `pool`: VMs have payload pages of reserved colours, and exchange those only. `refuse`: what is not of the VM's own colours
 * is copied. `accept`: it is mapped, and counted.
 */
export type ColorMode = 'pool' | 'refuse' | 'accept'

/** Which VM may have pages of which cache colours. */
export interface ColorRules {
  readonly mode: ColorMode
  /** By VM: the colours of its partition. */
  readonly vms: readonly (readonly number[])[]
  /** Reserved for exchange; empty unless the mode is `pool`. */
  readonly pool: readonly number[]
}

/** Decides whether a page of some colour may go to a VM. */
export class ColorPolicy {
  readonly #accepts: boolean
  /** By VM: what fits. */
  readonly #fits: readonly ReadonlySet<number>[]
  readonly #pool: ReadonlySet<number>

  constructor({ mode, vms, pool }: ColorRules) {
    this.#accepts = mode === 'accept'
    this.#fits = vms.map((colors) => new Set([...colors, ...pool]))
    this.#pool = new Set(pool)
  }

  /** No colours, or nobody minds. */
  static none(vmCount: number): ColorPolicy {
    return new ColorPolicy({ mode: 'accept', vms: Array.from({ length: vmCount }, () => [0]), pool: [] })
  }

  /** Whether the colour is of the VM's partition, or of the pool. */
  fits(port: PlatformPort, vm: number, frame: number): boolean {
    return this.#fits[vm]!.has(port.frameColor(frame))
  }

  /** Whether the frame may be kept in the exchange pool. */
  isPool(port: PlatformPort, frame: number): boolean {
    return this.#pool.has(port.frameColor(frame))
  }

  /** Whether the frame may be mapped at the VM. */
  admits(port: PlatformPort, vm: number, frame: number): boolean {
    return this.#accepts || this.fits(port, vm, frame)
  }
}
