/** `linux`: two Linux guests in this process, and the bytes that one sends the other through the broker. */
import { defaultCache, exchangeInPair, guestImages, LinuxGuestError, type PairExchange } from '../linux/index.ts'
import { parseSize } from '../scenario/index.ts'
import { count } from './report-parts.ts'
import { type Cell, renderTable } from './table.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'

export interface LinuxFlags {
  readonly design?: unknown
  readonly bytes?: unknown
  readonly cache?: unknown
  readonly json?: boolean
  readonly quiet?: boolean
}

const BLOCK_BYTES = 65_536
const MOST_BYTES = 16 * 1024 * 1024
const DESIGNS = { both: ['dedicated', 'floating'], dedicated: ['dedicated'], floating: ['floating'] } as const

export async function linuxCommand(flags: LinuxFlags, terminal: Terminal): Promise<number> {
  const placements = DESIGNS[(flags.design ?? 'both') as keyof typeof DESIGNS]
  if (placements === undefined) throw new UsageError(`--design ${flags.design}: use both, floating or dedicated`)
  const bytes = bytesOf(flags.bytes ?? '1MiB')
  const tell = (text: string) => flags.quiet || terminal.stderr.write(`${text}\n`)
  const exchanges: PairExchange[] = []
  try {
    const images = guestImages(typeof flags.cache === 'string' ? flags.cache : defaultCache(), tell)
    for (const placement of placements) {
      tell(`booting two guests with kernel ${images.kernelName} for the ${placement} broker, about 50 s of a processor`)
      exchanges.push(await exchangeInPair(images, placement, bytes))
    }
  } catch (error) {
    if (error instanceof LinuxGuestError) throw new UsageError(error.message)
    throw error
  }
  if (flags.json) terminal.stdout.write(`${JSON.stringify({ exchanges }, null, 2)}\n`)
  else if (!flags.quiet) {
    const paint = painter(terminal.stdout, terminal.env)
    terminal.stdout.write(
      `${paint(`Two Linux guests (${exchanges[0]!.kernel}) in v86; the first sends the second ${count(bytes)} bytes over vsock`, 'strong')}\n`,
    )
    terminal.stdout.write(renderTable(rowsOf(exchanges), paint))
    terminal.stdout.write(
      '\nCounted from the moment at which the shells are told to; the clock is the guests’ instructions, and the broker takes none.\n',
    )
  }
  return exchanges.every(isWhole) ? EXIT_OK : EXIT_NEGATIVE
}

function bytesOf(text: unknown): number {
  const bytes = parseSize(text)
  if (typeof bytes !== 'number' || bytes < BLOCK_BYTES || bytes > MOST_BYTES || bytes % BLOCK_BYTES !== 0) {
    throw new UsageError(`--bytes ${text}: write a multiple of 64KiB up to 16MiB, e.g. 4MiB`)
  }
  return bytes
}

function isWhole({ bytes, dmaBytes, refused, sha256: [sent, received], violations }: PairExchange): boolean {
  return sent === received && dmaBytes === bytes && refused === 0 && violations.length === 0
}

function rowsOf(exchanges: readonly PairExchange[]): Cell[][] {
  const row = (label: string, cell: (exchange: PairExchange) => Cell): Cell[] => [label, ...exchanges.map(cell)]
  const both = (label: string, of: (exchange: PairExchange) => readonly number[]) => [
    row(`${label} of the sender`, (exchange) => count(of(exchange)[0]!)),
    row(`${label} of the receiver`, (exchange) => count(of(exchange)[1]!)),
  ]
  return [
    ['', ...exchanges.map(({ placement }) => placement)],
    row('sha256 at both ends', ({ sha256: [sent, received] }) =>
      sent === received ? sent.slice(0, 16) : { text: 'different', tone: 'bad' },
    ),
    row('bytes that the DMA moved', ({ dmaBytes }) => count(dmaBytes)),
    row('DMA transfers', ({ dmaTransfers }) => count(dmaTransfers)),
    row('refused messages', ({ refused }) => zero(refused)),
    row('violations', ({ violations }) => zero(violations.length)),
    row('cross-core IPIs', ({ ipis }) => count(ipis)),
    row('interrupts of the guests', ({ interrupts }) => count(interrupts)),
    ...both('register accesses', ({ exits }) => exits),
    ...both('kicks', ({ kicks }) => kicks),
    row('times that the broker’s lock was taken', ({ locked }) => count(locked)),
    ...both('instructions', ({ instructions }) => instructions),
    row('hash of the run', ({ runHash }) => runHash),
  ]
}

function zero(value: number): Cell {
  return value === 0 ? '0' : { text: count(value), tone: 'bad' }
}
