/** What it takes to send so many bytes from one Linux guest to the other, counted from the moment at which the shells are told to. */
import { createHash } from 'node:crypto'
import type { GuestImages } from './guest-images.ts'
import { GuestPair, PAIR_CIDS, type Placement } from './guest-pair.ts'
import { LinuxGuestError } from './linux-error.ts'

const PORT = 5000
const BLOCK_BYTES = 65_536

/** What an exchange came to. Counts of guests are by guest: the sender, the receiver. */
export interface PairExchange {
  readonly placement: Placement
  readonly kernel: string
  readonly bytes: number
  /** Of the bytes, in the sender and as the receiver got them. */
  readonly sha256: readonly [sent: string, received: string]
  /** Messages of payload and of control that the broker refused. */
  readonly refused: number
  readonly violations: readonly string[]
  /** Bytes that the modelled DMA moved, and in how many transfers. */
  readonly dmaBytes: number
  readonly dmaTransfers: number
  /** Times that the broker took its lock. */
  readonly locked: number
  readonly ipis: number
  readonly interrupts: number
  readonly exits: readonly number[]
  readonly kicks: readonly number[]
  readonly instructions: readonly number[]
  /** Of the consoles, the instructions and all counts: equal in two runs that are. */
  readonly runHash: string
}

/** Boots two guests and lets the first send `bytes`, a multiple of 64 KiB, to the second. Throws `LinuxGuestError`. */
export async function exchangeInPair(images: GuestImages, placement: Placement, bytes: number): Promise<PairExchange> {
  const pair = await GuestPair.boot(images, placement)
  const before = countsOf(pair)
  const [, receiverCid] = PAIR_CIDS
  const file = `dd if=/dev/urandom of=/tmp/f bs=64k count=${bytes / BLOCK_BYTES} 2>/dev/null`
  const [sent, received] = await pair.run(
    `${file}; sha256sum < /tmp/f; vsock connect ${receiverCid} ${PORT} < /tmp/f`,
    `vsock listen ${PORT} < /dev/null | sha256sum`,
  )
  if (sent.status !== 0 || received.status !== 0) {
    throw new LinuxGuestError('GUEST', `a guest's command failed: ${sent.output} ${received.output}`)
  }
  const after = countsOf(pair)
  const counts = {
    dmaBytes: after.dmaBytes - before.dmaBytes,
    dmaTransfers: after.dmaTransfers - before.dmaTransfers,
    locked: after.locked - before.locked,
    ipis: after.ipis - before.ipis,
    interrupts: after.interrupts - before.interrupts,
    exits: difference(after.exits, before.exits),
    kicks: difference(after.kicks, before.kicks),
    instructions: difference(after.instructions, before.instructions),
  }
  const hash = createHash('sha256').update(JSON.stringify([counts, after.instructions]))
  for (const { serialOutput } of pair.machines) hash.update(serialOutput)
  return {
    placement,
    kernel: images.kernelName,
    bytes,
    sha256: [hashIn(sent.output), hashIn(received.output)],
    refused: pair.refused.length,
    violations: pair.violations,
    ...counts,
    runHash: hash.digest('hex').slice(0, 16),
  }
}

function countsOf({ counts, exits, kicks, machines }: GuestPair) {
  return {
    dmaBytes: counts.dmaBytes ?? 0,
    dmaTransfers: counts.dmaSetup ?? 0,
    locked: counts.lockCriticalSection ?? 0,
    ipis: counts.ipis ?? 0,
    interrupts: counts.interrupts ?? 0,
    exits: [...exits],
    kicks: [...kicks],
    instructions: machines.map(({ instructions }) => instructions),
  }
}

function difference(after: readonly number[], before: readonly number[]): number[] {
  return after.map((count, guest) => count - before[guest]!)
}

function hashIn(output: string): string {
  return /[0-9a-f]{64}/.exec(output)?.[0] ?? 'none'
}
