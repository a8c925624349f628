/**
 * Rate control of a DMA channel (UG1085 ch. 19, ZDMA_CH_RATE_CTRL): the channel issues one AXI burst every CNT clocks, so the
 * rates that it can keep are burst * clock / CNT. A wish is rounded down to one of them: the promise of a regulator is an
 * upper limit. Within a piece bytes are taken as spread evenly; a short last burst counts for what it carries.
 */
import { VirtioError } from '../internal/error.ts'

/** The rate control of a DMA channel (UG1085 ch. 19). */
export interface RateControl {
  readonly clockHz: number
  /** Bytes of one AXI burst: beats times bus width. */
  readonly burstBytes: number
  /** Largest value of the count's field. */
  readonly maximumCount: number
}

/** A setting of the channel's rate control. */
export interface RateSetting {
  /** What to write to CNT. */
  readonly count: number
  /** What the channel then issues at most. */
  readonly bytesPerNs: number
}

/** The fastest setting that is not above `bytesPerNs`. Throws `VirtioError` BAD_REGULATOR when every setting is, or none is a rate. */
export function rateSetting(bytesPerNs: number, { clockHz, burstBytes, maximumCount }: RateControl): RateSetting {
  if (!(bytesPerNs > 0 && Number.isFinite(bytesPerNs))) {
    throw new VirtioError('BAD_REGULATOR', `rate ${bytesPerNs} bytes/ns: it must be above 0`)
  }
  const burstsPerClock = (burstBytes * clockHz) / 1e9
  // A wish that is a setting's rate, written with a few digits less, means that setting.
  const count = Math.max(1, Math.ceil((burstsPerClock / bytesPerNs) * (1 - 1e-9)))
  if (count > maximumCount) {
    const slowest = burstsPerClock / maximumCount
    throw new VirtioError(
      'BAD_REGULATOR',
      `rate ${bytesPerNs} bytes/ns is below what rate control can keep: ${slowest} bytes/ns, ` +
        `a burst of ${burstBytes} bytes every ${maximumCount} clocks, is the nearest`,
    )
  }
  return { count, bytesPerNs: burstsPerClock / count }
}
