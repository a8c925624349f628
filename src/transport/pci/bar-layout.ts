/** Where the structures of a function lie in its BARs. */
import { refuseOption } from '../../internal/check-option.ts'
import { COMMON_BYTES, MSIX_ENTRY_BYTES } from './registers.ts'

/** A part of BAR 0. */
export interface BarRange {
  readonly start: number
  readonly bytes: number
}

export interface BarLayout {
  /** BAR 0 has the structures of virtio, BAR 1 the MSI-X table when there is one. */
  readonly bars: readonly { readonly kind: 'memory' | 'io'; readonly bytes: number }[]
  readonly common: BarRange
  readonly isr: BarRange
  readonly notify: BarRange
  /** No bytes for a device without configuration. */
  readonly config: BarRange
  /** From one queue's doorbell to the next, in bytes. */
  readonly multiplier: number
  readonly msix: { readonly vectors: number; readonly pendingStart: number }
}

const MULTIPLIER = 4
/** Where ISR, doorbells and configuration begin, and the bytes of all. */
const MEMORY = [0x1000, 0x3000, 0x2000, 0x4000] as const
/** PCI lets an I/O BAR of a PC have 256 bytes. Deviation: a device with more configuration than fits gets 512, which drivers take. */
const IO = [0x40, 0x80, 0xc0, 0x100] as const
const LARGE_IO = [0x40, 0x80, 0x100, 0x200] as const
const SMALL_CONFIG = IO[3] - IO[2]

/** Throws `VirtioError` INVALID_OPTION when an I/O BAR has no room for the queues or the configuration. */
export function barLayout(kind: 'memory' | 'io', queues: number, configBytes: number, vectors: number): BarLayout {
  const [isr, notify, config, bytes] = kind === 'memory' ? MEMORY : configBytes <= SMALL_CONFIG ? IO : LARGE_IO
  const doorbells = (IO[2] - notify) / MULTIPLIER
  if (kind === 'io' && queues > doorbells) {
    refuseOption('bar', kind, `memory: an I/O BAR has doorbells for ${doorbells} queues, there are ${queues}`)
  }
  if (configBytes > (kind === 'memory' ? 0x1000 : bytes - config)) {
    refuseOption(
      'bar',
      kind,
      `memory, with at most 4096 bytes of configuration (an I/O BAR has 256); there are ${configBytes}`,
    )
  }
  const tableBytes = roundUp(vectors * MSIX_ENTRY_BYTES, 8)
  const pendingBytes = 8 * Math.ceil(vectors / 64)
  return {
    bars: [
      { kind, bytes: Math.max(bytes, kind === 'memory' ? powerOfTwo(notify + queues * MULTIPLIER) : 0) },
      { kind: 'memory', bytes: vectors === 0 ? 0 : powerOfTwo(Math.max(4096, tableBytes + pendingBytes)) },
    ],
    common: { start: 0, bytes: COMMON_BYTES },
    isr: { start: isr, bytes: 1 },
    notify: { start: notify, bytes: Math.max(1, queues) * MULTIPLIER },
    config: { start: config, bytes: roundUp(configBytes, 4) },
    multiplier: MULTIPLIER,
    msix: { vectors, pendingStart: tableBytes },
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}

function powerOfTwo(least: number): number {
  return 2 ** Math.ceil(Math.log2(least))
}
