/**
 * Page colours. Frames whose numbers are equal modulo the number of colours compete for the same sets of the last-level
 * cache, so VMs whose RAM has disjoint colours cannot evict each other's lines (docs/zero-copy.md). The price: RAM of k
 * out of n colours is in physical runs of at most k pages, and every further run is one more descriptor for the DMA.
 */
import { VirtioError } from '../internal/error.ts'

/** Colours by VM, and those reserved for pages that change owners. */
export interface ColorPlan {
  /** How many the board has; 1: no colouring. */
  readonly colors: number
  readonly vms: readonly (readonly number[])[]
  readonly pool: readonly number[]
}

/** What a scenario says about one VM's colours; null: a share of those that nobody names. */
export interface ColorWish {
  readonly name: string
  readonly colors: readonly number[] | null
}

/**
 * The last `poolColors` colours are the pool's; VMs without a wish share the rest, in disjoint adjacent ranges while there
 * are enough. Throws `VirtioError` BAD_COLORS.
 */
export function planColors(colors: number, wishes: readonly ColorWish[], poolColors: number): ColorPlan {
  if (poolColors >= colors && poolColors > 0) {
    throw new VirtioError(
      'BAD_COLORS',
      `poolColors is ${poolColors}, the board has ${colors} page colours: leave at least one to the VMs`,
    )
  }
  const ofVms = colors - poolColors
  for (const { name, colors: wanted } of wishes) {
    if (wanted === null) continue
    const wrong = wanted.find((color) => !(Number.isInteger(color) && color >= 0 && color < ofVms))
    if (wanted.length > 0 && wrong === undefined) continue
    const why = wanted.length === 0 ? 'has no page colour' : `has page colour ${wrong}`
    const pool = poolColors > 0 ? `; the last ${poolColors} are the exchange pool's` : ''
    throw new VirtioError('BAD_COLORS', `VM ${name} ${why}; it may have colours 0 to ${ofVms - 1}${pool}`)
  }
  const named = new Set(wishes.flatMap((wish) => wish.colors ?? []))
  const rest = range(0, ofVms).filter((color) => !named.has(color))
  const shares = share(rest.length > 0 ? rest : range(0, ofVms), wishes.filter((wish) => wish.colors === null).length)
  return {
    colors,
    vms: wishes.map((wish) =>
      wish.colors === null ? shares.shift()! : [...new Set(wish.colors)].sort((a, b) => a - b),
    ),
    pool: range(ofVms, colors),
  }
}

/** Adjacent ranges, the first ones longer by one; with more takers than colours, one colour each, round and round. */
function share(colors: readonly number[], takers: number): number[][] {
  if (takers > colors.length) return Array.from({ length: takers }, (_, i) => [colors[i % colors.length]!])
  const cut = (i: number) => i * Math.floor(colors.length / takers) + Math.min(i, colors.length % takers)
  return Array.from({ length: takers }, (_, i) => colors.slice(cut(i), cut(i + 1)))
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

/** Hands out the frame numbers of a board's DRAM by colour, ascending; takes none back. */
export class ColoredFrames {
  readonly colors: number
  readonly frameCount: number
  /** By colour: the lowest frame number that is free. */
  readonly #next: Float64Array

  constructor(colors: number, frameCount: number) {
    this.colors = colors
    this.frameCount = frameCount
    this.#next = Float64Array.from({ length: colors }, (_, color) => color)
  }

  /** The lowest free frame number of any of these colours. Throws `VirtioError` TOO_MUCH_RAM when there is none. */
  take(colors: readonly number[]): number {
    let best = colors[0]!
    for (const color of colors) if (this.#next[color]! < this.#next[best]!) best = color
    const frame = this.#next[best]!
    if (frame >= this.frameCount) {
      const share = `${colors.length} of ${this.colors} page colours`
      throw new VirtioError(
        'TOO_MUCH_RAM',
        `the RAM asked for in ${share} does not fit a board of ${this.frameCount} pages; give its VM more colours or less RAM`,
      )
    }
    this.#next[best] = frame + this.colors
    return frame
  }
}
